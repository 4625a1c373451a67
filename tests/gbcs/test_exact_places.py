"""Errors of the GBCS decoders stand at the octet that is wrong and tell its numbers; limits hold at, below and above."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from firmware_emu.errors import DecodeError, IdentifierError, ProtectionError
from firmware_emu.gbcs import axdr, cosem_time, utrn
from firmware_emu.gbcs.dlms import (
    AccessRequest,
    AccessResponse,
    Choice,
    DataNotification,
    ProtectedAttribute,
    ProtectionParameters,
    Specification,
    invoke_id,
    obis_text,
    open_protected,
    parse_obis,
    protected_request,
    range_selection,
)
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation, Reader, length_octets
from firmware_emu.gbcs.gbt import ArrivingBlocks, BlockReassembly, TransferBlock, pieces, segment
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.protect import MAC_AAD_PREFIX
from firmware_emu.gbcs.utrn import ValueClass, check_digit, check_utrn, make_utrn, read_utrn
from firmware_emu.ids import CraFlag, Eui64
from tests.gbcs.gbcs_strategies import CCS01

ONE, OTHER = Eui64.parse("90b3d51f30010000"), Eui64.parse("00db1234567890a0")


def refused(read: Callable[[], object]) -> tuple[int, str, str]:
    with pytest.raises(DecodeError) as caught:
        read()
    return caught.value.offset, caught.value.field, caught.value.problem


# -- lengths


@pytest.mark.parametrize(
    ("length", "octets"), [(0, "00"), (127, "7f"), (128, "8180"), (255, "81ff"), (256, "820100"), (0x1234, "821234"), (65535, "82ffff")]
)
def test_a_length_is_written_in_its_shortest_form_and_read_back(length: int, octets: str) -> None:
    """X.690 8.1.3, at most two octets (GBCS)."""
    assert length_octets(length).hex() == octets
    reader = Reader(bytes.fromhex(octets) + bytes(length))
    assert (reader.length("size"), reader.remaining, reader.position) == (length, length, len(octets) // 2)
    reader = Reader(bytes.fromhex(octets) + b"\x07" * length + b"\x08")
    assert (reader.counted("size"), reader.remaining) == (b"\x07" * length, 1)


def test_a_length_that_two_octets_cannot_say_is_not_written() -> None:
    with pytest.raises(IdentifierError, match="65536"):
        length_octets(65536)


@pytest.mark.parametrize(
    ("octets", "offset", "problem"),
    [
        ("817f" + "00" * 130, 21, "length 127 is not in its shortest form"),
        ("8200ff" + "00" * 260, 21, "length 255 is not in its shortest form"),
        ("80" + "00" * 200, 21, "length octet 80: expected below 80, 81 or 82"),
        ("83010000" + "00" * 200, 21, "length octet 83: expected below 80, 81 or 82"),
        ("05" + "00" * 4, 21, "length 5 exceeds the 4 octets left"),
        ("8180" + "00" * 127, 21, "length 128 exceeds the 127 octets left"),
        ("820100" + "00" * 255, 21, "length 256 exceeds the 255 octets left"),
        ("81", 22, "needs 1 octet, 0 are left"),
        ("8201", 22, "needs 2 octets, 1 are left"),
        ("", 21, "needs 1 octet, 0 are left"),
    ],
)
def test_a_length_that_does_not_hold_is_told_where_it_begins(octets: str, offset: int, problem: str) -> None:
    data = b"\xee" + bytes.fromhex(octets)
    for read in (Reader.length, Reader.counted):
        assert refused(lambda read=read: read(Reader(data, 20, 1), "size")) == (offset, "size", problem)  # type: ignore[misc]


def test_a_reader_tells_what_it_needs_and_what_is_left() -> None:
    def reader() -> Reader:
        return Reader(b"\x01\x02\x03\x04\x05", 100, 1, 4)

    assert refused(lambda: reader().take(4, "name")) == (101, "name", "needs 4 octets, 3 are left")
    assert refused(lambda: reader().sized(4, "name")) == (101, "name", "needs 4 octets, 3 are left")
    assert refused(lambda: reader().expect(b"\x02\x04", "name")) == (101, "name", "read 0203, expected 0204")
    assert refused(lambda: reader().finish("name")) == (101, "name", "3 octets are left over after the last field")
    whole = reader()
    assert (whole.u8("a"), whole.uint(2, "b"), whole.remaining, whole.offset) == (2, 0x0304, 0, 104)
    whole.finish("name")
    assert refused(lambda: whole.u8("more")) == (104, "more", "needs 1 octet, 0 are left")
    inner = reader().sized(3, "inner")
    assert (inner.rest(), inner.remaining, inner.offset) == (b"\x02\x03\x04", 0, 104)


# -- envelope


@pytest.mark.parametrize(
    ("offset", "octet", "told", "field", "problem"),
    [
        (1, 1, 1, "general-ciphering header", "read 010000000000, expected 000000000000"),
        (8, 0x90, 7, "ciphered-service length", "length 144, but 145 octets follow"),
        (9, 0x31, 9, "security header", "read 3100000000, expected 1100000000"),
        (13, 1, 9, "security header", "read 1100000001, expected 1100000000"),
        (14, 0xDD, 14, "tag", "read dd, expected df"),
        (15, 8, 15, "transaction-id length", "read 8, expected 9"),
        (16, 4, 16, "CRA flag", "read 4, expected 1 command, 2 response or 3 alert"),
        (16, 0, 16, "CRA flag", "read 0, expected 1 command, 2 response or 3 alert"),
        (25, 7, 25, "originator length", "read 7, expected 8"),
        (34, 9, 34, "recipient length", "read 9, expected 8"),
        (43, 5, 43, "header date-time length", "read 5, expected 0 or 12"),
        (44, 0x11, 45, "other information", "length 17: expected 2, 10, 18, 26 or more"),
        (44, 0x19, 45, "other information", "length 25: expected 2, 10, 18, 26 or more"),
        (141, 1, 141, "signature length", "read 1, expected 0 or 64"),
        (141, 64, 141, "signature", "length 64, but 0 octets follow"),
        (63, 0x4E, 142, "signature length", "missing before the MAC"),
        (63, 0x4F, 63, "content length", "length 79 exceeds the 78 octets left"),
    ],
)
def test_a_wrong_octet_of_a_message_is_told_where_it_stands(offset: int, octet: int, told: int, field: str, problem: str) -> None:
    octets = bytearray(CCS01)
    octets[offset] = octet
    assert refused(lambda: Message.decode(bytes(octets))) == (told, field, problem)


def test_a_signing_block_has_thirty_octets_at_least() -> None:
    block = CCS01[14:142]
    assert refused(lambda: Message.decode(block[:29])) == (0, "general-signing block", "29 octets, expected at least 30")
    assert refused(lambda: Message.decode(block[:30]))[1] == "other-information length"
    assert refused(lambda: Message.decode(b"\x00" + block[1:])) == (0, "tag", "read 00, expected dd or df")
    assert refused(lambda: Message.decode(b""))[:2] == (0, "general-signing block")
    timed = block[:29] + b"\x0c" + bytes(11)
    assert refused(lambda: Message.decode(timed)) == (30, "header date-time", "needs 12 octets, 11 are left")
    assert refused(lambda: Message.decode(timed + b"\x00"))[:2] == (42, "other-information length")
    assert refused(lambda: Message.decode(CCS01[:7] + b"\x20" + CCS01[9:14] + bytes(27)))[1:] == (
        "general-signing block",
        "15 octets, expected at least 30",
    )


@pytest.mark.parametrize(
    "other",
    [
        OtherInformation(0x1234),
        OtherInformation(0x1234, ONE),
        OtherInformation(0x1234, ONE, 0x0102030405060708),
        OtherInformation(0x1234, ONE, 0x0102030405060708, 0x1112131415161718),
        OtherInformation(0x1234, ONE, 0x0102030405060708, None, bytes(range(9))),
        OtherInformation(0xFFFF, ONE, 0, 0),
    ],
)
def test_other_information_is_told_by_its_length(other: OtherInformation) -> None:
    octets = other.encode()
    assert OtherInformation.decode(octets) == other
    assert octets[:2] == other.message_code.to_bytes(2, "big")
    for length in set(range(26)) - {2, 10, 18}:
        assert refused(lambda length=length: OtherInformation.decode(bytes(length), 9)) == (  # type: ignore[misc]
            9,
            "other information",
            f"length {length}: expected 2, 10, 18, 26 or more",
        )


@pytest.mark.parametrize(
    "other",
    [
        OtherInformation(1, None, None, 5),
        OtherInformation(1, None, None, None, bytes(9)),
        OtherInformation(1, ONE, None, None, bytes(9)),
        OtherInformation(1, ONE, 5, 5, bytes(9)),
        OtherInformation(1, ONE, 5, None, bytes(8)),
    ],
)
def test_other_information_that_no_length_tells_is_not_written(other: OtherInformation) -> None:
    with pytest.raises(IdentifierError, match="other information"):
        other.encode()


def header(counter: int = 0, code: int = 0, date_time: bytes = b"") -> GroupingHeader:
    return GroupingHeader(CraFlag.COMMAND, counter, ONE, OTHER, OtherInformation(code), date_time)


def test_a_header_holds_64_bits_of_counter_16_of_code_and_no_time_or_12_octets() -> None:
    assert Message.decode(Message(header((1 << 64) - 1, 0xFFFF, bytes(12)), b"").encode()).header == header(
        (1 << 64) - 1, 0xFFFF, bytes(12)
    )
    for wrong in (header(1 << 64), header(-1), header(0, 1 << 16), header(0, -1), header(0, 0, bytes(11)), header(0, 0, bytes(13))):
        with pytest.raises(IdentifierError, match="header"):
            wrong.encode()


def test_a_message_has_no_signature_or_64_octets_and_a_mac_of_12() -> None:
    for signature, mac in ((bytes(64), bytes(12)), (b"", bytes(12)), (bytes(64), None), (None, None)):
        assert Message.decode(Message(header(), b"x", signature, mac).encode()) == Message(header(), b"x", signature, mac)
    for signature, mac in ((bytes(63), None), (bytes(65), None), (bytes(1), bytes(12))):
        with pytest.raises(IdentifierError, match="a signature"):
            Message(header(), b"x", signature, mac).encode()
    for signature, mac in ((b"", bytes(11)), (b"", bytes(13)), (None, bytes(12))):
        with pytest.raises(IdentifierError, match="a MACed message"):
            Message(header(), b"x", signature, mac).encode()


# -- general block transfer


def test_a_block_is_written_as_dlms_writes_it() -> None:
    """IEC 62056-5-3: control, block number, acknowledged number, length, data."""
    assert TransferBlock(1, b"ab", last=False).encode().hex() == "e0010001000002" + "6162"
    assert TransferBlock(0x0102, b"ab", True, 0x0304, True, 63).encode().hex() == "e0ff0102030402" + "6162"


def test_a_block_holds_six_bits_of_window_and_16_of_each_number() -> None:
    assert TransferBlock.decode(TransferBlock(65535, b"", True, 65535, False, 63).encode()) == TransferBlock(
        65535, b"", True, 65535, False, 63
    )
    assert TransferBlock.decode(TransferBlock(0, b"", True, 0, False, 0).encode()) == TransferBlock(0, b"", True, 0, False, 0)
    for wrong in (
        *(
            TransferBlock(65536, b"", True),
            TransferBlock(-1, b"", True),
            TransferBlock(1, b"", True, 65536),
            TransferBlock(1, b"", True, -1),
        ),
        *(TransferBlock(1, b"", True, 0, False, 64), TransferBlock(1, b"", True, 0, False, -1)),
    ):
        with pytest.raises(IdentifierError, match="window 0 to 63, numbers 0 to 65535"):
            wrong.encode()


def test_a_message_is_cut_into_at_most_65535_blocks_of_at_most_65535_octets() -> None:
    assert [(block.number, block.data, block.last, block.window) for block in segment(b"abcde", 2, 7)] == [
        *((1, b"ab", False, 7), (2, b"cd", False, 7), (3, b"e", True, 7)),
    ]
    assert [(block.number, block.data, block.last, block.window) for block in segment(b"", 2)] == [(1, b"", True, 1)]
    assert len(segment(bytes(65535), 1)) == 65535
    assert [len(block.data) for block in segment(bytes(70000), 65535)] == [65535, 4465]
    for size, octets in ((1, 65536), (0, 1), (65536, 1)):
        with pytest.raises(IdentifierError, match="a block size"):
            segment(bytes(octets), size)


def test_blocks_are_put_together_up_to_a_mebibyte() -> None:
    blocks = BlockReassembly()
    for number in range(1, 17):
        assert blocks.add(TransferBlock(number, bytes(65535), False)) is None
    assert blocks.received == 16
    assert len(blocks.add(TransferBlock(17, bytes(16), True)) or b"") == 1 << 20
    blocks = BlockReassembly(4)
    blocks.add(TransferBlock(1, b"ab", False))
    assert refused(lambda: blocks.add(TransferBlock(2, b"cde", True))) == (6, "block data", "more than 4 octets in one message")
    assert refused(lambda: blocks.add(TransferBlock(3, b"c", True))) == (2, "block number", "read 3, expected 2")
    assert refused(lambda: blocks.add(TransferBlock(1, b"xx", True))) == (2, "block number", "read 1, expected 2")
    assert blocks.add(TransferBlock(2, b"cd", True)) == b"abcd"
    assert refused(lambda: blocks.add(TransferBlock(3, b"", True))) == (2, "block number", "read 3, expected 3")
    assert refused(lambda: BlockReassembly().add(TransferBlock(0, b"", False))) == (2, "block number", "read 0, expected 1")


def test_no_piece_of_a_tunnel_is_longer_than_its_limit() -> None:
    data = bytes(range(256)) * 3
    for limit in (10, 11, 76, 136, 137, 300, 700):
        cut = pieces(data, limit)
        blocks = [TransferBlock.decode(piece) for piece in cut]
        assert all(len(piece) <= limit for piece in cut)
        assert b"".join(block.data for block in blocks) == data
        assert [block.number for block in blocks] == list(range(1, len(blocks) + 1))
        assert {len(block.data) for block in blocks[:-1]} <= {limit - 9}
    assert pieces(data, 9) == (data,)


def test_the_blocks_of_a_tunnel_begin_again_with_number_one() -> None:
    arriving = ArrivingBlocks()
    first, second, third = (block.encode() for block in segment(b"abcdef", 2))
    assert [arriving.take(one) for one in (first, first, second, first, second, third)] == [None, None, None, None, None, b"abcdef"]
    assert [arriving.take(one) for one in (first, second, third)] == [None, None, b"abcdef"]


# -- tokens


def test_a_token_is_a_number_of_57_bits_above_the_base() -> None:
    """GBCS 14: the base is 7394156990786306048; the seven high bits of a token are clear."""
    base = 7394156990786306048
    for number in (base, base + (1 << 57) - 1):
        digits = str(number)
        assert len(digits) == 19
        read_utrn(digits + check_digit(digits))
    for number in (base - 1, base + (1 << 57)):
        with pytest.raises(IdentifierError, match=f"a token from {base} on"):
            read_utrn(str(number) + check_digit(str(number)))
    token = read_utrn(
        str(base + (0x2AB << 47 | 1 << 45 | 8191 << 32 | 0x01020304))
        + check_digit(str(base + (0x2AB << 47 | 1 << 45 | 8191 << 32 | 0x01020304)))
    )
    assert (token.counter_bits, token.value_class, token.value, token.tag.hex()) == (0x2AB, 1, 8191, "01020304")
    assert (token.pence, utrn.Token(1, 0, 55, b"").pence) == (819100, 55)


@pytest.mark.parametrize("counter", [0x0000000100000000, 0x000003FF00000000, 0x0000040500000000])
@pytest.mark.parametrize(("value", "value_class"), [(0, ValueClass.PENCE), (8191, ValueClass.POUNDS), (1234, ValueClass.POUNDS)])
def test_the_tag_of_a_token_is_the_end_of_a_gmac_made_by_cryptography(counter: int, value: int, value_class: ValueClass) -> None:
    """GBCS 14: key and nonce are those of a command's MAC; the tag ends in the 32 bits that the token carries."""
    secret = bytes(range(32))
    high = ((counter >> 32 & 0x3FF) << 15 | value_class << 13 | value).to_bytes(4, "big")
    information = bytes.fromhex("60857406080300") + ONE.octets + b"\x09\x01" + counter.to_bytes(8, "big") + OTHER.octets
    key = ConcatKDFHash(SHA256(), 16, information).derive(secret)
    prefix = MAC_AAD_PREFIX + ONE.octets + OTHER.octets + b"\x01" + counter.to_bytes(8, "big") + high
    tag = AESGCM(key).encrypt(ONE.octets + bytes(4), b"", prefix)[-4:]
    token = read_utrn(make_utrn(secret, supplier=ONE, meter=OTHER, counter=counter, value=value, value_class=value_class))
    assert (token.tag, token.counter_bits, token.value, token.value_class) == (tag, counter >> 32 & 0x3FF, value, value_class)


