"""The five measures: what is counted, at which level, and what the report must say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.clock import EPOCH
from hil.commands.dcc.measures import measures
from hil.dcc.base.months import Month
from hil.sec.measures import MeasureError, MeasureRule, levels
from hil.sec.measures.providers import PROVIDERS, ProviderThresholds
from tests.sec.measures.performance_bench import HUB, MARCH, Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.requirement("PM-01")
def test_on_demand_responses_count_within_their_target_response_time(desk: Desk) -> None:
    desk.request(30.0)
    desk.request(30.1)
    desk.request(None, state="unanswered")
    desk.request(3600.0, variant="7.4", pre_command_at=MARCH.begins + 61, returned=MARCH.begins + 61 + 3580)
    desk.request(None, variant="8.2", state="executed", chf=None)
    for state in ("refused", "quarantined", "returned", "cancelled"):
        desk.request(None, state=state)
    desk.request(10.0, at=MARCH.ends)
    desk.request(10.0, at=MARCH.begins - 1)
    assert desk.figure(1) == (3, 5)
    level = levels()[0]
    assert (level.target, level.minimum) == (99, 96)


@pytest.mark.requirement("PM-02")
def test_future_dated_responses_and_scheduled_runs_count_from_their_execution_time(desk: Desk) -> None:
    due = MARCH.begins + 86400 * 10
    desk.request(None, at=MARCH.begins - 86400, execute_at=due, responded=due + 86400)
    desk.request(None, at=MARCH.begins, execute_at=due, responded=due + 86401)
    desk.request(5.0, variant="4.8.1", at=due, execute_at=due - 100)
    assert desk.figure(2) == (2, 3)
    assert desk.figure(1) == (0, 0)
    assert (levels()[1].target, levels()[1].minimum) == (99, 96)


@pytest.mark.requirement("PM-03")
def test_alerts_count_within_sixty_seconds_of_their_notification(desk: Desk) -> None:
    desk.alert(60.0)
    desk.alert(61.0)
    desk.alert(None, "waiting")
    desk.alert(1.0, "dropped")
    desk.alert(1.0, "throttled")
    assert desk.figure(3) == (2, 3)
    assert (levels()[2].target, levels()[2].minimum) == (99, 96)


@pytest.mark.requirement("PM-04")
@pytest.mark.requirement("IM-14")
def test_severe_incidents_count_by_their_target_resolution_time(desk: Desk) -> None:
    for category, after in ((1, 4 * 3600.0), (1, 4 * 3600.0 + 1), (2, 10.0), (2, None), (3, 10.0)):
        desk.incident(category, after)
    assert desk.figure(4) == (2, 4)
    assert desk.performance.resolved_in_time(MARCH) == {1: (2, 1), 2: (2, 1), 3: (1, 1)}
    assert (levels()[3].target, levels()[3].minimum) == (99, 85)


@pytest.mark.requirement("PM-05")
def test_the_other_incidents_have_their_own_measure(desk: Desk) -> None:
    for category, after in ((3, 10.0), (4, 10.0), (5, None), (1, None)):
        desk.incident(category, after)
    desk.incident(3, 10.0, month=MARCH + 1)
    assert desk.figure(5) == (2, 3)
    assert (levels()[4].target, levels()[4].minimum) == (90, 80)


@pytest.mark.requirement("PM-00")
def test_the_month_is_reported_in_percent_for_the_whole_system(desk: Desk) -> None:
    for _ in range(99):
        desk.request(1.0)
    desk.request(31.0)
    figure = desk.performance.figure(1, MARCH)
    assert (figure.percent, figure.rule) == (99, MeasureRule.REPORT)
    assert figure.causes == ((f"service 4.1.1 Read Instantaneous Import Registers, hub {HUB}", 1),)
    assert [one.figure.level.number for one in desk.performance.report(MARCH)] == [1, 2, 3, 4, 5]
    with pytest.raises(MeasureError, match="expected 1 to 5"):
        desk.performance.figure(6, MARCH)


@pytest.mark.requirement("PM-06")
def test_below_target_and_at_or_above_minimum_the_cause_is_explained(desk: Desk) -> None:
    for took in (*[1.0] * 96, *[31.0] * 4):
        desk.request(took)
    assert desk.performance.figure(1, MARCH).rule is MeasureRule.CAUSE
    with pytest.raises(MeasureError, match="owes measure 1: cause"):
        desk.performance.report(MARCH)
    assert desk.performance.explain(1, MARCH, "one mast was down").owed == ()
    assert desk.performance.report(MARCH)[0].cause == "one mast was down"


@pytest.mark.requirement("PM-07")
def test_below_minimum_the_steps_are_stated_too(desk: Desk) -> None:
    for took in (*[1.0] * 95, *[31.0] * 5):
        desk.request(took)
    assert desk.performance.figure(1, MARCH).rule is MeasureRule.STEPS
    assert desk.performance.statement(1, MARCH).owed == ("cause", "steps")
    assert desk.performance.explain(1, MARCH, "one mast was down").owed == ("steps",)
    with pytest.raises(MeasureError, match="owes measure 1: steps"):
        desk.performance.report(MARCH)
    assert desk.performance.explain(1, MARCH, "one mast was down", "a second mast").owed == ()


def test_a_clock_that_still_runs_is_not_counted(desk: Desk) -> None:
    desk.now = MARCH.begins + 70
    desk.request(None, state="sent")
    assert desk.figure(1) == (0, 0)
    assert desk.performance.figure(1, MARCH).rule is MeasureRule.NOTHING
    desk.now = MARCH.begins + 91
    assert desk.figure(1) == (0, 1)


@pytest.mark.requirement("PM-08")
def test_a_provider_threshold_is_published_and_changed_after_consultation_only(desk: Desk) -> None:
    thresholds = ProviderThresholds(desk.store, lambda: desk.now)
    thresholds.publish(thresholds.propose("DSP", "availability", Decimal("99.5"), desk.now, "first").number)
    assert thresholds.threshold("DSP", "availability") == Decimal("99.5")
    change = thresholds.propose("DSP", "availability", Decimal("99"), desk.now + 86400, "cheaper")
    with pytest.raises(MeasureError, match="after consultation"):
        thresholds.publish(change.number)
    desk.now += 86400
    thresholds.publish(change.number)
    assert thresholds.threshold("DSP", "availability") == Decimal("99")
    assert [one.threshold for one in thresholds.published()] == [Decimal("99.5"), Decimal("99")]
    with pytest.raises(MeasureError, match="one of DSP"):
        thresholds.propose("ISP", "availability", Decimal("99"), 0.0, "x")
    with pytest.raises(MeasureError, match="no provider threshold"):
        thresholds.publish(99)


@pytest.mark.requirement("PM-09")
def test_the_monthly_report_is_on_the_dsp_and_each_csp_with_the_credit_expected(desk: Desk) -> None:
    thresholds = ProviderThresholds(desk.store, lambda: desk.now)
    for provider in PROVIDERS:
        thresholds.publish(thresholds.propose(provider, "availability", Decimal("99.5"), desk.now, "first").number)
    reached = [("DSP", "availability", Decimal("99.5")), ("CSP North", "availability", Decimal("97.25"))]
    with pytest.raises(MeasureError, match="CSP Central and South is missing"):
        thresholds.report(MARCH, reached, Decimal("1000"))
    lines = thresholds.report(MARCH, [*reached, ("CSP Central and South", "availability", Decimal("100"))], Decimal("1000"))
    assert [line.credit_gbp for line in lines] == [Decimal("0.00"), Decimal("2250.00"), Decimal("0.00")]
    with pytest.raises(MeasureError, match="no published threshold"):
        thresholds.report(MARCH, [(provider, "speed", Decimal(1)) for provider in PROVIDERS], Decimal(1))


def test_the_command_line_shows_a_month_and_takes_what_is_owed(tmp_path: Path) -> None:
    path = tmp_path / "dcc.sqlite"
    desk = Desk(path)
    last = Month.at((datetime.now(UTC) - EPOCH).total_seconds()) + -1
    desk.request(31.0, at=last.begins + 5)
    desk.store.close()

    def said(*words: str, code: int = 0) -> list[dict[str, object]]:
        result = CliRunner().invoke(measures, [*words, "--store", str(path), "--json"], catch_exceptions=False)
        assert result.exit_code == code, result.output
        found: list[dict[str, object]] = json.loads(result.output)
        return found

    assert said("show", str(last), code=1)[0]["owed"] == ["cause", "steps"]
    assert said("explain", str(last), "1", "a mast", "--steps", "another mast")[0]["owed"] == []
    assert said("show", str(last))[0]["percent"] == "0.000"
    assert "0.00 % of 1" in " ".join(CliRunner().invoke(measures, ["show", str(last), "--store", str(path)]).output.split())
