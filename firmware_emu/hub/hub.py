"""The Communications Hub: power around a :class:`~firmware_emu.hub.running.RunningHub`, built anew at each boot.

``Hub.run()`` is the supply: starting it powers the hub, cancelling it at any await is a power cut, of which only the store
and what the dongle keeps survive.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device.alerting import date_time
from firmware_emu.device.store import Store
from firmware_emu.errors import CommsHubError, HubFault, fault_named
from firmware_emu.gbcs.axdr import Data
from firmware_emu.han.base import HanRadio, NetworkSettings
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.device_log import ListedDevice
from firmware_emu.hub.power import BootReason, Outage, PowerAction, PowerEvent, PowerMonitor, PowerState
from firmware_emu.hub.profile import HubConfig, HubProfile
from firmware_emu.hub.running import FAULTS, RunningHub
from firmware_emu.ids import Eui64, MessageIdentifier
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanLink
from firmware_emu.wan.channel import SetAside, set_aside

__all__ = ["Hub", "HubConfig", "HubProfile", "HubStatus", "PowerEvent", "PowerState"]

RESTORED_SHORT, RESTORED_LONG = 0x8F35, 0x8F36
"""Supply outage restored: shorter than the threshold, or as long or longer (requirements CH-12, CH-13)."""
RESTORED_LONG_ALERT = 0x0067
"""ECS80 carries start and restoration; that the hub's own alert is laid out as the ESME's is profile-supplied."""
_SUPPLY_INTERRUPTED = 0x8F57
FAILURE = "hub/failure"
"""Key of the store that keeps why the hub last ended by itself."""


@dataclass(frozen=True, slots=True)
class HubFailure:
    """Why the hub last ended by itself, or a fault that it outlived, and when (seconds since 2000)."""

    time: int
    reason: str


def last_failure(store: Store) -> HubFailure | None:
    """Failure that a hub which ended by itself left in its store; None where none did since the last factory reset."""
    kept = store.get(FAILURE)
    return None if kept is None else HubFailure(**json.loads(kept))


def faults_outlived(store: Store) -> tuple[HubFailure, ...]:
    """Latest faults of the hub's own that did not end it, oldest first."""
    return tuple(HubFailure(**json.loads(kept)) for key in sorted(store.keys(FAULTS)) if (kept := store.get(key)) is not None)


def frames_set_aside(store: Store) -> tuple[SetAside, ...]:
    """Frames of the DCC that the hub failed at."""
    return set_aside(store, "dcc")


@dataclass(frozen=True, slots=True)
class HubStatus:
    """A look at the hub. ``mailbox``: messages waiting by Device; ``time``: seconds since 2000, None while it is off; ``failure``: why it
    last ended by itself; ``set_aside``: frames of the DCC that it failed at; ``faults``: faults of its own that it outlived."""

    power: PowerState
    boots: int
    boot_reason: BootReason
    commissioned: bool
    wan_connected: bool
    wan_waiting: int
    network: NetworkSettings | None
    device_log: tuple[ListedDevice, ...]
    historic_log: tuple[ListedDevice, ...]
    tunnels: tuple[Eui64, ...]
    mailbox: dict[Eui64, int]
    mirror_owner: Eui64 | None
    time: float | None
    failure: HubFailure | None = None
    set_aside: tuple[SetAside, ...] = ()
    faults: tuple[HubFailure, ...] = ()


