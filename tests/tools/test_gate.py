"""``.ci/run`` where no fresh machine can be made, and how ``tools/fresh`` says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def gate(folder: Path, **codes: int) -> tuple[int, str, list[str]]:
    """``.ci/run`` over programs that only note that they ran and end with ``codes``; its exit code, its output, what ran."""
    for name in ("fresh", "lint", "demo", "test"):
        program = folder / "tools" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> ran\nexit {codes.get(name, 0)}\n')
        program.chmod(0o755)
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    done = subprocess.run([str(folder / ".ci" / "run")], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, (folder / "ran").read_text().splitlines()


def test_a_fresh_machine_is_all_that_the_gate_runs_where_one_can_be_made(tmp_path: Path) -> None:
    code, said, ran = gate(tmp_path)
    assert (code, ran) == (0, ["fresh --lint"])
    assert "NOT on a fresh machine" not in said


def test_a_red_fresh_machine_is_a_red_gate_and_nothing_is_tried_elsewhere(tmp_path: Path) -> None:
    assert gate(tmp_path, fresh=1)[0::2] == (1, ["fresh --lint"])


@pytest.mark.parametrize(("codes", "expected"), [({}, 0), ({"lint": 1}, 1), ({"demo": 1}, 1), ({"test": 1}, 1), ({"test": 5}, 1)])
def test_where_no_machine_can_be_made_the_plain_commands_run_and_the_last_lines_say_so(
    tmp_path: Path, codes: dict[str, int], expected: int
) -> None:
    code, said, ran = gate(tmp_path, fresh=3, **codes)
    assert code == expected
    assert ran == ["fresh --lint", "lint ", "demo ", *([] if "demo" in codes else ["test "])]
    assert "NOT on a fresh machine" in said.splitlines()[-2]
    assert said.splitlines()[-1].endswith(f"exit code {expected}")


def test_a_machine_that_cannot_be_made_is_exit_code_three_and_one_line_that_says_why(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "fresh")],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("tools/fresh: ")
    assert "Traceback" not in done.stderr
