"""The jig with nothing plugged in: a model of supply, cable, the hub's input store and brown-out, the lines, and a pty pair.

What it does not model: supply regulation and ripple, inductance, temperature, contact resistance of single pins, edge
times of the lines, mating order. Charging takes no time: the source is taken as strong against the hub's store.
"""

from __future__ import annotations

import asyncio
import os
import tty

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from firmware_emu.trace import Trace
from ichis.connector import Direction, Level, Pin, signal
from ichis.hub_side import HubSide
from ichis.port import SerialPort
from ichis.profile import Profile

HUB_LOAD_W = 2.4
"""Power the modelled hub takes while it runs; profile value of this model."""

CABLE_OHM = 0.15
"""Resistance of supply cable and contacts, there and back; profile value of this model."""

_CURVE_POINTS = 12


class _SupplyModel:
    """Supply, cable and the hub's store. Between events the store falls as ``sqrt(V0^2 - 2 P t / C)`` while the hub runs."""

    def __init__(self, profile: Profile, clock: Clock, hub: HubSide, trace: Trace) -> None:
        self._profile, self._clock, self._hub, self._trace = profile, clock, hub, trace
        low, high = profile["brownout_threshold"], profile["supply_nominal"]
        self._farads = 2 * HUB_LOAD_W * profile["holdup_time"] / (high * high - low * low)
        self._setting = 0.0
        self._limit_a = profile["current_peak_max"]
        self._on = False
        self._stored_v = 0.0
        self._since = clock.now()
        self._brown_out: asyncio.TimerHandle | None = None
        self.curve: list[tuple[float, float]] = [(clock.now(), 0.0)]

    @property
    def _feeding(self) -> bool:
        return self._on and self._setting > 0

    def pin_volts(self) -> float:
        """Volts at pins 1 and 3 of the hub, now."""
        if self._feeding:
            return max(0.0, self._setting - self._amperes() * CABLE_OHM)
        return self._decayed(self._clock.now() - self._since)

    def _decayed(self, seconds: float) -> float:
        load = HUB_LOAD_W if self._hub.powered else 0.01  # leakage once the hub has stopped
        squared: float = self._stored_v * self._stored_v - 2 * load * seconds / self._farads
        return squared**0.5 if squared > 0 else 0.0

    def _amperes(self) -> float:
        if not self._feeding:
            return 0.0
        return min(self._limit_a, HUB_LOAD_W / self._setting) if self._hub.powered else 0.0

    async def set_voltage(self, volts: float) -> None:
        if not 0 <= volts <= 30:
            raise JigError(f"supply: {volts} V is outside what this supply gives: expected 0 to 30 V")
        self._change(volts, self._on)

    async def set_current_limit(self, amperes: float) -> None:
        if amperes < 0:
            raise JigError(f"supply: a current limit of {amperes} A cannot be set")
        self._limit_a = amperes
        self._change(self._setting, self._on)

    async def output(self, on: bool) -> None:
        self._change(self._setting, on)

    async def measure_voltage(self) -> float:
        return self._setting if self._feeding else self.pin_volts()

    async def measure_current(self) -> float:
        return self._amperes()

    def _change(self, setting: float, on: bool) -> None:
        now, before = self._clock.now(), self.pin_volts()
        self._draw_fall(now)
        self.curve.append((now, before))
        self._setting, self._on, self._since = setting, on, now
        if self._brown_out is not None:
            self._brown_out.cancel()
            self._brown_out = None
        enough = self._limit_a * setting >= HUB_LOAD_W or not self._hub.powered
        if self._feeding and enough and setting >= before:
            self._stored_v = setting
        else:
            self._stored_v = before
            if self._feeding and not enough:
                self._on = False  # the supply folds back: it cannot carry the hub
                self._trace.emit("ichis", "supply", "folded back", limit_a=self._limit_a, volts=setting)
        volts = self.pin_volts()
        self.curve.append((now, volts))
        self._trace.emit("ichis", "supply", "set", volts=round(setting, 3), output=on, at_pins=round(volts, 3))
        self._decide(volts)

    def _decide(self, volts: float) -> None:
        low = self._profile["brownout_threshold"]
        if self._feeding:
            if volts >= self._profile["brownout_recovery"] or (self._hub.powered and volts >= low):
                self._hub.feed(True)
            elif volts < low:
                self._hub.feed(False)
            return
        if not self._hub.powered:
            return
        if volts <= low:
            self._stop_hub()
            return
        seconds = self._farads * (self._stored_v**2 - low * low) / (2 * HUB_LOAD_W)
        self._brown_out = asyncio.get_running_loop().call_later(seconds, self._stop_hub)

    def _stop_hub(self) -> None:
        now = self._clock.now()
        self._draw_fall(now)
        self._stored_v, self._since, self._brown_out = self.pin_volts(), now, None
        self._trace.emit("ichis", "supply", "brown-out", at_pins=round(self._stored_v, 3))
        self._hub.feed(False)

    def _draw_fall(self, now: float) -> None:
        if not self._feeding and now > self._since:
            for step in range(1, _CURVE_POINTS + 1):
                seconds = (now - self._since) * step / _CURVE_POINTS
                self.curve.append((self._since + seconds, self._decayed(seconds)))


