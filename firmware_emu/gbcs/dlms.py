"""DLMS payloads: access request, access response, data notification, protected attributes, range selection (reference gbcs-messages 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Self

from firmware_emu.errors import DecodeError, IdentifierError, one_of
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
    TypeDescription,
    Unsigned,
    Utf8String,
    VisibleString,
    decode_data,
    encode_data,
    read_data,
)
from firmware_emu.gbcs.envelope import Reader, length_octets
from firmware_emu.ids import Eui64

__all__ = [
    "AccessOutcome",
    "AccessRequest",
    "AccessResponse",
    "AccessResult",
    "Array",
    "BitString",
    "Boolean",
    "Choice",
    "CompactArray",
    "Data",
    "DataNotification",
    "DoubleLong",
    "DoubleLongUnsigned",
    "Enum",
    "Integer",
    "Long",
    "LongUnsigned",
    "Null",
    "OctetString",
    "Protected",
    "ProtectedAttribute",
    "ProtectionParameters",
    "Specification",
    "Structure",
    "TypeDescription",
    "Unsigned",
    "Utf8String",
    "VisibleString",
    "decode_data",
    "encode_data",
    "invoke_id",
    "obis_text",
    "open_protected",
    "parse_obis",
    "protected_request",
    "range_selection",
]

ACCESS_REQUEST = 0xD9
ACCESS_RESPONSE = 0xDA
DATA_NOTIFICATION = 0x0F
RANGE_SELECTOR = 1
EVENT_LOG_CLOCK = bytes.fromhex("00005e2c64ff")
"""Restricting clock of the CHF logs: class 1, 0-0:94.44.100.255 attribute 2, double-long-unsigned seconds since 2000."""


class Choice(IntEnum):
    """Kind of access that one specification asks for."""

    GET = 1
    SET = 2
    ACTION = 3
    GET_WITH_SELECTION = 4


class AccessResult(IntEnum):
    """Result of one access (reference gbcs-messages 5.2)."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_GET_OR_ACTION_ABORTED = 15
    NO_LONG_GET_OR_ACTION_IN_PROGRESS = 16
    LONG_SET_ABORTED = 17
    NO_LONG_SET_IN_PROGRESS = 18
    DATA_BLOCK_NUMBER_INVALID = 19
    OTHER_REASON = 250


def invoke_id(counter: int) -> int:
    """The long-invoke-id of a message: 20, then the low 24 bits of the originator counter (reference gbcs-messages 1.5)."""
    return 0x20000000 | (counter & 0xFFFFFF)


@dataclass(frozen=True, slots=True)
class Specification:
    """Target of one access. ``attribute`` is the method number for ACTION; only GET_WITH_SELECTION has a selector."""

    choice: Choice
    class_id: int
    obis: bytes
    attribute: int
    selector: int | None = None
    selection: Data | None = None

    def encode(self) -> bytes:
        """Raises IdentifierError for a selector that is missing or out of place."""
        selected = self.choice is Choice.GET_WITH_SELECTION
        if len(self.obis) != 6 or selected != (self.selector is not None) or selected != (self.selection is not None):
            raise IdentifierError("an access specification", self, "6 OBIS octets; a selector only for GET_WITH_SELECTION")
        octets = bytes((self.choice,)) + self.class_id.to_bytes(2, "big") + self.obis + bytes((self.attribute,))
        if self.selector is not None and self.selection is not None:
            octets += bytes((self.selector,)) + self.selection.encode()
        return octets

    @staticmethod
    def read(reader: Reader) -> Specification:
        """Read one; those without a selection are shared, an object model having a few hundred. Raises DecodeError."""
        octets = reader.take(10, "access specification")
        if octets[0] not in _CHOICES:
            reader.fail("access specification", f"choice {octets[0]}, expected {one_of(octets[0], _CHOICES)}", back=10)
        plain = _specification(octets)
        if plain.choice is not Choice.GET_WITH_SELECTION:
            return plain
        return replace(plain, selector=reader.u8("selector"), selection=read_data(reader))

    @property
    def obis_text(self) -> str:
        return obis_text(self.obis)


def obis_text(obis: bytes) -> str:
    """6 octets as ``0-0:96.1.1.255``, all groups shown."""
    a, b, c, d, e, f = obis
    return f"{a}-{b}:{c}.{d}.{e}.{f}"


