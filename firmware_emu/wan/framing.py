"""WAN frames as octets: length (u32), kind (u8), sequence (u64), body; all big-endian. This bench's own layout.

``length`` counts kind, sequence and body. No I/O here: :class:`FrameReader` takes octets as they come and gives frames.
"""

from __future__ import annotations

import struct

from firmware_emu.errors import DecodeError
from firmware_emu.wan.base import WanFrame, WanKind

_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">BQ")
LONGEST_BODY = 1 << 20
"""Octets of a body. Profile value of this bench: a far end that announces more is not speaking this protocol."""


def encode(frame: WanFrame) -> bytes:
    """The octets of ``frame``. Raises ValueError for a body over :data:`LONGEST_BODY`."""
    if len(frame.body) > LONGEST_BODY:
        raise ValueError(f"the body has {len(frame.body)} octets: expected at most {LONGEST_BODY}, cut it into several frames")
    return _LENGTH.pack(_HEAD.size + len(frame.body)) + _HEAD.pack(frame.kind, frame.sequence) + frame.body


class FrameReader:
    """Collects octets and cuts them into frames. ``offset`` counts all octets of the connection so far."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self.offset = 0

    def feed(self, octets: bytes) -> list[WanFrame]:
        """The frames that are complete with these octets. Raises DecodeError; the connection is then of no more use."""
        self._octets += octets
        frames: list[WanFrame] = []
        while len(self._octets) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._octets)
            if not _HEAD.size <= length <= _HEAD.size + LONGEST_BODY:
                raise DecodeError(self.offset, "length", f"{length}: expected {_HEAD.size} to {_HEAD.size + LONGEST_BODY}")
            if len(self._octets) < _LENGTH.size + length:
                break
            kind, sequence = _HEAD.unpack_from(self._octets, _LENGTH.size)
            if kind not in WanKind._value2member_map_:
                raise DecodeError(self.offset + _LENGTH.size, "kind", f"{kind}: expected {min(WanKind)} to {max(WanKind)}")
            end = _LENGTH.size + length
            frames.append(WanFrame(WanKind(kind), sequence, bytes(self._octets[_LENGTH.size + _HEAD.size : end])))
            del self._octets[:end]
            self.offset += end
        return frames
