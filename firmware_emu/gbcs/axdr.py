"""A-XDR data, the value notation of DLMS (reference gbcs-messages 5.3): octets to the types of :mod:`.axdr_types` and back.

Encoding is exact: what decodes encodes to the same octets. Lengths must be in their shortest form, and are checked against the octets left
before anything is allocated; nesting is at most :data:`MAX_DEPTH` deep.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from firmware_emu.gbcs.axdr_types import (
    KINDS,
    LEAVES,
    Array,
    Bcd,
    BitString,
    Boolean,
    CompactArray,
    Data,
    Date,
    DateTime,
    DontCare,
    DoubleLong,
    DoubleLongUnsigned,
    Enum,
    Fixed,
    Float32,
    Float64,
    Integer,
    Long,
    Long64,
    Long64Unsigned,
    LongUnsigned,
    Null,
    Number,
    OctetString,
    Structure,
    Time,
    TypeDescription,
    Unsigned,
    Utf8String,
    VisibleString,
    pack,
)
from firmware_emu.gbcs.envelope import Reader

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
