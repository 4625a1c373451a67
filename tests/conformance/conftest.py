"""A bench with the emulated hub for the tests of this folder. What they keep is kept in memory: they boot thousands of times."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.conformance.bench import ConformanceBench
from hil.conformance.proofs.alone import quick_folder
from ichis.condition import Condition
from ichis.profile import load_profile


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where this machine has one: a store on a disk waits for it at each commit."""
    with tempfile.TemporaryDirectory(prefix="conformance-", dir=quick_folder()) as folder:
        yield Path(folder)


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=load_board("simulated").clock.start, warp=True))


@pytest.fixture
async def bench(clock: Clock, tmp_path: Path) -> AsyncIterator[ConformanceBench]:
    """The simulated board's bench, open, with a HAN in memory."""
    board, profile = load_board("simulated"), load_profile("ichis_default")
    bench = ConformanceBench(board, profile, Condition(), clock, Trace(clock.now), tmp_path, in_memory=True)
    await bench.open()
    yield bench
    await bench.close()
