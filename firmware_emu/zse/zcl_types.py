"""ZCL data types: one table, one codec, byte-exact both ways.

Values are plain: ``int`` for numbers, bitmaps, enumerations, times and identifiers, ``bool``, ``float``, ``bytes`` for octet
strings, keys and opaque data, ``str`` for character strings, :class:`Collection`, ``None`` for a string marked
invalid (length 0xFF). An EUI-64 is ``bytes`` in GBCS order (big-endian). Little-endian on the wire (reference gbcs-messages
7A; tshark's ZCL tables).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from firmware_emu.errors import DecodeError

Value: TypeAlias = "bool | int | float | bytes | str | Collection | None"


class Kind(Enum):
    """Reading rule of a type's octets."""

    NONE = "none"
    UNSIGNED = "unsigned"
    SIGNED = "signed"
    BOOLEAN = "boolean"
    FLOAT = "float"
    OCTETS = "octets"
    EUI64 = "eui64"
    STRING = "string"
    TEXT = "text"
    ARRAY = "array"
    STRUCTURE = "structure"


@dataclass(frozen=True, slots=True)
class DataType:
    """One ZCL type: ``identifier`` on the wire, ``name`` in declarations, ``width`` in octets (of the length octets, for strings)."""

    identifier: int
    name: str
    kind: Kind
    width: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class TypedValue:
    """A value with its type: what attribute records and collections hold."""

    type: DataType
    value: Value


def _numbered(first: int, stem: str, kind: Kind, widths: range) -> list[DataType]:
    return [DataType(first + n, f"{stem}{8 * width}", kind, width) for n, width in enumerate(widths)]


@dataclass(frozen=True, slots=True)
class Collection:
    """An array, set or bag (``element`` is the type of all) or a structure (``element`` None); ``items`` None: marked invalid."""

    element: DataType | None
    items: tuple[TypedValue, ...] | None


_ALL: list[DataType] = [
    DataType(0x00, "nodata", Kind.NONE, 0),
    *_numbered(0x08, "data", Kind.UNSIGNED, range(1, 9)),
    DataType(0x10, "bool", Kind.BOOLEAN, 1),
    *_numbered(0x18, "bitmap", Kind.UNSIGNED, range(1, 9)),
    *_numbered(0x20, "uint", Kind.UNSIGNED, range(1, 9)),
    *_numbered(0x28, "int", Kind.SIGNED, range(1, 9)),
    *_numbered(0x30, "enum", Kind.UNSIGNED, range(1, 3)),
    DataType(0x38, "semi", Kind.FLOAT, 2),
    DataType(0x39, "single", Kind.FLOAT, 4),
    DataType(0x3A, "double", Kind.FLOAT, 8),
    DataType(0x41, "octets", Kind.STRING, 1),
    DataType(0x42, "string", Kind.TEXT, 1),
    DataType(0x43, "longoctets", Kind.STRING, 2),
    DataType(0x44, "longstring", Kind.TEXT, 2),
    DataType(0x48, "array", Kind.ARRAY, 0),
    DataType(0x4C, "struct", Kind.STRUCTURE, 0),
    DataType(0x50, "set", Kind.ARRAY, 0),
    DataType(0x51, "bag", Kind.ARRAY, 0),
    DataType(0xE0, "timeofday", Kind.UNSIGNED, 4),
    DataType(0xE1, "date", Kind.OCTETS, 4),
    DataType(0xE2, "utc", Kind.UNSIGNED, 4),
    DataType(0xE8, "clusterid", Kind.UNSIGNED, 2),
    DataType(0xE9, "attributeid", Kind.UNSIGNED, 2),
    DataType(0xEA, "bacoid", Kind.UNSIGNED, 4),
    DataType(0xF0, "eui64", Kind.EUI64, 8),
    DataType(0xF1, "key128", Kind.OCTETS, 16),
    DataType(0xFF, "unknown", Kind.NONE, 0),
]

BY_IDENTIFIER = {data_type.identifier: data_type for data_type in _ALL}
BY_NAME = {data_type.name: data_type for data_type in _ALL}

_FLOAT_FORMAT = {2: "<e", 4: "<f", 8: "<d"}


@dataclass(slots=True)
class Reader:
    """A cursor over octets. ``base`` is added to the offsets of its DecodeErrors."""

    data: bytes
    offset: int = 0
    base: int = 0

    def take(self, count: int, field: str) -> bytes:
        """The next ``count`` octets. Raises DecodeError naming ``field`` when fewer are left."""
        octets = self.data[self.offset : self.offset + count]
        if len(octets) != count:
            raise DecodeError(self.base + self.offset, field, f"{len(octets)} octets left, expected {count}")
        self.offset += count
        return octets

    def number(self, width: int, field: str) -> int:
        """The next ``width`` octets as an unsigned little-endian number."""
        return int.from_bytes(self.take(width, field), "little")

    @property
    def left(self) -> int:
        return len(self.data) - self.offset

    def problem(self, field: str, problem: str) -> DecodeError:
        """A DecodeError at the cursor."""
        return DecodeError(self.base + self.offset, field, problem)


