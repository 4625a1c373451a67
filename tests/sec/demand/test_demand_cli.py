"""Demand as the DCC reports it by command: table 5.3 and its formulas on stored requests and counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.clock import EPOCH
from firmware_emu.ids import Eui64
from hil.commands.dcc.forecast import forecast
from hil.dcc.base.months import Month
from tests.dcc.far_end import NETWORK, SUPPLIER
from tests.sec.demand.demand_bench import Desk

MARCH = Month(2026, 3)
LONG_AGO = Month(2020, 1)
Rows = list[dict[str, object]]


class CommandDesk(Desk):
    """A desk whose store lies in a file, with the command on it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def serve(self, user: Eui64, *, first: Month = LONG_AGO, systems: int = 2) -> None:
        """A user that has had service since a month, with that many systems on the 15th of each of twelve months."""
        self.sent(user, "2.1" if user == SUPPLIER else "7.4", first)
        for back in range(12):
            self.enrolled(user, MARCH + -back, systems)

    def one_more(self, user: Eui64, variant: str, month: Month, sent: int) -> None:
        """One more request than were sent in the month."""
        name, received = f"{user}:{variant}:{month}:{sent}", month.begins + 60 * sent
        self.store.insert(
            "requests", request=name, user=str(user), target="", variant=variant, received=received, state="responded", xml=b""
        )

    def over(self, month: Month = MARCH, *more: str) -> list[str]:
        """Findings at 110 %: the service and what it is held against."""
        rows = self.said("over", str(month), *more, "--store", str(self.path))
        return [f"{row['service']} {row['against']}" for row in rows]

    def said(self, *words: str) -> Rows:
        result = CliRunner().invoke(forecast, [*words, "--json"], catch_exceptions=False)
        found: Rows = json.loads(result.output)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[CommandDesk]:
    made = CommandDesk(tmp_path / "dcc.sqlite")
    yield made
    made.store.close()


@pytest.mark.parametrize(
    ("row", "user", "variant", "month", "most"),
    [
        pytest.param("TH-1", SUPPLIER, "3.1", MARCH + -1, 52, marks=pytest.mark.requirement("TH-1")),
        pytest.param("TH-2", SUPPLIER, "4.8.1", MARCH, 68, marks=pytest.mark.requirement("TH-2")),
        pytest.param("TH-3", SUPPLIER, "11.1", MARCH + -1, 13, marks=pytest.mark.requirement("TH-3")),
        pytest.param("TH-4", NETWORK, "4.8.1", MARCH, 3, marks=pytest.mark.requirement("TH-4")),
        pytest.param("TH-5", NETWORK, "4.8.1", MARCH + -1, 8, marks=pytest.mark.requirement("TH-5")),
        pytest.param("TH-6", NETWORK, "4.10", MARCH, 0, marks=pytest.mark.requirement("TH-6")),
        pytest.param("TH-7", NETWORK, "4.10", MARCH + -1, 8, marks=pytest.mark.requirement("TH-7")),
    ],
)
def test_a_threshold_is_reported_at_110_per_cent_and_not_below(
    desk: CommandDesk, row: str, user: Eui64, variant: str, month: Month, most: int
) -> None:
    """Two systems: the metric is half the requests, of the month or of twelve months."""
    desk.serve(user)
    desk.sent(user, variant, month, most)
    assert not [one for one in desk.over() if row in one]
    desk.one_more(user, variant, month, most)
    assert [one.rpartition(" ")[2] for one in desk.over() if row in one] == [row]


@pytest.mark.requirement("DM-10")
def test_table_5_3_is_shown(desk: CommandDesk) -> None:
    rows = desk.said("thresholds")
    assert [(row["id"], row["roles"], row["service"], row["window"], row["threshold"]) for row in rows] == [
        ("TH-1", "GS IS", "3.1", "12 months", "24"),
        ("TH-2", "ES GS IS", "4.8", "month", "1 x days"),
        ("TH-3", "GS IS", "11.1", "12 months", "6"),
        ("TH-4", "ED GT", "4.8", "month", "0.048 x days"),
        ("TH-5", "ED GT", "4.8", "12 months", "4"),
        ("TH-6", "ED", "4.10", "month", "0.001 x days"),
        ("TH-7", "ED", "4.10", "12 months", "4"),
    ]


@pytest.mark.requirement("TR-1")
def test_only_a_users_own_requests_of_that_service_count(desk: CommandDesk) -> None:
    desk.serve(SUPPLIER)
    desk.sent(SUPPLIER, "4.8.1", MARCH, 40)
    desk.sent(SUPPLIER, "4.10", MARCH, 40)
    desk.sent(NETWORK, "4.8.1", MARCH, 40)
    desk.sent(SUPPLIER, "4.8.1", MARCH + 1, 40)
    assert desk.over() == []


@pytest.mark.parametrize(
    ("user", "variant", "most"),
    [
        pytest.param(SUPPLIER, "3.1", 171, marks=pytest.mark.requirement("TR-2")),
        pytest.param(NETWORK, "4.8.1", 28, marks=[pytest.mark.requirement("TR-3"), pytest.mark.requirement("DM-06")]),
    ],
)
def test_the_systems_are_the_mean_of_twelve_counts(desk: CommandDesk, user: Eui64, variant: str, most: int) -> None:
    """1 to 12 systems, 6.5 in the mean; a supplier's 3.1 (TH-1) and a network operator's 4.8 (TH-5) in twelve months."""
    desk.serve(user, systems=0)
    desk.store.execute("UPDATE enrolled_counts SET systems = CAST(substr(month, 6) AS INTEGER)")
    row = "TH-1" if user == SUPPLIER else "TH-5"
    desk.sent(user, variant, MARCH + -1, most)
    assert not [one for one in desk.over() if row in one]
    desk.one_more(user, variant, MARCH + -1, most)
    assert [one for one in desk.over() if row in one]


