"""The tables of a node's NWK layer: its children, and the next hop to each other node (ZigBee PRO r21 3.4.1, 3.4.2, 3.6.3).

Duties of a parent are association, rejoin and end device timeouts. A route is looked for only when a neighbour does not answer, so that an
idle home is silent. A concentrator that asks for it gets route records, and sends along them. Not modelled: link status frames, repair of
a route by those on it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import BROADCAST_ROUTERS, AirReader, MacPdu, NwkCommand, NwkPdu, Update
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
        if old is not None and old.authenticated:
            return old.short, 0  # whoever asks has proven nothing: the trust centre may give it the network key anew
        short = old.short if old is not None else nwk.free_short()
        if old is not None:
            nwk.mac.release(old.short)
        child = tokens.children[device] = Child(short, capability, claimed=device in nwk.shorts)
        self._heard.pop(device, None)
        nwk.expect(short, device)
        tokens.save()
        self.watch(device, child)
        return short, 0

    def association_sent(self, device: Eui64, ok: bool) -> None:
        """The association response was fetched, or was not."""
        child = self._nwk.tokens.children.get(device)
        if child is None or (child.authenticated and not ok):
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

        Without the key nothing is proven: a Device that is known stays where it is, and is told its address again; one that is known as
        no child of this node (its own parent, a neighbour) becomes one by its announcement only, for its ordinary frames prove the key
        and not the claim."""
        nwk, tokens = self._nwk, self._nwk.tokens
        child = tokens.children.get(device)
        given = short
        if child is None:
            if not secured and (not self.capacity or nwk.addresses.get(short, device) != device):
                return  # no room for it, or the address is another's
            claimed = not secured and device in nwk.shorts
            child = tokens.children[device] = Child(short, capability, authenticated=secured, claimed=claimed)
            if not secured:
                asyncio.get_running_loop().call_later(AUTHENTICATION_S, self._expect, device, child, self._life)
        elif secured or not child.authenticated:
            child.short, child.capability, child.authenticated = short, capability, secured
            child.claimed = child.claimed and not secured
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
            if self._nwk.addresses.get(child.short, device) == device:
                self._nwk.mac.release(child.short)
            self._nwk.mac.release(device)
            self._nwk.expect_no_more(child.short, device)
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
        if authentic and not child.authenticated and not child.claimed:
            child.authenticated = True
            self._nwk.tokens.save()

    def announced(self, device: Eui64, short: int, capability: int) -> None:
        """``device`` has announced itself under the network key: a rejoin that was claimed so is true."""
        child = self._nwk.tokens.children.get(device)
        if child is not None and child.claimed and (child.short, child.capability) == (short, capability):
            child.authenticated, child.claimed = True, False
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


DISCOVERY_S = 0.4
"""Waiting time for the first answer; a value of this bench, no clause."""
HOPELESS_S = 5.0
"""After a discovery that found nothing the next one waits so long; a value of this bench, no clause."""
_REQUEST = struct.Struct("<BBHB")
_REPLY = struct.Struct("<BBHHB")
_MANY_TO_ONE = 0x08
"""Route request option: many-to-one, the sender keeps route records."""

Found = Callable[[bool], None]