def test_a_value_of_a_token_has_13_bits_and_a_token_for_another_counter_tells_both() -> None:
    for value in (-1, 8192):
        with pytest.raises(IdentifierError, match="0 to 8191"):
            make_utrn(bytes(32), supplier=ONE, meter=OTHER, counter=1 << 32, value=value)
    made = make_utrn(bytes(32), supplier=ONE, meter=OTHER, counter=5 << 32, value=8191)
    with pytest.raises(ProtectionError, match="counter bits 5, expected 6"):
        check_utrn(made, bytes(32), supplier=ONE, meter=OTHER, counter=6 << 32)
    with pytest.raises(ProtectionError, match="tag does not hold"):
        check_utrn(made, bytes(32), supplier=ONE, meter=OTHER, counter=(5 << 32) + 1)
    with pytest.raises(IdentifierError, match=f"check digit {made[-1]}"):
        read_utrn(made[:-1] + str((int(made[-1]) + 1) % 10))
    for wrong in (made[:-1], made + "0", "\u0661" * 20):
        with pytest.raises(IdentifierError, match="20 digits"):
            read_utrn(wrong)


# -- times


@pytest.mark.parametrize(
    ("form", "octets", "told"),
    [
        ("date", "07ea0401ff", "2026-04-01"),
        ("date", "07ea040101", "2026-04-01, Monday"),
        ("date", "07ea0c1f07", "2026-12-31, Sunday"),
        ("date", "07ea0c1f08", "2026-12-31, weekday 8"),
        ("date", "07ea010100", "2026-01-01, weekday 0"),
        ("date", "ffffffffff", "every day"),
        ("date", "ffffffff03", "every day, Wednesday"),
        ("date", "ffff0401ff", "every year, month 4, day 1"),
        ("date", "07eaff01ff", "year 2026, every month, day 1"),
        ("date", "07ea04ffff", "year 2026, month 4, every day"),
        ("date", "07eafffeff", "year 2026, every month, the last day"),
        ("date", "07eafdfdff", "year 2026, the month summer time ends, the second last day"),
        ("date", "07eafe01ff", "year 2026, the month summer time begins, day 1"),
        ("date", "07ea0d01ff", "year 2026, month 13, day 1"),
        ("date", "07ea0001ff", "year 2026, month 0, day 1"),
        ("date", "07ea0400ff", "year 2026, month 4, day 0"),
        ("date", "07ea0420ff", "year 2026, month 4, day 32"),
        ("date", "ffff04ffff", "every year, month 4, every day"),
        ("date", "07ea0401", ""),
        ("time", "01020304", "01:02:03"),
        ("time", "ff02ffff", "any:02:any"),
        ("time", "0102", ""),
        ("date-time", "07ea0401ff0102030480 0000".replace(" ", ""), "2026-04-01, 01:02:03"),
        ("zcl-date", "7e0401ff", "2026-04-01"),
        ("zcl-date", "ff0401ff", "every year, month 4, day 1"),
        ("zcl-date", "ffffff02", "every day, Tuesday"),
        ("zcl-date", "fe0401ff", "2154-04-01"),
        ("clock", "00", ""),
    ],
)
def test_a_form_with_wildcards_is_told_in_words(form: str, octets: str, told: str) -> None:
    """IEC 62056-6-2 4.1.6.1: FF is any, FE the last, FD the second last day; months FE and FD begin and end summer time."""
    assert cosem_time.describe_form(form, bytes.fromhex(octets)) == told


