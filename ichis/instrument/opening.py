"""The instruments that a board names, opened one by one and let go of together; hands do what the board gives to ``manual``."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from firmware_emu.board import InstrumentTable, JigTable
from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, JigError, NotAvailable
from ichis.instrument.drivers import InstrumentLoad, InstrumentMating, InstrumentProbes, InstrumentRelay, InstrumentSupply, Standards
from ichis.instrument.fault import read_fault
from ichis.instrument.lease import Lease
from ichis.instrument.link import InstrumentLine, InstrumentLink
from ichis.instrument.session import InstrumentSession
from ichis.instrument.stand_in import STANDARDS, Behind, StandIn, StandInLink
from ichis.jig import DataLink, Lines, Mating, Probes, Supply
from ichis.manual import Engineer, ManualLines, ManualProbes, ManualSupply
from ichis.measuring.calibration import Calibration, load_calibration
from ichis.measuring.dialect import named
from ichis.modem_lines import HOST_END, ModemLines, Wiring
from ichis.port import SerialPort
from ichis.profile import InterfaceProfile

BY_HAND = "manual"
_KINDS = {"supply": "supply", "probes": "meter", "load": "load", "mains": "relay", "mating": "relay"}


class Instruments:
    """Opens what a ``[jig]`` table names. Raises NotAvailable and JigError where an instrument is not there or is another one."""

    def __init__(self, clock: Clock, engineer: Engineer) -> None:
        self._clock, self.engineer = clock, engineer
        self._ports = contextlib.ExitStack()
        self._leased: set[str] = set()
        self.sessions: dict[str, InstrumentSession] = {}
        """By what the instrument is on the board."""
        self.calibrations: dict[str, Calibration] = {}

    def _lease(self, address: str) -> None:
        """One lease for an address, also where it serves twice, as a cable for the data and by its modem lines."""
        if address not in self._leased and not address.startswith("loop:"):  # a loop is each process's own
            self._ports.callback(Lease(address).close)
            self._leased.add(address)

    async def _session(self, table: JigTable, role: str, address: str, behind: Behind | None) -> InstrumentSession:
        settings = table.instrument.get(role, InstrumentTable())  # type: ignore[call-overload]
        link: InstrumentLine
        if behind is None:
            self._lease(address)
            link = InstrumentLink(address, self._clock, baudrate=settings.baud)
        else:
            assert table.stand_in is not None
            dialect, model = named(address)
            faults = [read_fault(sentence) for sentence in table.stand_in.faults]
            link = StandInLink(StandIn(dialect, model, behind, faults, table.stand_in.latency_ms / 1000), self._clock)
        self._ports.callback(link.close)
        session = await InstrumentSession.open(link, self._clock, _KINDS[role], dialect=settings.dialect, timeout_s=settings.timeout_s)
        self.sessions[role] = session
        if settings.file is not None:
            self.calibrations[role] = load_calibration(Path(settings.file), session.idn)
        return session

    def _accuracy(self, role: str) -> Mapping[str, object] | None:
        found = self.calibrations.get(role)
        return None if found is None or not found.accuracy else found.accuracy

    async def supply(self, table: JigTable) -> Supply | None:
        """The supply, its output off; None where the board names none."""
        if table.supply is None:
            return None
        if table.supply == BY_HAND:
            return ManualSupply(self.engineer)
        return await self._supply(table, table.supply, None)

    async def modelled_supply(self, table: JigTable, behind: Behind) -> Supply:
        """The stand-in of a supply that the board names."""
        assert table.stand_in is not None
        assert table.stand_in.supply is not None
        return await self._supply(table, table.stand_in.supply, behind)

    async def _supply(self, table: JigTable, address: str, behind: Behind | None) -> InstrumentSupply:
        session = await self._session(table, "supply", address, behind)
        channel = table.instrument.get("supply", InstrumentTable()).channel
        known = self.calibrations.get("supply")
        supply = InstrumentSupply(
            session,
            self._clock,
            channel=channel,
            accuracy=self._accuracy("supply"),  # type: ignore[arg-type]
            off_latency=None if known is None else known.off_latency,
        )
        await supply.open()
        return supply

    async def probes(self, table: JigTable) -> Probes | None:
        """The multimeter; None where the board names none."""
        if table.probes is None:
            return None
        return ManualProbes(self.engineer) if table.probes == BY_HAND else await self.meter(table)

    async def meter(self, table: JigTable, behind: Behind | None = None) -> InstrumentProbes:
        """The multimeter, or the stand-in of one."""
        modelled = table.stand_in.probes if table.stand_in is not None else None
        session = await self._session(table, "probes", str(modelled or table.probes), behind)
        one = table.standard
        standards = STANDARDS if behind is not None else Standards(one.volts_contact, one.volts, one.ohms_contacts, one.ohms)
        return InstrumentProbes(session, standards, accuracy=self._accuracy("probes"))  # type: ignore[arg-type]

    async def load(self, table: JigTable, behind: Behind | None = None) -> InstrumentLoad:
        """The electronic load, or the stand-in of one."""
        modelled = table.stand_in.load if table.stand_in is not None else None
        session = await self._session(table, "load", str(modelled or table.load), behind)
        return InstrumentLoad(session, self._clock, accuracy=self._accuracy("load"))  # type: ignore[arg-type]

    async def relay(self, table: JigTable, behind: Behind | None = None) -> InstrumentRelay:
        """The relay of a host's mains, or the stand-in of one."""
        modelled = table.stand_in.relay if table.stand_in is not None else None
        return InstrumentRelay(await self._session(table, "mains", str(modelled or table.mains), behind), self._clock, None, None)

    async def mating(self, table: JigTable) -> Mating | None:
        """The actuator that moves the hub; None where a hand does."""
        if table.mating == BY_HAND:
            return None
        return InstrumentMating(InstrumentRelay(await self._session(table, "mating", table.mating, None), self._clock, None, None))

    async def lines(self, table: JigTable, wiring: Mapping[str, Wiring] = HOST_END) -> Lines | None:
        """The lines; None where the board names none."""
        if table.lines is None:
            return None
        if table.lines == BY_HAND:
            return ManualLines(self.engineer)
        self._lease(table.lines)
        modem = await ModemLines.open(table.lines, self._clock, wiring)
        self._ports.callback(modem.close)
        return modem

    def port(self, url: str, profile: InterfaceProfile, *, inverts: bool) -> DataLink:
        """The serial pair at a pyserial URL."""
        self._lease(url)
        port = SerialPort(url, self._clock, line=profile.line, inverts=inverts)
        self._ports.callback(port.close)
        return port

    def let_go(self) -> None:
        """Let go of every instrument, whatever it does."""
        self._ports.close()
        self.sessions.clear()
        self.calibrations.clear()

    async def close(self, off: Callable[[], Awaitable[None]], what: str) -> None:
        """Switch ``what`` off by ``off``, then let go of everything. Raises JigError, after letting go, where it did not confirm."""
        try:
            await off()
        except NotAvailable:
            raise
        except CommsHubError as wrong:
            raise JigError(
                f"the {what} was told to switch off and did not confirm it: {wrong}: switch it off at its panel or pull its mains plug, "
                "measure that it is off, then look at the instrument"
            ) from wrong
        finally:
            self._ports.close()
