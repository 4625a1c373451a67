"""A stored channel over a WAN link: nothing is lost and nothing is delivered twice, whichever end dies between two frames.

How: a frame to send is in the store before :meth:`WanChannel.post` returns and leaves it when the far end has
acknowledged it. A received frame is handed over inside the transaction that records its sequence, so that what the
owner keeps of it and the record are durable together; only then it is acknowledged, and a repeat is acknowledged but not
handed over. One frame is under way at a time, in order. HELLO and TIME carry in ``sequence`` the epoch of the sender's
outbox, drawn when its store is new: a far end that lost its store counts afresh and is not taken for a repeat.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from firmware_emu.clock import Clock
from firmware_emu.crypto.entropy import SYSTEM, Entropy
from firmware_emu.errors import DecodeError, NotAvailable, WanError, fault_named
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanFrame, WanKind, WanLink

_COUNTER = struct.Struct(">Q")
_UTC = struct.Struct(">I")
_SHOWN = 32
"""Octets of a frame that the trace shows: its header, and nothing of what may be secret."""
_ASIDE = 50
"""Number of frames set aside that are kept, the latest (own limit)."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A frame that whoever took it failed at: it was acknowledged, is not handed over again, and can be looked at."""

    sequence: int
    kind: WanKind
    reason: str
    body: bytes


def set_aside(store: ChannelStore, name: str) -> tuple[SetAside, ...]:
    """The frames from the peer ``name`` that were set aside, oldest first."""
    found = []
    for key in sorted(store.keys(f"wan/{name}/aside/")):
        octets = store.get(key) or b"\x00\x00"
        reason, _, body = octets[1:].partition(b"\0")
        found.append(SetAside(int(key.rpartition("/")[2]), WanKind(octets[0]), reason.decode("utf-8", "replace"), body))
    return tuple(found)


class ChannelStore(Protocol):
    """Store that the channel needs (``device.store.Store`` and the hub's SQLite store are such).

    Each ``transaction`` is all or nothing and durable at its end; one begun inside another ends with the outer.
    """

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, value: bytes) -> None: ...
    def delete(self, key: str) -> None: ...
    def keys(self, prefix: str) -> list[str]: ...
    def transaction(self) -> AbstractContextManager[object]: ...


class WanSide(Enum):
    """Side of the channel: the hub says HELLO, the DCC answers with TIME."""

    HUB = "hub"
    DCC = "dcc"


@dataclass(frozen=True, slots=True)
class Hello:
    """The body of HELLO: the hub's two entity identifiers and how often it has booted."""

    chf: Eui64
    gpf: Eui64
    boot_count: int

    def encode(self) -> bytes:
        return self.chf.octets + self.gpf.octets + _UTC.pack(self.boot_count)

    @classmethod
    def decode(cls, body: bytes) -> Hello:
        """Raises DecodeError."""
        if len(body) != 20:
            raise DecodeError(0, "HELLO", f"{len(body)} octets: expected CHF and GPF EUI-64 and a u32 boot count, 20 octets")
        return cls(Eui64(body[:8]), Eui64(body[8:16]), _UTC.unpack_from(body, 16)[0])


@dataclass(frozen=True, slots=True)
class ChannelTiming:
    """All in bench seconds; profile values of this bench, since the WAN protocol is not published (gbcs-messages 14)."""

    first_back_off_s: float = 1.0
    longest_back_off_s: float = 60.0
    greeting_s: float = 20.0
    """Until HELLO or TIME must have come after a connection."""
    acknowledge_s: float = 20.0
    """Until a frame must be acknowledged; then the connection is made anew and the frame is sent again."""


