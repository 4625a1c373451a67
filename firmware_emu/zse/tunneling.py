"""The Tunneling cluster 0x0704 under GBCS: fixed parameters, statuses, and the GSME's one-octet header.

Toward ESME, HCALCS and PPMID a TransferData holds a raw GBCS message. The sleepy GSME is client of the CHF's tunnel server and
each TransferData starts with GET, GET-RESPONSE or PUT (reference zigbee-han 7, chts 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from firmware_emu.errors import DecodeError

PROTOCOL = 6
"""GB-HRGP (reference zigbee-han 7)."""
MANUFACTURER = 0xFFFF
MAX_INCOMING = 1500
"""Octets of one TransferData that either end takes."""
CLOSE_TUNNEL_TIMEOUT_S = 0xFFFF
"""The CloseTunnelTimeout attribute: an idle tunnel lives this long."""


class TunnelStatus(IntEnum):
    """Status of a RequestTunnelResponse."""

    SUCCESS = 0
    BUSY = 1
    NO_MORE_TUNNEL_IDS = 2
    PROTOCOL_NOT_SUPPORTED = 3
    FLOW_CONTROL_NOT_SUPPORTED = 4


class TransferStatus(IntEnum):
    """Status of a TransferDataError."""

    NO_SUCH_TUNNEL = 0
    WRONG_DEVICE = 1
    DATA_OVERFLOW = 2


@dataclass(frozen=True, slots=True)
class Get:
    """GSME to CHF: what do you hold for me?"""


@dataclass(frozen=True, slots=True)
class GetResponse:
    """CHF to GSME: ``message`` empty when nothing is held; ``remaining`` messages still wait."""

    remaining: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Put:
    """GSME to CHF: a GBCS message to pass on."""

    message: bytes


MailboxItem: TypeAlias = "Get | GetResponse | Put"

_GET, _GET_RESPONSE, _PUT = 0x01, 0x02, 0x03


def encode_mailbox(item: MailboxItem) -> bytes:
    """The data of a TransferData between GSME and CHF. Raises ValueError for a count over one octet."""
    match item:
        case Get():
            return bytes([_GET])
        case GetResponse(remaining, message):
            return bytes([_GET_RESPONSE, remaining]) + message
        case Put(message):
            return bytes([_PUT]) + message


def decode_mailbox(data: bytes) -> MailboxItem:
    """Read the data of a TransferData between GSME and CHF. Raises DecodeError."""
    if not data:
        raise DecodeError(0, "mailbox header", "no octet, expected GET 01, GET-RESPONSE 02 or PUT 03")
    if data[0] == _GET:
        if len(data) != 1:
            raise DecodeError(1, "mailbox GET", f"{len(data) - 1} octets follow, expected none")
        return Get()
    if data[0] == _GET_RESPONSE:
        if len(data) < 2:
            raise DecodeError(1, "mailbox GET-RESPONSE remaining", "no octet, expected the count of messages that still wait")
        return GetResponse(data[1], data[2:])
    if data[0] == _PUT:
        if len(data) < 2:
            raise DecodeError(1, "mailbox PUT message", "no octets, expected a GBCS message")
        return Put(data[1:])
    raise DecodeError(0, "mailbox header", f"read {data[0]:02X}, expected GET 01, GET-RESPONSE 02 or PUT 03")
