"""One home for all tests of faults: commissioned once, on an event loop that stays."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import TypeVar

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Record, Trace
from hil.bench.station import Station, open_station
from hil.dcc.base.outcome import Outcome
from hil.devices.esme.esme import Esme
from hil.faults import Fault, Faults
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import Steps

T = TypeVar("T")


class Rig:
    """A station with its meters joined and commissioned."""

    def __init__(self, runner: asyncio.Runner, station: Station, records: list[Record], journey: HomeJourney) -> None:
        self.runner, self.station, self.records, self.journey = runner, station, records, journey
        self.esme = station.one(Esme)
        self.faults = Faults(station, 1)

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    async def settle(self, seconds: float = 30) -> None:
        """Every fault off, the home as it was, everything that was kept delivered."""
        await self.faults.close()
        station = self.station
        await station.until("the hub", lambda: station.hub is not None and station.hub.status.network is not None, 300)
        await station.until("the WAN", lambda: station.dcc.head_end.connected(self.journey.chf), 300)
        await station.clock.sleep(seconds)

    async def read(self) -> Outcome:
        """4.1.1 to the ESME: down the WAN, the line and the air, and back."""
        return await self.station.ask(self.station.supplier, "4.1.1", self.esme.eui64)

    async def read_until_answered(self, tries: int = 6) -> Outcome:
        """The same, asked again as a user would, until it is answered."""
        for _ in range(tries):
            outcome = await self.read()
            if outcome.ok:
                return outcome
            await self.station.clock.sleep(60)
        raise AssertionError(f"no answer after {tries} requests: {outcome.why}")

    def executions(self, since: int) -> list[str | None]:
        """Messages that a meter executed since that record."""
        return [record.message for record in self.records[since:] if record.area == "device" and record.event == "executed"]

    def effects(self, verb: str | None = None, since: int = 0) -> int:
        return sum(
            record.area == "bench"
            and record.source.startswith("fault ")
            and record.event not in ("added", "cleared", "laid on")
            and verb in (None, record.event)
            for record in self.records[since:]
        )

    def on(self, sentence: str) -> Fault:
        async def add() -> Fault:
            return self.faults.add(sentence)

        return self.run(add())


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    board = load_board("simulated")
    clock = Clock(start=board.clock.start, warp=True)
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        opened = open_station(board, clock, trace, tmp_path_factory.mktemp("home"))

        async def begin() -> Rig:
            station = await opened.__aenter__()
            journey = HomeJourney(station, Steps(records, lambda _: None, lambda _: None), records)
            await journey.start()
            await journey.install()
            await journey.commission()
            return Rig(runner, station, records, journey)

        rig = runner.run(begin())
        try:
            yield rig
            assert rig.station.hub_trouble is None
        finally:
            runner.run(opened.__aexit__(None, None, None))
