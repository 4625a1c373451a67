"""Ways through the network: the next hop to each node, and the discovery of one (ZigBee PRO r21 3.4.1, 3.4.2, 3.6.3).

A route is looked for only when a neighbour does not answer, so that an idle home is silent. A concentrator that asks for it gets route
records, and sends along them. Not modelled: link status frames, repair of a route by those on it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

from hil.radio.air.air import Link
from hil.radio.air.frames import BROADCAST_ROUTERS, MacPdu, NwkCommand, NwkPdu, Reader
from hil.radio.stack.nwk_part import NwkPart

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
        read = Reader(npdu.payload, 1)
        relays = tuple(read.uint(2, "relay") for _ in range(read.uint(1, "relay count")))
        self.source[npdu.source] = relays
        return relays

    # from others

    def request(self, npdu: NwkPdu, frame: MacPdu, link: Link) -> None:
        """A Route Request, from the neighbour that sent ``frame``. Raises DecodeError."""
        read = Reader(npdu.payload, 1)
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
        _, number, originator, responder, cost = _REPLY.unpack(Reader(npdu.payload, 1).take(_REPLY.size, "route reply"))
        self.set(responder, via)
        if originator == self._nwk.tokens.short:
            self._end(responder, True)
        elif (originator, number) in self._seen:
            reply = npdu.payload[:1] + _REPLY.pack(0, number, originator, responder, min(255, cost + 1))
            self._nwk.send(self.hop(originator), reply, command=True, source_eui=True)


def link_cost(link: Link) -> int:
    """1 (strong) .. 7 (hardly there), from the link quality (ZigBee PRO r21 3.6.3.1)."""
    return max(1, min(7, 8 - (link.lqi + 1) // 32))
