"""Connections of a port that have only begun, and their limit: a server of asyncio would begin any number of handshakes at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Final

from firmware_emu.errors import in_words
from firmware_emu.supervised import supervised

MOST_BEGUN: Final = 64
"""Connections that are at their handshake, and what else a server counts to it; one more waits a moment, and is ended if none of them
finishes meanwhile. An unfinished handshake of TLS holds some 290 kB of this process, so all of them hold under 20 MB (measured here: 86 MB
for 300). Profile value of this bench."""
_BACKLOG: Final = 1024
"""Connections that the system keeps until they are taken: the hubs of a process that died come to another one all at once. Own limit."""
_MOMENT_S: Final = 2.0
"""A handshake takes some milliseconds of processor, so a crowd of honest ones finishes some within this. Own value."""
_AGAIN_S: Final = 1.0
"""Pause after a connection that could not be taken. Own value."""


class Handshakes:
    """Takes the connections of a bound socket one after the other; ``begin`` does the handshake of one, and is given its peer's address.

    ``what`` names the port in reports; ``refused`` is told why a connection was turned away.
    """

    def __init__(
        self,
        port: socket.socket,
        what: str,
        begin: Callable[[socket.socket, str], Coroutine[object, object, None]],
        refused: Callable[[str], None],
        most: int | None = None,
    ) -> None:
        self._what = what
        self._begin = begin
        self._refused = refused
        self._most = MOST_BEGUN if most is None else most
        self._begun: set[asyncio.Task[None]] = set()
        self._moving = True
        """False once none has finished for a moment while there was no room."""
        port.listen(_BACKLOG)
        port.setblocking(False)
        self._listening = supervised(self._listen(port), what)

    async def _listen(self, port: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(port)
            except OSError as error:  # it was gone before it was taken, or this process has no file left
                self._refused(f"a connection could not be taken: {in_words(error)}")
                await asyncio.sleep(_AGAIN_S)
                continue
            if len(self._begun) >= self._most and self._moving:
                await asyncio.wait(self._begun, timeout=_MOMENT_S, return_when=asyncio.FIRST_COMPLETED)
                self._moving = len(self._begun) < self._most
            if len(self._begun) >= self._most:
                connection.close()
                self._refused(f"{peer[0]}: {self._most} others have not finished their handshake yet")
                continue
            begun = supervised(self._begin(connection, str(peer[0])), f"the handshake with {peer[0]} at {self._what}")
            self._begun.add(begun)
            begun.add_done_callback(self._finished)

    def _finished(self, begun: asyncio.Task[None]) -> None:
        self._begun.discard(begun)
        self._moving = True

    async def close(self) -> None:
        """Take no more, and end what has only begun."""
        ending = [self._listening, *self._begun]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
