"""Planned maintenance, publication, availability, changes and releases."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.clock import EPOCH
from hil.commands.dcc.maintenance import maintenance
from hil.dcc.base.months import Month
from hil.dcc.base.store import DccStore
from hil.sec.maintenance import InternalChange, MaintenanceError, MaintenancePlan, Releases, releases
from hil.sec.maintenance.releases import INFORMED, frozen, policies

MARCH = Month(2026, 3)
HOUR = 3600.0


def at(*moment: int) -> float:
    return (datetime(*moment, tzinfo=UTC) - EPOCH).total_seconds()  # type: ignore[misc, arg-type]


class Bench:
    def __init__(self) -> None:
        self.now = at(2026, 2, 10)
        self.store = DccStore(None)
        self.plan = MaintenancePlan(self.store, lambda: self.now)
        self.releases = Releases(self.store, lambda: self.now)

    def night(self, day: int, hours: float, *, disrupts: bool = True) -> int:
        begins = at(2026, 3, day, 1)
        return self.plan.plan("disks", begins, begins + hours * HOUR, disrupts=disrupts).number


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.requirement("SV-02")
@pytest.mark.requirement("SV-12")
def test_more_than_four_hours_of_disruption_in_a_month_needs_the_panels_agreement(bench: Bench) -> None:
    first, quiet, second, third = bench.night(1, 2.5), bench.night(2, 3, disrupts=False), bench.night(8, 1.5), bench.night(15, 0.5)
    assert [bench.plan.item(one).state for one in (first, quiet, second, third)] == ["may run", "may run", "may run", "needs agreement"]
    assert bench.plan.item(third).needs_agreement == ("4.5 h of disruption in 2026-03, more than 4",)
    assert bench.plan.agree(third, "Panel meeting 12").state == "agreed"
    with pytest.raises(MaintenanceError, match="no maintenance item"):
        bench.plan.item(99)
    with pytest.raises(MaintenanceError, match="ends before it begins"):
        bench.plan.plan("disks", at(2026, 3, 1, 2), at(2026, 3, 1, 1), disrupts=True)


@pytest.mark.requirement("SV-03")
def test_maintenance_inside_the_specified_hours_needs_the_panels_agreement(bench: Bench) -> None:
    begins = at(2026, 3, 1, 5, 30)
    until_six = bench.plan.plan("disks", begins, begins + 0.5 * HOUR, disrupts=False)
    past_six = bench.plan.plan("disks", begins, begins + 0.6 * HOUR, disrupts=False)
    assert (until_six.state, past_six.state) == ("may run", "needs agreement")
    elsewhere = MaintenancePlan(bench.store, lambda: bench.now, panel_hours=(8, 18))
    assert elsewhere.item(past_six.number).state == "may run"


@pytest.mark.requirement("SV-04")
@pytest.mark.requirement("SV-12")
def test_the_months_schedule_is_published_before_the_month(bench: Bench) -> None:
    one = bench.night(1, 5)
    with pytest.raises(MaintenanceError, match=f"waits for the Panel's agreement to {one}"):
        bench.plan.publish(MARCH)
    bench.plan.agree(one, "Panel meeting 12")
    assert [item.state for item in bench.plan.publish(MARCH)] == ["published"]
    bench.now = MARCH.begins
    with pytest.raises(MaintenanceError, match="has begun"):
        bench.plan.publish(MARCH)


@pytest.mark.requirement("SV-08")
def test_maintenance_goes_to_the_hour_with_the_fewest_requests(bench: Bench) -> None:
    assert bench.plan.least_disruptive_hour() == 2
    for hour in range(24):
        for n in range(0 if hour in (13, 14) else 3):
            bench.store.insert(
                "requests", request=f"{hour}{n}", user="u", target="", variant="4.8.1", received=at(2026, 2, 1, hour), state="x", xml=b""
            )
    assert bench.plan.least_disruptive_hour(2) == 13
    assert bench.plan.requests_by_hour()[12] == 3


@pytest.mark.requirement("SV-09")
def test_availability_is_around_the_clock_less_published_maintenance(bench: Bench) -> None:
    begins, ends = at(2026, 3, 1), at(2026, 3, 11)
    assert bench.plan.availability(begins, ends) == 100
    bench.night(2, 4)
    bench.plan.publish(MARCH)
    bench.plan.interrupted("during maintenance", at(2026, 3, 2, 2), at(2026, 3, 2, 3))
    assert bench.plan.availability(begins, ends) == 100
    bench.plan.interrupted("a mast", at(2026, 3, 5, 12), at(2026, 3, 5, 14))
    bench.plan.interrupted("the same mast", at(2026, 3, 5, 13), at(2026, 3, 5, 14))
    assert bench.plan.availability(begins, ends) == 100 * Fraction(240 - 4 - 2, 240 - 4)
    with pytest.raises(MaintenanceError, match="nothing but planned maintenance"):
        bench.plan.availability(at(2026, 3, 2, 1), at(2026, 3, 2, 5))


@pytest.mark.requirement("SV-05")
def test_a_change_with_a_material_risk_is_told_tested_and_announced_and_another_is_not(bench: Bench) -> None:
    quiet = InternalChange("a new disk", material_risk=False)
    risky = InternalChange("a new database", material_risk=True)
    assert (quiet.classified, quiet.owed) == ("non-disruptive", ())
    assert risky.owed == ("inform the users", "inform the Technical Sub-Committee", "let users test it", "give notice")
    with pytest.raises(MaintenanceError, match="a new database: inform the users"):
        bench.releases.plan("major", (quiet, risky), at(2026, 6, 1))
    done = InternalChange("a new database", True, frozenset(INFORMED), tested=True, notice_given=True)
    assert done.owed == ()
    assert bench.releases.plan("major", (quiet, done), at(2026, 6, 1)).changes == ("a new disk", "a new database")


@pytest.mark.requirement("SV-06")
def test_releases_are_combined_keep_notice_and_stay_out_of_freezes(bench: Bench) -> None:
    one, two = InternalChange("one", False), InternalChange("two", False)
    with pytest.raises(MaintenanceError, match="days of notice for a minor release, expected 14"):
        bench.releases.plan("minor", (one,), bench.now + 13 * 86400)
    first = bench.releases.plan("minor", (one,), at(2026, 3, 1, 2))
    both = bench.releases.plan("minor", (two,), at(2026, 3, 1, 4))
    assert (both.number, both.changes) == (first.number, ("one", "two"))
    with pytest.raises(MaintenanceError, match="change-freeze 12-15 to 01-04"):
        bench.releases.plan("major", (one,), at(2026, 12, 20))
    bench.releases.plan("emergency", (two,), at(2026, 12, 20))
    bench.releases.plan("emergency", (two,), at(2026, 3, 1, 9))
    assert [release.kind for release in bench.releases.calendar()] == ["emergency", "minor", "emergency"]
    assert list(policies()) == ["emergency", "minor", "major"]
    days = (date(2026, 12, 14), date(2026, 12, 15), date(2027, 1, 4), date(2027, 1, 5))
    assert [frozen(day) is not None for day in days] == [False, True, True, False]
    with pytest.raises(MaintenanceError, match="expected one of emergency, minor, major"):
        bench.releases.plan("secret", (one,), at(2026, 6, 1))


@pytest.mark.parametrize(
    ("begins", "ends", "inside"),
    [
        ((5, 0), (6, 0), False),
        ((5, 0), (6, 1), True),
        ((5, 59), (6, 1), True),
        ((6, 0), (6, 30), True),
        ((21, 59), (22, 30), True),
        ((22, 0), (23, 59), False),
        ((21, 30), (21, 31), True),
        ((0, 0), (23, 0), True),
    ],
)
def test_maintenance_is_inside_the_specified_hours_if_any_second_of_it_is(
    bench: Bench, begins: tuple[int, int], ends: tuple[int, int], inside: bool
) -> None:
    """From 06:00 until 22:00 (profile)."""
    item = bench.plan.plan("disks", at(2026, 3, 1, *begins), at(2026, 3, 1, *ends), disrupts=False)
    assert item.needs_agreement == (("inside the specified hours 6 to 22",) if inside else ())


def test_disruption_is_counted_from_the_first_second_of_its_month(bench: Bench) -> None:
    before = bench.plan.plan("disks", MARCH.begins - 2 * HOUR, MARCH.begins - 1, disrupts=True)
    first = bench.plan.plan("disks", MARCH.begins, MARCH.begins + 4 * HOUR, disrupts=True)
    last = bench.plan.plan("disks", MARCH.ends - 1, MARCH.ends, disrupts=True)
    after = bench.plan.plan("disks", MARCH.ends, MARCH.ends + 1, disrupts=True)
    assert [bench.plan.item(one.number).state for one in (before, first, last, after)] == [
        *("may run", "may run", "needs agreement", "may run"),
    ]
    assert [one.number for one in bench.plan.month(MARCH)] == [first.number, last.number]
    with pytest.raises(MaintenanceError, match="ends before it begins"):
        bench.plan.plan("disks", MARCH.begins, MARCH.begins, disrupts=True)


def test_a_schedule_goes_out_up_to_the_last_second_before_its_month(bench: Bench) -> None:
    bench.night(1, 1)
    bench.now = MARCH.begins - 1
    assert [one.published for one in bench.plan.publish(MARCH)] == [MARCH.begins - 1]


@pytest.mark.parametrize(
    ("began", "ended", "lost"),
    [
        (1.0, 2.0, 1),
        (-1.0, 2.0, 2),
        (98.0, 103.0, 2),
        (-5.0, -1.0, 0),
        (-5.0, 0.0, 0),
        (100.0, 101.0, 0),
        (-1.0, 101.0, 100),
        (90.0, None, 10),
    ],
)
def test_of_an_interruption_counts_what_lies_in_the_time_that_is_asked_for(
    bench: Bench, began: float, ended: float | None, lost: int
) -> None:
    start = at(2026, 3, 1)
    bench.plan.interrupted("a mast", start + began, None if ended is None else start + ended)
    assert bench.plan.availability(start, start + 100) == 100 - lost


def test_an_interruption_without_an_end_lasts(bench: Bench) -> None:
    start = at(2026, 3, 1)
    bench.plan.interrupted("a mast", start + 90)
    assert [bench.plan.availability(start + first, start + last) for first, last in ((0, 90), (0, 100), (90, 95))] == [100, 90, 0]


def test_maintenance_that_was_not_published_or_does_not_disrupt_is_no_excuse(bench: Bench) -> None:
    begins, ends = at(2026, 3, 2), at(2026, 3, 3)
    bench.night(2, 2, disrupts=False)
    bench.plan.publish(MARCH)
    bench.night(2, 2)
    bench.plan.interrupted("the disks", at(2026, 3, 2, 1), at(2026, 3, 2, 2))
    assert bench.plan.availability(begins, ends) == 100 * Fraction(23, 24)


def test_an_hour_that_runs_over_midnight_counts_the_requests_of_both_days(bench: Bench) -> None:
    for hour in range(24):
        for n in range(0 if hour in (23, 0) else 2):
            bench.store.insert(
                "requests", request=f"{hour}{n}", user="u", target="", variant="4.8.1", received=at(2026, 2, 1, hour), state="x", xml=b""
            )
    assert [bench.plan.least_disruptive_hour(hours) for hours in (1, 2)] == [0, 23]
    assert bench.plan.requests_by_hour() == {hour: 0 if hour in (23, 0) else 2 for hour in range(24)}


@pytest.mark.parametrize(
    ("begins", "ends", "days"),
    [
        ("03-10", "03-12", {"03-09": False, "03-10": True, "03-11": True, "03-12": True, "03-13": False, "12-31": False}),
        ("12-15", "01-04", {"12-14": False, "12-15": True, "01-01": True, "01-04": True, "01-05": False, "06-01": False}),
    ],
)
def test_a_freeze_holds_from_its_first_day_to_its_last(
    monkeypatch: pytest.MonkeyPatch, begins: str, ends: str, days: dict[str, bool]
) -> None:
    monkeypatch.setattr(releases, "settings", lambda: {"freeze": [{"begins": begins, "ends": ends}]})
    assert {day: frozen(date.fromisoformat(f"2027-{day}")) is not None for day in days} == days
    assert frozen(date.fromisoformat(f"2027-{begins}")) == f"{begins} to {ends}"


@pytest.mark.parametrize(("kind", "days"), [("minor", 14), ("major", 90)])
def test_notice_of_a_release_is_enough_to_the_day(bench: Bench, kind: str, days: int) -> None:
    with pytest.raises(MaintenanceError, match=f"expected {days}"):
        bench.releases.plan(kind, (), bench.now + days * 86400 - 1)
    assert bench.releases.plan(kind, (), bench.now + days * 86400).kind == kind


def test_the_command_line_plans_publishes_and_measures(tmp_path: Path) -> None:
    path = tmp_path / "dcc.sqlite"
    DccStore(path).close()
    month = Month.of(datetime.now(UTC).date()) + 2

    def said(*words: str) -> list[dict[str, object]]:
        result = CliRunner().invoke(maintenance, [*words, "--store", str(path), "--json"], catch_exceptions=False)
        found: list[dict[str, object]] = json.loads(result.output)
        return found

    assert said("plan", "disks", f"{month}-01T01:00Z", f"{month}-01T06:30")[0]["state"] == "needs agreement"
    assert said("agree", "1", "Panel meeting 12")[0]["state"] == "agreed"
    assert said("schedule", str(month), "--publish")[0]["state"] == "published"
    assert said("availability", str(month)) == [{"month": str(month), "availability": "100.000 %"}]
    refused = CliRunner().invoke(maintenance, ["plan", "disks", "soon", "later", "--store", str(path)])
    assert (refused.exit_code, "expected a time as" in refused.output) == (2, True)
