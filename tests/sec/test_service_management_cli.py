"""Service management by command: releases, availability, the service desk, providers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.commands.dcc.incidents import incidents
from hil.commands.dcc.maintenance import maintenance
from hil.commands.dcc.measures import measures
from hil.commands.dcc.options import now
from hil.dcc.base.months import Month
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.parties.users import EnteredUsers

Rows = list[dict[str, object]]
Said = Callable[..., Rows]
USER = Eui64.parse("90b3d51f30010000")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "dcc.sqlite"
    opened = DccStore(path)
    EnteredUsers(opened).enter(USER, frozenset({UserRole.IS}))
    opened.close()
    return path


@pytest.fixture
def said(store: Path) -> Said:
    """Runs a command on the store and returns its rows."""

    def run(group: click.Group, *words: str) -> Rows:
        result = CliRunner().invoke(group, [*words, "--store", str(store), "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        rows: Rows = json.loads(result.output)
        return rows

    return run


def plain(store: Path, group: click.Group, *words: str) -> str:
    result = CliRunner().invoke(group, [*words, "--store", str(store)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def day(days: int) -> str:
    """A moment that many days from now, outside the change freeze of the year's end."""
    then = datetime.now(UTC) + timedelta(days=days)
    return (then + timedelta(days=45) if (then.month, then.day) >= (12, 1) or then.month == 1 else then).strftime("%Y-%m-%dT02:00Z")


def of_month(months: int, hours: str, number: int = 1) -> str:
    """A moment of a day so many months from now."""
    then = Month.at(now())
    for _ in range(months):
        then = Month.at(then.ends)
    return f"{then}-{number:02}T{hours}Z"


@pytest.mark.requirement("SV-02")
@pytest.mark.requirement("SV-12")
def test_more_than_four_hours_of_disruption_in_a_month_wait_for_the_panels_agreement(said: Said) -> None:
    nights = [("plan", "disks", of_month(2, "01:00", number), of_month(2, ends, number)) for number, ends in ((1, "03:30"), (2, "02:30"))]
    assert [said(maintenance, *night)[0]["state"] for night in nights] == ["may run", "may run"]
    assert said(maintenance, "plan", "a test", of_month(2, "01:00", 3), of_month(2, "05:00", 3), "--quiet")[0]["state"] == "may run"
    third = said(maintenance, "plan", "disks", of_month(2, "01:00", 4), of_month(2, "01:30", 4))[0]
    assert third["state"] == "needs agreement"
    assert third["needs agreement"] == [f"4.5 h of disruption in {of_month(2, '')[:7]}, more than 4"]
    assert said(maintenance, "agree", str(third["number"]), "Panel meeting 12")[0]["state"] == "agreed"


@pytest.mark.requirement("SV-03")
def test_maintenance_in_the_specified_hours_waits_for_the_panels_agreement(said: Said) -> None:
    states = [said(maintenance, "plan", "disks", of_month(2, "05:30"), of_month(2, ends), "--quiet")[0] for ends in ("06:00", "06:01")]
    assert [one["state"] for one in states] == ["may run", "needs agreement"]
    assert states[1]["needs agreement"] == ["inside the specified hours 6 to 22"]


@pytest.mark.requirement("SV-04")
@pytest.mark.requirement("SV-12")
def test_the_schedule_of_a_month_is_published_before_it_begins_and_with_every_agreement(said: Said) -> None:
    number = str(said(maintenance, "plan", "disks", of_month(2, "12:00"), of_month(2, "13:00"))[0]["number"])
    month = of_month(2, "")[:7]
    with pytest.raises(CommsHubError, match=f"waits for the Panel's agreement to {number}"):
        said(maintenance, "schedule", month, "--publish")
    said(maintenance, "agree", number, "Panel meeting 12")
    assert [one["state"] for one in said(maintenance, "schedule", month, "--publish")] == ["published"]
    assert [one["state"] for one in said(maintenance, "schedule", month)] == ["published"]
    with pytest.raises(CommsHubError, match="has begun"):
        said(maintenance, "schedule", of_month(0, "")[:7], "--publish")


