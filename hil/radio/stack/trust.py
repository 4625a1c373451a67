"""The Trust Centre of a coordinator: who gets the network key, under which link key, and what the host is told; its APS commands.

A Device gets in only under a link key held for its EUI-64 (transient, from the install code), or, where the policy does not ask for
install codes, under the wildcard key or the one that is built into the firmware. Decisions are told as trustCenterJoinHandler does
(reference ezsp-ncp 4).
"""

from __future__ import annotations

import asyncio
from enum import IntEnum, IntFlag

from firmware_emu.crypto.aes_mmo import load_key, transport_key
from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from hil.radio.air.frames import BROADCAST, AirReader, ApsCommand, ApsKind, ApsPdu, DeliveryMode, Update
from hil.radio.stack.nwk import KeyId
from hil.radio.stack.stack_part import StackPart
from hil.radio.stack.status import Status

_EVERYONE = Eui64(bytes(8))
WILDCARD = Eui64(b"\xff" * 8)
TRANSIENT_KEY_S = 300.0
"""Seconds for which a permitted key is held (EmberZNet's default of value 0x3B, recalled)."""
AUTHENTICATION_S = 10.0
"""Seconds for which a child may hold a short address without ever using the network key; a value of this bench, no clause."""
NETWORK_KEY_TYPE, APPLICATION_KEY_TYPE = 1, 3
REQUEST_APPLICATION_KEY = 2
COORDINATOR = 1


class Policy(IntFlag):
    """Decision bits of the trust centre policy."""

    ALLOW_JOINS = 0x01
    ALLOW_UNSECURED_REJOINS = 0x02
    JOINS_USE_INSTALL_CODE_KEY = 0x10


class Decision(IntEnum):
    """EmberJoinDecision."""

    USE_PRECONFIGURED_KEY = 0
    DENY_JOIN = 2
    NO_ACTION = 3


class KeyStatus(IntEnum):
    """EmberKeyStatus: what became of a key that was asked for."""

    APP_LINK_KEY_ESTABLISHED = 0x01
    TC_APP_KEY_SENT_TO_REQUESTER = 0x07
    TC_NO_LINK_KEY_FOR_REQUESTER = 0x0A
    TC_REQUESTER_EUI64_UNKNOWN = 0x0B
    TC_REJECTED_APP_KEY_REQUEST = 0x11


