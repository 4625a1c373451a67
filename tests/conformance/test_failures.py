"""Runs in which something goes wrong: they end cleanly, the supply is off, and the report says what happened and what was not tested."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from hil.conformance.checkpoint import Checkpoint
from hil.conformance.run import ConformanceRun, RunSession, record_of, selected
from hil.conformance.runner import CheckResult
from hil.report.conformance import RunRecord, render, write_record
from ichis.profile import load_profile
from ichis.simulated_jig import SimulatedJig
from tests.patience import PATIENCE_S

CHUB = [str(Path(sys.executable).parent / "chub")]
SERVED_GROUPS = ("mating", "supply")
SERVED = [word for group in SERVED_GROUPS for word in ("--select", group)]
"""Groups in which instruments read and act the most: every exchange takes real time."""


def carried_out(
    folder: Path,
    *groups: str,
    on_result: Callable[[CheckResult, RunSession], None] | None = None,
    settings: tuple[str, ...] = (),
    board_name: str = "simulated",
) -> RunRecord:
    """The chosen groups without pytest around them; ``on_result`` may break things."""
    board = load_board(board_name, settings)
    folder.mkdir(exist_ok=True)
    run = ConformanceRun(board, load_profile("ichis_default"), folder, Clock(start=board.clock.start, warp=True), selected(groups))
    with RunSession(run) as session:
        for check in run.checks:
            result = session.check(check, 1)
            if on_result is not None:
                on_result(result, session)
    record = record_of(run, datetime(2026, 1, 5, tzinfo=UTC), 1.0)
    write_record(record, folder)
    return record


@pytest.fixture
def supplies(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[SimulatedJig]]:
    """Every jig that was made."""
    made: list[SimulatedJig] = []
    real = SimulatedJig.close

    async def close(jig: SimulatedJig) -> None:
        made.append(jig)
        await real(jig)

    monkeypatch.setattr(SimulatedJig, "close", close)
    yield made
    assert made


def test_a_serial_cable_pulled_in_mid_check_costs_its_checks_and_not_the_others(tmp_path: Path, supplies: list[SimulatedJig]) -> None:
    def pull(result: CheckResult, session: RunSession) -> None:
        if result.check.id == "SER-02":
            session._bench.station.bench_jig._port._serial.close()  # type: ignore[attr-defined]

    record = carried_out(tmp_path, "serial", "reserved", on_result=pull)
    verdicts = {row["id"]: row["verdict"] for row in record["checks"]}
    assert verdicts["SER-01"] == verdicts["SER-02"] == "pass"
    assert verdicts["SER-04"] in ("fail", "inconclusive")
    assert record["verdict"] in ("fail", "inconclusive")
    assert not supplies[-1].socket.feed.feeding
    assert any("line is gone" in row["why"] or "cannot write" in row["why"] for row in record["checks"])


@pytest.mark.parametrize("trouble", ["answered 'banana', expected a number", "no usable answer (timeout)"])
def test_a_supply_that_answers_nonsense_or_not_at_all_ends_the_run_with_the_rest_not_tested(
    trouble: str,
    tmp_path: Path,
    supplies: list[SimulatedJig],
) -> None:
    def spoil(result: CheckResult, session: RunSession) -> None:
        if result.check.id == "SST-03":

            async def refuse() -> float:
                raise JigError(f"supply: :MEAS:CURR?: {trouble}")

            supply = session._bench.station.bench_jig.supply
            supply.measure_current = supply.measure_voltage = supply.confirm = refuse  # type: ignore[method-assign]

    record = carried_out(tmp_path, "supply static", on_result=spoil)
    verdicts = {row["id"]: row["verdict"] for row in record["checks"]}
    assert verdicts["SST-03"] == "pass"
    assert verdicts["SST-04"] == "inconclusive"
    assert record["verdict"] == "inconclusive"
    assert record["not_tested"] == ["SST-05", "SST-06", "SST-07", "SST-08"]
    assert trouble in record["problems"][0]
    assert not supplies[-1].socket.feed.feeding
    page = render(record)
    assert "Not tested" in page
    assert "SST-08" in page


@pytest.mark.parametrize("model", ["rigol-dp832", "tti-ql355", "scpi-supply"])
def test_a_supply_that_ignores_off_fails_the_run_and_the_report_says_what_to_do(model: str, tmp_path: Path) -> None:
    settings = (f"jig.stand_in.supply={model}", "jig.stand_in.probes=scpi-scanner", 'jig.stand_in.faults=["supply off ignored from 4th"]')
    record = carried_out(tmp_path, "SST-01", "SST-05", settings=settings)
    assert record["verdict"] == "fail", "whatever the checks say, the bench is still on"
    assert any("switch it off at its panel or pull its mains plug" in problem for problem in record["problems"])
    assert "switch it off at its panel" in render(record)


def test_a_disk_that_takes_no_more_ends_the_run_and_the_report_is_still_written(tmp_path: Path, supplies: list[SimulatedJig]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "trace.jsonl").symlink_to("/dev/full")
    record = carried_out(tmp_path / "run", "mating")
    assert record["verdict"] == "inconclusive"
    assert "No space left on device" in record["problems"][0]
    assert len(record["not_tested"]) == len(record["checks"])
    assert (tmp_path / "run" / "report.html").stat().st_size > 5000
    assert not supplies[-1].socket.feed.feeding


@pytest.mark.parametrize("kilobytes", [8500, 9500], ids=["too small from the start", "fills up"])
def test_a_disk_of_ten_megabytes_that_fills_up_leaves_a_report(kilobytes: int, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(small)], capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here: needs root")
    try:
        done = subprocess.run(
            [*CHUB, "ichis", "check", "--json"],
            env={**os.environ, "CHUB_RUNS": str(small)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 1, done.stderr[-2000:]
        record = json.loads((Path(json.loads(done.stdout)["report"]).parent / "report.json").read_text())
        assert record["verdict"] == "inconclusive"
        assert record["not_tested"]
        assert record["problems"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.requirement("ICH-11")
def test_the_suite_runs_over_a_supply_in_another_process_with_no_change_but_the_board(tmp_path: Path) -> None:
    with served(tmp_path):
        done = check(tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    verdicts = [row["verdict"] for row in json.loads(done.stdout)["checks"]]
    assert set(verdicts) == {"pass"}
    assert len(verdicts) >= 30


def test_a_supply_whose_process_dies_in_mid_run_is_reported_as_not_switched_off(tmp_path: Path) -> None:
    with served(tmp_path) as server:

        def kill(result: CheckResult, session: RunSession) -> None:
            if result.check.id == "SST-02":
                server.kill()
                server.wait()

        record = carried_out(tmp_path / "runs", *SERVED_GROUPS, on_result=kill, board_name=str(tmp_path / "board.toml"))
    assert record["verdict"] == "fail", "nobody knows that the supply is off"
    assert "DYN-12" in record["not_tested"]
    assert any("look at the supply" in problem for problem in record["problems"])


def test_a_run_interrupted_at_the_keyboard_leaves_its_report_and_says_what_was_not_tested(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [*CHUB, "ichis", "check", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CHUB_RUNS": str(tmp_path)},
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "5/77" in line:
            break
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 1, errors[-2000:]
    record = json.loads((Path(json.loads(out)["report"]).parent / "report.json").read_text())
    assert record["verdict"] == "inconclusive"
    assert 0 < len(record["not_tested"]) < 77
    assert any("keyboard" in row["why"] for row in record["checks"])
    assert "Traceback" not in errors


@pytest.mark.parametrize("within_a_check", [False, True])
def test_an_interrupt_lands_between_checks_or_in_what_the_bench_awaits_and_nowhere_else(tmp_path: Path, within_a_check: bool) -> None:
    ours = signal.getsignal(signal.SIGINT)

    def interrupt(result: CheckResult, session: RunSession) -> None:
        if len(session.run.results) == 2 and within_a_check:
            session._loop.get_loop().call_later(0.01, signal.raise_signal, signal.SIGINT)
        elif len(session.run.results) == 2:
            signal.raise_signal(signal.SIGINT)

    record = carried_out(tmp_path / "run", "mating", on_result=interrupt)
    verdicts = [row["verdict"] for row in record["checks"]]
    whys = [row["why"] for row in record["checks"]]
    assert verdicts[:2] == ["pass", "pass"]
    assert verdicts[2] == ("inconclusive" if within_a_check else "not tested")
    assert set(verdicts[3:]) == {"not tested"}
    assert all("keyboard" in why for why in whys[2:])
    assert record["verdict"] == "inconclusive"
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    signal.signal(signal.SIGINT, ours)


def test_a_served_jig_that_is_told_to_end_takes_its_terminals_away(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        assert (tmp_path / "served" / "supply").is_symlink()
        server.terminate()
        server.wait(timeout=PATIENCE_S)
        assert server.returncode == 0
    assert not (tmp_path / "served" / "supply").is_symlink()


class served:
    """``chub ichis serve`` in a process, with its board file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> subprocess.Popen[str]:
        self._server = subprocess.Popen(
            [*CHUB, "ichis", "serve", str(self._folder / "served"), "--write-board", str(self._folder / "board.toml"), "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        json.loads(self._server.stdout.readline())
        return self._server

    def __exit__(self, *_: object) -> None:
        if self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)
        self._server.communicate(timeout=PATIENCE_S)


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CHUB, "ichis", "check", "--board", str(folder / "board.toml"), *SERVED, "--json"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "CHUB_RUNS": str(folder / "runs")},
    )


