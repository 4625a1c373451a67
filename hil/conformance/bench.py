"""The bench as the checks see it: states to reach, and what was noted since a check began."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import JigError, NotAvailable
from firmware_emu.gbcs.alert_contents import SupplyOutage
from firmware_emu.gbcs.alerts import Alert, read_alert
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.hub.hub import Hub, PowerState
from firmware_emu.trace import Record, Trace
from hil.conformance.checkpoint import Checkpoint
from hil.conformance.runner import Need
from hil.conformance.station import ConformanceStation, open_conformance_station
from hil.dcc.answers.alert_table import AlertRecord
from hil.journeys.strategy import NotReached, State, Strategy
from hil.radio.nodes.memory_han import Han
from hil.report.measurements import DecisionRule, Rule
from ichis.bench_jig import StandInJig
from ichis.bench_link import BenchLink
from ichis.condition import Condition
from ichis.connector import Level
from ichis.instrument.drivers import InstrumentSupply
from ichis.jig import Jig
from ichis.manual import ManualProbes
from ichis.measuring.calibration import Calibration
from ichis.measuring.latency import OffLatency
from ichis.measuring.reading import Plain, Reading, between
from ichis.profile import InterfaceProfile

UP_WITHIN_S = 30.0
_DISCHARGED_S = 10.0
_DEAD_V = 1.0
_APART_V = 1.0
"""Volts between supply and pins beyond which an instrument is wrong, not a cable. The bench's own figure."""
_SURE = 0.1
"""Part of a time that was asked for by which it may differ without a doubt."""
_WATCH_S = 0.25
_KEPT = ("/anchor/", "/own/", "hub/network/", "hub/commissioned", "hub/log/current/", "/provisioned")
_RECORD = "hub/network/record"
"""Of the dongle: its frame counter goes on, as it must."""
MOST_AMPERES = 4.0
"""Current limit of the supply where a check asks for none."""


def rule_of(board: Board) -> DecisionRule:
    """The decision rule that a board asks for."""
    return DecisionRule(Rule(board.jig.decision_rule), board.jig.guard_factor)


