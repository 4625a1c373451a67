"""The rig as a hub: what it needs to test the port of a meter or a hot shoe, modelled or of real instruments."""

from __future__ import annotations

from firmware_emu.board import JigTable
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, JigError
from firmware_emu.trace import Trace
from ichis.connector import Direction, Level, signal
from ichis.host_port import HostCondition, HostPort
from ichis.instrument.drivers import InstrumentLoad
from ichis.instrument.opening import BY_HAND, Instruments
from ichis.instrument.stand_in import Behind
from ichis.jig import OPEN_OHM, HubJig, Lines, Load, Mains, Probes
from ichis.manual import Engineer, ManualLines, ManualMains, ManualProbes
from ichis.measuring.reading import Accuracy, Basis, Reading, Sample, Span
from ichis.modem_lines import HUB_END
from ichis.profile import InterfaceProfile

_SOURCE = "this project's own model"
_VOLTS = Accuracy((Span(100.0, 0.0002, 0.001, 0.0001),), Basis.DATASHEET, _SOURCE)
_AMPERES = Accuracy((Span(10.0, 0.0005, 0.0005, 0.0001),), Basis.DATASHEET, _SOURCE)
_RIPPLE = Accuracy((Span(10.0, 0.02, 0.002, 0.0001),), Basis.DATASHEET, _SOURCE)
_OHMS = Accuracy((Span(1000.0, 0.001, 0.01, 0.001), Span(OPEN_OHM, 0.01, 1.0, 1.0)), Basis.DATASHEET, _SOURCE)


async def open_hub_jig(
    table: JigTable,
    profile: InterfaceProfile,
    clock: Clock,
    trace: Trace,
    condition: HostCondition,
    engineer: Engineer | None = None,
) -> HubJig:
    """The rig that the board names; ``engineer`` does what no instrument does, the console if None.

    Raises JigError, NotAvailable, BoardError.
    """
    if table.kind == "simulated":
        modelled = SimulatedHubJig(profile, clock, trace, condition)
        if table.stand_in is not None:
            await modelled.put_instruments_before(table)
        return modelled
    jig = InstrumentHubJig(clock, engineer or Engineer(clock))
    try:
        await jig.open(table)
    except BaseException:
        await jig.close()
        raise
    return jig


class SimulatedHubJig:
    """Implements :class:`ichis.jig.HubJig` on a model of the port."""

    def __init__(self, profile: InterfaceProfile, clock: Clock, trace: Trace, condition: HostCondition) -> None:
        self.identity = f"simulated rig on a modelled port of a {profile.host}"
        self._port = HostPort(clock, trace, condition)
        self.load: Load = _LoadModel(self._port)
        self.mains: Mains = _MainsModel(self._port)
        self.lines: Lines = _PortLines(self._port, clock)
        self.probes: Probes = _PortProbes(self._port)
        self._instruments = Instruments(clock, Engineer(clock))
        self.calibrations = self._instruments.calibrations
        self.sessions = self._instruments.sessions

    async def put_instruments_before(self, table: JigTable) -> None:
        """The rig reads and acts through stand-ins of instruments, as the board names them. Raises BoardError, JigError."""
        assert table.stand_in is not None
        behind = Behind(load=self.load, mains=self.mains, probes=self.probes)
        if table.stand_in.load is not None:
            self.load = await self._instruments.load(table, behind)
        if table.stand_in.probes is not None:
            self.probes = await self._instruments.meter(table, behind)
        if table.stand_in.relay is not None:
            self.mains = await self._instruments.relay(table, behind)

    def waveform(self) -> list[tuple[float, float]]:
        return list(self._port.curve)

    async def close(self) -> None:
        """Raises JigError, after letting go, where the load could not be switched off."""
        try:
            await self._instruments.close(lambda: self.load.draw(0), "load")
        finally:
            self._port.load(0)
            self._port.close()


