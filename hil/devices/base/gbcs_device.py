"""A Device with GBCS on the HAN: Commands arrive through the tunnel, responses and alerts go back through it.

What it still has to send is kept in its store, so that an alert raised before a power cut is not lost.

Method A joins between two meters or displays: key establishment with each other once both have the other in their logs. By methods B and C
the Device that the Command told asks the Trust Centre for a link key, which gives it to both (a partner link key); with the hub itself
it has one already. That this one asks, and not its partner, which may have no GBCS, is inferred: the text is not stored.

Not modelled: the codes 6 to 10, 12 and 13 of CS03, since the answer to a join is given before the keys are agreed.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol, Self, TypeAlias

from firmware_emu.clock import Clock
from firmware_emu.crypto.ecqv import CbkeCredentials
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device import joins
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.event_log import LogName
from firmware_emu.device.gbz_server import ZclModel
from firmware_emu.device.joining import Membership
from firmware_emu.device.object_model import ObjectModel
from firmware_emu.device.pipeline import Executor, GbcsDevice, UseCases
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore, Store
from firmware_emu.errors import DecodeError, ProtectionError, RadioError
from firmware_emu.gbcs import gbt
from firmware_emu.gbcs.envelope import message_of
from firmware_emu.han.base import HanNode
from firmware_emu.han.key_establishment import KeyEstablishmentServer, establish
from firmware_emu.han.tunnel import TunnelServer
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.devices.base.han_device import HanDevice
from hil.devices.base.ota_client import OtaClient
from hil.devices.base.part import DevicePart
from hil.devices.base.place import Place

INITIATOR, RESPONDER, METHOD_B, METHOD_C = range(4)
"""Method and role of a join: the first two by method A (reference gbcs-messages 6)."""
RETRY_S, TRIES = 60.0, 30
"""The other side may get its join command later. The bench's own figures."""


class Paired(DevicePart, Protocol):
    """A Device that is joined to others."""

    def paired(self, partner: Eui64) -> None:
        """A link key was agreed with a Device of the log, on this one's initiative."""
        ...


class Pairing:
    """The partners of one Device, and the link keys with them."""

    def __init__(self, device: Paired, credentials: CbkeCredentials) -> None:
        self._device = device
        self._credentials = credentials
        self._under_way: set[Eui64] = set()
        self.established: set[Eui64] = set()
        """Joined Devices with which a link key was agreed; the key itself is the radio's."""

    def serve(self) -> None:
        """Answer key establishment, but only with Devices that the log has as initiators."""
        self._server = KeyEstablishmentServer(self._device.zcl, self._credentials, self._on_established, accept=self._may_pair)

    def _may_pair(self, other: Eui64) -> bool:
        return joins.method_of(self._device.gbcs, other) == RESPONDER

    async def _on_established(self, partner: Eui64, key: bytes) -> None:
        self.established.add(partner)
        self._device.trace.emit("han", self._device.name, "key established", target=str(partner), role="responder")

    def start_new(self) -> None:
        """Begin with every partner with which this Device has to see to a key and has none yet; forget those unjoined."""
        self._device.gbcs.joins_changed = False
        entries = joins.entries(self._device.gbcs)
        self.established &= {entry.device_id for entry in entries}
        for entry in entries:
            partner = entry.device_id
            done = partner in self._under_way or partner in self.established
            method = joins.method_of(self._device.gbcs, partner)
            if done or method == RESPONDER or (method != INITIATOR and self._device.coordinator in (None, partner)):
                continue
            self._under_way.add(partner)
            self._device.spawn(self._agree(partner, self._establish if method == INITIATOR else self._device.node.request_link_key))

    def begin_again(self) -> None:
        """The link keys are lost, those of both sides: agree new ones."""
        self.established.clear()
        self.start_new()

    async def _establish(self, partner: Eui64) -> None:
        key = await establish(self._device.zcl, partner, self._credentials)
        await self._device.node.import_link_key(partner, key)

    async def _agree(self, partner: Eui64, once: Callable[[Eui64], Awaitable[None]]) -> None:
        """Try ``once`` until it succeeds: the other side may not be there yet, or not know of this one."""
        device = self._device
        try:
            for _ in range(TRIES):
                try:
                    await once(partner)
                except (RadioError, ProtectionError) as problem:
                    device.trace.emit("han", device.name, "not established", target=str(partner), reason=str(problem))
                    await device.clock.sleep(RETRY_S)
                    continue
                self.established.add(partner)
                device.paired(partner)
                device.trace.emit("han", device.name, "key established", target=str(partner), role="initiator")
                return
            device.gbcs.joins_changed = True  # the next message from the hub is the occasion to try again
        finally:
            self._under_way.discard(partner)


