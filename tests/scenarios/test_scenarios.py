"""Each scenario is one command, and here one test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.commands.run import run
from hil.scenarios.catalogue import SCENARIOS
from hil.scenarios.scenario import UnknownScenario


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_shows_what_it_must(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path))
    outcome = CliRunner().invoke(run, ["scenario", name, "--json"])
    told = json.loads(outcome.stdout)
    assert [(step["name"], step["why"]) for step in told["steps"] if step["verdict"] != "pass"] == []
    assert outcome.exit_code == 0
    assert {path.name for path in Path(told["run"]).iterdir()} >= {"report.html", "junit.xml", "trace.jsonl"}


def test_scenarios_are_listed_and_an_unknown_one_is_refused_by_name() -> None:
    listed = json.loads(CliRunner().invoke(run, ["scenario", "--json"]).stdout)["scenarios"]
    assert [row["name"] for row in listed] == list(SCENARIOS)
    outcome = CliRunner().invoke(run, ["scenario", "no-such"])
    assert isinstance(outcome.exception, UnknownScenario)
    assert "power-cut" in str(outcome.exception)