def data_type(identifier: int) -> DataType:
    """The type with this identifier. Raises KeyError."""
    return BY_IDENTIFIER[identifier]


def read_type(reader: Reader, field: str) -> DataType:
    """A type identifier. Raises DecodeError for one that is not in the table."""
    at = reader.base + reader.offset
    identifier = reader.number(1, field)
    found = BY_IDENTIFIER.get(identifier)
    if found is None:
        raise DecodeError(at, field, f"read data type 0x{identifier:02X}, expected a ZCL data type")
    return found


def read_value(reader: Reader, data_type: DataType, field: str) -> Value:
    """One value of ``data_type``. Raises DecodeError."""
    kind, width = data_type.kind, data_type.width
    if kind is Kind.UNSIGNED:
        return reader.number(width, field)
    if kind is Kind.SIGNED:
        return int.from_bytes(reader.take(width, field), "little", signed=True)
    if kind is Kind.BOOLEAN:
        octet = reader.number(1, field)
        return bool(octet) if octet < 2 else octet
    if kind is Kind.FLOAT:
        number: float = struct.unpack(_FLOAT_FORMAT[width], reader.take(width, field))[0]
        return number
    if kind is Kind.OCTETS:
        return reader.take(width, field)
    if kind is Kind.EUI64:
        return reader.take(width, field)[::-1]
    if kind in (Kind.STRING, Kind.TEXT):
        length = reader.number(width, f"{field} length")
        if length == (1 << 8 * width) - 1:
            return None
        octets = reader.take(length, field)
        return octets if kind is Kind.STRING else octets.decode("utf-8", "surrogateescape")
    if kind is Kind.NONE:
        return None
    return _read_collection(reader, data_type, field)


def _read_collection(reader: Reader, data_type: DataType, field: str) -> Value:
    """Array, set and bag: element type, count, elements. Structure: count, then type and value of each."""
    uniform = read_type(reader, f"{field} element type") if data_type.kind is Kind.ARRAY else None
    count = reader.number(2, f"{field} count")
    if count == 0xFFFF:
        return Collection(uniform, None)
    if count > reader.left:
        raise reader.problem(f"{field} count", f"read {count} elements, expected at most the {reader.left} octets left")
    elements = []
    for index in range(count):
        name = f"{field}[{index}]"
        element = uniform or read_type(reader, f"{name} type")
        if element.kind in (Kind.ARRAY, Kind.STRUCTURE):
            raise reader.problem(name, f"read a nested {element.name}, expected a plain value")
        elements.append(TypedValue(element, read_value(reader, element, name)))
    return Collection(uniform, tuple(elements))


def encode_value(data_type: DataType, value: Value) -> bytes:
    """The octets of ``value``. Raises ValueError where the value does not fit the type."""
    kind, width = data_type.kind, data_type.width
    if kind is Kind.NONE:
        return b""
    if kind in (Kind.UNSIGNED, Kind.SIGNED, Kind.BOOLEAN) and isinstance(value, int):
        try:
            return value.to_bytes(width, "little", signed=kind is Kind.SIGNED)
        except OverflowError:
            raise ValueError(f"{value} does not fit {data_type.name}") from None
    if kind is Kind.FLOAT and isinstance(value, (int, float)):
        return struct.pack(_FLOAT_FORMAT[width], value)
    if kind in (Kind.OCTETS, Kind.EUI64) and isinstance(value, bytes) and len(value) == width:
        return value[::-1] if kind is Kind.EUI64 else value
    if kind in (Kind.STRING, Kind.TEXT):
        return _encode_string(data_type, value)
    if isinstance(value, Collection) and (value.element is None) is (kind is Kind.STRUCTURE):
        return _encode_collection(value)
    raise ValueError(f"{value!r} is not a value of {data_type.name}")


def _encode_string(data_type: DataType, value: Value) -> bytes:
    limit = (1 << 8 * data_type.width) - 1
    if value is None:
        return limit.to_bytes(data_type.width, "little")
    octets = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    if not isinstance(octets, bytes) or len(octets) >= limit:
        raise ValueError(f"{value!r} is not a value of {data_type.name}")
    return len(octets).to_bytes(data_type.width, "little") + octets


def _encode_collection(value: Collection) -> bytes:
    head = b"" if value.element is None else bytes([value.element.identifier])
    if value.items is None:
        return head + b"\xff\xff"
    octets = bytearray(head + len(value.items).to_bytes(2, "little"))
    for item in value.items:
        if value.element is None:
            octets.append(item.type.identifier)
        octets += encode_value(value.element or item.type, item.value)
    return bytes(octets)
