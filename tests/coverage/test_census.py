"""``chub dcc census``: the published templates at homes, one table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.board import load_board
from hil.commands.dcc.dcc import dcc
from hil.coverage.census import Census, CensusFinding, take_census
from hil.devices.esme import variant
from hil.devices.esme.variant import VARIANTS

SECOND_ELEMENT = {"1.1.2", "1.2.2", "4.11.2"}
"""Services for the second element of a twin element meter."""


@pytest.fixture(scope="module")
def census(duis: Path, rtds: Path) -> Census:
    return take_census(duis / "templates", load_board("boxed"), references=rtds)


def test_no_template_is_refused_wrongly_at_any_home(census: Census) -> None:
    table = census.table()
    assert list(table) == list(VARIANTS)
    assert [(row.home, row.stem, row.why) for row in census.wrong] == []
    assert all(sum(row.values()) == 254 and row["verified"] > 235 for row in table.values())


def test_a_service_for_the_second_element_is_for_the_twin_element_home_alone(census: Census) -> None:
    found = {(row.home, row.finding) for row in census.rows if row.service in SECOND_ELEMENT}
    no, yes = CensusFinding.DEVICE_SAYS_NO, CensusFinding.VERIFIED
    assert found == {("single element", no), ("twin element", yes), ("polyphase", no)}


def test_a_single_element_meter_that_answers_for_a_second_element_counts_as_wrong(
    duis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hil.devices.esme.esme.SECOND_ELEMENT_OBJECTS", ())
    for path in (duis / "templates").glob("*_4.11.?_SUCCESS_REQUEST_DUIS.XML"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    done = CliRunner().invoke(dcc, ["census", str(tmp_path), "--home", "simulated", "--meter", "single element", "--json"])
    assert done.exit_code == 1, done.output
    said = json.loads(done.stdout)
    assert said["table"]["single element"]["answered wrongly"] == 1
    (wrong,) = (row for row in said["rows"] if row["finding"] == CensusFinding.ANSWERED_WRONGLY)
    assert (wrong["service"], wrong["expected"]) == ("4.11.2", "Read Tariff (Secondary Element) is for a twin element meter")
    assert variant.SECOND_ELEMENT_OBJECTS
