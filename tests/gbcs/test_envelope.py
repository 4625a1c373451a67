"""The envelope: both shapes, every form of other information, and arbitrary octets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64
from tests.gbcs.gbcs_strategies import CCS01, messages, outcome


@given(messages)
def test_every_message_decodes_to_itself(message: Message) -> None:
    data = message.encode()
    again = Message.decode(data)
    assert again == message
    assert again.encode() == data
    assert data[again.payload_offset : again.payload_offset + len(again.payload)] == again.payload


@pytest.mark.parametrize("signature", [b"", bytes(64)], ids=["unsigned", "signed"])
def test_the_payload_is_found_whatever_the_length_octets_before_it_take(signature: bytes) -> None:
    for size in range(1, 300):
        payload = bytes(range(1, 251)) + bytes(50)
        message = Message(Message.decode(CCS01).header, payload[:size], signature, bytes(12))
        assert message.encode()[message.payload_offset :].startswith(payload[:size])


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xdd")
@example(b"\xdf")
def test_arbitrary_octets_raise_decode_errors_only(octets: bytes) -> None:
    result = outcome(lambda: Message.decode(octets))
    assert 0 <= result.offset <= len(octets) if isinstance(result, DecodeError) else result.encode() == octets


@given(messages, st.data())
def test_a_damaged_message_raises_a_decode_error_or_reads_as_what_it_now_says(message: Message, data: st.DataObject) -> None:
    octets = bytearray(message.encode())
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.integers(1, 255))
    try:
        again = Message.decode(bytes(octets))
    except DecodeError:
        return
    assert again.encode() == octets


@pytest.mark.parametrize("length", range(len(CCS01)))
def test_a_truncated_message_is_refused(length: int) -> None:
    with pytest.raises(DecodeError):
        Message.decode(CCS01[:length])


def test_an_unknown_remote_party_command_reads_as_the_reference_prints_it() -> None:
    message = Message.decode(CCS01)
    assert message.header == GroupingHeader(
        CraFlag.COMMAND,
        1302,
        Eui64.parse("90b3d51f30000002"),
        Eui64.parse("00db1234567890a2"),
        OtherInformation(1, Eui64.parse("90b3d51f30010000"), 1002),
    )
    assert (message.payload_offset, len(message.payload), message.signature) == (64, 77, b"")
    assert message.mac == bytes.fromhex("7c0607034dc39f5f32153966")
    assert message.encode() == CCS01


def test_a_pre_command_has_no_signature_length_octet() -> None:
    octets = bytes.fromhex("df090100000000000003e80890b3d51f300100000800db1234567890a00002005115d9200003e8000103000900000a006aff0101120036")
    message = Message.decode(octets)
    assert message.signature is None
    assert message.signed_bytes == octets[1:]
    assert Message.decode(octets + b"\0").signature == b""


@pytest.mark.parametrize(
    ("offset", "octet", "field"),
    [
        (1, 1, "general-ciphering header"),
        (8, 0x90, "ciphered-service length"),
        (9, 0x31, "security header"),
        (14, 0xDD, "tag"),
        (15, 8, "transaction-id length"),
        (16, 4, "CRA flag"),
        (25, 7, "originator length"),
        (34, 7, "recipient length"),
        (43, 5, "header date-time length"),
        (44, 0x11, "other information"),
        (141, 1, "signature length"),
    ],
)
def test_an_error_names_the_field_and_where_it_stands(offset: int, octet: int, field: str) -> None:
    octets = bytearray(CCS01)
    octets[offset] = octet
    with pytest.raises(DecodeError) as caught:
        Message.decode(bytes(octets))
    assert caught.value.field == field
    assert abs(caught.value.offset - offset) <= 1


def test_lengths_not_in_their_shortest_form_are_refused() -> None:
    with pytest.raises(DecodeError, match="shortest form"):
        Message.decode(CCS01[14:63] + b"\x81" + CCS01[63:142])


@pytest.mark.parametrize(
    "other",
    [
        OtherInformation(1, None, 5),
        OtherInformation(1, Eui64(bytes(8)), None, 5),
        OtherInformation(1, Eui64(bytes(8)), 5, 5, bytes(20)),
        OtherInformation(1, Eui64(bytes(8)), 5, None, bytes(3)),
    ],
)
def test_a_combination_that_no_length_tells_is_not_written(other: OtherInformation) -> None:
    with pytest.raises(IdentifierError):
        other.encode()


def test_what_no_length_or_counter_can_say_is_not_written() -> None:
    message = Message.decode(CCS01)
    with pytest.raises(IdentifierError, match="65535"):
        replace(message, payload=bytes(70_000)).encode()
    with pytest.raises(IdentifierError, match="grouping header"):
        replace(message.header, counter=1 << 64).encode()
