"""DLMS payloads: A-XDR values, access request, access response, data notification (reference gbcs-messages 5 and 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .envelope import Octets

_DEEPEST = 16
"""Commands and answers of the reference set nest to 7 levels; the bound is ours."""
_NUMBERS = {
    0x05: ("double-long", 4, True),
    0x06: ("double-long-unsigned", 4, False),
    0x0F: ("integer", 1, True),
    0x10: ("long", 2, True),
    0x11: ("unsigned", 1, False),
    0x12: ("long-unsigned", 2, False),
    0x14: ("long64", 8, True),
    0x15: ("long64-unsigned", 8, False),
    0x16: ("enum", 1, False),
}
_NULL, _ARRAY, _STRUCTURE, _BOOLEAN, _BITS, _COMPACT = 0x00, 0x01, 0x02, 0x03, 0x04, 0x13
_STRINGS = {0x09: "octet-string", 0x0A: "visible-string", 0x0C: "utf8-string"}
NUMBER_KINDS = frozenset(name for name, _, _ in _NUMBERS.values())


@dataclass(frozen=True, slots=True)
class Value:
    """One value. ``kind`` is the DLMS name of its type. ``content``: a number; octets; text; bits as text; values; None for null.

    A boolean's number is its octet: 0 false, 255 true, anything else is neither. ``octets`` is the encoding; inside a compact array it is
    the packed form, without a tag."""

    kind: str
    content: int | bytes | str | tuple[Value, ...] | None
    octets: bytes = field(repr=False)

    @property
    def values(self) -> tuple[Value, ...]:
        """The values inside an array, structure or compact array; none otherwise."""
        return self.content if isinstance(self.content, tuple) else ()

    def text(self) -> str:
        """The type with its number, or with the number of values or octets."""
        match self.content:
            case None:
                return self.kind
            case tuple() as inner:
                return f"{self.kind} of {len(inner)}"
            case bytes() as octets:
                return f"{self.kind} {octets.hex()}"
            case _ if self.kind == "boolean":
                return f"boolean {'true' if self.content else 'false'}"
            case _:
                return f"{self.kind} {self.content}"


def read_value(source: Octets, depth: int = 0) -> Value:
    """The next value with its tag. Raises DecodeError."""
    start = source.at
    tag = source.number(1, "data tag")
    if tag == _COMPACT:
        return _compact(source, start, depth)
    kind, content = _content(source, tag, depth, None)
    return Value(kind, content, source.data[start : source.at])


def _content(source: Octets, tag: int, depth: int, packed: Description | None) -> tuple[str, int | bytes | str | tuple[Value, ...] | None]:
    """Kind and content behind a tag; with ``packed`` the parts have no tags of their own."""
    if depth > _DEEPEST:
        source.fail("data", f"nested deeper than {_DEEPEST}")
    if tag in _NUMBERS:
        name, size, signed = _NUMBERS[tag]
        return name, int.from_bytes(source.take(size, name), "big", signed=signed)
    if tag in (_ARRAY, _STRUCTURE):
        return ("array" if tag == _ARRAY else "structure"), tuple(_parts(source, tag, depth, packed))
    if tag == _NULL:
        return "null", None
    if tag == _BOOLEAN:
        return "boolean", source.number(1, "boolean")
    if tag == _BITS:
        return "bit-string", _bits(source)
    if tag not in _STRINGS:
        source.fail("data tag", f"read {tag:02x}, expected the tag of a type that GBCS uses")
    return _STRINGS[tag], _string(source, _STRINGS[tag])


def _parts(source: Octets, tag: int, depth: int, packed: Description | None) -> Iterator[Value]:
    if packed is not None:
        for part in packed.parts:
            yield _packed(source, part, depth + 1)
        return
    count = source.length("array count" if tag == _ARRAY else "structure count")
    if count > source.left:
        source.fail("count", f"{count} values announced, {source.left} octets left")
    for _ in range(count):
        yield read_value(source, depth + 1)


def _bits(source: Octets) -> str:
    """Bits as text; those that fill the last octet up are appended after a point where they are not 0."""
    count = source.length("bit-string length")
    octets = source.take((count + 7) // 8, "bit-string")
    every = "".join(f"{octet:08b}" for octet in octets)
    return every[:count] if "1" not in every[count:] else f"{every[:count]}.{every[count:]}"


def _string(source: Octets, kind: str) -> bytes | str:
    octets = source.counted(kind)
    if kind == "octet-string":
        return octets
    try:
        return octets.decode("ascii" if kind == "visible-string" else "utf-8")
    except UnicodeDecodeError as trouble:
        source.fail(kind, f"read {octets[:40].hex()}: {trouble.reason}")


@dataclass(frozen=True, slots=True)
class Description:
    """The type of what a compact array holds; ``parts`` of a structure, or the one type of an array as often as it has values."""

    tag: int
    parts: tuple[Description, ...] = ()


def _description(source: Octets, depth: int) -> Description:
    if depth > _DEEPEST:
        source.fail("type description", f"nested deeper than {_DEEPEST}")
    tag = source.number(1, "type description")
    if tag == _STRUCTURE:
        count = source.length("type description count")
        if count > source.left:
            source.fail("type description count", f"read {count}, {source.left} octets left")
        return Description(tag, tuple(_description(source, depth + 1) for _ in range(count)))
    if tag == _ARRAY:
        count = source.number(2, "type description count")
        inner = _description(source, depth + 1)
        return Description(tag, (inner,) * min(count, 0xFFF))
    return Description(tag)


def _packed(source: Octets, description: Description, depth: int) -> Value:
    start = source.at
    kind, content = _content(source, description.tag, depth, description)
    return Value(kind, content, source.data[start : source.at])


def _compact(source: Octets, start: int, depth: int) -> Value:
    description = _description(source, depth + 1)
    size = source.length("compact-array length")
    inner = Octets(source.take(size, "compact-array"), source.offset - size)
    found: list[Value] = []
    while inner.left:
        before = inner.at
        found.append(_packed(inner, description, depth + 1))
        if inner.at == before:
            inner.fail("compact-array", "a type without octets")
    return Value("compact-array", tuple(found), source.data[start : source.at])


ACCESS_REQUEST, ACCESS_RESPONSE, DATA_NOTIFICATION = 0xD9, 0xDA, 0x0F
CHOICES = {1: "get", 2: "set", 3: "action", 4: "get"}
_GET_WITH_SELECTION = 4
RESULTS = {
    0: "success",
    1: "hardware-fault",
    2: "temporary-failure",
    3: "read-write-denied",
    4: "object-undefined",
    9: "object-class-inconsistent",
    11: "object-unavailable",
    12: "type-unmatched",
    13: "scope-of-access-violated",
    14: "data-block-unavailable",
    15: "long-get-aborted",
    16: "no-long-get-in-progress",
    17: "long-set-aborted",
    18: "no-long-set-in-progress",
    19: "data-block-number-invalid",
    250: "other-reason",
}


def obis_text(octets: bytes) -> str:
    """``0-0:96.3.10.255``."""
    a, b, c, d, e, f = octets
    return f"{a}-{b}:{c}.{d}.{e}.{f}"


@dataclass(frozen=True, slots=True)
class Access:
    """One access of a request: ``choice`` get, set or action; ``member`` the attribute or method; ``selection`` of a range."""

    choice: str
    class_id: int
    obis: str
    member: int
    selection: Value | None
    data: Value

    @property
    def place(self) -> str:
        return f"{self.choice} {self.class_id} {self.obis} {self.member}"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Request of a DLMS command."""

    invoke_id: int
    accesses: tuple[Access, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """One access answered: its data, the choice repeated, and the result code."""

    data: Value
    choice: str
    result: int


@dataclass(frozen=True, slots=True)
class AccessResponse:
    """Answer of a Device to a DLMS command."""

    invoke_id: int
    answers: tuple[Answered, ...]

    @property
    def data(self) -> tuple[Value, ...]:
        return tuple(answer.data for answer in self.answers)


@dataclass(frozen=True, slots=True)
class DataNotification:
    """An alert: a structure of alert code, time stamp and whatever belongs to it."""

    invoke_id: int
    body: Value


def _count(source: Octets, place: str) -> int:
    count = source.length(place)
    if count > source.left:
        source.fail(place, f"read {count}, {source.left} octets left")
    return count


def _start(payload: bytes, base: int, tag: int, place: str) -> tuple[Octets, int]:
    source = Octets(payload, base)
    source.expect(bytes((tag,)), place)
    invoke_id = source.number(4, "long-invoke-id")
    source.expect(b"\x00", "date-time")
    return source, invoke_id


def read_access_request(payload: bytes, base: int = 0) -> AccessRequest:
    """Raises DecodeError."""
    source, invoke_id = _start(payload, base, ACCESS_REQUEST, "access-request tag")
    wanted: list[tuple[str, int, str, int, Value | None]] = []
    for _ in range(_count(source, "specification count")):
        choice = source.number(1, "choice")
        if choice not in CHOICES:
            source.fail("choice", f"read {choice:02x}, expected 01 to 04")
        class_id, obis = source.number(2, "class"), obis_text(source.take(6, "OBIS code"))
        member = source.number(1, "attribute or method")
        selection: Value | None = None
        if choice == _GET_WITH_SELECTION:
            source.expect(b"\x01", "selector")
            selection = read_value(source)
        wanted.append((CHOICES[choice], class_id, obis, member, selection))
    count = _count(source, "data count")
    if count != len(wanted):
        source.fail("data count", f"read {count}, expected {len(wanted)}")
    accesses = tuple(Access(*specification, read_value(source)) for specification in wanted)
    source.end("access request")
    return AccessRequest(invoke_id, accesses)


def read_access_response(payload: bytes, base: int = 0) -> AccessResponse:
    """Raises DecodeError."""
    source, invoke_id = _start(payload, base, ACCESS_RESPONSE, "access-response tag")
    source.expect(b"\x00", "echo of the specifications")
    data = [read_value(source) for _ in range(_count(source, "data count"))]
    count = _count(source, "result count")
    if count != len(data):
        source.fail("result count", f"read {count}, expected {len(data)}")
    answers: list[Answered] = []
    for item in data:
        choice = source.number(1, "result choice")
        if choice not in (1, 2, 3):
            source.fail("result choice", f"read {choice:02x}, expected 01 to 03")
        result = source.number(1, "result")
        if result not in RESULTS:
            source.fail("result", f"read {result}, expected a data access result")
        answers.append(Answered(item, CHOICES[choice], result))
    source.end("access response")
    return AccessResponse(invoke_id, tuple(answers))


def read_notification(payload: bytes, base: int = 0) -> DataNotification:
    """Raises DecodeError."""
    source, invoke_id = _start(payload, base, DATA_NOTIFICATION, "data-notification tag")
    body = read_value(source)
    source.end("data notification")
    return DataNotification(invoke_id, body)
