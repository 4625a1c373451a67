"""``tools/bench han`` and ``tools/bench home`` as programs: every figure is there and judged; which way is not a test's business."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_S

_BENCH = Path(__file__).resolve().parents[2] / "tools" / "bench"


def bench(*options: str) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(_BENCH), *options, "--json"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "CHUB_PREPARED": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return {one["name"]: one for one in json.loads(done.stdout)["timings"]}


def test_an_ezsp_command_is_held_against_a_bare_echo_and_joins_and_frames_are_counted() -> None:
    told = bench("han", "--rounds", "3", "--joins", "2")
    command = told["EZSP nop, octets alone"]
    assert command["beside"] == "bare pty echo"
    assert command["met"] is (command["ratio"] <= 3)
    assert "met" not in told["EZSP nop through bellows"]
    assert all(one["value"] > 0 for one in told.values())
    assert {"joins, association to network key", "joins with key establishment"} <= told.keys()
    assert told["octets on the air"]["value"] > 10 * told["frames on the air"]["value"]


def test_a_virtual_day_holds_the_pushes_of_the_gas_meter_and_is_held_against_its_budget() -> None:
    told = bench("home", "--days", "1", "--requests", "3")
    assert told["wake-ups of the gas meter in a day"]["value"] >= 48
    day, request = told["a virtual day of one home"], told["request to response, whole chain, warm"]
    assert day["met"] is (day["value"] < 2)
    assert request["met"] is (request["value"] < 30)
