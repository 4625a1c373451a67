"""A reader of DER that reads what libraries refuse, and says what is loose in it instead of stopping at the first fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

BOOLEAN, INTEGER, BIT_STRING, OCTETS, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTF8, PRINTABLE, UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x0C, 0x13, 0x17, 0x18, 0x30, 0x31

_LONGEST: Final = 1 << 16


class NotDer(Exception):
    """Octets that cannot be read as one value and its parts; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its tag octet, its content, and all of its octets."""

    tag: int
    content: bytes
    raw: bytes


@dataclass(slots=True)
class DerReader:
    """Reads values; ``loose`` gathers what is readable and yet not DER (X.690 10.1)."""

    loose: list[str] = field(default_factory=list)

    def only(self, octets: bytes) -> Value:
        """The one value that ``octets`` are. Raises NotDer."""
        values = self.all(octets)
        if len(values) != 1:
            raise NotDer(f"{len(values)} values in {len(octets)} octets, expected one")
        return values[0]

    def all(self, octets: bytes) -> list[Value]:
        """Every value of ``octets``, none left over. Raises NotDer."""
        found: list[Value] = []
        at = 0
        while at < len(octets):
            value = self._next(octets, at)
            found.append(value)
            at += len(value.raw)
        return found

    def parts(self, value: Value, tag: int) -> list[Value]:
        """Values inside a value of the kind ``tag``. Raises NotDer where it is of another kind."""
        if value.tag != tag:
            raise NotDer(f"tag {value.tag:02x}, expected {tag:02x}")
        return self.all(value.content)

    def _next(self, octets: bytes, at: int) -> Value:
        if len(octets) > _LONGEST:
            raise NotDer(f"{len(octets)} octets, expected at most {_LONGEST}")
        if at + 2 > len(octets) or octets[at] & 0x1F == 0x1F:
            raise NotDer(f"at octet {at}: cut short, or a tag of more than one octet")
        length, start = octets[at + 1], at + 2
        if length == 0x80:
            raise NotDer(f"at octet {at}: an indefinite length")
        if length > 0x80:
            size = length & 0x7F
            if size > 4 or start + size > len(octets):
                raise NotDer(f"at octet {at}: a length of {size} octets")
            length = int.from_bytes(octets[start : start + size], "big")
            if length < 0x80 or octets[start] == 0:
                self.loose.append(f"a length of {length} written in {size + 1} octets")
            start += size
        if start + length > len(octets):
            raise NotDer(f"at octet {at}: {length} octets announced, {len(octets) - start} there")
        return Value(octets[at], octets[start : start + length], octets[at : start + length])


def oid(content: bytes) -> str:
    """An object identifier in numbers. Raises NotDer where it is cut short or an arc begins with a zero."""
    arcs: list[int] = []
    value, begun = 0, False
    for octet in content:
        if not begun and octet == 0x80:
            raise NotDer("an object identifier whose arc begins with a zero")
        value, begun = value << 7 | octet & 0x7F, True
        if octet < 0x80:
            arcs.append(value)
            value, begun = 0, False
    if begun or not arcs:
        raise NotDer("an object identifier that is cut short")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def minimal_integer(content: bytes) -> bool:
    """True if an integer is written in as few octets as can be (X.690 8.3.2)."""
    return len(content) == 1 or (
        len(content) > 1 and not (content[0] == 0 and content[1] < 0x80) and not (content[0] == 0xFF and content[1] > 0x7F)
    )