class _LineModel:
    """The three lines. The jig drives the host's outputs; the hub drives its own; what nobody drives reads its pull-up."""

    def __init__(self, hub: HubSide, trace: Trace) -> None:
        self._hub, self._trace = hub, trace
        self._levels: dict[str, Level] = {}
        hub.connect(self._from_hub)

    def _from_hub(self, pin: Pin, level: Level) -> None:
        self._levels[pin.symbol] = level
        self._trace.emit("ichis", "hub connector", "drove", target="host connector", what=f"{pin.name} {level.value}")

    async def drive(self, symbol: str, active: bool) -> None:
        pin = signal(symbol)
        if pin.host is not Direction.OUTPUT:
            raise JigError(f"{symbol} (pin {pin.number}) is driven by the hub, not by the host's end")
        self._put(pin, pin.level(active))

    async def release(self, symbol: str) -> None:
        pin = signal(symbol)
        self._put(pin, pin.reads_open)

    def _put(self, pin: Pin, level: Level) -> None:
        self._levels[pin.symbol] = level
        self._trace.emit("ichis", "host connector", "drove", target="hub connector", what=f"{pin.name} {level.value}")
        self._hub.see(pin, level)

    async def read(self, symbol: str) -> Level:
        pin = signal(symbol)
        return self._levels.get(symbol, pin.reads_open)


class SimulatedJig:
    """Implements :class:`ichis.jig.Jig` over the model. ``hub_side`` is the far end of the cable."""

    def __init__(self, profile: Profile, clock: Clock, trace: Trace) -> None:
        """Must be made on the event loop. An empty socket: supply off, no presence, AC Lost reading as lost (open contact)."""
        self.identity = "simulated jig"
        self.profile = profile
        # Two pseudo-terminals back to back would each need a pump; one pair is the pair of wires: master and slave are its ends.
        self._master, slave = os.openpty()
        tty.setraw(slave)
        baud = int(profile["uart_baud"])
        self.data = SerialPort(os.ttyname(slave), clock, baudrate=baud)
        os.close(slave)
        self.hub_side = HubSide(_PtyEnd(self._master, clock))
        self.supply = _SupplyModel(profile, clock, self.hub_side, trace)
        self.lines = _LineModel(self.hub_side, trace)
        self.hub_side.see(signal("AC LO"), signal("AC LO").reads_open)

    def pin_volts(self) -> float:
        """Volts at the hub's pins now."""
        return self.supply.pin_volts()

    def waveform(self) -> list[tuple[float, float]]:
        """Bench time (seconds since 2000) and volts at the hub's pins, so far."""
        self.supply._draw_fall(self.supply._clock.now())
        return [*self.supply.curve, (self.supply._clock.now(), self.pin_volts())]

    async def close(self) -> None:
        await self.supply.output(False)
        self.data.close()
        os.close(self._master)


class _PtyEnd:
    """The hub's end of the serial pair: the master of the pseudo-terminal."""

    def __init__(self, descriptor: int, clock: Clock) -> None:
        self._descriptor, self._clock = descriptor, clock
        os.set_blocking(descriptor, False)

    async def write(self, octets: bytes) -> None:
        os.write(self._descriptor, octets)

    async def read(self, count: int, timeout_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[None] = loop.create_future()

        def ready() -> None:
            if not arrived.done():
                arrived.set_result(None)

        loop.add_reader(self._descriptor, ready)
        try:
            async with asyncio.timeout(timeout_s):
                await arrived
            return os.read(self._descriptor, count)
        except TimeoutError:
            return b""
        finally:
            loop.remove_reader(self._descriptor)
