"""`chub run display` on either dongle: an IHD reads the electricity meter under a link key of the trust centre, also after a hub swap."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.commands.run import display


@pytest.mark.requirement("CH-33")
@pytest.mark.parametrize("family", ["ezsp", "znp"])
def test_a_display_reads_the_meter_that_the_dcc_joined_it_with_before_and_after_a_hub_swap(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path))
    done = CliRunner().invoke(display, ["--set", f"radio.kind={family}", "--json", "--no-keys"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["verdict"]) == (0, "pass"), told["steps"][-1]
    steps = {step["name"]: step for step in told["steps"]}
    first, second = (steps[name]["values"] for name in steps if name.startswith("ihd shows"))
    assert first["message"] == second["message"]
    assert 0 < first["total, Wh"] < second["total, Wh"]
    assert first["price"] == second["price"] > 0
    judged = told["steps"][-1]
    assert (judged["verdict"] == "pass") is (shutil.which("tshark") is not None)
    assert not list(tmp_path.rglob("zigbee_pc_keys")), "keys are exported where they are asked for"