def test_a_deviation_counts_from_local_time_to_utc() -> None:
    """IEC 62056-6-2 4.1.6.1: the deviation in minutes of local time to UTC."""
    for octets, hour in (("0000", 12), ("ffc4", 11), ("003c", 13), ("8000", 12)):
        moment = cosem_time.decode_date_time(bytes.fromhex(f"07ea0704ff0c0000ff{octets}ff"))
        assert moment is not None
        assert moment.astimezone(UTC) == datetime(2026, 7, 4, hour, tzinfo=UTC)


def test_seconds_since_2000_end_in_2136() -> None:
    last = datetime(2136, 2, 7, 6, 28, 15, tzinfo=UTC)
    first = datetime(2000, 1, 1, tzinfo=UTC)
    assert (cosem_time.encode_utc_seconds(first), cosem_time.encode_utc_seconds(last)) == (0, 0xFFFFFFFF)
    assert cosem_time.decode_utc_seconds(0xFFFFFFFF) == last
    for wrong in (first - timedelta(seconds=1), last + timedelta(seconds=1)):
        with pytest.raises(IdentifierError, match="2000-01-01 to 2136-02-07"):
            cosem_time.encode_utc_seconds(wrong)


def test_activations_at_once_and_never_have_their_values_in_each_notation() -> None:
    """Reference gbcs-messages 5.4, 6 and 7A."""
    now, never, at = cosem_time.Activation.NOW, cosem_time.Activation.NEVER, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert cosem_time.activation_octets(now).hex() == "0000000000000000008000ff"
    assert cosem_time.activation_octets(never).hex() == "ffffffffffffffffff8000ff"
    assert cosem_time.activation_octets(at).hex() == "07ea0102ff030405008000ff"
    assert [cosem_time.activation_seconds(one) for one in (now, never)] == [0, 0xFFFFFFFF]
    assert [cosem_time.activation_seconds(one, second=True) for one in (now, never)] == [0, 0xFFFFFFFE]
    assert cosem_time.activation_seconds(at, second=True) == cosem_time.activation_seconds(at) == 820638245
    assert cosem_time.activation_moment(now) is None
    assert cosem_time.activation_moment(never) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert cosem_time.activation_moment(at) == at


