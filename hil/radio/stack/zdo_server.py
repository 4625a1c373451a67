"""A node's ZDO at work: addresses learned, requests answered by the stack or left to the host. The frames are in :mod:`zdo`."""

from __future__ import annotations

import asyncio

from firmware_emu.errors import DecodeError
from hil.radio.air import phy
from hil.radio.stack import zdo
from hil.radio.stack.aps import IncomingApdu
from hil.radio.stack.joining import scan_s
from hil.radio.stack.stack_part import StackPart

ZDO_RECEIVES, ZDO_UNSUPPORTED, ZDO_ENDPOINTS, ZDO_BINDINGS = 0x01, 0x02, 0x04, 0x08
"""EmberZdoConfigurationFlags: the host sees requests the stack answers, gets those it does not know, answers endpoint ones and
bindings itself."""
FOLLOW_S = 0.5
"""From the word to go to another channel until a node goes, so that it has passed the word on; a value of this bench, no clause."""


def received(stack: StackPart, message: IncomingApdu) -> None:
    """A ZDO frame: what the stack learns from it, what it answers, and whether the host is to see it."""
    cluster, payload = message.pdu.cluster, message.pdu.payload
    to_user = bool(cluster & zdo.ANSWER) or cluster == zdo.DEVICE_ANNCE or bool(stack.zdo_flags & ZDO_RECEIVES)
    try:
        if cluster == zdo.DEVICE_ANNCE:
            short, device, capability = zdo.read_announce(payload)
            stack.nwk.learn(short, device)
            stack.nwk.children.announced(device, short, capability)
        elif cluster in (zdo.NWK_ADDR | zdo.ANSWER, zdo.IEEE_ADDR | zdo.ANSWER):
            pair = zdo.read_address(payload)
            if pair is not None:
                stack.nwk.learn(pair[1], pair[0])
        elif not cluster & zdo.ANSWER:
            to_user = _answer(stack, message, to_user)
    except DecodeError:
        stack.nwk.mac.count("zdo_bad_frame")
        return
    if to_user:
        stack.user.incoming(message)


def _answer(stack: StackPart, message: IncomingApdu, to_user: bool) -> bool:
    """True if the host is to see the request. Raises DecodeError."""
    cluster, payload = message.pdu.cluster, message.pdu.payload
    if cluster in zdo.ENDPOINT_REQUESTS and stack.zdo_flags & ZDO_ENDPOINTS:
        return True
    if cluster in zdo.BINDING_REQUESTS and stack.zdo_flags & ZDO_BINDINGS:
        return True
    if not _supported(stack, cluster, payload) and stack.zdo_flags & ZDO_UNSUPPORTED:
        return True
    if cluster in (zdo.BIND, zdo.UNBIND):
        _bind(stack, message)
        return to_user
    if cluster == zdo.MGMT_NWK_UPDATE:
        _update(stack, message)
        return to_user and message.source != stack.tokens.short
    answer = zdo.answer(stack.described(), cluster, payload, broadcast=message.broadcast)
    if answer is not None:
        stack.send_zdo(message.source, cluster | zdo.ANSWER, answer)
    if message.source == stack.tokens.short:
        return False
    if cluster == zdo.MGMT_PERMIT_JOINING and len(payload) >= 2:
        stack.permit(payload[1])
    elif cluster == zdo.MGMT_LEAVE and payload[1:9] in (stack.tokens.eui64.zigbee, bytes(8)):
        stack.leave()
    return to_user


def _supported(stack: StackPart, cluster: int, payload: bytes) -> bool:
    """True if this firmware answers the request itself. Raises DecodeError."""
    if cluster == zdo.MGMT_NWK_UPDATE and not stack.rules.scans:
        return zdo.read_update(payload)[1] > zdo.LONGEST_SCAN
    return cluster in zdo.SUPPORTED


def _bind(stack: StackPart, message: IncomingApdu) -> None:
    """Raises DecodeError."""
    cluster, payload = message.pdu.cluster, message.pdu.payload
    source, binding = zdo.read_binding(payload)
    if not stack.rules.binds and not stack.binds:
        status = zdo.NOT_AUTHORIZED
    elif source != stack.tokens.eui64:
        status = zdo.NOT_SUPPORTED
    elif binding[8] not in stack.endpoints:
        status = zdo.INVALID_EP
    elif cluster == zdo.UNBIND:
        status = zdo.SUCCESS if binding in stack.bindings else zdo.NO_ENTRY
        stack.bindings[:] = [one for one in stack.bindings if one != binding]
    elif binding not in stack.bindings and len(stack.bindings) >= stack.rules.room:
        status = zdo.TABLE_FULL
    else:
        status = zdo.SUCCESS
        if binding not in stack.bindings:
            stack.bindings.append(binding)
    if not message.broadcast:
        stack.send_zdo(message.source, cluster | zdo.ANSWER, payload[:1] + bytes([status]))


def _update(stack: StackPart, message: IncomingApdu) -> None:
    """An energy scan, another channel, or other channels to scan. Raises DecodeError."""
    channels, duration, update_id = zdo.read_update(message.pdu.payload)
    sequence, loop = message.pdu.payload[:1], asyncio.get_running_loop()
    wanted = phy.in_mask(channels)
    if duration == zdo.CHANGE_CHANNEL:
        if wanted:
            own = message.source == stack.tokens.short
            loop.call_later(0.0 if own else FOLLOW_S, stack.change_channel, wanted[0], update_id)
        if not message.broadcast:  # zigpy asks itself in this way and waits for an answer; what is in it is inferred
            told = sequence + b"\x00" + channels.to_bytes(4, "little") + bytes(5)
            stack.send_zdo(message.source, zdo.MGMT_NWK_UPDATE | zdo.ANSWER, told)
    elif duration == zdo.CHANGE_MANAGER or message.broadcast:
        return
    elif not stack.rules.scans:
        stack.send_zdo(message.source, zdo.MGMT_NWK_UPDATE | zdo.ANSWER, sequence + bytes([zdo.NOT_SUPPORTED]))
    elif duration > zdo.LONGEST_SCAN:
        stack.send_zdo(message.source, zdo.MGMT_NWK_UPDATE | zdo.ANSWER, sequence + bytes([zdo.INVALID_REQUEST]))
    else:
        energy = bytes(phy.energy_octet(stack.air.energy(channel)) for channel in wanted)
        told = sequence + b"\x00" + channels.to_bytes(4, "little") + bytes(4) + bytes([len(energy)]) + energy
        seconds = len(wanted) * scan_s(duration)
        loop.call_later(seconds, stack.send_zdo, message.source, zdo.MGMT_NWK_UPDATE | zdo.ANSWER, told)
