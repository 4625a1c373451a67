"""The journey of ``tools/demo``, run once as a user runs it; each step is a test of its own, each row named where it is proven."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import junitparser
import pytest

from tests.patience import PATIENCE_S

CHUB = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]

ROWS: dict[str, tuple[str, ...]] = {
    "the DCC lists the hub": (),
    "supply on": ("CH-32", "ICH-02"),
    "boot": (),
    "SM WAN": ("CH-01",),
    "CHF Commissioned": ("CH-01", "INV-04"),
    "HAN formed": ("CH-02",),
    "12.2 pre-notify esme": (),
    "12.2 pre-notify gsme": (),
    "12.2 pre-notify ppmid": (),
    "12.2 pre-notify ihd": (),
    "8.11 add esme": ("SVC-8.11", "CH-05", "CH-06"),
    "8.11 add gsme": ("SVC-8.11",),
    "8.11 add ppmid": ("SVC-8.11",),
    "8.11 add ihd": ("CH-08",),
    "refused: a Device not in the log that tries to join": ("CH-05",),
    "esme joins": ("CH-02",),
    "gsme joins": ("CH-02",),
    "ppmid joins": ("CH-02",),
    "ihd joins": ("CH-08",),
    "8.1.1 commission esme": ("SVC-8.1", "CH-14"),
    "8.1.1 commission gsme": ("SVC-8.1", "CH-14"),
    "8.7.1 join ESME with PPMID": ("SVC-8.7-T1", "CH-30"),
    "8.7.1 join PPMID with ESME": ("SVC-8.7-T1",),
    "8.7.2 join GSME with GPF": ("SVC-8.7-T1",),
    "8.7.2 join ESME with IHD": ("SVC-8.7-T2",),
    "4.1.1 import registers of the ESME": ("SVC-4.1", "CH-03", "CH-15"),
    "GPF read equals what the gas meter pushed": ("GPF-01", "GPF-02", "GPF-09", "GPF-12", "CH-04"),
    "8.9 device log, compared three ways": ("SVC-8.9", "CH-06"),
    "7.2 disable supply": ("GW-15", "GW-17", "GW-18", "GW-36", "SHP-04"),
    "refused: a replayed command": (),
    "refused: a flipped MAC bit": ("CH-16",),
    "refused: a command signed by another supplier": ("CH-17",),
    "refused: a commission of a Device whose hub is not commissioned": ("CH-31",),
    "AC lost for 20 s": ("CH-11", "CH-12", "ALERT-A24"),
    "AC lost for 200 s": ("CH-11", "CH-13", "ALERT-A25"),
    "restart keeps log, keys and counters": ("CH-05",),
    "the waiting message is delivered to the gas meter": ("CH-03",),
    "8.11 remove the IHD": ("SVC-8.11",),
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Output of ``chub run demo --json``."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [*CHUB, "run", "demo", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "CHUB_RUNS": str(folder / "runs")},
    )
    assert done.stdout.startswith("{"), done.stderr[-2000:]
    printed = json.loads(done.stdout)
    printed["exit"] = done.returncode
    return printed  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def run_folder(demo: dict[str, object]) -> Path:
    return Path(str(demo["run"]))


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.requirement(row) for row in rows]) for name, rows in ROWS.items()])
def test_a_step_of_the_journey_passes(demo: dict[str, object], name: str) -> None:
    steps = {step["name"]: step for step in demo["steps"]}  # type: ignore[attr-defined]
    assert name in steps, f"the run ended before it: {list(steps)[-1]}"
    assert steps[name]["verdict"] == "pass", steps[name].get("why")


@pytest.mark.requirement("SHP-01")
def test_the_journey_is_whole_and_its_verdict_is_pass(demo: dict[str, object]) -> None:
    assert [step["name"] for step in demo["steps"]] == list(ROWS)  # type: ignore[attr-defined]
    assert demo["verdict"] == "pass"
    assert demo["exit"] == 0


def test_the_decrypted_register_is_the_meters_own(demo: dict[str, object]) -> None:
    values = next(step["values"] for step in demo["steps"] if step["name"].startswith("4.1.1"))  # type: ignore[attr-defined]
    assert values["read, Wh"] == values["the meter's own, Wh"] > 0


@pytest.mark.requirement("CH-35")
def test_the_run_leaves_board_trace_capture_report_and_junit(run_folder: Path) -> None:
    for name in ("board.json", "trace.jsonl", "han.pcapng", "zigbee_pc_keys", "report.html", "junit.xml"):
        assert (run_folder / name).stat().st_size > 0, name
    assert (run_folder / "han.pcapng").stat().st_size > 100_000, "every frame of the HAN"
    assert stat.S_IMODE((run_folder / "zigbee_pc_keys").stat().st_mode) == 0o600
    (suite,) = junitparser.JUnitXml.fromfile(str(run_folder / "junit.xml"))
    assert suite.tests == len(ROWS)
    areas = {json.loads(line)["area"] for line in (run_folder / "trace.jsonl").open()}
    assert {"dcc", "wan", "hub", "han", "device", "ichis", "power"} <= areas
    assert "median request to response" in (run_folder / "report.html").read_text()


def test_no_key_and_no_install_code_is_in_trace_or_report(run_folder: Path) -> None:
    exported = re.findall(r'"([0-9a-f:]{47})"', (run_folder / "zigbee_pc_keys").read_text())
    secrets = [key.replace(":", "") for key in exported] + ["0102030405060708090a0b0c0d0e0f10"]
    assert len(secrets) > 5
    for name in ("trace.jsonl", "report.html", "board.json", "junit.xml"):
        text = (run_folder / name).read_text().lower()
        assert not [secret for secret in secrets if secret in text], name


@pytest.mark.needs("tshark")
class TestTheCaptureInTshark:
    """An independent dissector with the exported keys."""

    def tshark(self, folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["tshark", "-r", str(folder / "han.pcapng"), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
            env={**os.environ, "WIRESHARK_CONFIG_DIR": str(folder)},
        )
        return done.stdout

    def test_no_frame_is_malformed_and_none_stays_encrypted(self, run_folder: Path) -> None:
        assert self.tshark(run_folder, "-Y", "_ws.malformed") == ""
        assert "Encrypted Payload" not in self.tshark(run_folder, "-q", "-z", "expert")

    @pytest.mark.parametrize(
        ("frames", "said"),
        [
            ("zbee_aps.cluster==0x0704", "Request Tunnel"),
            ("zbee_aps.cluster==0x0800", "Initiate Key Establishment"),
            ("gbcs_tunnel", "GCS13a"),
            ("zbee_aps.cluster==0x000a", "Read Attributes Response"),
            ("zbee_aps.cluster==0x0025", "Read Attributes Response"),
            ("gbcs_message", "ECS43 Remotely Open the Load Switch"),
        ],
    )
    def test_tunnels_key_establishment_and_messages_are_dissected(self, run_folder: Path, frames: str, said: str) -> None:
        lines = self.tshark(run_folder, "-Y", frames, "-T", "fields", "-e", "_ws.col.Info").splitlines()
        assert any(said in line for line in lines), lines[:5]

    def test_smart_energy_is_aps_secured_after_key_establishment(self, run_folder: Path) -> None:
        clear = "zbee_aps.profile==0x0109 && zbee_zcl && !(zbee_aps.cluster==0x0800) && !(zbee_aps.cluster==0x0000) && !zbee.sec.key_id"
        assert self.tshark(run_folder, "-Y", clear) == ""

    def test_without_the_keys_nothing_above_the_network_layer_is_seen(self, run_folder: Path, tmp_path: Path) -> None:
        shutil.copy(run_folder / "han.pcapng", tmp_path)
        assert self.tshark(tmp_path, "-Y", "zbee_zcl") == ""