class Routes:
    """The routing table of one node, and the searches that fill it."""

    __slots__ = ("_hopeless", "_hops", "_id", "_nwk", "_seen", "_unrecorded", "_waiting", "source")

    def __init__(self, nwk: NwkPart) -> None:
        self._nwk = nwk
        self._id = 0
        self.clear()

    def clear(self) -> None:
        """RAM lost: searches end with nothing."""
        self._hops: dict[int, int] = {}
        self._hopeless: dict[int, float] = {}
        self._seen: dict[tuple[int, int], int] = {}
        self._waiting: dict[int, list[Found]] = {}
        self._unrecorded: set[int] = set()
        self.source: dict[int, tuple[int, ...]] = {}
        """Destination -> relays, the one nearest to the destination first."""

    @property
    def table(self) -> list[tuple[int, int]]:
        """Destinations that are not neighbours, and the next hop to each."""
        return list(self._hops.items())

    def hop(self, destination: int) -> int:
        return self._hops.get(destination, destination)

    def set(self, destination: int, via: int) -> None:
        """Frames to ``destination`` go to the neighbour ``via`` first."""
        if via == destination:
            self._hops.pop(destination, None)
        else:
            self._hops[destination] = via

    def forget(self, destination: int) -> None:
        self._hops.pop(destination, None)

    # searching

    def discover(self, destination: int, found: Found) -> None:
        """Ask everybody for a way; ``found`` is called once. At once with False where the last search was in vain just now."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._hopeless.get(destination, 0.0):
            loop.call_soon(found, False)
            return
        waiting = self._waiting.setdefault(destination, [])
        waiting.append(found)
        if len(waiting) > 1:
            return
        self._id = self._id + 1 & 0xFF
        self._seen[self._nwk.tokens.short, self._id] = 0
        request = bytes([NwkCommand.ROUTE_REQUEST]) + _REQUEST.pack(0, self._id, destination, 0)
        self._nwk.send(BROADCAST_ROUTERS, request, command=True, source_eui=True)
        loop.call_later(DISCOVERY_S, self._give_up, waiting, destination)

    def _give_up(self, waiting: list[Found], destination: int) -> None:
        if self._waiting.get(destination) is waiting:
            self._hopeless[destination] = asyncio.get_running_loop().time() + HOPELESS_S
            self._end(destination, False)

    def _end(self, destination: int, how: bool) -> None:
        for found in self._waiting.pop(destination, ()):
            found(how)

    # many-to-one

    def call_all(self) -> None:
        """Many-to-one Route Request: every router learns the way here, and tells its own before it sends next."""
        self._id = self._id + 1 & 0xFF
        self._seen[self._nwk.tokens.short, self._id] = 0
        request = bytes([NwkCommand.ROUTE_REQUEST]) + _REQUEST.pack(_MANY_TO_ONE, self._id, BROADCAST_ROUTERS, 0)
        self._nwk.send(BROADCAST_ROUTERS, request, command=True, source_eui=True)

    def before_sending(self, destination: int) -> None:
        """The route record that a concentrator is owed, ahead of the first frame to it."""
        if destination in self._unrecorded:
            self._unrecorded.discard(destination)
            if self._nwk.first_hop(destination) != destination:
                self._nwk.send(destination, bytes([NwkCommand.ROUTE_RECORD, 0]), command=True, source_eui=True)

    def passing(self, payload: bytes) -> bytes:
        """A route record with this relay in it."""
        return payload[:1] + bytes([payload[1] + 1]) + payload[2:] + self._nwk.tokens.short.to_bytes(2, "little")

    def recorded(self, npdu: NwkPdu) -> tuple[int, ...]:
        """The relays of a route record that has arrived, from its sender on. Raises DecodeError."""
        read = AirReader(npdu.payload, 1)
        relays = tuple(read.uint(2, "relay") for _ in range(read.uint(1, "relay count")))
        self.source[npdu.source] = relays
        return relays

    # from others

    def request(self, npdu: NwkPdu, frame: MacPdu, link: Link) -> None:
        """A Route Request, from the neighbour that sent ``frame``. Raises DecodeError."""
        read = AirReader(npdu.payload, 1)
        options, number, destination, cost = _REQUEST.unpack(read.take(_REQUEST.size, "route request"))
        nwk = self._nwk
        cost = min(255, cost + link_cost(link))
        known = self._seen.get((npdu.source, number))
        if not isinstance(frame.source, int) or not nwk.routes_for_others or (known is not None and known <= cost):
            return
        if known is None and len(self._seen) > 64:
            del self._seen[next(iter(self._seen))]
        self._seen[npdu.source, number] = cost
        self.set(npdu.source, frame.source)
        if options & _MANY_TO_ONE:
            self._unrecorded.add(npdu.source)
        elif destination == nwk.tokens.short or nwk.has_end_device(destination):
            reply = bytes([NwkCommand.ROUTE_REPLY]) + _REPLY.pack(0, number, npdu.source, destination, 0)
            nwk.send(frame.source, reply, command=True, source_eui=True)
            return
        if npdu.radius > 1:
            request = npdu.payload[:1] + _REQUEST.pack(options, number, destination, cost) + read.rest()
            nwk.relay_broadcast(npdu, request)

    def reply(self, npdu: NwkPdu, via: int) -> None:
        """A Route Reply, on its way back from ``via``. Raises DecodeError."""
        _, number, originator, responder, cost = _REPLY.unpack(AirReader(npdu.payload, 1).take(_REPLY.size, "route reply"))
        self.set(responder, via)
        if originator == self._nwk.tokens.short:
            self._end(responder, True)
        elif (originator, number) in self._seen:
            reply = npdu.payload[:1] + _REPLY.pack(0, number, originator, responder, min(255, cost + 1))
            self._nwk.send(self.hop(originator), reply, command=True, source_eui=True)


def link_cost(link: Link) -> int:
    """1 (strong) .. 7 (hardly there), from the link quality (ZigBee PRO r21 3.6.3.1)."""
    return max(1, min(7, 8 - (link.lqi + 1) // 32))