@pytest.mark.parametrize(
    "text", ["20260102030405", "20260102030405ZZ", "20260102030405z", "2026010203040 Z", "20261302030405Z", "20260102030460Z"]
)
def test_a_generalized_time_is_14_digits_and_z(text: str) -> None:
    assert cosem_time.decode_generalized("20260102030405Z") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with pytest.raises(IdentifierError, match="YYYYMMDDhhmmssZ"):
        cosem_time.decode_generalized(text)


def test_a_date_time_has_12_octets() -> None:
    for size in (11, 13):
        with pytest.raises(IdentifierError, match="12 octets"):
            cosem_time.decode_date_time(bytes(size))


# -- DLMS and GBZ

REQUEST = AccessRequest(invoke_id(7), (Specification(Choice.GET, 3, parse_obis("1-0:1.8.0"), 2),), (axdr.Null(),)).encode()
RESPONSE = bytes.fromhex("da20000007000001" + "060000000a" + "01" + "0100")


@pytest.mark.parametrize(
    ("octets", "place", "octet", "told", "field", "problem"),
    [
        (REQUEST, 0, 0xDA, 50, "access-request tag", "read da, expected d9"),
        (REQUEST, 5, 1, 55, "date-time length", "read 01, expected 00"),
        (REQUEST, 7, 5, 57, "access specification", "choice 5, expected 1, 2, 3 or 4"),
        (REQUEST, 17, 2, 67, "data count", "2 items for 1 specifications"),
        (RESPONSE, 6, 1, 56, "echo of the specifications", "read 01, expected 00"),
        (RESPONSE, 13, 2, 63, "result count", "2 results for 1 data items"),
        (RESPONSE, 14, 4, 64, "response specification", "choice 4, expected 1, 2 or 3"),
        (RESPONSE, 15, 5, 65, "access result", "5 is no result of an access"),
        (RESPONSE, 8, 0x99, 58, "data tag", "99 is no A-XDR type"),
    ],
)
def test_a_wrong_octet_of_a_dlms_payload_is_told_where_it_stands(
    octets: bytes, place: int, octet: int, told: int, field: str, problem: str
) -> None:
    changed = octets[:place] + bytes((octet,)) + octets[place + 1 :]
    kind = AccessRequest if octets is REQUEST else AccessResponse
    assert kind.decode(octets, 50).encode() == octets
    found = refused(lambda: kind.decode(changed, 50))
    assert found[:2] == (told, field)
    assert found[2].startswith(problem[:12])
    if "expected 1" not in problem:
        assert found[2] == problem


