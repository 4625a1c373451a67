"""A-XDR data, the value notation of DLMS (reference gbcs-messages 5.3): its types as frozen dataclasses, to octets and back.

``Structure((Unsigned(1), OctetString(b"...")))`` is written as it reads. Encoding is exact: what decodes encodes to the same octets.
Lengths must be in their shortest form, and are checked against the octets left before anything is allocated; nesting is at most
:data:`MAX_DEPTH` deep.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Self

from firmware_emu.errors import IdentifierError
from firmware_emu.gbcs.envelope import Reader, length_octets


class Data(ABC):
    """Any A-XDR value. ``tag`` is its first octet, ``type_name`` its DLMS name."""

    __slots__ = ()
    tag: ClassVar[int]
    type_name: ClassVar[str]

    @abstractmethod
    def body(self) -> bytes:
        """The octets after the tag."""

    def encode(self) -> bytes:
        """Tag and body. Raises IdentifierError for a value that the type cannot hold."""
        return bytes((self.tag,)) + self.body()


@dataclass(frozen=True, slots=True)
class Null(Data):
    """No value: what a get asks with and what a set answers with."""

    tag: ClassVar[int] = 0x00
    type_name: ClassVar[str] = "null"

    def body(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class DontCare(Data):
    """The value whose type does not matter."""

    tag: ClassVar[int] = 0xFF
    type_name: ClassVar[str] = "dont-care"

    def body(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class _Sequence(Data):
    elements: tuple[Data, ...]

    def body(self) -> bytes:
        return length_octets(len(self.elements)) + b"".join(element.encode() for element in self.elements)

    def __len__(self) -> int:
        return len(self.elements)

    def __bool__(self) -> bool:
        """An empty array is a value like any other, not the absence of one."""
        return True

    def __getitem__(self, index: int) -> Data:
        return self.elements[index]


class Array(_Sequence):
    """Elements of one type."""

    __slots__ = ()
    tag: ClassVar[int] = 0x01
    type_name: ClassVar[str] = "array"


class Structure(_Sequence):
    """Elements of several types in fixed order."""

    __slots__ = ()
    tag: ClassVar[int] = 0x02
    type_name: ClassVar[str] = "structure"


@dataclass(frozen=True, slots=True)
class Boolean(Data):
    """True is FF in everything GBCS shows; ``true_octet`` keeps another non-zero octet that a peer wrote."""

    value: bool
    true_octet: int = 0xFF
    tag: ClassVar[int] = 0x03
    type_name: ClassVar[str] = "boolean"

    def body(self) -> bytes:
        return bytes((self.true_octet,)) if self.value else b"\0"


@dataclass(frozen=True, slots=True)
class BitString(Data):
    """``size`` bits in ``octets``, first bit uppermost; the bits after the last are kept as they came."""

    octets: bytes
    size: int
    tag: ClassVar[int] = 0x04
    type_name: ClassVar[str] = "bit-string"

    @classmethod
    def of(cls, bits: str) -> Self:
        """From text, ``BitString.of("10000000")``."""
        size = len(bits)
        count = (size + 7) // 8
        return cls((int(bits or "0", 2) << (count * 8 - size)).to_bytes(count, "big"), size)

    @property
    def bits(self) -> str:
        return "".join(f"{octet:08b}" for octet in self.octets)[: self.size]

    def body(self) -> bytes:
        if len(self.octets) != (self.size + 7) // 8:
            raise IdentifierError("a bit-string", self, f"{(self.size + 7) // 8} octets for {self.size} bits")
        return length_octets(self.size) + self.octets


@dataclass(frozen=True, slots=True)
class Number(Data):
    """A whole number of ``octet_count`` octets."""

    value: int
    octet_count: ClassVar[int]
    signed: ClassVar[bool]

    def body(self) -> bytes:
        try:
            return self.value.to_bytes(self.octet_count, "big", signed=self.signed)
        except OverflowError:
            bits = self.octet_count * 8
            low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if self.signed else (0, (1 << bits) - 1)
            raise IdentifierError(f"a {self.type_name}", self.value, f"{low} to {high}") from None

    def __int__(self) -> int:
        return self.value


class DoubleLong(Number):
    """Signed, 4 octets."""

    __slots__ = ()
    tag, type_name, octet_count, signed = 0x05, "double-long", 4, True


class DoubleLongUnsigned(Number):
    """Unsigned, 4 octets."""

    __slots__ = ()
    tag, type_name, octet_count, signed = 0x06, "double-long-unsigned", 4, False


class Bcd(Number):
    """Two decimal digits in one octet, kept as the octet says (0x42 is 42)."""

    __slots__ = ()
    tag, type_name, octet_count, signed = 0x0D, "bcd", 1, False


class Integer(Number):
    """Signed, 1 octet."""

    __slots__ = ()
    tag, type_name, octet_count, signed = 0x0F, "integer", 1, True


class Long(Number):
    """Signed, 2 octets."""

    __slots__ = ()
    tag, type_name, octet_count, signed = 0x10, "long", 2, True


class Unsigned(Number):
    """Unsigned, 1 octet."""

    __slots__ = ()
    tag, type_name, octet_count, signed = 0x11, "unsigned", 1, False


class LongUnsigned(Number):
    """Unsigned, 2 octets."""

    __slots__ = ()
    tag, type_name, octet_count, signed = 0x12, "long-unsigned", 2, False


class Long64(Number):
    """Signed, 8 octets."""

    __slots__ = ()
    tag, type_name, octet_count, signed = 0x14, "long64", 8, True


class Long64Unsigned(Number):
    """Unsigned, 8 octets."""

    __slots__ = ()
    tag, type_name, octet_count, signed = 0x15, "long64-unsigned", 8, False


class Enum(Number):
    """One of a list, 1 octet."""

    __slots__ = ()
    tag, type_name, octet_count, signed = 0x16, "enum", 1, False


@dataclass(frozen=True, slots=True)
class OctetString(Data):
    """Octets of any meaning: identifiers, dates, texts of the tariff."""

    octets: bytes
    tag: ClassVar[int] = 0x09
    type_name: ClassVar[str] = "octet-string"

    def body(self) -> bytes:
        return length_octets(len(self.octets)) + self.octets


@dataclass(frozen=True, slots=True)
class VisibleString(Data):
    """ASCII text."""

    text: str
    tag: ClassVar[int] = 0x0A
    type_name: ClassVar[str] = "visible-string"

    def body(self) -> bytes:
        if not self.text.isascii():
            raise IdentifierError("a visible-string", self.text, "ASCII characters")
        return length_octets(len(self.text)) + self.text.encode("ascii")


@dataclass(frozen=True, slots=True)
class Utf8String(Data):
    """UTF-8 text; the length counts octets."""

    text: str
    tag: ClassVar[int] = 0x0C
    type_name: ClassVar[str] = "utf8-string"

    def body(self) -> bytes:
        octets = self.text.encode("utf-8")
        return length_octets(len(octets)) + octets


@dataclass(frozen=True, slots=True)
class Fixed(Data):
    """Octets of a fixed count."""

    octets: bytes
    octet_count: ClassVar[int]

    def body(self) -> bytes:
        if len(self.octets) != self.octet_count:
            raise IdentifierError(f"a {self.type_name}", self.octets.hex(), f"{self.octet_count} octets")
        return self.octets


class Float32(Fixed):
    """IEEE 754 single; the octets are kept so that every pattern survives."""

    __slots__ = ()
    tag, type_name, octet_count = 0x17, "float32", 4

    @classmethod
    def of(cls, value: float) -> Self:
        return cls(struct.pack(">f", value))

    @property
    def value(self) -> float:
        return float(struct.unpack(">f", self.octets)[0])


class Float64(Fixed):
    """IEEE 754 double; the octets are kept so that every pattern survives."""

    __slots__ = ()
    tag, type_name, octet_count = 0x18, "float64", 8

    @classmethod
    def of(cls, value: float) -> Self:
        return cls(struct.pack(">d", value))

    @property
    def value(self) -> float:
        return float(struct.unpack(">d", self.octets)[0])


class DateTime(Fixed):
    """A 12-octet COSEM date-time under its own tag (GBCS writes these as octet-strings)."""

    __slots__ = ()
    tag, type_name, octet_count = 0x19, "date-time", 12


class Date(Fixed):
    """A 5-octet COSEM date."""

    __slots__ = ()
    tag, type_name, octet_count = 0x1A, "date", 5


class Time(Fixed):
    """A 4-octet COSEM time."""

    __slots__ = ()
    tag, type_name, octet_count = 0x1B, "time", 4


@dataclass(frozen=True, slots=True)
class TypeDescription:
    """Type of a compact array's elements: a simple ``tag``; 02 with ``elements``; 01 with ``count`` of the one in ``elements``."""

    tag: int
    elements: tuple[TypeDescription, ...] = ()
    count: int = 0

    def encode(self) -> bytes:
        if self.tag == Structure.tag:
            return bytes((self.tag,)) + length_octets(len(self.elements)) + b"".join(element.encode() for element in self.elements)
        if self.tag == Array.tag:
            return bytes((self.tag,)) + self.count.to_bytes(2, "big") + self.elements[0].encode()
        return bytes((self.tag,))

    @property
    def least(self) -> int:
        """Fewest octets one element takes in the packed contents."""
        if self.tag == Structure.tag:
            return sum(element.least for element in self.elements)
        if self.tag == Array.tag:
            return self.count * self.elements[0].least
        kind = _KINDS[self.tag]
        if issubclass(kind, Number | Fixed):
            return kind.octet_count
        return 0 if kind in (Null, DontCare) else 1


