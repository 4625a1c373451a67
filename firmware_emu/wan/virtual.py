"""WAN links of a bench: one within this process, and one around any other whose frames can be lost, late, doubled or damaged.

The two ends in memory are joined while both are connecting, and coverage can be taken away. Where the hub's site is given
(:class:`SmWanSite`), its SM WAN variant decides if and how the DCC is reached. Does not model bandwidth, jitter, the radio network or its
authentication: see :mod:`firmware_emu.wan.tcp` for a link with TLS. The :data:`Shape` that is set on a shaped link decides
the fate of each frame.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from firmware_emu.clock import Clock
from firmware_emu.errors import WanError
from firmware_emu.supervised import supervised
from firmware_emu.wan.base import PassingLink, WanFrame, WanLink

CELLULAR_S, MESH_HOP_S = 0.6, 0.9
"""Bench seconds one way, over the cellular network and between two hubs. Profile-supplied: the consultation gives none."""
MESH_AGAIN_ONE_IN = 5
"""Of so many frames over a mesh hop one is lost and sent again after as long once more. Profile-supplied."""


@dataclass(frozen=True, slots=True)
class SmWanSite:
    """The hub's SM WAN variant and its surroundings [327, 335]: single mode cellular, or dual mode cellular and mesh.

    ``signal``: the cellular network reaches the hub. ``neighbour``: a dual mode hub with a strong cellular signal is nearby and has power.
    """

    dual_mode: bool = False
    signal: bool = True
    neighbour: bool = False

    @property
    def way(self) -> str:
        """``cellular``, or ``mesh`` through the neighbour. Raises WanError where neither reaches the DCC."""
        if self.signal:
            return "cellular"
        if self.dual_mode and self.neighbour:
            return "mesh"
        why = "no dual mode hub with power and signal is nearby" if self.dual_mode else "a single mode hub has no other way"
        raise WanError(f"no SM WAN coverage: no cellular signal, and {why} [335]")


class MemoryWan:
    """The medium between :attr:`hub` and :attr:`dcc`, each a ``WanLink``.

    ``latency_s`` is the bench time from ``send`` to ``receive``, to which a ``site`` adds that of its way. Frames in flight are lost when
    the connection is cut.
    """

    def __init__(self, clock: Clock, latency_s: float = 0.0, site: SmWanSite | None = None) -> None:
        self.clock = clock
        self.latency_s = latency_s
        self.site = site
        self._over_mesh = 0
        self.coverage = True
        """True while the hub can reach the DCC. Set False for install and leave; use :meth:`cut` to end a connection too."""
        self.hub = MemoryWanLink(self, "hub")
        self.dcc = MemoryWanLink(self, "dcc")
        self.hub.peer, self.dcc.peer = self.dcc, self.hub

    def delay_s(self) -> float:
        """Bench seconds that the next frame takes one way. Raises WanError where the site has no way any more: the connection ends."""
        if self.site is None:
            return self.latency_s
        try:
            over_mesh = self.site.way == "mesh"
        except WanError:
            self.cut()
            raise
        if not over_mesh:
            return self.latency_s + CELLULAR_S
        self._over_mesh += 1
        hops = 2 if self._over_mesh % MESH_AGAIN_ONE_IN == 0 else 1
        return self.latency_s + CELLULAR_S + hops * MESH_HOP_S

    def cut(self) -> None:
        """End the present connection, as if the radio had lost the network. Both ends see WanError."""
        self.hub.drop("the SM WAN connection was lost")
        self.dcc.drop("the SM WAN connection was lost")


class MemoryWanLink:
    """One end. ``connect`` of the hub fails at once without coverage, and otherwise both ends wait for each other."""

    peer: MemoryWanLink

    def __init__(self, wan: MemoryWan, name: str) -> None:
        self._wan = wan
        self._name = name
        self._meeting: asyncio.Future[None] | None = None
        self._arrived: deque[WanFrame] = deque()
        self._changed = asyncio.Event()
        self._session = 0
        self._reason = "not connected"
        self.connected = False
        self.way = ""
        """The way to the DCC, ``cellular`` or ``mesh``, where the hub has a site."""

    async def connect(self) -> None:
        """Meet the other end. Raises WanError without coverage (hub only)."""
        await self.close()
        if self._name == "hub" and not self._wan.coverage:
            raise WanError("no SM WAN coverage")
        if self._name == "hub" and self._wan.site is not None:
            self.way = self._wan.site.way
        if self.peer._meeting is not None and not self.peer._meeting.done():
            self._open()
            self.peer._open()
            self.peer._meeting.set_result(None)
            return
        self._meeting = asyncio.get_running_loop().create_future()
        try:
            await self._meeting
        finally:
            self._meeting = None

    def _open(self) -> None:
        self.connected = True
        self._session += 1
        self._arrived.clear()
        self._changed = asyncio.Event()

    async def send(self, frame: WanFrame) -> None:
        """Raises WanError when not connected."""
        if not self.connected:
            raise WanError(f"{self._name}: {self._reason}")
        peer, session, delay_s = self.peer, self.peer._session, self._wan.delay_s()
        if delay_s > 0:
            asyncio.get_running_loop().call_later(delay_s, peer._arrive, session, frame)
        else:
            peer._arrive(session, frame)

    def _arrive(self, session: int, frame: WanFrame) -> None:
        if self.connected and session == self._session:
            self._arrived.append(frame)
            self._changed.set()

    async def receive(self) -> WanFrame:
        """Raises WanError when the connection is or goes down."""
        while not self._arrived:
            if not self.connected:
                raise WanError(f"{self._name}: {self._reason}")
            self._changed.clear()
            await self._changed.wait()
        return self._arrived.popleft()

    def drop(self, reason: str) -> None:
        """Go down for ``reason``; what had arrived and was not received is lost."""
        self.connected = False
        self._reason = reason
        self._arrived.clear()
        self._changed.set()

    async def close(self) -> None:
        """End the connection; the other end sees WanError."""
        was_connected = self.connected
        self.drop("closed")
        if was_connected:
            self.peer.drop("the far end closed the connection")


def memory_pair(clock: Clock, latency_s: float = 0.0, site: SmWanSite | None = None) -> tuple[MemoryWanLink, MemoryWanLink]:
    """The hub's end and the DCC's end of a new :class:`MemoryWan`."""
    wan = MemoryWan(clock, latency_s, site)
    return wan.hub, wan.dcc


Shape = Callable[[str, WanFrame], Sequence[tuple[float, WanFrame]]]
"""Called with where a frame goes (``dcc`` or ``hub``); gives what arrives of it and after how many seconds.

