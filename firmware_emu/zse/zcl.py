"""ZCL frames and the general (profile-wide) commands.

A frame is frame control, an optional manufacturer code, sequence number and command id, then the payload. Little-endian.
Status values and frame control bits: reference gbcs-messages 7A; command ids: the ZCL, checked with tshark's tables.

ZCL data types: one table, one codec, byte-exact both ways.

Values are plain: ``int`` for numbers, bitmaps, enumerations, times and identifiers, ``bool``, ``float``, ``bytes`` for octet
strings, keys and opaque data, ``str`` for character strings, :class:`Collection`, ``None`` for a string marked
invalid (length 0xFF). An EUI-64 is ``bytes`` in GBCS order (big-endian). Little-endian on the wire (reference gbcs-messages
7A; tshark's ZCL tables).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Self, TypeAlias

from firmware_emu.errors import DecodeError

Value: TypeAlias = "bool | int | float | bytes | str | Collection | None"


class ValueKind(Enum):
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
    kind: ValueKind
    width: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class TypedValue:
    """A value with its type: what attribute records and collections hold."""

    type: DataType
    value: Value


def _numbered(first: int, stem: str, kind: ValueKind, widths: range) -> list[DataType]:
    return [DataType(first + n, f"{stem}{8 * width}", kind, width) for n, width in enumerate(widths)]


@dataclass(frozen=True, slots=True)
class Collection:
    """An array, set or bag (``element`` is the type of all) or a structure (``element`` None); ``items`` None: marked invalid."""

    element: DataType | None
    items: tuple[TypedValue, ...] | None


_ALL: list[DataType] = [
    DataType(0x00, "nodata", ValueKind.NONE, 0),
    *_numbered(0x08, "data", ValueKind.UNSIGNED, range(1, 9)),
    DataType(0x10, "bool", ValueKind.BOOLEAN, 1),
    *_numbered(0x18, "bitmap", ValueKind.UNSIGNED, range(1, 9)),
    *_numbered(0x20, "uint", ValueKind.UNSIGNED, range(1, 9)),
    *_numbered(0x28, "int", ValueKind.SIGNED, range(1, 9)),
    *_numbered(0x30, "enum", ValueKind.UNSIGNED, range(1, 3)),
    DataType(0x38, "semi", ValueKind.FLOAT, 2),
    DataType(0x39, "single", ValueKind.FLOAT, 4),
    DataType(0x3A, "double", ValueKind.FLOAT, 8),
    DataType(0x41, "octets", ValueKind.STRING, 1),
    DataType(0x42, "string", ValueKind.TEXT, 1),
    DataType(0x43, "longoctets", ValueKind.STRING, 2),
    DataType(0x44, "longstring", ValueKind.TEXT, 2),
    DataType(0x48, "array", ValueKind.ARRAY, 0),
    DataType(0x4C, "struct", ValueKind.STRUCTURE, 0),
    DataType(0x50, "set", ValueKind.ARRAY, 0),
    DataType(0x51, "bag", ValueKind.ARRAY, 0),
    DataType(0xE0, "timeofday", ValueKind.UNSIGNED, 4),
    DataType(0xE1, "date", ValueKind.OCTETS, 4),
    DataType(0xE2, "utc", ValueKind.UNSIGNED, 4),
    DataType(0xE8, "clusterid", ValueKind.UNSIGNED, 2),
    DataType(0xE9, "attributeid", ValueKind.UNSIGNED, 2),
    DataType(0xEA, "bacoid", ValueKind.UNSIGNED, 4),
    DataType(0xF0, "eui64", ValueKind.EUI64, 8),
    DataType(0xF1, "key128", ValueKind.OCTETS, 16),
    DataType(0xFF, "unknown", ValueKind.NONE, 0),
]

BY_IDENTIFIER = {data_type.identifier: data_type for data_type in _ALL}
BY_NAME = {data_type.name: data_type for data_type in _ALL}

_FLOAT_FORMAT = {2: "<e", 4: "<f", 8: "<d"}


@dataclass(slots=True)
class ZclReader:
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


def read_type(reader: ZclReader, field: str) -> DataType:
    """A type identifier. Raises DecodeError for one that is not in the table."""
    at = reader.base + reader.offset
    identifier = reader.number(1, field)
    found = BY_IDENTIFIER.get(identifier)
    if found is None:
        raise DecodeError(at, field, f"read data type 0x{identifier:02X}, expected a ZCL data type")
    return found


def read_value(reader: ZclReader, data_type: DataType, field: str) -> Value:
    """One value of ``data_type``. Raises DecodeError."""
    kind, width = data_type.kind, data_type.width
    if kind is ValueKind.UNSIGNED:
        return reader.number(width, field)
    if kind is ValueKind.SIGNED:
        return int.from_bytes(reader.take(width, field), "little", signed=True)
    if kind is ValueKind.BOOLEAN:
        octet = reader.number(1, field)
        return bool(octet) if octet < 2 else octet
    if kind is ValueKind.FLOAT:
        number: float = struct.unpack(_FLOAT_FORMAT[width], reader.take(width, field))[0]
        return number
    if kind is ValueKind.OCTETS:
        return reader.take(width, field)
    if kind is ValueKind.EUI64:
        return reader.take(width, field)[::-1]
    if kind in (ValueKind.STRING, ValueKind.TEXT):
        length = reader.number(width, f"{field} length")
        if length == (1 << 8 * width) - 1:
            return None
        octets = reader.take(length, field)
        return octets if kind is ValueKind.STRING else octets.decode("utf-8", "surrogateescape")
    if kind is ValueKind.NONE:
        return None
    return _read_collection(reader, data_type, field)


def _read_collection(reader: ZclReader, data_type: DataType, field: str) -> Value:
    """Array, set and bag: element type, count, elements. Structure: count, then type and value of each."""
    uniform = read_type(reader, f"{field} element type") if data_type.kind is ValueKind.ARRAY else None
    count = reader.number(2, f"{field} count")
    if count == 0xFFFF:
        return Collection(uniform, None)
    if count > reader.left:
        raise reader.problem(f"{field} count", f"read {count} elements, expected at most the {reader.left} octets left")
    elements = []
    for index in range(count):
        name = f"{field}[{index}]"
        element = uniform or read_type(reader, f"{name} type")
        if element.kind in (ValueKind.ARRAY, ValueKind.STRUCTURE):
            raise reader.problem(name, f"read a nested {element.name}, expected a plain value")
        elements.append(TypedValue(element, read_value(reader, element, name)))
    return Collection(uniform, tuple(elements))


def encode_value(data_type: DataType, value: Value) -> bytes:
    """The octets of ``value``. Raises ValueError where the value does not fit the type."""
    kind, width = data_type.kind, data_type.width
    if kind is ValueKind.NONE:
        return b""
    if kind in (ValueKind.UNSIGNED, ValueKind.SIGNED, ValueKind.BOOLEAN) and isinstance(value, int):
        try:
            return value.to_bytes(width, "little", signed=kind is ValueKind.SIGNED)
        except OverflowError:
            raise ValueError(f"{value} does not fit {data_type.name}") from None
    if kind is ValueKind.FLOAT and isinstance(value, (int, float)):
        return struct.pack(_FLOAT_FORMAT[width], value)
    if kind in (ValueKind.OCTETS, ValueKind.EUI64) and isinstance(value, bytes) and len(value) == width:
        return value[::-1] if kind is ValueKind.EUI64 else value
    if kind in (ValueKind.STRING, ValueKind.TEXT):
        return _encode_string(data_type, value)
    if isinstance(value, Collection) and (value.element is None) is (kind is ValueKind.STRUCTURE):
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


_CLUSTER_COMMAND = 0x01
_MANUFACTURER = 0x04
_TO_CLIENT = 0x08
_NO_DEFAULT_RESPONSE = 0x10


class GeneralCommand(IntEnum):
    """Commands every cluster has."""

    READ_ATTRIBUTES = 0x00
    READ_ATTRIBUTES_RESPONSE = 0x01
    WRITE_ATTRIBUTES = 0x02
    WRITE_ATTRIBUTES_UNDIVIDED = 0x03
    WRITE_ATTRIBUTES_RESPONSE = 0x04
    WRITE_ATTRIBUTES_NO_RESPONSE = 0x05
    CONFIGURE_REPORTING = 0x06
    CONFIGURE_REPORTING_RESPONSE = 0x07
    READ_REPORTING_CONFIGURATION = 0x08
    READ_REPORTING_CONFIGURATION_RESPONSE = 0x09
    REPORT_ATTRIBUTES = 0x0A
    DEFAULT_RESPONSE = 0x0B
    DISCOVER_ATTRIBUTES = 0x0C
    DISCOVER_ATTRIBUTES_RESPONSE = 0x0D


GENERAL_ANSWER_TO = {
    GeneralCommand.READ_ATTRIBUTES: GeneralCommand.READ_ATTRIBUTES_RESPONSE,
    GeneralCommand.WRITE_ATTRIBUTES: GeneralCommand.WRITE_ATTRIBUTES_RESPONSE,
    GeneralCommand.WRITE_ATTRIBUTES_UNDIVIDED: GeneralCommand.WRITE_ATTRIBUTES_RESPONSE,
    GeneralCommand.CONFIGURE_REPORTING: GeneralCommand.CONFIGURE_REPORTING_RESPONSE,
    GeneralCommand.READ_REPORTING_CONFIGURATION: GeneralCommand.READ_REPORTING_CONFIGURATION_RESPONSE,
    GeneralCommand.DISCOVER_ATTRIBUTES: GeneralCommand.DISCOVER_ATTRIBUTES_RESPONSE,
}
"""The general commands that have an answer of their own, by what they ask."""
GENERAL_ANSWERS = frozenset(GENERAL_ANSWER_TO.values())


class ZclStatus(IntEnum):
    """ZCL status octets (reference gbcs-messages 7A; OTA ones: reference zigbee-han 9)."""

    SUCCESS = 0x00
    FAILURE = 0x01
    NOT_AUTHORIZED = 0x7E
    MALFORMED_COMMAND = 0x80
    UNSUP_CLUSTER_COMMAND = 0x81
    UNSUP_GENERAL_COMMAND = 0x82
    UNSUP_MANUFACTURER_CLUSTER_COMMAND = 0x83
    UNSUP_MANUFACTURER_GENERAL_COMMAND = 0x84
    INVALID_FIELD = 0x85
    UNSUPPORTED_ATTRIBUTE = 0x86
    INVALID_VALUE = 0x87
    READ_ONLY = 0x88
    INSUFFICIENT_SPACE = 0x89
    DUPLICATE_EXISTS = 0x8A
    NOT_FOUND = 0x8B
    INVALID_DATA_TYPE = 0x8D
    WRITE_ONLY = 0x8F
    TIMEOUT = 0x94
    ABORT = 0x95
    INVALID_IMAGE = 0x96
    WAIT_FOR_DATA = 0x97
    NO_IMAGE_AVAILABLE = 0x98
    HARDWARE_FAILURE = 0xC0
    SOFTWARE_FAILURE = 0xC1
    CALIBRATION_ERROR = 0xC2


def status_name(status: int) -> str:
    """``NOT_FOUND`` or ``0x77`` where the table has no name."""
    return ZclStatus(status).name if status in ZclStatus._value2member_map_ else f"0x{status:02X}"


@dataclass(frozen=True, slots=True)
class ZclFrame:
    """One ZCL frame. ``frame_control`` is kept as read, so decoding and encoding are byte-exact; ``payload`` follows the command id."""

    frame_control: int
    sequence: int
    command: int
    payload: bytes = b""
    manufacturer: int | None = None

    @classmethod
    def of_cluster(
        cls,
        command: int,
        payload: bytes = b"",
        *,
        sequence: int = 0,
        to_client: bool = False,
        no_default_response: bool = False,
        manufacturer: int | None = None,
    ) -> Self:
        """A cluster command; ``to_client`` sets the direction bit (server to client)."""
        return cls(_control(_CLUSTER_COMMAND, to_client, no_default_response, manufacturer), sequence, command, payload, manufacturer)

    @classmethod
    def general(
        cls,
        command: int,
        payload: bytes = b"",
        *,
        sequence: int = 0,
        to_client: bool = False,
        no_default_response: bool = False,
        manufacturer: int | None = None,
    ) -> Self:
        """A profile-wide command."""
        return cls(_control(0, to_client, no_default_response, manufacturer), sequence, command, payload, manufacturer)

    def answered_by(self, command: int, payload: bytes, *, general: bool = False) -> ZclFrame:
        """The answer to this frame: in the other direction, of its sequence number and manufacturer, and not answered itself."""
        control = _control(0 if general else _CLUSTER_COMMAND, not self.to_client, True, self.manufacturer)
        return ZclFrame(control, self.sequence, command, payload, self.manufacturer)

    @property
    def is_cluster_command(self) -> bool:
        return bool(self.frame_control & _CLUSTER_COMMAND)

    @property
    def to_client(self) -> bool:
        """Sent by the server of the cluster."""
        return bool(self.frame_control & _TO_CLIENT)

    @property
    def no_default_response(self) -> bool:
        """The sender wants a default response only for a failure."""
        return bool(self.frame_control & _NO_DEFAULT_RESPONSE)

    @property
    def default_response(self) -> DefaultResponse | None:
        """The default response this frame is, or None. Raises DecodeError where it is one of wrong length."""
        if self.is_cluster_command or self.command != GeneralCommand.DEFAULT_RESPONSE:
            return None
        return DefaultResponse.decode(self.payload)

    def encode(self) -> bytes:
        """The octets on the air. Raises ValueError for a manufacturer code that disagrees with the frame control."""
        if bool(self.frame_control & _MANUFACTURER) != (self.manufacturer is not None):
            raise ValueError(f"frame control 0x{self.frame_control:02X} disagrees with manufacturer code {self.manufacturer}")
        manufacturer = b"" if self.manufacturer is None else self.manufacturer.to_bytes(2, "little")
        return bytes([self.frame_control]) + manufacturer + bytes([self.sequence, self.command]) + self.payload

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a frame. Raises DecodeError."""
        reader = ZclReader(data)
        control = reader.number(1, "frame control")
        if control & 0x03 > 1:
            raise DecodeError(0, "frame control", f"read frame type {control & 0x03}, expected 0 (general) or 1 (cluster)")
        manufacturer = reader.number(2, "manufacturer code") if control & _MANUFACTURER else None
        sequence = reader.number(1, "sequence number")
        command = reader.number(1, "command id")
        return cls(control, sequence, command, data[reader.offset :], manufacturer)


