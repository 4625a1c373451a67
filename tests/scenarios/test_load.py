"""Many users over many homes while links fail and the DCC dies: nothing is lost, doubled or given to the wrong user."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.commands.run import run
from hil.dcc.base.results import Delivery
from hil.scenarios.estate import Estate, Plan, open_estate
from hil.scenarios.load import LoadReport, LoadRun, LoadScenario


def carried_out(folder: Path, wanted: LoadScenario, spoil: object = None) -> LoadReport:
    board = load_board("simulated")
    clock = Clock(start=board.clock.start, warp=True)

    async def main() -> LoadReport:
        async with open_estate(board, Plan(6, 3), clock, Trace(clock.now), folder) as estate:
            await estate.install()
            running = LoadRun(estate, wanted)
            if callable(spoil):
                spoil(estate)
            return await running.run()

    return clock.run(main())


@pytest.mark.requirement("GW-01")
def test_every_request_is_answered_once_to_its_user_while_links_fail_and_the_dcc_dies_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path))
    outcome = CliRunner().invoke(
        run, ["load", "--homes", "8", "--users", "4", "--requests", "160", "--link-failures", "0.05", "--seed", "3", "--json"]
    )
    report = json.loads(outcome.stdout)
    assert outcome.exit_code == 0, report["problems"]
    assert (report["answered"], report["delivered"], report["executed"], report["kills"]) == (160, 160, 160, 2)
    assert report["links_failed"] > 5
    assert report["latency_bench_s"]["p99"] < 60
    assert json.loads((Path(report["run"]) / "load.json").read_text())["verdict"] == "pass"


def test_a_response_given_twice_or_to_another_user_is_found(tmp_path: Path) -> None:
    def spoil(estate: Estate) -> None:
        one, other, _ = estate.users.values()
        deliver = one.deliver

        def to_both(delivery: Delivery) -> None:
            deliver(delivery)
            other.inbox.append(delivery)

        one.deliver = to_both  # type: ignore[method-assign]

    report = carried_out(tmp_path, LoadScenario(30, 0.0, 0), spoil)
    assert any("answered 2 times" in problem for problem in report.problems)
    assert any("went to" in problem for problem in report.problems)


def test_a_home_that_does_not_answer_is_found(tmp_path: Path) -> None:
    def spoil(estate: Estate) -> None:
        estate.dwellings[0].devices["ESME"].power(False)

    report = carried_out(tmp_path, LoadScenario(12, 0.0, 0), spoil)
    assert any("was never answered" in problem for problem in report.problems)
    assert report.answered < 12
