"""The radio below 1 GHz of a dual-band hub: its channel, its moves to another, and what it does when it has sent too much.

The order of a move is that of reference gbcs-spec-notes 10.6: the gas meter is told by functional flag 25, the channels are scanned, the
meter is told the new one by flag 26 and the Sub-GHz cluster, and then the hub moves. Duty cycle states and the Devices that are suspended
in them: the same place and reference chts 11. Figures that no source states are in ``profile.toml``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import IntEnum

from firmware_emu.clock import Clock
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import CommsHubError, NotAvailable, RadioError
from firmware_emu.gbcs.axdr import BitString, OctetString, Structure
from firmware_emu.han.base import HanRadio, SubGhzRadio
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.device_log import DeviceLog, RegisteredType
from firmware_emu.hub.endpoints import CHF_ENDPOINT
from firmware_emu.hub.profile import HubProfile
from firmware_emu.hub.sub_ghz import DutyState, ScanOutcome, ScanTrigger, SubGhz
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ

ENERGY_SCAN_PENDING, CHANNEL_CHANGE_PENDING = 1 << 25, 1 << 26
LIMITED, CHANNEL_CHANGED, SEARCHES_FAILED, NOT_CHANGED, DISCARDED, NO_CAPACITY = 0x8F20, 0x8F26, 0x8F29, 0x8F2B, 0x8F2C, 0x8F2D
_LIMITED_ALERT, _CHANGED_ALERT, _DISCARDED_ALERT, _NO_CAPACITY_ALERT = 0x0110, 0x0111, 0x0114, 0x0115
"""DBCH06, 07, 10, 11."""
ENTERED = {DutyState.LIMITED: LIMITED, DutyState.CRITICAL: 0x8F22, DutyState.REGULATED: 0x8F24}
LEFT = {DutyState.LIMITED: 0x8F21, DutyState.CRITICAL: 0x8F23, DutyState.REGULATED: 0x8F25}
"""Event codes of a state that is reached, and of one that is fallen below (reference alert-codes)."""
_SEARCHES = 3
"""8F29 names three lost searches."""
_DAY_S = 86_400
_SUSPEND = 0x00


class MoveStep(IntEnum):
    """Steps of a move, in their order."""

    NONE = 0
    SCAN_TOLD = 1
    CHANNEL_TOLD = 2


class SecondBand:
    """Kept by the running hub beside its HAN. ``changed`` is called when the gas meter has something to be told."""

    def __init__(
        self,
        radio: HanRadio,
        device: GbcsDevice,
        objects: SubGhz,
        log: DeviceLog,
        profile: HubProfile,
        zcl: ZclPort,
        clock: Clock,
        trace: Trace,
        *,
        busy: Callable[[], ScanOutcome | None],
    ) -> None:
        """``busy`` gives the reason for which no scan may begin now, beyond what this class knows itself."""
        self._radio = radio
        self._device = device
        self._objects = objects
        self._log = log
        self._profile = profile
        self._zcl = zcl
        self._clock = clock
        self._trace = trace
        self._busy = busy
        self.up = False
        """True if the dongle has a radio below 1 GHz and it runs."""
        self.state = DutyState.NORMAL
        self.children: frozenset[Eui64] = frozenset()
        """Devices on this band."""
        self._suspended: dict[Eui64, float] = {}
        self._spent: dict[Eui64, int] = {}
        self._step = MoveStep.NONE
        self._trigger = ScanTrigger.REMOTE_COMMAND
        self._target: tuple[int, int] | None = None
        self._step_ends = 0.0
        self._scans: list[float] = []
        self._searches = 0
        self._missed_since: float | None = None
        self._asked = asyncio.Event()
        objects.scan = self.ask_for_scan
        objects.pending = lambda: self._target if self._step is MoveStep.CHANNEL_TOLD else None
        objects.channel_read = self._channel_read
        objects.suspended_min = self.suspended_min

    # --- for the hub

    def flags(self) -> int:
        """Functional notification flags that the gas meter is told."""
        return {MoveStep.SCAN_TOLD: ENERGY_SCAN_PENDING, MoveStep.CHANNEL_TOLD: CHANNEL_CHANGE_PENDING}.get(self._step, 0)

    def suspended_min(self, device: Eui64) -> int:
        """Minutes for which the Device must keep quiet, 0 where it need not."""
        return max(0, -(-int(self._suspended.get(device, 0.0) - self._now()) // 60))

    def discards(self, device: Eui64, identifier: bytes) -> bool:
        """True if a message for that Device is thrown away, since the band must not be sent on; the ACB is told (DBCH10)."""
        if device not in self.children or self.state is not DutyState.REGULATED:
            return False
        self._device.raise_alert(DISCARDED, (OctetString(identifier),), message_code=_DISCARDED_ALERT)
        return True

    def refuses(self, device: Eui64) -> bool:
        """True if frames of the Device are not taken now; it is told for how long (reference gbcs-spec-notes 10.6)."""
        return self.suspended_min(device) > 0

    def joined(self) -> None:
        """A Device has joined or come back: look which band it is on."""
        self._asked.set()

    # --- life

    async def run(self) -> None:
        """From the network's start on, until it is cancelled."""
        if not await self._begin():
            return
        while True:
            try:
                await self._look()
                await self._go_on()
            except RadioError as problem:  # the dongle is away: it begins anew when it is back
                self._trace.emit("han", "hub", "sub-GHz failed", reason=str(problem))
                await self._clock.sleep(self._profile.sub_ghz_look_s)
                await self._begin()
            self._asked.clear()
            try:
                async with asyncio.timeout(self._wait_s()):
                    await self._asked.wait()
            except TimeoutError:
                continue

    def restart(self) -> None:
        """The dongle has begun anew, on 2.4 GHz alone."""
        self.up = False
        self._asked.set()

    async def _begin(self) -> bool:
        """The radio on, on the channel that it was on. False where the dongle has none."""
        radio: object = self._radio
        try:
            if not isinstance(radio, SubGhzRadio):
                raise NotAvailable("a radio below 1 GHz", "the hub's dongle has none")
            await radio.start_sub_ghz(*self._objects.channel)
        except (NotAvailable, RadioError) as problem:
            self._trace.emit("han", "hub", "no sub-GHz", reason=str(problem))
            return False
        self.up = True
        page, number = self._objects.channel
        self._trace.emit("han", "hub", "sub-GHz", page=page, channel=number)
        return True

    def _wait_s(self) -> float:
        if self._step is MoveStep.NONE:
            return self._profile.sub_ghz_look_s if self.children else _DAY_S
        return max(0.0, min(self._profile.sub_ghz_look_s, self._step_ends - self._now()))

    def _now(self) -> float:
        return self._device.now()

    @property
    def _meter(self) -> Eui64 | None:
        """The gas meter on this band."""
        for entry in self._log.entries():
            if entry.device in self.children and entry.registered_type is RegisteredType.GSME:
                return entry.device
        return None

    # --- duty cycle

    async def _look(self) -> None:
        """Take note of who is on this band, and of how much of the last hour was sent on it."""
        radio = self._radio
        assert isinstance(radio, SubGhzRadio)
        if not self.up:
            await self._begin()
        known = self.children
        self.children = await radio.on_sub_ghz()
        for device in self.children - known:
            if len(self.children) > self._profile.sub_ghz_devices:
                self._device.raise_alert(NO_CAPACITY, (OctetString(device.octets),), message_code=_NO_CAPACITY_ALERT)
        spent, self._spent = await radio.sub_ghz_duty_cycle()
        limited, critical = self._objects.thresholds
        if spent >= self._profile.sub_ghz_regulated:
            state = DutyState.REGULATED
        else:
            state = DutyState.CRITICAL if spent >= critical else DutyState.LIMITED if spent >= limited else DutyState.NORMAL
        await self._enter(state, spent)
        self._find_meter()

    async def _enter(self, state: DutyState, spent: int) -> None:
        before, self.state = self.state, state
        for one in sorted(LEFT, reverse=True):
            if state < one <= before:
                self._device.log(LEFT[one])
        for one in sorted(ENTERED):
            if before < one <= state:
                await self._act(one)
        if state is not before:
            self._trace.emit("han", "hub", "duty cycle", state=state.name.lower(), hundredths=spent)
        if state is DutyState.LIMITED and before is DutyState.LIMITED and not self._anyone_suspended():
            await self._suspend(self._next_to_suspend())
        if state is DutyState.NORMAL:
            self._suspended.clear()

    def _anyone_suspended(self) -> bool:
        return any(self.suspended_min(device) for device in self.children)

    async def _act(self, state: DutyState) -> None:
        """Limited: one client is suspended and the ACB is told which (DBCH06). Critical and over: all but the mirrored gas meter."""
        if state is DutyState.LIMITED:
            chosen = self._next_to_suspend()
            if chosen is not None:
                self._device.raise_alert(LIMITED, (OctetString(chosen.octets),), message_code=_LIMITED_ALERT)
                await self._suspend(chosen)
            return
        self._device.log(ENTERED[state])
        for device in self.children - {self._meter}:
            await self._suspend(device)

    def _next_to_suspend(self) -> Eui64 | None:
        """The most talkative that is not suspended yet, else the one with least time left."""
        free = [device for device in self.children if not self.suspended_min(device)]
        if free:
            return max(free, key=lambda device: (self._spent.get(device, 0), device.octets))
        return min(self.children, key=lambda device: (self._suspended[device], device.octets), default=None)

    async def _suspend(self, device: Eui64 | None) -> None:
        if device is None:
            return
        minutes = self._profile.sub_ghz_suspend_min
        self._suspended[device] = self._now() + 60 * minutes
        self._trace.emit("han", "hub", "suspended", target=str(device), minutes=minutes)
        await self.tell_suspended(device)

    async def tell_suspended(self, device: Eui64) -> None:
        """Suspend ZCL Messages to a client: for how long it must keep quiet."""
        payload = SUB_GHZ.to_client[_SUSPEND].encode({"minutes": self.suspended_min(device)})
        try:
            endpoint = await self._zcl.find_endpoint(device, SUB_GHZ.id, server=False)
            await self._zcl.command(device, endpoint, SUB_GHZ.id, _SUSPEND, payload, source_endpoint=CHF_ENDPOINT, to_server=False)
        except CommsHubError as problem:  # it sleeps, or has no such client: it is told when it asks
            self._trace.emit("han", "hub", "not told", target=str(device), reason=str(problem))

    # --- moves

    def ask_for_scan(self, trigger: ScanTrigger) -> ScanOutcome:
        """Someone wants another channel: accepted, or why not."""
        outcome = self._objection()
        if outcome is ScanOutcome.ACCEPTED and self.up:
            self._trigger = trigger
            self._scans.append(self._now())
            self._tell(MoveStep.SCAN_TOLD, self._profile.gas_wake_s)
        return outcome

    def _objection(self) -> ScanOutcome:
        now = self._now()
        self._scans = [one for one in self._scans if one > now - 7 * _DAY_S]
        if (reason := self._busy()) is not None:
            return reason
        if self.state >= DutyState.CRITICAL:
            return ScanOutcome.DUTY_CYCLE
        if sum(one > now - _DAY_S for one in self._scans) >= self._profile.sub_ghz_scans_a_day:
            return ScanOutcome.SCANS_TODAY
        if len(self._scans) >= self._objects.changes_a_week:
            return ScanOutcome.SCANS_THIS_WEEK
        return ScanOutcome.ACCEPTED

    def _tell(self, step: MoveStep, longest_s: float) -> None:
        """Begin a step, which ends when the gas meter has heard of it, or after so long; at once where none is on this band."""
        self._step = step
        self._step_ends = self._now() + (longest_s if self._meter is not None else 0)
        self._asked.set()

    def notified(self) -> None:
        """The gas meter was told the flags."""
        if self._step is MoveStep.SCAN_TOLD:
            self._end_step()

    def _channel_read(self) -> None:
        """The channel that the hub is going to was read."""
        if self._step is MoveStep.CHANNEL_TOLD:
            self._end_step()

    def _end_step(self) -> None:
        self._step_ends = self._now()
        self._asked.set()

    async def _go_on(self) -> None:
        radio = self._radio
        assert isinstance(radio, SubGhzRadio)
        if self._step is MoveStep.NONE or self._now() < self._step_ends:
            return
        if self._step is MoveStep.SCAN_TOLD:
            best = await self._quietest(radio)
            if best == self._objects.channel:
                self._device.log(NOT_CHANGED)
                self._step = MoveStep.NONE
                return
            self._target = best
            self._tell(MoveStep.CHANNEL_TOLD, 2 * self._profile.gas_wake_s)
            if self._meter is not None:
                return
        assert self._target is not None
        await self._clock.sleep(self._profile.sub_ghz_settle_s)
        target, self._step = self._target, MoveStep.NONE
        await radio.start_sub_ghz(*target)
        self._moved(target, self._trigger)

    async def _quietest(self, radio: SubGhzRadio) -> tuple[int, int]:
        """The channel to be on: the quietest of those configured, where it is quieter than the present one by the threshold."""
        energy: dict[tuple[int, int], int] = {}
        for mask in self._objects.masks:
            energy |= await radio.sub_ghz_energy(mask)
        if not energy:
            return self._objects.channel
        best = min(energy, key=lambda channel: (energy[channel], channel))
        present = self._objects.channel
        return best if energy.get(present, 0) - energy[best] >= self._objects.noisier_db else present

    def _moved(self, channel: tuple[int, int], trigger: ScanTrigger) -> None:
        self._objects.moved(channel, trigger)
        self._target = None
        content = Structure((BitString(self._objects.channel_octets, 32), OctetString(bytes([trigger]))))
        self._device.raise_alert(CHANNEL_CHANGED, (content,), message_code=_CHANGED_ALERT)

    def _find_meter(self) -> None:
        """A gas meter of this band that was not heard for a day is searched on another channel; three searches in vain are an event."""
        meter = self._meter
        entry = None if meter is None else self._log.get(meter)
        if entry is None:
            return
        last = max(entry.last_communication, self._missed_since or 0)
        if self._now() - last < _DAY_S or self._step is not MoveStep.NONE:
            if self._now() - entry.last_communication < _DAY_S:
                self._searches, self._missed_since = 0, None
            return
        self._missed_since = self._now()
        if self._searches == _SEARCHES:
            return
        self._searches += 1
        if self.ask_for_scan(ScanTrigger.METER_MISSING) is ScanOutcome.ACCEPTED:
            self._objects.searched(ScanTrigger.METER_MISSING)
        if self._searches == _SEARCHES:
            self._device.log(SEARCHES_FAILED)
