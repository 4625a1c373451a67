from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zigpy.zcl.foundation import DataType as ZigpyType
from zigpy.zcl.foundation import DataTypeId, Status

from firmware_emu.errors import DecodeError
from firmware_emu.zse import zcl
from firmware_emu.zse.zcl import (
    BY_IDENTIFIER,
    BY_NAME,
    AttributeRecord,
    Collection,
    DataType,
    DefaultResponse,
    ReadRecord,
    TypedValue,
    Value,
    ValueKind,
    ZclFrame,
    ZclReader,
    ZclStatus,
    encode_value,
    read_value,
)


def plain(kind: DataType) -> st.SearchStrategy[Value]:
    """Values of a type that is not a collection."""
    if kind.kind is ValueKind.UNSIGNED:
        return st.integers(0, (1 << 8 * kind.width) - 1)
    if kind.kind is ValueKind.SIGNED:
        return st.integers(-(1 << 8 * kind.width - 1), (1 << 8 * kind.width - 1) - 1)
    if kind.kind is ValueKind.BOOLEAN:
        return st.booleans()
    if kind.kind is ValueKind.FLOAT:
        return st.floats(width={2: 16, 4: 32, 8: 64}[kind.width], allow_nan=False)
    if kind.kind in (ValueKind.OCTETS, ValueKind.EUI64):
        return st.binary(min_size=kind.width, max_size=kind.width)
    if kind.kind is ValueKind.STRING:
        return st.none() | st.binary(max_size=254)
    if kind.kind is ValueKind.TEXT:
        return st.none() | st.text(max_size=60)
    return st.none()


PLAIN = [one for one in BY_IDENTIFIER.values() if one.kind not in (ValueKind.ARRAY, ValueKind.STRUCTURE)]
typed = st.sampled_from(PLAIN).flatmap(lambda kind: st.tuples(st.just(kind), plain(kind)))


@given(typed)
def test_every_value_of_every_type_survives_the_wire(one: tuple[DataType, Value]) -> None:
    kind, value = one
    reader = ZclReader(encode_value(kind, value))
    assert read_value(reader, kind, "value") == value
    assert reader.left == 0


@given(st.lists(typed, max_size=6))
def test_structures_survive_the_wire(items: list[tuple[DataType, Value]]) -> None:
    structure = Collection(None, tuple(TypedValue(kind, value) for kind, value in items))
    octets = encode_value(BY_NAME["struct"], structure)
    if any(kind.kind is ValueKind.NONE for kind, _ in items):
        return
    assert read_value(ZclReader(octets), BY_NAME["struct"], "value") == structure


@given(st.binary(max_size=40), st.sampled_from(sorted(BY_IDENTIFIER)))
def test_reading_any_octets_as_any_type_gives_a_value_or_a_decode_error(octets: bytes, identifier: int) -> None:
    with contextlib.suppress(DecodeError):
        read_value(ZclReader(octets), BY_IDENTIFIER[identifier], "value")


@given(st.binary(max_size=60))
def test_decoding_any_octets_gives_the_same_octets_back_or_a_decode_error(octets: bytes) -> None:
    try:
        frame = ZclFrame.decode(octets)
    except DecodeError:
        return
    assert frame.encode() == octets


@given(
    st.binary(max_size=60),
    st.sampled_from(
        [
            zcl.decode_attribute_ids,
            zcl.decode_read_response,
            zcl.decode_records,
            zcl.decode_write_response,
            zcl.decode_discover,
            zcl.decode_discover_response,
            DefaultResponse.decode,
        ]
    ),
)
def test_general_commands_raise_nothing_but_decode_errors(octets: bytes, decode: object) -> None:
    with contextlib.suppress(DecodeError):
        decode(octets)  # type: ignore[operator]


def test_a_read_attributes_response_of_a_gas_meter_reads_as_printed() -> None:
    frame = ZclFrame.decode(bytes.fromhex("182a0100000025403020100000050386"))
    assert (frame.is_cluster_command, frame.to_client, frame.no_default_response, frame.sequence) == (False, True, True, 0x2A)
    records = zcl.decode_read_response(frame.payload)
    assert records == (
        ReadRecord(0x0000, ZclStatus.SUCCESS, BY_NAME["uint48"], 0x10203040),
        ReadRecord(0x0305, ZclStatus.UNSUPPORTED_ATTRIBUTE),
    )
    assert zcl.encode_read_response(records) == frame.payload


def test_a_manufacturer_specific_frame_carries_its_code() -> None:
    frame = ZclFrame.of_cluster(0x01, b"x", sequence=9, manufacturer=0x1049)
    assert frame.encode().hex() == "0549100901" + b"x".hex()
    with pytest.raises(ValueError, match="disagrees"):
        ZclFrame(0x05, 1, 1).encode()


def test_a_reserved_frame_type_is_named_at_its_offset() -> None:
    with pytest.raises(DecodeError, match="frame type 2") as caught:
        ZclFrame.decode(b"\x02\x00\x00")
    assert (caught.value.offset, caught.value.field) == (0, "frame control")


def test_records_and_write_responses_are_the_zcls() -> None:
    records = (AttributeRecord(0xFFFE, BY_NAME["enum8"], 1), AttributeRecord(0x0004, BY_NAME["string"], "Acme"))
    octets = zcl.encode_records(records)
    assert octets.hex() == "feff3001" + "0400" + "4204" + b"Acme".hex()
    assert zcl.decode_records(octets) == records
    assert zcl.encode_write_response([]) == b"\x00"
    assert zcl.decode_write_response(b"\x00") == ()
    assert zcl.decode_write_response(b"\x88\x04\x00") == (zcl.WriteStatus(0x88, 4),)


def test_a_value_that_does_not_fit_its_type_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        encode_value(BY_NAME["uint8"], 256)
    with pytest.raises(ValueError, match="eui64"):
        encode_value(BY_NAME["eui64"], b"short")
    with pytest.raises(ValueError, match="octets"):
        encode_value(BY_NAME["octets"], bytes(255))


OTHER_WORDS = {
    "bool_": "bool",
    "octstr": "octets",
    "octstr16": "longoctets",
    "string16": "longstring",
    "ToD": "timeofday",
    "UTC": "utc",
    "clusterId": "clusterid",
    "attribId": "attributeid",
    "bacOID": "bacoid",
    "EUI64": "eui64",
    "unk": "unknown",
}
"""zigpy's names of types that are called otherwise here."""


def test_every_data_type_has_the_identifier_and_width_that_zigpy_gives_it() -> None:
    theirs = {OTHER_WORDS.get(one.name, one.name.replace("map", "bitmap")): one for one in DataTypeId}
    assert {name: kind.identifier for name, kind in BY_NAME.items()} == {name: int(one) for name, one in theirs.items()}
    for name, kind in BY_NAME.items():
        python = ZigpyType.from_type_id(theirs[name]).python_type
        if kind.kind in (ValueKind.UNSIGNED, ValueKind.SIGNED, ValueKind.BOOLEAN, ValueKind.EUI64, ValueKind.FLOAT):
            assert python.deserialize(bytes(kind.width))[1] == b"", name
            with pytest.raises(ValueError, match=r"[Dd]ata"):
                python.deserialize(bytes(kind.width - 1))


def test_every_status_has_the_number_that_zigpy_gives_it() -> None:
    theirs = {one.name: int(one) for one in Status}
    assert {one.name: int(one) for one in ZclStatus if theirs.get(one.name.replace("MANUFACTURER", "MANUF")) != one} == {}
