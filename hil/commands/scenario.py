"""``chub run scenario`` and ``chub run load``: what many homes and one DCC do, judged step by step or message by message."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.bench.run_folder import RunFolder
from hil.journeys.progress import begin, conclude, show
from hil.journeys.steps import StepFailed, Steps
from hil.report.verdict import Run
from hil.scenarios.catalogue import SCENARIOS
from hil.scenarios.estate import Plan, open_estate
from hil.scenarios.load import LoadReport, LoadRun, LoadScenario
from hil.scenarios.scenario import Scenario, Stage, UnknownScenario

_BOARD = click.option("--board", "board_name", default="simulated", show_default=True, help="board whose homes these are")
_SEED = click.option("--seed", type=int, default=None, help="seed of faults and loads; the board's if not given")
_JSON = click.option("--json", "as_json", is_flag=True, help="one JSON object")


@click.command()
@click.argument("name", required=False)
@_BOARD
@_SEED
@_JSON
def scenario(name: str | None, board_name: str, seed: int | None, as_json: bool) -> None:
    """Play the scenario NAME on homes whose HAN is in memory; without a name the scenarios are listed. Exit code 1 where a step fails."""
    if name is None:
        _list(as_json)
        return
    if name not in SCENARIOS:
        raise UnknownScenario(name, SCENARIOS)
    board = load_board(board_name)
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr, force=True)
    console = Console(stderr=True)
    clock = Clock(start=board.clock.start, warp=True)
    trace = Trace(clock.now)
    folder = RunFolder(name, board, board.seed if seed is None else seed)
    trace.subscribe(folder)
    steps = Steps(folder.records, on_step=lambda step: show(console, step), on_begin=lambda what: begin(console, what))
    result = clock.run(play(SCENARIOS[name], board, clock, trace, folder, steps))
    conclude(result, folder, as_json=as_json, scenario=name)


async def play(chosen: Scenario, board: Board, clock: Clock, trace: Trace, folder: RunFolder, steps: Steps) -> Run:
    """One scenario on an estate of its own; the first step that fails ends it."""
    notes: list[str] = []
    async with open_estate(board, chosen.plan, clock, trace, folder.path) as estate:
        try:
            await chosen.play(Stage(estate, steps, folder.records))
        except StepFailed:
            notes.append("The scenario ended at the first step that failed; the steps after it were not tried.")
        facts = {**folder.facts, "homes": len(estate.dwellings), "suppliers": len(estate.suppliers)}
    return Run(chosen.title, facts, steps.done, folder.records, (), notes, {})


def _list(as_json: bool) -> None:
    rows = [{"name": one.name, "title": one.title, "homes": one.plan.homes} for one in SCENARIOS.values()]
    if as_json:
        click.echo(json.dumps({"scenarios": rows}))
        return
    for row in rows:
        click.echo(f"{row['name']:<24} {row['title']} ({row['homes']} home{'' if row['homes'] == 1 else 's'})")


@click.command()
@click.option("--homes", type=click.IntRange(1, 5000), default=200, show_default=True, help="homes: a hub and an electricity meter each")
@click.option("--users", type=click.IntRange(1, 500), default=20, show_default=True, help="suppliers that share the homes")
@click.option("--requests", type=click.IntRange(1), default=2000, show_default=True, help="service requests of all users together")
@click.option("--link-failures", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="chance of a frame to end its link")
@click.option("--kills", type=click.IntRange(0), default=2, show_default=True, help="number of times that the DCC dies and begins again")
@_BOARD
@_SEED
@_JSON
def load(
    homes: int,
    users: int,
    requests: int,
    link_failures: float,
    kills: int,
    board_name: str,
    seed: int | None,
    as_json: bool,
) -> None:
    """Many users over many homes while links fail and the DCC dies: is any message lost, doubled or given to the wrong user?"""
    if users > homes:
        raise click.UsageError(f"--users is {users} and --homes {homes}: expected a home for each user at least")
    board = load_board(board_name)
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr, force=True)
    wanted = LoadScenario(requests, link_failures, kills, board.seed if seed is None else seed)
    clock = Clock(start=board.clock.start, warp=True)
    folder = RunFolder("load", board, wanted.seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        report = clock.run(_load(board, Plan(homes, users), wanted, clock, folder.path, progress))
    folder.close()
    (folder.path / "load.json").write_text(json.dumps(report.as_json(), indent=1) + "\n", encoding="utf-8")
    if as_json:
        click.echo(json.dumps({**report.as_json(), "run": str(folder.path)}))
    else:
        _tell(report)
    sys.exit(1 if report.problems else 0)


async def _load(board: Board, plan: Plan, wanted: LoadScenario, clock: Clock, folder: Path, progress: Progress) -> LoadReport:
    installed, asked = progress.add_task("homes installed", total=plan.homes), progress.add_task("requests", total=wanted.requests)
    async with open_estate(board, plan, clock, Trace(clock.now), folder) as estate:
        await estate.install(lambda _: progress.advance(installed))
        return await LoadRun(estate, wanted, lambda done: progress.update(asked, completed=done)).run()


def _tell(report: LoadReport) -> None:
    figures = report.as_json()
    rows = Table("figure", "value", title=f"load: {figures['verdict']}")
    for name, value in figures.items():
        if name not in ("verdict", "problems"):
            rows.add_row(name.replace("_", " "), json.dumps(value))
    Console().print(rows)
    for problem in report.problems[:20]:
        click.echo(problem)
