"""A-XDR values of every type."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs import axdr
from firmware_emu.gbcs.axdr import (
    BitString,
    CompactArray,
    Data,
    LongUnsigned,
    OctetString,
    Structure,
    TypeDescription,
    Unsigned,
    decode_data,
    encode_data,
)
from tests.gbcs.gbcs_strategies import HOSTILE_SECONDS, NUMBERS, outcome, values


@given(values)
def test_every_value_decodes_to_itself(value: Data) -> None:
    assert decode_data(encode_data(value)) == value


@given(st.binary(max_size=120))
@example(bytes.fromhex("1302ff" + "00" * 20))
@example(bytes.fromhex("1301ffff01ffff0001ff"))
@example(b"\x02\x81\x05")
def test_arbitrary_octets_raise_decode_errors_only(octets: bytes) -> None:
    result = outcome(lambda: decode_data(octets, 7))
    assert 7 <= result.offset <= 7 + len(octets) if isinstance(result, DecodeError) else encode_data(result) == octets


def test_the_event_log_of_the_reference_unpacks() -> None:
    packed = bytes.fromhex("1302030612090f") + bytes.fromhex("1c374a808f0100" + "1c374a818f020102"[:-2] + "ab")
    value = decode_data(packed)
    assert isinstance(value, CompactArray)
    assert value.elements[0] == Structure((axdr.DoubleLongUnsigned(0x1C374A80), LongUnsigned(0x8F01), OctetString(b"")))
    assert value.elements[1] == Structure((axdr.DoubleLongUnsigned(0x1C374A81), LongUnsigned(0x8F02), OctetString(b"\xab")))


def test_bits_read_as_text() -> None:
    assert BitString.of("1010") == BitString(b"\xa0", 4)
    assert BitString(b"\xe0\0\0\x06", 32).bits.count("1") == 5


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_number_out_of_range_is_not_written(kind: type[axdr.Number]) -> None:
    with pytest.raises(IdentifierError, match=kind.type_name):
        kind(1 << 64).encode()


def test_a_value_of_another_type_does_not_go_into_a_compact_array() -> None:
    with pytest.raises(IdentifierError):
        CompactArray(TypeDescription(Unsigned.tag), (LongUnsigned(1),)).encode()


def test_nesting_is_bounded() -> None:
    with pytest.raises(DecodeError, match="nested deeper"):
        decode_data(b"\x02\x01" * 200 + b"\x00")


@pytest.mark.parametrize(
    "octets",
    [
        b"\x02\x82\x27\x10" + b"\x00" * 10_000,
        b"\x01\x02" * 5_000,
        b"\x13\x02\x81\xff" + b"\x00" * 254 + b"\x11\x82\x26\x00" + b"\x01" * 0x2600,
        b"\x13\x01\xff\xff\x01\xff\xff\x00\x82\x26\x00" + bytes(0x2600),
        b"\x13\x01\xff\xff\x02\x02\x00\x11\x82\x26\x00" + bytes(0x2600),
        b"\x09\x82\xff\xff" + bytes(10_000),
    ],
)
def test_hostile_input_is_read_or_refused_quickly(octets: bytes) -> None:
    started = time.process_time()
    outcome(lambda: decode_data(octets))
    assert time.process_time() - started < HOSTILE_SECONDS
