"""The services schedule in its two editions: what the command lists, and what the gateway takes and refuses."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmware_emu.board import load_board
from hil.bench.dcc_board import settings_of
from hil.commands.dcc.services import services
from hil.dcc.base.services import UserRole, schedule
from hil.dcc.duis.element_types import element_type
from hil.dcc.duis.request import VARIANTS, RequestError
from hil.dcc.gateway import arrival as checks
from hil.dcc.gateway.arrival import Arrival
from tests.dcc.far_end import ESME, FarEnd

ROWS = Path(__file__).parents[1] / "requirements.csv"
PRINTED = re.compile(r"Future dated (?P<future>.+?); on demand (?P<now>.+?); roles (?P<roles>[A-Z ]+)")
FORMS = {"T1": "1", "T2": "2"}


def listed(*words: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(services, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.output)
    return rows


def printed() -> dict[str, tuple[set[bool], set[bool], set[frozenset[str]]]]:
    """By reference of tables 5.1 and 5.2 as the requirements have them: future dated, on demand, roles; one for each printed form."""
    found: dict[str, tuple[set[bool], set[bool], set[frozenset[str]]]] = {}
    with ROWS.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["row"].startswith("SVC-") and (there := PRINTED.search(row["what"])):
                future, now, roles = found.setdefault(row["row"].split("-")[1], (set(), set(), set()))
                future.add(there["future"] != "N/A")
                now.add(there["now"] != "N/A")
                roles.add(frozenset(there["roles"].split()))
    return found


@pytest.mark.requirement("GW-12")
@pytest.mark.requirement("GW-53")
def test_the_edition_of_2013_is_that_of_its_tables() -> None:
    tables = printed()
    rows = listed("--edition", "2013")
    assert len(tables) > 70
    assert {schedule()[row["variant"]].reference for row in rows} == set(tables) - {"6.19", "A1", "A2"}
    for row in rows:
        future, now, roles = tables[schedule()[row["variant"]].reference]
        assert row["future dated"] in future, row
        assert row["on demand"] in now, row
        assert frozenset(row["roles"].split()) in roles, row


def test_in_the_present_edition_what_the_dcc_holds_has_a_place_for_its_time() -> None:
    body = element_type("Request").part("Body")
    assert body is not None
    for row in listed():
        part = element_type(body.type).part(VARIANTS[row["variant"]].element)
        takes_time = part is not None and element_type(part.type).part("ExecutionDateTime") is not None
        if "dcc" in schedule()[row["variant"]].future_dated:
            assert takes_time, row


def test_what_2013_dates_and_the_schema_cannot_write_is_listed_and_no_date_of_it_is_taken(far_end: FarEnd) -> None:
    key = "DUIS 5.4 has a place for the time"
    without = [row["variant"] for row in listed("--edition", "2013") if row["future dated"] and not row[key]]
    assert len(without) == 26
    assert {"1.5", "7.1", "8.13"} < set(without) < set(VARIANTS)
    assert all(key not in row for row in listed())
    at = far_end.clock.datetime() + timedelta(days=1)
    for variant in without:
        with pytest.raises(RequestError, match="ExecutionDateTime"):
            far_end.dcc.request(far_end.supplier, variant, ESME, {"ExecutionDateTime": at})


@pytest.mark.requirement("GW-11")
def test_what_touches_supply_security_or_money_is_critical_and_what_reads_is_not() -> None:
    critical = {row["variant"] for row in listed() if row["critical"]}
    assert {"1.1.1", "1.5", "1.6", "2.3", "6.15.1", "7.1", "7.2", "7.3", "8.1.1", "8.7.1", "11.3"} <= critical
    assert not {variant for variant in critical if variant.startswith(("4.", "5.", "12.", "8.2", "11.1", "11.2", "7.4"))}


@pytest.mark.requirement("GW-60")
def test_every_service_is_in_one_of_the_groups_and_elective_ones_in_none() -> None:
    groups = {name: {row["variant"] for row in listed("--group", name)} for name in ("enrolment", "core", "other enabling")}
    assert sum(map(len, groups.values())) == len(set().union(*groups.values())) == len(schedule())
    assert groups["enrolment"] == {"8.1.1", "8.6", "8.7.1", "8.7.2", "8.7.3", "8.11", "12.2"} & set(schedule())
    assert {"4.1.1", "7.2", "6.15.1", "9.1"} <= groups["core"]
    assert {"8.3", "8.5", "8.12.1", "8.13", "5.1", "8.2", "12.1"} <= groups["other enabling"]
    refused = CliRunner().invoke(services, ["--group", "elective"])
    assert refused.exit_code == 2


def test_a_role_is_read_in_the_words_of_either_edition() -> None:
    assert listed("--role", "EIS") == listed("--role", UserRole.IS.value)
    assert CliRunner().invoke(services, ["--role", "XX"]).exit_code == 2


def test_the_gateway_dates_and_asks_on_demand_what_the_edition_of_the_board_prints(far_end: FarEnd) -> None:
    board = load_board("simulated")
    later = {"ExecutionDateTime": far_end.clock.datetime() + timedelta(days=1)}
    dated = far_end.dcc.request(far_end.supplier, "4.1.1", ESME, later)
    told: dict[str, list[str | None]] = {}
    for edition in ("DUIS 5.4", "2013"):
        service = board.service.model_copy(update={"edition": edition})
        settings = settings_of(board.model_copy(update={"service": service}))
        context = replace(far_end.dcc.context, profile=settings)
        refusal = checks.structure(context, Arrival(dated, schedule()["4.1.1"], None))
        told[edition] = [None if refusal is None else refusal.rule]
    assert told["DUIS 5.4"] == [None]
    assert told["2013"] != [None]
