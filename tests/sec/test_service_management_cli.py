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
