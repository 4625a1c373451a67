from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zigpy.zcl.foundation import DataType as ZigpyType
from zigpy.zcl.foundation import DataTypeId, Status
from zigpy.zcl.foundation import GeneralCommand as ZigpyGeneral

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


def test_records_and_write_responses_are_the_zcls() -> None:
    records = (AttributeRecord(0xFFFE, BY_NAME["enum8"], 1), AttributeRecord(0x0004, BY_NAME["string"], "Acme"))
    octets = zcl.encode_records(records)
    assert octets.hex() == "feff3001" + "0400" + "4204" + b"Acme".hex()
    assert zcl.decode_records(octets) == records
    assert zcl.encode_write_response([]) == b"\x00"
    assert zcl.decode_write_response(b"\x00") == ()
    assert zcl.decode_write_response(b"\x88\x04\x00") == (zcl.WriteStatus(0x88, 4),)


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


def refused(decode: Callable[[bytes], object], octets: str) -> tuple[int, str, str]:
    with pytest.raises(DecodeError) as caught:
        decode(bytes.fromhex(octets))
    return caught.value.offset, caught.value.field, caught.value.problem


def value_of(name: str) -> Callable[[bytes], object]:
    return lambda octets: read_value(ZclReader(octets, base=100), BY_NAME[name], "it")


@pytest.mark.parametrize(
    ("decode", "octets", "offset", "field", "problem"),
    [
        (ZclFrame.decode, "", 0, "frame control", "0 octets left, expected 1"),
        (ZclFrame.decode, "02 0000", 0, "frame control", "read frame type 2, expected 0 (general) or 1 (cluster)"),
        (ZclFrame.decode, "03 0000", 0, "frame control", "read frame type 3, expected 0 (general) or 1 (cluster)"),
        (ZclFrame.decode, "05 49", 1, "manufacturer code", "1 octets left, expected 2"),
        (ZclFrame.decode, "05 4910", 3, "sequence number", "0 octets left, expected 1"),
        (ZclFrame.decode, "05 4910 01", 4, "command id", "0 octets left, expected 1"),
        (ZclFrame.decode, "01 01", 2, "command id", "0 octets left, expected 1"),
        (DefaultResponse.decode, "01", 1, "status", "0 octets left, expected 1"),
        (zcl.decode_attribute_ids, "0100 02", 2, "attribute id", "1 octets left, expected 2"),
        (zcl.decode_read_response, "0100", 2, "attribute 0x0001 status", "0 octets left, expected 1"),
        (zcl.decode_read_response, "0100 00", 3, "attribute 0x0001 type", "0 octets left, expected 1"),
        (zcl.decode_read_response, "0100 86 0200 00 02", 6, "attribute 0x0002 type", "read data type 0x02, expected a ZCL data type"),
        (zcl.decode_read_response, "0100 00 21 05", 4, "attribute 0x0001", "1 octets left, expected 2"),
        (zcl.decode_records, "01", 0, "attribute id", "1 octets left, expected 2"),
        (zcl.decode_records, "0100 2005 0200 03", 6, "attribute 0x0002 type", "read data type 0x03, expected a ZCL data type"),
        (zcl.decode_records, "0100 23 010203", 3, "attribute 0x0001", "3 octets left, expected 4"),
        (zcl.decode_write_response, "86 01", 1, "attribute id", "1 octets left, expected 2"),
        (zcl.decode_write_response, "00 00", 1, "attribute id", "1 octets left, expected 2"),
        (zcl.decode_discover, "01", 0, "start attribute id", "1 octets left, expected 2"),
        (zcl.decode_discover, "0100", 2, "maximum attribute ids", "0 octets left, expected 1"),
        (zcl.decode_discover_response, "", 0, "discovery complete", "0 octets left, expected 1"),
        (zcl.decode_discover_response, "01 0100", 3, "attribute 0x0001 type", "0 octets left, expected 1"),
        (zcl.decode_discover_response, "01 0100 03", 3, "attribute 0x0001 type", "read data type 0x03, expected a ZCL data type"),
        (value_of("string"), "", 100, "it length", "0 octets left, expected 1"),
        (value_of("string"), "03 4142", 101, "it", "2 octets left, expected 3"),
        (value_of("longoctets"), "0300 4142", 102, "it", "2 octets left, expected 3"),
        (value_of("array"), "", 100, "it element type", "0 octets left, expected 1"),
        (value_of("array"), "20 03", 101, "it count", "1 octets left, expected 2"),
        (value_of("array"), "20 0300 0102", 103, "it count", "read 3 elements, expected at most the 2 octets left"),
        (value_of("array"), "21 0200 010203", 105, "it[1]", "1 octets left, expected 2"),
        (value_of("array"), "48 0100 20 0000", 103, "it[0]", "read a nested array, expected a plain value"),
        (value_of("struct"), "0200 20 07 4c 0000", 105, "it[1]", "read a nested struct, expected a plain value"),
        (value_of("struct"), "0100 03", 102, "it[0] type", "read data type 0x03, expected a ZCL data type"),
    ],
)
def test_octets_that_are_none_are_told_at_their_place_with_what_was_expected(
    decode: Callable[[bytes], object], octets: str, offset: int, field: str, problem: str
) -> None:
    assert refused(decode, octets) == (offset, field, problem)