def test_what_is_left_over_is_told_behind_the_last_field() -> None:
    assert refused(lambda: AccessRequest.decode(REQUEST + b"\0", 50)) == (
        69,
        "access-request",
        "1 octets are left over after the last field",
    )
    assert refused(lambda: AccessResponse.decode(RESPONSE + b"\0", 50)) == (
        66,
        "access-response",
        "1 octets are left over after the last field",
    )
    notification = DataNotification(invoke_id(1), axdr.Unsigned(5)).encode()
    assert notification.hex() == "0f2000000100" + "1105"
    assert refused(lambda: DataNotification.decode(notification + b"\0\0", 50))[::2] == (58, "2 octets are left over after the last field")
    assert refused(lambda: open_protected(b"\x11\x05", 50)) == (
        50,
        "protected attributes",
        "a unsigned, expected a structure of attribute values",
    )


def test_an_invoke_id_is_20_and_the_low_24_bits_of_the_counter() -> None:
    assert [invoke_id(counter) for counter in (0, 0xFFFFFF, 0x1000000, 0x1234567)] == [0x20000000, 0x20FFFFFF, 0x20000000, 0x20234567]


def test_an_obis_code_has_six_groups_of_which_the_last_may_be_left_out() -> None:
    assert parse_obis("1-2:3.4.5.6") == bytes((1, 2, 3, 4, 5, 6))
    assert parse_obis("1-2:3.4.5") == bytes((1, 2, 3, 4, 5, 255))
    assert obis_text(bytes((1, 2, 3, 4, 5, 6))) == "1-2:3.4.5.6"
    for wrong in ("1-2:3.4", "1-2:3.4.5.6.7", "1-2:3.4.5.256", "a-2:3.4.5"):
        with pytest.raises(IdentifierError, match=r"A-B:C\.D\.E\.F"):
            parse_obis(wrong)


