"""APS commands as a node receives them: keys for itself, keys to pass on to a child, and a router's word about its children.

Layouts: ZigBee PRO r21 4.4.9 (recalled; the tshark dissector agrees).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from hil.radio.air.frames import ApsCommand, ApsKind, ApsPdu, Reader, Update
from hil.radio.stack.security import KeyId
from hil.radio.stack.trust import COORDINATOR, NETWORK_KEY_TYPE

if TYPE_CHECKING:
    from hil.radio.stack.stack import Stack

_EVERYONE = Eui64(bytes(8))


def received(stack: Stack, source: Eui64 | None, pdu: ApsPdu, key_id: KeyId | None, nwk_secured: bool) -> None:
    """One APS command; ``key_id`` is None where APS did not protect it. What does not hold is counted and dropped."""
    read = Reader(pdu.payload)
    try:
        command = read.uint(1, "APS command")
        if command == ApsCommand.TRANSPORT_KEY:
            _transport_key(stack, source, read, key_id, nwk_secured)
        elif command == ApsCommand.SWITCH_KEY:
            sequence = read.uint(1, "key sequence")
            tokens = stack.tokens
            from_centre = nwk_secured and source == tokens.tc_eui64
            if from_centre and tokens.new_key_sequence() and sequence == tokens.alternate_sequence:
                stack.key_switched()
        elif command == ApsCommand.UPDATE_DEVICE:
            _update_device(stack, source, read, nwk_secured)
        elif command == ApsCommand.TUNNEL:
            _tunnel(stack, source, read, nwk_secured)
    except DecodeError:
        stack.nwk.mac.count("aps_bad_frame")


def _transport_key(stack: Stack, source: Eui64 | None, read: Reader, key_id: KeyId | None, nwk_secured: bool) -> None:
    """The network key to a node that joins, under the key-transport key of its link key; the next one to a node on the network."""
    if read.uint(1, "key type") != NETWORK_KEY_TYPE:
        return
    key, sequence = read.take(16, "network key"), read.uint(1, "key sequence")
    destination, centre = read.eui("destination"), read.eui("trust centre")
    tokens = stack.tokens
    addressed = destination == tokens.eui64 and key_id is KeyId.TRANSPORT
    waiting = stack.awaited_key
    if waiting is not None and not waiting.done() and addressed:
        waiting.set_result((key, sequence, centre))
    elif stack.running and nwk_secured and source == centre == tokens.tc_eui64 and (addressed or destination == _EVERYONE):
        if sequence != tokens.key_sequence:
            tokens.alternate_key, tokens.alternate_sequence = key, sequence
            tokens.save()
    else:
        stack.nwk.mac.count("aps_link_key_not_authorized")


def tell_trust_centre(stack: Stack, device: Eui64, short: int, update: Update) -> None:
    """A router's Update-Device, under its link key with the Trust Centre where it has one."""
    payload = bytes([ApsCommand.UPDATE_DEVICE]) + device.zigbee + short.to_bytes(2, "little") + bytes([update])
    pdu = ApsPdu(ApsKind.COMMAND, stack.aps.next_sequence(), addressed=False, payload=payload)
    centre = stack.tokens.tc_eui64
    key = None if centre is None else stack.link_key(centre)
    stack.nwk.send(0, pdu.encode() if key is None else stack.aps.seal(pdu, key, KeyId.LINK))


def _update_device(stack: Stack, source: Eui64 | None, read: Reader, nwk_secured: bool) -> None:
    device, short, status = read.eui("device"), read.uint(2, "short address"), read.uint(1, "status")
    parent = stack.nwk.shorts.get(source) if source is not None else None
    if stack.tokens.node_type != COORDINATOR or not nwk_secured or parent is None or status > max(Update):
        return
    if status == Update.LEFT:
        stack.trust.left(device, short)
    else:
        stack.trust.joined(device, short, Update(status), parent)


def _tunnel(stack: Stack, source: Eui64 | None, read: Reader, nwk_secured: bool) -> None:
    """A key for a child that cannot read the network's frames yet goes on without NWK security."""
    device = read.eui("destination")
    child = stack.tokens.children.get(device)
    if child is not None and nwk_secured and source == stack.tokens.tc_eui64:
        stack.nwk.send(child.short, read.rest(), secured=False)
