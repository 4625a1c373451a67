"""Measurements at the edges of their limits, and two runs side by side."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hil.report.compare import compare, facts_moved
from hil.report.measurements import Bounds, DecisionRule, Quantity, Rule, figure, is_open
from ichis.measuring.reading import Basis, Plain, Reading


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (None, "V", ""),
        (12.3456, "V", "12.35 V"),
        (0.0, "", "0"),
        (1e9, "ohm", "open"),
        (math.inf, "ohm", "open"),
        (0.999e9, "ohm", "9.99e+08 ohm"),
    ],
)
def test_a_value_is_told_with_four_digits_and_contacts_that_are_not_joined_as_open(value: float | None, unit: str, told: str) -> None:
    assert figure(value, unit) == told
    assert is_open(value) is (told == "open")


@pytest.mark.parametrize(
    ("low", "high", "told", "margin"),
    [
        (1.0, None, ">= 1", 1.5),
        (None, 3.0, "<= 3", 0.5),
        (1.0, 3.0, "1 .. 3", 0.5),
        (2.0, 7.0, "2 .. 7", 0.5),
        (2.5, 2.5, "= 2.5", 0.0),
        (3.0, 4.0, "3 .. 4", -0.5),
    ],
)
def test_the_margin_is_the_distance_to_the_nearer_bound(low: float | None, high: float | None, told: str, margin: float) -> None:
    bounds = Bounds(low, high)
    assert (str(bounds), bounds.margin(2.5)) == (told, margin)


def test_bounds_that_accept_anything_or_nothing_are_refused() -> None:
    for low, high, said in ((None, None, "accept anything"), (3.0, 2.0, "low 3 is above high 2")):
        with pytest.raises(ValueError, match=said):
            Bounds(low, high)


VOLTS = Quantity("supply", "V", Bounds(10.0, 14.0))
SIMPLE, GUARD, NAMED = DecisionRule(Rule.SIMPLE), DecisionRule(), DecisionRule(Rule.NONBINARY)


@pytest.mark.parametrize(
    ("value", "rule", "verdict", "why"),
    [
        (12.0, GUARD, "pass", ""),
        (10.5, GUARD, "pass", ""),  # its guard band of 0.5 V ends there
        (10.25, GUARD, "indeterminate", "measured 10.25 V, expected 10 .. 14 V: within the guard band of 0.5 V"),
        (9.75, GUARD, "indeterminate", "measured 9.75 V, expected 10 .. 14 V: within the guard band of 0.5 V"),
        (9.5, GUARD, "fail", "measured 9.5 V, expected 10 .. 14 V"),
        (14.25, NAMED, "indeterminate", "measured 14.25 V, expected 10 .. 14 V: within the guard band of 0.5 V: conditional fail"),
        (13.75, NAMED, "indeterminate", "measured 13.75 V, expected 10 .. 14 V: within the guard band of 0.5 V: conditional pass"),
        (10.25, SIMPLE, "pass", ""),
        (10.0, SIMPLE, "pass", ""),
        (9.75, SIMPLE, "fail", "measured 9.75 V, expected 10 .. 14 V"),
        (10.25, DecisionRule(Rule.GUARD, 0.25), "pass", ""),
    ],
)
def test_a_verdict_follows_from_value_uncertainty_and_rule(value: float, rule: DecisionRule, verdict: str, why: str) -> None:
    measured = VOLTS.judge(Reading(value, 0.5, Basis.DATASHEET), rule)
    assert (str(measured.verdict), measured.why) == (verdict, why)


@pytest.mark.parametrize("basis", [Basis.EXACT, Basis.NONE])
def test_an_uncertainty_that_nobody_states_makes_no_guard_band(basis: Basis) -> None:
    measured = VOLTS.judge(Reading(10.0, 0.5, basis))
    assert (measured.guard, str(measured.verdict)) == (0.0, "pass")
    assert str(VOLTS.judge(Reading(10.0 - 1e-9, 0.0, basis)).verdict) == "pass", "rounding"
    assert str(VOLTS.judge(Reading(9.999, 0.0, basis)).verdict) == "fail"


def test_a_result_that_is_no_figure_passes_or_fails_by_itself() -> None:
    for passes, verdict, why in ((True, "pass", ""), (False, "fail", "no answer, expected 10 .. 14 V")):
        measured = VOLTS.judge(Plain(passes, "no answer"))
        assert (str(measured.verdict), measured.why, measured.value, measured.margin, measured.guard) == (verdict, why, None, None, 0.0)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (SIMPLE, "simple acceptance (w = 0)"),
        (GUARD, "guard band w = 1 U (k = 2) on both sides of each limit, indeterminate within"),
        (NAMED, "guard band w = 1 U (k = 2) on both sides of each limit, indeterminate within, conditional outcomes named"),
    ],
)
def test_a_rule_is_told_in_words(rule: DecisionRule, told: str) -> None:
    assert str(rule) == told


def _run(*rows: dict[str, Any]) -> Any:
    whole = {"id": "a", "round": 1, "verdict": "pass", "value": 10.0, "unit": "V", "limit": ">= 9"}
    return {"checks": [{**whole, **row} for row in rows], "facts": {}}


def test_facts_of_the_bench_that_differ_are_told_from_either_side() -> None:
    before, after = ({"facts": facts} for facts in ({"a": "1", "b": "2"}, {"a": "1", "c": "3"}))
    assert facts_moved(before, after) == {"b": ("2", ""), "c": ("", "3")}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ({}, {}, []),
        ({}, {"verdict": "fail"}, [("verdict", "pass", "fail")]),
        ({}, {"limit": ">= 8"}, [("limit", ">= 9", ">= 8")]),
        ({}, {"value": 10.1}, []),
        ({}, {"value": 10.5}, [("value", "10 V", "10.5 V")]),
        ({}, {"value": None}, [("value", "10 V", "nothing")]),
        ({"value": None}, {"value": None}, []),
        ({}, {"id": "b"}, [("only in one run", "pass", "not there"), ("only in one run", "not there", "pass")]),
        ({}, {"round": 2}, [("only in one run", "pass", "not there"), ("only in one run", "not there", "pass")]),
    ],
)
def test_what_moved_between_two_runs_is_told_check_by_check(
    before: dict[str, Any], after: dict[str, Any], moved: list[tuple[str, str, str]]
) -> None:
    found = compare(_run(before), _run(after))
    assert [(one.what, one.before, one.after) for one in found] == moved
    assert all(
        one.as_json() == {"id": one.id, "round": one.round, "what": one.what, "before": one.before, "after": one.after} for one in found
    )
