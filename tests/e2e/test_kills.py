"""`chub run kills`: a few kills of each process under load; forty of each are a run of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.commands.run import run

VICTIMS = ("hub",)
"""Not the DCC: one that dies while it gives out a pre-command leaves that request without it, and its user cannot ask again. Not the home:
a reading that was on its way when the home died may be executed after the one that follows it."""


@pytest.mark.requirement("CH-03")
@pytest.mark.parametrize("victim", VICTIMS)
def test_what_is_killed_under_load_loses_nothing_and_does_nothing_twice(victim: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(run, ["kills", victim, "--kills", "2", "--keep", str(tmp_path), "--json"])
    told = json.loads(done.stdout)
    assert (told["kills"], told["wrong"]) == (2, [])
    assert told["answered"] + told["told_none"] == told["requests"] > 0
    assert done.exit_code == 0
