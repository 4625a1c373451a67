"""The loop-back measures when a supply is off after it was told, and what is timed by it is known that much better."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, JigError
from hil.conformance.proofs.alone import run_alone
from hil.conformance.proofs.faults import instruments
from hil.conformance.run import ConformanceRun, RunSession, selected
from ichis.cli import ichis
from ichis.conformance.check import load_checks
from ichis.measuring.calibration import load_calibration
from ichis.measuring.dialect import named
from ichis.measuring.latency import OffLatency
from ichis.profile import load_profile

IDN = named("rigol-dp832")[1].idn
STAND_IN = ("--set", "jig.stand_in.supply=rigol-dp832", "--set", "jig.stand_in.latency_ms=100")


def calibration(folder: Path, table: str) -> Path:
    path = folder / "supply.toml"
    path.write_text(f'serial = "{IDN.split(",")[2]}"\ncalibrated = 2025-06-01\ndue = 2099-06-01\n{table}')
    return path


def test_fifty_times_off_tell_the_latency_and_its_spread() -> None:
    found = json.loads(CliRunner().invoke(ichis, ["loopback", *STAND_IN, "--json"], catch_exceptions=False).output)["off_latency"]
    assert found["times"] == 50
    assert 0.045 < found["shortest_s"] <= found["mean_s"] <= found["longest_s"] < 0.06
    assert found["answered_s"] > found["longest_s"]


def test_the_printed_table_in_the_supply_s_file_makes_a_hold_up_of_a_slow_supply_known(tmp_path: Path) -> None:
    table = CliRunner().invoke(ichis, ["loopback", *STAND_IN, "--times", "5"], catch_exceptions=False).output
    check = next(check for check in load_checks() if check.id == "DYN-07")
    board = instruments("hub", "rigol-dp832", 100)
    without = run_alone((check,), None, board)[0]
    known = run_alone((check,), None, (*board, f"jig.instrument.supply.file={calibration(tmp_path, table)}"))[0]
    assert known.verdict.value == "pass"
    assert known.value == pytest.approx(0.5, abs=0.02)
    assert known.u is not None
    assert without.u is not None
    assert known.u < without.u / 5


def test_an_answer_that_took_longer_than_any_before_leaves_only_what_is_sure() -> None:
    latency = OffLatency(50, 0.04, 0.05, 0.06, 0.005, 0.3)
    assert latency.acted(100.0, 100.2) == (pytest.approx(100.03), pytest.approx(100.07))
    assert latency.acted(100.0, 100.31) == (100.0, 100.31)


def test_without_a_plug_the_loop_back_says_so() -> None:
    """Nothing draws from a supply that ignores on: the line stays high."""
    fault = ("--set", 'jig.stand_in.faults=["supply off ignored"]')
    with pytest.raises(JigError, match=r"switch off|loop-back"):
        CliRunner().invoke(ichis, ["loopback", *STAND_IN, *fault], catch_exceptions=False)


def test_a_table_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="off_latency"):
        load_calibration(calibration(tmp_path, "[off_latency]\nshortest = 1.0\n"), IDN)


def test_a_run_measures_the_latency_of_its_supply_before_its_checks_and_uses_it(tmp_path: Path) -> None:
    board = load_board("simulated", ("jig.stand_in.supply=rigol-dp832", "jig.stand_in.latency_ms=100"))
    run = ConformanceRun(board, load_profile("ichis_default"), tmp_path, Clock(start=board.clock.start, warp=True), selected(("DYN-07",)))
    with RunSession(run) as session:
        found = session.check(run.checks[0], 1)
    assert "of 50 by loop-back at the start" in run.facts["supply off latency"]
    assert found.verdict.value == "pass"
    assert found.u is not None
    assert 0 < found.u < 0.01  # some 100 ms without it


def test_a_latency_that_cannot_be_measured_is_a_deviation_of_the_run(tmp_path: Path) -> None:
    settings = ("jig.stand_in.supply=rigol-dp832", 'jig.stand_in.faults=["off ignored from 3rd"]')
    board = load_board("simulated", settings)
    run = ConformanceRun(board, load_profile("ichis_default"), tmp_path, Clock(start=board.clock.start, warp=True), selected(("SST-01",)))
    with RunSession(run):
        pass
    assert any("the latency of the supply was not measured" in told for told in run.deviations)
