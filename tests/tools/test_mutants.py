"""Faults in everything that makes a pre-command are noticed before anybody signs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def score(duis: Path, rtds: Path, *options: str) -> dict[str, object]:
    program = [sys.executable, str(ROOT / "tools" / "mutants"), *options, "--duis", str(duis), "--rtds", str(rtds), "--json"]
    done = subprocess.run(program, env={**os.environ, "CHUB_PREPARED": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("pattern", ["ECS07", "GCS24_"])
def test_no_wrong_value_out_of_the_transform_survives_correlate(duis: Path, rtds: Path, pattern: str) -> None:
    found = score(duis, rtds, "values", "--templates", pattern)
    assert found["survivors"] == []
    assert found["outcomes"]["noticed"] > 50  # type: ignore[index]


def test_no_flipped_bit_survives_that_the_inputs_could_prove(duis: Path, rtds: Path) -> None:
    found = score(duis, rtds, "bits", "--templates", "GCS32_", "--no-facts")
    assert found["survivors"] == []
    assert set(found["not_checked"]) == {"creation time"}  # type: ignore[call-overload]
