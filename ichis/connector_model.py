"""A model of the connector's lines and contacts: who pulls what, what a broken or shorted contact reads, what a probe measures.

What it does not model: edge times, cross-talk, the order in which contacts mate.
"""

from __future__ import annotations

import asyncio

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from firmware_emu.trace import Trace
from ichis.connector import PINS, Direction, Level, Pin, signal
from ichis.hub_input import HubInput
from ichis.hub_side import HubSide
from ichis.jig import OPEN_OHM
from ichis.measuring.reading import Accuracy, Basis, Reading, Span

_SHORT_OHM = 0.5
_CONTACT_OHM = 0.02
_SOURCE = "this project's own model"
_VOLTS = Accuracy((Span(100.0, 0.0001, 0.0005, 0.00001),), Basis.DATASHEET, _SOURCE)
_RIPPLE = Accuracy((Span(10.0, 0.02, 0.002, 0.0001),), Basis.DATASHEET, _SOURCE)
_OHMS = Accuracy((Span(1000.0, 0.001, 0.01, 0.001), Span(OPEN_OHM, 0.01, 1.0, 1.0)), Basis.DATASHEET, _SOURCE)
_LEVEL_VOLTS = {Level.LOW: 0.12, Level.HIGH: 3.15, Level.FLOATING: 0.0}
_BETWEEN_V = 1.3
_BOUNCES = 1
_AFTER_DRIVE_S = 1.0
_AFTER_REMOVAL_S = 0.5


class LineModel:
    """The three lines. The jig drives the host's outputs; the hub drives its own; what nobody drives reads its pull-up."""

    resolution_s = 0.0

    def __init__(self, hub: HubSide, feed: HubInput, clock: Clock, trace: Trace) -> None:
        self._hub, self._feed, self._clock, self._trace = hub, feed, clock, trace
        self._host: dict[str, Level] = {}
        self._hub_pulls_present = False
        self._level = Level.HIGH
        self._timers: list[asyncio.TimerHandle] = []
        self._removed_at = float("-inf")
        self._ac_timer: asyncio.TimerHandle | None = None
        self._changes: list[tuple[float, Level]] = []
        hub.connect(self._from_hub)
        if feed.condition.device_present_hardwired:
            self._level = Level.LOW
        self._show_all()

    # --- the hub's end

    def _from_hub(self, pin: Pin, level: Level) -> None:
        self._hub_pulls_present = level is pin.active
        condition = self._feed.condition
        if not self._feed.seated:
            return
        self._cancel()
        if condition.device_present_hardwired:
            self._settle(Level.LOW)
            return
        if not self._hub_pulls_present:
            self._settle(Level.HIGH)
            return
        first = condition.device_present_delay_s
        step = condition.device_present_bounce_s / (2 * _BOUNCES)
        for edge in range(2 * _BOUNCES + 1):
            self._later(first + edge * step, Level.HIGH if edge % 2 else Level.LOW)
        if condition.device_present_flicker_s:
            self._later(first + _AFTER_DRIVE_S, Level.HIGH)
            self._later(first + _AFTER_DRIVE_S + condition.device_present_flicker_s, Level.LOW)

    def _later(self, seconds: float, level: Level) -> None:
        if seconds <= 0:
            self._settle(level)
        else:
            self._timers.append(asyncio.get_running_loop().call_later(seconds, self._settle, level))

    def _cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    def _settle(self, level: Level) -> None:
        if level is not self._level:
            self._level = level
            self._changes.append((self._clock.now(), level))
            pin = signal("CH_PR")
            self._trace.emit("ichis", "hub connector", "drove", target="host connector", what=f"{pin.name} {level.value}")

    def seated(self, seated: bool) -> None:
        """The hub went in, or came out: the lines between the ends close or open."""
        condition = self._feed.condition
        if seated:
            self._from_hub(signal("CH_PR"), Level.LOW if self._hub_pulls_present else Level.HIGH)
        else:
            self._cancel()
            self._settle(Level.HIGH)
            if condition.removal_touch_s:
                self._later(_AFTER_REMOVAL_S, Level.LOW)
                self._later(_AFTER_REMOVAL_S + condition.removal_touch_s, Level.HIGH)
            self._removed_at = self._clock.now()
        self._show_all()

    def refresh(self) -> None:
        """Something that decides what the hub sees has changed."""
        self._show_all()

    @property
    def releasing(self) -> bool:
        """True while Device Present hangs between its levels after the hub was taken out."""
        return self._clock.now() - self._removed_at < self._feed.condition.device_present_release_s

    @property
    def long_empty(self) -> bool:
        """True once the socket has been empty for half a second."""
        return not self._feed.seated and self._clock.now() - self._removed_at > _AFTER_REMOVAL_S

    # --- the host's end

    async def drive(self, symbol: str, active: bool) -> None:
        pin = signal(symbol)
        if pin.host is not Direction.OUTPUT:
            raise JigError(f"{symbol} (pin {pin.number}) is driven by the hub, not by the host's end")
        self._host[symbol] = pin.level(active)
        self._tell(pin)

    async def release(self, symbol: str) -> None:
        self._host.pop(signal(symbol).symbol, None)
        self._tell(signal(symbol))

    async def read(self, symbol: str) -> Level:
        pin = signal(symbol)
        return self._level if pin.symbol == "CH_PR" else self._host.get(symbol, self._open(pin))

    async def watch(self, symbol: str, seconds: float) -> list[tuple[float, Level]]:
        if signal(symbol).symbol != "CH_PR":
            raise JigError(f"{symbol} is driven by this end: there is nothing to watch")
        seen, before = [(self._clock.now(), self._level)], len(self._changes)
        await self._clock.sleep(seconds)
        return seen + self._changes[before:]

    def _tell(self, pin: Pin) -> None:
        self._trace.emit("ichis", "host connector", "drove", target="hub connector", what=f"{pin.name} {self._at_hub(pin).value}")
        self._show(pin)

    def _show_all(self) -> None:
        for symbol in ("MT_PR", "AC LO"):
            self._show(signal(symbol))

    def _open(self, pin: Pin) -> Level:
        return Level.LOW if pin.symbol in self._feed.condition.missing_pull_ups else pin.reads_open

    def _at_hub(self, pin: Pin) -> Level:
        condition = self._feed.condition
        if (3, pin.number) in condition.shorts:
            return Level.LOW
        if not self._feed.seated or pin.number in condition.open_pins:
            return self._open(pin)
        return self._host.get(pin.symbol, self._open(pin))

    def _show(self, pin: Pin) -> None:
        level, condition = self._at_hub(pin), self._feed.condition
        if pin.symbol == "AC LO":
            if condition.ac_lost_needs_data_pair and not self._feed.data_wired:
                level = Level.LOW
            delay = condition.ac_lost_delay_s if level is Level.HIGH else condition.ac_restored_delay_s
            if self._ac_timer is not None:
                self._ac_timer.cancel()
            if delay:
                self._ac_timer = asyncio.get_running_loop().call_later(delay, self._hub.see, pin, level)
                return
        self._hub.see(pin, level)
        if pin.symbol == "MT_PR":
            self._feed.reconsider()

    def level(self, pin: Pin) -> Level:
        """The level on a line's contact at the host."""
        if pin.symbol == "CH_PR":
            return self._level
        return self._host.get(pin.symbol, self._open(pin))

    def close(self) -> None:
        self._cancel()
        if self._ac_timer is not None:
            self._ac_timer.cancel()