class ConformanceBench:
    """One jig with the hub in it. Opened by :meth:`open`; ``fresh`` gives a hub as it leaves the factory."""

    def __init__(
        self,
        board: Board,
        profile: InterfaceProfile,
        condition: Condition,
        clock: Clock,
        trace: Trace,
        folder: Path,
        *,
        in_memory: bool = False,
        firmware: type[Hub] = Hub,
        keystore: Keystore | None = None,
        prepare: Callable[[ConformanceStation], None] | None = None,
    ) -> None:
        """``in_memory``: the hub's HAN is one in memory in place of the board's dongle. ``prepare`` is called with each station that is up.

        ``keystore``: the board's, where it was read already. ``firmware``: another one than the healthy hub's.
        """
        self.board, self.profile, self.condition = board, profile, condition
        self.rule = rule_of(board)
        self.doubts: list[str] = []
        self.lacks: Mapping[Need, str] = {}
        self.clock, self.trace, self._folder, self._in_memory = clock, trace, folder, in_memory
        self._firmware, self._keystore, self._prepare = firmware, keystore, prepare
        self._stack = contextlib.AsyncExitStack()
        self._station: ConformanceStation | None = None
        self._openings = 0
        self.seated = True
        self.records: list[Record] = []
        self.present: list[tuple[float, bool]] = []
        """Device Present as the host read it while a step watched it: bench time, whether active."""
        self.values: dict[str, Reading | Plain] = {}
        """Values that steps of the present check measured on the way, and bench times at which they acted."""
        self.off_latency: OffLatency | None = None
        """Of the supply, as a loop-back before the run measured it; a calibration file's stands."""
        self.checkpoint: Checkpoint | None = None
        """Count that outlives the run, where the run has one."""
        self.kept_before: dict[str, bytes] = {}
        self.counter_before = 0
        trace.subscribe(self.records.append)
        self._began = clock.now()
        self._records_before = self._alerts_before = self._events_before = 0

    waveform_at = "at the hub's pins"

    # --- life

    @property
    def station(self) -> ConformanceStation:
        """The open station. Raises NotAvailable."""
        if self._station is None:
            raise NotAvailable("the bench", "it is not open")
        return self._station

    @property
    def jig(self) -> Jig:
        return self.station.bench_jig

    async def open(self) -> None:
        """Bring the bench up with a hub that has never run."""
        self._openings += 1
        folder = self._folder / f"bench-{self._openings}"
        han = Han() if self._in_memory else None
        opening = open_conformance_station(
            self.board,
            self.profile,
            self.condition,
            self.clock,
            self.trace,
            folder,
            han,
            keystore=self._keystore,
            firmware=self._firmware,
        )
        self._station = await self._stack.enter_async_context(opening)
        if self._prepare is not None:
            self._prepare(self._station)
        await self.begin_off()

    async def begin_off(self) -> None:
        """The supply as its loop-back found it, and off; the hub in its socket."""
        supply = self.jig.supply
        if isinstance(supply, InstrumentSupply) and supply.off_latency is None:
            supply.off_latency = self.off_latency
        await supply.output(False)
        await self.seat(True)

    async def close(self) -> None:
        """Supply off, everything let go. Raises what the bench could not do at its end."""
        self._station = None
        await self._stack.aclose()

    async def exchange_instruments(self, board: Board, rest_s: float) -> None:
        """Go on with the stand-ins that this board names, before the same hub, which is off for so long. Raises BoardError, JigError."""
        jig = self.jig
        assert isinstance(jig, StandInJig)
        self.board = board
        await jig.exchange(board.jig, rest_s)

    async def make_safe(self) -> None:
        """Supply off, as measured. Raises JigError."""
        await self.jig.supply.output(False)
        await self.jig.supply.confirm()

    @property
    def calibrations(self) -> Mapping[str, Calibration]:
        return self.jig.calibrations

    async def confirm(self) -> None:
        """The supply gives what it was last told. Raises JigError."""
        await self.jig.supply.confirm()

    async def identities(self) -> dict[str, str]:
        """Identities that the jig and its instruments state."""
        return {
            "jig": self.jig.identity,
            "supply": await self.jig.supply.identity(),
            "probes": await self.jig.probes.identity(),
            "hub": f"emulated, CHF {self.board.hub.chf}, GPF {self.board.hub.gpf}",
        }

    # --- states

    async def reach(self, state: str) -> None:
        """``empty``: no hub in the socket; ``off``: hub in, no supply; ``running``; ``factory``: off, and it has never run.

        Raises NotAvailable where the state cannot be reached.
        """
        if state == "factory":
            await self.close()
            await self.open()
        await self._normalise()
        if state == "running":
            await self._run()
        else:
            await self._off()
            if state == "empty":
                await self.seat(False)
                await self.jig.lines.release("MT_PR")
                await self.jig.lines.release("AC LO")
                await self.clock.sleep(1)
        self.begin()

    async def _normalise(self) -> None:
        self.station.sm_wan.coverage = True
        await self.jig.data.set_line(self.profile.line)
        await self.connector_at_rest()

    async def connector_at_rest(self) -> None:
        """Lines, pair and supply settings as a host has them."""
        jig = self.jig
        await jig.mating.wire_data(True)
        await jig.lines.drive("MT_PR", True)
        await jig.lines.drive("AC LO", False)
        await jig.supply.set_current_limit(MOST_AMPERES)
        await jig.supply.set_voltage(self.profile["supply_nominal"])

    async def _off(self) -> None:
        """Supply off, measured at its terminals and at the pins. Raises JigError."""
        await self.jig.supply.output(False)
        await self.clock.sleep(_DISCHARGED_S)
        await self.seat(True)
        await self.jig.supply.confirm()
        if not isinstance(self.jig.probes, ManualProbes) and (left := await self.jig.probes.volts(1)).value > _DEAD_V:
            raise JigError(f"the supply is off and there are {left.value:.3g} V at the pins after {_DISCHARGED_S:g} s")

    async def _run(self) -> None:
        """A hub that was off and has booted in this check: supply on, volts at the pins, amperes drawn. Raises JigError, NotAvailable."""
        await self._off()
        await self.jig.supply.output(True)
        await self.until_running()
        await self._install()
        await self.clock.sleep(2)
        await self.measured_running()

    async def measured_running(self) -> None:
        """Volts at the pins agree with the supply's, and current flows. Raises JigError where it is not so."""
        jig = self.jig
        await jig.supply.confirm()
        amperes, given = await jig.supply.measure_current(), await jig.supply.measure_voltage()
        if amperes.value <= self.profile["current_off_max"]:
            raise JigError(f"the hub draws {amperes.value:.3g} A: that is a hub which does not run")
        if not isinstance(jig.probes, ManualProbes) and abs((await jig.probes.volts(1)).value - given.value) > _APART_V:
            raise JigError(
                f"the supply gives {given.value:.3g} V and the pins read more than {_APART_V:g} V from that: one of them is wrong"
            )

    async def _install(self) -> None:
        """List the meter with the hub once, so that its users are told of outages."""
        station = self.station
        for row in station.board.device:
            if station.dcc.alerts.relevant(self.board.hub.chf):
                return
            try:
                await Strategy(station).bring(row, State.LISTED)
            except NotReached as failed:
                raise NotAvailable("a meter in the hub's device log", failed.outcome.why) from failed

    async def seat(self, seated: bool) -> None:
        """Put the hub into its socket, or take it out."""
        self.seated = seated
        await (self.jig.mating.insert() if seated else self.jig.mating.withdraw())

    async def is_running(self) -> bool:
        """True if the hub runs, as far as this bench can see."""
        return self.running

    async def shows_itself(self) -> bool:
        """True if Device Present is there. Raises NotAvailable for a unit that has it without supply too."""
        return await self.jig.lines.read("CH_PR") is Level.LOW

    @property
    def running(self) -> bool:
        """True if the hub runs on its HAN and is connected to the SM WAN."""
        hub = self.station.hub
        return (
            hub is not None
            and hub.status.power is PowerState.RUNNING
            and hub.status.network is not None
            and self.station.dcc.head_end.connected(self.board.hub.chf)
        )

    async def until_running(self, within_s: float = UP_WITHIN_S) -> None:
        """Raises NotAvailable after ``within_s`` of bench time."""
        await self.station.until("a hub that runs", lambda: self.running, within_s)

    async def until(self, what: str, holds: Callable[[], bool], within_s: float) -> None:
        """Raises NotAvailable after ``within_s`` of bench time."""
        await self.station.until(what, holds, within_s)

    # --- since the check began

    async def switch(self, on: bool) -> Reading:
        """Switch the supply; the bench time at which it acted."""
        await self.jig.supply.output(on)
        return between(*self.jig.supply.acted)

    async def drive(self, symbol: str, active: bool) -> Reading:
        """Drive a line; the bench time at which it went."""
        began = self.clock.now()
        await self.jig.lines.drive(symbol, active)
        return between(began, self.clock.now())

    def lasted(self, what: str, asked: float, began: tuple[float, float], ended: tuple[float, float]) -> None:
        """Doubt a time that was asked for where it may have been another one: the supply acted within these bench times."""
        shortest, longest = ended[0] - began[1], ended[1] - began[0]
        if shortest < asked * (1 - _SURE) - 1e-6 or longest > asked * (1 + _SURE) + 1e-6:
            self.doubts.append(f"{what} of {asked:g} s lasted from {max(0.0, shortest):.4g} to {longest:.4g} s by this supply")

    @contextlib.asynccontextmanager
    async def watched(self, symbol: str) -> AsyncIterator[list[tuple[float, Level]]]:
        """Watch a line meanwhile: the level at first and each change, with bench times, grow in the list."""
        seen: list[tuple[float, Level]] = []

        async def watch() -> None:
            while True:
                for when, level in await self.jig.lines.watch(symbol, _WATCH_S):
                    if not seen or seen[-1][1] is not level:
                        seen.append((when, level))

        task = asyncio.create_task(watch())
        await asyncio.sleep(0)
        try:
            yield seen
            await asyncio.sleep(_WATCH_S)
            if task.done():
                await task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def begin(self) -> None:
        """Begin a check: records from now on belong to it."""
        self._began = self.clock.now()
        self._records_before = len(self.records)
        self._alerts_before = len(self.station.dcc.alerts.records())
        self._events_before = len(self.station.events)
        self.present = []
        self.values = {}

    def forget(self) -> None:
        """Drop records of the check so far: thousands of boots make too many to keep."""
        self.records.clear()
        self._records_before = 0

    @property
    def began(self) -> float:
        """Bench time at which the check began."""
        return self._began

    def events(self, kind: str, value: bool) -> list[float]:
        """When the hub's end saw this, since the check began."""
        return [event.time for event in self.station.events[self._events_before :] if event.kind == kind and event.value is value]

    def noted(self, area: str, event: str) -> list[Record]:
        """Trace records since the check began."""
        return [record for record in self.records[self._records_before :] if record.area == area and record.event == event]

    def alerts(self, code: str) -> list[AlertRecord]:
        """Alerts of that code at the DCC since the check began; each once, however many users are told."""
        since = self.station.dcc.alerts.records()[self._alerts_before :]
        return list({record.told: record for record in since if record.code == code}.values())

    def content(self, record: AlertRecord) -> Alert:
        """An alert read. Raises NotAvailable for one without octets."""
        if record.octets is None:
            raise NotAvailable("the octets of the alert", f"{record.code} is one of the DCC's own")
        message = Message.decode(record.octets)
        payload = decode_payload(message)
        if isinstance(payload, AccessRequest | AccessResponse | Gbz):
            raise NotAvailable("the alert's content", f"its payload is a {type(payload).__name__}")
        return read_alert(message.message_code, payload, message.payload_offset)

    def outage_of(self, record: AlertRecord) -> SupplyOutage:
        """Start and restoration that a long outage's alert carries. Raises NotAvailable."""
        content = self.content(record).content
        if not isinstance(content, SupplyOutage):
            raise NotAvailable("start and end of the outage", f"alert {record.code} carries {type(content).__name__}")
        return content

    async def begin_waveform(self) -> None:
        """The model of the pins keeps the course of its volts anyway."""

    async def fetch_waveform(self) -> None:
        """The model of the pins keeps the course of its volts anyway."""

    def waveform(self) -> list[tuple[float, float]]:
        """Seconds since the check began, and volts at the hub's pins."""
        return [(when - self._began, volts) for when, volts in self.station.bench_jig.waveform() if when >= self._began - 1e-9]

    # --- what the hub keeps

    def kept(self) -> dict[str, bytes]:
        """Part of the hub's store that must outlive every power cut: anchors, own keys, network, device log. Secrets: compare only."""
        path = self.station.folder / "hub.sqlite"
        if not path.exists():
            return {}
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT key, value FROM entry").fetchall()
        return {str(key): bytes(value) for key, value in rows if any(part in str(key) for part in _KEPT) and str(key) != _RECORD}

    def own_counter(self) -> int:
        """The CHF's own originator counter as stored."""
        path = self.station.folder / "hub.sqlite"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT value FROM entry WHERE key = ?", (f"device/{self.board.hub.chf}/counter/own",)).fetchone()
        return 0 if row is None else int.from_bytes(row[0], "big")

    def link(self) -> BenchLink:
        """The rig's end of the bench link."""
        return BenchLink(self.jig.data)
