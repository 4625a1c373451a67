"""One Device's worker: keeps its tunnel open and empties its queue in order (reference chts 3).

A tunnel is asked for after key establishment, at power-on, when a message waits and none is open, and when its lifetime is
over. A busy server is asked again after 3 minutes. A message is deleted when its transfer was confirmed, and given up, with
notice, when it has waited too long.

Messages on their way to a Device on the HAN: stored before the WAN frame is acknowledged, deleted when delivered.

One queue a Device, in order. An ESME's is emptied through its tunnel; the sleepy gas meter fetches its own by GET, and an
entry is deleted when the transfer that carried it was confirmed (reference chts 4).

All ways into the HAN for GBCS messages: a worker a Device (:mod:`firmware_emu.hub.delivery`), and the GSME's mailbox.

The sleepy GSME is client of the hub's tunnel server: it sends GET and is given the oldest message with the count of those
that remain, deleted when that transfer was confirmed, and it sends PUT (reference chts 4, zigbee-han 7).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from enum import Enum

from firmware_emu.device.store import Store
from firmware_emu.errors import DecodeError, RadioError
from firmware_emu.gbcs import gbt
from firmware_emu.gbcs.envelope import message_of
from firmware_emu.han.tunnel import TunnelClient, TunnelClosed, TunnelRefused, TunnelServer
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.device_log import DeviceLog, ListedDevice, ListedState, RegisteredType
from firmware_emu.hub.profile import HubProfile
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Trace
from firmware_emu.zse.tunneling import Get, GetResponse, Put, TunnelStatus, decode_mailbox, encode_mailbox

_PREFIX = "hub/to/"
_HEAD = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message in a queue: its ``key`` in the store, when it was stored (seconds since 2000) and its octets."""

    key: str
    stored: int
    message: bytes


class Mailbox:
    """The queues of all Devices."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, device: Eui64, message: bytes, now: int) -> None:
        """Append; durable with the transaction it is called in."""
        folder = f"{_PREFIX}{device}/"
        with self._store.transaction():
            number = int.from_bytes(self._store.get(f"hub/mailbox/next/{device}") or b"\x01", "big")
            self._store.put(f"hub/mailbox/next/{device}", (number + 1).to_bytes(8, "big"))
            self._store.put(f"{folder}{number:012d}", _HEAD.pack(now) + message)

    def first(self, device: Eui64) -> Waiting | None:
        """The oldest message for ``device``."""
        keys = self._store.keys(f"{_PREFIX}{device}/")
        return self._read(keys[0]) if keys else None

    def count(self, device: Eui64) -> int:
        """Number of messages that wait for ``device``."""
        return len(self._store.keys(f"{_PREFIX}{device}/"))

    def counts(self) -> dict[Eui64, int]:
        """Waiting messages by Device; only Devices with any."""
        found: dict[Eui64, int] = {}
        for key in self._store.keys(_PREFIX):
            device = Eui64.parse(key.split("/")[2])
            found[device] = found.get(device, 0) + 1
        return found

    def delivered(self, waiting: Waiting) -> None:
        """Delete one message."""
        self._store.delete(waiting.key)

    def expired(self, device: Eui64, before: int) -> tuple[Waiting, ...]:
        """The messages for ``device`` that were stored before ``before`` (seconds since 2000), oldest first."""
        return tuple(waiting for waiting in self.all_for(device) if waiting.stored < before)

    def all_for(self, device: Eui64) -> tuple[Waiting, ...]:
        """Every message for ``device``, oldest first."""
        found = (self._read(key) for key in self._store.keys(f"{_PREFIX}{device}/"))
        return tuple(waiting for waiting in found if waiting is not None)

    def _read(self, key: str) -> Waiting | None:
        octets = self._store.get(key)
        return None if octets is None else Waiting(key, _HEAD.unpack_from(octets)[0], octets[_HEAD.size :])


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """Context of every worker. ``on_message`` must have stored the message when it returns: only then is the transfer confirmed.
    ``on_undelivered`` is called in the transaction that gives a message up. ``now``: the hub's time, seconds since 2000."""

    zcl: ZclPort
    endpoint: int
    log: DeviceLog
    mailbox: Mailbox
    store: Store
    profile: HubProfile
    now: Callable[[], float]
    trace: Trace
    on_message: Callable[[Eui64, bytes], None]
    on_undelivered: Callable[[ListedDevice, Waiting], None]

    def limit_s(self, entry: ListedDevice) -> int:
        """Seconds that a message may wait for this Device."""
        return self.profile.mailbox_retention_s if fetches(entry) else self.profile.delivery_given_up_s

    def give_up(self, entry: ListedDevice) -> None:
        """Drop what has waited too long for ``entry``, telling of each."""
        self._drop(entry, int(self.now()) - self.limit_s(entry) + 1)

    def clear(self, device: Eui64) -> None:
        """Drop everything for a Device that has left the log, telling of each."""
        self._drop(ListedDevice(device, RegisteredType.UNKNOWN), int(self.now()) + 1)

    def _drop(self, entry: ListedDevice, before: int) -> None:
        for waiting in self.mailbox.expired(entry.device, before):
            with self.store.transaction():
                self.mailbox.delivered(waiting)
                self.on_undelivered(entry, waiting)

    def delivered(self, device: Eui64, waiting: Waiting) -> None:
        """A transfer was confirmed."""
        self.mailbox.delivered(waiting)
        self.trace.emit("han", "chf", "delivered", target=str(device), message=identifier_of(waiting.message), data=waiting.message)


def identifier_of(message: bytes) -> str | None:
    """The message identifier for the trace; None for octets that are no GBCS message."""
    try:
        return str(message_of(message).header.identifier)
    except DecodeError:
        return None


