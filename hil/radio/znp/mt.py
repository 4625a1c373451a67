"""MT frames of a ZNP: SOF, length, type and subsystem, id, data, XOR of all but SOF (reference ezsp-ncp 9 has none; as zigpy-znp)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import xor

SOF = 0xFE
MAX_DATA = 250


class MtKind(IntEnum):
    """Type of a frame."""

    POLL = 0
    SREQ = 1
    AREQ = 2
    SRSP = 3


@dataclass(frozen=True, slots=True)
class MtFrame:
    """One frame; ``data`` at most :data:`MAX_DATA` octets."""

    kind: MtKind
    subsystem: int
    command: int
    data: bytes

    def encode(self) -> bytes:
        body = bytes([len(self.data), self.kind << 5 | self.subsystem, self.command]) + self.data
        return bytes([SOF]) + body + bytes([reduce(xor, body)])


class Parser:
    """Octets in any pieces -> frames. What stands between frames and frames with a wrong check are dropped, as firmware does."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.damaged = 0

    def clear(self) -> None:
        self._buffer.clear()

    def feed(self, octets: bytes) -> Iterator[MtFrame]:
        self._buffer += octets
        while True:
            start = self._buffer.find(SOF)
            del self._buffer[: start if start >= 0 else len(self._buffer)]
            if len(self._buffer) < 5:
                return
            length = self._buffer[1]
            if length <= MAX_DATA and len(self._buffer) < length + 5:
                return
            body = bytes(self._buffer[1 : length + 5])
            if length > MAX_DATA or reduce(xor, body) or body[1] >> 5 > MtKind.SRSP:
                self.damaged += 1
                del self._buffer[0]
                continue
            del self._buffer[: length + 5]
            yield MtFrame(MtKind(body[1] >> 5), body[1] & 0x1F, body[2], body[3:-1])
