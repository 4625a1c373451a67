"""Serves the simulated air on a socket: each connection is a radio of a program that nobody here wrote.

A node hears whole frames and acknowledges by itself; its word decides whether a frame of ours was acknowledged. On a warp clock, bench
time is held from each event until the node is done with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from firmware_emu.clock import Clock
from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from firmware_emu.ownership import ServedPort
from hil.radio.air.air import ALL_CHANNELS, Air, Link
from hil.radio.air.frames import Address, MacKind, MacPdu
from hil.radio.open_air.messages import (
    ADVANCE,
    DONE,
    FRAME,
    JOIN,
    LONGEST_PSDU,
    MONITOR,
    NEVER,
    RADIO,
    SENT,
    SHORTEST_PSDU,
    TRANSMIT,
    VERSION,
    WELCOME,
    Messages,
    fcs,
    message,
    microseconds,
)

LOGGER = logging.getLogger(__name__)
_LATE_S = 0.6e-6
"""A timer may run a microsecond early, and a node that is woken before its time asks again: without end, as time stands still."""
SILENT_S = 60.0
"""Bench seconds after which a node that answers no event, or does not say which it is, is dropped. A warp clock is held meanwhile, at
most so many real ones."""
MOST_VISITORS = 64
"""Nodes at an air at a time, those that have not joined yet among them; one more is ended at once. Own limit: a home has under 20."""


def _nothing() -> None:
    """Nobody waits for that event."""


class Visitor(asyncio.Protocol):
    """One radio of the open air, on the other end of a connection. A :class:`hil.radio.air.air.SelfAcknowledging` radio."""

    def __init__(self, house: OpenAir) -> None:
        self._house = house
        self._air = house.air
        self.eui64 = Eui64(bytes(8))
        self.channel: int | None = None
        self.listening = False
        self._transport: asyncio.Transport | None = None
        self._messages = Messages()
        self._detach: Callable[[], None] | None = None
        self._owed: list[tuple[Callable[[], None], int]] = []
        """The events that the node has not done with, the oldest first: a callback, and the time that an event says has come (-1: none)."""
        self._wake: asyncio.TimerHandle | None = None
        self._sending = 0
        self._release: Callable[[], None] | None = None
        self._silence: asyncio.TimerHandle | None = None

    # --- a radio of the air

    def hears(self, pan: int | None, destination: Address | None) -> bool:
        """The node filters by itself."""
        return True

    def pending_for(self, source: Address | None) -> bool:
        """Acknowledgements are the node's own."""
        return False

    def receive(self, frame: MacPdu, link: Link) -> None:
        """A frame that was late: nobody waits for its acknowledgement."""
        octets = frame.encode()
        self.overhear(self.channel or 0, octets, link, _nothing)

    def overhear(self, channel: int, octets: bytes, link: Link, done: Callable[[], None]) -> None:
        """A frame on the air; ``done`` is called when the node has done with it."""
        head = bytes([channel, link.rssi & 0xFF, link.lqi])
        self._event(FRAME, head + octets + fcs(octets), done)

    # --- a connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._house.visitors) >= MOST_VISITORS:
            self._drop(f"{MOST_VISITORS} nodes are here already")
            return
        self._house.visitors.add(self)
        self._busy(True)  # until it has said who it is

    def data_received(self, data: bytes) -> None:
        try:
            for kind, body in self._messages.feed(data):
                self._take(kind, body)
        except DecodeError as wrong:
            self._drop(str(wrong))

    def connection_lost(self, exc: Exception | None) -> None:
        self._house.visitors.discard(self)
        self.listening, self.channel = False, None
        if self._detach is not None:
            self._detach()
            self._detach = None
        if self._wake is not None:
            self._wake.cancel()
        owed, self._owed = self._owed, []
        for done, _ in owed:
            done()
        self._busy(False)

    def _busy(self, busy: bool) -> None:
        """An event is with the node, or none is: bench time on a warp clock waits for it."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        if busy:
            self._silence = asyncio.get_running_loop().call_later(
                SILENT_S, self._drop, f"it has said nothing that was due for {SILENT_S:g} s"
            )
            if self._house.clock.warp and self._release is None:
                self._release = self._house.clock.take("a node of the open air works on an event")
        elif self._release is not None:
            self._release()
            self._release = None

    def _drop(self, why: str) -> None:
        LOGGER.warning("the open air drops %s: %s", self.eui64, why)
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    # --- messages

    def _event(self, kind: bytes, body: bytes, done: Callable[[], None], come: int = -1) -> None:
        if self._transport is None or self._transport.is_closing():
            done()
            return
        self._owed.append((done, come))
        self._busy(True)
        self._transport.write(message(kind, microseconds(self._air.clock.now()) + body))

    def _take(self, kind: bytes, body: bytes) -> None:
        if self._detach is None and kind != JOIN:
            raise DecodeError(0, "message", f"{kind!r} came first, expected J")
        takers = {JOIN: self._join, RADIO: self._listen, TRANSMIT: self._transmit, DONE: self._done}
        taker = takers.get(kind)
        if taker is None:
            raise DecodeError(0, "message", f"{kind!r} is no kind, expected J, R, T or D")
        taker(body)

    def _join(self, body: bytes) -> None:
        if len(body) != 9 or body[0] != VERSION or self._detach is not None:
            raise DecodeError(0, "J", f"{body.hex()}: expected once the version {VERSION} and an EUI-64")
        self.eui64 = Eui64.from_zigbee(body[1:])
        self._detach = self._air.attach(self)
        self._event(WELCOME, bytes([VERSION]), _nothing)
        self._house.welcome(self.eui64)

    def _listen(self, body: bytes) -> None:
        if len(body) != 1:
            raise DecodeError(0, "R", f"{len(body)} octets, expected a channel")
        self.listening = body[0] != 0
        self.channel = ALL_CHANNELS if body[0] == MONITOR else body[0] or None

    def _transmit(self, body: bytes) -> None:
        psdu = body[1:]
        if not SHORTEST_PSDU <= len(psdu) <= LONGEST_PSDU or fcs(psdu[:-2]) != psdu[-2:]:
            raise DecodeError(0, "T", f"{body.hex()}: expected a channel and a PSDU with a good FCS")
        channel, octets = body[0], psdu[:-2]
        if octets[0] & 7 == MacKind.ACK:
            self._air.acknowledged_by(self, channel, octets)
            return
        self._sending += 1
        if self._sending > 1:
            raise DecodeError(0, "T", "a second frame before the S of the first")
        self._air.inject(self, octets, lambda acked, pending: self._sent(channel, octets, acked, pending), channel)

    def _sent(self, channel: int, octets: bytes, acked: bool, pending: bool) -> None:
        """The transmission is over; its acknowledgement, if there was one, is heard before."""
        self._sending = 0
        if acked:
            self.overhear(channel, MacPdu(MacKind.ACK, octets[2], pending=pending).encode(), self._air.default, _nothing)
        self._event(SENT, b"\0", _nothing)

    def _done(self, body: bytes) -> None:
        if len(body) != 8 or not self._owed:
            raise DecodeError(0, "D", f"{body.hex()}: expected a time, once for each event")
        due = int.from_bytes(body, "little")
        done, come = self._owed.pop(0)
        if due <= come:
            raise DecodeError(0, "D", f"{due} in answer to the A of that time: expected a later one, or all ones for never")
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if due != NEVER:
            wait_s = max(0.0, due / 1e6 + _LATE_S - self._air.clock.now())
            self._wake = asyncio.get_running_loop().call_later(wait_s, self._advance, due)
        done()
        self._busy(bool(self._owed))

    def _advance(self, due: int) -> None:
        self._wake = None
        self._event(ADVANCE, b"", _nothing, due)


class OpenAir:
    """The socket of an air. :meth:`serve` it; :meth:`close` drops everybody."""

    def __init__(self, air: Air, clock: Clock) -> None:
        self.air = air
        self.clock = clock
        self.visitors: set[Visitor] = set()
        self._server: asyncio.Server | None = None
        self._served: ServedPort | None = None
        self._welcomed: dict[Eui64, asyncio.Event] = {}

    async def serve(self, host: str, port: int) -> int:
        """Listen; returns the port (0: a free one). Raises NotAvailable where it is taken."""
        self._served = ServedPort(host, port, "the open air")
        self._server = await asyncio.get_running_loop().create_server(lambda: Visitor(self), sock=self._served.socket)
        return self._served.port

    def welcome(self, eui64: Eui64) -> None:
        """A radio of that address has joined."""
        self._welcomed.setdefault(eui64, asyncio.Event()).set()

    async def visited(self, eui64: Eui64) -> None:
        """Wait until a radio of that address has joined, however long a program takes to start: bench time stands still meanwhile."""
        clock, there = self.clock, self._welcomed.setdefault(eui64, asyncio.Event())
        before = clock.horizon
        if clock.warp and not there.is_set():
            clock.horizon = clock.now()
        try:
            await there.wait()
        finally:
            clock.horizon = before

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._served is not None:
            self._served.close()
        for visitor in tuple(self.visitors):
            visitor.close()
