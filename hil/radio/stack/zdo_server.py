"""A node's ZDO at work: addresses learned, requests answered by the stack or left to the host. The frames are in :mod:`zdo`."""

from __future__ import annotations

from firmware_emu.errors import DecodeError
from hil.radio.stack import zdo
from hil.radio.stack.aps import Incoming
from hil.radio.stack.stack_part import StackPart

ZDO_RECEIVES, ZDO_UNSUPPORTED, ZDO_ENDPOINTS = 0x01, 0x02, 0x04
"""EmberZdoConfigurationFlags: the host sees requests the stack answers, gets those it does not know, answers endpoint ones itself."""


def received(stack: StackPart, message: Incoming) -> None:
    """A ZDO frame: what the stack learns from it, what it answers, and whether the host is to see it."""
    cluster, payload = message.pdu.cluster, message.pdu.payload
    to_user = bool(cluster & zdo.ANSWER) or cluster == zdo.DEVICE_ANNCE or bool(stack.zdo_flags & ZDO_RECEIVES)
    try:
        if cluster == zdo.DEVICE_ANNCE:
            short, device, _ = zdo.read_announce(payload)
            stack.nwk.learn(short, device)
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


def _answer(stack: StackPart, message: Incoming, to_user: bool) -> bool:
    """Whether the host is to see the request. Raises DecodeError."""
    cluster, payload = message.pdu.cluster, message.pdu.payload
    if cluster in zdo.ENDPOINT_REQUESTS and stack.zdo_flags & ZDO_ENDPOINTS:
        return True
    if cluster not in zdo.SUPPORTED and stack.zdo_flags & ZDO_UNSUPPORTED:
        return True
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
