"""GBZ components and the ZCL payloads inside them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs import zcl_layouts
from firmware_emu.gbcs.gbz import Component, Gbz, numbered
from firmware_emu.gbcs.zcl_layouts import FieldLayout, Given, GroupLayout, LayoutValue, decode_zcl, encode_zcl, layouts
from firmware_emu.zse.declare import fields as declared
from firmware_emu.zse.declare import repeat
from tests.gbcs.gbcs_strategies import HOSTILE_SECONDS, clear, outcome, sealed


@given(st.lists(st.one_of(clear, sealed), min_size=1, max_size=20).map(tuple).map(Gbz))
def test_every_payload_decodes_to_itself(payload: Gbz) -> None:
    assert Gbz.decode(payload.encode()) == payload


@given(st.binary(max_size=100))
def test_arbitrary_octets_raise_decode_errors_only(tail: bytes) -> None:
    octets = b"\x01\x09" + tail
    result = outcome(lambda: Gbz.decode(octets, 40))
    assert 40 <= result.offset <= 40 + len(octets) if isinstance(result, DecodeError) else result.encode() == octets


def test_a_component_reads_as_the_reference_prints_it() -> None:
    payload = Gbz.decode(bytes.fromhex("010901010702000b0000000203010300030000"))
    assert payload.components == (Component(0x0702, 0, 0, 0, bytes.fromhex("0203010300030000")),)
    command = decode_zcl(payload.components[0], payload.components[0].payload)
    assert command is not None
    assert [entry[0].value for entry in command.fields[0].value] == [0x0302, 0x0301, 0x0300, 0x0000]  # type: ignore[union-attr]


@pytest.mark.parametrize("octets", ["0109010007020003000000", "010902010702000300000001070200030000" + "00", "010901050702000300000000"])
def test_the_last_component_and_no_other_is_marked_last(octets: str) -> None:
    with pytest.raises(DecodeError, match="extended header control field"):
        Gbz.decode(bytes.fromhex(octets))


def test_commands_number_their_components_from_zero() -> None:
    parts = (Component(0x0700, 9, 7, 1), Component(0x0700, 9, 7, 2))
    assert [part.sequence for part in numbered(parts).components] == [0, 1]


def test_a_from_date_time_does_not_go_with_encryption() -> None:
    with pytest.raises(IdentifierError):
        Component(0x0702, 0x18, 0, 1, b"\x31\0\0\0\0" + bytes(12), 5, True).encode(last=True)


def _field(field: FieldLayout) -> st.SearchStrategy[Given]:
    match field.kind:
        case "s":
            return st.binary(max_size=40)
        case "d":
            return st.binary(min_size=4, max_size=4)
        case "x":
            return st.binary(min_size=1, max_size=20)
        case "v":
            numbers = st.builds(LayoutValue, st.sampled_from([0x18, 0x20, 0x30]), st.integers(0, 255))
            return st.one_of(numbers, st.builds(LayoutValue, st.just(0x2B), st.integers(-(2**31), 2**31 - 1)))
        case "z":
            return st.just(0)
        case "i":
            return st.integers(-(1 << (field.width * 8 - 1)), (1 << (field.width * 8 - 1)) - 1)
        case _:
            return st.integers(0, (1 << field.width * 8) - 1)


@st.composite
def _fields(draw: st.DrawFn, items: tuple[FieldLayout | GroupLayout, ...]) -> dict[str, Given]:
    values: dict[str, Given] = {}
    for item in items:
        if isinstance(item, FieldLayout):
            values[item.name] = draw(_field(item))
            continue
        size = item.count if isinstance(item.count, int) else draw(st.integers(0, 5))
        if isinstance(item.count, str):
            values[item.count] = size
        values[item.name] = [draw(_fields(item.items)) for _ in range(size)]
    return values


@pytest.mark.parametrize("key", list(layouts()), ids=lambda key: layouts()[key].name)
@given(data=st.data())
def test_every_declared_layout_decodes_to_what_was_encoded(key: tuple[int | None, bool, int], data: st.DataObject) -> None:
    layout = layouts()[key]
    cluster, frame_control = (0x0702, 0) if layout.cluster is None else (layout.cluster, 9 if layout.from_server else 1)
    values = data.draw(_fields(layout.fields))
    octets = encode_zcl(cluster, frame_control, layout.command, values)
    command = decode_zcl(Component(cluster, frame_control, 0, layout.command), octets)
    assert command is not None
    assert command.layout is layout
    assert encode_zcl(cluster, frame_control, layout.command, zcl_layouts.given(command.fields)) == octets


@pytest.mark.parametrize("key", list(layouts()), ids=lambda key: layouts()[key].name)
@given(octets=st.binary(max_size=60))
def test_arbitrary_zcl_payloads_raise_decode_errors_only(key: tuple[int | None, bool, int], octets: bytes) -> None:
    layout = layouts()[key]
    cluster, frame_control = (0x0702, 0) if layout.cluster is None else (layout.cluster, 9 if layout.from_server else 1)
    result = outcome(lambda: decode_zcl(Component(cluster, frame_control, 0, layout.command), octets, 9))
    if isinstance(result, DecodeError):
        assert 9 <= result.offset <= 9 + len(octets)
    else:
        assert result is not None
        assert encode_zcl(cluster, frame_control, layout.command, zcl_layouts.given(result.fields)) == octets


def test_a_missing_field_an_unknown_one_and_one_too_large_are_named() -> None:
    with pytest.raises(IdentifierError, match="log_id"):
        encode_zcl(0x0709, 1, 1, {})
    with pytest.raises(IdentifierError, match="nonsense"):
        encode_zcl(0x0709, 1, 1, {"nonsense": 1})
    with pytest.raises(IdentifierError, match="8 bits"):
        encode_zcl(0x0709, 1, 1, {"log_id": 300})


def test_ten_kilobytes_of_components_are_read_quickly() -> None:
    octets = b"\x01\x09\xff" + b"\x00\x07\x02\x00\x03\x00\x00\x00" * 1250
    started = time.process_time()
    with pytest.raises(DecodeError):
        Gbz.decode(octets)
    decode_zcl(Component(0x0705, 9, 0, 5), b"\x00\x01" + (b"\x00" + bytes(8)) * 1100)
    assert time.process_time() - started < HOSTILE_SECONDS


@pytest.mark.parametrize("names", ["first second", "first second entries", "first second entries(", "first second entries(only)", "(", ""])
def test_names_that_do_not_fit_the_declared_fields_are_refused(names: str) -> None:
    layout = declared("one uint8", "two utc", repeat("many", "one", "start date", "value uint8"))
    with pytest.raises(IdentifierError):
        zcl_layouts.named(layout, iter(names.replace("(", " ( ").replace(")", " ) ").split()), "example")


def plain(layout: Sequence[FieldLayout | GroupLayout]) -> tuple[FieldLayout | GroupLayout, ...]:
    """The layout without what each field was declared as."""
    return tuple(replace(one, declared=None) if isinstance(one, FieldLayout) else replace(one, items=plain(one.items)) for one in layout)


def test_the_declared_fields_carry_the_names_of_gbcs() -> None:
    layout = declared("one uint8", "two utc", repeat("many", "one", "start date", "value int16"), "last string ?")
    found = zcl_layouts.named(layout, iter(["first", "second", "?entries", "(", "day", "amount", ")", "text"]), "example")
    assert plain(found) == (
        FieldLayout("first", "u", 1, False),
        FieldLayout("second", "t", 4, False),
        GroupLayout("entries", "first", (FieldLayout("day", "d", 0, False), FieldLayout("amount", "i", 2, False)), True),
        FieldLayout("text", "s", 0, True),
    )