@dataclass(frozen=True, slots=True)
class CompactArray(Data):
    """Elements packed without tags behind one description of their type."""

    description: TypeDescription
    elements: tuple[Data, ...]
    tag: ClassVar[int] = 0x13
    type_name: ClassVar[str] = "compact-array"

    def contents(self) -> bytes:
        """The packed elements, without the length in front."""
        if self.elements and self.description.least == 0:
            raise IdentifierError("a compact-array", self.description, "elements of at least one octet")
        return b"".join(pack(self.description, element) for element in self.elements)

    def body(self) -> bytes:
        contents = self.contents()
        return self.description.encode() + length_octets(len(contents)) + contents


def pack(description: TypeDescription, value: Data) -> bytes:
    """One element of a compact array. Raises IdentifierError where the value is not of the described type."""
    if value.tag != description.tag:
        raise IdentifierError("an element of this compact-array", value, _KINDS[description.tag].type_name)
    if isinstance(value, Structure):
        if len(value.elements) != len(description.elements):
            raise IdentifierError("an element of this compact-array", value, f"a structure of {len(description.elements)}")
        return b"".join(pack(kind, element) for kind, element in zip(description.elements, value.elements, strict=True))
    if isinstance(value, Array):
        if len(value.elements) != description.count:
            raise IdentifierError("an element of this compact-array", value, f"an array of {description.count}")
        return b"".join(pack(description.elements[0], element) for element in value.elements)
    return value.body()