CAPACITY = 64
"""Messages kept; the oldest goes first. The bench's own figure: no source states one."""


class Outbox:
    """First in, first out."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix + "outbox/"

    def __len__(self) -> int:
        return len(self._store.keys(self._prefix))

    def put(self, message: bytes) -> None:
        """Append ``message``."""
        keys = self._store.keys(self._prefix)
        number = int(keys[-1].removeprefix(self._prefix)) + 1 if keys else 0
        with self._store.transaction():
            if len(keys) >= CAPACITY:
                self._store.delete(keys[0])
            self._store.put(f"{self._prefix}{number:012d}", message)

    def first(self) -> tuple[str, bytes] | None:
        """The oldest message and its key, None if there is none."""
        for key in self._store.keys(self._prefix):
            message = self._store.get(key)
            if message is not None:
                return key, message
        return None

    def done(self, key: str) -> None:
        """Forget a message that was delivered."""
        self._store.delete(key)


CLOCK_ADJUSTED_S = 10.0
"""Difference from the hub's time up to which a clock is adjusted by itself (reference behaviour-audit, row 52, two makers)."""
CLOCK_KEPT_S = 1.0
"""Difference below which it is left alone: times have whole seconds. The bench's own figure."""
COMPARED_EVERY_S = 21_600.0
"""Period of the routine comparison of a mains Device; the interval of GBCS 9.1 is not stored. The bench's own figure."""
_MILLION = 1_000_000

SEND_RETRY_S = 30.0
"""Pause before a message that could not be handed over is tried again. The bench's own figure."""


TUNNEL_OPEN_S = 0.5
"""Time the hub is given to take the answer to its request for a tunnel. The bench's own figure."""


Model: TypeAlias = ObjectModel | ZclModel | None
"""Model from which a Device serves its Commands; None for a type that has ASN.1 Commands alone."""


MessagePassage = Callable[[Eui64, bool, bytes], AsyncIterator[bytes]]
"""Called with the Device, True for a message that it sends, and the message; gives what goes on of it, when it does."""


