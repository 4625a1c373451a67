"""A model of a host's port as the hub meets it: the supply that an intimate meter or a hot shoe gives, and the lines that it drives.

What it does not model: inductance, the switching of the converter, temperature, what the host does with the serial pair: its
transmit contact idles. A :class:`HostCondition` other than the healthy one is a seeded defect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from firmware_emu.trace import Trace
from ichis.connector import PINS, Direction, Level, Pin, signal
from ichis.jig import OPEN_OHM

_CONTACT_OHM = 0.02
_SHORT_OHM = 0.5
_LEVEL_VOLTS = {Level.LOW: 0.15, Level.HIGH: 3.1, Level.FLOATING: 0.0}
_STEP_S = 0.001
_SUCCESSION_S = 300.0
_WARM_S = 5.0


@dataclass(frozen=True, slots=True)
class HostCondition:
    """The datasheet of a modelled port, in volts, amperes, ohms, seconds. ``None``: it has no such thing. Every figure is the model's,
    and none is taken from the profile that judges the port."""

    open_volts: float = 12.2
    unseated_volts: float | None = None
    """Volts with nothing in the socket, where they differ."""
    source_ohm: float = 0.3
    limit_a: float = 1.95
    """Above this current the supply collapses."""
    pulse_limit_a: float = 2.6
    """Amperes for 10 ms out of its own capacitors."""
    peak_s: float | None = None
    """Seconds for which it gives more than 1 A; as long as asked if None."""
    sag_v: float = 0.0
    """Lost after five seconds of load."""
    ripple_v_per_a: float = 0.08
    release_overshoot_v: float = 0.2
    """For 50 ms after a load of more than 1 A goes."""
    start_s: float = 0.4
    """From mains to supply."""
    start_unseated_s: float | None = None
    """The same with nothing in the socket, where that takes another time."""
    holdup_s: float = 0.7
    """From loss of mains to loss of supply."""
    holdup_peak_s: float | None = None
    """The same under a load of more than 1 A; as long if None."""
    misses_start_after: int | None = None
    """The supply stays off once after so many losses of mains, each within five minutes of the last: instruments may be slow."""
    present_s: float = 0.05
    """From supply to Host Present."""
    ac_lost_s: float = 0.01
    ac_restored_s: float = 0.01
    open_pins: frozenset[int] = frozenset()
    shorts: frozenset[tuple[int, int]] = frozenset()
    """Pairs of pins, the lower number first."""
    level_volts: Mapping[str, float] = field(default_factory=dict)
    """``"AC LO high"``: volts of that level of that line."""
    missing_pull_ups: frozenset[str] = frozenset()
    idle_inverted: bool = False
    """The transmit contact idles high: logic 0 is low."""
    lets_go_when_seated: bool = False
    """Host Present is released once a hub is in the socket."""


def _nobody() -> None:
    """Nobody listens."""


class HostPort:
    """The port. :meth:`mains` is the meter's terminal, :meth:`load` and :meth:`seat` what the rig does as the hub."""

    def __init__(self, clock: Clock, trace: Trace, condition: HostCondition, changed: Callable[[], None] = _nobody) -> None:
        """``changed`` is called after the supply or a line of the host has changed."""
        self._clock, self._trace, self.condition = clock, trace, condition
        self._mains = False
        self._losses = 0
        self._lost_at = float("-inf")
        self._amperes = 0.0
        self._loaded_at = self._eased_at = float("-inf")
        self._supply = False
        self._seated = False
        self._host_present = False
        self._ac_lost = True
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._changes: dict[str, list[tuple[float, Level]]] = {"MT_PR": [], "AC LO": []}
        self._changed = changed
        self.curve: list[tuple[float, float]] = [(clock.now(), 0.0)]

    # --- what happens to it

    def mains(self, on: bool) -> None:
        """The mains at the host comes or goes."""
        if on is self._mains:
            return
        self._mains = on
        condition = self.condition
        self._trace.emit("ichis", "host", "mains", on=on)
        if on:
            if self._supply:
                self._drop("supply")
            elif self._losses != condition.misses_start_after:
                slow = condition.start_unseated_s is not None and not self._seated
                self._later("supply", (condition.start_unseated_s or 0.0) if slow else condition.start_s, lambda: self._feed(True))
            self._later("ac", condition.ac_restored_s, lambda: self._tell_ac_lost(False))
            return
        now = self._clock.now()
        self._losses = self._losses + 1 if now - self._lost_at < _SUCCESSION_S else 1
        self._lost_at = now
        holdup_s = condition.holdup_s
        if self._amperes > 1.0 and condition.holdup_peak_s is not None:
            holdup_s = condition.holdup_peak_s
        self._later("supply", holdup_s, lambda: self._feed(False))
        self._later("ac", condition.ac_lost_s, lambda: self._tell_ac_lost(True))

    def load(self, amperes: float) -> None:
        """The rig draws so much from now on."""
        self._note()
        now = self._clock.now()
        if self._amperes > 1.0 > amperes:
            self._eased_at = now
        if amperes > self._amperes:
            self._loaded_at = now
        self._amperes = amperes
        self._note()

    def seat(self, seated: bool) -> None:
        """Device Present is pulled low, or let go."""
        self._seated = seated
        if self.condition.lets_go_when_seated:
            self._show("MT_PR", self._host_present and not seated)

    def _feed(self, on: bool) -> None:
        self._note()
        self._supply = on
        self._note()
        self._changed()
        if on:
            self._later("present", self.condition.present_s, lambda: self._present(True))
        else:
            self._drop("present")
            self._present(False)

    def _present(self, present: bool) -> None:
        self._host_present = present
        self._show("MT_PR", present and not (self.condition.lets_go_when_seated and self._seated))

    def _tell_ac_lost(self, lost: bool) -> None:
        self._ac_lost = lost
        self._show("AC LO", lost)

    def _show(self, symbol: str, active: bool) -> None:
        self._changes[symbol].append((self._clock.now(), signal(symbol).level(active)))
        self._changed()

    def _later(self, what: str, seconds: float, do: object) -> None:
        assert callable(do)
        self._drop(what)
        self._timers[what] = asyncio.get_running_loop().call_later(seconds, do)

    def _drop(self, what: str) -> None:
        if (timer := self._timers.pop(what, None)) is not None:
            timer.cancel()

    # --- what instruments read

    @property
    def fed(self) -> bool:
        """True if the host gives a supply."""
        return self._supply

    @property
    def limit_a(self) -> float:
        """Above this current the supply collapses."""
        return self.condition.limit_a

    def open_volts(self) -> float:
        """Volts of the supply without a load, as long as it is fed."""
        condition = self.condition
        if condition.unseated_volts is not None and not self._seated:
            return condition.unseated_volts
        return condition.open_volts

    def volts(self) -> float:
        """Volts between the supply contacts now."""
        condition, now = self.condition, self._clock.now()
        if not self._supply or {1, 2} <= condition.open_pins or {3, 4} <= condition.open_pins:
            return 0.0
        loaded_s, limit_a = now - self._loaded_at, self.limit_a
        pulse_a = condition.pulse_limit_a
        tired = condition.peak_s is not None and self._amperes > 1.0 and loaded_s > condition.peak_s
        if tired or self._amperes > (pulse_a if loaded_s < 0.01 else limit_a):
            return 0.5
        sag = condition.sag_v if self._amperes and loaded_s > _WARM_S else 0.0
        overshoot = condition.release_overshoot_v if now - self._eased_at < 0.05 else 0.0
        return self.open_volts() - sag + overshoot - self._amperes * condition.source_ohm

    def amperes(self) -> float:
        """Amperes that the rig draws, if there is anything to draw from."""
        return self._amperes if self.volts() > 1 else 0.0

    def ripple(self) -> float:
        """Volts peak to peak on the supply."""
        return self.amperes() * self.condition.ripple_v_per_a

    def level(self, pin: Pin) -> Level:
        """The level on a contact of the port."""
        if pin.host is Direction.NOT_CONNECTED or pin.host is Direction.POWER:
            return Level.FLOATING
        open_level = Level.LOW if pin.symbol in self.condition.missing_pull_ups else pin.reads_open
        if pin.number in self.condition.open_pins:
            return pin.reads_open  # the rig's own pull-up
        if pin.symbol == "CH_PR":
            return pin.level(True) if self._seated else open_level
        if pin.active is not None:
            changes = self._changes[pin.symbol]
            return changes[-1][1] if changes else pin.reads_open
        if pin.symbol == "TX_MT":
            return Level.HIGH if self.condition.idle_inverted else Level.LOW
        return open_level

    def changes(self, symbol: str, since: float) -> list[tuple[float, Level]]:
        """Changes of a line by the host from then on."""
        return [change for change in self._changes[symbol] if change[0] >= since]

    def contact_volts(self, number: int) -> float:
        """Volts from a contact to Common."""
        pin = _pin(number)
        if pin.host is Direction.POWER:
            return self.volts() if number in (1, 2) and number not in self.condition.open_pins else 0.0
        level = self.level(pin)
        return self.condition.level_volts.get(f"{pin.symbol} {level.value}", _LEVEL_VOLTS[level])

    def ohms(self, one: int, other: int) -> float:
        """Ohms between two contacts, the port without power."""
        pair = (min(one, other), max(one, other))
        if _pin(one) == _pin(other):
            return 0.0
        if pair in self.condition.shorts:
            return _SHORT_OHM
        return _CONTACT_OHM if pair in ((1, 2), (3, 4)) and not self.condition.open_pins & set(pair) else OPEN_OHM

    def _note(self) -> None:
        self.curve.append((self._clock.now(), self.volts()))

    async def observe(self, seconds: float) -> list[tuple[float, float]]:
        """Bench time and volts each millisecond, over so many seconds."""
        until, seen = self._clock.now() + seconds, [(self._clock.now(), self.volts())]
        while self._clock.now() < until - 1e-9:
            await self._clock.sleep(_STEP_S)
            seen.append((self._clock.now(), self.volts()))
        self.curve += seen
        return seen

    def close(self) -> None:
        """Nothing further happens."""
        for what in tuple(self._timers):
            self._drop(what)


def _pin(number: int) -> Pin:
    if not 1 <= number <= len(PINS):
        raise JigError(f"there is no pin {number}: expected 1 to {len(PINS)}")
    return PINS[number - 1]