@pytest.mark.requirement("ICH-13")
def test_a_change_of_the_interface_has_ten_days_for_appeals_and_twenty_for_directions() -> None:
    def clock(*words: str) -> dict[str, object]:
        result = CliRunner().invoke(maintenance, ["interface-change", "2026-03-01", *words, "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        (row,) = json.loads(result.output)
        return dict(row)

    assert clock() == {
        "appeals until": "2026-03-11",
        "directions until": "2026-03-21",
        "applied from": "2026-03-22",
        "next": "apply the amendment [204, H11.8]",
    }
    assert clock("--longer-days", "5")["applied from"] == "2026-03-27"
    assert clock("--appealed", "2026-03-11", "--appeal", "rejected")["applied from"] == "2026-03-22"
    assert clock("--appealed", "2026-03-05", "--appeal", "pending")["applied from"] is None
    assert clock("--appealed", "2026-03-05", "--appeal", "upheld")["next"] == "repeat the consultation [204]"
    assert clock("--directed-otherwise")["applied from"] is None
    with pytest.raises(CommsHubError, match="expected one from 2026-03-01 to 2026-03-11"):
        clock("--appealed", "2026-03-12", "--appeal", "pending")
    with pytest.raises(CommsHubError, match="a day and an outcome"):
        clock("--appeal", "upheld")


@pytest.mark.requirement("SV-05")
def test_a_change_with_a_material_risk_is_told_tested_and_announced_before_its_release(said: Said) -> None:
    risky = ("release", "major", day(200), "--change", "a new head end", "--risk")
    with pytest.raises(CommsHubError, match=r"owes \[215\]: a new head end: inform the users"):
        said(maintenance, *risky)
    told = ("--informed", "users", "--informed", "Technical Sub-Committee", "--tested", "--notice")
    assert said(maintenance, *risky, *told)[0]["changes"] == ["a new head end"]
    assert said(maintenance, "release", "minor", day(30), "--change", "a label")[0]["kind"] == "minor"


@pytest.mark.requirement("SV-06")
def test_releases_of_one_day_go_out_together_with_notice_and_outside_the_freeze(said: Said) -> None:
    said(maintenance, "release", "minor", day(30), "--change", "one")
    assert said(maintenance, "release", "minor", day(30), "--change", "two")[0]["changes"] == ["one", "two"]
    assert [row["changes"] for row in said(maintenance, "releases")] == [["one", "two"]]
    with pytest.raises(CommsHubError, match="days of notice for a major release, expected 90"):
        said(maintenance, "release", "major", day(1), "--change", "three")
    with pytest.raises(CommsHubError, match="lies in the change-freeze 12-15 to 01-04"):
        said(maintenance, "release", "minor", f"{datetime.now(UTC).year + 1}-12-24T02:00Z", "--change", "four")


@pytest.mark.requirement("SV-08")
def test_maintenance_goes_to_the_hour_at_which_the_fewest_requests_come(said: Said) -> None:
    assert said(maintenance, "quietest") == [{"begins": "02:00 UTC", "hours": 1, "requests then": 0}]


@pytest.mark.requirement("SV-09")
def test_an_interruption_lowers_the_availability_of_the_month(store: Path, said: Said) -> None:
    assert said(maintenance, "availability", "2026-03")[0]["availability"] == "100.000 %"
    plain(store, maintenance, "interrupted", "head end", "2026-03-02T00:00Z", "2026-03-02T07:26:24Z")
    assert said(maintenance, "availability", "2026-03")[0]["availability"] == "99.000 %"


@pytest.mark.requirement("SV-10")
@pytest.mark.requirement("SV-14")
def test_the_desk_takes_calls_mail_and_the_interface_and_answers(store: Path, said: Said) -> None:
    said(incidents, "contact", "telephone", "A consultant", "general query", "what is a hub?")
    said(incidents, "contact", "email", "Other Party Ltd", "general query", "when is the next release?")
    said(incidents, "contact", "SSI", "Supplier", "feedback", "slow", "--as", str(USER))
    plain(store, incidents, "answer", "1", "a Communications Hub")
    assert [(row["channel"], row["answer"]) for row in said(incidents, "contacts")] == [
        ("telephone", "a Communications Hub"),
        ("email", None),
        ("SSI", None),
    ]
    assert [row["party"] for row in said(incidents, "contacts", "--as", str(USER))] == ["Supplier"]


@pytest.mark.requirement("SV-11")
def test_who_is_no_user_asks_general_queries_alone(said: Said) -> None:
    with pytest.raises(CommsHubError, match="incidents are raised by users"):
        said(incidents, "contact", "telephone", "A consultant", "incident", "my hub is off")
    with pytest.raises(CommsHubError, match="the self-service interface is for users"):
        said(incidents, "contact", "SSI", "A consultant", "general query", "hello")


@pytest.mark.requirement("PM-08")
def test_a_providers_threshold_is_changed_after_consultation_only(said: Said) -> None:
    said(measures, "propose", "DSP", "availability", "99.5", "first")
    said(measures, "publish", "1")
    said(measures, "propose", "DSP", "availability", "99", "cheaper", "--until", day(30))
    with pytest.raises(CommsHubError, match="after consultation"):
        said(measures, "publish", "2")
    said(
        measures,
        "propose",
        "DSP",
        "availability",
        "98",
        "cheaper still",
        "--until",
        "2020-01-01T00:00Z",
    )
    said(measures, "publish", "3")
    assert [row["threshold"] for row in said(measures, "thresholds")] == ["99.5 %", "98 %"]


@pytest.mark.requirement("PM-09")
def test_the_report_is_on_the_dsp_and_each_csp_with_the_credit_expected(said: Said) -> None:
    for number, provider in enumerate(("DSP", "CSP North", "CSP Central and South"), 1):
        said(measures, "propose", provider, "availability", "99.5", "first")
        said(measures, "publish", str(number))
    two = ("DSP:availability=99.5", "CSP North:availability=97.25")
    with pytest.raises(CommsHubError, match="CSP Central and South is missing"):
        said(measures, "providers", "2026-03", *two)
    rows = said(measures, "providers", "2026-03", *two, "CSP Central and South:availability=100", "--credit", "1000")
    assert [row["credit GBP"] for row in rows] == ["0.00", "2250.00", "0.00"]


@pytest.mark.parametrize(
    ("group", "words", "says"),
    [
        (measures, ["propose", "DSP", "availability", "much", "first"], "read 'much', expected a number as 99.5"),
        (measures, ["providers", "2026-03", "DSP=99"], "expected PROVIDER:MEASURE=PERCENT"),
        (maintenance, ["interrupted", "head end", "soon"], "read 'soon', expected a time as 2026-03-01T02:00Z"),
    ],
)
def test_a_word_that_cannot_be_read_is_a_usage_error(store: Path, group: click.Group, words: list[str], says: str) -> None:
    result = CliRunner().invoke(group, [*words, "--store", str(store)])
    assert result.exit_code == 2
    assert says in result.output
