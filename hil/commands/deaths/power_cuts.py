"""``chub run power-cuts``: the hub dies at each write to its NVM."""

from __future__ import annotations

import json
import sys
import time

import click
from rich.console import Console

from firmware_emu.board import load_board
from hil.journeys.power_cuts import CutResult, summary, sweep


@click.command("power-cuts")
@click.option("--board", "board_name", default="simulated", show_default=True, help="board name or path of a .toml file")
@click.option("--cuts", type=click.IntRange(min=1), default=None, help="so many, drawn by the seed; without it every one there is")
@click.option("--seed", type=int, default=None, help="seed of home and draw; the board's if not given")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a cut, then the summary")
def power_cuts(board_name: str, cuts: int | None, seed: int | None, as_json: bool) -> None:
    """The demo's journey with a power cut at each write to the hub's NVM, clean and torn. Exit code 1 where something did not hold."""
    board = load_board(board_name)
    console = Console(stderr=as_json)
    began, results = time.monotonic(), list[CutResult]()
    for result in sweep(board, cuts, board.seed if seed is None else seed):
        results.append(result)
        if as_json:
            click.echo(json.dumps(result.as_json()))
        elif result.wrong:
            console.print(f"[bold red]write {result.write}, {_kept(result)}[/]: {'; '.join(result.wrong)}", highlight=False)
    line = summary(results, time.monotonic() - began)
    click.echo(json.dumps({"summary": line}) if as_json else line)
    sys.exit(1 if any(result.wrong for result in results) else 0)


def _kept(result: CutResult) -> str:
    return "cut before it" if result.kept is None else f"{result.kept:.0%} of it written"
