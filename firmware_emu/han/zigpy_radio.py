"""The hub's radio on a USB dongle, real or virtual: unmodified bellows or zigpy-znp behind :class:`~firmware_emu.han.base.HanRadio`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import zigpy.types

from firmware_emu.clock import Clock
from firmware_emu.crypto.entropy import SYSTEM, Entropy
from firmware_emu.errors import CommsHubError, DecodeError, NotAvailable, RadioError
from firmware_emu.han import zdo
from firmware_emu.han.address_book import AddressBook
from firmware_emu.han.base import (
    ZDO_PROFILE,
    ApsFrame,
    HanEvent,
    HanEventKind,
    NetworkSettings,
    Passage,
    Receiver,
    SimpleDescriptor,
)
from firmware_emu.han.custody import Backup, DongleContent, write_backup
from firmware_emu.han.dongle import Dongle, SubGhzDongle
from firmware_emu.han.ezsp import device_config
from firmware_emu.han.family import family
from firmware_emu.han.inter_pan import InterPanFrame, InterPanReceiver, InterPanSender
from firmware_emu.han.key_establishment import KeyAgreement
from firmware_emu.han.permits import Permits
from firmware_emu.ids import Eui64
from firmware_emu.ownership import Owner
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace

LOGGER = logging.getLogger(__name__)

WATCHDOG_S = 10.0
"""bellows' own period; an hour on a warp clock, where a virtual day must not consist of watchdogs."""
_WARP_WATCHDOG_S = 3600.0
_RECOVERY_PAUSES_S = (0.5, 1, 2, 5, 10, 30, 60, 300, 600)
_READY_TIMEOUT_S = 30.0
"""Waiting time of a send for a dongle that is being opened again."""


