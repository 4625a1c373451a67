"""Targets of the fuzzer: every decoder of ``firmware_emu.gbcs`` over one input, with what must hold of each.

Only DecodeError may leave a decoder, and what decodes must encode again to the octets it came from. An input that starts with DD or DF is a
message; otherwise its first octet picks a decoder (:data:`DECODERS`) and the rest is what that one reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.alerts import DeliveryFailure, GbzAlert, read_alert
from firmware_emu.gbcs.asn1 import Asn1Payload, types_by_code
from firmware_emu.gbcs.axdr import decode_data
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, DataNotification, open_protected
from firmware_emu.gbcs.envelope import Message, OtherInformation
from firmware_emu.gbcs.explain import explain
from firmware_emu.gbcs.gbt import BlockReassembly, TransferBlock
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.gbcs.tree import TreeNode
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.gbcs.verify import check_message
from firmware_emu.gbcs.zcl_layouts import decode_zcl, encode_zcl, given
from firmware_emu.ids import CraFlag

_NO_KEYS = Keystore("no keys")
_ASN1_TYPES = sorted(set(types_by_code().values()))


class DecodesDifferently(AssertionError):
    """Decoded value that encodes to other octets, or whose explanation leaves octets out."""


def _same(what: str, encoded: bytes, octets: bytes) -> None:
    if encoded != octets:
        raise DecodesDifferently(f"{what}: {octets.hex()} encodes as {encoded.hex()}")


def _message(octets: bytes) -> None:
    message = Message.decode(octets)
    _same("envelope", replace(message).encode(), octets)
    payload = decode_payload(message)
    _same("payload", payload.encode(), message.payload)
    if isinstance(payload, Gbz):
        _zcl(payload)
    _alert(message)
    _same("explanation", b"".join(_octets(node) for node in explain(octets).nodes), octets)
    check_message(message, _NO_KEYS)


def _alert(message: Message) -> None:
    payload = decode_payload(message)
    if message.header.cra is CraFlag.ALERT and isinstance(payload, DataNotification | GbzAlert | Asn1Payload | DeliveryFailure):
        try:
            read_alert(message.message_code, payload, message.payload_offset)
        except DecodeError:
            return  # an alert whose content is of another layout is still a message


def _octets(node: TreeNode) -> bytes:
    return node.octets + b"".join(_octets(child) for child in node.children)


def _zcl(payload: Gbz) -> None:
    for component in payload.components:
        if component.encrypted:
            continue
        try:
            command = decode_zcl(component, component.payload)
        except DecodeError:
            continue  # the message is readable as GBZ all the same
        if command is not None:
            again = encode_zcl(component.cluster, component.frame_control, component.command, given(command.fields))
            _same(command.layout.name, again, component.payload)


def _gbz(octets: bytes) -> None:
    payload = Gbz.decode(octets)
    _same("GBZ", payload.encode(), octets)
    _zcl(payload)


def _asn1(octets: bytes) -> None:
    name = _ASN1_TYPES[octets[0] % len(_ASN1_TYPES)] if octets else "NoContent"
    _same(name, Asn1Payload.decode_as(name, octets[1:]).encode(), octets[1:])


def _blocks(octets: bytes) -> None:
    """Blocks one after the other, each after an octet that says how long it is."""
    reassembly = BlockReassembly(max_octets=4096)
    while octets:
        size = 1 + octets[0]
        block = TransferBlock.decode(octets[1:size])
        _same("transfer block", block.encode(), octets[1:size])
        if reassembly.add(block) is not None:
            return
        octets = octets[size:]


DECODERS: tuple[Callable[[bytes], None], ...] = (
    lambda octets: _same("A-XDR data", decode_data(octets).encode(), octets),
    lambda octets: _same("access request", AccessRequest.decode(octets).encode(), octets),
    lambda octets: _same("access response", AccessResponse.decode(octets).encode(), octets),
    lambda octets: _same("data notification", DataNotification.decode(octets).encode(), octets),
    lambda octets: _same("GBZ alert", GbzAlert.decode(octets).encode(), octets),
    lambda octets: _same("delivery failure", DeliveryFailure.decode(octets).encode(), octets),
    lambda octets: _same("other information", OtherInformation.decode(octets).encode(), octets),
    lambda octets: _same("protected attributes", open_protected(octets).encode(), octets),
    _gbz,
    _asn1,
    _blocks,
)


def decode(octets: bytes) -> bool:
    """Run one input; whether it decoded. Anything but DecodeError escapes, and so does :class:`DecodesDifferently`."""
    try:
        if octets[:1] in (b"\xdd", b"\xdf"):
            _message(octets)
        elif octets:
            DECODERS[octets[0] % len(DECODERS)](octets[1:])
    except DecodeError:
        return False
    return True
