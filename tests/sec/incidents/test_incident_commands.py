"""The incident log as its users have it: ``chub dcc incidents`` on a DCC's store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmware_emu.clock import EPOCH
from firmware_emu.ids import Eui64
from hil.commands.dcc import incidents as commands
from hil.sec.incidents import IncidentError
from hil.sec.incidents.rules import incident_rules
from tests.dcc.far_end import CHF, ESME, GPF, GSME, NETWORK, OTHER, SUPPLIER
from tests.sec.incidents.incident_bench import GAS, Bench

HOUR = 3600.0


class Desk(Bench):
    """The bench with its store in a file, and the command on it. ``now`` is the command's too."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def said(self, *words: str, user: Eui64 | None = None) -> Any:
        named = () if user is None else ("--as", str(user))
        line = [*words, *named, "--store", str(self.path), "--json"]
        result = CliRunner().invoke(commands.incidents, line, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    def diagnosed(self, device: Eui64, user: Eui64) -> str:
        return str(self.said("diagnose", str(device), user=user)["diagnostic"])

    def reported(self, area: str, device: Eui64 = ESME, user: Eui64 = SUPPLIER) -> dict[str, Any]:
        """An incident that a user raised after diagnostics, as ``show`` has it."""
        diagnostic = self.diagnosed(device, user)
        words = ("raise", "trouble", "--area", area, "--device", str(device), "--diagnostic", diagnostic)
        number = str(self.said(*words, user=user)[0]["number"])
        return dict(self.said("show", number))

    def step(self, number: int, step: str, user: Eui64 | None = None) -> dict[str, Any]:
        return dict(self.said("step", str(number), step, "because", user=user)[0])

    def entries(self, number: int, kind: str) -> list[dict[str, str]]:
        return [one for one in self.said("show", str(number))["entries"] if one["kind"] == kind]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk(tmp_path / "dcc.sqlite")
    monkeypatch.setattr(commands, "now", lambda: made.now)
    yield made
    made.store.close()


@pytest.mark.requirement("IM-04")
def test_an_incident_is_raised_after_ones_own_diagnostics_of_that_device_alone(desk: Desk) -> None:
    words = ("raise", "no reads", "--device", str(ESME))
    for diagnostic in ((), ("--diagnostic", desk.diagnosed(ESME, GAS)), ("--diagnostic", desk.diagnosed(CHF, SUPPLIER))):
        with pytest.raises(IncidentError, match="run the remote diagnostics first"):
            desk.said(*words, *diagnostic, user=SUPPLIER)
    raised = desk.said(*words, "--diagnostic", desk.diagnosed(ESME, SUPPLIER), user=SUPPLIER)[0]
    assert any(str(CHF) in one["text"] for one in desk.entries(raised["number"], "diagnostic"))


@pytest.mark.requirement("IM-06")
@pytest.mark.parametrize("area", ["communications network", "data services", "remote maintenance", "remote upgrade"])
def test_the_dcc_closes_what_is_its_own(desk: Desk, area: str) -> None:
    incident = desk.reported(area, CHF)
    assert (incident["owner"], incident["state"]) == ("DCC", "allocated")
    assert "[228]" in incident["rule"]
    desk.step(incident["number"], "resolve")
    with pytest.raises(IncidentError, match="is closed by the DCC"):
        desk.step(incident["number"], "close", SUPPLIER)
    assert desk.step(incident["number"], "close")["state"] == "closed"


@pytest.mark.requirement("IM-07")
@pytest.mark.requirement("GPF-11")
@pytest.mark.parametrize(
    ("area", "device", "owner"),
    [("smart meter", ESME, SUPPLIER), ("smart meter", GSME, GAS), ("in-home display", ESME, SUPPLIER), ("gas proxy", GPF, GAS)],
)
def test_the_supplier_closes_meter_display_and_gas_proxy(desk: Desk, area: str, device: Eui64, owner: Eui64) -> None:
    incident = desk.reported(area, device)
    assert incident["owner"] == str(owner)
    assert "[229]" in incident["rule"]
    desk.step(incident["number"], "resolve", owner)
    with pytest.raises(IncidentError, match="is closed by"):
        desk.step(incident["number"], "close")
    assert desk.step(incident["number"], "close", owner)["state"] == "closed"


@pytest.mark.requirement("IM-08")
def test_a_hub_that_needs_a_visit_goes_to_the_lead_supplier(desk: Desk) -> None:
    incident = desk.reported("communications network", CHF, GAS)
    assert incident["owner"] == "DCC"
    assert desk.step(incident["number"], "visit")["owner"] == str(SUPPLIER)
    assert "Lead Supplier" in desk.said("show", str(incident["number"]))["rule"]


@pytest.mark.requirement("IM-05")
@pytest.mark.requirement("IM-17")
def test_every_party_concerned_is_told_of_every_step(desk: Desk) -> None:
    number = desk.reported("smart meter", ESME, GAS)["number"]
    for step in ("resolve", "close"):
        desk.step(number, step, SUPPLIER)
    told = [(one["to"], one["text"].partition(":")[0]) for one in desk.entries(number, "notice")]
    for party in (GAS, SUPPLIER, NETWORK):
        assert [text for to, text in told if to == str(party)] == [f"allocated to {SUPPLIER}", "resolved", "closed"]


@pytest.mark.requirement("IM-01")
def test_an_incident_goes_from_raised_to_closed_and_no_other_way(desk: Desk) -> None:
    number = desk.reported("smart meter")["number"]
    with pytest.raises(IncidentError, match="is allocated: next comes investigating or resolved, not closed"):
        desk.step(number, "close", SUPPLIER)
    states = [desk.step(number, step, SUPPLIER)["state"] for step in ("note", "resolve", "reopen", "resolve", "close")]
    assert states == ["investigating", "resolved", "investigating", "resolved", "closed"]
    with pytest.raises(IncidentError, match="next comes nothing"):
        desk.step(number, "reopen", SUPPLIER)


@pytest.mark.requirement("IM-02")
def test_the_most_urgent_incident_comes_first_and_a_category_sets_its_time(desk: Desk) -> None:
    slow, fast = (desk.reported("smart meter")["number"] for _ in range(2))
    desk.said("categorise", str(slow), "5")
    desk.said("categorise", str(fast), "2")
    listed = desk.said("list")
    assert [one["number"] for one in listed] == [fast, slow]
    assert desk.said("categorise", str(slow), "1")[0]["due"] == "2026-01-05 16:00:00"
    assert [one["number"] for one in desk.said("list")] == [slow, fast]
    with pytest.raises(IncidentError, match="expected one of 1, 2, 3, 4, 5"):
        desk.said("categorise", str(slow), "6")


@pytest.mark.requirement("IM-03")
def test_only_the_allocated_user_keeps_the_incident_updated(desk: Desk) -> None:
    number = desk.reported("smart meter", ESME, GAS)["number"]
    desk.step(number, "note", SUPPLIER)
    with pytest.raises(IncidentError, match=f"is {SUPPLIER}'s to work on, not {GAS}'s"):
        desk.step(number, "note", GAS)
    assert [one["who"] for one in desk.entries(number, "activity")] == [str(SUPPLIER)]


@pytest.mark.requirement("IM-12")
def test_a_user_sees_its_own_incidents_and_no_others(desk: Desk) -> None:
    desk.reported("smart meter", ESME, GAS)
    assert [len(desk.said("list", user=user)) for user in (SUPPLIER, GAS, NETWORK, OTHER)] == [1, 1, 1, 0]


@pytest.mark.requirement("IM-09")
def test_shared_equipment_on_which_nothing_is_done_is_flagged(desk: Desk) -> None:
    shared, own = desk.reported("premises HAN", CHF)["number"], desk.reported("smart meter")["number"]
    desk.now += 24 * HOUR + 1
    assert {one["number"]: one["delayed"] for one in desk.said("list")} == {shared: True, own: False}
    desk.step(shared, "note", SUPPLIER)
    assert not any(one["delayed"] for one in desk.said("list"))


@pytest.mark.requirement("IM-10")
@pytest.mark.requirement("IM-11")
@pytest.mark.requirement("IM-18")
def test_a_major_incident_has_two_managers_and_a_report_with_every_field_in_two_working_days(desk: Desk, tmp_path: Path) -> None:
    number = str(desk.reported("communications network", CHF)["number"])
    with pytest.raises(IncidentError, match="two named managers"):
        desk.said("major", number, "--managers", "A. Jones", " ")
    desk.said("major", number, "--managers", "A. Jones", "B. Smith", "--affected", str(OTHER))
    told = {one["to"] for one in desk.entries(int(number), "notice") if "B. Smith for the DCC" in one["text"]}
    assert told == {str(one) for one in (SUPPLIER, GAS, NETWORK, OTHER)}
    desk.now = (datetime(2026, 1, 8, 12, tzinfo=UTC) - EPOCH).total_seconds()  # a Thursday
    desk.step(int(number), "resolve")
    assert desk.said("major", number)[0]["report_due"] == "2026-01-13 00:00:00"  # the end of Monday
    report = tmp_path / "report.json"
    fields = dict.fromkeys(incident_rules().major_report, "said")
    report.write_text(json.dumps({**fields, "repeat_risk": ""}))
    with pytest.raises(IncidentError, match=r"lacks: repeat_risk \(how likely"):
        desk.said("major", number, "--report", str(report))
    report.write_text(json.dumps(fields))
    assert desk.said("major", number, "--report", str(report))[0]["reported"] == "2026-01-08 12:00:00"


@pytest.mark.requirement("SEC-03")
def test_a_security_incident_is_kept_apart_from_users_and_a_major_one_is_reported(desk: Desk, tmp_path: Path) -> None:
    words = ("raise", "forged responses", "--area", "data services", "--category", "1", "--device", str(CHF), "--security")
    number = str(desk.said(*words)[0]["number"])
    assert [desk.said("list", user=user) for user in (SUPPLIER, GAS, NETWORK, OTHER)] == [[], [], [], []]
    assert [one["number"] for one in desk.said("list")] == [int(number)]
    desk.said("major", number, "--managers", "B. Smith", "C. Lee")
    assert desk.entries(int(number), "notice") == []
    desk.step(int(number), "resolve")
    report = tmp_path / "report.json"
    report.write_text(json.dumps(dict.fromkeys(incident_rules().major_report, "said")))
    assert desk.said("major", number, "--report", str(report))[0]["reported"]
    refused = CliRunner().invoke(commands.incidents, [*words, "--as", str(SUPPLIER), "--store", str(desk.path)])
    assert (refused.exit_code, "leave --as out" in refused.output) == (2, True)


@pytest.mark.requirement("IM-19")
def test_the_indicators_of_a_month_say_by_category_what_was_raised_resolved_in_time_and_is_overdue(desk: Desk) -> None:
    quick, slow, left = (desk.reported("smart meter")["number"] for _ in range(3))
    desk.now += 10 * HOUR
    desk.step(quick, "resolve", SUPPLIER)
    desk.now += 70 * HOUR
    desk.step(slow, "resolve", SUPPLIER)
    rows = {row["category"]: row for row in desk.said("indicators", "2026-01")}
    assert set(rows) == set(incident_rules().target_s)
    told = [rows[3][name] for name in ("target h", "raised", "resolved", "in target", "overdue", "mean h")]
    assert told == ["72", 3, 2, "50.0 %", 1, "45.0"]
    assert [rows[1][name] for name in ("raised", "in target", "mean h")] == [0, "-", "-"]
    assert [row["raised"] for row in desk.said("indicators", "2025-12")] == [0] * 5
    desk.step(left, "resolve", SUPPLIER)
    assert next(row for row in desk.said("indicators", "2026-01") if row["category"] == 3)["overdue"] == 0


@pytest.mark.requirement("PC-08")
def test_trouble_with_parse_and_correlate_is_an_incident_that_the_dcc_owns(desk: Desk) -> None:
    words = ("raise", "correlate refuses a good pre-command", "--area", "parse and correlate")
    incident = desk.said("show", str(desk.said(*words, user=SUPPLIER)[0]["number"]))
    assert (incident["owner"], incident["state"], incident["by"]) == ("DCC", "allocated", str(SUPPLIER))
    assert "[165]" in incident["rule"]
    desk.step(incident["number"], "resolve")
    assert desk.step(incident["number"], "close")["state"] == "closed"
    assert [one["text"].partition(":")[0] for one in desk.entries(incident["number"], "notice") if one["to"] == str(SUPPLIER)] == [
        "allocated to the DCC",
        "resolved",
        "closed",
    ]


@pytest.mark.parametrize(
    ("wrong", "told"), [("{", "no JSON"), ("[1]", "expected a JSON object"), ('{"repeat_risk": 1}', "whose values are texts")]
)
def test_a_report_that_is_no_object_of_texts_is_told_in_one_line(desk: Desk, tmp_path: Path, wrong: str, told: str) -> None:
    report = tmp_path / "report.json"
    report.write_text(wrong)
    result = CliRunner().invoke(commands.incidents, ["major", "1", "--report", str(report), "--store", str(desk.path)])
    assert (result.exit_code, told in result.output) == (2, True)
