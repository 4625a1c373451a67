"""Numbers of a report: verdicts at bound and guard band, arrows and labels of a drawing at their places, what counts as moved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from firmware_emu.trace import Record
from hil.report.compare import _differ
from hil.report.ladder import arrows, draw_ladder
from hil.report.measurements import Bounds, CheckVerdict, DecisionRule, Quantity, Rule, figure, is_open
from hil.report.plots import labels
from hil.report.run_log import RunLog, check_log
from hil.report.verdict import Plot, Run, Step
from ichis.measuring.reading import Basis, Reading

LANES = {"gateway": "DCC", "chf": "hub", "00db1234567890a0": "Device"}


def test_a_resistance_is_open_from_a_gigaohm_on() -> None:
    assert [is_open(value) for value in (None, 0.0, 999_999_999.0, 1e9, 2e9)] == [False, False, False, True, True]
    assert [figure(value, "V") for value in (None, 1e9, 1.23456, 0.0)] == ["", "open", "1.235 V", "0 V"]
    assert figure(1.23456, "", 6) == "1.23456"


@pytest.mark.parametrize(
    ("low", "high", "value", "margin", "told"),
    [
        (1.0, 3.0, 2.5, 0.5, "1 .. 3"),
        (1.0, None, 0.5, -0.5, ">= 1"),
        (None, 3.0, 3.0, 0.0, "<= 3"),
        (2.0, 2.0, 2.0, 0.0, "= 2"),
        (1.0, 3.0, 1.25, 0.25, "1 .. 3"),
    ],
)
def test_a_margin_is_the_distance_to_the_nearer_bound(
    low: float | None, high: float | None, value: float, margin: float, told: str
) -> None:
    bounds = Bounds(low, high)
    assert (bounds.margin(value), str(bounds)) == (margin, told)


def test_bounds_accept_something_and_not_everything() -> None:
    for low, high in ((None, None), (2.0, 1.0)):
        with pytest.raises(ValueError, match=r"bounds without|is above high"):
            Bounds(low, high)
    assert Bounds(0.0, None).margin(0.0) == 0


@pytest.mark.parametrize(
    ("value", "rule", "outcome", "verdict"),
    [
        (10.0, Rule.SIMPLE, "pass", CheckVerdict.PASS),
        (10.1, Rule.SIMPLE, "fail", CheckVerdict.FAIL),
        (9.0, Rule.GUARD, "pass", CheckVerdict.PASS),
        (9.1, Rule.GUARD, "conditional pass", CheckVerdict.INDETERMINATE),
        (10.9, Rule.GUARD, "conditional fail", CheckVerdict.INDETERMINATE),
        (11.0, Rule.GUARD, "fail", CheckVerdict.FAIL),
        (9.1, Rule.NONBINARY, "conditional pass", CheckVerdict.INDETERMINATE),
    ],
)
def test_a_verdict_follows_from_the_guard_band(value: float, rule: Rule, outcome: str, verdict: CheckVerdict) -> None:
    """ILAC-G8:09/2019 4.2: w = r U either side of the limit; here U = 1 and the limit 10."""
    taken = Quantity("x", "V", Bounds(None, 10.0)).judge(Reading(value, 1.0, Basis.CALIBRATED), DecisionRule(rule))
    assert (taken.outcome, taken.verdict) == (outcome, verdict)
    assert ("within the guard band of 1 V" in taken.why) is (verdict is CheckVerdict.INDETERMINATE)
    assert (": conditional" in taken.why) is (rule is Rule.NONBINARY)
    assert (taken.why == "") is (verdict is CheckVerdict.PASS)


def test_an_exact_value_has_no_guard_band_and_rounding_is_inside() -> None:
    quantity = Quantity("x", "V", Bounds(None, 10.0))
    for basis, guard in ((Basis.EXACT, 0.0), (Basis.NONE, 0.0), (Basis.CALIBRATED, 1.0), (Basis.ESTIMATE, 1.0)):
        assert quantity.judge(Reading(9.5, 1.0, basis)).guard == guard
    assert quantity.judge(10.0 + 5e-9).outcome == "pass"
    assert quantity.judge(10.0 + 5e-8).outcome == "fail"
    assert quantity.judge(Reading(9.5, 1.0, Basis.CALIBRATED), DecisionRule(Rule.GUARD, 0.5)).guard == 0.5
    assert DecisionRule() == DecisionRule(Rule.GUARD, 1.0)


@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [
        (100.0, 102.0, False),
        (100.0, 102.1, True),
        (100.0, 98.0, False),
        (100.0, 97.9, True),
        (None, None, False),
        (None, 1.0, True),
        (0.0, 1e-8, False),
        (0.0, 1e-7, True),
    ],
)
def test_a_value_has_moved_where_it_did_by_more_than_two_percent(old: float | None, new: float | None, moved: bool) -> None:
    assert _differ(old, new, 0.02) is moved


# -- drawings


def record(
    number: int, source: str, target: str | None, event: str = "sent", message: str | None = "m", detail: Mapping[str, str] | None = None
) -> Record:
    return Record(number, 100.0 + number, "wan", source, event, target, message, None, detail or {})


def test_hops_lead_from_lane_to_lane_and_a_hop_is_drawn_once() -> None:
    found = arrows(
        [
            record(1, "gateway", "chf"),
            record(2, "chf", None),
            record(3, "chf", "chf"),
            record(4, "nobody", "chf"),
            record(5, "gateway", "chf", "received"),
            record(6, "chf", "esme 00db1234567890a0", "received"),
            record(7, "gateway", "chf", "received", None),
            record(8, "chf", "gateway", "refused", "n", {"cluster": "KeepAlive", "command": "Get"}),
        ],
        LANES,
    )
    assert [(one.number, one.source, one.target, one.refused, one.keep_alive) for one in found] == [
        *((1, "DCC", "hub", False, False), (6, "hub", "Device", False, False), (8, "hub", "DCC", True, True)),
    ]
    assert found[2].text == "refused KeepAlive Get"


def test_lanes_rows_and_heads_of_arrows_stand_at_their_places() -> None:
    """A lane has 170 units of width from 76 on, a row 24 from 40 on."""
    found = arrows([record(1, "gateway", "chf"), record(2, "chf", "gateway", "refused")], LANES)
    svg = draw_ladder(found, LANES, began=100.5, title="t", marks={1: "done"})
    assert 'width="416" height="112" viewBox="0 0 416 112"' in svg
    assert re.findall(r'<text x="(\d+)" y="16"', svg) == ["161", "331"]
    assert re.findall(r'<line x1="(\d+)" y1="(\d+)" x2="(\d+)" y2="(\d+)" stroke="#(?:00587c|b3261e)"', svg) == [
        ("161", "64", "331", "64"),
        ("331", "88", "161", "88"),
    ]
    assert re.findall(r'd="M(\d+) (\d+)l(-?\d+) -4v8z" fill="(#\w+)"', svg) == [
        ("331", "64", "-7", "#00587c"),
        ("161", "88", "7", "#b3261e"),
    ]
    assert re.findall(r'class="when">([\d.]+) s', svg) == ["0.500", "1.500"]
    assert '<text x="246.0" y="60"' in svg
    assert '<text x="4" y="100" class="state">done</text>' in svg


def test_words_of_44_characters_fit_and_longer_ones_are_shortened() -> None:
    for length, short in ((38, True), (39, True), (40, False)):
        found = arrows([record(1, "gateway", "chf", "sent", "m", {"what": "x" * length})], LANES)
        svg = draw_ladder(found, LANES, began=0.0, title="t")
        assert ("<title>" not in svg) is short
        if not short:
            assert f"sent {'x' * 38}…<title>sent {'x' * 40}</title>" in svg


def test_labels_nearer_than_their_room_share_a_place() -> None:
    marks = [(3.0, "c"), (1.0, "a"), (1.5, "b"), (2.0, "d")]
    assert labels(marks, 1.0) == [(1.0, "a, b"), (2.0, "d"), (3.0, "c")]
    assert labels(marks, 1.01) == [(1.0, "a, b, d"), (3.0, "c")]
    assert labels([], 1.0) == []


def test_a_run_passes_where_every_step_did_that_was_not_left_out() -> None:
    def verdict(*verdicts: str) -> str:
        return Run("t", {}, [Step("s", one, 1.0) for one in verdicts]).verdict

    assert [verdict("pass"), verdict("pass", "skip"), verdict("skip"), verdict(), verdict("pass", "fail")] == [
        "pass",
        "pass",
        "fail",
        "fail",
        "fail",
    ]
    assert Step("s", "pass", 1.26).as_json() == {"name": "s", "verdict": "pass", "ms": 1.3, "values": {}}
    assert Step("s", "fail", 1.0, why="w").as_json()["why"] == "w"
    assert Step("s", "pass", 1.0).records == (0, 0)
    assert not Plot("t", "V", {}).from_zero


def test_a_line_of_the_log_that_is_changed_or_left_out_shows(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = RunLog(path)
    for place in range(3):
        log.note("result", check="A", round=place, verdict="pass")
    lines = path.read_text(encoding="utf-8").splitlines()
    verdicts = {f"A-{place}": "pass" for place in range(3)}
    assert check_log(path, verdicts) == []
    assert check_log(path, {**verdicts, "A-1": "fail"}) == ["log.jsonl and report.json differ about A-1"]
    path.write_text("\n".join((lines[0], lines[2])), encoding="utf-8")
    assert check_log(path, {}) == ["log.jsonl line 2 does not follow the one before it"]
    path.write_text("\n".join((lines[0].replace("pass", "fail"), *lines[1:])), encoding="utf-8")
    assert check_log(path, {}) == ["log.jsonl line 2 does not follow the one before it"]
    path.write_text(lines[0] + "\n[]", encoding="utf-8")
    assert check_log(path, {}) == ["log.jsonl line 2 is no JSON object"]
