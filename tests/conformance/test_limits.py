"""A limit moved past what the unit's datasheet says changes the verdict, tightened to fail and loosened to pass again."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.conformance.bench import Bench
from hil.conformance.host_bench import HOST_CHECKS, HostBench
from hil.conformance.readings import HUB_CHECKS
from hil.conformance.runner import Result, Runner
from hil.report.measurements import Verdict
from ichis.condition import Condition
from ichis.conformance.check import Check, load_checks
from ichis.host_port import HostCondition
from ichis.profile import Profile, load_profile

PROFILE = load_profile("ichis_default")
BOUNDS = [
    (check, side)
    for kind in ("hub", "host")
    for check in load_checks(kind)
    for side in ("low", "high")
    if getattr(check, side) in PROFILE.limits and check.unit not in ("cycles",)
]
"""Checks whose limit is one value of the profile, by side."""


def carried_out(check: Check, profile: Profile) -> Result:
    """The check alone, on a healthy unit, by this profile."""
    board = load_board("simulated")
    clock = Clock(start=board.clock.start, warp=True)
    with tempfile.TemporaryDirectory() as folder:
        trace = Trace(clock.now)
        bench: Bench | HostBench
        if check.under_test == "host":
            bench = HostBench(board, profile, HostCondition(), clock, trace)
        else:
            bench = Bench(board, profile, Condition(), clock, trace, Path(folder), in_memory=True)

        async def main() -> Result:
            await bench.open()
            runner: Runner[Any] = Runner(bench, HOST_CHECKS if check.under_test == "host" else HUB_CHECKS)
            try:
                return await runner.run(check)
            finally:
                await bench.close()

        return clock.run(main())


@pytest.mark.parametrize(("check", "side"), BOUNDS, ids=[f"{check.id}-{side}" for check, side in BOUNDS])
def test_a_limit_moved_past_the_truth_fails_the_check_and_moved_back_passes_it(check: Check, side: str) -> None:
    truth = carried_out(check, PROFILE)
    assert truth.verdict is Verdict.PASS, truth.why
    assert truth.value is not None
    beyond = 3 * (truth.u or 0.0) + 0.01 * max(abs(truth.value), 0.01)
    for sign, expected in ((1, Verdict.FAIL), (-1, Verdict.PASS)):
        moved = truth.value + sign * beyond * (1 if side == "low" else -1)
        judged = replace(check, **{side: moved})
        found = carried_out(judged, PROFILE)
        assert found.verdict is expected, (moved, found.value, found.why)
