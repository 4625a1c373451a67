"""Every benchmark in its smallest size, as a program: it runs, and each figure that has a budget is judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

_TOOLS = Path(__file__).resolve().parents[2] / "tools"
SMALLEST = {
    "duis": ("--requests", "3", "--sizes", "10"),
    "memory": ("--part", "memory-home", "--requests", "30"),
    "fleet": ("--homes", "1", "--homes", "2", "--requests", "2", "--rounds", "1"),
}
ELSEWHERE = {"gbcs": "test_bench.py", "han": "test_bench_han_and_home.py", "home": "test_bench_han_and_home.py"}
"""Those that have tests of their own."""


def test_no_benchmark_is_left_out() -> None:
    nouns = {file.stem.removeprefix("bench_") for file in (_TOOLS / "benchmarks").glob("bench_*.py")}
    assert nouns == {*SMALLEST, *ELSEWHERE}


@pytest.mark.timeout(PATIENCE_S)
@pytest.mark.parametrize("noun", sorted(SMALLEST))
def test_a_benchmark_runs_and_judges_what_has_a_budget(noun: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(_TOOLS / "bench"), noun, *SMALLEST[noun], "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "CHUB_PREPARED": "1"},
    )
    assert done.returncode in (0, 1), done.stderr  # 1: a budget is not met, as may be in so small a size on a busy machine
    timings = json.loads(done.stdout)["timings"]
    assert timings
    assert all(isinstance(one["value"], float | int) and ("met" in one) is ("budget" in one) for one in timings)