def test_selections_and_protected_attributes_are_laid_out_as_the_reference_prints_them() -> None:
    """Reference gbcs-messages 5.3 and 5.5."""
    chosen = range_selection(8, bytes(range(1, 7)), 2, axdr.DoubleLongUnsigned(5), axdr.DoubleLongUnsigned(6))
    assert (
        chosen.encode().hex() == "0204" + "0204" + "120008" + "0906010203040506" + "0f02" + "120000" + "0600000005" + "0600000006" + "0100"
    )
    parameters = ProtectionParameters(0x0102030405060708, ONE, OTHER)
    protection = "0101" + "0202" + "1602" + "0205" + "0909" + "040102030405060708" + "0908" + str(ONE) + "0908" + str(OTHER) + "0900"
    protection += "0202" + "1602" + "0202" + "090102" + "0900"
    assert parameters.data().encode().hex() == protection
    assert ProtectionParameters.of(parameters.data()) == parameters
    whole = protected_request((ProtectedAttribute(1, bytes(range(1, 7)), 2),), parameters).encode().hex()
    assert whole == "0202" + "0101" + "0205" + "120001" + "0906010203040506" + "0f02" + "120000" + "0202" + "1600" + "00" + protection
    limited = ProtectedAttribute(7, bytes(range(1, 7)), 3, 4, (axdr.Unsigned(1), axdr.Unsigned(2)))
    assert (
        limited.data().encode().hex()
        == "0205" + "120007" + "0906010203040506" + "0f03" + "120004" + "0202" + "1601" + "0202" + "1101" + "1102"
    )


