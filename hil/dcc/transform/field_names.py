"""Naming the field of a GBCS message at an offset."""

from __future__ import annotations

from firmware_emu.gbcs.dlms import AccessRequest
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Gbz

_HEADER = (
    (1, "CRA flag"),
    (2, "originator counter"),
    (10, "originator"),
    (19, "recipient"),
    (28, "header date-time"),
    (29, "other-information length"),
    (30, "message code"),
    (32, "supplementary party"),
    (40, "supplementary counter"),
    (48, "supplementary certificate"),
)


def field_at(message: Message, offset: int) -> str:
    """The name of the field at ``offset`` of the encoded message."""
    payload = message.payload_offset
    if offset >= payload + len(message.payload):
        return "signature" if message.signature else "end of message"
    if offset >= payload:
        return _payload_field(message.payload, offset - payload)
    start = payload - (len(message.signed_bytes) - len(message.payload))
    if offset < start:
        return "general-ciphering header"
    within = offset - start
    if within >= payload - start - 1 and len(message.payload) < 128:
        return "content length"
    name = "transaction-id length"
    for begin, candidate in _HEADER:
        if within >= begin:
            name = candidate
    return name


def _payload_field(payload: bytes, offset: int) -> str:
    if payload[:1] == b"\xd9":
        return _access_field(AccessRequest.decode(payload), offset)
    if payload[:2] == b"\x01\x09":
        at = 3
        parts = Gbz.decode(payload).components
        for number, component in enumerate(parts):
            size = len(component.encode(number == len(parts) - 1))
            if offset < at + size:
                return f"component {number} (cluster {component.cluster:04x}, command {component.command:02x}), octet {offset - at}"
            at += size
        return "number of components"
    return f"payload octet {offset}"


def _access_field(request: AccessRequest, offset: int) -> str:
    at = 6
    if offset < at:
        return "long-invoke-id"
    at += 1
    for number, specification in enumerate(request.specifications):
        size = len(specification.encode())
        if offset < at + size:
            return f"access {number} (class {specification.class_id}, {specification.obis.hex()}, {specification.attribute})"
        at += size
    at += 1
    for number, data in enumerate(request.data):
        size = len(data.encode())
        if offset < at + size:
            return f"data {number}, octet {offset - at}"
        at += size
    return "end of the access request"