@lru_cache(maxsize=4096)
def parse_obis(text: str) -> bytes:
    """``1-0:1.8.0.255`` or ``0-0:96.1.1`` (the sixth group is 255 by default) to 6 octets. Raises IdentifierError."""
    groups = text.replace("-", ".").replace(":", ".").split(".")
    if len(groups) == 5:
        groups.append("255")
    try:
        octets = bytes(int(group) for group in groups)
    except ValueError:
        octets = b""
    if len(octets) != 6:
        raise IdentifierError("an OBIS code", text, "A-B:C.D.E.F")
    return octets


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """A command's access list: one data item per specification, Null for reads."""

    invoke_id: int
    specifications: tuple[Specification, ...]
    data: tuple[Data, ...]

    def encode(self) -> bytes:
        if len(self.specifications) != len(self.data):
            raise IdentifierError("an access request", self, "one data item per specification")
        return b"".join(
            (
                bytes((ACCESS_REQUEST,)),
                self.invoke_id.to_bytes(4, "big"),
                b"\0",
                length_octets(len(self.specifications)),
                *(specification.encode() for specification in self.specifications),
                length_octets(len(self.data)),
                *(item.encode() for item in self.data),
            )
        )

    @classmethod
    def decode(cls, octets: bytes, offset: int = 0) -> Self:
        """Raises DecodeError."""
        reader = Reader(octets, offset)
        identifier = _start(reader, ACCESS_REQUEST, "access-request tag")
        count = reader.length("specification count")
        specifications = tuple([Specification.read(reader) for _ in range(count)])
        items = reader.count("data count")
        if items != count:
            reader.fail("data count", f"{items} items for {count} specifications", back=1)
        data = tuple([read_data(reader) for _ in range(items)])
        reader.finish("access-request")
        return cls(identifier, specifications, data)


@dataclass(frozen=True, slots=True)
class AccessOutcome:
    """Result of one access; ``choice`` is GET, SET or ACTION (a get with selection answers as GET)."""

    choice: Choice
    code: AccessResult


@dataclass(frozen=True, slots=True)
class AccessResponse:
    """Data and result for every specification, in order."""

    invoke_id: int
    data: tuple[Data, ...]
    results: tuple[AccessOutcome, ...]

    def encode(self) -> bytes:
        if len(self.results) != len(self.data):
            raise IdentifierError("an access response", self, "one data item per result")
        return b"".join(
            (
                bytes((ACCESS_RESPONSE,)),
                self.invoke_id.to_bytes(4, "big"),
                b"\0\0",
                length_octets(len(self.data)),
                *(item.encode() for item in self.data),
                length_octets(len(self.results)),
                *(bytes((result.choice, result.code)) for result in self.results),
            )
        )

    @classmethod
    def decode(cls, octets: bytes, offset: int = 0) -> Self:
        """Raises DecodeError."""
        reader = Reader(octets, offset)
        identifier = _start(reader, ACCESS_RESPONSE, "access-response tag")
        reader.expect(b"\0", "echo of the specifications")
        count = reader.length("data count")
        data = tuple([read_data(reader) for _ in range(count)])
        found = reader.count("result count")
        if found != count:
            reader.fail("result count", f"{found} results for {count} data items", back=1)
        results = tuple([_read_result(reader) for _ in range(found)])
        reader.finish("access-response")
        return cls(identifier, data, results)


@dataclass(frozen=True, slots=True)
class DataNotification:
    """An alert's content: one value, by convention a structure beginning with alert code and time stamp (see :mod:`.alerts`)."""

    invoke_id: int
    body: Data

    def encode(self) -> bytes:
        return bytes((DATA_NOTIFICATION,)) + self.invoke_id.to_bytes(4, "big") + b"\0" + self.body.encode()

    @classmethod
    def decode(cls, octets: bytes, offset: int = 0) -> Self:
        """Raises DecodeError."""
        reader = Reader(octets, offset)
        identifier = _start(reader, DATA_NOTIFICATION, "data-notification tag")
        body = read_data(reader)
        reader.finish("data-notification")
        return cls(identifier, body)


_CHOICES = {choice.value: choice for choice in Choice}
_RESULT_CHOICES = (Choice.GET, Choice.SET, Choice.ACTION)
_RESULTS = {bytes((choice, code)): AccessOutcome(choice, code) for choice in _RESULT_CHOICES for code in AccessResult}


@lru_cache(maxsize=4096)
def _specification(octets: bytes) -> Specification:
    return Specification(_CHOICES[octets[0]], octets[1] << 8 | octets[2], octets[3:9], octets[9])