def test_a_compact_array_nests_and_packs_no_more_than_its_octets_carry() -> None:
    assert axdr.decode_data(b"\x02\x01" * 32 + b"\x00") is not None
    assert refused(lambda: axdr.decode_data(b"\x02\x01" * 33 + b"\x00", 5)) == (69, "data", "nested deeper than 32 levels")
    described = b"\x13" + b"\x02\x01" * 31 + b"\x11" + b"\x01\x05"
    assert axdr.decode_data(described).encode() == described
    assert refused(lambda: axdr.decode_data(b"\x13" + b"\x02\x01" * 32 + b"\x11" + b"\x01\x05"))[::2] == (
        63,
        "nested deeper than 32 levels",
    )
    assert refused(lambda: axdr.decode_data(b"\x13\x13\x00", 5)) == (6, "type description", "13 is no type that can be packed")
    assert refused(lambda: axdr.decode_data(b"\x13\x00\x02\x00\x00", 5)) == (
        8,
        "compact-array contents",
        "2 octets of elements that take none",
    )
    many = b"\x13\x02\x04\x00\x00\x00\x11" + b"\x0a" + bytes(10)  # ten octets make fifty values and more than 2 * 10 + 32 are none
    assert len(axdr.decode_data(many[:7] + b"\x02" + bytes(2)).elements) == 2  # type: ignore[attr-defined]
    assert (
        refused(lambda: axdr.decode_data(b"\x13\x02\x08" + b"\x00" * 7 + b"\x11" + b"\x0a" + bytes(10)))[2]
        == "more values than its octets can carry"
    )
    assert refused(lambda: axdr.decode_data(b"\x0a\x02a\xff", 5)) == (7, "visible-string", "characters that are not ASCII")
    assert refused(lambda: axdr.decode_data(b"\x0c\x02a\xff", 5)) == (8, "utf8-string", "not UTF-8: invalid start byte")
    assert refused(lambda: axdr.decode_data(b"\x06\x00\x00\x00", 5)) == (6, "double-long-unsigned", "needs 4 octets, 3 are left")
    assert refused(lambda: axdr.decode_data(b"\x11\x05\x00", 5)) == (7, "data", "1 octets are left over after the last field")
    assert refused(lambda: axdr.decode_data(b"", 5)) == (5, "data tag", "needs 1 octet, 0 are left")


