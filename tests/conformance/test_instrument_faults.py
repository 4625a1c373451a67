"""No instrument fault turns one verdict into another: a sample of what ``chub ichis sweep faults`` runs whole."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest

from hil.conformance.proofs.faults import FaultCase, Strike, cases
from hil.report.measurements import CheckVerdict
from ichis.conformance.check import load_checks
from ichis.instrument.fault import Misbehaviour

DRAWN = Random(os.environ.get("CHUB_SWEEP_SEED", "1"))
SAMPLE = [replace(case, strikes=tuple(DRAWN.sample(case.strikes, 4))) for case in DRAWN.sample(cases(DRAWN.randrange(1000)), 20)]
CHECKS = {check.id: check for kind in ("hub", "host") for check in load_checks(kind)}


@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_a_fault_of_an_instrument_leaves_the_verdict_or_takes_it_away(case: FaultCase) -> None:
    assert [(one.case, one.verdict.value, one.why) for one in case.find() if one.wrong] == []


@pytest.mark.parametrize(
    ("check", "bad", "fault", "latency_ms", "instrument"),
    [
        ("DYN-02", True, "", 100, "tti-ql355"),
        ("END-01", True, "", 600, "rigol-dp832"),
        ("END-03", True, "", 600, "scpi-supply"),
        ("MAT-03", True, "", 600, "rigol-dp832"),
        ("RES-01", False, "probe 3s late at 12th", 5, "scpi-supply"),
        ("HAC-03", False, "relay off ignored at 2nd", 5, "scpi-load"),
        ("HSU-04", True, "", 5, "aim-tti-ld400p"),
        ("HSU-10", False, "relay on ignored at 9th", 5, "scpi-load"),
        ("SST-06", True, "supply hangs from 9th", 5, "scpi-supply"),
        ("HSU-10", False, "load hangs from 150th", 100, "aim-tti-ld400p"),
        ("HSU-10", True, "load off ignored at 1st", 600, "aim-tti-ld400p"),
        ("HAC-03", True, "load on ignored from 1st", 5, "aim-tti-ld400p"),
        ("HAC-03", True, "load on ignored from 1st", 100, "rigol-dl3031a"),
        ("HAC-04", False, "relay on ignored from 2nd", 5, "aim-tti-ld400p"),
        ("HAC-04", False, "relay off ignored from 2nd", 5, "scpi-load"),
        ("HAC-05", False, "relay off ignored at 2nd", 5, "scpi-load"),
        ("HAC-05", False, "relay off ignored from 2nd", 600, "rigol-dl3031a"),
    ],
)
def test_what_once_turned_a_verdict_does_not_any_more(check: str, bad: bool, fault: str, latency_ms: float, instrument: str) -> None:
    found = FaultCase(CHECKS[check], bad, instrument, ((fault, latency_ms),)).find()
    assert not found[0].wrong, found[0].why


def test_every_drawn_fault_strikes_an_event_that_the_check_has() -> None:
    strikes = [Strike("supply", what, part, True) for what in (Misbehaviour.ON_IGNORED, Misbehaviour.OFF_IGNORED) for part in (0.0, 0.99)]
    told = [one.case for one in FaultCase(CHECKS["SST-02"], False, "scpi-supply", tuple((one, 5) for one in strikes)).find()]
    assert [one.rpartition(", ")[2] for one in told] == [
        *["supply on ignored at 1st"] * 2,
        "supply off ignored at 1st",
        "supply off ignored at 3rd",
    ]
    nothing = FaultCase(CHECKS["MAT-01"], False, "scpi-supply", ((strikes[0], 5),))
    assert nothing.find() == [], "the supply is never switched on in it"


def test_without_a_fault_a_case_tells_the_verdict_of_its_unit() -> None:
    for bad, verdict in ((False, CheckVerdict.PASS), (True, CheckVerdict.FAIL)):
        found = FaultCase(CHECKS["SST-05"], bad, "rigol-dp832", (("", 5), ("supply off ignored", 5), ("", 5))).find()
        assert [one.verdict for one in found] == [verdict, CheckVerdict.INCONCLUSIVE, verdict], (
            "one after another they do not touch each other"
        )


def test_every_check_is_swept_with_every_fault_at_three_latencies_on_a_good_and_on_a_bad_unit() -> None:
    every = cases(1)
    for check in CHECKS.values():
        for bad in (False, True):
            strikes = [one for case in every if case.check.id == check.id and case.bad is bad for one in case.strikes if one[0]]
            assert len(strikes) == 3 * (29 if check.under_test == "hub" else 31)