def is_alert(message: bytes) -> bool:
    """True if the octets are a GBCS Alert."""
    try:
        return message_of(message).header.cra is CraFlag.ALERT
    except DecodeError:
        return False


def fetches(entry: ListedDevice) -> bool:
    """True if the Device comes for its messages (the sleepy GSME) rather than being sent them."""
    return entry.sleepy or entry.registered_type is RegisteredType.GSME


class _Opened(Enum):
    YES = "open"
    BUSY = "busy"
    NO = "not reached"
    NONE = "no tunnel server"


class DeliveryWorker:
    """The worker of one Device; :meth:`run` ends when the Device leaves the log."""

    def __init__(self, context: DeliveryContext, device: Eui64) -> None:
        self._context = context
        self._device = device
        self._wake = asyncio.Event()
        self._last_tunnel: int | None = None
        self._lifetime_ends = 0.0
        self._client = self._new_client()

    @property
    def is_open(self) -> bool:
        """True if there is a tunnel to the Device."""
        return self._client.is_open

    def wake(self) -> None:
        """There is something new: a message, a key, a rejoin."""
        self._wake.set()

    def lost(self) -> None:
        """The Device left or rejoined: its tunnel is gone."""
        self._client.forget()
        self.wake()

    async def run(self) -> None:
        """Serve the queue."""
        context = self._context
        while True:
            self._wake.clear()
            entry = context.log.get(self._device)
            if entry is None:
                return
            context.give_up(entry)
            waiting = context.mailbox.first(self._device)
            patience = None if waiting is None else max(1.0, waiting.stored + context.limit_s(entry) - context.now())
            if fetches(entry) or entry.membership is not ListedState.ESTABLISHED:
                await self._pause(patience)
            elif not self._client.is_open or context.now() >= self._lifetime_ends:
                await self._keep_open(waiting is not None)
            elif waiting is None:
                await self._pause(max(1.0, self._lifetime_ends - context.now()))
            elif not await self._transfer(waiting):
                await self._pause(context.profile.delivery_retry_s)

    async def _keep_open(self, message_waits: bool) -> None:
        profile = self._context.profile
        opened = await self._open()
        if opened is _Opened.YES:
            self._lifetime_ends = self._context.now() + profile.tunnel_lifetime_s
        elif opened is _Opened.BUSY:
            await asyncio.sleep(profile.tunnel_busy_retry_s)
        elif opened is _Opened.NONE and not message_waits:
            await self._pause(None)  # a Type 2 Device of a restored log, which does not tell types, or one that asks for tunnels itself
        else:
            await self._pause(profile.delivery_retry_s if message_waits else profile.tunnel_busy_retry_s)

    async def _open(self) -> _Opened:
        trace, device = self._context.trace, str(self._device)
        for attempt in (1, 2):
            try:
                self._last_tunnel = await self._client.open()
            except TunnelRefused as refused:
                trace.emit("han", "chf", "tunnel refused", target=device, reason=refused.status)
                if refused.tunnel_status == TunnelStatus.NO_MORE_TUNNEL_IDS and attempt == 1:
                    await self._close_last()
                    continue
                return _Opened.BUSY
            except RadioError as error:
                trace.emit("han", "chf", "no tunnel", target=device, reason=str(error))
                self._client.forget()
                return _Opened.NONE if error.status == "NOT_FOUND" else _Opened.NO
            trace.emit("han", "chf", "tunnel open", target=device, tunnel=self._last_tunnel)
            return _Opened.YES
        return _Opened.BUSY

    async def _close_last(self) -> None:
        """No more tunnel ids: close the one that may still be open there, then ask once more (reference chts 3)."""
        self._client.tunnel_id = self._last_tunnel
        with contextlib.suppress(RadioError):  # what cannot be closed shows in the second refusal
            await self._client.close()
        self._client = self._new_client()

    def _new_client(self) -> TunnelClient:
        context, device = self._context, self._device
        return TunnelClient(
            context.zcl,
            device,
            blocks=gbt,
            on_data=lambda data: context.on_message(device, data),
            on_closed=self.wake,
            source_endpoint=context.endpoint,
        )

    async def _transfer(self, waiting: Waiting) -> bool:
        """Send one message; False if the Device did not take it now."""
        trace, device = self._context.trace, str(self._device)
        identifier = identifier_of(waiting.message)
        try:
            await self._client.transfer(waiting.message)
        except TunnelClosed as closed:
            trace.emit("han", "chf", "tunnel lost", target=device, message=identifier, reason=str(closed))
            self._client.forget()
            return True  # the loop asks for a tunnel again at once
        except RadioError as error:
            trace.emit("han", "chf", "not delivered", target=device, message=identifier, reason=str(error))
            self._client.forget()
            return False
        self._context.delivered(self._device, waiting)
        return True

    async def _pause(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()


Spawn = Callable[[Coroutine[object, object, None]], "asyncio.Task[None]"]
_MOST_REMAINING = 0xFF


class Tunnels:
    """The workers and the tunnel server. ``spawn`` starts a task in the hub's own group."""

    def __init__(self, context: DeliveryContext, spawn: Spawn) -> None:
        self._context = context
        self._spawn = spawn
        self._lines: dict[Eui64, tuple[DeliveryWorker, asyncio.Task[None]]] = {}
        self._asked: dict[Eui64, bool] = {}
        """GSMEs that are being answered, and whether another GET has come meanwhile (before the confirmation of the last one)."""
        self._server = TunnelServer(context.zcl, context.endpoint, self._accept, self._from_client, blocks=gbt)

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
            line = DeliveryWorker(self._context, device)
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