@pytest.mark.parametrize(
    ("name", "value", "octets"),
    [
        ("bool", False, "00"),
        ("bool", True, "01"),
        ("bool", 0xFF, "ff"),
        ("bool", 2, "02"),
        ("uint24", 0x010203, "030201"),
        ("int24", -2, "feffff"),
        ("int8", -128, "80"),
        ("int8", 127, "7f"),
        ("semi", 1.5, "003e"),
        ("single", 1.5, "0000c03f"),
        ("double", -2.0, "00000000000000c0"),
        ("eui64", bytes(range(8)), "0706050403020100"),
        ("key128", bytes(range(16)), "000102030405060708090a0b0c0d0e0f"),
        ("date", bytes((126, 2, 5, 1)), "7e020501"),
        ("octets", None, "ff"),
        ("octets", b"", "00"),
        ("octets", bytes(254), "fe" + "00" * 254),
        ("string", "", "00"),
        ("string", None, "ff"),
        ("string", "Aé", "0341c3a9"),
        ("longoctets", None, "ffff"),
        ("longoctets", bytes(255), "ff00" + "00" * 255),
        ("longoctets", bytes(65534), "feff" + "00" * 65534),
        ("longstring", "AB", "02004142"),
        ("array", Collection(BY_NAME["uint8"], None), "20ffff"),
        ("array", Collection(BY_NAME["uint8"], ()), "200000"),
        ("set", Collection(BY_NAME["uint16"], tuple(TypedValue(BY_NAME["uint16"], one) for one in (1, 2))), "21020001000200"),
        ("struct", Collection(None, None), "ffff"),
        ("struct", Collection(None, (TypedValue(BY_NAME["uint8"], 1), TypedValue(BY_NAME["bool"], True))), "0200" + "2001" + "1001"),
        ("nodata", None, ""),
    ],
    ids=lambda one: None if isinstance(one, str) and len(one) < 40 else "",
)
def test_a_value_is_written_as_the_zcl_lays_its_type_out_and_read_back(name: str, value: Value, octets: str) -> None:
    """ZCL 2.6.2: numbers with the lowest octet first, a length of all ones for an invalid string, a count of all ones for a collection."""
    assert encode_value(BY_NAME[name], value).hex() == octets
    reader = ZclReader(bytes.fromhex(octets))
    read = read_value(reader, BY_NAME[name], "it")
    assert (read, type(read), reader.left) == (value, type(value), 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uint8", -1),
        ("uint8", b"\x01"),
        ("int8", 128),
        ("int8", -129),
        ("date", bytes(5)),
        ("key128", bytes(15)),
        ("octets", bytes(255)),
        ("longoctets", bytes(65535)),
        ("octets", 5),
        ("semi", "1"),
        ("array", Collection(None, ())),
        ("struct", Collection(BY_NAME["uint8"], ())),
        ("struct", b""),
    ],
    ids=lambda one: None if isinstance(one, str) else "",
)
def test_a_value_of_another_type_or_length_is_not_written(name: str, value: Value) -> None:
    with pytest.raises(ValueError, match=f"{name}"):
        encode_value(BY_NAME[name], value)


