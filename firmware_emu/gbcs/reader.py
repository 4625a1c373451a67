"""A bounded cursor over octets, the only way the decoders of this package touch their input."""

from __future__ import annotations

from typing import NoReturn

from firmware_emu.errors import DecodeError, TooLong

MAX_LENGTH = 0xFFFF


def length_octets(length: int) -> bytes:
    """A length in the minimal BER form used everywhere in the envelope and in A-XDR (reference gbcs-messages 1.2).

    Raises TooLong above 65,535, which ``82 nn nn`` cannot say.
    """
    if length < 0x80:
        return bytes((length,))
    if length < 0x100:
        return bytes((0x81, length))
    if length > MAX_LENGTH:
        raise TooLong("a length", length, MAX_LENGTH)
    return b"\x82" + length.to_bytes(2, "big")


class Reader:
    """A cursor over ``data[position:end]``. Errors count from the outermost message, in which ``data[0]`` stands at ``base``."""

    __slots__ = ("base", "data", "end", "position")

    def __init__(self, data: bytes, base: int = 0, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.base = base
        self.position = position
        self.end = len(data) if end is None else end

    @property
    def offset(self) -> int:
        """Offset of the next octet in the outermost message."""
        return self.base + self.position

    @property
    def remaining(self) -> int:
        return self.end - self.position

    def fail(self, field: str, problem: str, *, back: int = 0) -> NoReturn:
        """Raise DecodeError for ``field`` at the next octet, or ``back`` octets before it."""
        raise DecodeError(self.base + self.position - back, field, problem)

    def take(self, count: int, field: str) -> bytes:
        start = self.position
        stop = start + count
        if stop > self.end:
            self.fail(field, f"needs {count} octets, {self.end - start} are left")
        self.position = stop
        return self.data[start:stop]

    def rest(self) -> bytes:
        return self.take(self.remaining, "rest")

    def u8(self, field: str) -> int:
        position = self.position
        if position >= self.end:
            self.fail(field, "needs 1 octet, 0 are left")
        self.position = position + 1
        return self.data[position]

    def uint(self, count: int, field: str) -> int:
        """Big-endian unsigned of ``count`` octets."""
        return int.from_bytes(self.take(count, field), "big")

    def length(self, field: str) -> int:
        """A minimal BER length that the rest of the data can hold."""
        position = self.position
        if position < self.end:
            short = self.data[position]
            if short < 0x80 and short < self.end - position:
                self.position = position + 1
                return short
        count = self.count(field)
        if count > self.end - self.position:
            self.fail(field, f"length {count} exceeds the {self.end - self.position} octets left", back=len(length_octets(count)))
        return count

    def counted(self, field: str) -> bytes:
        """The octets behind their minimal BER length; ``field`` names the length."""
        start = self.position + 1
        if start < self.end:
            stop = start + self.data[start - 1]
            if stop <= self.end and stop - start < 0x80:
                self.position = stop
                return self.data[start:stop]
        return self.take(self.length(field), field)

    def count(self, field: str) -> int:
        """A number in minimal BER length form."""
        first = self.u8(field)
        if first < 0x80:
            return first
        if first == 0x81:
            value = self.u8(field)
            if value < 0x80:
                self.fail(field, f"length {value} is not in its shortest form", back=2)
            return value
        if first != 0x82:
            self.fail(field, f"length octet {first:02x}: expected below 80, 81 or 82", back=1)
        value = self.uint(2, field)
        if value < 0x100:
            self.fail(field, f"length {value} is not in its shortest form", back=3)
        return value

    def expect(self, wanted: bytes, field: str) -> None:
        found = self.take(len(wanted), field)
        if found != wanted:
            self.fail(field, f"read {found.hex()}, expected {wanted.hex()}", back=len(wanted))

    def sized(self, count: int, field: str) -> Reader:
        """A reader of the next ``count`` octets, which are consumed here."""
        if count > self.end - self.position:
            self.fail(field, f"needs {count} octets, {self.end - self.position} are left")
        inner = Reader(self.data, self.base, self.position, self.position + count)
        self.position += count
        return inner

    def finish(self, field: str) -> None:
        """Raise DecodeError unless everything has been read."""
        if self.position != self.end:
            self.fail(field, f"{self.end - self.position} octets are left over after the last field")
