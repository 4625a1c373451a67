"""One home for all tests of faults: commissioned once, on an event loop that stays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import Steps
from hil.journeys.strategy import State
from tests.bench_time import followed
from tests.faults.fault_rig import Rig


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    with followed(Clock(start=load_board("simulated").clock.start, warp=True)) as clock:
        yield clock


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)
    async with open_station(load_board("simulated"), clock, trace, tmp_path_factory.mktemp("home")) as station:
        journey = HomeJourney(station, Steps(records, lambda _: None, lambda _: None), records)
        await journey.reach(State.PAIRED)
        yield Rig(station, records, journey)
        assert station.hub_trouble is None
