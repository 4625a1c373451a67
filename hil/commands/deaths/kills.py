"""``chub run kills``: hub, home or DCC killed under load, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress

from firmware_emu.board import board_folders, load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError
from firmware_emu.extras import Choice
from hil.fleet.database import own_database

if TYPE_CHECKING:
    from hil.journeys.kills import KillsResult

VICTIMS = ("hub", "home", "dcc")
MORE = """
store = "file"

[service]
response_wait_s = 60
"""
"""The rest of the board of one meter: the meter's memory outlives its process, and no Response is waited for longer than a minute."""


@click.command("kills")
@click.argument("victims", nargs=-1, type=Choice(VICTIMS))
@click.option("--kills", type=click.IntRange(1), default=40, show_default=True, help="How often each is killed.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the instants.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep stores, traces and output in this folder.")
@click.option("--postgresql", is_flag=True, help="The DCC's store is a PostgreSQL database, on a server started for it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a victim.")
def kills(victims: tuple[str, ...], kills: int, seed: int, keep: Path | None, postgresql: bool, as_json: bool) -> None:
    """Kill (SIGKILL) the hub, the home or the DCC under load, again and again, and start it again; all three without VICTIMS.

    Three processes on the wall clock: `chub dcc up`, `chub run home`, and for the hub `chub hub run` beside a home without one. A supplier
    keeps four requests under way, critical ones among them. At the end each has one end, told once, the meter has executed no critical one
    twice and none out of order, and both stores are whole and hold nothing back. Exit code 1 where something did not hold.

    The end is a Response. A meter that dies with its home forgets the Command that it has in hand: its user then gets the DCC Alert N12 or
    N13 at the end of the DCC's wait (60 s here).
    """
    results: list[KillsResult] = []
    with contextlib.ExitStack() as stack:
        parent = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chub-kills-")))
        for victim in victims or VICTIMS:
            with own_database() if postgresql else contextlib.nullcontext() as store:
                results.append(_kill(victim, kills, seed, parent / victim, None if store is None else Path(store)))
            click.echo(json.dumps(results[-1].as_json()) if as_json else _line(results[-1]))
    sys.exit(1 if any(result.wrong for result in results) else 0)


def _kill(victim: str, kills: int, seed: int, folder: Path, store: Path | None) -> KillsResult:
    from hil.journeys.kills import killed  # of the extra [page], as the DCC that is killed is: no other journey needs it

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "board.toml"
    file.write_text(_one_meter(), encoding="utf-8")
    clock = Clock()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"kills of the {victim}", total=kills)
        return clock.run(
            killed(
                load_board(str(file)),
                str(file),
                folder,
                victim,
                kills,
                seed,
                clock,
                lambda done: progress.update(task, completed=done),
                store,
            )
        )


def _one_meter() -> str:
    """The board ``simulated`` with its first Device alone, which keeps its memory in a file."""
    for folder in board_folders():
        if (file := folder / "simulated.toml").exists():
            return "[[device]]".join(file.read_text(encoding="utf-8").split("[[device]]")[:2]).rstrip() + MORE
    raise BoardError("simulated", "", "it is in none of the folders of boards")


def _line(result: KillsResult) -> str:
    held = "nothing lost, doubled or out of order, both stores whole" if not result.wrong else "; ".join(result.wrong)
    return (
        f"{result.victim}: {result.kills} kills, {result.requests} requests, {result.answered} answered once, "
        f"{result.told_none} told that no Response came, "
        f"{result.executed} executed ({result.again} readings again), {result.seconds:g} s: {held}"
    )
