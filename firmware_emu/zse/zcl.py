"""ZCL frames and the general (profile-wide) commands.

A frame is frame control, an optional manufacturer code, sequence number and command id, then the payload. Little-endian.
Status values and frame control bits: reference gbcs-messages 7A; command ids: the ZCL, checked with tshark's tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from firmware_emu.errors import DecodeError
from firmware_emu.zse.zcl_types import DataType, Reader, Value, encode_value, read_type, read_value

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
        reader = Reader(data)
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
        reader = Reader(payload)
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
    reader = Reader(payload)
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
    reader = Reader(payload)
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
    reader = Reader(payload)
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
    reader = Reader(payload)
    failures = []
    while reader.left:
        failures.append(WriteStatus(reader.number(1, "status"), reader.number(2, "attribute id")))
    return tuple(failures)


def encode_discover(start: int, maximum: int) -> bytes:
    """Payload of a discover attributes command: first id and the most that may be named."""
    return start.to_bytes(2, "little") + bytes([maximum])


def decode_discover(payload: bytes) -> tuple[int, int]:
    """First id and maximum of a discover attributes command. Raises DecodeError."""
    reader = Reader(payload)
    return reader.number(2, "start attribute id"), reader.number(1, "maximum attribute ids")


def encode_discover_response(found: DiscoveredAttributes) -> bytes:
    """Payload of a discover attributes response."""
    return bytes([found.complete]) + b"".join(
        attribute.to_bytes(2, "little") + bytes([kind.identifier]) for attribute, kind in found.attributes
    )


def decode_discover_response(payload: bytes) -> DiscoveredAttributes:
    """Read a discover attributes response. Raises DecodeError."""
    reader = Reader(payload)
    complete = bool(reader.number(1, "discovery complete"))
    found = []
    while reader.left:
        attribute = reader.number(2, "attribute id")
        found.append((attribute, read_type(reader, f"attribute 0x{attribute:04X} type")))
    return DiscoveredAttributes(complete, tuple(found))
