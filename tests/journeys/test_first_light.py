"""First light on virtual dongles of another process, by the command that an engineer types."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.inventory.mocked_bus import chub_ncp
from tests.patience import PATIENCE_S


def checked(folder: Path, *options: str) -> tuple[int, dict[str, object]]:
    command = [sys.executable, "-c", "from firmware_emu.cli import main; main()", "hub", "check", "--no-journey", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=folder)
    assert "Traceback" not in done.stderr, done.stderr
    told: dict[str, object] = json.loads(done.stdout) if done.stdout else {"error": done.stderr}
    return done.returncode, told


def test_a_lone_dongle_shows_the_contract_of_a_radio_in_a_report(tmp_path: Path) -> None:
    with chub_ncp("--personality", "zbdongle-e-7.4") as (port, _):
        code, told = checked(tmp_path, "--radio", port)
    assert (code, told["verdict"]) == (0, "pass"), told
    folder = tmp_path / str(told["run"])
    assert (folder / "report.html").is_file()
    assert (folder / "personality.toml").is_file()


def test_a_port_where_nothing_answers_is_told_in_one_line(tmp_path: Path) -> None:
    code, told = checked(tmp_path, "--radio", str(tmp_path / "none"))
    assert code == 2
    assert len(str(told["error"]).strip().splitlines()) == 1