class ProbeModel:
    """A multimeter on the contacts of the model."""

    def __init__(self, feed: HubInput, lines: LineModel, hub: HubSide) -> None:
        self._feed, self._lines, self._hub = feed, lines, hub
        self._idle = Level.LOW if feed.condition.line.inverted else Level.HIGH

    async def identity(self) -> str:
        return "multimeter of the simulated jig"

    async def volts(self, pin: int, *, moving: bool = False) -> Reading:
        return _VOLTS.of(self._volts(pin))

    def _volts(self, pin: int) -> float:
        condition = self._feed.condition
        if pin in condition.pin_volts:
            return condition.pin_volts[pin]
        contact = _pin(pin)
        if contact.host is Direction.POWER:
            return self._feed.pin_volts() if pin in (1, 2) else 0.0
        if contact.host is Direction.NOT_CONNECTED:
            return 0.0
        if contact.symbol == "CH_PR" and self._lines.releasing:
            return _BETWEEN_V
        if contact.symbol == "CH_PR" and condition.device_present_drift_v is not None and self._lines.long_empty:
            return condition.device_present_drift_v
        level = self._serial_level(contact) if contact.active is None else self._lines.level(contact)
        return condition.level_volts.get(f"{contact.symbol} {level.value}", _LEVEL_VOLTS[level])

    def _serial_level(self, pin: Pin) -> Level:
        if pin.symbol == "RX_MT" and self._hub.space:
            return Level.HIGH if self._idle is Level.LOW else Level.LOW
        return self._idle

    async def ripple(self, pin: int) -> Reading:
        return _RIPPLE.of(self._feed.condition.ripple_v if _pin(pin).host is Direction.POWER and self._feed.feeding else 0.0)

    async def ohms(self, one: int, other: int) -> Reading:
        return _OHMS.of(self._ohms(one, other))

    def _ohms(self, one: int, other: int) -> float:
        condition = self._feed.condition
        pair = (min(one, other), max(one, other))
        if _pin(one) == _pin(other):
            return 0.0
        if pair in condition.shorts:
            return _SHORT_OHM
        return _CONTACT_OHM if pair in ((1, 2), (3, 4)) and not condition.open_pins & set(pair) else OPEN_OHM


def _pin(number: int) -> Pin:
    if not 1 <= number <= len(PINS):
        raise JigError(f"there is no pin {number}: expected 1 to {len(PINS)}")
    return PINS[number - 1]
