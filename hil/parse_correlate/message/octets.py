"""Octets taken from the front, with the place in the message for every complaint."""

from __future__ import annotations

from typing import NoReturn

from ..errors import DecodeError


class Octets:
    """A stretch of a message being read. ``base`` is the offset of its first octet in the whole message."""

    def __init__(self, data: bytes, base: int = 0) -> None:
        self.data = data
        self.base = base
        self.at = 0

    @property
    def offset(self) -> int:
        return self.base + self.at

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def fail(self, place: str, problem: str) -> NoReturn:
        """Raise DecodeError at the present offset."""
        raise DecodeError(self.offset, place, problem)

    def take(self, count: int, place: str) -> bytes:
        """The next ``count`` octets. Raises DecodeError where fewer are left."""
        if count > self.left:
            self.fail(place, f"{count} octets expected, {self.left} left")
        found = self.data[self.at : self.at + count]
        self.at += count
        return found

    def number(self, size: int, place: str) -> int:
        """A big-endian number without sign."""
        return int.from_bytes(self.take(size, place), "big")

    def expect(self, wanted: bytes, place: str) -> None:
        """Exactly these octets. Raises DecodeError."""
        found = self.data[self.at : self.at + len(wanted)]
        if found != wanted:
            self.fail(place, f"read {found.hex() or 'nothing'}, expected {wanted.hex()}")
        self.at += len(wanted)

    def length(self, place: str) -> int:
        """A length by the BER rule in its shortest form (GBCS messages use no other in envelope and DLMS). Raises DecodeError."""
        first = self.number(1, place)
        if first < 0x80:
            return first
        size = first - 0x80
        if size not in (1, 2, 3):
            self.fail(place, f"read {first:02x}, expected a length of at most three octets")
        found = self.number(size, place)
        if found < 0x80 or found < 1 << (8 * (size - 1)):
            self.fail(place, f"length {found} is not in its shortest form")
        return found

    def counted(self, place: str) -> bytes:
        """Octets behind their length."""
        return self.take(self.length(f"{place} length"), place)

    def end(self, place: str) -> None:
        """Nothing may be left. Raises DecodeError."""
        if self.left:
            self.fail(place, f"{self.left} octets more than expected")
