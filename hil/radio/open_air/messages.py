"""Messages of the open air's socket, octets to fields and back: ``protocol.md`` beside this file describes them."""

from __future__ import annotations

from collections.abc import Iterator

from firmware_emu.errors import DecodeError

VERSION = 1
JOIN, RADIO, TRANSMIT, DONE = b"J", b"R", b"T", b"D"
WELCOME, FRAME, SENT, ADVANCE = b"W", b"F", b"S", b"A"
NEVER = 0xFFFFFFFFFFFFFFFF
"""The time of a wake that is never due."""
MONITOR = 255
"""The channel of a radio that hears all of them."""
LONGEST = 160
"""The longest message; a PSDU is at most 127 octets."""
SHORTEST_PSDU, LONGEST_PSDU = 5, 127


def _of_octet(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (0x8408 if octet & 1 else 0)
    return octet


_CRC = tuple(_of_octet(octet) for octet in range(256))


def fcs(octets: bytes) -> bytes:
    """The frame check sequence of an MPDU (IEEE 802.15.4-2006 7.2.1.9), as it is sent."""
    crc = 0
    for octet in octets:
        crc = crc >> 8 ^ _CRC[(crc ^ octet) & 0xFF]
    return crc.to_bytes(2, "little")


def microseconds(seconds: float) -> bytes:
    """Bench time as it is told."""
    return round(seconds * 1e6).to_bytes(8, "little")


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A whole message."""
    return (len(body) + 1).to_bytes(2, "little") + kind + body


class Messages:
    """Cuts a stream of octets into messages."""

    def __init__(self) -> None:
        self._octets = bytearray()

    def feed(self, octets: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Each whole message: kind and body. Raises DecodeError for a length that cannot be."""
        self._octets += octets
        while len(self._octets) >= 3:
            length = int.from_bytes(self._octets[:2], "little")
            if not 1 <= length <= LONGEST:
                raise DecodeError(0, "length of a message", f"{length}, expected 1 to {LONGEST}")
            if len(self._octets) < 2 + length:
                return
            kind, body = bytes(self._octets[2:3]), bytes(self._octets[3 : 2 + length])
            del self._octets[: 2 + length]
            yield kind, body