def _control(kind: int, to_client: bool, no_default_response: bool, manufacturer: int | None) -> int:
    return (
        kind
        | (_MANUFACTURER if manufacturer is not None else 0)
        | (_TO_CLIENT if to_client else 0)
        | (_NO_DEFAULT_RESPONSE if no_default_response else 0)
    )


@dataclass(frozen=True, slots=True)
class DefaultResponse:
    """General command 0x0B: ``command`` is the one answered."""

    command: int
    status: int

    def encode(self) -> bytes:
        return bytes([self.command, self.status])

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read the payload. Raises DecodeError."""
        reader = ZclReader(payload)
        return cls(reader.number(1, "command id"), reader.number(1, "status"))


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One attribute of a read response: ``type`` and ``value`` stand only with status SUCCESS."""

    attribute: int
    status: int
    type: DataType | None = None
    value: Value = None


@dataclass(frozen=True, slots=True)
class AttributeRecord:
    """One attribute of a report or a write."""

    attribute: int
    type: DataType
    value: Value


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """One failed attribute of a write response; none at all means that every write was done."""

    status: int
    attribute: int


@dataclass(frozen=True, slots=True)
class DiscoveredAttributes:
    """Discover response: ``complete`` when no more follow; pairs of id and type."""

    complete: bool
    attributes: tuple[tuple[int, DataType], ...]


