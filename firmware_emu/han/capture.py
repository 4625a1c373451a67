"""Captures of the HAN that Wireshark opens: pcapng with channel, RSSI and LQI of each frame, and the key file beside it.

Link type 283, IEEE 802.15.4 TAP, without FCS (reference validators 2). Keys inside a pcapng are ignored by Wireshark for ZigBee, so
they go into ``zigbee_pc_keys``: **that file exports the keys of the HAN**, is made for its owner alone (mode 0600), and is written
only where somebody asks for it.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from firmware_emu.clock import EPOCH

LINKTYPE_TAP = 283
KEY_FILE_NAME = "zigbee_pc_keys"
"""Wireshark reads it from its configuration folder; WIRESHARK_CONFIG_DIR names another one."""

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_NAME, _RESOLUTION, _APPLICATION = 2, 9, 4
_TAP_FCS, _TAP_RSS, _TAP_CHANNEL, _TAP_LQI = 0, 1, 3, 10
_MICROSECONDS = 1_000_000


class Sniffed(Protocol):
    """A frame as the air tells it: bench time in s since 2000, channel, octets without FCS, RSSI in dBm, LQI 0..255."""

    @property
    def time(self) -> float: ...
    @property
    def channel(self) -> int: ...
    @property
    def octets(self) -> bytes: ...
    @property
    def rssi(self) -> int: ...
    @property
    def lqi(self) -> int: ...


class CaptureWriter:
    """Writes frames to a pcapng file, each at once, so that a killed run keeps its capture. Time stamps are bench time."""

    def __init__(self, path: Path, *, interface: str = "han0") -> None:
        """Makes the file, or empties it. Raises OSError."""
        self._file: BinaryIO = path.open("wb")
        self.frames = 0
        header = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(_APPLICATION, b"commshub") + _option(0, b"")
        self._file.write(_block(_SECTION, header))
        described = _option(_NAME, interface.encode()) + _option(_RESOLUTION, b"\x06") + _option(0, b"")
        self._file.write(_block(_INTERFACE, struct.pack("<HHI", LINKTYPE_TAP, 0, 0) + described))
        self._file.flush()

    def __call__(self, frame: Sniffed) -> None:
        """Write one frame."""
        packet = _tap(frame) + frame.octets
        stamp = round((EPOCH.timestamp() + frame.time) * _MICROSECONDS)
        head = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(packet), len(packet))
        self._file.write(_block(_PACKET, head + _padded(packet)))
        self._file.flush()
        self.frames += 1

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class KeyFile:
    """A Wireshark key file: whoever holds it reads the HAN. Mode 0600, appended to, one line a key."""

    def __init__(self, path: Path) -> None:
        """``path``: the file, or the folder in which ``zigbee_pc_keys`` is made. Raises OSError."""
        self.path = path / KEY_FILE_NAME if path.is_dir() else path
        self._known: set[bytes] = set()
        os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        self.path.chmod(0o600)

    def add(self, key: bytes, label: str) -> None:
        """Export one key (16 octets): the network key, a link key or the link key of an install code."""
        if len(key) != 16:
            raise ValueError(f"a ZigBee key has 16 octets, this one {len(key)}")
        if key in self._known:
            return
        self._known.add(key)
        with self.path.open("a", encoding="ascii") as file:
            file.write(f'"{key.hex(":")}","Normal","{label}"\n')


def _tap(frame: Sniffed) -> bytes:
    values = b"".join(
        (
            _value(_TAP_FCS, b"\x00"),
            _value(_TAP_RSS, struct.pack("<f", frame.rssi)),
            _value(_TAP_CHANNEL, _channel(frame.channel)),
            _value(_TAP_LQI, bytes([frame.lqi])),
        )
    )
    return struct.pack("<BBH", 0, 0, 4 + len(values)) + values


def _channel(channel: int) -> bytes:
    """Number and page; below 1 GHz the channel octet of EZSP has bit 7, and the page above 28 in bits 6 and 5."""
    return struct.pack("<HB", channel & 0x1F, 28 + (channel >> 5 & 3)) if channel & 0x80 else struct.pack("<HB", channel, 0)


def _value(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", kind, len(value)) + _padded(value)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)
