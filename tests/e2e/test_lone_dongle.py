"""A hub alone on a dongle: one that its board does not describe, one too old for it, one that takes no key, a sound one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, RadioError
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import StepFailed, Steps
from hil.journeys.strategy import State
from hil.radio.port.faults import NcpFaults
from hil.radio.znp.handlers import HANDLERS
from hil.report.verdict import Run
from tests.inventory.mocked_bus import chub_ncp


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=load_board("simulated").clock.start, warp=True))


def test_a_dongle_with_another_address_than_the_gas_proxys_is_refused_before_the_start(tmp_path: Path) -> None:
    with chub_ncp("--tcp", "127.0.0.1:0") as (port, _):
        board = load_board("dongle_efr32", (f"radio.path={port}",))
        clock = Clock()

        async def main() -> None:
            async with open_station(board, clock, Trace(clock.now), tmp_path):
                raise AssertionError("it must not come up")

        with pytest.raises(BoardError, match='write gpf = "00db1234567890a0"'):
            clock.run(main())


@pytest.mark.parametrize("version", range(7, 12))
async def test_a_hub_refuses_firmware_that_is_too_old_in_one_sentence(version: int, clock: Clock, tmp_path: Path) -> None:
    board = load_board("simulated", (f"radio.ezsp_version={version}", "clock.mode=warp"))
    records: list[Record] = []
    trace = Trace(clock.now)
    trace.subscribe(records.append)
    async with open_station(board, clock, trace, tmp_path) as station:
        await station.power_up()
        await station.until("the hub's refusal", lambda: any(one.event == "failed" for one in records))
        assert station.hub is None
    (reason,) = {str(one.detail["reason"]) for one in records if one.event == "failed"}
    assert f"speaks EZSP {version}, expected 12 or newer: flash EmberZNet NCP 7.4 (EZSP 13)" in reason


def test_a_hub_refuses_z_stack_that_is_too_old_in_one_sentence(tmp_path: Path) -> None:
    with chub_ncp("--personality", "cc2531-1.2") as (port, _):
        board = load_board("dongle_znp", (f"radio.path={port}",))
        clock = Clock()

        async def main() -> None:
            async with open_station(board, clock, Trace(clock.now), tmp_path):
                raise AssertionError("it must not come up")

        with pytest.raises(RadioError, match=r"runs Z-Stack 1\.2, expected 3\.0 or newer: flash Z-Stack 3\.30"):
            clock.run(main())


async def test_row_32_a_hub_alone_on_a_dongle_passes_and_says_which_steps_its_board_has_no_device_for(clock: Clock, tmp_path: Path) -> None:
    board = load_board("dongle_efr32", ("radio.path=virtual", "clock.mode=warp"))
    records: list[Record] = []
    trace = Trace(clock.now)
    trace.subscribe(records.append)
    steps = Steps(records, lambda _: None, lambda _: None)
    async with open_station(board, clock, trace, tmp_path) as station:
        await HomeJourney(station, steps, records).run()
    assert Run("a hub alone", {}, steps.done).verdict == "pass"
    skipped = {step.name: step.why for step in steps.done if step.verdict == "skip"}
    assert skipped["refused: a Device not in the log that tries to join"] == "no Device is let in"
    assert skipped["4.1.1 import registers of the ESME"] == "no ESME of this bench is on the board"


@pytest.mark.parametrize("kind", ["ezsp", "znp"])
async def test_row_32_a_dongle_that_takes_no_key_fails_the_step_of_the_stranger_in_words_of_its_own(
    kind: str, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board("simulated", (f"radio.kind={kind}", "clock.mode=warp"))
    records: list[Record] = []
    trace = Trace(clock.now)
    trace.subscribe(records.append)
    async with open_station(board, clock, trace, tmp_path) as station:
        journey = HomeJourney(station, Steps(records, lambda _: None, lambda _: None), records)
        await journey.reach(State.FORMED)
        assert station.ncp is not None
        if kind == "ezsp":
            station.ncp.faults = NcpFaults(busy=1.0)
        else:  # no fault of the virtual one: no source states with which status Z-Stack refuses a key
            monkeypatch.setitem(HANDLERS, "APP_CNF_BDB_ADD_INSTALLCODE", lambda znp, fields: {"status": 1})
        with pytest.raises(StepFailed, match="hears no beacon of the hub that lets anybody in: it was not refused, it never asked"):
            await journey.reach(State.JOINED)
