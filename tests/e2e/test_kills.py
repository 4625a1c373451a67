"""`chub run kills`: a few kills of each process under load; forty of each are a run of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.commands.run import run
from hil.journeys.kills import PRATTLE, _Program


def test_keep_alives_alone_are_no_progress(tmp_path: Path) -> None:
    program = _Program("home", list, tmp_path)
    lines = [{"area": area, "event": event} for area, event in (*PRATTLE, ("device", "executed"))]
    (tmp_path / "home.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert (program.look(), program.progress) == (3, 1)


@pytest.mark.requirement("CH-03")
@pytest.mark.parametrize("victim", ["hub", "home", "dcc"])
def test_what_is_killed_under_load_loses_nothing_and_does_nothing_twice(victim: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(run, ["kills", victim, "--kills", "2", "--keep", str(tmp_path), "--json"])
    told = json.loads(done.stdout)
    assert (told["kills"], told["wrong"]) == (2, [])
    assert told["answered"] + told["told_none"] == told["requests"] > 0
    assert done.exit_code == 0
