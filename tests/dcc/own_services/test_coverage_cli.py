"""SM WAN coverage by command: what is noted there is what the DCC answers 12.1 with and sends hubs by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.commands.dcc.coverage import coverage
from hil.dcc.base.store import DccStore


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "dcc.db"
    DccStore(path).close()
    return path


def run(store: Path, *words: str) -> str:
    result = CliRunner().invoke(coverage, [*words, "--store", str(store)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.requirement("CHG-32")
def test_hubs_go_where_the_coverage_that_was_noted_says(store: Path) -> None:
    run(store, "set", "South", "AB1 2CD", "--likelihood", "Low")
    run(store, "set", "North", "AB1 2CD", "--technology", "Long range radio", "--equipment", "aerial")
    run(store, "set", "North", "HS1 1AA", "--none", "--anticipated", "2027-01-01")
    assert [row["CSPRegion"] for row in json.loads(run(store, "show", "ab12cd", "--json"))] == ["North", "South"]
    assert json.loads(run(store, "hubs", "ab12cd=10", "HS1 1AA=2", "XX1 1XX=1", "--json")) == [
        {"where": "North", "what": "hubs for Long range radio", "number": "10"},
        {"where": "", "what": "aerial", "number": "10"},
        {"where": "HS1 1AA", "what": "no coverage before 2027-01-01", "number": "0"},
        {"where": "XX1 1XX", "what": "no coverage data", "number": "0"},
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["set", "South"], "read neither, expected a postcode, or --uprn"),
        (["show", "AB1 2CD", "--uprn", "1"], "read both, expected a postcode, or --uprn"),
        (["hubs", "AB1 2CD"], "read AB1 2CD, expected POSTCODE=NUMBER"),
    ],
)
def test_a_place_that_is_none_is_a_usage_error(store: Path, words: list[str], says: str) -> None:
    result = CliRunner().invoke(coverage, [*words, "--store", str(store)])
    assert result.exit_code == 2
    assert says in result.output
