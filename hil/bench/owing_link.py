"""A hub's link that holds bench time while the hub, in a process of its own, owes an answer: a clock that hurries waits for it."""

from __future__ import annotations

from collections.abc import Callable

from firmware_emu.clock import Clock
from firmware_emu.errors import DecodeError, WanError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64
from firmware_emu.wan.base import PassingLink, WanFrame, WanKind, WanLink

Owed = tuple[str, Eui64 | None, int]
"""An acknowledgement by its frame's number, or a Response by its Device and its counter."""


class OwingLink(PassingLink):
    """``link``, which holds ``clock`` from each frame sent to its acknowledgement, and from each Command to its Response."""

    def __init__(self, link: WanLink, clock: Clock) -> None:
        super().__init__(link)
        self._clock = clock
        self._owed: dict[Owed, Callable[[], None]] = {}

    async def send(self, frame: WanFrame) -> None:
        """Raises WanError."""
        if frame.kind in (WanKind.MESSAGE, WanKind.IMAGE):
            self._owes(("acknowledgement", None, frame.sequence))
        if frame.kind is WanKind.MESSAGE:
            header = Message.decode(frame.body).header
            self._owes(("response", header.recipient, header.counter))
        try:
            await self._link.send(frame)
        except WanError:
            self._owes_nothing()
            raise

    async def receive(self) -> WanFrame:
        """Raises WanError."""
        try:
            frame = await self._link.receive()
        except WanError:
            self._owes_nothing()
            raise
        if frame.kind is WanKind.ACKNOWLEDGE:
            self._paid(("acknowledgement", None, frame.sequence))
        elif frame.kind is WanKind.MESSAGE:
            try:
                header = Message.decode(frame.body).header
            except DecodeError:
                return frame  # whoever takes it says so
            self._paid(("response", header.originator, header.counter))
        return frame

    async def close(self) -> None:
        self._owes_nothing()
        await self._link.close()

    def _owes(self, what: Owed) -> None:
        if what not in self._owed:
            self._owed[what] = self._clock.take(f"{what[0]} of a hub")

    def _paid(self, what: Owed) -> None:
        self._owed.pop(what, lambda: None)()

    def _owes_nothing(self) -> None:
        for what in tuple(self._owed):
            self._paid(what)
