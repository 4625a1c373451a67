"""Hub and Devices behind virtual dongles of two other processes: the whole journey, and a dongle that is pulled in the middle of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import StepFailed, Steps
from hil.journeys.strategy import State
from tests.outside.radio.elsewhere import CHUB, elsewhere

STEPS = 37
"""Steps of a whole journey; one more is skipped: no radio of these is free to play a stranger."""


@pytest.mark.parametrize("sleepy", [False, True], ids=["as in life", "every Device sleepy"])
@pytest.mark.parametrize("family", ["ezsp", "znp"])
def test_the_whole_journey_passes_on_dongles_of_two_other_processes(
    family: str, sleepy: bool, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    speed = pytestconfig.getoption("--wall")
    if speed is None:
        pytest.skip("waits on real time, five minutes of it at speed 1: pytest --wall 1 tests/outside/radio")
    with elsewhere(tmp_path, family, speed, sleepy=sleepy) as home:
        command = [*CHUB, "run", "demo", "--board", str(home.board), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    told = json.loads(done.stdout)
    verdicts = {step["name"]: step["verdict"] for step in told["steps"]}
    assert (done.returncode, told["verdict"]) == (0, "pass"), verdicts
    assert [name for name, verdict in verdicts.items() if verdict == "skip"] == ["refused: a Device not in the log that tries to join"]
    assert sum(verdict == "pass" for verdict in verdicts.values()) == STEPS


@pytest.mark.parametrize(
    ("family", "killed", "named"), [("ezsp", "hub", "the hub's radio"), ("znp", "hub", "the hub's radio"), ("ezsp", "devices", "esme")]
)
def test_a_dongle_of_another_process_that_goes_fails_the_running_step_at_once_and_is_named(
    family: str, killed: str, named: str, tmp_path: Path
) -> None:
    with elsewhere(tmp_path, family, only=("esme",)) as home:
        board = load_board(str(home.board))
        clock = Clock()
        trace, records = Trace(clock.now), list[Record]()
        trace.subscribe(records.append)
        steps = Steps(records, lambda _: None, lambda _: None)

        async def waits_without_end() -> None:
            async with steps.step("a wait without end"):
                (home.hub if killed == "hub" else home.devices).kill()
                await asyncio.Event().wait()

        async def main() -> None:
            async with open_station(board, clock, trace, tmp_path) as station:
                await HomeJourney(station, steps, records).reach(State.FORMED)
                with pytest.raises(StepFailed, match=rf"a wait without end: {named}: .*dongle"):
                    await waits_without_end()

        clock.run(main())
