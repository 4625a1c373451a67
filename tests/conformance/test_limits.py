"""A limit moved past what the unit's datasheet says changes the verdict: ``chub ichis sweep limits``, whole."""

from __future__ import annotations

import pytest

from hil.conformance.proofs.limits import LimitCase, cases
from ichis.conformance.check import load_checks


@pytest.mark.parametrize("case", cases(0), ids=str)
def test_a_limit_moved_past_the_truth_fails_the_check_and_moved_back_passes_it(case: LimitCase) -> None:
    found = case.find()
    assert [(one.case, one.verdict.value, one.why) for one in found if one.wrong] == []
    moved = {one.case.split()[0] for one in found if "as it is" not in one.case}
    assert {check.id for check in case.checks} - moved <= {"HSU-07"}, "a check without a figure has no limit to move"


def test_every_check_is_among_them() -> None:
    assert {check.id for case in cases(0) for check in case.checks} == {check.id for kind in ("hub", "host") for check in load_checks(kind)}
