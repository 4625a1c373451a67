"""Each check fails when its own thing is wrong, and no other check does: a check that no defect can fail does not count.

The healthy bench has the dongle of every bench. The hubs with a defect are on a HAN in memory: what is wrong with them is in the
connector, in the hub or on the board, and they boot thousands of times. With each defect its check and a sample of the others run, in an
order drawn from the check's name, so that no verdict hangs on what ran before.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.conformance.bench import Bench
from hil.conformance.readings import HUB_CHECKS
from hil.conformance.runner import Result, Runner
from hil.conformance.station import ConformanceStation
from hil.report.measurements import Verdict
from ichis.conformance.check import Check, load_checks
from ichis.profile import load_profile
from tests.conformance.seeded_defects import DEFECTS, Defect, _ends, _last_end

CHECKS = load_checks()


def outcome(
    defect: Defect, folder: Path, monkeypatch: pytest.MonkeyPatch, checks: Sequence[Check] = CHECKS, *, in_memory: bool = True
) -> list[Result]:
    """These checks, in this order, on a bench with this defect."""
    _last_end[0] = 0
    _ends.clear()
    monkeypatch.setattr("hil.bench.home.Hub", defect.hub)
    up = ConformanceStation.bring_up

    async def bring_up(station: ConformanceStation) -> None:
        await up(station)
        if defect.station is not None:
            defect.station(station)

    monkeypatch.setattr(ConformanceStation, "bring_up", bring_up)
    board = load_board("simulated", defect.board)
    clock = Clock(start=board.clock.start, warp=True)

    async def main() -> list[Result]:
        bench = Bench(board, load_profile("ichis_default"), defect.condition, clock, Trace(clock.now), folder, in_memory=in_memory)
        await bench.open()
        runner = Runner(bench, HUB_CHECKS)
        try:
            return [await runner.run(check) for check in checks]
        finally:
            await bench.close()

    return clock.run(main())


@pytest.mark.requirement("ICH-09")
def test_every_check_passes_on_a_healthy_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = outcome(Defect(), tmp_path, monkeypatch, in_memory=False)
    assert [(result.check.id, result.why) for result in results if result.verdict is not Verdict.PASS] == []
    assert len(results) >= 40


def test_every_check_has_a_defect() -> None:
    assert set(DEFECTS) == {check.id for check in CHECKS}


OTHERS = 5


@pytest.mark.parametrize("name", DEFECTS)
def test_the_seeded_defect_makes_exactly_its_check_fail(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = random.Random(name)
    checks = [*drawn.sample([check for check in CHECKS if check.id != name], OTHERS), *(check for check in CHECKS if check.id == name)]
    drawn.shuffle(checks)
    results = outcome(DEFECTS[name], tmp_path, monkeypatch, checks)
    assert {result.check.id: (str(result.verdict), result.why) for result in results if result.verdict is not Verdict.PASS}.keys() == {name}
    assert all(result.verdict is Verdict.FAIL for result in results if result.check.id == name)


@pytest.mark.parametrize("seed", [1, 2])
def test_in_any_order_a_healthy_hub_passes_every_check(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = random.Random(seed).sample(CHECKS, len(CHECKS))
    results = outcome(Defect(), tmp_path, monkeypatch, checks)
    assert [(result.check.id, result.why) for result in results if result.verdict is not Verdict.PASS] == []
