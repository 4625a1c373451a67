"""DER values as a tree; :mod:`asn1crypto` reads tags and lengths (reference gbcs-messages 6)."""

from __future__ import annotations

from dataclasses import dataclass

from asn1crypto import parser

from ..errors import DecodeError

_DEEPEST = 8
"""The deepest payload nests to 6 levels; the bound is ours. A certificate is one value and is not entered."""
INTEGER, BIT_STRING, OCTET_STRING, NULL, ENUMERATED, GENERALIZED_TIME, SEQUENCE = 0x02, 0x03, 0x04, 0x05, 0x0A, 0x18, 0x30
_CONSTRUCTED, _HIGH_TAG = 0x20, 0x1F
NAMES = {
    INTEGER: "INTEGER",
    BIT_STRING: "BIT STRING",
    OCTET_STRING: "OCTET STRING",
    NULL: "NULL",
    ENUMERATED: "ENUMERATED",
    GENERALIZED_TIME: "GeneralizedTime",
    SEQUENCE: "SEQUENCE",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One value: ``tag`` octet, ``content``, the ``items`` of a constructed one, its ``octets``; ``shortest``: whether its length is."""

    tag: int
    content: bytes
    items: tuple[Item, ...]
    octets: bytes
    offset: int
    shortest: bool

    @property
    def is_certificate(self) -> bool:
        """A sequence whose first member is a sequence that begins with version [0]: nothing else in these messages looks so."""
        inner = self.content
        return self.tag == SEQUENCE and inner[:1] == b"\x30" and inner[2 + (inner[1] & 0x7F if inner[1] & 0x80 else 0) :][:2] == b"\xa0\x03"

    @property
    def number(self) -> int:
        return int.from_bytes(self.content, "big", signed=True)

    def text(self) -> str:
        """The value in words."""
        if self.is_certificate:
            return f"certificate of {len(self.octets)} octets"
        if self.tag in (INTEGER, ENUMERATED):
            return str(self.number)
        if self.tag == GENERALIZED_TIME:
            return self.content.decode("latin-1")
        return "" if self.items else self.content.hex()


def read_der(octets: bytes, base: int = 0, depth: int = 0) -> tuple[Item, ...]:
    """Values one after the other. Raises DecodeError."""
    if depth > _DEEPEST:
        raise DecodeError(base, "DER value", f"nested deeper than {_DEEPEST}")
    found: list[Item] = []
    at = 0
    while at < len(octets):
        try:
            _, _, _, header, content, trailer = parser.parse(octets[at:], strict=False)
        except ValueError as trouble:
            raise DecodeError(base + at, "DER value", str(trouble)) from trouble
        if trailer or header[0] & _HIGH_TAG == _HIGH_TAG:
            raise DecodeError(base + at, "DER value", f"read {octets[at : at + 2].hex()}, expected a low tag and a definite length")
        size = len(header) + len(content)
        whole = octets[at : at + size]
        start = base + at + len(header)
        item = Item(header[0], content, (), whole, start, len(header) == _header_size(len(content)))
        if header[0] & _CONSTRUCTED and not item.is_certificate:
            item = Item(header[0], content, read_der(content, start, depth + 1), whole, start, item.shortest)
        found.append(item)
        at += size
    return tuple(found)


def _header_size(length: int) -> int:
    return 2 if length < 0x80 else 2 + (length.bit_length() + 7) // 8
