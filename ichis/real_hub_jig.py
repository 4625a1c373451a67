"""The jig around a real hub: every instrument is one, nothing is modelled, and hands do what no instrument does."""

from __future__ import annotations

from firmware_emu.board import JigTable
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, NotAvailable
from ichis.bench_jig import switched_off
from ichis.instrument.opening import Instruments
from ichis.jig import DataLink, Lines, Mating, Probes, Supply
from ichis.manual import Engineer, ManualLines, ManualMating, ManualProbes
from ichis.profile import InterfaceProfile


class RealHubJig:
    """Implements :class:`ichis.jig.Jig`. Probes and lines that the board does not name are the engineer's."""

    def __init__(self, clock: Clock, engineer: Engineer) -> None:
        self.identity = "instruments"
        self._instruments = Instruments(clock, engineer)
        self.calibrations = self._instruments.calibrations
        self._supply: Supply | None = None
        self._data: DataLink | None = None
        self.lines: Lines = ManualLines(engineer)
        self.probes: Probes = ManualProbes(engineer)
        self.mating: Mating = ManualMating(engineer)

    @classmethod
    async def open(cls, table: JigTable, profile: InterfaceProfile, clock: Clock, engineer: Engineer | None = None) -> RealHubJig:
        """Open what the board names. Raises NotAvailable, JigError, BoardError."""
        jig = cls(clock, engineer or Engineer(clock))
        try:
            await jig._open(table, profile)
        except BaseException:
            await jig.close()
            raise
        return jig

    async def _open(self, table: JigTable, profile: InterfaceProfile) -> None:
        instruments = self._instruments
        self._supply = await instruments.supply(table)
        self.identity = f"instruments: {await self.supply.identity()}"
        self.probes = await instruments.probes(table) or self.probes
        self.lines = await instruments.lines(table) or self.lines
        self.mating = await instruments.mating(table) or self.mating
        if table.data is not None:
            self._data = instruments.port(table.data, profile, inverts=table.data_inverts)

    @property
    def supply(self) -> Supply:
        """Raises BoardError where the board names none."""
        if self._supply is None:
            raise BoardError("board", "jig.supply", 'kind = "instruments" needs a supply: a VISA resource, or "manual"')
        return self._supply

    @property
    def data(self) -> DataLink:
        """Raises NotAvailable where the board names no port."""
        if self._data is None:
            raise NotAvailable("the serial pair", "give jig.data the port that pins 7 and 8 go to")
        return self._data

    async def close(self) -> None:
        """Supply off, everything let go. Raises JigError, after letting go, where the supply could not be switched off."""
        await self._instruments.close(self._off, "supply")

    async def _off(self) -> None:
        if self._supply is not None:
            await switched_off(self._supply)