class GbcsHanDevice(HanDevice, ABC):
    """Base of ESME, GSME, PPMID and HCALCS. ``store`` is the Device's non-volatile memory."""

    def __init__(
        self,
        eui64: Eui64,
        install_code: InstallCode,
        keystore: Keystore,
        node: HanNode,
        clock: Clock,
        trace: Trace,
        parties: Mapping[RemotePartyRole, Eui64] | None = None,
        *,
        store: Store | None = None,
    ) -> None:
        super().__init__(eui64, install_code, keystore, node, clock, trace, parties)
        self.store = store or MemoryStore()
        self.credentials = Credentials.from_keystore(self.store, keystore, eui64, self.device_type, self.parties)
        self.clock_offset = 0.0
        """The Device's own clock less the bench's, seconds; set with the hub's time."""
        self.drift_ppm = 0
        """Parts of a million by which the clock gains on the bench's."""
        self._drifts_from = clock.now()
        self.clock_reliable = False
        self.gbcs = GbcsDevice(eui64, self.device_type, self.credentials, self.store, self.now, trace, self.use_cases(), outgoing=self.send)
        self.gbcs.clock_status = 2
        self.outbox = Outbox(self.store, self.gbcs.prefix)
        self.passage: MessagePassage | None = None
        """Messages from and to the hub go through it; None: they go on as they are."""
        self._work = asyncio.Event()
        self._retry = asyncio.Event()
        self._due: asyncio.Task[None] | None = None

    @classmethod
    def from_board(cls, place: Place) -> Self:
        row = place.row
        return cls(row.eui, row.install_code, place.keystore, place.node, place.clock, place.trace, place.parties, store=place.store)

    def use_cases(self) -> UseCases:
        """Use cases that this type of Device answers without its executor: those of all Devices, and its own."""
        return STANDARD

    @property
    def served_model(self) -> Model:
        """The model of DLMS objects or ZCL attributes behind the Device's Commands."""
        return None

    def use(self, executor: Executor) -> None:
        """Install what executes this type's own use cases."""
        self.gbcs.executor = executor

    # --- the Device's own clock

    def now(self) -> float:
        """The Device's own time, seconds since 2000."""
        bench = self.clock.now()
        return bench + self.clock_offset + (bench - self._drifts_from) * self.drift_ppm / _MILLION

    def _follow(self, hub: float) -> None:
        """Take over the hub's time."""
        self._drifts_from = self.clock.now()
        self.clock_offset = hub - self._drifts_from
        self.gbcs.future.changed = True

    def compare_clock(self) -> None:
        """The routine comparison with the hub's time: a difference of up to 10 s is adjusted and logged, one beyond it makes the clock
        unreliable, with security log and alert 8F0C (GBCS 9.1 by makers' event tables, reference behaviour-audit, row 52; that the status
        changes is recalled).
        """
        hub = self.hub_now()
        if hub is None or self.hub_time is None or not self.hub_time.reliable or not self.clock_reliable:
            return
        difference = hub - self.now()
        if abs(difference) > CLOCK_ADJUSTED_S:
            self.trace.emit("device", self.name, "clock astray", seconds=round(difference, 3))
            self.clock_reliable, self.gbcs.clock_status = False, 2
            self.gbcs.raise_alert(0x8F0C)
        elif abs(difference) >= CLOCK_KEPT_S:
            self.trace.emit("device", self.name, "clock adjusted", seconds=round(difference, 3))
            self._follow(hub)
            self.gbcs.log(0x8145)
            self.spawn_due()

    def set_clock(self, start: float, end: float) -> bool:
        """Set Clock: adopt the hub's time if it lies in the interval; logs 8145, or 8F0C with its alert (reference chts 7)."""
        hub = self.hub_now()
        if hub is None or not start <= hub <= end:
            self.gbcs.note_failure("the hub's time is not in the interval" if hub is not None else "the hub serves no time")
            self.gbcs.raise_alert(0x8F0C)
            return False
        self._follow(hub)
        self.clock_reliable = True
        self.gbcs.clock_status = 4
        self.gbcs.log(0x8145)
        return True

    # --- messages

    def receive(self, data: bytes) -> None:
        """One GBCS message from the hub: checked, executed and answered through the outbox."""
        identifier = _identifier(data)
        self.trace.emit("device", self.name, "received", message=identifier, data=data)
        for answer in self.gbcs.receive(data):
            self.send(answer)
        if self.gbcs.future.changed:
            self.spawn_due()

    def send(self, message: bytes) -> None:
        """Put a message of this Device on its way to the hub."""
        self.outbox.put(message)
        self._work.set()

    async def arrived(self, message: bytes) -> None:
        """Take one message off the HAN."""
        if self.passage is None:
            self.receive(message)
            return
        async for one in self.passage(self.eui64, False, message):
            self.receive(one)

    async def hand_over(self, message: bytes) -> None:
        """Hand one message to the hub. Raises RadioError."""
        if self.passage is None:
            await self.transfer(message)
            return
        async for one in self.passage(self.eui64, True, message):
            await self.transfer(one)

    @abstractmethod
    async def transfer(self, message: bytes) -> None:
        """Put one message into the tunnel. Raises RadioError."""

    async def joined(self, membership: Membership) -> None:
        await super().joined(membership)
        self.spawn(self._send_outbox())
        self.spawn_due()

    async def _send_outbox(self) -> None:
        while True:
            waiting = self.outbox.first()
            if waiting is None:
                self._work.clear()
                await self._work.wait()
                continue
            key, message = waiting
            try:
                await self.hand_over(message)
            except RadioError as problem:
                self.trace.emit("device", self.name, "not sent", message=_identifier(message), reason=str(problem))
                self._retry.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SEND_RETRY_S):
                        await self._retry.wait()
                continue
            self.outbox.done(key)
            self.trace.emit("device", self.name, "sent", message=_identifier(message), target=str(self.coordinator), data=message)

    def paired(self, partner: Eui64) -> None:
        """A link key was agreed with a Device of the log, on this one's initiative."""

    # --- what was accepted for later

    def spawn_due(self) -> None:
        """Arrange for the next future-dated action, in place of what was arranged before."""
        if self._due is not None:
            self._due.cancel()
        self.gbcs.future.changed = False
        due = self.gbcs.future.next_due()
        self._due = None if due is None else self.spawn(self._run_due(due))

    async def _run_due(self, due: float) -> None:
        await self.clock.sleep(max(0.0, due - self.now()))
        self._due = None
        for alert in self.gbcs.run_due():
            self.send(alert)
        self.spawn_due()

    def log_codes(self, name: LogName) -> list[int]:
        """Event codes in one of the Device's logs, oldest first."""
        return [entry.code for entry in self.gbcs.logs[name].entries()]


