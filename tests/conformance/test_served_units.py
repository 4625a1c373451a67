"""Units that ``chub ichis serve`` puts into the socket, judged by ``chub ichis check`` in another process, as a real hub would be."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hil.report.signature import verify
from tests.patience import PATIENCE_S

CHUB = [str(Path(sys.executable).parent / "chub")]


@contextlib.contextmanager
def served(folder: Path, unit: str, *options: str) -> Iterator[Path]:
    """The board of a served unit, ten bench seconds in one."""
    board = folder / f"{unit}.toml"
    words = ["ichis", "serve", str(folder / unit), "--unit", unit, "--speed", "10", "--write-board", str(board), "--json", *options]
    server = subprocess.Popen([*CHUB, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        json.loads(server.stdout.readline())
        yield board
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=PATIENCE_S)


def checked(board: Path, *checks: str, boards: Sequence[Path] = ()) -> tuple[int, dict[str, Any]]:
    """Exit code and findings of these checks, with nobody at the console; on further boards at the same time."""
    named = [word for one in (board, *boards) for word in ("--board", str(one))]
    words = ["ichis", "check", *named, *(word for check in checks for word in ("--select", check)), "--json"]
    done = subprocess.run(
        [*CHUB, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        env={**os.environ, "CHUB_RUNS": str(board.parent / "runs")},
    )
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {row["id"]: row["verdict"] for row in found["checks"]}


@pytest.mark.requirement("ICH-11")
def test_a_good_unit_passes_and_one_with_a_foreign_identity_is_named_as_it_names_itself(tmp_path: Path) -> None:
    photograph = tmp_path / "unit.png"
    Image.new("RGB", (3000, 2000), "green").save(photograph)
    with served(tmp_path, "foreign-eui", "--as", "keysight-e36313a", "--latency", "20ms") as board:
        board.write_text(board.read_text() + f'[report]\nphotograph = "{photograph}"\n')
        code, found = checked(board, "MAT-01", "SST-01", "SST-02", "SER-03", "ACL-09")
    assert verdicts(found) == {"MAT-01": "pass", "SST-01": "pass", "SST-02": "pass", "SER-03": "pass", "ACL-09": "not applicable"}
    assert code == 0
    run = Path(found["report"]).parent
    assert 'src="data:image/jpeg;base64,' in (run / "report.html").read_text()
    kept = (run / "waveforms" / "SST-02-1.csv").read_text().splitlines()
    assert len(kept) > 5
    assert kept[0] == "seconds,volts"
    assert verify(run).problems == ()
    assert "waveforms/SST-02-1.csv" in verify(run).files
    facts = json.loads((Path(found["report"]).parent / "report.json").read_text())["facts"]
    assert facts["hub"] == "real, it says: bench link 1 (not ICHIS); modelled unit 00-DB-12-34-56-78-90-FF"
    assert "E36313A" in facts["supply"]


def test_a_supply_that_ignores_off_in_another_process_fails_the_run_with_exit_code_1_and_what_to_do(tmp_path: Path) -> None:
    faults = ("--fault", "off ignored from 2nd", "--fault", "probe 3s late at 12th")
    with served(tmp_path, "good", "--as", "rigol-dp832", *faults) as board:
        code, found = checked(board, "SST-01", "SST-06")
    assert (code, found["verdict"]) == (1, "fail"), "whatever the checks say, the supply may be on"
    assert set(verdicts(found).values()) <= {"not tested", "inconclusive"}
    assert any("pull its mains plug" in problem for problem in found["problems"])


def test_a_bad_unit_fails_its_check_with_exit_code_1(tmp_path: Path) -> None:
    with served(tmp_path, "leaky") as board:
        code, found = checked(board, "SST-01", "SST-06")
    assert verdicts(found) == {"SST-01": "pass", "SST-06": "fail"}
    assert code == 1


def test_a_unit_whose_presence_is_hard_wired_is_not_judged_by_it(tmp_path: Path) -> None:
    with served(tmp_path, "hardwired") as board:
        code, found = checked(board, "SST-02", "SST-06", "DYN-07")
    judged = verdicts(found)
    assert judged.pop("SST-06") == "pass"
    assert set(judged.values()) <= {"not tested", "inconclusive"}
    assert all("hard-wired" in row["why"] for row in found["checks"] if row["id"] in judged)
    assert code == 1


def test_a_unit_that_holds_for_less_than_it_must_never_passes(tmp_path: Path) -> None:
    with served(tmp_path, "short-hold-up", "--speed", "2") as board:  # at 10 it lacks 9 ms, and a busy machine is later
        _, found = checked(board, "DYN-07")
    assert verdicts(found)["DYN-07"] in {"fail", "indeterminate", "inconclusive", "not tested"}


def test_a_question_that_nobody_at_the_console_answers_ends_the_run_with_its_report(tmp_path: Path) -> None:
    with served(tmp_path, "good") as board:
        board.write_text("\n".join(line for line in board.read_text().splitlines() if not line.startswith("mating")))
        code, found = checked(board, "SST-01")
    assert (code, found["verdict"]) == (1, "inconclusive")
    assert any("nobody answers at this console" in problem for problem in found["problems"])


def test_one_command_judges_two_units_at_once_on_one_station_each_with_its_own_verdict(tmp_path: Path) -> None:
    with served(tmp_path, "good") as good, served(tmp_path, "leaky") as leaky:
        code, found = checked(good, "SST-06", boards=(leaky,))
    assert (code, found["verdict"]) == (1, "fail")
    assert [(run["board"], run["exit_code"], verdicts(run)["SST-06"]) for run in found["runs"]] == [
        (str(good), 0, "pass"),
        (str(leaky), 1, "fail"),
    ]
    assert len({run["report"] for run in found["runs"]}) == 2
