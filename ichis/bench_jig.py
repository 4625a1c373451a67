"""A jig made from a board file's ``[jig]`` table. Parts that the board does not name are models in this process."""

from __future__ import annotations

import os
import tty
from typing import Protocol

from firmware_emu.board import JigTable
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, NotAvailable
from firmware_emu.trace import Trace
from ichis.condition import Condition
from ichis.hub_end import HubEnd
from ichis.hub_side import HubSide
from ichis.instrument.opening import Instruments
from ichis.instrument.stand_in import Behind
from ichis.jig import DataLink, Jig, Lines, Mating, Probes, Supply
from ichis.manual import Engineer
from ichis.profile import InterfaceProfile
from ichis.simulated_jig import HubSocket, SeatModel, SimulatedJig
from ichis.wires import PtyWire


class BenchJig(Jig, Protocol):
    """A jig whose far end is an emulated hub."""

    profile: InterfaceProfile
    hub_side: HubSide
    socket: HubSocket

    def pin_volts(self) -> float:
        """Volts at the hub's pins now."""
        ...

    def waveform(self) -> list[tuple[float, float]]:
        """Bench time (seconds since 2000) and volts at the hub's pins, so far."""
        ...


async def open_jig(
    table: JigTable, profile: InterfaceProfile, clock: Clock, trace: Trace, condition: Condition, *, in_memory: bool = False
) -> BenchJig:
    """The jig that the board names. Raises JigError and NotAvailable where an instrument is not there or is another one.

    ``in_memory``: a simulated one whose serial pair is on bench time.
    """
    if table.kind == "simulated":
        modelled = SimulatedJig(profile, clock, trace, condition, in_memory=in_memory)
        if table.stand_in is None:
            return modelled
        return await StandInJig.open(table, modelled, clock)
    jig = InstrumentJig(profile, clock, trace, condition)
    try:
        await jig.open(table)
    except BaseException:
        await jig.close()
        raise
    return jig


class StandInJig:
    """The simulated jig, with stand-ins of instruments between its models and whoever reads and acts."""

    def __init__(self, modelled: SimulatedJig, clock: Clock) -> None:
        self._modelled, self._clock = modelled, clock
        self._instruments = Instruments(clock, Engineer(clock))
        self.calibrations = self._instruments.calibrations
        self.sessions = self._instruments.sessions
        self.profile, self.hub_side, self.socket = modelled.profile, modelled.hub_side, modelled.socket
        self.supply, self.probes = modelled.supply, modelled.probes
        self.lines, self.data, self.mating = modelled.lines, modelled.data, modelled.mating
        self.pin_volts, self.waveform = modelled.pin_volts, modelled.waveform
        self.identity = "simulated jig behind stand-ins"

    @classmethod
    async def open(cls, table: JigTable, modelled: SimulatedJig, clock: Clock) -> StandInJig:
        """Open what the board names. Raises BoardError, JigError."""
        jig = cls(modelled, clock)
        try:
            await jig._open(table)
        except BaseException:
            await jig._modelled.close()
            raise
        return jig

    async def _open(self, table: JigTable) -> None:
        assert table.stand_in is not None
        behind = Behind(supply=self._modelled.supply, probes=self._modelled.probes)
        if table.stand_in.supply is not None:
            self.supply = await self._instruments.modelled_supply(table, behind)
        if table.stand_in.probes is not None:
            self.probes = await self._instruments.meter(table, behind)

    async def exchange(self, table: JigTable, rest_s: float) -> None:
        """Put other stand-ins in place of these, before the same models, which are off for so long. Raises BoardError, JigError."""
        self._instruments.let_go()
        await self._modelled.supply.output(False)
        await self._clock.sleep(rest_s)
        self.supply, self.probes = self._modelled.supply, self._modelled.probes
        await self._open(table)

    async def close(self) -> None:
        """Raises JigError, after letting go, where the supply could not be switched off."""
        try:
            await self._instruments.close(lambda: switched_off(self.supply), "supply")
        finally:
            await self._modelled.close()


async def switched_off(supply: Supply) -> None:
    """Switch off, and have it measured. Raises JigError."""
    await supply.output(False)
    await supply.confirm()


class InstrumentJig:
    """Instruments around an emulated hub: SCPI supply and probes, modem lines, a serial port; models where the board names none."""

    def __init__(self, profile: InterfaceProfile, clock: Clock, trace: Trace, condition: Condition) -> None:
        self.identity = "instruments"
        self.profile = profile
        master, slave = os.openpty()
        tty.setraw(slave)
        self._wire = PtyWire(master, clock, condition.uart)
        self._instruments = Instruments(clock, Engineer(clock))
        self.calibrations = self._instruments.calibrations
        self.data: DataLink = self._instruments.port(os.ttyname(slave), profile, inverts=profile.line.inverted)
        os.close(slave)
        self.socket = HubSocket(clock, trace, condition, self._wire)
        self.hub_side = self.socket.hub_side
        self.lines: Lines = self.socket.lines
        self.mating: Mating = SeatModel(self.socket, trace)
        self.probes: Probes = self.socket.probes
        self._supply: Supply | None = None
        self._hub_end: HubEnd | None = None

    async def open(self, table: JigTable) -> None:
        """Open what the board names. Raises NotAvailable, JigError, BoardError."""
        if table.supply is None or table.hub_end is None:
            raise BoardError("board", "jig.supply", "an emulated hub on instruments needs supply (a VISA resource) and hub_end (host:port)")
        self._hub_end = await HubEnd.attach(table.hub_end, self.socket)
        self._supply = await self._instruments.supply(table)
        self.identity = f"instruments: {await self.supply.identity()}"
        self.probes = await self._instruments.probes(table) or self.probes
        self.lines = await self._instruments.lines(table) or self.lines

    @property
    def supply(self) -> Supply:
        """Raises NotAvailable before :meth:`open`."""
        if self._supply is None:
            raise NotAvailable("the supply", "the jig is not open")
        return self._supply

    def pin_volts(self) -> float:
        """Volts at the hub's pins now."""
        return self.socket.feed.pin_volts()

    def waveform(self) -> list[tuple[float, float]]:
        """Bench time (seconds since 2000) and volts at the hub's pins, so far."""
        return self.socket.feed.waveform()

    async def close(self) -> None:
        """Supply off, everything let go. Raises JigError, after letting go, where the supply could not be switched off."""
        try:
            await self._instruments.close(self._off, "supply")
        finally:
            if self._hub_end is not None:
                await self._hub_end.close()
            self.socket.close()
            self._wire.close()

    async def _off(self) -> None:
        if self._supply is not None:
            await switched_off(self._supply)
