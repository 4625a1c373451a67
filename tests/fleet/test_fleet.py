"""A fleet: partitions on workers of Dask, of which one is killed; results merged, each home once; a problem played again alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from hil.fleet import phases
from hil.fleet.command import fleet
from hil.fleet.partition import HomeResult, Partition, PartitionResult, play, shared_out
from hil.fleet.phases import INSTALL, Phase
from hil.fleet.report import FleetReport, NotOnce, merged
from hil.journeys.steps import expect
from hil.scenarios.estate import Dwelling, Estate
from tests.patience import PATIENCE_S


@pytest.mark.timeout(PATIENCE_S)
def test_every_home_has_its_result_once_though_a_worker_is_killed_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path))
    words = ["run", "install", "--homes", "4", "--partition", "2", "--workers", "2", "--kill-workers", "1", "--seed", "5", "--json"]
    done = CliRunner().invoke(fleet, words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["homes"], told["passed"], told["partitions"], told["lost_workers"]) == (4, 4, 2, 1)
    assert set(told["phases"]) == {"installed", "read"}
    assert (Path(told["run"]) / "report.html").exists()


def test_a_home_that_fails_is_named_with_the_command_that_plays_it_alone_and_what_it_draws_is_the_same_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[tuple[str, float]] = []

    async def draw(estate: Estate, home: Dwelling, random: Random) -> None:
        drawn.append((str(home.board.hub.chf), random.random()))
        expect(not home.board.name.endswith("-6"), "this one has a fault")

    async def never(estate: Estate, home: Dwelling, random: Random) -> None:
        assert not home.board.name.endswith("-6"), "a home that failed is left out"

    monkeypatch.setattr(phases, "SCENARIOS", {"faulty": (Phase("drawn", draw), Phase("after", never))})
    result = play(Partition("faulty", "simulated", 7, 5, 3))
    assert [(home.home, home.phase, home.problem) for home in result.homes] == [
        (5, "after", ""),
        (6, "drawn", "this one has a fault"),
        (7, "after", ""),
    ]
    report = FleetReport("faulty", "simulated", 7, 1, result.homes, (result,), 1.0)
    told = report.as_json()
    assert told["verdict"] == "fail"
    assert report.again(6) == "chub fleet run faulty --home 6 --seed 7 --board simulated"
    assert report.as_run().steps[0].why.endswith("(again: chub fleet run faulty --home 6 --seed 7 --board simulated)")
    among, drawn[:] = dict(drawn), []
    play(Partition("faulty", "simulated", 7, 6, 1))
    assert dict(drawn).items() <= among.items(), "identities and draws are those of the home among the others"


@pytest.mark.parametrize(("homes", "size", "workers"), [(400, 40, 2), (10_000, 100, 7), (7, 100, 2), (1, 100, 4), (250, 100, 1), (5, 2, 2)])
def test_every_home_is_in_one_partition_and_the_last_ones_keep_no_worker_waiting(homes: int, size: int, workers: int) -> None:
    blocks = list(shared_out(homes, size, workers))
    assert [number for block in blocks for number in block] == list(range(1, homes + 1))
    assert all(len(block) <= size for block in blocks)
    if workers > 1:
        assert len(blocks[-1]) <= 5
        assert all(len(block) <= max(5, 1 + (homes + 1 - block.start) // (2 * workers)) for block in blocks)


def test_a_result_that_is_lost_or_doubled_is_found() -> None:
    one = PartitionResult(1, tuple(_homes(1, 2)), 0.1, 0.1, 1.0, 1)
    other = replace(one, first=3, homes=tuple(_homes(3, 2)))
    assert [home.home for home in merged([other, one], 4)] == [1, 2, 3, 4]
    with pytest.raises(NotOnce, match="home 3 0 times, home 4 0 times"):
        merged([one], 4)
    with pytest.raises(NotOnce, match="home 1 2 times, home 2 2 times"):
        merged([one, one, other], 4)


def _homes(first: int, count: int) -> list[HomeResult]:
    return [HomeResult(number, INSTALL.name) for number in range(first, first + count)]


def test_an_unknown_scenario_is_one_line_and_the_known_ones_are_listed() -> None:
    done = CliRunner().invoke(fleet, ["run", "flood"])
    assert "expected one of install, load, alert-storm, firmware, supplier, power-cut" in str(done.exception)
    listed = json.loads(CliRunner().invoke(fleet, ["run", "--json"]).stdout)
    assert [row["name"] for row in listed["scenarios"]][:6] == ["install", "load", "alert-storm", "firmware", "supplier", "power-cut"]


@pytest.mark.parametrize("scenario", ["alert-storm", "firmware", "supplier"])
def test_a_scenario_passes_in_every_home_of_a_partition(scenario: str) -> None:
    result = play(Partition(scenario, "simulated", 3, 1, 2))
    assert [home.problem for home in result.homes] == ["", ""]
    assert set(result.homes[0].bench_s) == {phase.name for phase in phases.SCENARIOS[scenario]}
