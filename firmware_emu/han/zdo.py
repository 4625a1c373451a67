"""The ZDO requests that a HAN radio makes of its partners, and what it reads of theirs. Octets only, no radio."""

from __future__ import annotations

from firmware_emu.errors import DecodeError
from firmware_emu.han.base import SMART_ENERGY
from firmware_emu.ids import Eui64
from firmware_emu.zse.zcl import ZclReader

NWK_ADDRESS_REQUEST = 0x0000
IEEE_ADDRESS_REQUEST = 0x0001
MATCH_DESCRIPTOR_REQUEST = 0x0006
DEVICE_ANNOUNCE = 0x0013
PERMIT_JOINING_REQUEST = 0x0036
RESPONSE = 0x8000
"""Added to a request's cluster id."""

_STATUS = {
    0x00: "SUCCESS",
    0x80: "INV_REQUESTTYPE",
    0x81: "DEVICE_NOT_FOUND",
    0x82: "INVALID_EP",
    0x83: "NOT_ACTIVE",
    0x84: "NOT_SUPPORTED",
    0x85: "TIMEOUT",
    0x86: "NO_MATCH",
}


def encode_match(sequence: int, short: int, cluster: int, *, server: bool) -> bytes:
    """Match_Desc_req for profile 0x0109 and one cluster; ``server``: whoever serves it."""
    wanted = bytes([1]) + cluster.to_bytes(2, "little")
    lists = wanted + b"\x00" if server else b"\x00" + wanted
    return bytes([sequence]) + short.to_bytes(2, "little") + SMART_ENERGY.to_bytes(2, "little") + lists


def decode_match_response(payload: bytes) -> tuple[int, ...]:
    """Endpoints of a Match_Desc_rsp; none where nothing matches. Raises DecodeError."""
    reader = ZclReader(payload, 1)
    status = reader.number(1, "Match_Desc_rsp status")
    if status != 0:
        return ()
    reader.number(2, "Match_Desc_rsp address")
    return tuple(reader.take(reader.number(1, "Match_Desc_rsp count"), "Match_Desc_rsp endpoints"))


def encode_permit(sequence: int, seconds: int) -> bytes:
    """Mgmt_Permit_Joining_req, without change to the trust centre's own policy."""
    return bytes([sequence, seconds, 0])


def encode_ieee_request(sequence: int, short: int) -> bytes:
    """IEEE_addr_req for a single device."""
    return bytes([sequence]) + short.to_bytes(2, "little") + b"\x00\x00"


def encode_nwk_request(sequence: int, device: Eui64) -> bytes:
    """NWK_addr_req for a single device."""
    return bytes([sequence]) + device.zigbee + b"\x00\x00"


def decode_address_response(payload: bytes) -> tuple[Eui64, int]:
    """Device and short address of an IEEE_addr_rsp or NWK_addr_rsp. Raises DecodeError."""
    reader = ZclReader(payload, 1)
    status = reader.number(1, "address response status")
    if status != 0:
        raise DecodeError(1, "address response status", f"read {_STATUS.get(status, hex(status))}, expected SUCCESS")
    return Eui64.from_zigbee(reader.take(8, "address response device")), reader.number(2, "address response short address")


def decode_announce(payload: bytes) -> tuple[Eui64, int]:
    """Device and short address of a Device_annce. Raises DecodeError."""
    reader = ZclReader(payload, 1)
    short = reader.number(2, "Device_annce short address")
    return Eui64.from_zigbee(reader.take(8, "Device_annce device")), short