class TrustCentre:
    """The part of a coordinator's stack that admits Devices."""

    __slots__ = ("_drawn", "_stack", "_transient", "application_keys", "global_key", "policy")

    def __init__(self, stack: StackPart) -> None:
        self._stack = stack
        self._transient: dict[Eui64, tuple[bytes, float]] = {}
        self.policy = Policy.ALLOW_JOINS
        self.application_keys = False
        """True if two Devices get a link key between them when one asks for it."""
        self.global_key: bytes | None = None
        """Key that is built into the firmware: who holds it gets in where no install code is asked for."""
        self._drawn = 0

    def permit_key(self, device: Eui64, key: bytes) -> None:
        """Hold ``key`` for ``device`` (or :data:`WILDCARD`) for :data:`TRANSIENT_KEY_S`."""
        self._transient[device] = (key, asyncio.get_running_loop().time() + TRANSIENT_KEY_S)

    def forget_keys(self) -> None:
        self._transient.clear()

    def keys(self) -> dict[Eui64, bytes]:
        """Permitted keys still in force."""
        now = asyncio.get_running_loop().time()
        self._transient = {device: (key, until) for device, (key, until) in self._transient.items() if until > now}
        return {device: key for device, (key, _) in self._transient.items()}

    def key_for(self, device: Eui64) -> bytes | None:
        return self.keys().get(device)

    def _admission_key(self, device: Eui64) -> bytes | None:
        if not self.policy & Policy.ALLOW_JOINS:
            return None
        keys = self.keys()
        if self.policy & Policy.JOINS_USE_INSTALL_CODE_KEY:
            return keys.get(device)
        return keys.get(device) or keys.get(WILDCARD) or self.global_key

    def joined(self, device: Eui64, short: int, update: Update, parent: int) -> None:
        """A Device has associated or rejoined, here or (``parent``) with a router."""
        stack = self._stack
        if update is Update.SECURED_REJOIN:
            stack.user.trust_centre_join(short, device, update, Decision.NO_ACTION, parent)
            return
        if update is Update.UNSECURED_REJOIN:
            key = stack.link_key(device) if self.policy & Policy.ALLOW_UNSECURED_REJOINS else None
        else:
            key = self._admission_key(device)
        if key is None:
            child = stack.tokens.children.get(device)
            if parent == stack.tokens.short and not (child is not None and child.authenticated):
                stack.nwk.children.forget(device)  # a child that has proven itself stays: whoever asked in its name has not
            stack.user.trust_centre_join(short, device, update, Decision.DENY_JOIN, parent)
            return
        stack.user.trust_centre_join(short, device, update, Decision.USE_PRECONFIGURED_KEY, parent)
        if parent != stack.tokens.short:
            stack.nwk.learn(short, device)
            stack.nwk.routes.set(short, parent)
            stack.nwk.forget_counter(device)
        elif update is Update.UNSECURED_JOIN:
            stack.nwk.forget_counter(device)  # it may come with a memory as new, to which nothing that waits is of use
            stack.nwk.mac.release(short)
        self._transport(device, short, key, parent)
        if parent == stack.tokens.short:
            asyncio.get_running_loop().call_later(AUTHENTICATION_S, self._expect, device, short)

    def _transport(self, device: Eui64, short: int, link_key: bytes, parent: int) -> None:
        """The network key in force; to a Device behind a router in a Tunnel command."""
        stack = self._stack
        tokens = stack.tokens
        assert tokens.network_key is not None, "a coordinator without a network key takes no children"
        sealed = self._sealed(device, link_key, tokens.network_key, tokens.key_sequence)
        if sealed is None:
            return
        if parent == tokens.short:
            stack.nwk.send(short, sealed, secured=False)
            return
        tunnel = bytes([ApsCommand.TUNNEL]) + device.zigbee + sealed
        stack.nwk.send(parent, ApsPdu(ApsKind.COMMAND, stack.aps.next_sequence(), addressed=False, payload=tunnel).encode())

    def _sealed(self, device: Eui64, link_key: bytes, key: bytes, sequence: int) -> bytes | None:
        stack = self._stack
        payload = _transported(key, sequence, device, stack.tokens.eui64)
        command = ApsPdu(ApsKind.COMMAND, stack.aps.next_sequence(), addressed=False, payload=payload)
        return stack.aps.sealed(command, transport_key(link_key), KeyId.TRANSPORT)

    def _expect(self, device: Eui64, short: int) -> None:
        stack = self._stack
        child = stack.tokens.children.get(device)
        if stack.running and child is not None and child.short == short and not child.authenticated:
            stack.nwk.children.forget(device)
            self.left(device, short)

    def left(self, device: Eui64, short: int) -> None:
        stack = self._stack
        stack.user.trust_centre_join(short, device, Update.LEFT, Decision.NO_ACTION, stack.tokens.short)

    # application link keys (reference ncp-real 9)

    def asked_for_key(self, requester: Eui64, partner: Eui64) -> None:
        """A Device wants a link key with another: both get the same, each under its own link key with this node."""
        stack = self._stack
        if not self.application_keys:
            stack.user.key_told(requester, KeyStatus.TC_REJECTED_APP_KEY_REQUEST)
            return
        keys = {device: stack.link_key(device) for device in (requester, partner)}
        if stack.nwk.shorts.get(partner) is None:
            stack.user.key_told(partner, KeyStatus.TC_REQUESTER_EUI64_UNKNOWN)
            return
        if None in keys.values():
            stack.user.key_told(requester, KeyStatus.TC_NO_LINK_KEY_FOR_REQUESTER)
            return
        self._drawn += 1
        key = stack.air.random(f"{stack.tokens.eui64} application key {self._drawn} {stack.aps.counter}").randbytes(16)
        for device, other, initiator in ((requester, partner, 1), (partner, requester, 0)):
            held = keys[device]
            assert held is not None, "looked at above"
            payload = bytes([ApsCommand.TRANSPORT_KEY, APPLICATION_KEY_TYPE]) + key + other.zigbee + bytes([initiator])
            command = ApsPdu(ApsKind.COMMAND, stack.aps.next_sequence(), addressed=False, payload=payload)
            octets = stack.aps.sealed(command, load_key(held), KeyId.LOAD)
            if octets is not None:
                stack.nwk.send(stack.nwk.shorts[device], octets)
        stack.user.key_told(requester, KeyStatus.TC_APP_KEY_SENT_TO_REQUESTER)

    # a new network key (ZigBee PRO r21 4.6.3.4)

    def broadcast_next_key(self, key: bytes | None) -> Status:
        """Give all that listen the next network key (None: drawn here), under the one in force. It is not used before the switch."""
        stack = self._stack
        tokens = stack.tokens
        if not stack.running or tokens.node_type != COORDINATOR:
            return Status.INVALID_CALL
        tokens.alternate_sequence = tokens.key_sequence + 1 & 0xFF
        tokens.alternate_key = key or stack.air.random(f"{tokens.eui64} key {tokens.nwk_counter}").randbytes(16)
        tokens.save()
        self._broadcast(_transported(tokens.alternate_key, tokens.alternate_sequence, Eui64(bytes(8)), tokens.eui64))
        return Status.SUCCESS

    def send_next_key(self, device: Eui64, short: int, key: bytes) -> Status:
        """Give one Device the next network key, under its link key."""
        stack = self._stack
        tokens = stack.tokens
        link_key = stack.link_key(device)
        if not stack.running or tokens.node_type != COORDINATOR:
            return Status.INVALID_CALL
        if link_key is None:
            return Status.NOT_FOUND
        sequence = tokens.key_sequence + 1 & 0xFF
        tokens.alternate_key, tokens.alternate_sequence = key, sequence
        tokens.save()
        sealed = self._sealed(device, link_key, key, sequence)
        if sealed is not None:
            stack.nwk.send(short, sealed)
        return Status.SUCCESS

    def send_current_key(self, device: Eui64, short: int, parent: int) -> Status:
        """Give one Device the network key in force, through its parent, under its link key."""
        stack = self._stack
        link_key = stack.link_key(device)
        if not stack.running or stack.tokens.node_type != COORDINATOR:
            return Status.INVALID_CALL
        if link_key is None:
            return Status.NOT_FOUND
        self._transport(device, short, link_key, parent)
        return Status.SUCCESS

    def broadcast_switch(self) -> Status:
        """All take the next network key; this node does when the command is on the air, still under the old key."""
        stack = self._stack
        tokens = stack.tokens
        if not stack.running or tokens.node_type != COORDINATOR or not tokens.new_key_sequence():
            return Status.INVALID_CALL
        self._broadcast(bytes([ApsCommand.SWITCH_KEY, tokens.alternate_sequence]))
        stack.key_switched()
        return Status.SUCCESS

    def _broadcast(self, payload: bytes) -> None:
        stack = self._stack
        command = ApsPdu(ApsKind.COMMAND, stack.aps.next_sequence(), DeliveryMode.BROADCAST, addressed=False, payload=payload)
        stack.nwk.send(BROADCAST, command.encode())


