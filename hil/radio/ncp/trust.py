"""The Trust Centre of a coordinator: who gets the network key, under which link key, and what the host is told.

A Device gets in only under a link key held for its EUI-64 (transient, from the install code), or the wildcard key where the
policy does not ask for install codes. Decisions are told as trustCenterJoinHandler does (reference ezsp-ncp 4).
"""

from __future__ import annotations

import asyncio
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from firmware_emu.crypto.aes_mmo import transport_key
from firmware_emu.ids import Eui64
from hil.radio.ncp.frames import ApsCommand, ApsKind, ApsPdu
from hil.radio.ncp.security import KeyId
from hil.radio.ncp.tokens import Child

if TYPE_CHECKING:
    from hil.radio.ncp.stack import Stack

WILDCARD = Eui64(b"\xff" * 8)
TRANSIENT_KEY_S = 300.0
"""How long a permitted key is held (EmberZNet's default of value 0x3B, recalled)."""
AUTHENTICATION_S = 10.0
"""How long a child may hold a short address without ever using the network key; a value of this bench, no clause."""
NETWORK_KEY_TYPE = 1


class Policy(IntFlag):
    """Decision bits of the trust centre policy."""

    ALLOW_JOINS = 0x01
    ALLOW_UNSECURED_REJOINS = 0x02
    JOINS_USE_INSTALL_CODE_KEY = 0x10


class Update(IntEnum):
    """EmberDeviceUpdate."""

    SECURED_REJOIN = 0
    UNSECURED_JOIN = 1
    LEFT = 2


class Decision(IntEnum):
    """EmberJoinDecision."""

    USE_PRECONFIGURED_KEY = 0
    DENY_JOIN = 2
    NO_ACTION = 3


class TrustCentre:
    """The part of a coordinator's stack that admits Devices."""

    __slots__ = ("_stack", "_transient", "policy")

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._transient: dict[Eui64, tuple[bytes, float]] = {}
        self.policy = Policy.ALLOW_JOINS

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
        return keys.get(device) or keys.get(WILDCARD)

    def joined(self, device: Eui64, child: Child, rejoin: bool) -> None:
        """A Device has associated or rejoined."""
        stack = self._stack
        if rejoin:
            stack.user.trust_centre_join(child.short, device, Update.SECURED_REJOIN, Decision.NO_ACTION, stack.tokens.short)
            return
        key = self._admission_key(device)
        if key is None:
            stack.nwk.children.forget(device)
            stack.user.trust_centre_join(child.short, device, Update.UNSECURED_JOIN, Decision.DENY_JOIN, stack.tokens.short)
            return
        stack.user.trust_centre_join(child.short, device, Update.UNSECURED_JOIN, Decision.USE_PRECONFIGURED_KEY, stack.tokens.short)
        self._transport(device, child, key)
        asyncio.get_running_loop().call_later(AUTHENTICATION_S, self._expect, device, child)

    def _transport(self, device: Eui64, child: Child, link_key: bytes) -> None:
        stack = self._stack
        tokens = stack.tokens
        assert tokens.network_key is not None, "a coordinator without a network key takes no children"
        payload = (
            bytes([ApsCommand.TRANSPORT_KEY, NETWORK_KEY_TYPE]) + tokens.network_key + bytes([tokens.key_sequence])
            + device.zigbee + tokens.eui64.zigbee
        )
        command = ApsPdu(ApsKind.COMMAND, stack.aps.next_sequence(), addressed=False, payload=payload)
        stack.nwk.send(child.short, stack.aps.seal(command, transport_key(link_key), KeyId.TRANSPORT), secured=False)

    def _expect(self, device: Eui64, child: Child) -> None:
        stack = self._stack
        if stack.running and not child.authenticated and stack.tokens.children.get(device) is child:
            stack.nwk.children.forget(device)
            self.left(device, child.short)

    def left(self, device: Eui64, short: int) -> None:
        stack = self._stack
        stack.user.trust_centre_join(short, device, Update.LEFT, Decision.NO_ACTION, stack.tokens.short)
