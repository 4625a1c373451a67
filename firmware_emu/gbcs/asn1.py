"""ASN.1 payloads (reference gbcs-messages 6): octets to typed values and back, in DER, by the types of ``gbcs.asn1``.

Devices of the reference set write lengths from 128 to 255 as ``82 00 nn`` instead of ``81 nn``; :class:`LengthForm` keeps which of the
two a payload uses, so that it encodes to the octets it came from. Whatever else has two encodings is read in the distinguished one alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Self, cast

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs.asn1_schema import Asn1Kind, kinds
from firmware_emu.gbcs.asn1_types import RECORDS, Asn1Record, Asn1Value, KeyBits, StatusCode
from firmware_emu.gbcs.cosem_time import decode_generalized, encode_generalized
from firmware_emu.ids import CraFlag, Eui64

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_LONG_TAG = 0x1F
_USAGE_BITS = {KeyUsage.DIGITAL_SIGNATURE: (b"\x80", 1), KeyUsage.KEY_AGREEMENT: (b"\x08", 5), KeyUsage.KEY_CERT_SIGN: (b"\x04", 6)}
_USAGES = {bits: usage for usage, bits in _USAGE_BITS.items()}
_ENTITIES = frozenset(("EntityId", "UnjoinCommand"))
"""The types whose octets are an EUI-64."""


class LengthForm(Enum):
    """Form of lengths from 128 to 255."""

    DER = "81 nn"
    DEVICE = "82 00 nn"


@cache
def types_by_code() -> dict[tuple[int, int, int], str]:
    """Schema type by message code, CRA flag and first payload octet (``asn1_types.csv``)."""
    text = files(__package__).joinpath("asn1_types.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {(int(row["message_code"], 16), int(row["cra"]), int(row["first_octet"], 16)): row["type"] for row in rows}


@cache
def codes() -> frozenset[tuple[int, int]]:
    """Message code and CRA flag of each message that carries ASN.1."""
    return frozenset((code, cra) for code, cra, _ in types_by_code())


@dataclass(frozen=True, slots=True)
class Asn1Payload:
    """A value of the schema type ``type_name``."""

    type_name: str
    value: Asn1Value
    form: LengthForm = LengthForm.DER

    def encode(self) -> bytes:
        """Raises IdentifierError for a value that is not of its type."""
        kind = _kind(self.type_name)
        return _write(kind, kind.tag, self.value, self.form)

    @classmethod
    def decode(cls, octets: bytes, message_code: int, cra: CraFlag, offset: int = 0) -> Self:
        """Read the payload of a message. Raises DecodeError."""
        if not octets:
            raise DecodeError(offset, "ASN.1 payload", "empty")
        type_name = types_by_code().get((message_code, int(cra), octets[0]))
        if type_name is None:
            wanted = sorted(f"{first:02x}" for code, flag, first in types_by_code() if (code, flag) == (message_code, cra))
            expected = " or ".join(wanted) or "no ASN.1"
            raise DecodeError(offset, "ASN.1 payload", f"starts with {octets[0]:02x}, message {message_code:04x} with {expected}")
        return cls.decode_as(type_name, octets, offset)

    @classmethod
    def decode_as(cls, type_name: str, octets: bytes, offset: int = 0) -> Self:
        """Read a value of a named type. Raises DecodeError, also for octets that would not encode again as they are."""
        kind = _kind(type_name)
        reading = _Reading(octets, offset)
        value, stop = reading.value(kind, type_name, kind.tag, 0, len(octets))
        if stop != len(octets):
            raise DecodeError(offset + stop, type_name, f"{len(octets) - stop} octets are left over after the value")
        return cls(type_name, value, reading.form or LengthForm.DER)


def _kind(type_name: str) -> Asn1Kind:
    kind = kinds().get(type_name)
    if kind is None:
        raise IdentifierError("an ASN.1 type of GBCS", type_name, "a type of gbcs.asn1")
    return kind


# -- reading


def header(octets: bytes, position: int, end: int, offset: int = 0) -> tuple[int, int]:
    """(start of contents, end of contents) of the tag-length-value at ``position``. Raises DecodeError."""
    if position + 2 > end:
        raise DecodeError(offset + position, "ASN.1 tag and length", f"needs 2 octets, {end - position} are left")
    if octets[position] & _LONG_TAG == _LONG_TAG:
        raise DecodeError(offset + position, "ASN.1 tag", f"{octets[position]:02x}: no tag of more than one octet is used")
    length = octets[position + 1]
    start = position + 2
    if length >= 0x80:
        count = length & 0x7F
        if count not in (1, 2):
            raise DecodeError(offset + position + 1, "ASN.1 length", f"{length:02x}: expected below 80, 81 or 82")
        length = int.from_bytes(octets[start : min(start + count, end)], "big")
        start += count
    if start + length > end:
        raise DecodeError(offset + position + 1, "ASN.1 length", f"{length} exceeds the {max(end - start, 0)} octets left")
    return start, start + length


class _Reading:
    """Octets being read, and the form their lengths have shown so far."""

    __slots__ = ("form", "octets", "offset")

    def __init__(self, octets: bytes, offset: int) -> None:
        self.octets = octets
        self.offset = offset
        self.form: LengthForm | None = None

    def value(self, kind: Asn1Kind, field: str, tag: int, position: int, end: int) -> tuple[Asn1Value, int]:
        """The value at ``position``, and where it ends; certificates are left as they are."""
        octets, base = self.octets, kind.base
        start, stop = header(octets, position, end, self.offset)
        if octets[position] != tag:
            raise DecodeError(self.offset + position, field, f"tag {octets[position]:02x}, expected {tag:02x}")
        if base == "ANY":
            return octets[position:stop], stop
        if start - position > 2:
            self._check_length(position + 1, stop - start, field)
        if base == "SEQUENCE":
            return self._sequence(kind, field, start, stop), stop
        if kind.element is not None:
            return self._elements(kind.element, field, start, stop), stop
        try:
            return _READ[base](kind, octets[start:stop]), stop
        except IdentifierError as error:
            raise DecodeError(self.offset + start, field, str(error)) from error

    def _check_length(self, place: int, length: int, field: str) -> None:
        """A length of several octets has to need them, but in the form of the devices; a payload keeps to one form."""
        shortest = self.octets[place] == 0x81
        if length < 0x80:
            raise DecodeError(self.offset + place, field, f"length {length} is not in its shortest form")
        if length > 0xFF:
            return
        form = LengthForm.DER if shortest else LengthForm.DEVICE
        if self.form is not None and form is not self.form:
            raise DecodeError(self.offset + place, field, f"a length as {form.value} after one as {self.form.value}")
        self.form = form

    def _sequence(self, kind: Asn1Kind, field: str, start: int, stop: int) -> Asn1Record:
        octets, place = self.octets, start
        values: list[Asn1Value] = []
        for member in kind.members:
            item: Asn1Value = None
            if place < stop and octets[place] == member.tag:
                item, place = self.value(member.kind, member.name, member.tag, place, stop)
            elif not member.optional:
                problem = f"tag {octets[place]:02x}" if place < stop else "the end of the value"
                raise DecodeError(self.offset + place, member.name, f"read {problem}, expected tag {member.tag:02x}")
            if member.kind.base != "NULL":
                values.append(item)
        if place != stop:
            raise DecodeError(self.offset + place, field, f"{stop - place} octets are left over after its last member")
        return RECORDS[kind.name](*values)

    def _elements(self, element: Asn1Kind, field: str, start: int, stop: int) -> tuple[Asn1Value, ...]:
        items: list[Asn1Value] = []
        while start < stop:
            item, start = self.value(element, field, element.tag, start, stop)
            items.append(item)
        return tuple(items)


def _read_integer(kind: Asn1Kind, octets: bytes) -> int:
    number = int.from_bytes(octets, "big", signed=True)
    if octets != _integer(number):
        raise IdentifierError(f"a {kind.name}", octets[:9].hex(), "an INTEGER in its shortest form")
    return number


def _read_bits(kind: Asn1Kind, octets: bytes) -> KeyUsage | KeyBits:
    unused, bits = octets[:1], octets[1:]
    size = 8 * len(bits) - int.from_bytes(unused)
    if not unused or unused[0] > 7 or size < 0 or _bits(bits, size) != octets:
        raise IdentifierError(f"a {kind.name}", octets[:9].hex(), "a count of unused bits, which are zero")
    return _USAGES.get((bits, size)) or KeyBits(bits, size)


def _read_octets(kind: Asn1Kind, octets: bytes) -> bytes | Eui64:
    if kind.size is not None and len(octets) != kind.size:
        raise IdentifierError(f"a {kind.name}", f"<{len(octets)} octets>", f"{kind.size} octets")
    return Eui64(octets) if kind.name in _ENTITIES else octets


def _read_null(kind: Asn1Kind, octets: bytes) -> None:
    if octets:
        raise IdentifierError("a NULL", f"<{len(octets)} octets>", "no contents")


def _read_status(kind: Asn1Kind, octets: bytes) -> StatusCode:
    number = _read_integer(kind, octets)
    if number not in _STATUSES:
        raise IdentifierError(f"a {kind.name}", number, ", ".join(map(str, _STATUSES)))
    return _STATUSES[number]


def _read_time(kind: Asn1Kind, octets: bytes) -> datetime:
    return decode_generalized(octets[:16].decode("ascii", "replace"))


_STATUSES = {code.value: code for code in StatusCode}
_READ: dict[str, Callable[[Asn1Kind, bytes], Asn1Value]] = {
    "INTEGER": _read_integer,
    "BIT STRING": _read_bits,
    "OCTET STRING": _read_octets,
    "NULL": _read_null,
    "ENUMERATED": _read_status,
    "GeneralizedTime": _read_time,
}


# -- writing


def _write(kind: Asn1Kind, tag: int, value: Asn1Value, form: LengthForm) -> bytes:
    if kind.base == "ANY" and isinstance(value, bytes):
        return value
    contents = _contents(kind, value, form)
    return bytes((tag,)) + _length(len(contents), form) + contents


def _length(length: int, form: LengthForm) -> bytes:
    if length < 0x80:
        return bytes((length,))
    if length < 0x100 and form is LengthForm.DER:
        return bytes((0x81, length))
    return b"\x82" + length.to_bytes(2, "big")


def _contents(kind: Asn1Kind, value: Asn1Value, form: LengthForm) -> bytes:
    match kind.base, value:
        case "SEQUENCE", Asn1Record() if type(value) is RECORDS[kind.name]:
            return _members(kind, value, form)
        case "SEQUENCE OF", tuple() if kind.element is not None:
            element = kind.element
            return b"".join([_write(element, element.tag, item, form) for item in value])
        case "INTEGER", int():
            return _integer(value)
        case "ENUMERATED", int() if value in _STATUSES:
            return _integer(value)
        case "BIT STRING", KeyUsage():
            return _bits(*_USAGE_BITS[value])
        case "BIT STRING", KeyBits() if value.size <= 8 * len(value.octets) < value.size + 8:
            return _bits(value.octets, value.size)
        case "OCTET STRING", Eui64() if kind.name in _ENTITIES:
            return value.octets
        case "OCTET STRING", bytes() if kind.size in (None, len(value)):
            return value
        case "GeneralizedTime", datetime():
            return encode_generalized(value).encode("ascii")
        case "NULL", None:
            return b""
    raise IdentifierError(f"a {kind.name}", type(value).__name__, f"a value of the schema: {kind.base}")


def _members(kind: Asn1Kind, record: Asn1Record, form: LengthForm) -> bytes:
    values = iter([cast("Asn1Value", getattr(record, name)) for name in _FIELD_NAMES[kind.name]])
    parts: list[bytes] = []
    for member in kind.members:
        item = None if member.kind.base == "NULL" else next(values)
        if item is not None or not member.optional:
            parts.append(_write(member.kind, member.tag, item, form))
    return b"".join(parts)


_FIELD_NAMES = {name: tuple(part.name for part in fields(cast("type[DataclassInstance]", record))) for name, record in RECORDS.items()}


def _integer(number: int) -> bytes:
    """Contents of an INTEGER, in as few octets as hold it with its sign."""
    return number.to_bytes((number if number >= 0 else ~number).bit_length() // 8 + 1, "big", signed=True)


def _bits(octets: bytes, size: int) -> bytes:
    """Contents of a BIT STRING of ``size`` bits: the count of unused bits, then the octets with those bits zero."""
    unused = 8 * len(octets) - size
    return bytes((unused,)) + (int.from_bytes(octets) >> unused << unused).to_bytes(len(octets))
