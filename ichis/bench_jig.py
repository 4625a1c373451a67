"""A jig made from a board file's ``[jig]`` table. Parts that the board does not name are models in this process."""

from __future__ import annotations

import contextlib
import os
import tty
from typing import Protocol

from firmware_emu.board import JigTable
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, JigError
from firmware_emu.trace import Trace
from ichis.condition import Condition
from ichis.hub_end import HubEnd
from ichis.hub_side import HubSide
from ichis.jig import DataLink, Jig, Lines, Mating, Probes, Supply
from ichis.manual import Engineer, ManualProbes, ManualSupply
from ichis.modem_lines import ModemLines
from ichis.port import SerialPort
from ichis.profile import Profile
from ichis.pty_wire import PtyWire
from ichis.scpi import ScpiInstrument, ScpiProbes, ScpiSupply
from ichis.simulated_jig import HubSocket, SeatModel, SimulatedJig, hub_line

_BY_HAND = "manual"


class BenchJig(Jig, Protocol):
    """A jig whose far end is an emulated hub."""

    profile: Profile
    hub_side: HubSide
    socket: HubSocket

    def pin_volts(self) -> float:
        """Volts at the hub's pins now."""
        ...

    def waveform(self) -> list[tuple[float, float]]:
        """Bench time (seconds since 2000) and volts at the hub's pins, so far."""
        ...


async def open_jig(table: JigTable, profile: Profile, clock: Clock, trace: Trace, condition: Condition) -> BenchJig:
    """The jig that the board names. Raises JigError and NotAvailable where an instrument is not there or is another one."""
    if table.kind == "simulated":
        return SimulatedJig(profile, clock, trace, condition)
    jig = InstrumentJig(profile, clock, trace, condition)
    try:
        await jig.open(table)
    except BaseException:
        await jig.close()
        raise
    return jig


class InstrumentJig:
    """Instruments around an emulated hub: SCPI supply and probes, modem lines, a serial port; models where the board names none."""

    def __init__(self, profile: Profile, clock: Clock, trace: Trace, condition: Condition) -> None:
        self.identity = "instruments"
        self.profile = profile
        self._clock, self._trace = clock, trace
        master, slave = os.openpty()
        tty.setraw(slave)
        self._wire = PtyWire(master, clock, hub_line(profile, condition), condition)
        self._ports = contextlib.ExitStack()
        self.data: DataLink = self._own_port(os.ttyname(slave))
        os.close(slave)
        self.socket = HubSocket(profile, clock, trace, condition, self._wire)
        self.hub_side = self.socket.hub_side
        self.lines: Lines = self.socket.lines
        self.mating: Mating = SeatModel(self.socket, trace)
        self.probes: Probes = self.socket.probes
        self.supply: Supply
        self._hub_end: HubEnd | None = None

    def _own_port(self, url: str) -> SerialPort:
        port = SerialPort(url, self._clock, line=self.profile.line, inverts=self.profile.line.inverted)
        self._ports.callback(port.close)
        return port

    async def open(self, table: JigTable) -> None:
        """Open what the board names. Raises NotAvailable, JigError, BoardError."""
        if table.supply is None or table.hub_end is None:
            raise BoardError("board", "jig.supply", "an emulated hub on instruments needs supply (a VISA resource) and hub_end (host:port)")
        self._hub_end = await HubEnd.attach(table.hub_end, self.socket)
        if table.supply == _BY_HAND:
            self.supply = ManualSupply(Engineer(self._clock))
        else:
            instrument = self._instrument(table.supply)
            self.supply = ScpiSupply(instrument, self._clock, list_mode=table.supply_lists, peak_query=table.supply_peak_query)
        self.identity = f"instruments: {await self.supply.identity()}"
        if table.probes is not None:
            by_hand = table.probes == _BY_HAND
            self.probes = ManualProbes(Engineer(self._clock)) if by_hand else ScpiProbes(self._instrument(table.probes))
        if table.lines is not None:
            modem = await ModemLines.open(table.lines, self._clock)
            self._ports.callback(modem.close)
            self.lines = modem

    def _instrument(self, resource: str) -> ScpiInstrument:
        instrument = ScpiInstrument(resource, self._clock)
        self._ports.callback(instrument.close)
        return instrument

    def pin_volts(self) -> float:
        """Volts at the hub's pins now."""
        return self.socket.feed.pin_volts()

    def waveform(self) -> list[tuple[float, float]]:
        """Bench time (seconds since 2000) and volts at the hub's pins, so far."""
        return self.socket.feed.waveform()

    async def close(self) -> None:
        """Supply off, everything let go. Raises JigError, after letting go, where the supply could not be switched off."""
        trouble: JigError | None = None
        try:
            if hasattr(self, "supply"):
                await self.supply.output(False)
        except JigError as wrong:
            trouble = wrong
        self._ports.close()
        if self._hub_end is not None:
            await self._hub_end.close()
        self.socket.close()
        self._wire.close()
        if trouble is not None:
            raise JigError(f"the supply was told to switch off and did not confirm it: {trouble}")