def encode_attribute_ids(attributes: Iterable[int]) -> bytes:
    """Payload of a read attributes command."""
    return b"".join(attribute.to_bytes(2, "little") for attribute in attributes)


def decode_attribute_ids(payload: bytes) -> tuple[int, ...]:
    """Attribute ids of a read attributes command. Raises DecodeError."""
    reader = ZclReader(payload)
    ids = []
    while reader.left:
        ids.append(reader.number(2, "attribute id"))
    return tuple(ids)


def encode_read_response(records: Iterable[ReadRecord]) -> bytes:
    """Payload of a read attributes response."""
    octets = bytearray()
    for record in records:
        octets += record.attribute.to_bytes(2, "little") + bytes([record.status])
        if record.status == ZclStatus.SUCCESS:
            if record.type is None:
                raise ValueError(f"attribute 0x{record.attribute:04X} is read with SUCCESS but has no type")
            octets.append(record.type.identifier)
            octets += encode_value(record.type, record.value)
    return bytes(octets)


def decode_read_response(payload: bytes) -> tuple[ReadRecord, ...]:
    """Records of a read attributes response. Raises DecodeError."""
    reader = ZclReader(payload)
    records = []
    while reader.left:
        attribute = reader.number(2, "attribute id")
        status = reader.number(1, f"attribute 0x{attribute:04X} status")
        if status != ZclStatus.SUCCESS:
            records.append(ReadRecord(attribute, status))
            continue
        kind = read_type(reader, f"attribute 0x{attribute:04X} type")
        records.append(ReadRecord(attribute, status, kind, read_value(reader, kind, f"attribute 0x{attribute:04X}")))
    return tuple(records)


