"""No instrument fault turns one verdict into another: a sample of what ``chub ichis sweep`` runs whole."""

from __future__ import annotations

import os

import pytest

from hil.conformance.sweep import Case, carry_out, cases
from hil.report.measurements import Verdict
from ichis.conformance.check import load_checks

SEED = int(os.environ.get("CHUB_SWEEP_SEED", "1"))
SAMPLE = cases(SEED, count=80)
CHECKS = {check.id: check for kind in ("hub", "host") for check in load_checks(kind)}


@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_a_fault_of_an_instrument_leaves_the_verdict_or_takes_it_away(case: Case) -> None:
    found = carry_out(case)
    assert not found.turned, f"{case}: {found.verdict}: {found.why}"


@pytest.mark.parametrize(
    ("check", "bad", "fault", "latency_ms", "instrument"),
    [
        ("DYN-02", True, "", 100, "tti-ql355"),
        ("END-01", True, "", 600, "rigol-dp832"),
        ("END-03", True, "", 600, "scpi-supply"),
        ("MAT-03", True, "", 600, "rigol-dp832"),
        ("RES-01", False, "probe 3s late at 12th", 5, "scpi-supply"),
        ("SST-06", True, "supply hangs from 9th", 5, "scpi-supply"),
    ],
)
def test_what_once_turned_a_verdict_does_not_any_more(check: str, bad: bool, fault: str, latency_ms: float, instrument: str) -> None:
    found = carry_out(Case(CHECKS[check], bad, fault, latency_ms, instrument))
    assert not found.turned, found.why


def test_without_a_fault_a_case_tells_the_verdict_of_its_unit() -> None:
    assert carry_out(Case(CHECKS["SST-05"], False, "", 5, "rigol-dp832")).verdict is Verdict.PASS
    assert carry_out(Case(CHECKS["SST-05"], True, "", 5, "rigol-dp832")).verdict is Verdict.FAIL
