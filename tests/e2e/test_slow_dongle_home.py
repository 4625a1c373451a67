"""A home whose hub's dongle takes its time for every command: a day's work of the hub goes as on a fast one, and warp time stays fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.device.profile import may_come_again
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import Steps
from hil.journeys.strategy import State
from hil.radio.port.faults import NcpFaults


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=load_board("simulated").clock.start, warp=True))


@pytest.mark.parametrize("kind", ["ezsp", "znp"])
async def test_a_home_on_a_slow_dongle_joins_and_executes_every_command_once(kind: str, clock: Clock, tmp_path: Path) -> None:
    board = load_board("simulated", (f"radio.kind={kind}", "clock.mode=warp"))
    records: list[Record] = []
    trace = Trace(clock.now)
    trace.subscribe(records.append)
    steps = Steps(records, lambda _: None, lambda _: None)
    async with open_station(board, clock, trace, tmp_path) as station:
        journey = HomeJourney(station, steps, records)
        await journey.reach(State.FORMED)
        assert station.ncp is not None
        station.ncp.faults = NcpFaults(late_s=0.05)
        await journey.reach(State.PAIRED)
        await journey.use()
    assert {step.verdict for step in steps.done} == {"pass"}
    executed = Counter(one.message for one in records if (one.area, one.event) == ("device", "executed") and not may_come_again(one))
    assert executed
    assert set(executed.values()) == {1}