def _start(reader: Reader, tag: int, field: str) -> int:
    found = reader.u8(field)
    if found != tag:
        reader.fail(field, f"read {found:02x}, expected {tag:02x}", back=1)
    identifier = reader.uint(4, "long-invoke-id")
    reader.expect(b"\0", "date-time length")
    return identifier


def _read_result(reader: Reader) -> AccessOutcome:
    octets = reader.take(2, "response specification")
    result = _RESULTS.get(octets)
    if result is None:
        if octets[0] not in _RESULT_CHOICES:
            reader.fail("response specification", f"choice {octets[0]}, expected {one_of(octets[0], _RESULT_CHOICES)}", back=2)
        reader.fail("access result", f"{octets[1]} is no result of an access", back=1)
    return result


# -- range selection and protected attributes


def range_selection(clock_class: int, clock: bytes, attribute: int, start: Data, end: Data, data_index: int = 0) -> Structure:
    """Selection data of selector 1 on a profile (reference gbcs-messages 5.3): restricting clock, from, to, all columns."""
    restricting = Structure((LongUnsigned(clock_class), OctetString(clock), Integer(attribute), LongUnsigned(data_index)))
    return Structure((restricting, start, end, Array(())))


@dataclass(frozen=True, slots=True)
class ProtectedAttribute:
    """One attribute asked for encrypted; ``restriction`` is None or (from, to)."""

    class_id: int
    obis: bytes
    attribute: int
    data_index: int = 0
    restriction: tuple[Data, Data] | None = None

    def data(self) -> Structure:
        restriction = (Enum(0), Null()) if self.restriction is None else (Enum(1), Structure(self.restriction))
        place = (LongUnsigned(self.class_id), OctetString(self.obis), Integer(self.attribute), LongUnsigned(self.data_index))
        return Structure((*place, Structure(restriction)))


_TYPE, _NO_MORE = Enum(2), OctetString(b"")
_KEY_INFORMATION = Structure((Enum(2), Structure((OctetString(b"\x02"), OctetString(b"")))))


@dataclass(frozen=True, slots=True)
class ProtectionParameters:
    """Parties of an encryption (reference gbcs-messages 5.5): the transaction id is 04 and the counter."""

    counter: int
    originator: Eui64
    recipient: Eui64

    def data(self) -> Array:
        transaction = OctetString(b"\x04" + self.counter.to_bytes(8, "big"))
        parties = (OctetString(self.originator.octets), OctetString(self.recipient.octets))
        return Array((Structure((_TYPE, Structure((transaction, *parties, _NO_MORE, _KEY_INFORMATION)))),))

    @classmethod
    def of(cls, data: Data) -> Self | None:
        """The parameters where ``data`` is exactly such an array, else None."""
        match data:
            case Array(
                elements=(Structure(elements=(Enum(), Structure(elements=(OctetString(), OctetString(), OctetString(), *_) as parts))),)
            ):
                counter, originator, recipient = (part.octets for part in parts[:3] if isinstance(part, OctetString))
                if len(counter) == 9 and len(originator) == 8 and len(recipient) == 8:
                    parameters = cls(int.from_bytes(counter[1:], "big"), Eui64(originator), Eui64(recipient))
                    return parameters if parameters.data() == data else None
        return None


def protected_request(attributes: tuple[ProtectedAttribute, ...], parameters: ProtectionParameters) -> Structure:
    """Parameter of get-protected-attributes (class 30, method 1)."""
    return Structure((Array(tuple(attribute.data() for attribute in attributes)), parameters.data()))


@dataclass(frozen=True, slots=True)
class Protected:
    """A protected answer: parameters and ``31 00000000 || ciphertext || tag``, as one data item of a response or two items of an alert."""

    parameters: ProtectionParameters
    octets: bytes

    def data(self) -> Structure:
        return Structure((self.parameters.data(), OctetString(self.octets)))

    @classmethod
    def of(cls, items: tuple[Data, ...]) -> Self | None:
        """From the two items (the elements of the structure), or None where they are something else."""
        if len(items) != 2 or not isinstance(items[1], OctetString) or items[1].octets[:5] != b"\x31\0\0\0\0":
            return None
        parameters = ProtectionParameters.of(items[0])
        return None if parameters is None else cls(parameters, items[1].octets)


def open_protected(plaintext: bytes, offset: int = 0) -> Structure:
    """The requested attribute values out of a decrypted answer. Raises DecodeError."""
    value = decode_data(plaintext, offset)
    if not isinstance(value, Structure):
        raise DecodeError(offset, "protected attributes", f"a {value.type_name}, expected a structure of attribute values")
    return value