def encode_records(records: Iterable[AttributeRecord]) -> bytes:
    """Payload of a report or a write attributes command."""
    octets = bytearray()
    for record in records:
        octets += record.attribute.to_bytes(2, "little") + bytes([record.type.identifier]) + encode_value(record.type, record.value)
    return bytes(octets)


def decode_records(payload: bytes) -> tuple[AttributeRecord, ...]:
    """Records of a report or a write attributes command. Raises DecodeError."""
    reader = ZclReader(payload)
    records = []
    while reader.left:
        attribute = reader.number(2, "attribute id")
        kind = read_type(reader, f"attribute 0x{attribute:04X} type")
        records.append(AttributeRecord(attribute, kind, read_value(reader, kind, f"attribute 0x{attribute:04X}")))
    return tuple(records)


def encode_write_response(failures: Iterable[WriteStatus]) -> bytes:
    """Payload of a write attributes response: a single SUCCESS octet when nothing failed."""
    octets = b"".join(bytes([failure.status]) + failure.attribute.to_bytes(2, "little") for failure in failures)
    return octets or bytes([ZclStatus.SUCCESS])


def decode_write_response(payload: bytes) -> tuple[WriteStatus, ...]:
    """Failures of a write attributes response. Raises DecodeError."""
    if payload == bytes([ZclStatus.SUCCESS]):
        return ()
    reader = ZclReader(payload)
    failures = []
    while reader.left:
        failures.append(WriteStatus(reader.number(1, "status"), reader.number(2, "attribute id")))
    return tuple(failures)


def encode_discover(start: int, maximum: int) -> bytes:
    """Payload of a discover attributes command: first id and the most that may be named."""
    return start.to_bytes(2, "little") + bytes([maximum])


def decode_discover(payload: bytes) -> tuple[int, int]:
    """First id and maximum of a discover attributes command. Raises DecodeError."""
    reader = ZclReader(payload)
    return reader.number(2, "start attribute id"), reader.number(1, "maximum attribute ids")


def encode_discover_response(found: DiscoveredAttributes) -> bytes:
    """Payload of a discover attributes response."""
    return bytes([found.complete]) + b"".join(
        attribute.to_bytes(2, "little") + bytes([kind.identifier]) for attribute, kind in found.attributes
    )


def decode_discover_response(payload: bytes) -> DiscoveredAttributes:
    """Read a discover attributes response. Raises DecodeError."""
    reader = ZclReader(payload)
    complete = bool(reader.number(1, "discovery complete"))
    found = []
    while reader.left:
        attribute = reader.number(2, "attribute id")
        found.append((attribute, read_type(reader, f"attribute 0x{attribute:04X} type")))
    return DiscoveredAttributes(complete, tuple(found))
