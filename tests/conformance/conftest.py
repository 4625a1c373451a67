"""A bench with the emulated hub for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.conformance.bench import Bench
from ichis.condition import Condition
from ichis.profile import load_profile


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=load_board("simulated").clock.start, warp=True))


@pytest.fixture
async def bench(clock: Clock, tmp_path: Path) -> AsyncIterator[Bench]:
    """The simulated board's bench, open."""
    bench = Bench(load_board("simulated"), load_profile("ichis_default"), Condition(), clock, Trace(clock.now), tmp_path)
    await bench.open()
    yield bench
    await bench.close()
