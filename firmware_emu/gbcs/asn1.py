"""ASN.1 payloads (reference gbcs-messages 6): octets to typed values and back.

Devices of the reference set write lengths from 128 to 255 as ``82 00 nn`` instead of ``81 nn``; :class:`LengthForm` keeps which of the
two a payload uses, so that it encodes to the octets it came from.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Self, cast

import asn1tools

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs.asn1_schema import Kind, Native, compiled, kinds
from firmware_emu.gbcs.asn1_types import RECORDS, Asn1Value, KeyBits, Record, StatusCode
from firmware_emu.ids import CraFlag, Eui64

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_CONSTRUCTED = 0x20
_CONTEXT = 0x80
_TAGS = {
    "INTEGER": 0x02,
    "BIT STRING": 0x03,
    "OCTET STRING": 0x04,
    "NULL": 0x05,
    "ENUMERATED": 0x0A,
    "GeneralizedTime": 0x18,
    "SEQUENCE": 0x30,
    "SEQUENCE OF": 0x30,
    "ANY": 0x30,
}
_LONG_TAG = 0x1F
_USAGE_BITS = {KeyUsage.DIGITAL_SIGNATURE: (b"\x80", 1), KeyUsage.KEY_AGREEMENT: (b"\x08", 5), KeyUsage.KEY_CERT_SIGN: (b"\x04", 6)}
_USAGES = {bits: usage for usage, bits in _USAGE_BITS.items()}


class LengthForm(Enum):
    """How lengths from 128 to 255 are written."""

    DER = "81 nn"
    DEVICE = "82 00 nn"


@cache
def types_by_code() -> dict[tuple[int, int, int], str]:
    """Schema type by message code, CRA flag and first payload octet (``asn1_types.csv``)."""
    text = files(__package__).joinpath("asn1_types.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {(int(row["message_code"], 16), int(row["cra"]), int(row["first_octet"], 16)): row["type"] for row in rows}


def is_asn1(message_code: int, cra: CraFlag) -> bool:
    """Whether messages of that code carry ASN.1."""
    return (message_code, int(cra)) in _codes()


@cache
def _codes() -> frozenset[tuple[int, int]]:
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
        if kind.base == "ANY":
            if not isinstance(self.value, bytes):
                raise IdentifierError(f"a {self.type_name}", self.value, "DER octets")
            return self.value
        native = _to_native(kind, self.value)
        try:
            octets = bytes(compiled().encode(self.type_name, native, check_constraints=True))
        except (asn1tools.EncodeError, asn1tools.ConstraintsError, TypeError, ValueError, LookupError) as error:
            raise IdentifierError(f"a {self.type_name}", type(self.value).__name__, f"a value of the schema: {error}") from error
        if self.form is LengthForm.DER:
            return octets
        return _rewrite(kind, kind.name, _tag(kind, None), octets, (0, len(octets)), 0, [], LengthForm.DEVICE)[0]

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
        normal, form = _normalise(kind, octets, offset)
        if kind.base == "ANY":
            return cls(type_name, octets)
        try:
            native = compiled().decode(type_name, normal, check_constraints=True)
        except asn1tools.DecodeError as error:
            raise DecodeError(offset + int(getattr(error, "offset", None) or 0), type_name, str(error)) from error
        except Exception as error:  # asn1tools lets errors of int(), decode() and strptime() through; each says the octets do not fit
            raise DecodeError(offset, type_name, f"{type(error).__name__}: {error}") from error
        payload = cls(type_name, _to_typed(kind, native, offset), form)
        try:
            again = payload.encode()
        except IdentifierError as error:
            raise DecodeError(offset, type_name, str(error)) from error
        if again != octets:
            place = next((index for index, (a, b) in enumerate(zip(again, octets, strict=False)) if a != b), min(len(again), len(octets)))
            raise DecodeError(offset + place, type_name, "not in the distinguished encoding")
        return payload


def _kind(type_name: str) -> Kind:
    kind = kinds().get(type_name)
    if kind is None:
        raise IdentifierError("an ASN.1 type of GBCS", type_name, "a type of gbcs.asn1")
    return kind


# -- lengths


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


def _normalise(kind: Kind, octets: bytes, offset: int) -> tuple[bytes, LengthForm]:
    """The same value with lengths in DER form, and the form they came in. Raises DecodeError unless it is one value to the last octet.

    asn1tools never returns from a SEQUENCE OF of indefinite length: it is given nothing whose tags and lengths have not been walked here.
    """
    long_lengths: list[int] = []
    normal, stop = _rewrite(kind, kind.name, _tag(kind, None), octets, (0, len(octets)), offset, long_lengths, LengthForm.DER)
    if stop != len(octets):
        raise DecodeError(offset + stop, kind.name, f"{len(octets) - stop} octets are left over after the value")
    return normal, LengthForm.DEVICE if long_lengths else LengthForm.DER


def _tag(kind: Kind, context: int | None) -> int:
    """First octet of a value: its universal tag, or the implicit context tag."""
    constructed = _CONSTRUCTED if kind.base in ("SEQUENCE", "SEQUENCE OF") else 0
    return _TAGS[kind.base] if context is None else _CONTEXT | constructed | context


def _rewrite(
    kind: Kind, field: str, tag: int, octets: bytes, span: tuple[int, int], offset: int, found: list[int], form: LengthForm
) -> tuple[bytes, int]:
    """The value at the start of ``span`` with its lengths in ``form``, and where it ends; certificates are left as they are."""
    position, end = span
    start, stop = header(octets, position, end, offset)
    if octets[position] != tag:
        raise DecodeError(offset + position, field, f"tag {octets[position]:02x}, expected {tag:02x}")
    if kind.base == "ANY":
        return octets[position:stop], stop
    if octets[position + 1 : position + 3] == b"\x82\x00":
        found.append(position)
    parts: list[bytes] = []
    place = start
    if kind.base not in ("SEQUENCE", "SEQUENCE OF"):
        parts.append(octets[start:stop])
        place = stop
    for member in kind.members:
        wanted = _tag(member.kind, member.tag)
        if place < stop and octets[place] == wanted:
            part, place = _rewrite(member.kind, member.name, wanted, octets, (place, stop), offset, found, form)
            parts.append(part)
        elif not member.optional:
            problem = f"tag {octets[place]:02x}" if place < stop else "the end of the value"
            raise DecodeError(offset + place, member.name, f"read {problem}, expected tag {wanted:02x}")
    while kind.element is not None and place < stop:
        part, place = _rewrite(kind.element, field, _tag(kind.element, None), octets, (place, stop), offset, found, form)
        parts.append(part)
    if place != stop:
        raise DecodeError(offset + place, field, f"{stop - place} octets are left over after its last member")
    body = b"".join(parts)
    return bytes((tag,)) + _length(len(body), form) + body, stop


def _length(length: int, form: LengthForm) -> bytes:
    if length < 0x80:
        return bytes((length,))
    if length < 0x100 and form is LengthForm.DER:
        return bytes((0x81, length))
    return b"\x82" + length.to_bytes(2, "big")


# -- values


def _to_typed(kind: Kind, native: Native, offset: int) -> Asn1Value:
    if isinstance(native, dict):
        members = [member for member in kind.members if member.kind.base != "NULL"]
        values = [_to_typed(member.kind, native[member.name], offset) if member.name in native else None for member in members]
        return RECORDS[kind.name](*values)
    if isinstance(native, list):
        element = cast("Kind", kind.element)
        return tuple(_to_typed(element, item, offset) for item in native)
    if isinstance(native, tuple):
        return _USAGES.get((bytes(native[0]), native[1])) or KeyBits(bytes(native[0]), native[1])
    if isinstance(native, str):
        return StatusCode(dict(kind.values)[native])
    if isinstance(native, bytes | bytearray):
        return Eui64(bytes(native)) if kind.name in ("EntityId", "UnjoinCommand") else bytes(native)
    if isinstance(native, datetime):
        return native.replace(tzinfo=UTC) if native.tzinfo is None else native.astimezone(UTC)
    return native


def _to_native(kind: Kind, value: Asn1Value) -> Native:
    if isinstance(value, Record):
        if type(value).__name__ != kind.name:
            raise IdentifierError(f"a {kind.name}", type(value).__name__, f"a {kind.name}")
        values = iter([cast("Asn1Value", getattr(value, part.name)) for part in fields(cast("DataclassInstance", value))])
        native: dict[str, Native] = {}
        for member in kind.members:
            item = None if member.kind.base == "NULL" else next(values)
            if item is not None or member.kind.base == "NULL":
                native[member.name] = _to_native(member.kind, item)
        return native
    if isinstance(value, tuple):
        if kind.element is None:
            raise IdentifierError(f"a {kind.name}", "several values", kind.base)
        return [_to_native(kind.element, item) for item in value]
    if isinstance(value, KeyUsage):
        return _USAGE_BITS[value]
    if isinstance(value, KeyBits):
        return value.octets, value.size
    if isinstance(value, Eui64):
        return value.octets
    if kind.base == "ENUMERATED" and isinstance(value, int):
        return next(text for text, number in kind.values if number == value)
    return int(value) if isinstance(value, int) else value
