"""The jig with nothing plugged in: models of supply, cable, hub input and lines, and a pseudo-terminal for the serial pair.

What it does not model is said by its parts (:mod:`ichis.hub_input`, :mod:`ichis.connector_model`). A :class:`Condition` other than
the healthy one is a seeded defect.
"""

from __future__ import annotations

import os
import tty
from collections.abc import Sequence

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from firmware_emu.trace import Trace
from ichis.condition import Condition
from ichis.connector_model import LineModel, ProbeModel
from ichis.hub_input import HubInput
from ichis.hub_side import HubSide
from ichis.jig import DataLink, Lines, Mating, Probes, Supply
from ichis.measuring.calibration import Calibration
from ichis.measuring.reading import Accuracy, Basis, Reading, Span
from ichis.port import SerialPort
from ichis.profile import InterfaceProfile
from ichis.wires import MemoryHubEnd, MemoryPort, PtyWire

MOST_VOLTS, MOST_AMPERES = 30.0, 5.0
"""Limits of the modelled supply."""
_SOURCE = "this project's own model"
_VOLTS = Accuracy((Span(60.0, 0.0002, 0.001, 0.0001),), Basis.DATASHEET, _SOURCE)
_AMPERES = Accuracy((Span(10.0, 0.0005, 0.0005, 0.0001),), Basis.DATASHEET, _SOURCE)


class SourceModel:
    """A supply instrument in front of a :class:`HubInput`."""

    least_step_s = least_software_step_s = 0.0

    def __init__(self, feed: HubInput, clock: Clock) -> None:
        self._feed, self._clock = feed, clock
        self._volts, self._limit_a, self._on = 0.0, MOST_AMPERES, False
        self.acted = (clock.now(), clock.now())

    async def identity(self) -> str:
        return "supply of the simulated jig"

    async def set_voltage(self, volts: float) -> None:
        if not 0 <= volts <= MOST_VOLTS:
            raise JigError(f"supply: {volts} V is outside what this supply gives: expected 0 to {MOST_VOLTS:g} V")
        self._volts = volts
        self._apply()

    async def set_current_limit(self, amperes: float) -> None:
        if not 0 <= amperes <= MOST_AMPERES:
            raise JigError(f"supply: a current limit of {amperes} A cannot be set: expected 0 to {MOST_AMPERES:g} A")
        self._limit_a = amperes
        self._apply()

    async def output(self, on: bool) -> None:
        self._on = on
        self._apply()
        self.acted = (self._clock.now(), self._clock.now())

    async def confirm(self) -> None:
        """A model does what it is told."""

    async def measure_voltage(self) -> Reading:
        return _VOLTS.of(self._feed.terminal_volts())

    async def measure_current(self) -> Reading:
        return _AMPERES.of(self._feed.amperes())

    async def measure_peak_current(self) -> Reading:
        return _AMPERES.of(self._feed.peak_a)

    async def play(self, points: Sequence[tuple[float, float]]) -> None:
        self._feed.play(points)
        await self._clock.sleep(sum(seconds for _, seconds in points))
        self._volts = points[-1][0] if points else self._volts

    def _apply(self) -> None:
        self._feed.source(self._volts, self._limit_a, self._on)


class HubSocket:
    """The hub's end of the connector as a model: input stage, lines, contacts. What drives the host's end is not part of it."""

    def __init__(self, clock: Clock, trace: Trace, condition: Condition, data: DataLink) -> None:
        self.hub_side = HubSide(data)
        self.feed = HubInput(clock, self.hub_side, trace, condition)
        self.lines = LineModel(self.hub_side, self.feed, clock, trace)
        self.probes = ProbeModel(self.feed, self.lines, self.hub_side)

    def close(self) -> None:
        self.feed.close()
        self.lines.close()


class SeatModel:
    """Puts the modelled hub into the connector and takes it out."""

    def __init__(self, socket: HubSocket, trace: Trace) -> None:
        self._socket, self._trace = socket, trace

    async def insert(self) -> None:
        self._seat(True)

    async def withdraw(self) -> None:
        self._seat(False)

    def _seat(self, seated: bool) -> None:
        if seated is self._socket.feed.seated:
            return
        self._trace.emit("ichis", "host connector", "inserted" if seated else "withdrawn", target="hub connector")
        self._socket.feed.seat(seated)
        self._socket.lines.seated(seated)
        self._socket.feed.reconsider()

    async def wire_data(self, wired: bool) -> None:
        self._socket.feed.wire_data(wired)
        self._socket.lines.refresh()


class SimulatedJig:
    """Implements :class:`ichis.jig.Jig` over the model. ``hub_side`` is the far end of the cable."""

    def __init__(
        self, profile: InterfaceProfile, clock: Clock, trace: Trace, condition: Condition | None = None, *, in_memory: bool = False
    ) -> None:
        """Must be made on the event loop. A hub in the socket, supply off, no presence, AC Lost reading as lost (open contact).

        ``in_memory``: the serial pair is one on bench time, in place of a pseudo-terminal.
        """
        self.identity = "simulated jig"
        self.calibrations: dict[str, Calibration] = {}
        self.profile = profile
        condition = condition or Condition()
        self._port: MemoryPort | SerialPort
        self._wire: MemoryHubEnd | PtyWire
        if in_memory:
            self._port = MemoryPort(profile.line, condition.uart)
            self._wire = self._port.hub
        else:
            master, slave = os.openpty()
            tty.setraw(slave)
            self._wire = PtyWire(master, clock, condition.uart)
            self._port = SerialPort(os.ttyname(slave), clock, line=profile.line, inverts=profile.line.inverted)
            os.close(slave)
        self.data: DataLink = self._port
        self.socket = HubSocket(clock, trace, condition, self._wire)
        self.hub_side = self.socket.hub_side
        self.supply: Supply = SourceModel(self.socket.feed, clock)
        self.lines: Lines = self.socket.lines
        self.probes: Probes = self.socket.probes
        self.mating: Mating = SeatModel(self.socket, trace)

    def pin_volts(self) -> float:
        """Volts at the hub's pins now."""
        return self.socket.feed.pin_volts()

    def waveform(self) -> list[tuple[float, float]]:
        """Bench time (seconds since 2000) and volts at the hub's pins, so far."""
        return self.socket.feed.waveform()

    async def close(self) -> None:
        await self.supply.output(False)
        self.socket.close()
        self._port.close()
        self._wire.close()
