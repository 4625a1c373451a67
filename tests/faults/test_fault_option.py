"""``--fault`` of ``chub run``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.errors import CommsHubError
from hil.commands.run import run


@pytest.mark.parametrize("command", [["demo"], ["home", "--wan", "127.0.0.1:1"]])
def test_a_sentence_that_cannot_be_read_stops_the_run_before_anything_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path / "runs"))
    result = CliRunner().invoke(run, [*command, "--fault", "han drop 5% to gsem"])
    assert isinstance(result.exception, CommsHubError)
    told = "fault 'han drop 5% to gsem': word 5 is 'gsem': expected one of esme, gsme, ppmid, ihd, hub; did you mean gsme?"
    assert str(result.exception) == told
    assert not (tmp_path / "runs").exists()


def test_the_demo_passes_under_faults_and_saves_them_with_their_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path))
    faults = ["han drop 5% to gsme", "wan duplicate to hub", "nvm torn at 40th write"]
    result = CliRunner().invoke(run, ["demo", "--json", *(word for sentence in faults for word in ("--fault", sentence))])
    assert result.exit_code == 0, result.output
    folder = Path(json.loads(result.stdout)["run"])
    saved = json.loads((folder / "faults.json").read_text())
    assert [fault["sentence"] for fault in saved["faults"]] == faults
    assert all(fault["effects"] > 0 for fault in saved["faults"])
    assert saved["seed"] == 1
    trace = [json.loads(line) for line in (folder / "trace.jsonl").read_text().splitlines()]
    assert {one["source"] for one in trace if one["area"] == "bench" and one["event"] == "added"} == {"fault 1", "fault 2", "fault 3"}