LEAVES: tuple[type[Data], ...] = (
    *(Null, DontCare, Boolean, BitString, DoubleLong, DoubleLongUnsigned, Bcd, Integer, Long, Unsigned, LongUnsigned),
    *(Long64, Long64Unsigned, Enum, OctetString, VisibleString, Utf8String, Float32, Float64, DateTime, Date, Time),
)
_ALL: tuple[type[Data], ...] = (*LEAVES, Array, Structure, CompactArray)
_KINDS: dict[int, type[Data]] = {kind.tag: kind for kind in _ALL}
KINDS: dict[str, type[Data]] = {kind.type_name: kind for kind in _ALL}
"""Every type by its DLMS name."""


__all__ = [
    "KINDS",
    "LEAVES",
    "MAX_DEPTH",
    "Array",
    "Bcd",
    "BitString",
    "Boolean",
    "CompactArray",
    "Data",
    "Date",
    "DateTime",
    "DontCare",
    "DoubleLong",
    "DoubleLongUnsigned",
    "Enum",
    "Fixed",
    "Float32",
    "Float64",
    "Integer",
    "Long",
    "Long64",
    "Long64Unsigned",
    "LongUnsigned",
    "Null",
    "Number",
    "OctetString",
    "Structure",
    "Time",
    "TypeDescription",
    "Unsigned",
    "Utf8String",
    "VisibleString",
    "decode_data",
    "encode_data",
    "pack",
    "read_data",
    "read_description",
]

MAX_DEPTH = 32
"""Deepest nesting that is read. Commands and answers of the reference set nest to 7 levels; the bound is ours."""


_CODES = {(2, False): "H", (2, True): "h", (4, False): "I", (4, True): "i", (8, False): "Q", (8, True): "q"}


def _read_number(kind: type[Number]) -> Callable[[Reader], Data]:
    name, size, signed = kind.type_name, kind.octet_count, kind.signed
    if size == 1:
        every = [kind(int.from_bytes((octet,), signed=signed)) for octet in range(256)]
        return lambda reader: every[reader.u8(name)]
    unpack = Struct(">" + _CODES[size, signed]).unpack_from

    def read(reader: Reader) -> Data:
        start = reader.position
        if start + size > reader.end:
            reader.take(size, name)
        reader.position = start + size
        return kind(*unpack(reader.data, start))

    return read


def _read_fixed(kind: type[Fixed]) -> Callable[[Reader], Data]:
    name, size = kind.type_name, kind.octet_count
    return lambda reader: kind(reader.take(size, name))


def _read_boolean(reader: Reader) -> Data:
    octet = reader.u8("boolean")
    return Boolean(True, octet) if octet else Boolean(False)


