"""Payloads: the message code and the first octets tell their kind (reference gbcs-messages 4)."""

from __future__ import annotations

from typing import TypeAlias

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.alerts import DELIVERY_FAILURE, DeliveryFailure, GbzAlert
from firmware_emu.gbcs.asn1 import Asn1Payload, codes
from firmware_emu.gbcs.dlms import ACCESS_REQUEST, ACCESS_RESPONSE, DATA_NOTIFICATION, AccessRequest, AccessResponse, DataNotification
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import PROFILE, Gbz
from firmware_emu.ids import CraFlag

Payload: TypeAlias = AccessRequest | AccessResponse | DataNotification | Gbz | GbzAlert | Asn1Payload | DeliveryFailure


def decode_payload(message: Message) -> Payload:
    """Read a message's payload to its last octet. Raises DecodeError, offsets counted in the encoded message."""
    return decode_octets(message.payload, message.message_code, message.header.cra, message.payload_offset)


def decode_octets(octets: bytes, message_code: int, cra: CraFlag, offset: int = 0) -> Payload:
    """The same for payload octets taken out of their message; ``offset`` is where they stood."""
    if (message_code, int(cra)) in codes():
        return Asn1Payload.decode(octets, message_code, cra, offset)
    if message_code == DELIVERY_FAILURE:
        return DeliveryFailure.decode(octets, offset)
    if octets[:2] == PROFILE:
        return GbzAlert.decode(octets, offset) if cra is CraFlag.ALERT else Gbz.decode(octets, offset)
    first = octets[:1]
    if first == bytes((ACCESS_REQUEST,)) and cra is CraFlag.COMMAND:
        return AccessRequest.decode(octets, offset)
    if first == bytes((ACCESS_RESPONSE,)) and cra is CraFlag.RESPONSE:
        return AccessResponse.decode(octets, offset)
    if first == bytes((DATA_NOTIFICATION,)) and cra is CraFlag.ALERT:
        return DataNotification.decode(octets, offset)
    raise DecodeError(offset, "payload", f"starts with {octets[:2].hex()}: no payload of a {cra.name.lower()} {message_code:04x}")