@pytest.mark.requirement("TR-4")
@pytest.mark.requirement("TR-5")
@pytest.mark.requirement("DM-07")
def test_there_is_no_metric_before_the_month_after_the_first_request(desk: CommandDesk) -> None:
    desk.serve(SUPPLIER, first=MARCH + -1)
    desk.sent(SUPPLIER, "4.8.1", MARCH + -1, 100)
    desk.sent(SUPPLIER, "4.8.1", MARCH, 69)
    assert desk.over(MARCH + -1) == []
    assert desk.over(MARCH) == ["4.8 threshold TH-2"]


@pytest.mark.requirement("TR-6")
@pytest.mark.requirement("DM-08")
def test_a_part_of_a_year_is_scaled_by_the_reading_that_is_asked_for(desk: CommandDesk) -> None:
    """The worked example: 3 months served, 18 requests of 3.1, 2 systems: 36 in the sensible reading, 12 in the literal one."""
    desk.serve(SUPPLIER, first=MARCH + -3)
    for back in range(3):
        desk.sent(SUPPLIER, "3.1", MARCH + -back, 6)
    assert desk.over() == ["3.1 threshold TH-1"]
    assert desk.over(MARCH, "--reading", "literal") == []


@pytest.mark.requirement("TR-7")
def test_counts_before_the_first_service_month_are_left_out(desk: CommandDesk) -> None:
    """3 months served with 3 systems in the mean: 20 requests are 26.7 a year, 19 are 25.3; the limit is 26.4."""
    desk.serve(SUPPLIER, first=MARCH + -3, systems=100)
    for month, systems in ((MARCH + -2, 1), (MARCH + -1, 2), (MARCH, 6)):
        desk.store.execute("UPDATE enrolled_counts SET systems = ? WHERE month = ?", (systems, str(month)))
    desk.sent(SUPPLIER, "3.1", MARCH, 19)
    assert desk.over() == []
    desk.one_more(SUPPLIER, "3.1", MARCH, 19)
    assert desk.over() == ["3.1 threshold TH-1"]


@pytest.mark.requirement("TR-8")
@pytest.mark.requirement("DM-04")
def test_usage_is_reported_to_all_at_110_per_cent_of_a_forecast(desk: CommandDesk) -> None:
    desk.demand.forecast(SUPPLIER, "4.8", dict.fromkeys(desk.demand.next_months(), 20))
    desk.serve(SUPPLIER)
    desk.sent(SUPPLIER, "4.8.1", MARCH, 21)
    assert desk.over() == []
    desk.one_more(SUPPLIER, "4.8.1", MARCH, 21)
    assert desk.over() == ["4.8 the forecast"]
    result = CliRunner().invoke(forecast, ["over", "2026-03", "--store", str(desk.path)])
    assert result.exit_code == 1


@pytest.mark.requirement("DM-01")
@pytest.mark.requirement("TR-9")
def test_a_forecast_is_given_for_each_of_the_next_six_months(desk: CommandDesk) -> None:
    rows = desk.said("give", str(SUPPLIER), "4.8", "1", "2", "3", "4", "5", "6", "--store", str(desk.path))
    following = Month.at((datetime.now(UTC) - EPOCH).total_seconds()) + 1
    assert [(row["month"], row["requests"]) for row in rows] == [(str(following + ahead), ahead + 1) for ahead in range(6)]
    assert CliRunner().invoke(forecast, ["give", str(SUPPLIER), "4.8", "1", "2", "--store", str(desk.path)]).exit_code == 2


@pytest.mark.requirement("DM-02")
@pytest.mark.requirement("DM-03")
def test_a_user_gets_its_own_report_and_everybody_the_usage_of_all(desk: CommandDesk) -> None:
    desk.serve(SUPPLIER)
    desk.sent(SUPPLIER, "4.8.1", MARCH, 3)
    desk.sent(NETWORK, "4.8.1", MARCH, 50)
    result = CliRunner().invoke(forecast, ["report", str(SUPPLIER), "2026-03", "--store", str(desk.path), "--json"], catch_exceptions=False)
    used = {line["service"]: line["used"] for line in json.loads(result.output)["services"]}
    assert used["4.8"] == 3
    assert desk.said("aggregate", "2026-03", "--store", str(desk.path)) == [{"service": "4.8", "requests": 53}]


@pytest.mark.requirement("DM-05")
def test_an_annual_allocation_becomes_months_that_add_up_to_it(desk: CommandDesk) -> None:
    shares = [row["requests"] for row in desk.said("allocate", "1000", *("1" if month < 11 else "5" for month in range(12)))]
    assert sum(int(str(share)) for share in shares) == 1000
    assert (shares[0], shares[11]) == (63, 312)
    assert "a weight for each month" in CliRunner().invoke(forecast, ["allocate", "10", *["0"] * 12]).output
