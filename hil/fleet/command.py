"""``chub fleet``: many homes on many processes and machines."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict, Unpack

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from firmware_emu.board import load_board
from hil.bench.run_folder import RunFolder
from hil.fleet.capacity import MOST_HOMES
from hil.fleet.cluster import Played, Workers, play_all
from hil.fleet.partition import Partition, play, shared_out
from hil.fleet.phases import FAR_SCENARIOS, SCENARIOS, far_phases_of, phases_of
from hil.fleet.proof import PROCESSES, prove
from hil.fleet.remote import FarFleet, FarSide, make_keys, reached
from hil.fleet.report import FleetReport, merged
from hil.report.write import write_html, write_junit

_PROBLEMS_SHOWN = 20


class _Hubs(click.ParamType[tuple[tuple[str, int], ...]]):
    """``HOST:PORT``, several with commas between them."""

    name = "host:port"

    def convert(
        self, value: str | tuple[tuple[str, int], ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[str, int], ...]:
        if isinstance(value, tuple):
            return value
        found = []
        for one in value.split(","):
            host, _, port = one.rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
                self.fail(f"read {one!r}, expected HOST:PORT as 127.0.0.1:4059, several with commas between them", param, ctx)
            found.append((host, int(port)))
        return tuple(found)


class _Web(click.ParamType[tuple[str, ...]]):
    """Addresses of web services, several with commas between them."""

    name = "url"

    def convert(self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        found = tuple(one.rstrip("/") for one in value.split(","))
        for one in found:
            scheme, _, rest = one.partition("://")
            if scheme not in ("http", "https") or not rest:
                self.fail(
                    f"read {one!r}, expected an address as http://127.0.0.1:8079/api/v1, several with commas between them", param, ctx
                )
        return found


class _Elsewhere(TypedDict):
    """Options of a DCC that is elsewhere: ``hubs`` is ``--dcc``, and the others need it."""

    hubs: tuple[tuple[str, int], ...] | None
    web: tuple[str, ...] | None
    keys: Path | None
    ramp: float
    most: int
    churn_s: float
    reads: int


@click.group()
def fleet() -> None:
    """Many homes on many processes and machines."""


@fleet.command()
@click.argument("scenario", required=False)
@click.option(
    "--homes", type=click.IntRange(1, MOST_HOMES), default=200, show_default=True, help="homes: a hub and an electricity meter each"
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    multiple=True,
    default=(1,),
    show_default=True,
    help="worker processes of the cluster that is made here; given again, the same homes are played again with that many, and compared",
)
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler of a cluster that is there, as tcp://host:8786")
@click.option(
    "--partition", "size", type=click.IntRange(1, 5000), default=100, show_default=True, help="homes that share a DCC and a clock, at most"
)
@click.option("--home", "alone", type=click.IntRange(1, MOST_HOMES), help="play this home alone, as a problem names it")
@click.option(
    "--kill-workers", "kills", type=click.IntRange(0), default=0, show_default=True, help="workers made here that are killed on the way"
)
@click.option("--board", "board_name", default="simulated", show_default=True, help="board whose homes these are")
@click.option("--seed", type=int, default=None, help="seed of what is drawn; the board's if not given")
@click.option(
    "--dcc", "hubs", type=_Hubs(), metavar="HOST:PORT[,...]", help="DCC elsewhere, where hubs connect; several processes of it with commas"
)
@click.option("--web", type=_Web(), metavar="URL[,...]", help="its web services for the users, as http://127.0.0.1:8079/api/v1")
@click.option("--keys", type=click.Path(file_okay=False, path_type=Path), help="folder of `chub fleet keys`; --dcc needs it")
@click.option(
    "--ramp", type=click.FloatRange(0), default=0.0, help="with --dcc: new connections a second of each process [default: no limit]"
)
@click.option("--most", type=click.IntRange(0), default=0, help="with --dcc: connections at once of each process [default: no limit]")
@click.option(
    "--churn", "churn_s", type=click.FloatRange(0), default=0.0, help="with --dcc: seconds between two cut connections [default: none cut]"
)
@click.option("--reads", type=click.IntRange(1), default=1, show_default=True, help="with --dcc: reads of each home once it is installed")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def run(
    scenario: str | None,
    homes: int,
    workers: tuple[int, ...],
    scheduler: str | None,
    size: int,
    alone: int | None,
    kills: int,
    board_name: str,
    seed: int | None,
    as_json: bool,
    **elsewhere: Unpack[_Elsewhere],
) -> None:
    """Play SCENARIO in many homes; without a name the scenarios are listed. Exit code 1 where a home does not pass.

    Homes are played in partitions, each with a DCC and a clock of its own, on the workers of Dask. A partition whose worker is lost is
    played again. Every problem names the home, and the command that plays that home alone.

    With --dcc the homes of `chub fleet keys` play in real time before a DCC that is elsewhere, one process a supplier: connect, or install
    (which installs and reads). The verdict fails where a request has no answer, or two.
    """
    if scenario is None:
        _list(as_json)
        return
    (phases_of if elsewhere["hubs"] is None else far_phases_of)(scenario)
    if kills and scheduler is not None:
        raise click.UsageError("--kill-workers with --scheduler: expected workers that are made here")
    if len(workers) > 1 and (scheduler is not None or elsewhere["hubs"] is not None or alone is not None):
        raise click.UsageError("--workers more than once: expected homes with a DCC of their own, on workers that are made here")
    far = _far(scenario, elsewhere)
    board = load_board(board_name)
    drawn = board.seed if seed is None else seed
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr, force=True)
    folder = RunFolder(f"fleet-{scenario}", board, drawn)
    if far is not None:
        plan = FarFleet.of(far.keys)
        homes = plan.homes
        blocks = [(index, plan.block(index)) for index in range(plan.suppliers)]
        if alone is not None:
            blocks, homes = [(index, range(alone, alone + 1)) for index, block in blocks if alone in block], 1
        if not blocks:
            raise click.UsageError(f"--home {alone}: expected one of the {plan.homes} homes whose keys are in {far.keys}")
        parts = [Partition(scenario, plan.board, drawn, block.start, len(block), far, index) for index, block in blocks if len(block)]
        report = _report(scenario, board_name, drawn, parts, [Workers(len(parts), scheduler, kills, drawn)], homes, folder)
    elif alone is not None:
        report = _alone(scenario, board_name, drawn, alone)
    else:
        shares = shared_out(homes, size, max(workers))
        parts = [Partition(scenario, board_name, drawn, block.start, len(block)) for block in shares]
        counts = [Workers(count, scheduler, kills, drawn) for count in workers]
        report = _report(scenario, board_name, drawn, parts, counts, homes, folder)
    folder.close()
    told = report.as_json()
    (folder.path / "fleet.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    write_html(report.as_run(), folder.path / "report.html")
    write_junit(report.as_run(), folder.path / "junit.xml")
    if as_json:
        click.echo(json.dumps({**told, "run": str(folder.path)}))
    else:
        _tell(report, folder.path)
    sys.exit(0 if report.passed else 1)


@fleet.command("keys")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--homes", type=click.IntRange(1, MOST_HOMES), default=10, show_default=True, help="homes: a hub and an electricity meter each"
)
@click.option("--suppliers", type=click.IntRange(1, 200), default=2, show_default=True, help="suppliers that share them, and so processes")
@click.option(
    "--inbox-port", type=click.IntRange(1024, 65000), default=9100, show_default=True, help="of the first supplier's receiving service"
)
@click.option("--board", "board_name", default="simulated", show_default=True, help="board whose homes these are")
@click.option(
    "--store", type=click.Path(dir_okay=False, path_type=Path), help="store of a DCC of ours that is to know them: file or postgresql://"
)
def keys_(folder: Path, homes: int, suppliers: int, inbox_port: int, board_name: str, store: Path | None) -> None:
    """Make the keys of a fleet in FOLDER, for it and for a DCC elsewhere (`chub dcc up --keys FOLDER`, `chub fleet run --dcc`)."""
    make_keys(folder, FarFleet(board_name, homes, suppliers, inbox_port), store)
    click.echo(f"{folder}: keys of {homes} homes and {suppliers} suppliers")


@fleet.command("prove")
@click.option(
    "--homes", type=click.IntRange(PROCESSES, MOST_HOMES), default=10, show_default=True, help="homes: a hub and an electricity meter each"
)
@click.option(
    "--reads", type=click.IntRange(1), default=2, show_default=True, help="reads of each home, after its three requests of installation"
)
@click.option("--kill/--no-kill", default=True, show_default=True, help="kill one process of the DCC half way")
@click.option(
    "--inbox-port", type=click.IntRange(1024, 65000), default=9100, show_default=True, help="of the first supplier's receiving service"
)
@click.option("--board", "board_name", default="simulated", show_default=True, help="board whose homes these are")
@click.option("--seed", type=int, default=1, show_default=True, help="seed of what is drawn")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def prove_(homes: int, reads: int, kill: bool, inbox_port: int, board_name: str, seed: int, as_json: bool) -> None:
    """Two processes of homes before a DCC of two processes on one PostgreSQL, all started here: nothing lost, nothing doubled.

    Needs PostgreSQL's programs (Debian: postgresql). Exit code 1 where a request has no answer, or two. What the killed process had pushed
    and not noted may be pushed again as it was: such documents are counted apart.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with _ended_in_order(), Progress(*columns, console=console) as progress:
        task = progress.add_task("answers", total=homes * (reads + 2))
        proof = prove(
            board_name,
            homes,
            reads,
            inbox_port,
            seed,
            kill=kill,
            said=lambda step: console.print(step),
            done=lambda count: progress.update(task, completed=count),
        )
    told = proof.as_json()
    if as_json:
        click.echo(json.dumps(told))
    else:
        rows = Table("figure", "value", title=f"fleet before a DCC of {PROCESSES} processes: {told['verdict']}")
        for name in (
            "homes",
            "passed",
            "requests",
            "killed_at",
            "answered_twice",
            "pushed_again",
            "store",
            "real_s",
            "processor_s",
            "dcc_processor_s",
        ):
            rows.add_row(name.replace("_", " "), json.dumps(told[name]))
        Console().print(rows)
        for home in proof.report.problems[:_PROBLEMS_SHOWN]:
            click.echo(f"home {home.home}, {home.phase}: {home.problem}")
    sys.exit(0 if told["verdict"] == "pass" else 1)


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM ends what was started before it ends this process."""

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _far(scenario: str, elsewhere: _Elsewhere) -> FarSide | None:
    hubs, web, keys = elsewhere["hubs"], elsewhere["web"], elsewhere["keys"]
    if hubs is None:
        context = click.get_current_context()
        given = [
            one.opts[0]
            for one in context.command.params
            if one.name in _Elsewhere.__annotations__ and context.get_parameter_source(one.name) is ParameterSource.COMMANDLINE
        ]
        if given:
            raise click.UsageError(f"{given[0]} without --dcc: expected a DCC elsewhere")
        return None
    if keys is None:
        raise click.UsageError("--dcc without --keys: expected the folder that `chub fleet keys` made")
    if web is None and scenario != "connect":
        raise click.UsageError("--dcc without --web: expected the address of its web services, which this scenario needs")
    FarFleet.of(keys)
    reached(hubs)
    return FarSide(keys, hubs, web or (), elsewhere["ramp"], elsewhere["most"], elsewhere["churn_s"], elsewhere["reads"])


def _report(
    scenario: str, board: str, seed: int, parts: list[Partition], workers: list[Workers], homes: int, folder: RunFolder
) -> FleetReport:
    """The last of the runs, one for each of ``workers``; their throughputs beside each other."""
    rates = []
    for one in workers:
        played = _played(parts, one, homes)
        rates.append((played.workers, homes / played.real_s))
    found = tuple(played.results)
    facts = dict(folder.facts)
    return FleetReport(
        scenario,
        board,
        seed,
        played.workers,
        merged(found, homes),
        found,
        played.real_s,
        played.lost,
        facts,
        tuple(played.done),
        tuple(rates),
    )


def _alone(scenario: str, board: str, seed: int, home: int) -> FleetReport:
    began = time.monotonic()
    result = play(Partition(scenario, board, seed, home, 1))
    return FleetReport(scenario, board, seed, 0, merged([result], 1, home), (result,), time.monotonic() - began)


def _played(parts: list[Partition], workers: Workers, homes: int) -> Played:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with _ended_in_order(), Progress(*columns, console=console) as progress:
        task = progress.add_task("homes", total=homes)
        return play_all(
            parts,
            workers,
            begun=lambda dashboard: console.print(f"Dask's dashboard: {dashboard}"),
            done=lambda count: progress.update(task, completed=count),
        )


def _list(as_json: bool) -> None:
    rows = [{"name": name, "phases": [phase.name for phase in phases]} for name, phases in SCENARIOS.items()]
    rows += [{"name": f"{name} --dcc", "phases": [phase.name for phase in phases]} for name, phases in FAR_SCENARIOS.items()]
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
