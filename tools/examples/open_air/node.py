"""A node of the open air in Python, with the standard library alone: it scans all channels and tells each network that it hears.

    python node.py 127.0.0.1 9000 0011223344556677

The protocol is hil/radio/open_air/protocol.md. In warp time a scan of sixteen channels takes as long as its few frames.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator

SCAN_US = 138_240
NEVER = 0xFFFFFFFFFFFFFFFF
BEACON_REQUEST = bytes.fromhex("0308 00 ffff ffff 07")


def fcs(octets: bytes) -> bytes:
    crc = 0
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return struct.pack("<H", crc)


class Node:
    """One radio. ``now`` is bench time in microseconds since 2000."""

    def __init__(self, host: str, port: int, eui64: str) -> None:
        self.now, self._owed = 0, False
        self._line = socket.create_connection((host, port))
        self._say(b"J", b"\x01" + bytes.fromhex(eui64)[::-1])
        assert self.next_event(NEVER)[0] == b"W"

    def _say(self, kind: bytes, body: bytes) -> None:
        self._line.sendall(struct.pack("<H", len(body) + 1) + kind + body)

    def _take(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            piece = self._line.recv(count - len(octets))
            if not piece:
                sys.exit("node: the air has hung up")
            octets += piece
        return octets

    def next_event(self, wake: int) -> tuple[bytes, bytes]:
        """Done with the last event: the next one, which comes at ``wake`` at the latest."""
        if self._owed:
            self._say(b"D", struct.pack("<Q", wake))
        (length,) = struct.unpack("<H", self._take(2))
        told = self._take(length)
        self._owed = True
        (self.now,) = struct.unpack("<Q", told[1:9])
        return told[:1], told[9:]

    def scan(self, channel: int) -> Iterator[tuple[int, bytes]]:
        """Signal and octets of each beacon on a channel."""
        self._say(b"R", bytes([channel]))
        self._say(b"T", bytes([channel]) + BEACON_REQUEST + fcs(BEACON_REQUEST))
        wake = NEVER
        while True:
            kind, body = self.next_event(wake)
            if kind == b"S":
                wake = self.now + SCAN_US
            elif kind == b"A" and self.now >= wake:
                return
            elif kind == b"F" and body[3] & 7 == 0:
                yield struct.unpack("b", body[1:2])[0], body[3:-2]


def main() -> None:
    node = Node(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    for channel in range(11, 27):
        for signal, beacon in node.scan(channel):
            pan, short = struct.unpack("<HH", beacon[3:7])
            open_for_joining = bool(beacon[8] & 0x80)
            print(f"channel {channel}: PAN {pan:04x}, node {short:04x}, {signal} dBm{', lets devices in' if open_for_joining else ''}")
    print(f"scanned until {node.now} us")


main()
