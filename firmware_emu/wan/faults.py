"""A WAN link whose frames can be lost, late, doubled, out of order or damaged, and whose coverage can be taken away.

It wraps any link, real or in memory; the :data:`Shape` that is set on it decides the fate of each frame.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from firmware_emu.errors import WanError
from firmware_emu.wan.base import WanFrame, WanLink

Shape = Callable[[str, WanFrame], Sequence[tuple[float, WanFrame]]]
"""Called with where a frame goes (``dcc`` or ``hub``); gives what arrives of it and after how many seconds.

May raise WanError: the connection ends with it, as TLS ends one with a record that does not verify."""


class ShapedLink:
    """The hub's end of a link. Without a :attr:`shape` frames pass as they are."""

    def __init__(self, link: WanLink) -> None:
        self._link = link
        self.shape: Shape | None = None
        self.coverage = True
        """True while a connection can be made; :meth:`cut` ends one that is there."""
        self._arrived: deque[WanFrame] = deque()
        self._changed = asyncio.Event()
        self._down: WanError | None = None
        self._pump: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._session = 0

    @property
    def connected(self) -> bool:
        return self._link.connected

    async def connect(self) -> None:
        """Raises WanError."""
        if not self.coverage:
            raise WanError("no SM WAN coverage")
        await self._link.connect()
        self._session += 1
        self._arrived.clear()
        self._down = None
        self._pump = asyncio.create_task(self._take_all(self._session))

    async def send(self, frame: WanFrame) -> None:
        """Raises WanError."""
        for late_s, one in await self._passed("dcc", frame):
            if late_s:
                task = asyncio.create_task(self._send_late(self._session, late_s, one))
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
        if self.shape is None:
            return ((0.0, frame),)
        try:
            return self.shape(to, frame)
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
