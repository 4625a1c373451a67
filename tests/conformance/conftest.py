"""A bench with the emulated hub for the tests of this folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.conformance.bench import Bench
from ichis.condition import Condition
from ichis.profile import load_profile


@pytest.fixture
def on_bench(tmp_path: Path) -> Callable[[Callable[[Bench], Awaitable[Any]]], Any]:
    """Run ``body(bench)`` on the warp clock, on a bench that is opened before and closed after."""

    def run(body: Callable[[Bench], Awaitable[Any]], *settings: str) -> Any:
        board = load_board("simulated", settings)
        clock = Clock(start=board.clock.start, warp=True)

        async def main() -> Any:
            bench = Bench(board, load_profile("ichis_default"), Condition(), clock, Trace(clock.now), tmp_path)
            await bench.open()
            try:
                return await body(bench)
            finally:
                await bench.close()

        return clock.run(main())

    return run
