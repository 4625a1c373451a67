"""``chub dcc up`` as a program, and its clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hil.dcc.base.services import UserRole
from tests.dcc.far_end import SUPPLIER
from tests.outside.duis.judges import RunningDcc

CHUB = [sys.executable, "-c", "from firmware_emu.cli import main; main()", "dcc"]


@pytest.fixture
def up(rtds: Path, tmp_path: Path) -> Iterator[Callable[..., RunningDcc]]:
    """Start ``chub dcc up`` on board boxed and the same store each time; what still runs is ended after the test."""
    started: list[RunningDcc] = []
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}

    def start(*options: str) -> RunningDcc:
        store = tmp_path / "dcc.sqlite"
        command = [
            *CHUB,
            "up",
            "--board",
            "boxed",
            "--keys",
            str(rtds / "keys"),
            "--store",
            str(store),
            "--port",
            "0",
            "--gap",
            "0",
            "--json",
        ]
        program = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, env=env)
        assert program.stdout is not None
        running = RunningDcc(program, json.loads(program.stdout.readline()), store)
        started.append(running)
        return running

    yield start
    for running in started:
        running.end()


def chub(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CHUB, *words], capture_output=True, text=True)


def test_other_commands_are_clients_of_a_dcc_that_is_up_and_its_health_is_an_exit_code(
    up: Callable[..., RunningDcc], tmp_path: Path
) -> None:
    store = str(tmp_path / "dcc.sqlite")
    assert chub("status", "--store", store).returncode == 1
    running = up()
    told = chub("status", "--store", store, "--json")
    health = json.loads(told.stdout)
    assert (told.returncode, health["running"], health["problems"]) == (1, True, ["no hub is connected"])
    rows = json.loads(chub("users", "--store", store, "--json").stdout)
    assert {row["user"]: row["role"] for row in rows}[str(SUPPLIER)] == " ".join((UserRole.IS, UserRole.GS, UserRole.ES))
    wrong = chub("device-log", "no-eui", "--store", store)
    assert (wrong.returncode, "no-eui" in wrong.stderr) == (2, True)
    assert chub("down", "--store", store).returncode == 0
    assert running.program.wait() == 0