class TunnelServerDevice(GbcsHanDevice):
    """A mains Device: the hub opens the tunnel, messages are raw (reference zigbee-han 7); it may be joined to others by method A.

    The tunnel is kept through an outage: nothing tells the hub of one that it should ask again (reference chts 3).
    """

    tunnel: TunnelServer
    pairing: Pairing
    ota: OtaClient

    _turn: asyncio.Lock
    """Messages are taken in the order in which they came."""

    async def start(self) -> None:
        await super().start()
        self._turn = asyncio.Lock()
        endpoint = self.zcl.endpoint_for(0x0704, server=True)
        self.tunnel = TunnelServer(self.zcl, endpoint, self._lets_tunnel, self._from_tunnel, blocks=gbt)
        self.pairing = Pairing(self, self.keystore.cbke(self.eui64))
        self.pairing.serve()
        self.ota = OtaClient(self)
        self.ota.serve()

    async def joined(self, membership: Membership) -> None:
        await super().joined(membership)
        self.log_may_have_changed()
        self.spawn(self.ota.follow())

    def swapped(self, centre: Eui64) -> None:
        """The tunnel with the old hub is gone, and so are the link keys with other Devices: the radio gave them up with the old network."""
        if self.coordinator is not None:
            self.tunnel.drop(self.coordinator)
        super().swapped(centre)
        self.pairing.begin_again()

    def log_may_have_changed(self) -> None:
        """Do what follows from a join or unjoin."""
        self.pairing.start_new()

    def _lets_tunnel(self, partner: Eui64) -> bool:
        """Only the hub; what waits to be sent is tried again as soon as the tunnel it asks for is there."""
        if partner != self.coordinator:
            return False
        asyncio.get_running_loop().call_later(TUNNEL_OPEN_S, self._retry.set)
        return True

    def _from_tunnel(self, partner: Eui64, data: bytes) -> None:
        self.spawn(self._handle(data))

    async def _handle(self, data: bytes) -> None:
        async with self._turn:  # a message that came while the time is asked for does not overtake: its counter would bar the first one's
            if self.hub_time is None or not self.hub_time.reliable:
                await self.refresh_hub_time()
            await self.arrived(data)
        if self.gbcs.joins_changed:
            self.log_may_have_changed()

    async def transfer(self, message: bytes) -> None:
        if self.coordinator is None:
            raise RadioError("not joined", "NOT_JOINED")
        await self.tunnel.transfer(self.coordinator, message)


def _identifier(data: bytes) -> str | None:
    """The message identifier for the trace, None for octets that are no message."""
    try:
        return str(message_of(data).header.identifier)
    except DecodeError:
        return None
