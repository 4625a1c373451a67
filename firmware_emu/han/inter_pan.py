"""Inter-PAN frames: APS without a network, as a hand-held terminal speaks to a hub (stub NWK and stub APS headers).

Layout: ZigBee Smart Energy 1.2 annex B (recalled; the tshark dissector agrees). Nothing protects them; what crosses in them has to
protect itself, as key establishment does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from firmware_emu.errors import DecodeError
from firmware_emu.han.base import SMART_ENERGY
from firmware_emu.ids import Eui64

BROADCAST = 0xFFFF
MAX_PAYLOAD = 95
"""Octets of ASDU beside two EUI-64 in one MAC frame of 127 octets."""
_NWK_STUB = b"\x0b\x00"
_UNICAST, _BROADCAST, _GROUP = 0x03, 0x0B, 0x0F
_DATA, _ACK, _COMPRESSED, _SHORT, _LONG = 1, 0x20, 0x40, 2, 3


@dataclass(frozen=True, slots=True)
class InterPanFrame:
    """An ASDU outside any network. ``group`` is set in a frame to a group."""

    cluster: int
    payload: bytes
    profile: int = SMART_ENERGY
    group: int | None = None


@dataclass(frozen=True, slots=True)
class InterPanSender:
    """Sender of an inter-PAN frame: its EUI-64, the PAN it is on (0xFFFF: none), and whether it went to all."""

    eui64: Eui64
    pan: int
    broadcast: bool = False


InterPanReceiver = Callable[[InterPanSender, InterPanFrame], None]


def encode(frame: InterPanFrame, source: Eui64, source_pan: int, destination: Eui64 | int, pan: int, sequence: int = 0) -> bytes:
    """The whole MAC frame, without FCS. ``destination``: an EUI-64, or a short address (:data:`BROADCAST`) on ``pan``."""
    to_all = destination == BROADCAST
    mode = _SHORT if isinstance(destination, int) else _LONG
    control = _DATA | mode << 10 | _LONG << 14
    if not to_all:
        control |= _ACK
    address = destination.to_bytes(2, "little") if isinstance(destination, int) else destination.zigbee
    mac = struct.pack("<HBH", control, sequence, pan) + address + struct.pack("<H", source_pan) + source.zigbee
    if frame.group is not None:
        stub = bytes([_GROUP]) + struct.pack("<H", frame.group)
    else:
        stub = bytes([_BROADCAST if to_all else _UNICAST])
    return mac + _NWK_STUB + stub + struct.pack("<HH", frame.cluster, frame.profile) + frame.payload


def decode(octets: bytes) -> tuple[InterPanSender, InterPanFrame]:
    """From a whole MAC frame without FCS. Raises DecodeError for one that is no inter-PAN frame."""
    control = int.from_bytes(octets[:2], "little")
    modes = control >> 10 & 3, control >> 14 & 3
    if len(octets) < 3 or control & 7 != _DATA or modes[0] not in (_SHORT, _LONG) or modes[1] != _LONG:
        raise DecodeError(0, "MAC frame control", f"0x{control:04x}, expected data with an EUI-64 as its source")
    at = 5 + (2 if modes[0] == _SHORT else 8)
    to_all = modes[0] == _SHORT and octets[5:7] == b"\xff\xff"
    pan = octets[3:5] if control & _COMPRESSED else octets[at : at + 2]
    at += 0 if control & _COMPRESSED else 2
    source, stub = octets[at : at + 8], octets[at + 8 :]
    if len(stub) < 3 or stub[0] & 3 != 3 or stub[2] & 3 != 3:
        raise DecodeError(at + 8, "NWK and APS stub", f"{stub[:3].hex()}, expected frame type 3 in both")
    grouped = stub[2] >> 2 & 3 == 3
    rest = stub[5:] if grouped else stub[3:]
    if len(rest) < 4:
        raise DecodeError(len(octets), "APS stub", f"{len(rest)} octets after its control, expected cluster and profile")
    cluster, profile = struct.unpack("<HH", rest[:4])
    group = int.from_bytes(stub[3:5], "little") if grouped else None
    sender = InterPanSender(Eui64.from_zigbee(source), int.from_bytes(pan, "little"), to_all or grouped)
    return sender, InterPanFrame(cluster, rest[4:], profile, group)