def _transported(key: bytes, sequence: int, device: Eui64, centre: Eui64) -> bytes:
    """Transport-Key with a network key; ``device`` is all zero in a broadcast."""
    return bytes([ApsCommand.TRANSPORT_KEY, NETWORK_KEY_TYPE]) + key + bytes([sequence]) + device.zigbee + centre.zigbee


# the APS commands that bring keys and tell of Devices, at every node


def received(stack: StackPart, trust: TrustCentre, source: Eui64 | None, pdu: ApsPdu, key_id: KeyId | None, nwk_secured: bool) -> None:
    """One APS command; ``key_id`` is None where APS did not protect it. What does not hold is counted and dropped."""
    read = AirReader(pdu.payload)
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
            _update_device(stack, trust, source, read, nwk_secured)
        elif command == ApsCommand.REQUEST_KEY:
            if read.uint(1, "key type") == REQUEST_APPLICATION_KEY and source is not None and key_id is KeyId.LINK and nwk_secured:
                partner = read.eui("partner")
                if stack.tokens.node_type == COORDINATOR:
                    trust.asked_for_key(source, partner)
        elif command == ApsCommand.TUNNEL:
            _tunnel(stack, source, read, nwk_secured)
    except DecodeError:
        stack.nwk.mac.count("aps_bad_frame")


