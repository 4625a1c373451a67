"""Duties of a parent to its children: association, rejoin, end device timeouts."""

from __future__ import annotations

import asyncio

from firmware_emu.ids import Eui64
from hil.radio.air.frames import NwkCommand, Update
from hil.radio.stack.nwk_part import NwkPart, NwkUser
from hil.radio.stack.tokens import Child

CHILDREN = 32
"""End devices and routers one node takes (EZSP's default of CONFIG_MAX_END_DEVICE_CHILDREN)."""
MAX_DEPTH = 15
AUTHENTICATION_S = 10.0
"""Seconds for which a child of a router may hold a short address without ever using the network key; a value of this bench, no clause."""
MAX_TIMEOUT = 10
"""Highest end device timeout enumeration a parent grants, 1,024 minutes (GBCS 10.7.3, reference chts 3)."""
COORDINATOR = 1


class Children:
    """The child side of one node's NWK layer; the table itself is in the tokens."""

    __slots__ = ("_heard", "_life", "_nwk", "_user", "permit_until")

    def __init__(self, nwk: NwkPart, user: NwkUser) -> None:
        self._nwk = nwk
        self._user = user
        self._heard: dict[Eui64, float] = {}
        self._life = 0
        self.permit_until = 0.0

    def stop(self) -> None:
        self._life += 1
        self._heard.clear()
        self.permit_until = 0.0

    @property
    def permitting(self) -> bool:
        return self.permit_until > asyncio.get_running_loop().time()

    @property
    def capacity(self) -> bool:
        """True if another child is taken."""
        return len(self._nwk.tokens.children) < CHILDREN and self._nwk.tokens.depth < MAX_DEPTH

    def associate(self, device: Eui64, capability: int) -> tuple[int, int] | None:
        """Short address and status for an association response; None: no answer."""
        nwk, tokens = self._nwk, self._nwk.tokens
        if not nwk.routes_for_others or not self.permitting or not self.capacity:
            return None
        nwk.mac.count("join_indication")
        old = tokens.children.get(device)
        short = old.short if old is not None else nwk.free_short()
        if old is not None:
            nwk.mac.release(old.short)
        child = tokens.children[device] = Child(short, capability)
        nwk.forget_counter(device)
        self._heard.pop(device, None)
        nwk.learn(short, device)
        tokens.save()
        self.watch(device, child)
        return short, 0

    def association_sent(self, device: Eui64, ok: bool) -> None:
        """The association response was fetched, or was not."""
        child = self._nwk.tokens.children.get(device)
        if child is None or child.authenticated:
            return
        if ok:
            self._user.child_joined(device, child, Update.UNSECURED_JOIN)
            if self._nwk.tokens.node_type != COORDINATOR:
                asyncio.get_running_loop().call_later(AUTHENTICATION_S, self._expect, device, child, self._life)
        else:
            self.forget(device)

    def _expect(self, device: Eui64, child: Child, life: int) -> None:
        if life == self._life and self._nwk.tokens.children.get(device) is child and not child.authenticated:
            self.forget(device)

    def rejoin(self, device: Eui64, short: int, capability: int, *, secured: bool) -> None:
        """A rejoin: the Device keeps its address. ``secured``: it holds the network key, else the trust centre has to give it that.

        Without the key nothing is proven: a Device that is known stays where it is, and is told its address again."""
        nwk, tokens = self._nwk, self._nwk.tokens
        child = tokens.children.get(device)
        given = short
        if child is None:
            child = tokens.children[device] = Child(short, capability, authenticated=secured)
        elif secured or not child.authenticated:
            child.short, child.capability, child.authenticated = short, capability, secured
        else:
            given = child.short
        if secured:
            nwk.learn(short, device)
        else:
            nwk.expect(short, device)
        tokens.save()
        self.watch(device, child)
        answer = bytes([NwkCommand.REJOIN_RESPONSE]) + given.to_bytes(2, "little") + b"\x00"
        nwk.send(short, answer, command=True, secured=secured, radius=1, destination_eui=device, source_eui=True)
        self._user.child_joined(device, child, Update.SECURED_REJOIN if secured else Update.UNSECURED_REJOIN)

    def grant_timeout(self, device: Eui64, short: int, wanted: int) -> None:
        """Answer an End Device Timeout Request: granted up to :data:`MAX_TIMEOUT`, else incorrect value."""
        granted = wanted <= MAX_TIMEOUT
        if granted:
            self._nwk.tokens.children[device].timeout = wanted
            self._nwk.tokens.save()
        self._nwk.send(short, bytes([NwkCommand.END_DEVICE_TIMEOUT_RESPONSE, 0 if granted else 1, 1]), command=True, radius=1)

    def forget(self, device: Eui64) -> None:
        child = self._nwk.tokens.children.pop(device, None)
        if child is not None:
            self._nwk.mac.release(child.short)
            self._nwk.mac.release(device)
            self._heard.pop(device, None)
            self._nwk.mac.count("child_removed")
            self._nwk.tokens.save()
            self._user.child_gone(device, child)

    def heard(self, device: Eui64, *, authentic: bool = True) -> None:
        """``device`` has sent something; ``authentic``: under the network key, so it has the key."""
        child = self._nwk.tokens.children.get(device)
        if child is None:
            return
        self._heard[device] = asyncio.get_running_loop().time()
        if authentic and not child.authenticated:
            child.authenticated = True
            self._nwk.tokens.save()

    def watch(self, device: Eui64, child: Child) -> None:
        """Forget an end device that is silent for its timeout; routers do not age."""
        if child.router or device in self._heard:
            return
        loop = asyncio.get_running_loop()
        self._heard[device] = loop.time()
        loop.call_later(timeout_s(child.timeout), self._check, device, child, self._life)

    def _check(self, device: Eui64, child: Child, life: int) -> None:
        if life != self._life or self._nwk.tokens.children.get(device) is not child:
            return
        loop = asyncio.get_running_loop()
        left = self._heard.get(device, 0.0) + timeout_s(child.timeout) - loop.time()
        if left > 0:
            loop.call_later(left, self._check, device, child, life)
        else:
            self.forget(device)


def timeout_s(enumeration: int) -> float:
    """End device timeout: 0 is 10 s, n is 2**n minutes (ZigBee PRO r21 3.4.11)."""
    return 10.0 if enumeration == 0 else 60.0 * (1 << enumeration)
