"""The DCC's end of the SM WAN: one stored channel per hub, greeting with time, and what the hubs' frames mean.

What must survive is kept inside the transaction that takes the frame (see :mod:`firmware_emu.wan.channel`): a DCC killed
between frame and record gets the frame again and records it once.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from firmware_emu.clock import Clock
from firmware_emu.errors import DecodeError, NotAvailable, WanError
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace
from firmware_emu.wan.base import PassingLink, WanFrame, WanKind, WanLink
from firmware_emu.wan.channel import ChannelTiming, Hello, WanChannel, WanSide
from hil.dcc.base.store import Bus, DccStore, outliving


@dataclass(frozen=True, slots=True)
class HubGreeted:
    """Told on the bus when a hub has connected, outside any transaction."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class HubMessage:
    """Told on the bus of each GBCS message from a hub, inside the transaction that takes its frame. ``notified``: when the CHF was
    notified of it, for an alert of another Device (requirements CH-10)."""

    chf: Eui64
    octets: bytes
    notified: float | None = None


@dataclass(frozen=True, slots=True)
class PowerLost:
    """Told on the bus of a hub's last gasp, inside the transaction that takes its frame. ``began``: seconds since 2000."""

    chf: Eui64
    began: float


class HeadEnd:
    """Many hubs. ``attach`` gives a hub's link to it; ``post`` stores a message for a hub."""

    def __init__(self, store: DccStore, clock: Clock, trace: Trace, bus: Bus, timing: ChannelTiming | None = None) -> None:
        self._store = store
        self._clock = clock
        self._trace = trace
        self._bus = bus
        self._timing = timing
        self._channels: dict[Eui64, WanChannel] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, link: WanLink, chf: Eui64 | None = None) -> asyncio.Task[None]:
        """Serve the hub behind ``link`` until :meth:`close`. Without ``chf`` the hub's first HELLO says which one it is."""
        task = supervised(self._serve(link, chf), f"the SM WAN of {chf or 'a new hub'}", self._trace, area="dcc")
        if chf is not None:
            self._channels[chf] = self._channel(link, chf)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, link: WanLink, chf: Eui64 | None) -> None:
        if chf is None:
            chf, link = await self._meet(link)
            self._channels[chf] = self._channel(link, chf)
        await outliving(self._channels[chf].run, f"the SM WAN of {chf}", self._clock, self._trace)

    async def _meet(self, link: WanLink) -> tuple[Eui64, WanLink]:
        while True:
            try:
                await link.connect()
                frame = await link.receive()
                if frame.kind is not WanKind.HELLO:
                    raise WanError(f"the far end began with {frame.kind.name}: expected HELLO")
                return Hello.decode(frame.body).chf, _GreetedLink(link, frame)
            except (WanError, DecodeError) as error:
                self._trace.emit("wan", "dcc", "lost", reason=str(error))
                await link.close()
                await self._clock.sleep(1.0)

    def _channel(self, link: WanLink, chf: Eui64) -> WanChannel:
        return WanChannel(
            link,
            self._store.named("headend/"),
            self._clock,
            side=WanSide.DCC,
            name=str(chf),
            trace=self._trace,
            on_frame=lambda frame: self._take(chf, frame),
            on_hello=lambda hello: self._greeted(chf, hello),
            on_lost=lambda: self._lost(chf),
            durable=self._store.durable,
            timing=self._timing,
        )

    def _greeted(self, chf: Eui64, hello: Hello) -> None:
        if hello.chf != chf:
            raise WanError(f"HELLO names {hello.chf}: this link belongs to {chf}")
        self._bus.tell(HubGreeted(hello))

    def _lost(self, chf: Eui64) -> None:
        """The hub may long be connected to another process, which was not told of what was posted here meanwhile."""
        with contextlib.suppress(NotAvailable):  # who cannot be told catches up
            self._store.tell(f"hub {chf}")

    def _take(self, chf: Eui64, frame: WanFrame) -> None:
        match frame.kind:
            case WanKind.MESSAGE:
                self._bus.tell(HubMessage(chf, frame.body))
            case WanKind.ALERT if len(frame.body) > 4:
                self._bus.tell(HubMessage(chf, frame.body[4:], float(int.from_bytes(frame.body[:4], "big"))))
            case WanKind.POWER_LOST if len(frame.body) == 4:
                self._bus.tell(PowerLost(chf, float(int.from_bytes(frame.body, "big"))))
            case WanKind.POWER_LOST if len(frame.body) == 8:
                self._bus.tell(PowerLost(chf, int.from_bytes(frame.body, "big") / 1000))
            case _:
                # Dropped, not raised: raising would leave the frame unacknowledged and stop the channel for ever.
                self._trace.emit(
                    "wan",
                    "dcc",
                    "refused",
                    target=str(chf),
                    kind=frame.kind.name.lower(),
                    octets=len(frame.body),
                    reason="expected MESSAGE, or ALERT and POWER_LOST with u32 seconds or u64 milliseconds since 2000",
                )

    def connected(self, chf: Eui64) -> bool:
        """True if the hub's connection is up and greeted."""
        return chf in self._channels and self._channels[chf].in_use

    def known(self, chf: Eui64) -> bool:
        """True if a link of this hub has been attached."""
        return chf in self._channels

    def post(self, chf: Eui64, message: bytes) -> int:
        """Store a GBCS message for the hub; returns the frame's sequence. Raises WanError for a hub without a link."""
        if chf not in self._channels:
            raise WanError(f"no SM WAN link to hub {chf}: attach it first")
        return self._post(chf, WanKind.MESSAGE, message)

    def post_image(self, chf: Eui64, piece: bytes) -> int:
        """As :meth:`post`, for a piece of a firmware image for the hub's OTA store."""
        if chf not in self._channels:
            raise WanError(f"no SM WAN link to hub {chf}: attach it first")
        return self._post(chf, WanKind.IMAGE, piece)

    def _post(self, chf: Eui64, kind: WanKind, body: bytes) -> int:
        with self._store.transaction():
            if not self.connected(chf):
                self._store.tell(f"hub {chf}")  # it may be connected to another process
            return self._channels[chf].post(kind, body)

    def wake(self, chf: Eui64) -> None:
        """Another process has posted something for the hub."""
        if chf in self._channels:
            self._channels[chf].wake()

    def wake_all(self) -> None:
        """As :meth:`wake`, for any hub."""
        for channel in self._channels.values():
            channel.wake()

    def undelivered(self, chf: Eui64, sequence: int) -> bool:
        """True if the hub has not acknowledged this frame."""
        return chf not in self._channels or any(frame.sequence == sequence for frame in self._channels[chf].waiting())

    def withdraw(self, chf: Eui64, sequence: int) -> bool:
        """Take a frame back that has not been sent; False if it is under way or acknowledged."""
        return chf in self._channels and self._channels[chf].withdraw(sequence)

    async def drained(self, chf: Eui64) -> None:
        """Return when the hub has acknowledged everything posted to it. Raises WanError for a hub without a link."""
        if chf not in self._channels:
            raise WanError(f"no SM WAN link to hub {chf}: attach it first")
        await self._channels[chf].drained()

    async def close(self) -> None:
        """End every connection; what is stored stays for the next start."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


class _GreetedLink(PassingLink):
    """A link whose HELLO has been read already: gives it once more to the channel, then is the link itself."""

    def __init__(self, link: WanLink, hello: WanFrame) -> None:
        super().__init__(link)
        self._hello: WanFrame | None = hello
        self._met = True

    async def connect(self) -> None:
        if self._met and self._link.connected:
            self._met = False
            return
        self._met, self._hello = False, None
        await self._link.connect()

    async def receive(self) -> WanFrame:
        if self._hello is not None:
            hello, self._hello = self._hello, None
            return hello
        return await self._link.receive()
