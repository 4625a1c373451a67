"""The hub between one boot and the next loss of power: everything here is built anew from the store at each boot.

A message from the WAN is executed or queued inside the transaction that records its receipt, and what it leads to is in the
outbox with the same commit. So whichever instant the power goes, a Command is either not executed (and comes again) or
executed once with its Response still to be sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol, runtime_checkable

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.pipeline import GbcsDevice, UseCases
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import Store
from firmware_emu.errors import CommsHubError, DecodeError, HubFault, RadioError
from firmware_emu.han.base import SMART_ENERGY, ApsFrame, HanEvent, HanEventKind, HanRadio, Receiver, SimpleDescriptor
from firmware_emu.han.key_establishment import KeyAgreement, KeyEstablishmentServer
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.chf import ChfExecutor
from firmware_emu.hub.commissioning import Commissioning
from firmware_emu.hub.delivery import DeliveryContext, Mailbox, Tunnels, identifier_of, is_alert
from firmware_emu.hub.device_log import DeviceLog, RegisteredType
from firmware_emu.hub.endpoints import CHF_ENDPOINT, ESI_ENDPOINT, declare_endpoints, serve_basic
from firmware_emu.hub.gpf import USE_CASES as GPF_USE_CASES
from firmware_emu.hub.gpf import Gpf
from firmware_emu.hub.hand_held import HandHeld
from firmware_emu.hub.mirror import NETWORK_KEY_ACTIVE, TIME_SYNC
from firmware_emu.hub.ota import OtaStore
from firmware_emu.hub.power import PowerMonitor
from firmware_emu.hub.profile import HubConfig
from firmware_emu.hub.routing import LocalCommands, Router
from firmware_emu.hub.second_band import SecondBand
from firmware_emu.hub.sub_ghz import DutyState, ScanOutcome, serve_sub_ghz
from firmware_emu.hub.time_service import HubTime, serve_keep_alive, serve_time
from firmware_emu.ids import Eui64, MessageIdentifier
from firmware_emu.supervised import called_back
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanFrame, WanKind, WanLink
from firmware_emu.wan.channel import Hello, WanChannel, WanSide
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
from firmware_emu.zse.zcl import GeneralCommand, ZclFrame


class GuardedPort:
    """An ``ApsPort`` over the coordinator's radio.

    A Smart Energy frame goes up only if ``admit(sender, frame)`` says so. A link key that key establishment gives goes through
    ``store_key`` (durable) on its way to the radio.
    """

    def __init__(
        self,
        radio: HanRadio,
        admit: Callable[[Eui64, ApsFrame], bool],
        store_key: Callable[[Eui64, bytes], Awaitable[None]],
    ) -> None:
        self._radio = radio
        self._admit = admit
        self._store_key = store_key
        self._receiver: Receiver | None = None

    @property
    def eui64(self) -> Eui64:
        return self._radio.eui64

    @property
    def receiver(self) -> Receiver | None:
        return self._receiver

    @receiver.setter
    def receiver(self, receiver: Receiver | None) -> None:
        self._receiver = receiver
        self._radio.receiver = None if receiver is None else called_back(self._received)

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        self._radio.add_endpoint(descriptor)

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        await self._radio.send(destination, frame)

    async def broadcast(self, frame: ApsFrame) -> None:
        await self._radio.broadcast(frame)

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        return await self._radio.match_descriptors(destination, cluster, server=server)

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        await self._store_key(partner, key)
        await self._radio.import_link_key(partner, key)

    def _received(self, sender: Eui64, frame: ApsFrame) -> None:
        if self._receiver is not None and (frame.profile != SMART_ENERGY or self._admit(sender, frame)):
            self._receiver(sender, frame)


@runtime_checkable
class AgreeingRadio(Protocol):
    """A radio whose dongle may establish keys itself."""

    async def key_agreement(self, certificate: bytes) -> KeyAgreement | None:
        """None where it does not, or not under ``certificate``. Raises RadioError."""
        ...


def _is_default_response(payload: bytes) -> bool:
    try:
        frame = ZclFrame.decode(payload)
    except DecodeError:
        return False
    return not frame.is_cluster_command and frame.command == GeneralCommand.DEFAULT_RESPONSE


COMMISSIONED = "hub/commissioned"
FAULTS = "hub/fault/"
"""Prefix of the keys that keep the latest faults that the hub outlived."""
_FAULTS_KEPT = 20
"""Own limit."""
_RADIO_RETRY_S = 5.0


class RunningHub:
    """One life of the hub. :meth:`run` lasts until it is cancelled; cancelling is a power cut."""

    def __init__(
        self,
        config: HubConfig,
        radio: HanRadio,
        wan: WanLink,
        store: Store,
        keystore: Keystore,
        clock: Clock,
        trace: Trace,
        power: PowerMonitor,
    ) -> None:
        self.config = config
        self.trace = trace
        self.store = store
        self._clock = clock
        self._radio = radio
        self._power = power
        self._group: asyncio.TaskGroup | None = None
        self._work = asyncio.Event()
        self._future = asyncio.Event()
        self.time = HubTime(store, clock, trace, config.profile)
        self.chf = self._device(keystore, config.chf, DeviceType.CHF, STANDARD)
        self.log = DeviceLog(
            store,
            capacity=config.profile.device_log_capacity,
            historic_capacity=config.profile.historic_log_capacity,
            now=lambda: int(self.time.now()),
        )
        self.mailbox = Mailbox(store)
        executor = ChfExecutor(self.chf, self.log, config, self._work.set)
        self.chf.executor = executor
        self.commissioning = Commissioning(
            radio,
            self.log,
            executor,
            store,
            self.time.now,
            trace,
            config.channel,
            config.profile,
            keystore.entropy.stream("network key"),
            config.custody,
        )
        self.channel = WanChannel(
            wan,
            store,
            clock,
            side=WanSide.HUB,
            name="dcc",
            trace=trace,
            hello=lambda: Hello(config.chf, config.gpf, power.boots),
            on_frame=self._from_wan,
            on_time=self._told_the_time,
            entropy=keystore.entropy.stream("wan hub"),
        )
        port = GuardedPort(radio, self._admit, self.commissioning.established)
        self.zcl = ZclPort(port, clock, trace=trace, source="hub")
        self.zcl.on_fault = self._note_fault
        declare_endpoints(self.zcl)
        serve_basic(self.zcl, config)
        serve_time(self.zcl, (CHF_ENDPOINT, ESI_ENDPOINT), self.time)
        serve_keep_alive(self.zcl, CHF_ENDPOINT, config.profile)
        self.second_band: SecondBand | None = None
        if executor.sub_ghz is not None:
            serve_sub_ghz(self.zcl, CHF_ENDPOINT, executor.sub_ghz, executor.model)
            self.second_band = SecondBand(
                radio, self.chf, executor.sub_ghz, self.log, config.profile, self.zcl, clock, trace, busy=self._no_scan_now
            )
        self.gpf = Gpf(
            self._device(keystore, config.gpf, DeviceType.GPF, GPF_USE_CASES),
            self.zcl,
            self.log,
            self.mailbox,
            config,
            self._spawn,
            has_image=lambda device: self.ota.held(device) is not None,
        )
        self.ota = OtaStore(self.chf, self.zcl, CHF_ENDPOINT, self.log, config.profile, self._spawn)
        self.ota.quiet = self._quiet
        self.commissioning.on_rotated = lambda: self.gpf.mirror.announce(NETWORK_KEY_ACTIVE)
        if self.second_band is not None:
            self.gpf.mirror.more_flags = self.second_band.flags
            self.gpf.mirror.on_notified = self.second_band.notified
        self._key_establishment = KeyEstablishmentServer(
            self.zcl,
            keystore.cbke(config.gpf),
            self._established,
            endpoint=CHF_ENDPOINT,
            on_failed=self._not_established,
            accept=self.commissioning.may_establish,
            in_dongle=lambda: self._key_agreement(keystore.cbke(config.gpf).certificate),
        )
        local = LocalCommands(store, self.log)
        self.router = Router(
            config,
            self.chf,
            self.gpf.device,
            self.log,
            self.mailbox,
            store,
            self.time.now,
            trace,
            send=self._to_wan,
            wake=lambda device: self.tunnels.wake(device),
            executed=self._executed,
            tap=self.gpf.tap_off.passes,
            local=local,
            discards=self._discards,
        )
        self.tunnels = Tunnels(
            DeliveryContext(
                self.zcl,
                CHF_ENDPOINT,
                self.log,
                self.mailbox,
                store,
                config.profile,
                self.time.now,
                trace,
                self.router.from_han,
                self.router.undelivered,
            ),
            self._spawn,
        )
        self.hand_held = HandHeld(
            radio,
            config,
            keystore.cbke(config.gpf),
            self.log,
            self.mailbox,
            local,
            store,
            clock,
            trace,
            self.time.now,
            changed=self._work.set,
            gone=self.tunnels.lost,
            send=self._to_wan,
            spawn=self._spawn,
        )

    def _device(self, keystore: Keystore, eui64: Eui64, device_type: DeviceType, use_cases: UseCases) -> GbcsDevice:
        config = self.config
        parties = {
            RemotePartyRole.ACCESS_CONTROL_BROKER: config.access_control_broker,
            RemotePartyRole.WAN_PROVIDER: config.wan_provider,
            RemotePartyRole.SUPPLIER: config.supplier,
            RemotePartyRole.NETWORK_OPERATOR: config.network_operator,
            RemotePartyRole.ROOT: config.root,
            RemotePartyRole.RECOVERY: config.recovery,
            RemotePartyRole.TRANSITIONAL_COS: config.transitional_cos,
        }
        known = {role: party for role, party in parties.items() if party is not None}
        credentials = Credentials.from_keystore(self.store, keystore, eui64, device_type, known)
        return GbcsDevice(
            eui64, device_type, credentials, self.store, lambda: self.time.now(), self.trace, use_cases, outgoing=self._to_wan
        )

    # --- life

    async def run(self) -> None:
        """Start the radio, serve HAN and WAN. Raises RadioError or NotAvailable if the radio does not start."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self.channel.run())
                group.create_task(self._stay_alive())
                group.create_task(self._act_when_due())
                group.create_task(self.hand_held.run())
                await self._radio.start(called_back(self._on_radio))
                await self.commissioning.bring_up()
                self.tunnels.sync()
                if self.second_band is not None:
                    group.create_task(self.second_band.run())
                await self._keep_up()
        except BaseExceptionGroup as failures:  # one failure is what the caller is told, as without a group
            raise failures.exceptions[0] from None
        finally:
            self._group = None
            self._key_establishment.close()
            await self.zcl.close()
            await self._radio.stop()

    async def _keep_up(self) -> None:
        """Bring the radio to what the store says whenever something has changed."""
        while True:
            self._work.clear()
            try:
                wait = await self.commissioning.reconcile()
                self.hand_held.permits_made()
            except RadioError as error:
                self.trace.emit("han", "hub", "radio failed", reason=str(error), retry_s=_RADIO_RETRY_S)
                wait = _RADIO_RETRY_S
            self.tunnels.sync()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._work.wait()

    async def _stay_alive(self) -> None:
        while True:
            with self.store.transaction():
                self._power.alive(self.time.now())
                self.log.flush()
            await self._clock.sleep(self.config.profile.alive_mark_s)

    async def _act_when_due(self) -> None:
        """Carry out the future-dated parts of the CHF's and GPF's own Commands."""
        devices = (self.chf, self.gpf.device)
        while True:
            self._future.clear()
            due = [when for device in devices if (when := device.future.next_due()) is not None]
            wait = max(0.0, min(due) - self.time.now()) if due else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._future.wait()
            for device in devices:
                with self.store.transaction():
                    for message in device.run_due():
                        self._to_wan(message)

    def _no_scan_now(self) -> ScanOutcome | None:
        """The reason for which the band below 1 GHz stays on its channel for now."""
        if self.hand_held.terminals():
            return ScanOutcome.HAND_HELD
        now = int(self.time.now())
        if any(entry.window_s and now < entry.window_opened + entry.window_s for entry in self.log.entries()):
            return ScanOutcome.JOINING
        meters = [entry.device for entry in self.log.entries() if entry.registered_type is RegisteredType.GSME]
        return ScanOutcome.METER_FIRMWARE if any(self.ota.held(meter) for meter in meters) else None

    def _quiet(self, device: Eui64) -> bool:
        """True if firmware is not given to that Device now, since its band has been sent on too much."""
        band = self.second_band
        return band is not None and device in band.children and band.state >= DutyState.CRITICAL

    def _discards(self, device: Eui64, identifier: MessageIdentifier) -> bool:
        band = self.second_band
        return band is not None and device in band.children and band.discards(device, bytes(identifier))

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        if self._group is None:
            raise RuntimeError("the hub is not running: tasks start in run()")
        return self._group.create_task(work)

    # --- WAN

    @property
    def commissioned(self) -> bool:
        """True if the CHF has ever reached the SM WAN (requirements CH-01)."""
        return self.store.get(COMMISSIONED) is not None

    def _told_the_time(self, utc: int) -> None:
        if self.time.set(utc):
            self.gpf.mirror.announce(TIME_SYNC)
        if not self.time.reliable:
            return
        self.gpf.device.clock_status = 0
        if not self.commissioned:
            self.store.put(COMMISSIONED, int(self.time.now()).to_bytes(4, "big"))
            self.trace.emit("hub", "chf", "commissioned", target=str(self.config.chf))

    def _from_wan(self, frame: WanFrame) -> None:
        if frame.kind is WanKind.MESSAGE:
            self.router.from_wan(frame.body)
        elif frame.kind is WanKind.IMAGE:
            self.ota.take(frame.body)
        else:
            self.trace.emit("wan", "hub", "refused", data=frame.body[:32], reason=f"{frame.kind.name} is not for a hub")

    def _executed(self) -> None:
        """The CHF or GPF has executed a Command: its future-dated part, or the GPF's Device log, may be new."""
        self._future.set()
        self.gpf.sync()

    def _to_wan(self, message: bytes) -> None:
        if self.time.reliable and is_alert(message):
            self.channel.post(WanKind.ALERT, int(self.time.now()).to_bytes(4, "big") + message)
        else:
            self.channel.post(WanKind.MESSAGE, message)
        self.trace.emit("hub", "hub", "stored for wan", message=identifier_of(message), data=message)

    def rotate_network_key(self) -> None:
        """Change the network key out of its turn."""
        self.commissioning.rotation.begin()
        self._work.set()

    def last_gasp(self, lost_at: float) -> None:
        """AC Lost: leave its time in NVM, flush what is only in memory, tell the DCC. One commit."""
        with self.store.transaction():
            self._power.lost(lost_at)
            self.log.flush()
            self.channel.post(WanKind.POWER_LOST, round(lost_at * 1000).to_bytes(8, "big"))
        self.trace.emit("power", "hub", "last gasp", lost_at=int(lost_at))

    # --- HAN

    def _admit(self, sender: Eui64, frame: ApsFrame) -> bool:
        if self.log.heard(sender, frame.rssi, frame.lqi):
            if frame.secured and self.log.historic_entry(sender) is not None:
                self.commissioning.heard_with_historic_key(sender)
            return not self._suspended(sender, frame)
        reason = "the sender is not in the CHF Device Log"
        self.trace.emit("han", "chf", "refused", target=str(sender), data=frame.payload, reason=reason, kind="not in the log")
        return False

    def _suspended(self, sender: Eui64, frame: ApsFrame) -> bool:
        """True if the Device must keep quiet: it is told for how long (reference gbcs-spec-notes 10.6)."""
        band = self.second_band
        if band is None or sender not in band.children or frame.cluster == SUB_GHZ.id or not band.refuses(sender):
            return False
        if not _is_default_response(frame.payload):
            self._spawn(band.tell_suspended(sender))
        return True

    def _note_fault(self, reason: str) -> None:
        """Keep a fault that the hub outlives for who looks later, with the latest others."""
        latest = sorted(self.store.keys(FAULTS))
        number = int(latest[-1].removeprefix(FAULTS)) + 1 if latest else 1
        with contextlib.suppress(CommsHubError), self.store.transaction():  # a store that takes nothing ends the hub by itself
            self.store.put(f"{FAULTS}{number:010d}", json.dumps({"time": int(self.time.now()), "reason": reason}).encode())
            for key in latest[: -_FAULTS_KEPT + 1]:
                self.store.delete(key)

    def end_by(self, trouble: CommsHubError) -> bool:
        """This life ends by ``trouble``, which came up outside its tasks; False where it is not running."""

        async def ends() -> None:
            raise trouble

        if self._group is None:
            return False
        self._spawn(ends())
        return True

    def _on_radio(self, event: HanEvent) -> None:
        if self._group is None:  # the hub is going off
            return
        if event.kind is HanEventKind.FAILED:
            self.end_by(HubFault(f"the hub is deaf: {event.reason}"))
            return
        self.commissioning.on_event(event)
        self.hand_held.on_event(event)
        if self.second_band is not None:
            (self.second_band.restart if event.kind is HanEventKind.RESET else self.second_band.joined)()
        if event.kind in (HanEventKind.LEFT, HanEventKind.JOINED, HanEventKind.REJOINED):
            self.tunnels.lost(event.device)
        self._work.set()

    async def _key_agreement(self, certificate: bytes) -> KeyAgreement | None:
        """In the dongle, where it has the library and this hub's certificate."""
        radio: object = self._radio
        if not isinstance(radio, AgreeingRadio):
            return None
        try:
            return await radio.key_agreement(certificate)
        except RadioError as problem:
            self.trace.emit("han", "chf", "key establishment not in the dongle", reason=str(problem))
            return None

    async def _established(self, device: Eui64, key: bytes) -> None:
        """The key is stored and imported already (:class:`GuardedPort`); now the Device can have its tunnel."""
        self.trace.emit("han", "chf", "established", target=str(device))
        self.tunnels.sync()

    def _not_established(self, device: Eui64, reason: str) -> None:
        self.trace.emit("han", "chf", "key establishment failed", target=str(device), reason=reason)