May raise WanError: the connection ends with it, as TLS ends one with a record that does not verify."""


Gate = Callable[[str, WanFrame], Awaitable[Sequence[WanFrame]]]
"""Called with where a frame goes and the frame; what it gives goes on when it is done: a breakpoint waits here for a person."""


class ShapedLink(PassingLink):
    """The hub's end of a link. Without a :attr:`gate` and a :attr:`shape` frames pass as they are."""

    def __init__(self, link: WanLink) -> None:
        super().__init__(link)
        self.gate: Gate | None = None
        self.shape: Shape | None = None
        self.coverage = True
        """True while a connection can be made; :meth:`cut` ends one that is there."""
        self._arrived: deque[WanFrame] = deque()
        self._changed = asyncio.Event()
        self._down: WanError | None = None
        self._pump: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._session = 0

    async def connect(self) -> None:
        """Raises WanError."""
        if not self.coverage:
            raise WanError("no SM WAN coverage")
        await self._link.connect()
        self._session += 1
        self._arrived.clear()
        self._down = None
        self._pump = supervised(self._take_all(self._session), "the shaped SM WAN")

    async def send(self, frame: WanFrame) -> None:
        """Raises WanError."""
        for late_s, one in await self._passed("dcc", frame):
            if late_s:
                task = supervised(self._send_late(self._session, late_s, one), "a late frame of the SM WAN")
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            else:
                await self._link.send(one)

    async def _send_late(self, session: int, late_s: float, frame: WanFrame) -> None:
        await asyncio.sleep(late_s)
        if session == self._session and self._link.connected:
            try:
                await self._link.send(frame)
            except WanError as error:  # the connection went while the frame was on its way: lost, as the owner will be told
                self._end(error)

    async def receive(self) -> WanFrame:
        """Raises WanError."""
        while not self._arrived:
            if self._down is not None:
                raise self._down
            if self._pump is None:
                raise WanError("not connected")
            self._changed.clear()
            await self._changed.wait()
        return self._arrived.popleft()

    async def _take_all(self, session: int) -> None:
        try:
            while True:
                for late_s, one in await self._passed("hub", await self._link.receive()):
                    if late_s:
                        asyncio.get_running_loop().call_later(late_s, self._arrive, session, one)
                    else:
                        self._arrive(session, one)
        except WanError as error:
            self._end(error)

    def _arrive(self, session: int, frame: WanFrame) -> None:
        if session == self._session and self._link.connected:
            self._arrived.append(frame)
            self._changed.set()

    def _end(self, error: WanError) -> None:
        self._down = error
        self._changed.set()

    async def _passed(self, to: str, frame: WanFrame) -> Sequence[tuple[float, WanFrame]]:
        frames = (frame,) if self.gate is None else await self.gate(to, frame)
        if self.shape is None:
            return tuple((0.0, one) for one in frames)
        try:
            return [arrival for one in frames for arrival in self.shape(to, one)]
        except WanError:
            await self._link.close()
            raise

    async def cut(self, reason: str) -> None:
        """End the present connection; both ends see WanError."""
        if self._link.connected:
            self._end(WanError(reason))
            await self._link.close()

    async def close(self) -> None:
        self._session += 1
        pump, self._pump = self._pump, None
        for task in (*self._late, *([] if pump is None else [pump])):
            task.cancel()
        await self._link.close()