class ZigpyRadio:
    """HanRadio over a dongle at ``path`` (a serial port or ``socket://host:port``).

    ``kind``: the family of its firmware (:mod:`firmware_emu.han.family`). ``watchdog_s``: seconds between checks of an idle dongle;
    None: 10 s, an hour on a warp clock; 0: none. ``backups``: the folder of :meth:`save_backup`. A dongle that resets or goes away is
    opened again and its network resumed; sends wait a while.
    """

    def __init__(
        self,
        path: str,
        *,
        baudrate: int = 115200,
        flow_control: str | None = None,
        clock: Clock,
        trace: Trace,
        kind: str = "ezsp",
        watchdog_s: float | None = None,
        entropy: Entropy = SYSTEM,
        backups: Path | None = None,
    ) -> None:
        self._make = family(kind).driver()
        self.path = path
        self.clock = clock
        self._backups = backups
        self._entropy = entropy
        self.endpoints: list[SimpleDescriptor] = []
        self._config = device_config(path, baudrate, flow_control)
        self._trace = trace
        self._watchdog_s = (_WARP_WATCHDOG_S if clock.warp else WATCHDOG_S) if watchdog_s is None else watchdog_s
        self._dongle: Dongle | None = None
        self._eui64: Eui64 | None = None
        self._receiver: Receiver | None = None
        self._on_event: Callable[[HanEvent], None] | None = None
        self.inter_pan_receiver: InterPanReceiver | None = None
        self.tap: Callable[[Eui64, Eui64 | None, ApsFrame], None] | None = None
        """Hears each message on its way: sender, destination (None: everybody) and the message, whole."""
        self.passage: Passage | None = None
        """Frames from and to one Device go through it, whole and without the radio's security; None: they go on as they are."""
        self._book = AddressBook(self)
        self._permits = Permits(clock)
        self._joining: dict[Eui64, HanEventKind] = {}
        self._lost: Dongle | None = None
        """One that went away and whose port is not closed yet: :meth:`stop` may come first."""
        self._ready = asyncio.Event()
        self._formed = False
        self._owner: Owner | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # -- ApsPort ---------------------------------------------------------------------------------------------------------------

    @property
    def eui64(self) -> Eui64:
        """The dongle's address. Raises RadioError before :meth:`start`."""
        if self._eui64 is None:
            raise RadioError(f"the dongle at {self.path} is not open: call start() first")
        return self._eui64

    @property
    def receiver(self) -> Receiver | None:
        return self._receiver

    @receiver.setter
    def receiver(self, receiver: Receiver | None) -> None:
        self._receiver = receiver

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        """Register an endpoint, before :meth:`start`, in place of an earlier one of its number. Raises RadioError after it."""
        if self._dongle is not None:
            raise RadioError(f"the dongle at {self.path} is open: add endpoint {descriptor.endpoint} before start()")
        self.endpoints[:] = [other for other in self.endpoints if other.endpoint != descriptor.endpoint]
        self.endpoints.append(descriptor)

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        await self._wait_ready()
        if self.tap is not None:
            self.tap(self.eui64, destination, frame)
        if self.passage is None:
            await self._send(destination, frame)
            return
        async for one in self.passage(self.eui64, destination, frame):
            await self._send(destination, one)

    async def _send(self, destination: Eui64, frame: ApsFrame) -> None:
        short = await self._book.short_of(destination)
        try:
            await self._running().send(short, destination, frame)
        except RadioError:
            self._book.doubt(destination)
            raise

    async def broadcast(self, frame: ApsFrame) -> None:
        await self._wait_ready()
        if self.tap is not None:
            self.tap(self.eui64, None, frame)
        await self._running().broadcast(frame)

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        await self._wait_ready()
        short = await self._book.short_of(destination)
        answer = await self._book.ask(
            short, zdo.MATCH_DESCRIPTOR_REQUEST, lambda sequence: zdo.encode_match(sequence, short, cluster, server=server)
        )
        return zdo.decode_match_response(answer)

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        await self._wait_ready()
        await self._running().import_link_key(partner, key)

    # -- HanRadio --------------------------------------------------------------------------------------------------------------

    async def start(self, on_event: Callable[[HanEvent], None] | None = None) -> None:
        """Open and configure the dongle. Raises OwnedElsewhere, NotAvailable or RadioError, one sentence that says what to do."""
        self._on_event = on_event
        if self._dongle is not None:
            return
        if self._owner is None:
            self._owner = Owner.of_line(self.path, f"the dongle at {self.path}")
        try:
            await self._open()
        except BaseException:  # also a cancelled start: the next owner gets the dongle, and the error goes on
            self._let_go()
            raise
        dongle = self._running()
        self._trace.emit("han", "radio", "opened", target=str(self.eui64), path=self.path, firmware=dongle.firmware)
        if dongle.warning is not None:
            self._trace.emit("han", "radio", "warned", reason=dongle.warning)
        if self._watchdog_s:
            self._spawn(self._watch())

    async def held(self) -> DongleContent:
        """The dongle's content; call :meth:`silence` where nothing else follows. Raises RadioError."""
        return await self._running().held()

    async def silence(self) -> None:
        """Leave the dongle as it was found."""
        await self._running().silence()

    async def backup(self) -> Backup:
        """The network of the dongle in the open coordinator backup format; it holds keys. Raises RadioError."""
        return await self._running().backup()

    async def save_backup(self) -> Path:
        """:meth:`backup` in a file of its own, mode 0600. Raises RadioError, and NotAvailable where the file cannot be written."""
        if self._backups is None:
            raise NotAvailable("a folder for backups", "give the radio one: what a dongle holds is saved before it is overwritten")
        path = write_backup(await self.backup(), self._backups)
        self._trace.emit("han", "radio", "saved a backup", path=str(path))
        return path

    async def restore(self, backup: Backup, *, own_eui64: bool = False) -> NetworkSettings:
        """Write ``backup`` into the dongle and start its network. ``own_eui64``: without its EUI-64. Raises NotAvailable or RadioError."""
        self._ready.clear()
        self._book.clear()
        dongle = self._running()
        await dongle.restore(backup, own_eui64=own_eui64)
        self._eui64 = await dongle.address()
        await self._network_up()
        settings = dongle.settings
        self._trace.emit("han", "radio", "restored", target=str(self.eui64), channel=settings.channel, pan=settings.pan_id)
        return settings

    async def resume(self) -> NetworkSettings | None:
        settings = await self._running().resume()
        if settings is not None:
            await self._network_up()
            self._trace.emit("han", "radio", "resumed", channel=settings.channel, pan=settings.pan_id)
        return settings

    async def form(self, settings: NetworkSettings) -> NetworkSettings:
        dongle = self._running()
        self._ready.clear()
        self._book.clear()
        if self._formed:
            # bellows listens once more at each start of a network: after one, another needs an application of its own.
            self._dongle = self._permits.dongle = None
            await dongle.close()
            await self._open()
            dongle = self._running()
        await dongle.form(settings, self._entropy)
        self._eui64 = await dongle.address()
        await self._network_up()
        formed = dongle.settings
        self._trace.emit("han", "radio", "formed", channel=formed.channel, pan=formed.pan_id, extended_pan=str(formed.extended_pan_id))
        return formed

    async def permit(self, device: Eui64, link_key: bytes, seconds: int) -> None:
        await self._wait_ready()
        self._permits.add(device, link_key, seconds)
        await self._permits.renew()
        self._trace.emit("han", "radio", "permitted", target=str(device), seconds=seconds)

    async def forbid(self) -> None:
        await self._wait_ready()
        await self._permits.close()

    async def remove(self, device: Eui64) -> None:
        await self._wait_ready()
        dongle = self._running()
        self._permits.drop(device)
        try:
            await dongle.remove_device(device, await self._book.short_of(device))
        finally:
            await dongle.forget_link_key(device)
            self._book.forget(device)

    async def key_agreement(self, certificate: bytes) -> KeyAgreement | None:
        """Key establishment in the dongle under ``certificate``; None where it has none. Raises RadioError."""
        await self._wait_ready()
        return await self._running().key_agreement(certificate)

    async def start_sub_ghz(self, page: int, number: int) -> None:
        """See :class:`~firmware_emu.han.base.SubGhzRadio`."""
        await self._wait_ready()
        await self._sub_ghz_dongle().start_sub_ghz(page, number)
        self._trace.emit("han", "radio", "sub-GHz channel", page=page, channel=number)

    async def sub_ghz_energy(self, mask: int) -> dict[tuple[int, int], int]:
        await self._wait_ready()
        return await self._sub_ghz_dongle().sub_ghz_energy(mask)

    async def sub_ghz_duty_cycle(self) -> tuple[int, dict[Eui64, int]]:
        await self._wait_ready()
        dongle = self._sub_ghz_dongle()
        shares, known = await dongle.sub_ghz_duty_cycle(), dict[Eui64, int]()
        for short, share in shares.items():
            device = await self._running().lookup_device(short) if short else None
            if device is not None:
                known[device] = share
        return shares.get(0, 0), known

    async def on_sub_ghz(self) -> frozenset[Eui64]:
        await self._wait_ready()
        return await self._sub_ghz_dongle().on_sub_ghz()

    def _sub_ghz_dongle(self) -> SubGhzDongle:
        dongle: object = self._running()
        if not isinstance(dongle, SubGhzDongle):
            raise NotAvailable(f"a radio below 1 GHz in the dongle at {self.path}", "take EmberZNet firmware of a dual-band coordinator")
        return dongle

    async def give_network_key(self, key: bytes | None = None) -> None:
        """Broadcast the next network key (None: drawn afresh), under the one in force; nobody uses it before the switch.

        Give those that sleep the time to poll, then :meth:`switch_network_key`. Raises RadioError.
        """
        await self._wait_ready()
        await self._running().give_network_key(key or self._entropy.octets(16))
        self._trace.emit("han", "radio", "gave a network key")

    async def switch_network_key(self) -> NetworkSettings:
        """Every Device takes the key that was given out; who missed it comes back by its link key. Raises RadioError."""
        await self._wait_ready()
        settings = await self._running().switch_network_key()
        self._trace.emit("han", "radio", "switched the network key")
        return settings

    async def send_inter_pan(self, destination: Eui64 | int, pan: int, frame: InterPanFrame) -> None:
        """A frame of no network to an EUI-64, or a short address on ``pan`` (0xFFFF: all). Raises RadioError.

        Those that arrive go to ``inter_pan_receiver``.
        """
        await self._wait_ready()
        await self._running().send_inter_pan(destination, pan, frame)

    async def stop(self) -> None:
        self._on_event = None
        self._ready.clear()
        self._formed = False
        self._permits.stop()
        self._book.stop()
        for task in tuple(self._tasks):
            task.cancel()
        open_ = [dongle for dongle in (self._dongle, self._lost) if dongle is not None]
        self._dongle = self._lost = self._permits.dongle = None  # at once: what follows may be cancelled, and start() come next
        async with contextlib.AsyncExitStack() as stack:  # all of it, also where a wait is cancelled
            stack.callback(self._let_go)
            for dongle in open_:
                stack.push_async_callback(dongle.close)
                stack.callback(dongle.abandon, "CLOSED")
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _let_go(self) -> None:
        if self._owner is not None:
            self._owner.release()
            self._owner = None

    # -- what the dongle tells -------------------------------------------------------------------------------------------------

    def packet_received(self, packet: Any) -> None:
        """A packet of the HAN (zigpy's ZigbeePacket), reassembled."""
        short, payload = int(packet.src.address), packet.data.serialize()
        if packet.profile_id == ZDO_PROFILE:
            self._zdo_received(short, int(packet.cluster_id), payload)
            return
        unicast = packet.dst.addr_mode.name == "NWK"
        frame = ApsFrame(
            int(packet.cluster_id),
            payload,
            int(packet.src_ep),
            int(packet.dst_ep) if unicast else 0xFF,
            secured=bool(packet.tx_options & zigpy.types.TransmitOptions.APS_Encryption),
            profile=int(packet.profile_id),
            lqi=None if packet.lqi is None else int(packet.lqi),
            rssi=None if packet.rssi is None else int(packet.rssi),
        )
        self._book.with_device(short, lambda device: self._deliver(device, frame))

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int) -> None:
        """trustCenterJoinHandler: update 0 secured rejoin, 1 unsecured join, 2 left, 3 unsecured rejoin; decision 2 deny."""
        if update == 2:
            self._book.forget(device)
            self._tell(HanEvent(HanEventKind.LEFT, device))
        elif decision == 2:
            self._tell(HanEvent(HanEventKind.REFUSED, device, "no link key is held for it, or joining is closed"))
        elif update != 3:  # an unsecured rejoin proves nothing, nor does a frame after it: the announcement alone tells of it
            # Only the announcement shows that it could read the network key, so that its link key was the right one.
            self._book.learn(device, short)
            self._joining[device] = HanEventKind.JOINED if update == 1 else HanEventKind.REJOINED

    def inter_pan_received(self, sender: InterPanSender, frame: InterPanFrame) -> None:
        """A frame of no network."""
        if self.inter_pan_receiver is not None:
            self.inter_pan_receiver(sender, frame)

    def connection_lost(self, problem: BaseException | None) -> None:
        """The dongle reset by itself or went away."""
        if self._dongle is None or self._eui64 is None:
            return
        dongle, self._dongle = self._dongle, None
        self._lost = dongle
        self._permits.dongle = None
        self._ready.clear()
        dongle.abandon("RESET")
        self._tell(HanEvent(HanEventKind.RESET, self._eui64, f"the dongle reset or went away{_because(problem)}"))
        self._spawn(self._recover(dongle))

    # -- what the address book needs -------------------------------------------------------------------------------------------

    async def send_zdo(self, short: int | None, cluster: int, payload: bytes) -> None:
        """A ZDO frame to a short address; None: broadcast."""
        frame = ApsFrame(cluster, payload, 0, 0, secured=False, profile=ZDO_PROFILE)
        if short is None:
            await self._running().broadcast(frame)
        else:
            await self._running().send(short, self.eui64, frame)

    async def lookup_short(self, device: Eui64) -> int | None:
        """Answer of the dongle's tables."""
        return await self._running().lookup_short(device)

    async def lookup_device(self, short: int) -> Eui64 | None:
        """Answer of the dongle's tables."""
        return await self._running().lookup_device(short)

    # -- below -----------------------------------------------------------------------------------------------------------------

    def _running(self) -> Dongle:
        if self._dongle is None:
            raise RadioError(f"the dongle at {self.path} is not open: call start() first, or wait for it to come back", "RESET")
        return self._dongle

    async def _wait_ready(self) -> None:
        if self._ready.is_set():
            return
        if not self._formed:
            raise RadioError("there is no network: form or resume one first", "NETWORK_DOWN")
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await self._ready.wait()
        except TimeoutError:
            raise RadioError(f"the dongle at {self.path} has not come back after its reset: plug it in again", "RESET") from None

    async def _open(self) -> None:
        dongle = self._make(self, self._config)
        try:
            self._eui64 = await dongle.open()
        except BaseException:  # also a cancelled start: the port is let go of, and the error goes on
            await dongle.close()
            raise
        self._dongle = self._permits.dongle = dongle

    async def _network_up(self) -> None:
        self._formed = True
        self._book.learn(self.eui64, 0)
        await self._permits.renew()
        if not self._permits.open:
            await self._permits.close()
        self._ready.set()

    async def _recover(self, lost: Dongle) -> None:
        await lost.close()
        self._lost = None
        attempt = 0
        while True:
            await self.clock.sleep(_RECOVERY_PAUSES_S[min(attempt, len(_RECOVERY_PAUSES_S) - 1)])
            attempt += 1
            try:
                was = self._eui64
                await self._open()
                if was is not None and self._eui64 != was:
                    found, self._eui64 = self._eui64, was
                    raise RadioError(f"the dongle at {self.path} is {found} now, and it was {was}: plug that one in, or start the hub anew")
                if self._formed and await self.resume() is None:
                    raise RadioError("the dongle has lost its network")
                return
            except CommsHubError as error:
                gone = isinstance(error, NotAvailable)
                self._trace.emit("han", "radio", "gone" if gone else "failed", reason=str(error), attempt=attempt)
                dongle, self._dongle = self._dongle, None
                self._permits.dongle = None
                if dongle is not None:
                    await dongle.close()

    async def _watch(self) -> None:
        while True:
            await self.clock.sleep(self._watchdog_s)
            if self._dongle is None:
                continue
            try:
                await self._dongle.ping()
            except RadioError as error:
                self.connection_lost(error)

    def _zdo_received(self, short: int, cluster: int, payload: bytes) -> None:
        if cluster != zdo.DEVICE_ANNOUNCE:
            self._book.answered(short, cluster, payload)
            return
        with contextlib.suppress(DecodeError):
            device, announced = zdo.decode_announce(payload)
            self._book.learn(device, announced)
            self._joining.setdefault(device, HanEventKind.REJOINED)
            self._arrived(device)

    def _deliver(self, device: Eui64, frame: ApsFrame) -> None:
        self._arrived(device)
        if self.tap is not None:
            self.tap(device, self.eui64, frame)
        if self._receiver is None:
            return
        if self.passage is None:
            self._receiver(device, frame)
        else:
            self._spawn(self._pass_on(self.passage(device, self.eui64, frame), self._receiver, device))

    @staticmethod
    async def _pass_on(passed: AsyncIterator[ApsFrame], receiver: Receiver, device: Eui64) -> None:
        async for frame in passed:
            receiver(device, frame)

    def _arrived(self, device: Eui64) -> None:
        kind = self._joining.pop(device, None)
        if kind is not None:
            self._tell(HanEvent(kind, device))

    def _tell(self, event: HanEvent) -> None:
        self._trace.emit("han", "radio", event.kind.value, target=str(event.device), reason=event.reason or None)
        if self._on_event is not None:
            self._on_event(event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = supervised(work, f"a task of the radio at {self.path}", self._trace, area="han", told=self._task_failed)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _task_failed(self, reason: str) -> None:
        if self._eui64 is not None:
            self._tell(HanEvent(HanEventKind.FAILED, self._eui64, reason))


def _because(problem: BaseException | None) -> str:
    """The words of an error, behind a colon; nothing where there is none, and its name where it has no words."""
    return "" if problem is None else f": {str(problem) or type(problem).__name__}"