class Hub:
    """One Communications Hub over a radio, a WAN link and a store."""

    def __init__(
        self,
        config: HubConfig,
        radio: HanRadio,
        wan: WanLink,
        store: Store,
        keystore: Keystore,
        clock: Clock,
        trace: Trace,
    ) -> None:
        self.config = config
        self._radio = radio
        self._wan = wan
        self._store = store
        self._keystore = keystore
        self._clock = clock
        self._trace = trace
        self._power = PowerMonitor(store)
        self._running: RunningHub | None = None
        self._life: asyncio.Task[None] | None = None
        self._supply_returned = asyncio.Event()
        self._hold_up: asyncio.TimerHandle | None = None
        self._restored_at = clock.now()

    async def run(self) -> None:
        """Power on; runs until cancelled. Raises RadioError or NotAvailable if the radio cannot be started."""
        self._power = PowerMonitor(self._store)
        self._take(PowerEvent.SUPPLY_ON)
        try:
            while True:
                life = self._life = asyncio.create_task(self._live())
                await asyncio.wait({life})
                if not life.cancelled():
                    life.result()
                await self._supply_returned.wait()  # the hold-up was used up, or the hub was reset
        finally:
            self._take(PowerEvent.SUPPLY_OFF)
            await self._end_life()

    async def _live(self) -> None:
        self._supply_returned.clear()
        self._power.boot()
        self._trace.emit("power", "hub", "boot", reason=self._power.reason.value, boots=self._power.boots)
        self._running = RunningHub(self.config, self._radio, self._wan, self._store, self._keystore, self._clock, self._trace, self._power)
        self._take(PowerEvent.BOOTED)
        try:
            await self._running.run()
        except CommsHubError as trouble:
            self._keep_failure(str(trouble))
            raise
        except Exception as crash:  # a fault of the hub's own: named, kept for who looks later, and told to who runs the hub
            raise self._fault(crash) from crash

    def _fault(self, crash: Exception) -> HubFault:
        fault = HubFault(f"the hub ended by a fault of its own: {fault_named(crash)}")
        self._keep_failure(str(fault))
        self._trace.emit("hub", "hub", "failed", reason=str(fault))
        return fault

    def _keep_failure(self, reason: str) -> None:
        with contextlib.suppress(CommsHubError):  # a store that takes nothing any more is the failure itself
            self._store.put(FAILURE, json.dumps({"time": int(self._clock.now()), "reason": reason}).encode())

    async def _end_life(self) -> None:
        life, self._life = self._life, None
        self._running = None
        if life is not None and not life.done():
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life

    # --- power

    def power_event(self, event: PowerEvent) -> None:
        """The connector tells of the supply or the mains."""
        self._take(event)

    def _take(self, event: PowerEvent) -> None:
        before = self._power.state
        if event in (PowerEvent.SUPPLY_ON, PowerEvent.AC_RESTORED):
            self._restored_at = self._clock.now()
        actions = self._power.on(event)
        if self._power.state is not before:
            self._trace.emit("power", "hub", event.value, state=self._power.state.value, before=before.value)
        for action in actions:
            try:
                self._act(action)
            except CommsHubError as trouble:  # a store that takes nothing ends the hub, and not who tells of the supply
                if self._running is None or not self._running.end_by(trouble):
                    raise

    def _act(self, action: PowerAction) -> None:
        match action:
            case PowerAction.BOOT:
                self._supply_returned.set()
            case PowerAction.START_HOLD_UP:
                hold_up_s = self.config.profile.hold_up_s if self.config.hold_up_s is None else self.config.hold_up_s
                self._hold_up = asyncio.get_running_loop().call_later(hold_up_s, self._take, PowerEvent.HOLD_UP_ENDED)
            case PowerAction.STOP_HOLD_UP:
                self._stop_hold_up()
            case PowerAction.LAST_GASP:
                if self._running is not None:
                    self._running.chf.log(_SUPPLY_INTERRUPTED)
                    self._running.last_gasp(self._running.time.now())
            case PowerAction.REPORT_RESTORED:
                self._report_restored()
            case PowerAction.STOP:
                self._stop_hold_up()
                if self._life is not None:
                    self._life.cancel()

    def _stop_hold_up(self) -> None:
        if self._hold_up is not None:
            self._hold_up.cancel()
            self._hold_up = None

    def _report_restored(self) -> None:
        """Tell of an outage that is over, as its own alert to the ACB; the report and forgetting it are one commit."""
        running = self._running
        if running is None:
            return
        now = running.time.now() - (self._clock.now() - self._restored_at)  # the outage ended when power came, not once the hub had booted
        outage = self._power.outage(now, self.config.profile.alive_mark_s)
        if outage is None:
            return
        threshold_s = self.config.profile.outage_threshold_s if self.config.outage_threshold_s is None else self.config.outage_threshold_s
        with self._store.transaction():
            self._power.outage_reported(now)
            self._alert(running, outage, outage.seconds >= threshold_s)
        self._trace.emit("power", "hub", "outage over", seconds=outage.seconds, warned=outage.warned, long=outage.seconds >= threshold_s)

    @staticmethod
    def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
        times: tuple[Data, ...] = (date_time(int(outage.start)), date_time(int(outage.end))) if long else ()
        running.chf.raise_alert(
            RESTORED_LONG if long else RESTORED_SHORT,
            times,
            message_code=RESTORED_LONG_ALERT if long else None,
            party=RemotePartyRole.ACCESS_CONTROL_BROKER,
        )

    async def factory_reset(self) -> None:
        """Remove all data: log, keys, counters, credentials, logs, mailbox, outbox; then boot as it left the factory (CH-23)."""
        if self._life is not None:
            life = self._life
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life
        with self._store.transaction():
            for key in self._store.keys(""):
                self._store.delete(key)
            self._power.reset()
        self._trace.emit("nvm", "hub", "factory reset")
        if self._power.state is not PowerState.OFF:
            self._power.state = PowerState.BOOTING
            self._supply_returned.set()

    def rotate_network_key(self) -> None:
        """Change the HAN's network key now instead of at its turn: the next one is given out, and switched to an hour later."""
        if self._running is not None:
            self._running.rotate_network_key()

    # --- looking in

    @property
    def status(self) -> HubStatus:
        """The present state."""
        running, power = self._running, self._power
        return HubStatus(
            power=power.state,
            boots=power.boots,
            boot_reason=power.reason,
            commissioned=running is not None and running.commissioned,
            wan_connected=running is not None and running.channel.in_use,
            wan_waiting=0 if running is None else len(running.channel.waiting()),
            network=None if running is None else running.commissioning.network,
            device_log=() if running is None else running.log.entries(),
            historic_log=() if running is None else running.log.historic(),
            tunnels=() if running is None else running.tunnels.open,
            mailbox={} if running is None else running.mailbox.counts(),
            mirror_owner=None if running is None else running.gpf.mirror.owner,
            time=None if running is None else running.time.now(),
            failure=last_failure(self._store),
            set_aside=frames_set_aside(self._store),
            faults=faults_outlived(self._store),
        )

    @property
    def zcl(self) -> ZclPort | None:
        """The hub's end of the HAN, for driving frames by hand (requirements CH-34); None while it is off."""
        return None if self._running is None else self._running.zcl

    @property
    def alert_stamps(self) -> dict[MessageIdentifier, float]:
        """When the CHF was notified of each of the last alerts from Devices, seconds since 2000 (requirements CH-10)."""
        return {} if self._running is None else self._running.router.alert_stamps()
