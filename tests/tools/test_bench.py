from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

_TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(_TOOLS))

from benchmarks import bench_gbcs, gbcs_samples, measure  # noqa: E402  # tools is no package: programs run from a checkout

from firmware_emu.gbcs.envelope import Message  # noqa: E402
from firmware_emu.gbcs.use_cases import decode_payload  # noqa: E402
from firmware_emu.gbcs.verify import check  # noqa: E402


def test_a_figure_is_the_median_and_its_ratio_that_of_the_rounds() -> None:
    found = {"slow": [10.0, 40.0, 20.0], "fast": [20.0, 40.0, 80.0]}
    one = measure.figure("slow", found, beside="fast", at_least_ratio=0.5, at_least=20, budget="half")
    assert (one.per_second, one.ratio, one.met) == (20.0, 0.5, True)
    assert measure.figure("slow", found, beside="fast", at_least_ratio=0.6).met is False
    assert measure.figure("slow", found, at_least=21).met is False
    assert measure.figure("slow", found).met is None


def test_every_work_is_measured_in_every_round() -> None:
    done: list[str] = []

    def work(name: str) -> measure.Work:
        def handle() -> int:
            done.append(name)
            return 1_000_000

        return handle

    found = measure.rates({"a": work("a"), "b": work("b")}, rounds=1)
    assert set(found) == {"a", "b"}
    assert all(rate > 0 for rates in found.values() for rate in rates)
    assert done[:2] == ["a", "b"]


def test_the_samples_hold_every_kind_of_payload_and_verify() -> None:
    keystore, made = gbcs_samples.with_test_keys()
    kinds = {type(decode_payload(Message.decode(octets))).__name__ for octets in made.values()}
    assert kinds == {"AccessRequest", "AccessResponse", "DataNotification", "Gbz", "GbzAlert", "Asn1Payload", "DeliveryFailure"}
    for name, octets in made.items():
        verdict = check(octets, keystore)
        assert verdict.ok or name.endswith("-precommand"), name
        assert all(part.values is not None for part in verdict.encrypted)


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each work is done once a round: figures are looked for here, not right ones."""
    monkeypatch.setattr(measure, "SHORTEST_S", 0)


@pytest.mark.usefixtures("once")
def test_figures_and_verdicts_on_the_budgets_are_printed() -> None:
    run = CliRunner().invoke(bench_gbcs.benchmark, ["--rounds", "3", "--json"])
    assert run.exit_code == 0, run.output or run.exception
    told = json.loads(run.output)
    figures = {figure["name"]: figure for figure in told["figures"]}
    assert told["messages"] > 15
    assert all(figure["per_second"] > 0 for figure in figures.values())
    budgets = {name for name, figure in figures.items() if "met" in figure}
    assert {bench_gbcs.PARSE_MAC, bench_gbcs.SIGN_MAC, bench_gbcs.BUILD, bench_gbcs.TRANSFORM} <= budgets
    assert figures[bench_gbcs.PARSE_MAC]["beside"] == bench_gbcs.BARE_MAC
    assert figures[bench_gbcs.SIGN_MAC]["beside"] == bench_gbcs.BARE_SIGNATURE


@pytest.mark.usefixtures("once")
def test_the_reference_set_can_be_measured(rtds: Path) -> None:
    from firmware_emu.crypto.keystore import Keystore

    octets = [bytes.fromhex(file.read_text("ascii")) for file in sorted((rtds / "4.5.0").rglob("*.HEX"))[:60]]
    figures, count = bench_gbcs.measure(octets, Keystore.load(rtds / "keys"), 1)
    assert 0 < count <= 60
    assert len(figures) > 10


@pytest.mark.parametrize("arguments", [("--help",), ("gbcs", "--help"), ("nonsense",)])
def test_the_program_lists_its_benchmarks_and_their_options(arguments: tuple[str, ...]) -> None:
    program = [sys.executable, str(_TOOLS / "bench"), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env={**os.environ, "CHUB_PREPARED": "1"})
    if arguments == ("nonsense",):
        assert done.returncode == 2
        assert "No such command 'nonsense'" in done.stderr
        return
    assert done.returncode == 0
    assert ("gbcs" in done.stdout) if arguments == ("--help",) else ("--json" in done.stdout and "--rtds" in done.stdout)


def test_every_file_of_a_benchmark_declares_a_command_with_help() -> None:
    from importlib import import_module

    for file in (_TOOLS / "benchmarks").glob("bench_*.py"):
        command = import_module(f"benchmarks.{file.stem}").benchmark
        assert isinstance(command, click.Command)
        assert command.help
