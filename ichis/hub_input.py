"""A model of what lies between a supply's terminals and the hub: cable, store, brown-out, start and hold-up.

What it does not model: inductance, temperature, the regulation loop of the supply, contact resistance of single pins. Charging
takes no time: the source is taken as strong against the hub's store, and the inrush is a figure of the condition.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from ichis.condition import Condition
from ichis.hub_side import HubSide

_CURVE_POINTS = 12
_EMPTY_V = 3.0
"""Below this the store counts as empty: the next start is a cold one."""
_COLLAPSED_V = 0.5
_RESTART_S = 0.2
"""From a stop to the earliest next start while there is supply."""
_LOW_VOLTS = 11.0
_CLAMP_V = 11.5


class HubInput:
    """Between events the store falls as ``sqrt(V0^2 - 2 P t / C)`` while the hub runs without supply."""

    def __init__(self, clock: Clock, hub: HubSide, trace: Trace, condition: Condition) -> None:
        self.condition, self._clock, self._hub, self._trace = condition, clock, hub, trace
        nominal, cut_off = condition.nominal_v, condition.cut_off_v
        self._cut_off = cut_off
        self._farads = condition.capacitance_f or 2 * condition.load_w * condition.holdup_s / (nominal * nominal - cut_off * cut_off)
        self._brownout, self._recovery, self._cold_start = condition.brownout_v, condition.recovery_v, condition.cold_start_v
        self._setting, self._limit_a, self._on = 0.0, 1e9, False
        self.seated = True
        self.data_wired = True
        self._collapsed = False
        self._stopped_at = clock.now() - _RESTART_S
        self._stored_v = 0.0
        self._since = clock.now()
        self._timer: asyncio.TimerHandle | None = None
        self._latched = False
        self._cold = True
        self._rising_since: float | None = None
        self._unfed_since: float | None = clock.now()
        self._dipped_at: float | None = None
        self._starts: deque[float] = deque(maxlen=64)
        self._players: list[asyncio.TimerHandle] = []
        self.peak_a = 0.0
        self.curve: list[tuple[float, float]] = [(clock.now(), 0.0)]

    # --- what instruments read

    @property
    def feeding(self) -> bool:
        """True if current can flow into the hub."""
        contacts = not {1, 2} <= self.condition.open_pins and not {3, 4} <= self.condition.open_pins
        return self._on and self._setting > 0 and self.seated and contacts and not self._collapsed

    def _collapses(self) -> bool:
        """True if the supply goes into, or stays in, current limit: the running hub wants more than it may give."""
        short = self._on and self._setting > 0 and self._limit_a * self._setting < self.condition.load_w
        return short and (self._hub.powered or self._collapsed)

    def terminal_volts(self) -> float:
        """Volts at the supply's terminals."""
        if not self._on:
            return 0.0
        return _COLLAPSED_V if self._collapsed else self._setting * self.condition.supply_gain

    def pin_volts(self) -> float:
        """Volts at pins 1 and 3 of the hub, now."""
        if self.feeding:
            return max(0.0, self.terminal_volts() - self.amperes() * self.condition.cable_ohm)
        return self._decayed(self._clock.now() - self._since)

    def amperes(self) -> float:
        """Amperes out of the supply."""
        if self._collapsed:
            return self._limit_a
        if not self.feeding:
            return 0.0
        drawn = self.condition.leakage_a
        if self._hub.powered:
            volts = self.terminal_volts()
            drawn = (self.condition.load_w + (self.condition.input_loss_w if volts > _CLAMP_V else 0.0)) / volts
            drawn += self.condition.low_volts_extra_a if volts < _LOW_VOLTS else 0.0
            drawn += 0.0 if self.data_wired else self.condition.open_data_extra_a
        return min(self._limit_a, drawn)

    def _decayed(self, seconds: float) -> float:
        load = self.condition.load_w if self._hub.powered else 0.5  # what is left bleeds away once the hub has stopped
        squared: float = self._stored_v * self._stored_v - 2 * load * seconds / self._farads
        return squared**0.5 if squared > 0 else 0.0

    # --- what happens to it

    def source(self, volts: float, limit_a: float, on: bool) -> None:
        """The supply's output is now like this."""
        began = on and not self._on
        before = self._leave()
        self._setting, self._limit_a, self._on = volts, limit_a, on
        self._collapsed = self._collapses()
        self.peak_a = 0.0 if began else self.peak_a
        self._enter(before)
        self._trace.emit("ichis", "supply", "set", volts=round(volts, 3), output=on, at_pins=round(self.pin_volts(), 3))

    def play(self, points: Sequence[tuple[float, float]]) -> None:
        """Give each of ``(volts, seconds)`` in turn, starting now, in bench time."""
        for timer in self._players:
            timer.cancel()
        loop, offset = asyncio.get_running_loop(), 0.0
        self._players = []
        for volts, seconds in points:
            self._players.append(loop.call_later(offset, self._play_one, volts))
            offset += seconds

    def _play_one(self, volts: float) -> None:
        self.source(volts, self._limit_a, self._on)

    def seat(self, seated: bool) -> None:
        """The hub goes into the connector, or comes out of it; :meth:`reconsider` once its lines have mated too."""
        live = seated and self._on and self._setting > 0
        before = self._leave()
        self.seated = seated
        self._latched = self.condition.hot_insertion_lockup if live else self._latched and seated
        self._enter(before, decide=False)

    def wire_data(self, wired: bool) -> None:
        """Set if the host has pins 7 and 8."""
        self.data_wired = wired
        self._decide()

    def reconsider(self) -> None:
        """Something that a start depends on has changed."""
        self._decide()

    def _leave(self) -> float:
        now, volts = self._clock.now(), self.pin_volts()
        self.draw_fall(now)
        self.curve.append((now, volts))
        return volts

    def _enter(self, before: float, *, decide: bool = True) -> None:
        now = self._clock.now()
        self._since = now
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.feeding:
            if before < _EMPTY_V:
                self._cold = True
                self.peak_a = max(self.peak_a, min(self._limit_a, self.condition.inrush_a))
            self._stored_v = self.terminal_volts()
            if self._unfed_since is not None:
                self._after_interruption(now - self._unfed_since)
            self._unfed_since = None
        else:
            self._stored_v = before
            self._unfed_since = now if self._unfed_since is None else self._unfed_since
            if self._collapsed:
                self._latched = self._latched or self.condition.overload_latch
            else:
                self._latched = False
            self._rising_since = None
        self.curve.append((now, self.pin_volts()))
        if decide:
            self._decide()

    def _after_interruption(self, seconds: float) -> None:
        window = self.condition.glitch_reset_s
        if window is not None and self._hub.powered and window[0] <= seconds <= window[1]:
            self._stop_hub()

    # --- what the hub's input stage decides

    def _decide(self) -> None:
        if self.feeding:
            volts = self.pin_volts()
            trip = self.condition.overvoltage_trip_v
            if self._hub.powered:
                if volts < self._brownout or (trip is not None and volts > trip):
                    self._dipped_at = self._clock.now()
                    self._stop_hub()
            elif self._may_start(volts) and not (trip is not None and volts > trip):
                self._starts.append(self._clock.now())
                self._cold, self._rising_since, self._dipped_at = False, None, None
                self._feed(True)
        elif self._hub.powered:
            if self._stored_v <= self._cut_off:
                self._stop_hub()
            elif self._timer is None:
                seconds = self._farads * (self._stored_v**2 - self._cut_off**2) / (2 * self.condition.load_w)
                self._timer = asyncio.get_running_loop().call_later(seconds, self._stop_hub)

    def _may_start(self, volts: float) -> bool:
        now, condition = self._clock.now(), self.condition
        if self._cold and condition.slow_ramp_lockout_s is not None and volts >= _EMPTY_V:
            self._rising_since = now if self._rising_since is None else self._rising_since
            self._latched = self._latched or now - self._rising_since > condition.slow_ramp_lockout_s
        if volts < (self._cold_start if self._cold else self._recovery) or self._latched:
            return False
        if now - self._stopped_at < _RESTART_S - 1e-9:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self._stopped_at + _RESTART_S - now, self._restart)
            return False
        if condition.short_dip_latch_s is not None and self._dipped_at is not None and now - self._dipped_at < condition.short_dip_latch_s:
            self._latched = True
            return False
        if condition.starts_in_window is not None:
            count, seconds = condition.starts_in_window
            if sum(now - start < seconds for start in self._starts) >= count:
                self._latched = True
                return False
        if condition.needs_host_present and not self._hub.host_present:
            self._latched = True
            return False
        if self._cold and self._limit_a < condition.start_peak_a:
            return False
        return self.data_wired or not condition.needs_data_pair

    def _stop_hub(self) -> None:
        now = self._clock.now()
        self.draw_fall(now)
        self._stored_v, self._since, self._timer, self._stopped_at = self.pin_volts(), now, None, now
        self._trace.emit("ichis", "supply", "brown-out", at_pins=round(self._stored_v, 3))
        self._feed(False)
        if self.feeding:
            self._timer = asyncio.get_running_loop().call_later(_RESTART_S, self._restart)

    def _restart(self) -> None:
        self._timer = None
        self._decide()

    def _feed(self, powered: bool) -> None:
        self._hub.feed(powered)
        self.curve.append((self._clock.now(), self.pin_volts()))

    def draw_fall(self, now: float) -> None:
        """Add the points of the curve up to ``now``."""
        if not self.feeding and now > self._since:
            for step in range(1, _CURVE_POINTS + 1):
                seconds = (now - self._since) * step / _CURVE_POINTS
                self.curve.append((self._since + seconds, self._decayed(seconds)))
        else:
            self.curve.append((now, self.pin_volts()))

    def waveform(self) -> list[tuple[float, float]]:
        """Bench time (seconds since 2000) and volts at the hub's pins, so far."""
        self.draw_fall(self._clock.now())
        self._since, self._stored_v = self._clock.now(), self.pin_volts()
        return list(self.curve)

    def close(self) -> None:
        """Forget what was to come."""
        for timer in (*self._players, *([self._timer] if self._timer is not None else [])):
            timer.cancel()