def _read_bits(reader: Reader) -> Data:
    size = reader.count("bit-string length")
    return BitString(reader.take((size + 7) // 8, "bit-string"), size)


def _read_octets(reader: Reader) -> Data:
    return OctetString(reader.counted("octet-string length"))


def _read_visible(reader: Reader) -> Data:
    octets = reader.counted("visible-string length")
    if not octets.isascii():
        reader.fail("visible-string", "characters that are not ASCII", back=len(octets))
    return VisibleString(octets.decode("ascii"))


def _read_utf8(reader: Reader) -> Data:
    octets = reader.counted("utf8-string length")
    try:
        return Utf8String(octets.decode("utf-8"))
    except UnicodeDecodeError as error:
        reader.fail("utf8-string", f"not UTF-8: {error.reason}", back=len(octets) - error.start)


_NULL = Null()
_DONT_CARE = DontCare()
_READ_LEAF: dict[int, Callable[[Reader], Data]] = {
    Null.tag: lambda _: _NULL,
    DontCare.tag: lambda _: _DONT_CARE,
    Boolean.tag: _read_boolean,
    BitString.tag: _read_bits,
    OctetString.tag: _read_octets,
    VisibleString.tag: _read_visible,
    Utf8String.tag: _read_utf8,
    **{kind.tag: _read_number(kind) for kind in LEAVES if issubclass(kind, Number)},
    **{kind.tag: _read_fixed(kind) for kind in LEAVES if issubclass(kind, Fixed)},
}

_SEQUENCES: dict[int, type[Array | Structure]] = {Array.tag: Array, Structure.tag: Structure}


def read_data(reader: Reader, depth: int = 0) -> Data:
    """Read one value. Raises DecodeError."""
    position = reader.position
    if position == reader.end:
        reader.fail("data tag", "needs 1 octet, 0 are left")
    reader.position = position + 1
    tag = reader.data[position]
    leaf = _READ_LEAF.get(tag)
    if leaf is not None:
        return leaf(reader)
    if depth >= MAX_DEPTH:
        reader.fail("data", f"nested deeper than {MAX_DEPTH} levels", back=1)
    kind = _SEQUENCES.get(tag)
    if kind is not None:
        count = reader.length("element count")
        return kind(tuple([read_data(reader, depth + 1) for _ in range(count)]))
    if tag != CompactArray.tag:
        reader.fail("data tag", f"{tag:02x} is no A-XDR type", back=1)
    return _read_compact(reader, depth)


def _read_compact(reader: Reader, depth: int) -> Data:
    description = read_description(reader, depth + 1)
    inner = reader.sized(reader.length("compact-array length"), "compact-array contents")
    if inner.remaining and not description.least:
        inner.fail("compact-array contents", f"{inner.remaining} octets of elements that take none")
    # Elements without octets of their own (null in a structure) could otherwise multiply a short input.
    budget = _Budget(2 * inner.remaining + MAX_DEPTH)
    elements: list[Data] = []
    while inner.remaining:
        elements.append(_unpack(inner, description, budget))
    return CompactArray(description, tuple(elements))


def read_description(reader: Reader, depth: int) -> TypeDescription:
    """Read the type description of a compact array."""
    tag = reader.u8("type description")
    if tag in _READ_LEAF:
        return TypeDescription(tag)
    if depth >= MAX_DEPTH:
        reader.fail("type description", f"nested deeper than {MAX_DEPTH} levels", back=1)
    if tag == Structure.tag:
        count = reader.length("type count")
        return TypeDescription(tag, tuple([read_description(reader, depth + 1) for _ in range(count)]))
    if tag != Array.tag:
        reader.fail("type description", f"{tag:02x} is no type that can be packed", back=1)
    count = reader.uint(2, "element count")
    return TypeDescription(tag, (read_description(reader, depth + 1),), count)


class _Budget:
    """Number of further values that the octets of one compact array may be made into."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


def _unpack(reader: Reader, description: TypeDescription, budget: _Budget) -> Data:
    budget.left -= 1
    if budget.left < 0:
        reader.fail("compact-array contents", "more values than its octets can carry")
    if description.tag == Structure.tag:
        return Structure(tuple([_unpack(reader, element, budget) for element in description.elements]))
    if description.tag == Array.tag:
        return Array(tuple([_unpack(reader, description.elements[0], budget) for _ in range(description.count)]))
    return _READ_LEAF[description.tag](reader)


def encode_data(value: Data) -> bytes:
    """The octets of a value, tag first. Raises IdentifierError for a value its type cannot hold."""
    return value.encode()


def decode_data(octets: bytes, offset: int = 0) -> Data:
    """Read exactly one value; ``offset`` is where ``octets`` start in the outermost message. Raises DecodeError."""
    reader = Reader(octets, offset)
    value = read_data(reader)
    reader.finish("data")
    return value
