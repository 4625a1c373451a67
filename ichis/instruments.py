"""The instruments that a board names, opened one by one and let go of together; hands do what the board gives to ``manual``."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping

from firmware_emu.board import JigTable
from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from ichis.jig import DataLink, Lines, Probes, Supply
from ichis.manual import Engineer, ManualLines, ManualProbes, ManualSupply
from ichis.modem_lines import HOST_END, ModemLines, Wiring
from ichis.port import SerialPort
from ichis.profile import Profile
from ichis.scpi import ScpiInstrument, ScpiProbes, ScpiSupply

BY_HAND = "manual"


class Instruments:
    """Opens what a ``[jig]`` table names. Raises NotAvailable and JigError where an instrument is not there or is another one."""

    def __init__(self, clock: Clock, engineer: Engineer) -> None:
        self._clock, self.engineer = clock, engineer
        self._ports = contextlib.ExitStack()

    def scpi(self, resource: str) -> ScpiInstrument:
        """An instrument by its VISA name."""
        instrument = ScpiInstrument(resource, self._clock)
        self._ports.callback(instrument.close)
        return instrument

    def supply(self, table: JigTable) -> Supply | None:
        """The supply; None where the board names none."""
        if table.supply is None:
            return None
        if table.supply == BY_HAND:
            return ManualSupply(self.engineer)
        return ScpiSupply(self.scpi(table.supply), self._clock, list_mode=table.supply_lists, peak_query=table.supply_peak_query)

    def probes(self, table: JigTable) -> Probes | None:
        """The multimeter; None where the board names none."""
        if table.probes is None:
            return None
        return ManualProbes(self.engineer) if table.probes == BY_HAND else ScpiProbes(self.scpi(table.probes))

    async def lines(self, table: JigTable, wiring: Mapping[str, Wiring] = HOST_END) -> Lines | None:
        """The lines; None where the board names none."""
        if table.lines is None:
            return None
        if table.lines == BY_HAND:
            return ManualLines(self.engineer)
        modem = await ModemLines.open(table.lines, self._clock, wiring)
        self._ports.callback(modem.close)
        return modem

    def port(self, url: str, profile: Profile, *, inverts: bool) -> DataLink:
        """The serial pair at a pyserial URL."""
        port = SerialPort(url, self._clock, line=profile.line, inverts=inverts)
        self._ports.callback(port.close)
        return port

    async def close(self, off: Callable[[], Awaitable[None]], what: str) -> None:
        """Switch ``what`` off by ``off``, then let go of everything. Raises JigError, after letting go, where it did not confirm."""
        try:
            await off()
        except JigError as wrong:
            raise JigError(f"the {what} was told to switch off and did not confirm it: {wrong}") from wrong
        finally:
            self._ports.close()
