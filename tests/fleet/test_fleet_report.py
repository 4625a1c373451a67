"""The report of a fleet: each figure of its JSON and each step of its run, from results that are known."""

from __future__ import annotations

import pytest

from hil.fleet.partition import HomeResult, PartitionResult
from hil.fleet.report import FleetReport, NotOnce, merged

HOMES = tuple(HomeResult(number, "reads", "", {"installed": float(number), "reads": 2.0}) for number in range(1, 101))
BROKEN = HomeResult(101, "installed", "no answer", {"installed": 500.0})
PARTS = (PartitionResult(1, HOMES, 10.0, 4.0, 250.5, 11), PartitionResult(101, (BROKEN,), 0.5, 3.0, 300.0, 12))


def report(
    homes: tuple[HomeResult, ...] = (*HOMES, BROKEN),
    parts: tuple[PartitionResult, ...] = PARTS,
    scenario: str = "load",
    **more: object,
) -> FleetReport:
    return FleetReport(scenario, "simulated", 7, 2, homes, parts, 8.0, **more)  # type: ignore[arg-type]


def test_each_figure_of_the_report_is_that_of_its_results() -> None:
    told = report(lost_workers=1, rates=((1, 5.0), (2, 9.0))).as_json()
    assert {name: told[name] for name in told if name not in ("phases", "problems", "by_workers")} == {
        "scenario": "load",
        "verdict": "fail",
        "homes": 101,
        "passed": 100,
        "workers": 2,
        "lost_workers": 1,
        "partitions": 2,
        "seed": 7,
        "board": "simulated",
        "real_s": 8.0,
        "homes_per_real_s": 12.62,
        "requests": None,
        "answered_twice": [],
        "pushed_again": 0,
        "processor_s": 10.5,
        "processor_s_per_home": 0.104,
        "memory_mb": 300.0,
    }
    assert told["by_workers"] == [
        {"workers": 1, "homes_per_real_s": 5.0, "times_the_first": 1.0},
        {"workers": 2, "homes_per_real_s": 9.0, "times_the_first": 1.8},
    ]
    (problem,) = told["problems"]  # type: ignore[misc]
    assert (problem["home"], problem["phase"], problem["problem"]) == (101, "installed", "no answer")
    assert problem["again"] == "chub fleet run load --home 101 --seed 7 --board simulated"


def test_one_run_of_the_homes_is_compared_with_nothing() -> None:
    assert report(rates=((2, 9.0),)).as_json()["by_workers"] == []


def test_a_fleet_without_homes_divides_by_nothing() -> None:
    empty = FleetReport("load", "simulated", 7, 2, (), (), 0.0)
    told = empty.as_json()
    assert (told["homes_per_real_s"], told["processor_s_per_home"], told["memory_mb"], told["verdict"]) == (None, None, 0.0, "pass")


def test_a_request_that_was_answered_twice_fails_the_fleet_and_names_the_dcc_elsewhere() -> None:
    parts = (PartitionResult(1, HOMES, 1.0, 1.0, 1.0, 1, asked=7, repeated=2, doubled=("request 5",), far="--dcc https://there"),)
    found = report(HOMES, parts, "install")
    assert not found.passed
    assert report(HOMES, PARTS[:1]).passed
    assert found.again(3) == "chub fleet run install --dcc https://there --home 3 --seed 7 --board simulated"
    told = found.as_json()
    assert (told["requests"], told["answered_twice"], told["pushed_again"]) == (7, ["request 5"], 2)


@pytest.mark.parametrize(
    ("values", "cuts"),
    [
        ([], {}),
        ([2.0], {"p50": 2.0, "max": 2.0}),
        ([0.0, 1 / 3], {"p50": 0.167, "p90": 0.3, "p99": 0.33, "max": 0.333}),
        ([1.0, 2.0], {"p50": 1.5, "p90": 1.9, "p99": 1.99, "max": 2.0}),
        ([float(number) for number in range(101)], {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}),
    ],
)
def test_percentiles_are_those_of_the_homes_that_were_in_the_phase(values: list[float], cuts: dict[str, float]) -> None:
    homes = [HomeResult(number, "install", "", {"install": value}) for number, value in enumerate(values, 1)]
    assert report((*homes, HomeResult(999, "reads", "", {"reads": 7.0}))).percentiles("install") == cuts


def test_a_phase_is_a_step_with_its_homes_and_its_first_fifty_problems() -> None:
    many = tuple(HomeResult(number, "installed", "cold", {"installed": 1.0}) for number in range(1, 53))
    first, *others = report(many).as_run().steps
    assert (first.name, first.verdict, first.values["failed"]) == ("52 homes: installed", "fail", 52)
    assert first.why.count("again: ") == 50
    assert {(one.name.partition(": ")[0], one.verdict) for one in others} == {("0 homes", "skip")}
    run = report().as_run()
    assert run.facts["homes"] == "101"
    assert run.steps[0].name == "101 homes: installed"


def test_runs_with_several_numbers_of_workers_are_drawn_beside_each_other() -> None:
    one, two = (len(report(rates=rates).as_run().plots) for rates in (((1, 5.0),), ((1, 5.0), (2, 9.0))))
    assert two == one + 1


def test_a_scenario_that_is_played_before_a_dcc_elsewhere_alone_has_the_phases_of_that() -> None:
    assert list(report((HomeResult(1, "connected", "", {"connected": 1.0}),), (), "connect").as_json()["phases"]) == ["connected"]  # type: ignore[call-overload]
    assert next(iter(report(HOMES, PARTS).as_json()["phases"])) == "installed"  # type: ignore[call-overload]


def test_a_home_that_nobody_asked_for_is_found() -> None:
    (one,) = (PartitionResult(1, HOMES[:2], 0.1, 0.1, 1.0, 1),)
    with pytest.raises(NotOnce, match="home 2 0 times"):
        merged([PartitionResult(1, HOMES[:1], 0.1, 0.1, 1.0, 1)], 2)
    with pytest.raises(NotOnce, match="homes that nobody asked for"):
        merged([one], 1)
    assert [home.home for home in merged([PartitionResult(5, HOMES[4:6], 0.1, 0.1, 1.0, 1)], 2, first=5)] == [5, 6]
    twenty = "results of the fleet: " + ", ".join(f"home {number} 0 times" for number in range(1, 21)) + ", expected each home once"
    with pytest.raises(NotOnce) as lost:
        merged([], 30)
    assert str(lost.value) == twenty