@pytest.mark.parametrize(
    ("frame", "control"),
    [
        (ZclFrame.of_cluster(7, b"p", sequence=9), "01"),
        (ZclFrame.of_cluster(7, b"p", sequence=9, to_client=True), "09"),
        (ZclFrame.of_cluster(7, b"p", sequence=9, no_default_response=True), "11"),
        (ZclFrame.of_cluster(7, b"p", sequence=9, to_client=True, manufacturer=0x1049), "0d4910"),
        (ZclFrame.general(7, b"p", sequence=9), "00"),
        (ZclFrame.general(7, b"p", sequence=9, to_client=True), "08"),
        (ZclFrame.general(7, b"p", sequence=9, no_default_response=True), "10"),
        (ZclFrame.general(7, b"p", sequence=9, manufacturer=0x1049), "044910"),
        (ZclFrame.of_cluster(1, sequence=9).answered_by(7, b"p"), "19"),
        (ZclFrame.of_cluster(1, sequence=9, to_client=True).answered_by(7, b"p"), "11"),
        (ZclFrame.of_cluster(1, sequence=9).answered_by(7, b"p", general=True), "18"),
        (ZclFrame.of_cluster(1, sequence=9, manufacturer=0x1049).answered_by(7, b"p"), "1d4910"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_frame_control_has_a_bit_for_kind_manufacturer_direction_and_default_response(frame: ZclFrame, control: str) -> None:
    """ZCL 2.4.1.1: bits 0 and 1 frame type, 2 manufacturer specific, 3 direction, 4 disable default response."""
    assert frame.encode().hex() == control + "0907" + b"p".hex()
    read = ZclFrame.decode(frame.encode())
    assert read == frame
    bits = int(control[:2], 16)
    told = (read.is_cluster_command, read.manufacturer is not None, read.to_client, read.no_default_response)
    assert told == tuple(bool(bits >> bit & 1) for bit in (0, 2, 3, 4))
    with pytest.raises(ValueError, match="disagrees"):
        replace(frame, manufacturer=None if frame.manufacturer else 5).encode()


def test_a_default_response_is_the_general_command_0b_alone() -> None:
    assert ZclFrame.general(0x0B, b"\x04\x81").default_response == DefaultResponse(4, 0x81)
    assert DefaultResponse(4, 0x81).encode() == b"\x04\x81"
    assert ZclFrame.of_cluster(0x0B, b"\x04\x81").default_response is None
    assert ZclFrame.general(0x0A, b"\x04\x81").default_response is None


def test_attributes_are_asked_for_written_and_discovered_as_the_zcl_lays_them_out() -> None:
    """ZCL 2.5.1, 2.5.2, 2.5.5, 2.5.13 and 2.5.14."""
    assert zcl.encode_attribute_ids((0x0001, 0x0203)).hex() == "01000302"
    assert zcl.decode_attribute_ids(bytes.fromhex("01000302")) == (0x0001, 0x0203)
    with pytest.raises(ValueError, match="attribute 0x0203 is read with SUCCESS but has no type"):
        zcl.encode_read_response([ReadRecord(0x0203, ZclStatus.SUCCESS)])
    assert zcl.encode_read_response([ReadRecord(0x0203, ZclStatus.NOT_AUTHORIZED, BY_NAME["uint8"], 1)]).hex() == "03027e"
    failures = (zcl.WriteStatus(0x88, 4), zcl.WriteStatus(0x86, 0x0102))
    assert zcl.encode_write_response(failures).hex() == "880400860201"
    assert zcl.decode_write_response(bytes.fromhex("880400860201")) == failures
    assert zcl.encode_discover(0x0102, 9).hex() == "020109"
    assert zcl.decode_discover(bytes.fromhex("020109")) == (0x0102, 9)
    for complete in (False, True):
        found = zcl.DiscoveredAttributes(complete, ((0x0102, BY_NAME["uint8"]), (3, BY_NAME["utc"])))
        octets = f"0{int(complete)}" + "020120" + "0300e2"
        assert zcl.encode_discover_response(found).hex() == octets
        assert zcl.decode_discover_response(bytes.fromhex(octets)) == found


def test_a_general_command_is_answered_by_the_one_that_follows_it_in_the_zcls_list() -> None:
    """ZCL table 2-3: each response has the number after its command; an undivided write shares that of a plain one."""
    answers = {int(asked): int(answer) for asked, answer in zcl.GENERAL_ANSWER_TO.items()}
    assert answers == {0x00: 0x01, 0x02: 0x04, 0x03: 0x04, 0x06: 0x07, 0x08: 0x09, 0x0C: 0x0D}
    theirs = {one.name.lower(): int(one) for one in ZigpyGeneral}
    assert {int(one) for one in zcl.GeneralCommand} <= set(theirs.values())
    assert theirs["default_response"] == zcl.GeneralCommand.DEFAULT_RESPONSE
    assert theirs["report_attributes"] == zcl.GeneralCommand.REPORT_ATTRIBUTES


@pytest.mark.parametrize(
    ("status", "name"), [(0x00, "SUCCESS"), (0x8B, "NOT_FOUND"), (0xC2, "CALIBRATION_ERROR"), (0x77, "0x77"), (3, "0x03")]
)
def test_a_status_is_told_by_its_name_or_its_number(status: int, name: str) -> None:
    assert zcl.status_name(status) == name