class WanChannel:
    """One end of the channel to one peer.

    ``on_frame`` gets MESSAGE, POWER_LOST and IMAGE frames, each once, inside the open transaction of ``store``: keep there
    what must survive. It must not block; raising rolls back, leaves the frame unacknowledged and ends :meth:`run`.
    ``on_hello`` (DCC) and ``on_time`` (hub; UTC, seconds since 2000) tell that a connection is in use.
    """

    def __init__(
        self,
        link: WanLink,
        store: ChannelStore,
        clock: Clock,
        *,
        side: WanSide,
        name: str,
        trace: Trace,
        hello: Callable[[], Hello] | None = None,
        on_frame: Callable[[WanFrame], None],
        on_hello: Callable[[Hello], None] | None = None,
        on_time: Callable[[int], None] | None = None,
        on_lost: Callable[[], None] | None = None,
        durable: Callable[[], Awaitable[None]] | None = None,
        timing: ChannelTiming | None = None,
        entropy: Entropy = SYSTEM,
    ) -> None:
        """``name`` names the peer in the trace and the keys of the store (``wan/<name>/...``). The hub's side needs ``hello``.

        ``durable`` waits until all that the store has taken is on its medium, where commits do not wait for that themselves.
        Nothing goes out before: no counter that a power cut would give out again, no acknowledgement of what it would take away.
        """
        if (hello is None) is (side is WanSide.HUB):
            raise ValueError("hello: expected on the hub's side and nowhere else")
        self._link = link
        self._durable = durable
        self._store = store
        self._clock = clock
        self._side = side
        self._name = name
        self._trace = trace
        self._hello = hello
        self._on_frame = on_frame
        self._on_hello = on_hello
        self._on_time = on_time
        self._on_lost = on_lost
        self._timing = timing or ChannelTiming()
        self._entropy = entropy
        self._prefix = f"wan/{name}/"
        self._wake = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._in_use = False
        self._at_rest = False
        """True while a connection is up and nothing waits: what is posted goes out at once."""
        self._greeting: WanFrame | None = None

    @property
    def in_use(self) -> bool:
        """True while a connection is up and the greeting is done."""
        return self._in_use

    def post(self, kind: WanKind, body: bytes) -> int:
        """Store a frame for the far end and return its sequence. Durable at return, or with the transaction it is called in."""
        with self._store.transaction():
            sequence = self._number("next") or 1
            self._store.put(f"{self._prefix}next", _COUNTER.pack(sequence + 1))
            self._store.put(self._outbox_key(sequence), bytes([kind]) + body)
            if self._at_rest:  # marked here, it needs no transaction of its own before it goes
                self._store.put(f"{self._prefix}tried", _COUNTER.pack(sequence))
        self._at_rest = False
        self._wake.set()
        return sequence

    def wake(self) -> None:
        """Look at the store again: another process that has it has posted a frame, or got one acknowledged."""
        self._wake.set()
        self._acknowledged.set()

    def waiting(self) -> tuple[WanFrame, ...]:
        """Frames that are stored and not yet acknowledged, oldest first."""
        return tuple(frame for key in self._outbox() if (frame := self._stored(key)) is not None)

    def withdraw(self, sequence: int) -> bool:
        """Take back a frame that was never sent. False if it has been: it may be with the far end, acknowledged or not."""
        with self._store.transaction():
            if sequence <= (self._number("tried") or 0) or self._store.get(self._outbox_key(sequence)) is None:
                return False
            self._store.delete(self._outbox_key(sequence))
        return True

    async def drained(self) -> None:
        """Return when everything posted has been acknowledged."""
        while self._outbox():
            self._acknowledged.clear()
            await self._acknowledged.wait()

    async def run(self) -> None:
        """Connect, exchange, reconnect with back-off, until cancelled; then the link is closed."""
        back_off = self._timing.first_back_off_s
        try:
            while True:
                try:
                    await self._link.connect()
                    await self._greet()
                    back_off = self._timing.first_back_off_s
                    self._in_use = True
                    await self._exchange()
                except (WanError, DecodeError) as error:
                    self._trace.emit("wan", self._side.value, "lost", target=self._name, reason=str(error), retry_s=back_off)
                finally:
                    await self._release()
                await self._clock.sleep(back_off)
                back_off = min(2 * back_off, self._timing.longest_back_off_s)
        finally:
            await self._link.close()

    async def _release(self) -> None:
        was_in_use, self._in_use = self._in_use, False
        await self._link.close()
        if was_in_use and self._on_lost is not None:
            self._on_lost()

    async def _greet(self) -> None:
        try:
            async with asyncio.timeout(self._timing.greeting_s):
                if self._hello is not None:
                    await self._send(WanFrame(WanKind.HELLO, self._epoch(), self._hello().encode()))
                    frame = await self._expect(WanKind.TIME)
                    if len(frame.body) != _UTC.size:
                        raise DecodeError(0, "TIME", f"{len(frame.body)} octets: expected u32 seconds since 2000")
                    self._trace.emit("wan", self._side.value, "connected", target=self._name)
                    if self._on_time is not None:
                        self._on_time(_UTC.unpack(frame.body)[0])
                else:
                    hello = Hello.decode((await self._expect(WanKind.HELLO)).body)
                    await self._send(WanFrame(WanKind.TIME, self._epoch(), _UTC.pack(int(self._clock.now()))))
                    self._trace.emit("wan", self._side.value, "connected", target=self._name, boot_count=hello.boot_count)
                    if self._on_hello is not None:
                        self._on_hello(hello)
        except TimeoutError as error:
            raise WanError(f"no greeting within {self._timing.greeting_s:g} s") from error

    async def _expect(self, kind: WanKind) -> WanFrame:
        frame = await self._link.receive()
        if frame.kind is not kind:
            raise WanError(f"the far end began with {frame.kind.name}: expected {kind.name}")
        self._greeting = frame
        epoch = _COUNTER.pack(frame.sequence)
        if self._store.get(f"{self._prefix}peer_epoch") != epoch:
            with self._store.transaction():
                self._store.put(f"{self._prefix}peer_epoch", epoch)
                self._store.delete(f"{self._prefix}received")
        return frame

    async def _exchange(self) -> None:
        tasks = {asyncio.create_task(self._receive_all()), asyncio.create_task(self._send_all())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _send_all(self) -> None:
        while True:
            outbox = self._outbox()
            frame = self._stored(outbox[0]) if outbox else None
            if frame is None:
                self._wake.clear()
                self._at_rest = True
                try:
                    await self._wake.wait()
                finally:
                    self._at_rest = False
                continue
            self._acknowledged.clear()
            if frame.sequence > (self._number("tried") or 0):
                with self._store.transaction():
                    if self._store.get(outbox[0]) is None:
                        continue  # taken back meanwhile
                    self._store.put(f"{self._prefix}tried", _COUNTER.pack(frame.sequence))
            await self._send(frame)
            self._trace.emit("wan", self._side.value, "sent", target=self._name, kind=frame.kind.name.lower(), sequence=frame.sequence)
            try:
                async with asyncio.timeout(self._timing.acknowledge_s):
                    await self._acknowledged.wait()
                    while self._store.get(outbox[0]) is not None:
                        self._acknowledged.clear()
                        await self._acknowledged.wait()
            except TimeoutError as error:
                raise WanError(f"frame {frame.sequence} was not acknowledged within {self._timing.acknowledge_s:g} s") from error

    async def _receive_all(self) -> None:
        while True:
            frame = await self._link.receive()
            if frame.kind is WanKind.ACKNOWLEDGE:
                self._store.delete(self._outbox_key(frame.sequence))
                self._acknowledged.set()
            elif frame.kind in (WanKind.HELLO, WanKind.TIME):
                if frame != self._greeting:
                    raise WanError(f"the far end sent {frame.kind.name} in the middle of a connection")
                self._repeated(frame)
            else:
                self._take(frame)
                await self._send(WanFrame(WanKind.ACKNOWLEDGE, frame.sequence))

    async def _send(self, frame: WanFrame) -> None:
        if self._durable is not None:
            await self._durable()
        await self._link.send(frame)

    def _take(self, frame: WanFrame) -> None:
        kind = frame.kind.name.lower()
        try:
            with self._store.transaction():  # its look as well: another process may take the frame over an older connection
                if frame.sequence <= (self._number("received") or 0):
                    self._repeated(frame)
                    return
                self._store.put(f"{self._prefix}received", _COUNTER.pack(frame.sequence))
                self._on_frame(frame)
        except (NotAvailable, WanError):
            raise  # there is no room for it, or the store is another's: the frame is not taken and comes again
        except Exception as fault:  # a fault in whoever took it must not meet the same frame again at each boot
            self._set_aside(frame, fault)
            return
        self._trace.emit("wan", self._side.value, "received", target=self._name, kind=kind, sequence=frame.sequence)

    def _set_aside(self, frame: WanFrame, fault: Exception) -> None:
        reason = fault_named(fault).replace("\0", " ")
        aside = f"{self._prefix}aside/"
        with self._store.transaction():
            self._store.put(f"{self._prefix}received", _COUNTER.pack(frame.sequence))
            self._store.put(f"{aside}{frame.sequence:020d}", bytes([frame.kind]) + reason.encode()[:200] + b"\0" + frame.body)
            for key in sorted(self._store.keys(aside))[:-_ASIDE]:
                self._store.delete(key)
        self._trace.emit(
            "wan",
            self._side.value,
            "set aside",
            target=self._name,
            data=frame.body[:_SHOWN],
            kind=frame.kind.name.lower(),
            sequence=frame.sequence,
            reason=reason,
        )

    def _repeated(self, frame: WanFrame) -> None:
        kind = frame.kind.name.lower()
        self._trace.emit("wan", self._side.value, "repeated", target=self._name, kind=kind, sequence=frame.sequence)

    def _epoch(self) -> int:
        if (epoch := self._number("epoch")) is None:
            with self._store.transaction():
                if (epoch := self._number("epoch")) is None:
                    epoch = self._entropy.below(1 << 63)
                    self._store.put(f"{self._prefix}epoch", _COUNTER.pack(epoch))
        return epoch

    def _number(self, key: str) -> int | None:
        stored = self._store.get(self._prefix + key)
        return None if stored is None else int(_COUNTER.unpack(stored)[0])

    def _outbox(self) -> list[str]:
        return sorted(self._store.keys(f"{self._prefix}outbox/"))

    def _outbox_key(self, sequence: int) -> str:
        return f"{self._prefix}outbox/{sequence:020d}"

    def _stored(self, key: str) -> WanFrame | None:
        stored = self._store.get(key)
        return None if stored is None else WanFrame(WanKind(stored[0]), int(key.rpartition("/")[2]), stored[1:])