def _transport_key(stack: StackPart, source: Eui64 | None, read: AirReader, key_id: KeyId | None, nwk_secured: bool) -> None:
    """The network key to a node that joins, under the key-transport key of its link key; the next one to a node on the network."""
    kind = read.uint(1, "key type")
    if kind == APPLICATION_KEY_TYPE:
        _application_key(stack, source, read, key_id)
        return
    if kind != NETWORK_KEY_TYPE:
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


def _application_key(stack: StackPart, source: Eui64 | None, read: AirReader, key_id: KeyId | None) -> None:
    key, partner = read.take(16, "link key"), read.eui("partner")
    if key_id is not KeyId.LOAD or source is None or source != stack.tokens.tc_eui64:
        stack.nwk.mac.count("aps_link_key_not_authorized")
        return
    stack.keep_link_key(partner, key)
    stack.user.key_told(partner, KeyStatus.APP_LINK_KEY_ESTABLISHED)


def request_key(stack: StackPart, partner: Eui64) -> Status:
    """Ask the trust centre for a link key with ``partner``; NOT_FOUND where this node has none with the trust centre itself."""
    centre = stack.tokens.tc_eui64
    key = None if centre is None else stack.link_key(centre)
    if not stack.running or stack.tokens.node_type == COORDINATOR:
        return Status.INVALID_CALL
    if key is None:
        return Status.NOT_FOUND
    payload = bytes([ApsCommand.REQUEST_KEY, REQUEST_APPLICATION_KEY]) + partner.zigbee
    command = ApsPdu(ApsKind.COMMAND, stack.aps.next_sequence(), addressed=False, payload=payload)
    octets = stack.aps.sealed(command, key, KeyId.LINK)
    if octets is None:
        return Status.APS_ENCRYPTION_ERROR
    stack.nwk.send(0, octets)
    return Status.SUCCESS


def tell_trust_centre(stack: StackPart, device: Eui64, short: int, update: Update) -> None:
    """A router's Update-Device, under its link key with the Trust Centre where it has one."""
    payload = bytes([ApsCommand.UPDATE_DEVICE]) + device.zigbee + short.to_bytes(2, "little") + bytes([update])
    pdu = ApsPdu(ApsKind.COMMAND, stack.aps.next_sequence(), addressed=False, payload=payload)
    centre = stack.tokens.tc_eui64
    key = None if centre is None else stack.link_key(centre)
    octets = pdu.encode() if key is None else stack.aps.sealed(pdu, key, KeyId.LINK)
    if octets is not None:
        stack.nwk.send(0, octets)


def _update_device(stack: StackPart, trust: TrustCentre, source: Eui64 | None, read: AirReader, nwk_secured: bool) -> None:
    device, short, status = read.eui("device"), read.uint(2, "short address"), read.uint(1, "status")
    parent = stack.nwk.shorts.get(source) if source is not None else None
    if stack.tokens.node_type != COORDINATOR or not nwk_secured or parent is None or status > max(Update):
        return
    if status == Update.LEFT:
        trust.left(device, short)
    else:
        trust.joined(device, short, Update(status), parent)


def _tunnel(stack: StackPart, source: Eui64 | None, read: AirReader, nwk_secured: bool) -> None:
    """A key for a child that cannot read the network's frames yet goes on without NWK security."""
    device = read.eui("destination")
    child = stack.tokens.children.get(device)
    if child is not None and nwk_secured and source == stack.tokens.tc_eui64:
        stack.nwk.forget_counter(device)  # the trust centre lets it in, with a memory as new or not
        stack.nwk.send(child.short, read.rest(), secured=False)
