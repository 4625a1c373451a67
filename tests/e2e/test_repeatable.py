"""Two runs with one seed are the same to the octet, records of every hop and frames on the air alike; another seed gives another run."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.faults import Faults
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import StepFailed, Steps
from hil.radio.air.air import MacFrame

_TERMINAL = re.compile(r"/dev/pts/\d+")
"""The name of a pseudo-terminal is the kernel's, not the run's: the one thing that is left out of the comparison."""


def journey(folder: Path, seed: int, *faults: str) -> tuple[list[str], list[tuple[float, bytes]]]:
    """The demo's journey; its trace as it is written to the run's folder, and each frame on the air with its time."""
    board = load_board("simulated")
    clock = Clock(start=board.clock.start, warp=True)
    trace, records, air = Trace(clock.now), list[Record](), list[tuple[float, bytes]]()
    trace.subscribe(records.append)

    def heard(frame: MacFrame) -> None:
        air.append((frame.time, frame.octets))

    async def main() -> None:
        async with open_station(board, clock, trace, folder, seed=seed) as station:
            station.air.capture(heard)
            laid = Faults(station, seed, faults)
            with contextlib.suppress(StepFailed):  # a fault may end the journey: in both runs at the same hop
                await HomeJourney(station, Steps(records, lambda _: None, lambda _: None), records).run()
            await laid.close()

    folder.mkdir()
    clock.run(main())
    return [_TERMINAL.sub("/dev/pts/N", record.as_json()) for record in records], air


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[tuple[float, bytes]]]:
    return journey(tmp_path_factory.mktemp("first") / "run", 1)


def test_two_runs_with_one_seed_give_the_same_trace_and_the_same_frames(tmp_path: Path, first: tuple[list[str], list[object]]) -> None:
    again = journey(tmp_path / "again", 1)
    assert again[0] == first[0]
    assert again[1] == first[1]
    assert len(first[0]) > 1000


def test_another_seed_gives_another_run(tmp_path: Path, first: tuple[list[str], list[object]]) -> None:
    other = journey(tmp_path / "other", 2)
    assert other[0] != first[0]
    assert other[1] != first[1]


def test_a_run_under_faults_can_be_repeated_too(tmp_path: Path) -> None:
    faults = ("han drop 5% to gsme", "wan drop at 20th frame", "nvm torn at 100th write", "tty corrupt 1%")
    one = journey(tmp_path / "one", 2, *faults)
    assert one == journey(tmp_path / "two", 2, *faults)
    assert sum('"torn"' in line or '"dropped"' in line for line in one[0]) > 2
