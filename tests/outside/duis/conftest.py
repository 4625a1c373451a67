"""A DCC that is up as a program of its own, and the published packages that judge what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.outside.duis.judges import PACKAGES, Judge, RunningDcc


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of the npm packages, fetched once for this user."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "commshub" / "npm-duis"
    if not all((folder / "node_modules" / name.rpartition("@")[0]).is_dir() for name in PACKAGES):
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"npm cannot fetch {', '.join(PACKAGES)}: {done.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture(scope="session")
def judge(packages: Path) -> Judge:
    return Judge(packages)


@pytest.fixture(scope="session")
def boxed_keys(packages: Path) -> Path:
    """The published test keystore, in DCC Boxed's JSON."""
    return packages / "node_modules" / "@smartdcc" / "dccboxed-keystore" / "keystore.json"


@pytest.fixture
def dcc_up(boxed_keys: Path, tmp_path: Path) -> Iterator[Callable[..., RunningDcc]]:
    """Start ``chub dcc up`` on board boxed with more options; ended after the test."""
    started: list[RunningDcc] = []

    def start(*options: str) -> RunningDcc:
        command = [sys.executable, "-c", "from firmware_emu.cli import main; main()", "dcc", "up", "--board", "boxed"]
        command += ["--keys", str(boxed_keys), "--store", str(tmp_path / "dcc.sqlite"), "--port", "0", "--gap", "0", "--json", *options]
        program = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
        )
        assert program.stdout is not None
        running = RunningDcc(program, json.loads(program.stdout.readline()), tmp_path / "dcc.sqlite")
        started.append(running)
        return running

    yield start
    for running in started:
        running.end()
