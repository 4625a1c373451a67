"""Payloads: kind of message, message code and first octets tell theirs (reference gbcs-messages 4)."""

from __future__ import annotations

from typing import TypeAlias

from ..errors import DecodeError
from . import asn1, dlms
from .alerts import Undelivered, read_undelivered
from .asn1 import Asn1Alert, Asn1Command, Asn1Response
from .dlms import AccessRequest, AccessResponse, DataNotification
from .envelope import ALERT, COMMAND, KINDS, RESPONSE, Message
from .gbz import Component, GbzAlert, read_gbz, read_gbz_alert

Payload: TypeAlias = (
    "AccessRequest | AccessResponse | DataNotification | tuple[Component, ...] | GbzAlert | Asn1Command | Asn1Response | Asn1Alert | "
    "Undelivered"
)
_UNDELIVERED = 0x00D5
_PROFILE = bytes.fromhex("0109")


def read_payload(message: Message) -> Payload:
    """Raises DecodeError, offsets counted in the whole message."""
    octets, at, code, kind = message.payload, message.payload_offset, message.header.message_code, message.header.kind
    if kind == COMMAND and code in asn1.COMMAND_CODES:
        return asn1.read_asn1_command(octets, at)
    if kind == RESPONSE and code in asn1.COMMAND_CODES:
        return asn1.read_asn1_response(code, octets, at)
    if kind == ALERT and code in asn1.ALERT_CODES:
        return asn1.read_asn1_alert(code, octets, at)
    if kind == ALERT and code == _UNDELIVERED:
        return read_undelivered(octets, at)
    if octets[:2] == _PROFILE:
        return read_gbz_alert(octets, at) if kind == ALERT else read_gbz(octets, at)
    match octets[:1], kind:
        case b"\xd9", 1:
            return dlms.read_access_request(octets, at)
        case b"\xda", 2:
            return dlms.read_access_response(octets, at)
        case b"\x0f", 3:
            return dlms.read_notification(octets, at)
    raise DecodeError(at, "content", f"begins with {octets[:2].hex() or 'nothing'}: no payload of a {KINDS[kind]} {code:04x}")
