"""A Device's end of its mailbox in the CHF, of a GSME or a hand-held terminal: GET until nothing remains, PUT (reference chts 4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from firmware_emu.errors import DecodeError, RadioError
from firmware_emu.han.tunnel import TunnelClient
from firmware_emu.zse.tunneling import Get, GetResponse, Put, decode_mailbox, encode_mailbox

LOGGER = logging.getLogger(__name__)


class MailboxClient:
    """GET and PUT through a :class:`~firmware_emu.han.tunnel.TunnelClient` toward the CHF; takes over its ``on_data``.

    ``on_late`` gets the message of an answer that came too late for its GET: the hub keeps it no longer. ``on_unreadable`` is told of
    octets that are no answer. ``timeout_s``: how long the answer to a GET is awaited, in bench seconds.
    """

    def __init__(
        self,
        tunnel: TunnelClient,
        *,
        on_late: Callable[[bytes], None] | None = None,
        on_unreadable: Callable[[DecodeError, bytes], None] | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._tunnel = tunnel
        self._on_late = on_late
        self._on_unreadable = on_unreadable
        self._timeout_s = timeout_s
        self._answer: asyncio.Future[GetResponse] | None = None
        tunnel.on_data = self._received

    async def fetch(self) -> list[bytes]:
        """Every message that waits, in order. Raises RadioError: no tunnel, not delivered, no answer (messages got so far are lost
        to the caller only in that case: use :meth:`fetch_one` to act on each)."""
        messages = []
        while True:
            found = await self.fetch_one()
            if found.message:
                messages.append(found.message)
            if not found.remaining or not found.message:
                return messages

    async def fetch_one(self) -> GetResponse:
        """One GET and its answer: an empty message when nothing waits. Raises RadioError."""
        if self._answer is not None:
            raise RadioError("a GET is under way already: expected one at a time", "BUSY")
        self._answer = asyncio.get_running_loop().create_future()
        try:
            await self._tunnel.transfer(encode_mailbox(Get()))
            async with asyncio.timeout(self._timeout_s):
                return await self._answer
        except TimeoutError:
            raise RadioError(f"no GET-RESPONSE from {self._tunnel.partner} within {self._timeout_s:g} s", "TIMEOUT") from None
        finally:
            self._answer = None

    async def put(self, message: bytes) -> None:
        """Send one GBCS message and wait for the confirmation of delivery. Raises as TunnelClient.transfer."""
        await self._tunnel.transfer(encode_mailbox(Put(message)))

    def _received(self, data: bytes) -> None:
        try:
            item = decode_mailbox(data)
        except DecodeError as error:
            LOGGER.info("what %s put into the tunnel is not readable: %s", self._tunnel.partner, error)
            if self._on_unreadable is not None:
                self._on_unreadable(error, data)
            return
        if not isinstance(item, GetResponse):
            return
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(item)
        elif item.message and self._on_late is not None:
            self._on_late(item.message)
