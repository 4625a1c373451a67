"""All ways into the HAN for GBCS messages: a worker a Device (:mod:`firmware_emu.hub.delivery`), and the GSME's mailbox.

The sleepy GSME is client of the hub's tunnel server: it sends GET and is given the oldest message with the count of those
that remain, deleted when that transfer was confirmed, and it sends PUT (reference chts 4, zigbee-han 7).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace

from firmware_emu.errors import RadioError
from firmware_emu.han.tunnel import TunnelServer
from firmware_emu.hub.delivery import Delivery, DeliveryContext, fetches, identifier_of
from firmware_emu.hub.device_log import RegisteredType
from firmware_emu.ids import Eui64
from firmware_emu.zse.tunneling import Get, GetResponse, Put, decode_mailbox, encode_mailbox

Spawn = Callable[[Coroutine[object, object, None]], "asyncio.Task[None]"]
_MOST_REMAINING = 0xFF


class Tunnels:
    """The workers and the tunnel server. ``spawn`` starts a task in the hub's own group."""

    def __init__(self, context: DeliveryContext, spawn: Spawn) -> None:
        self._context = context
        self._spawn = spawn
        self._lines: dict[Eui64, tuple[Delivery, asyncio.Task[None]]] = {}
        self._asked: dict[Eui64, bool] = {}
        """GSMEs that are being answered, and whether another GET has come meanwhile (before the confirmation of the last one)."""
        self._server = TunnelServer(context.zcl, context.endpoint, self._accept, self._from_client)

    @property
    def open(self) -> tuple[Eui64, ...]:
        """Devices with an open tunnel, ours or theirs."""
        ours = {device for device, (line, _) in self._lines.items() if line.is_open}
        return tuple(sorted(ours | set(self._server.partners)))

    def sync(self) -> None:
        """Have one worker for each Device in the log that gets messages, and wake them all."""
        wanted = {entry.device for entry in self._context.log.entries() if entry.registered_type.gets_gbcs}
        kept = wanted | {entry.device for entry in self._context.log.entries() if entry.registered_type is RegisteredType.HAND_HELD}
        for device in set(self._context.mailbox.counts()) - kept:
            self._context.clear(device)
        for device in set(self._lines) - wanted:
            _, task = self._lines.pop(device)
            task.cancel()
            self._server.drop(device)
        for device in sorted(wanted - set(self._lines)):
            line = Delivery(self._context, device)
            self._lines[device] = (line, self._spawn(line.run()))
        for device in wanted:
            self.wake(device)

    def wake(self, device: Eui64) -> None:
        """There is something new for ``device``."""
        if device in self._lines:
            self._lines[device][0].wake()

    def lost(self, device: Eui64) -> None:
        """A Device left or rejoined: its tunnels are gone (reference chts 3)."""
        self._server.drop(device)
        if device in self._lines:
            self._lines[device][0].lost()

    # --- the GSME's mailbox

    def _accept(self, partner: Eui64) -> bool:
        log = self._context.log
        entry = log.get(partner)
        if entry is not None and entry.registered_type is RegisteredType.HAND_HELD:
            return True
        if entry is None or not entry.registered_type.gets_gbcs:
            reason = "it asks for a tunnel and gets no messages"
            self._context.trace.emit("han", "chf", "refused", target=str(partner), reason=reason)
            return False
        if not fetches(entry):
            log.update(partner, lambda one: replace(one, sleepy=True))
            self.wake(partner)
        return True

    def _from_client(self, device: Eui64, data: bytes) -> None:
        match decode_mailbox(data):
            case Get():
                if device in self._asked:
                    self._asked[device] = True
                else:
                    self._asked[device] = False
                    self._spawn(self._answer_all(device))
            case Put(message):
                self._context.on_message(device, message)
            case GetResponse():
                reason = "GET-RESPONSE, expected GET or PUT"
                self._context.trace.emit("han", "chf", "refused", target=str(device), data=data, reason=reason)

    async def _answer_all(self, device: Eui64) -> None:
        try:
            await self._answer(device)
            while self._asked[device]:
                self._asked[device] = False
                await self._answer(device)
        finally:
            del self._asked[device]

    async def _answer(self, device: Eui64) -> None:
        context = self._context
        entry = context.log.get(device)
        if entry is not None and entry.registered_type is not RegisteredType.HAND_HELD:
            context.give_up(entry)
        waiting = context.mailbox.first(device)
        remaining = 0 if waiting is None else min(context.mailbox.count(device) - 1, _MOST_REMAINING)
        message = b"" if waiting is None else waiting.message
        try:
            await self._server.transfer(device, encode_mailbox(GetResponse(remaining, message)))
        except RadioError as error:
            context.trace.emit("han", "chf", "not delivered", target=str(device), message=identifier_of(message), reason=str(error))
            return
        if waiting is not None:
            context.delivered(device, waiting)