def test_power_cycles_are_counted_on_disk_and_a_later_run_goes_on_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board, profile = load_board("simulated"), load_profile("ichis_default")
    cycles = replace(profile.limits["endurance_cycles"], value=12.0)
    profile = replace(profile, limits={**profile.limits, "endurance_cycles": cycles})

    def run(name: str, resume: Path | None = None) -> ConformanceRun:
        (tmp_path / name).mkdir()
        clock = Clock(start=board.clock.start, warp=True)
        return ConformanceRun(board, profile, tmp_path / name, clock, selected(("END-01",)), resume=resume)

    note = Checkpoint.note

    def broken_off(count: Checkpoint, reached: bool) -> None:
        note(count, reached)
        if count.done == 5:
            raise JigError("somebody pulled the plug")

    first = run("first")
    with RunSession(first) as session, monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "note", broken_off)
        assert session.check(first.checks[0], 1).verdict.value == "inconclusive"
    second = run("second", tmp_path / "first")
    with RunSession(second) as session:
        result = session.check(second.checks[0], 1)
    assert (result.verdict.value, result.value) == ("pass", 12.0)
    assert json.loads((tmp_path / "second" / "checkpoint.json").read_text())["done"] == 12
    assert any("5 power cycles" in one for one in second.deviations)
    other = run("other", tmp_path)
    with RunSession(other) as session:
        assert session.check(other.checks[0], 1).verdict.value == "not tested", "there is no count in that folder"
