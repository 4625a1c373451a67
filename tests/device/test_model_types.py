"""Types of the object model as its tables write them, and what a value of one may be."""

from __future__ import annotations

import pytest

from firmware_emu.device.object_model import same_type, zero_of
from firmware_emu.gbcs.axdr import (
    Array,
    BitString,
    Boolean,
    CompactArray,
    Data,
    DoubleLong,
    DoubleLongUnsigned,
    Enum,
    Integer,
    Long,
    LongUnsigned,
    Null,
    OctetString,
    Structure,
    Unsigned,
    Utf8String,
    VisibleString,
)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("null", "00"),
        ("boolean", "0300"),
        ("double-long", "0500000000"),
        ("double-long-unsigned", "0600000000"),
        ("octet-string", "0900"),
        ("visible-string", "0a00"),
        ("utf8-string", "0c00"),
        ("bit-string", "0400"),
        ("integer", "0f00"),
        ("long", "100000"),
        ("unsigned", "1100"),
        ("long-unsigned", "120000"),
        ("enum", "1600"),
        ("octet-string(3)", "0903000000"),
        ("visible-string(2)", "0a022020"),
        ("utf8-string(2)", "0c022020"),
        ("bit-string(0)", "0400"),
        ("bit-string(1)", "040100"),
        ("bit-string(8)", "040800"),
        ("bit-string(9)", "04090000"),
        ("structure(unsigned,long)", "02021100100000"),
        ("structure( unsigned , octet-string(1) )", "02021100090100"),
        ("structure[2](unsigned,structure(null))", "02021100020100"),
        ("array", "0100"),
        ("array(unsigned)", "0100"),
        ("array[0](unsigned)", "0100"),
        ("array[2](unsigned)", "010211001100"),
        ("array[2](unsigned,long,null)", "01021100100000"),
        ("array[2](structure(boolean))", "01020201030002010300"),
    ],
)
def test_a_type_text_has_the_zero_of_its_dlms_type(text: str, octets: str) -> None:
    """DLMS green book 9.5: tags of the data types; an array is as long as the number in its brackets."""
    assert zero_of(text).encode().hex() == octets


def test_a_compact_array_is_empty_behind_its_description() -> None:
    zero = zero_of("compact-array(type description 0203061209)")
    assert isinstance(zero, CompactArray)
    assert (zero.elements, zero.description.encode().hex()) == ((), "0203061209")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' does not begin with a type"),
        ("(unsigned)", "'(unsigned)' does not begin with a type"),
        ("short", "'short' is not a type"),
        ("structure(short)", "'short' is not a type"),
        ("unsigned)", "'unsigned)': ')' follows the type"),
        ("octet-string(3) long", "'octet-string(3) long': ' long' follows the type"),
        ("structure(unsigned", "expected , or ) at ''"),
        ("structure(unsigned;long)", "expected , or ) at ';long)'"),
        ("structure(unsigned,)", "')' does not begin with a type"),
    ],
)
def test_a_type_text_that_is_none_is_told_where_it_ends(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        zero_of(text)
    assert str(refused.value) == told


ONE, TWO = Unsigned(1), LongUnsigned(2)


@pytest.mark.parametrize(
    ("declared", "value", "same"),
    [
        (Unsigned(0), ONE, True),
        (Unsigned(0), TWO, False),
        (OctetString(b""), OctetString(b"abc"), True),
        (OctetString(b""), VisibleString("abc"), False),
        (VisibleString(""), Utf8String(""), False),
        (BitString(b"", 0), BitString(b"\x80", 1), True),
        (Array(()), Array((ONE, TWO)), True),
        (Array((ONE,)), Array(()), True),
        (Array((ONE,)), Array((ONE, ONE, ONE)), True),
        (Array((ONE,)), Array((ONE, TWO)), False),
        (Array((Structure((ONE,)),)), Array((Structure((ONE,)),)), True),
        (Array((Structure((ONE,)),)), Array((Structure((TWO,)),)), False),
        (Array(()), Structure(()), False),
        (Structure((ONE, TWO)), Structure((ONE, TWO)), True),
        (Structure((ONE, TWO)), Structure((TWO, ONE)), False),
        (Structure((ONE, TWO)), Structure((ONE,)), False),
        (Structure((ONE,)), Structure((ONE, TWO)), False),
        (Boolean(False), Enum(0), False),
        (Integer(0), Long(0), False),
        (DoubleLong(0), DoubleLongUnsigned(0), False),
        (Null(), Null(), True),
    ],
    ids=lambda one: one.encode().hex() if isinstance(one, Data) else "",
)
def test_a_value_has_the_type_of_another_if_every_tag_agrees(declared: Data, value: Data, same: bool) -> None:
    assert same_type(declared, value) is same