class _LoadModel:
    resolution_s = 0.0005

    def __init__(self, port: HostPort) -> None:
        self._port = port

    async def identity(self) -> str:
        return "electronic load of the simulated rig"

    async def draw(self, amperes: float) -> None:
        self._port.load(amperes)

    async def confirm(self) -> None:
        """A model does what it is told."""

    async def measure_voltage(self) -> Reading:
        return _VOLTS.of(self._port.volts())

    async def measure_current(self) -> Reading:
        return _AMPERES.of(self._port.amperes())

    async def observe(self, seconds: float) -> list[Sample]:
        return [Sample(when, when, _VOLTS.of(volts)) for when, volts in await self._port.observe(seconds)]


class _MainsModel:
    def __init__(self, port: HostPort) -> None:
        self._port = port

    async def switch(self, on: bool) -> None:
        self._port.mains(on)


class _PortLines:
    """The lines from the hub's end: Device Present is driven, the others are read."""

    resolution_s = 0.0

    def __init__(self, port: HostPort, clock: Clock) -> None:
        self._port, self._clock = port, clock

    async def drive(self, symbol: str, active: bool) -> None:
        pin = signal(symbol)
        if pin.hub is not Direction.OUTPUT:
            raise JigError(f"{symbol} (pin {pin.number}) is driven by the host, not by the hub's end")
        self._port.seat(active)

    async def release(self, symbol: str) -> None:
        await self.drive(symbol, False)

    async def read(self, symbol: str) -> Level:
        return self._port.level(signal(symbol))

    async def watch(self, symbol: str, seconds: float) -> list[tuple[float, Level]]:
        began = self._clock.now()
        seen = [(began, await self.read(symbol))]
        await self._clock.sleep(seconds)
        return seen + self._port.changes(symbol, began)


class _PortProbes:
    def __init__(self, port: HostPort) -> None:
        self._port = port

    async def identity(self) -> str:
        return "multimeter of the simulated rig"

    async def volts(self, pin: int, *, moving: bool = False) -> Reading:
        return _VOLTS.of(self._port.contact_volts(pin))

    async def ripple(self, pin: int) -> Reading:
        return _RIPPLE.of(self._port.ripple() if pin in (1, 2) else 0.0)

    async def ohms(self, one: int, other: int) -> Reading:
        return _OHMS.of(self._port.ohms(one, other))


class InstrumentHubJig:
    """Implements :class:`ichis.jig.HubJig` with an electronic load and a multimeter by SCPI, modem lines, and hands for the rest."""

    def __init__(self, clock: Clock, engineer: Engineer) -> None:
        self.identity = "instruments"
        self._clock = clock
        self._instruments = Instruments(clock, engineer)
        self.calibrations = self._instruments.calibrations
        self._load: InstrumentLoad | None = None
        self.mains: Mains = ManualMains(engineer)
        self.lines: Lines = ManualLines(engineer)
        self.probes: Probes = ManualProbes(engineer)

    async def open(self, table: JigTable) -> None:
        """Open what the board names. Raises NotAvailable, JigError, BoardError."""
        instruments = self._instruments
        if table.load is not None:
            self._load = await instruments.load(table)
        self.identity = f"instruments: {await self.load.identity()}"
        self.probes = await instruments.probes(table) or self.probes
        if table.mains != BY_HAND:
            self.mains = await instruments.relay(table)
        self.lines = await instruments.lines(table, HUB_END) or self.lines

    @property
    def load(self) -> Load:
        """Raises BoardError where the board names none."""
        if self._load is None:
            raise BoardError("board", "jig.load", "testing a host's port with instruments needs an electronic load (a VISA resource)")
        return self._load

    async def begin_record(self) -> None:
        """Have the load keep the course of its volts, where its family does. Raises JigError, NotAvailable."""
        if self._load is not None and self._load.record is not None:
            await self._load.record.begin()

    async def fetch_record(self) -> None:
        """The course that the load kept, in place of single readings. Raises JigError, NotAvailable."""
        if self._load is not None and self._load.record is not None:
            self._load.curve = await self._load.record.fetch()

    def waveform(self) -> list[tuple[float, float]]:
        return [] if self._load is None else list(self._load.curve)

    async def close(self) -> None:
        """Raises JigError, after letting go, where the load could not be switched off."""
        await self._instruments.close(self._off, "load")

    async def _off(self) -> None:
        if self._load is not None:
            await self._load.draw(0)
