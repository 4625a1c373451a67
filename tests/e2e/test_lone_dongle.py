"""A hub on a dongle of another process: the steps that a board without Devices allows, and the dongle pulled in the middle of one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import StepFailed, Steps
from hil.journeys.strategy import State
from tests.inventory.mocked_bus import chub_ncp


@pytest.mark.parametrize("family", ["ezsp", "znp"])
def test_a_hub_alone_runs_what_it_can_and_a_dongle_pulled_in_mid_step_fails_it_and_is_named(family: str, tmp_path: Path) -> None:
    with chub_ncp("--tcp", "127.0.0.1:0", "--family", family) as (port, process):
        name = "dongle_efr32" if family == "ezsp" else "dongle_znp"
        board = load_board(name, (f"radio.path={port}", "hub.gpf=00-DB-12-34-56-78-90-A0"))
        clock = Clock()
        trace, records = Trace(clock.now), list[Record]()
        trace.subscribe(records.append)

        async def main() -> Steps:
            async with open_station(board, clock, trace, tmp_path) as station:
                steps = Steps(records, lambda _: None, lambda _: None)
                journey = HomeJourney(station, steps, records)
                await journey.reach(State.PAIRED)
                await journey.use()
                await journey.refuse()
                process.kill()
                with pytest.raises(StepFailed, match=f"the hub's radio: the dongle at {port}"):
                    async with steps.step("a wait without end"):
                        await asyncio.Event().wait()
                return steps

        done = clock.run(main()).done
    verdicts = {step.name: step.verdict for step in done}
    assert verdicts["HAN formed"] == verdicts["8.9 device log, compared three ways"] == "pass"
    assert verdicts["refused: a Device not in the log that tries to join"] == "skip"
    assert verdicts["4.1.1 import registers of the ESME"] == "skip"
    assert all(step.why for step in done if step.verdict == "skip")


def test_a_dongle_with_another_address_than_the_gas_proxys_is_refused_before_the_start(tmp_path: Path) -> None:
    with chub_ncp("--tcp", "127.0.0.1:0") as (port, _):
        board = load_board("dongle_efr32", (f"radio.path={port}",))
        clock = Clock()

        async def main() -> None:
            async with open_station(board, clock, Trace(clock.now), tmp_path):
                raise AssertionError("it must not come up")

        with pytest.raises(BoardError, match='write gpf = "00db1234567890a0"'):
            clock.run(main())