PLAIN = Component(0x0702, 0x01, 5, 6, b"\x07\x08", 0x01020304)
SEALED = Component(0x0702, 0x01, 5, 6, b"\x31\0\0\0\0" + bytes(12), None, True, 9)


@pytest.mark.parametrize(
    ("octets", "place", "octet", "told", "field", "problem"),
    [
        (PLAIN, 0, 2, 50, "ZigBee profile id", "read 0209, expected 0109"),
        (PLAIN, 2, 0, 52, "number of components", "read 0, expected at least 1"),
        (PLAIN, 3, 0x21, 53, "extended header control field", "read 21, expected 00, 01, 02, 03, 10 or 11"),
        (PLAIN, 3, 0x13, 53, "extended header control field", "read 13, expected 00, 01, 02, 03, 10 or 11"),
        (PLAIN, 3, 0x10, 53, "extended header control field", "read 10: the last component and no other is marked so"),
        (PLAIN, 7, 10, 58, "component", "needs 10 octets, 9 are left"),
        (PLAIN, 7, 8, 66, "GBZ payload", "1 octets are left over after the last field"),
        (SEALED, 14, 18, 63, "ciphered information length", "read 18, 17 octets follow"),
        (SEALED, 15, 0x32, 65, "ciphered information", "expected to start with 3100000000"),
    ],
)
def test_a_wrong_octet_of_a_gbz_payload_is_told_where_it_stands(
    octets: Component, place: int, octet: int, told: int, field: str, problem: str
) -> None:
    written = Gbz((octets,)).encode()
    assert Gbz.decode(written, 50).components == (octets,)
    changed = written[:place] + bytes((octet,)) + written[place + 1 :]
    assert refused(lambda: Gbz.decode(changed, 50)) == (told, field, problem)


def test_a_sealed_component_has_a_tag_at_least_and_no_start() -> None:
    assert Gbz((SEALED,)).encode().hex() == "010901" + "03" + "0702" + "0018" + "0009" + "010506" + "0011" + "3100000000" + "00" * 12
    for wrong in (
        Component(1, 1, 1, 1, b"\x31\0\0\0\0" + bytes(11), None, True),
        Component(1, 1, 1, 1, b"\x31\0\0\0\1" + bytes(12), None, True),
        Component(1, 1, 1, 1, b"\x31\0\0\0\0" + bytes(12), 5, True),
    ):
        with pytest.raises(IdentifierError, match="an encrypted component"):
            wrong.encode(True)
    with pytest.raises(IdentifierError, match="0 components"):
        Gbz(()).encode()
    assert len(Gbz.decode(Gbz((Component(1, 1, 1, 1),) * 255).encode()).components) == 255
    with pytest.raises(IdentifierError, match="256 components"):
        Gbz((Component(1, 1, 1, 1),) * 256).encode()
