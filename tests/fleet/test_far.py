"""Homes before a DCC elsewhere, as far as no DCC is needed: options, turns, second answers, one home played again; plots of a run."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

import httpx
import pytest
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.routing import Route

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.fleet.command import fleet
from hil.fleet.partition import HomeResult, Partition, PartitionResult, _play
from hil.fleet.phases import Phase
from hil.fleet.remote import FarEstate, FarFleet, FarSide, FarUser, make_keys
from hil.fleet.report import FleetReport

FAR = FarSide(Path("keys"), (("10.0.0.1", 4059), ("10.0.0.2", 4059)), ("http://10.0.0.1:8079/api/v1",), most=2)
RESPONSE = b"<R><RequestID>a:b:1</RequestID><ResponseMessage>%d</ResponseMessage></R>"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--dcc 127.0.0.1", "read '127.0.0.1', expected HOST:PORT as 127.0.0.1:4059"),
        ("--dcc 127.0.0.1:1,localhost:99999", "read 'localhost:99999', expected HOST:PORT"),
        ("--dcc 127.0.0.1:1 --web ftp:x", "read 'ftp:x', expected an address as http://127.0.0.1:8079/api/v1"),
        ("--dcc 127.0.0.1:1", "--dcc without --keys: expected the folder that `chub fleet keys` made"),
        ("--dcc 127.0.0.1:1 --keys keys", "--dcc without --web: expected the address of its web services"),
        ("--churn 3", "--churn without --dcc: expected a DCC elsewhere"),
        ("--dcc 127.0.0.1:1 --keys keys --web http://x --workers 1 --workers 2", "--workers more than once: expected homes with a DCC"),
    ],
)
def test_an_option_that_says_nothing_useful_is_one_line(words: str, said: str) -> None:
    done = CliRunner().invoke(fleet, ["run", "install", *words.split()])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_a_dcc_that_is_not_there_is_told_before_anything_is_played(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys", FarFleet("simulated", 2, 1, 9100), None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens there
        words = ["run", "connect", "--dcc", f"127.0.0.1:{taken.getsockname()[1]}", "--keys", str(tmp_path / "keys")]
        done = CliRunner().invoke(fleet, words)
    assert "the DCC at which hubs are to connect is not available" in str(done.exception)


def test_a_problem_before_a_dcc_elsewhere_names_the_command_that_plays_its_home_there() -> None:
    result = PartitionResult(1, (HomeResult(1, "installed", "no answer"),), 0.1, 0.1, 1.0, 1, far=FAR.words())
    report = FleetReport("install", "simulated", 7, 1, result.homes, (result,), 1.0)
    assert report.again(1) == (
        "chub fleet run install --dcc 10.0.0.1:4059,10.0.0.2:4059 --web http://10.0.0.1:8079/api/v1 --keys keys --most 2 --reads 1"
        " --home 1 --seed 7 --board simulated"
    )


@dataclass
class _Home:
    name: str


@dataclass
class _Estate:
    clock: Clock
    dwellings: tuple[_Home, ...]
    on: int = 0
    most: int = 0

    def turn(self, home: _Home) -> _Estate:
        return self

    def __enter__(self) -> None:
        self.on += 1
        self.most = max(self.most, self.on)

    def __exit__(self, *_: object) -> None:
        self.on -= 1


def test_with_a_limit_each_home_has_its_turn_from_its_first_phase_to_its_last() -> None:
    clock = Clock(warp=True)
    estate, played = _Estate(clock, tuple(_Home(name) for name in "abcde")), list[tuple[str, str]]()

    def phase(name: str) -> Phase[Any]:
        async def play(estate: FarEstate, home: Any, random: Random) -> None:
            await estate.clock.sleep(1.0)
            played.append((home.name, name))

        return Phase(name, play)

    partition = Partition("install", "simulated", 1, 1, 5, FAR)
    phases = (phase("first"), phase("second"))
    found = clock.run(_play(cast(FarEstate, estate), partition, phases, lambda home: None, cast(Any, estate.turn)))
    assert [home.phase for home in found] == ["second"] * 5
    assert estate.most == FAR.most
    assert played[:4] == [("a", "first"), ("b", "first"), ("a", "second"), ("b", "second")]


async def test_the_same_response_again_is_no_second_answer_and_another_one_is() -> None:
    async with httpx.AsyncClient() as none:
        user = FarUser(cast(Any, None), Eui64(bytes(8)), (), Clock(), 0, none)
        app = Starlette(routes=[Route("/", user.receive, methods=["POST"])])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://user") as dcc:
            for number in (1, 1):
                assert (await dcc.post("/", content=RESPONSE % number)).status_code == 204
            assert (user.doubled(), user.repeated()) == ([], 1)
            await dcc.post("/", content=RESPONSE % 2)
        assert (user.doubled(), user.repeated()) == (["a:b:1"], 1)


def test_a_report_has_plots_of_throughput_latency_memory_and_slope() -> None:
    homes = tuple(HomeResult(number, "read", "", {"installed": 0.7, "read": number / 10}) for number in range(1, 7))
    results = tuple(PartitionResult(first, homes[first - 1 : first + 1], 0.2, 0.2, 100.0 + first, first % 2) for first in (1, 3, 5))
    done = tuple((float(home.home), home.home % 2) for home in homes)
    report = FleetReport("install", "simulated", 7, 2, homes, results, 6.0, done=done, rates=((1, 0.6), (2, 1.0)))
    plots = {plot.title: plot for plot in report.as_run().plots}
    assert list(plots) == [
        "Throughput: homes played",
        "Throughput over workers",
        "Latency of each phase",
        "Memory of each worker",
        "Slope: processor of a home",
    ]
    assert plots["Throughput: homes played"].series["all"][-1] == (6.0, 6.0)
    assert plots["Latency of each phase"].series["read"][-1] == (100.0, 0.6)
    assert report.as_json()["by_workers"] == [
        {"workers": 1, "homes_per_real_s": 0.6, "times_the_first": 1.0},
        {"workers": 2, "homes_per_real_s": 1.0, "times_the_first": 1.667},
    ]
