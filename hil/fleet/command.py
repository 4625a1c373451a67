"""``chub fleet``: many homes on many processes and machines."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from firmware_emu.board import load_board
from hil.bench.run_folder import RunFolder
from hil.fleet.cluster import Played, Workers, play_all
from hil.fleet.partition import Partition, play
from hil.fleet.phases import SCENARIOS, phases_of
from hil.fleet.report import FleetReport, merged
from hil.report.write import write_html, write_junit

_PROBLEMS_SHOWN = 20
MOST_HOMES = 32767
"""A home's number has 15 bits in the identities of its things."""


@click.group()
def fleet() -> None:
    """Many homes on many processes and machines."""


@fleet.command()
@click.argument("scenario", required=False)
@click.option(
    "--homes", type=click.IntRange(1, MOST_HOMES), default=200, show_default=True, help="homes: a hub and an electricity meter each"
)
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="worker processes of the cluster that is made here"
)
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler of a cluster that is there, as tcp://host:8786")
@click.option(
    "--partition", "size", type=click.IntRange(1, 5000), default=100, show_default=True, help="homes that share a DCC and a clock"
)
@click.option("--home", "alone", type=click.IntRange(1, MOST_HOMES), help="play this home alone, in this process, as a problem names it")
@click.option(
    "--kill-workers", "kills", type=click.IntRange(0), default=0, show_default=True, help="workers made here that are killed on the way"
)
@click.option("--board", "board_name", default="simulated", show_default=True, help="board whose homes these are")
@click.option("--seed", type=int, default=None, help="seed of what is drawn; the board's if not given")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def run(
    scenario: str | None,
    homes: int,
    workers: int,
    scheduler: str | None,
    size: int,
    alone: int | None,
    kills: int,
    board_name: str,
    seed: int | None,
    as_json: bool,
) -> None:
    """Play SCENARIO in many homes; without a name the scenarios are listed. Exit code 1 where a home does not pass.

    Homes are played in partitions, each with a DCC and a clock of its own, on the workers of Dask. A partition whose worker is lost is
    played again. Every problem names the home, and the command that plays that home alone.
    """
    if scenario is None:
        _list(as_json)
        return
    phases_of(scenario)
    if kills and scheduler is not None:
        raise click.UsageError("--kill-workers with --scheduler: expected workers that are made here")
    board = load_board(board_name)
    drawn = board.seed if seed is None else seed
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr, force=True)
    folder = RunFolder(f"fleet-{scenario}", board, drawn)
    if alone is not None:
        report = _alone(scenario, board_name, drawn, alone)
    else:
        parts = [Partition(scenario, board_name, drawn, first, min(size, homes + 1 - first)) for first in range(1, homes + 1, size)]
        played = _played(parts, Workers(workers, scheduler, kills, drawn), homes)
        found = tuple(played.results)
        report = FleetReport(
            scenario, board_name, drawn, played.workers, merged(found, homes), found, played.real_s, played.killed, dict(folder.facts)
        )
    folder.close()
    told = report.as_json()
    (folder.path / "fleet.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    write_html(report.as_run(), folder.path / "report.html")
    write_junit(report.as_run(), folder.path / "junit.xml")
    if as_json:
        click.echo(json.dumps({**told, "run": str(folder.path)}))
    else:
        _tell(report, folder.path)
    sys.exit(1 if report.problems else 0)


def _alone(scenario: str, board: str, seed: int, home: int) -> FleetReport:
    began = time.monotonic()
    result = play(Partition(scenario, board, seed, home, 1))
    return FleetReport(scenario, board, seed, 0, merged([result], 1, home), (result,), time.monotonic() - began)


def _played(parts: list[Partition], workers: Workers, homes: int) -> Played:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("homes", total=homes)
        return play_all(
            parts,
            workers,
            begun=lambda dashboard: console.print(f"Dask's dashboard: {dashboard}"),
            done=lambda count: progress.update(task, completed=count),
        )


def _list(as_json: bool) -> None:
    rows = [{"name": name, "phases": [phase.name for phase in phases]} for name, phases in SCENARIOS.items()]
    if as_json:
        click.echo(json.dumps({"scenarios": rows}))
        return
    for row in rows:
        click.echo(f"{row['name']:<12} {'; '.join(row['phases'])}")


def _tell(report: FleetReport, path: Path) -> None:
    told = report.as_json()
    rows = Table("figure", "value", title=f"fleet, {report.scenario}: {told['verdict']}")
    for name, value in told.items():
        if name not in ("scenario", "verdict", "problems"):
            rows.add_row(name.replace("_", " "), json.dumps(value))
    Console().print(rows)
    for home in report.problems[:_PROBLEMS_SHOWN]:
        click.echo(f"home {home.home}, {home.phase}: {home.problem}\n  again: {report.again(home.home)}")
    click.echo(str(path / "report.html"))
