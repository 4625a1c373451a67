"""Each check fails when its own thing is wrong, and no other check does: a check that no defect can fail does not count.

The healthy bench has the dongle of every bench. The hubs with a defect are on a HAN in memory: what is wrong with them is in the
connector, in the hub or on the board. With each defect its check and a sample of the others run, in an order drawn from the check's
name, so that no verdict hangs on what ran before. ``chub ichis sweep units`` runs them in ten orders on three dialects.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.conformance.bench import ConformanceBench
from hil.conformance.proofs import units
from hil.conformance.proofs.alone import run_alone
from hil.conformance.proofs.bad_firmware import BAD_UNITS
from hil.conformance.readings import HUB_CHECKS
from hil.conformance.runner import CheckResult, Runner
from hil.report.measurements import CheckVerdict
from ichis.condition import Condition
from ichis.conformance.check import load_checks
from ichis.profile import load_profile

CHECKS = load_checks()


@pytest.mark.requirement("ICH-09")
def test_every_check_passes_on_a_healthy_bench(tmp_path: Path) -> None:
    board = load_board("simulated")
    clock = Clock(start=board.clock.start, warp=True)

    async def main() -> list[CheckResult]:
        bench = ConformanceBench(board, load_profile("ichis_default"), Condition(), clock, Trace(clock.now), tmp_path)
        await bench.open()
        runner = Runner(bench, HUB_CHECKS)
        try:
            return [await runner.run(check) for check in CHECKS]
        finally:
            await bench.close()

    results = clock.run(main())
    assert [(result.check.id, result.why) for result in results if result.verdict is not CheckVerdict.PASS] == []
    assert len(results) >= 40


def test_every_check_has_a_bad_unit() -> None:
    assert set(BAD_UNITS) == {check.id for check in CHECKS}


OTHERS = 5


@pytest.mark.parametrize("name", BAD_UNITS)
def test_the_seeded_defect_makes_exactly_its_check_fail(name: str) -> None:
    drawn = random.Random(name)
    checks = [*drawn.sample([check for check in CHECKS if check.id != name], OTHERS), *(check for check in CHECKS if check.id == name)]
    drawn.shuffle(checks)
    results = run_alone(checks, BAD_UNITS[name]())
    assert {result.check.id: (str(result.verdict), result.why) for result in results if result.verdict is not CheckVerdict.PASS}.keys() == {
        name
    }
    assert all(result.verdict is CheckVerdict.FAIL for result in results if result.check.id == name)


@pytest.mark.parametrize("seed", [1, 2])
def test_in_any_order_a_healthy_hub_passes_every_check(seed: int) -> None:
    results = run_alone(random.Random(seed).sample(CHECKS, len(CHECKS)))
    assert [(result.check.id, result.why) for result in results if result.verdict is not CheckVerdict.PASS] == []


ONCE_WRONG = [units.UnitCase("hub", "scpi-supply", 9, "END-04")]
"""Cases in which a bad unit spoilt a later check of another."""


@pytest.mark.parametrize("case", [*random.Random(1).sample(units.cases(1), 12), *ONCE_WRONG], ids=str)
def test_on_instruments_of_any_dialect_a_bad_unit_fails_its_check_alone(case: units.UnitCase) -> None:
    assert [(one.case, one.verdict.value, one.why) for one in case.find() if one.wrong] == []
