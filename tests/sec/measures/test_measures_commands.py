"""The five measures as ``chub dcc measures`` reports them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hil.commands.dcc import incidents, measures
from tests.sec.measures.performance_bench import MARCH, Desk


class CommandDesk(Desk):
    """A desk in April whose store lies in a file, with the command on it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def said(self, *words: str) -> Any:
        result = CliRunner().invoke(measures.measures, [*words, "--store", str(self.path), "--json"], catch_exceptions=False)
        assert result.exit_code in (0, 1), result.output
        return json.loads(result.output)

    def measured(self, number: int) -> dict[str, Any]:
        return dict(self.said("show", str(MARCH))[number - 1])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandDesk]:
    made = CommandDesk(tmp_path / "dcc.sqlite")
    for module in (measures, incidents):
        monkeypatch.setattr(module, "now", lambda: made.now)
    yield made
    made.store.close()


@pytest.mark.requirement("PM-01")
def test_on_demand_responses_count_within_their_target(desk: CommandDesk) -> None:
    for took in (30.0, 30.1, None):
        desk.request(took, state="unanswered" if took is None else "responded")
    row = desk.measured(1)
    assert (row["within"], row["counted"], row["target"], row["minimum"]) == (1, 3, "99", "96")


@pytest.mark.requirement("PM-02")
def test_future_dated_responses_count_from_their_execution_time(desk: CommandDesk) -> None:
    due = MARCH.begins + 86400 * 10
    for late in (0, 1):
        desk.request(None, at=MARCH.begins, execute_at=due, responded=due + 86400 + late)
    row = desk.measured(2)
    assert (row["within"], row["counted"], row["target"], row["minimum"]) == (1, 2, "99", "96")


@pytest.mark.requirement("PM-03")
def test_alerts_count_within_sixty_seconds(desk: CommandDesk) -> None:
    desk.alert(60.0)
    desk.alert(61.0)
    row = desk.measured(3)
    assert (row["within"], row["counted"], row["target"], row["minimum"]) == (1, 2, "99", "96")


@pytest.mark.requirement("GW-77")
def test_billing_data_of_a_billing_date_have_a_day_and_other_alerts_a_minute(desk: CommandDesk) -> None:
    for took in (61.0, 86400.0, 86401.0):
        desk.alert(took, code="8F0A")
    desk.alert(60.0)
    future, alerts = desk.measured(2), desk.measured(3)
    assert (future["within"], future["counted"]) == (2, 3)
    assert (alerts["within"], alerts["counted"]) == (1, 1)


@pytest.mark.requirement("PM-04")
@pytest.mark.requirement("IM-14")
def test_severe_incidents_count_by_their_target_resolution_time(desk: CommandDesk) -> None:
    for category, after in ((1, 4 * 3600.0), (1, 4 * 3600.0 + 1), (2, 10.0), (3, 10.0)):
        desk.incident(category, after)
    row = desk.measured(4)
    assert (row["within"], row["counted"], row["target"], row["minimum"]) == (2, 3, "99", "85")


@pytest.mark.requirement("PM-05")
def test_the_other_incidents_have_a_measure_of_their_own(desk: CommandDesk) -> None:
    for category, after in ((3, 10.0), (4, 10.0), (5, None), (1, None)):
        desk.incident(category, after)
    row = desk.measured(5)
    assert (row["within"], row["counted"], row["target"], row["minimum"]) == (2, 3, "90", "80")


@pytest.mark.requirement("PM-00")
def test_the_month_is_reported_in_percent_for_the_whole_system(desk: CommandDesk) -> None:
    for took in (*[1.0] * 99, 31.0):
        desk.request(took)
    rows = desk.said("show", str(MARCH))
    assert [row["measure"] for row in rows] == [1, 2, 3, 4, 5]
    assert (rows[0]["percent"], rows[0]["rule"], rows[0]["owed"]) == ("99.000", "report the figure", [])


@pytest.mark.requirement("PM-06")
def test_below_target_the_cause_is_owed(desk: CommandDesk) -> None:
    for took in (*[1.0] * 96, *[31.0] * 4):
        desk.request(took)
    assert desk.measured(1)["owed"] == ["cause"]
    assert desk.said("explain", str(MARCH), "1", "one mast was down")[0]["owed"] == []
    assert desk.measured(1)["cause"] == "one mast was down"


@pytest.mark.requirement("PM-07")
def test_below_minimum_the_steps_are_owed_too(desk: CommandDesk) -> None:
    for took in (*[1.0] * 95, *[31.0] * 5):
        desk.request(took)
    assert desk.measured(1)["owed"] == ["cause", "steps"]
    assert desk.said("explain", str(MARCH), "1", "one mast was down")[0]["owed"] == ["steps"]
    assert desk.said("explain", str(MARCH), "1", "one mast was down", "--steps", "a second mast")[0]["owed"] == []
