"""Strategies and values that several tests of this folder draw from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs import axdr
from firmware_emu.gbcs.axdr import (
    Array,
    BitString,
    Boolean,
    CompactArray,
    Data,
    Integer,
    LongUnsigned,
    Null,
    OctetString,
    Structure,
    TypeDescription,
    Utf8String,
    VisibleString,
)
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component
from firmware_emu.ids import CraFlag, Eui64

BROKER = Eui64.parse("90b3d51f30ff0002")
SUPPLIER = Eui64.parse("90b3d51f30ff1000")
METER = Eui64.parse("00db12345678ff01")
HUB = Eui64.parse("00db12345678ff02")

HOSTILE_SECONDS = 1.0
"""Ten kilobytes take some 10 ms. The limit only tells work in proportion from work that explodes, on however busy a machine."""

Read = TypeVar("Read")


def outcome(read: Callable[[], Read]) -> Read | DecodeError:
    """Result of a decoder, or the one error it may raise."""
    try:
        return read()
    except DecodeError as error:
        return error


euis = st.binary(min_size=8, max_size=8).map(Eui64)
counters = st.integers(0, 2**64 - 1)
codes = st.integers(0, 0xFFFF)
others = st.one_of(
    st.builds(OtherInformation, codes),
    st.builds(OtherInformation, codes, euis),
    st.builds(OtherInformation, codes, euis, counters),
    st.builds(OtherInformation, codes, euis, counters, counters),
    st.builds(OtherInformation, codes, euis, counters, st.none(), st.binary(min_size=9, max_size=600)),
)
headers = st.builds(
    GroupingHeader, st.sampled_from(CraFlag), counters, euis, euis, others, st.one_of(st.just(b""), st.binary(min_size=12, max_size=12))
)
payloads = st.one_of(
    st.binary(max_size=300), st.binary(min_size=1, max_size=1).map(lambda octet: octet * 70_000).map(lambda long: long[:60_000])
)
signatures = st.one_of(st.just(b""), st.binary(min_size=64, max_size=64))
messages = st.one_of(
    st.builds(Message, headers, payloads, signatures, st.one_of(st.none(), st.binary(min_size=12, max_size=12))),
    st.builds(Message, headers, payloads, st.none(), st.none()),
)

CCS01 = bytes.fromhex(
    "dd00000000000081911100000000df090100000000000005160890b3d51f300000020800db1234567890a20012000190b3d51f3001000000000000000003ea4d"
    "d9200005160003"
    "03006800001e0300ff0102006800001e0300ff0302006800001e0300ff02"
    "030204090800db1234567890a016010910303132333435363738394142434445461600"
    "12005a03ff007c0607034dc39f5f32153966"
)
"""Reference gbcs-messages 12.1."""


NUMBERS = [
    *(axdr.DoubleLong, axdr.DoubleLongUnsigned, axdr.Bcd, axdr.Integer, axdr.Long, axdr.Unsigned, axdr.LongUnsigned),
    *(axdr.Long64, axdr.Long64Unsigned, axdr.Enum),
]
FIXED = [axdr.Float32, axdr.Float64, axdr.DateTime, axdr.Date, axdr.Time]


def _numbers(kind: type[axdr.Number]) -> st.SearchStrategy[Data]:
    bits = kind.octet_count * 8
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind.signed else (0, (1 << bits) - 1)
    return st.integers(low, high).map(kind)


leaves: st.SearchStrategy[Data] = st.one_of(
    st.just(Null()),
    st.just(axdr.DontCare()),
    st.just(Boolean(False)),
    st.integers(1, 255).map(lambda octet: Boolean(True, octet)),
    st.text("01", max_size=300).map(BitString.of),
    st.binary(max_size=300).map(OctetString),
    st.text(st.characters(codec="ascii"), max_size=200).map(VisibleString),
    st.text(max_size=100).map(Utf8String),
    *[_numbers(kind) for kind in NUMBERS],
    *[st.binary(min_size=kind.octet_count, max_size=kind.octet_count).map(kind) for kind in FIXED],
)


@st.composite
def compact_arrays(draw: st.DrawFn) -> CompactArray:
    shape = draw(st.lists(st.sampled_from([LongUnsigned, Integer, OctetString]), min_size=1, max_size=4))
    description = TypeDescription(Structure.tag, tuple(TypeDescription(kind.tag) for kind in shape))
    row = st.tuples(*[st.binary(max_size=5).map(OctetString) if kind is OctetString else _numbers(kind) for kind in shape]).map(Structure)
    return CompactArray(description, tuple(draw(st.lists(row, max_size=6))))


values = st.recursive(
    st.one_of(leaves, compact_arrays()),
    lambda inner: st.one_of(st.lists(inner, max_size=5).map(tuple).map(Array), st.lists(inner, max_size=5).map(tuple).map(Structure)),
    max_leaves=20,
)


octet = st.integers(0, 255)
clear = st.builds(
    Component, st.integers(0, 0xFFFF), octet, octet, octet, st.binary(max_size=80), st.one_of(st.none(), st.integers(0, 2**32 - 1))
)
sealed = st.builds(
    lambda cluster, control, sequence, command, text, counter: Component(
        cluster, control, sequence, command, b"\x31\0\0\0\0" + text, None, True, counter
    ),
    *(st.integers(0, 0xFFFF), octet, octet, octet, st.binary(min_size=12, max_size=80), octet),
)
