"""The jig around a real hub: every instrument is one, nothing is modelled, and hands do what no instrument does."""

from __future__ import annotations

import contextlib

from firmware_emu.board import JigTable
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, JigError, NotAvailable
from ichis.jig import DataLink, Lines, Mating, Probes, Supply
from ichis.manual import Engineer, ManualLines, ManualMating, ManualProbes, ManualSupply
from ichis.modem_lines import ModemLines
from ichis.port import SerialPort
from ichis.profile import Profile
from ichis.scpi import ScpiInstrument, ScpiProbes, ScpiSupply

_BY_HAND = "manual"


class RealHubJig:
    """Implements :class:`ichis.jig.Jig`. Probes and lines that the board does not name are the engineer's."""

    supply: Supply

    def __init__(self, clock: Clock, engineer: Engineer) -> None:
        self.identity = "instruments"
        self._clock, self._engineer = clock, engineer
        self._ports = contextlib.ExitStack()
        self._data: DataLink | None = None
        self.lines: Lines = ManualLines(engineer)
        self.probes: Probes = ManualProbes(engineer)
        self.mating: Mating = ManualMating(engineer)

    @classmethod
    async def open(cls, table: JigTable, profile: Profile, clock: Clock, engineer: Engineer | None = None) -> RealHubJig:
        """Open what the board names. Raises NotAvailable, JigError, BoardError."""
        jig = cls(clock, engineer or Engineer(clock))
        try:
            await jig._open(table, profile)
        except BaseException:
            await jig.close()
            raise
        return jig

    async def _open(self, table: JigTable, profile: Profile) -> None:
        if table.supply is None:
            raise BoardError("board", "jig.supply", "kind = \"instruments\" needs a supply: a VISA resource, or \"manual\"")
        if table.supply == _BY_HAND:
            self.supply = ManualSupply(self._engineer)
        else:
            instrument = self._instrument(table.supply)
            self.supply = ScpiSupply(instrument, self._clock, list_mode=table.supply_lists, peak_query=table.supply_peak_query)
        self.identity = f"instruments: {await self.supply.identity()}"
        if table.probes not in (None, _BY_HAND):
            self.probes = ScpiProbes(self._instrument(table.probes))
        if table.lines not in (None, _BY_HAND):
            modem = await ModemLines.open(table.lines, self._clock)
            self._ports.callback(modem.close)
            self.lines = modem
        if table.data is not None:
            port = SerialPort(table.data, self._clock, line=profile.line, inverts=table.data_inverts)
            self._ports.callback(port.close)
            self._data = port

    def _instrument(self, resource: str) -> ScpiInstrument:
        instrument = ScpiInstrument(resource, self._clock)
        self._ports.callback(instrument.close)
        return instrument

    @property
    def data(self) -> DataLink:
        """Raises NotAvailable where the board names no port."""
        if self._data is None:
            raise NotAvailable("the serial pair", "give jig.data the port that pins 7 and 8 go to")
        return self._data

    async def close(self) -> None:
        """Supply off, everything let go. Raises JigError, after letting go, where the supply could not be switched off."""
        trouble: JigError | None = None
        try:
            if hasattr(self, "supply"):
                await self.supply.output(False)
        except JigError as wrong:
            trouble = wrong
        self._ports.close()
        if trouble is not None:
            raise JigError(f"the supply was told to switch off and did not confirm it: {trouble}")
