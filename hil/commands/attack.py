"""``chub attack``: hostile peers at every layer of a simulated home."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from firmware_emu.board import load_board
from hil.attacks.arena import AttackResult
from hil.attacks.suite import all_attacks, chosen, run_attacks
from hil.attacks.table import as_html, as_json, as_markdown, totals

_WRITERS = {".md": as_markdown, ".html": as_html, ".json": as_json}


@click.group()
def attack() -> None:
    """Hostile peers at every layer of a simulated home."""


@attack.command("list")
@click.option("--json", "as_json_", is_flag=True, help="one JSON array")
def list_(as_json_: bool) -> None:
    """Every attack: what it sends, at whom, and the outcomes it may have."""
    if as_json_:
        rows = [
            {"name": one.name, "layer": one.layer, "target": one.target, "how": one.how, "expects": sorted(map(str, one.expects))}
            for one in all_attacks()
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("name", "layer", "target", "what is sent", "outcomes it may have")
    for one in all_attacks():
        table.add_row(one.name, one.layer, one.target, one.how, ", ".join(sorted(map(str, one.expects))))
    Console().print(table)


@attack.command("run")
@click.argument("names", nargs=-1)
@click.option("--board", "board_name", default="simulated", show_default=True, help="board name or path of a .toml file")
@click.option("--seed", type=int, default=None, help="seed of the home; the board's if not given")
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="write the table to a .md, .html or .json file; may be repeated",
)
@click.option("--json", "as_json_", is_flag=True, help="one JSON object instead of lines")
def run(names: tuple[str, ...], board_name: str, seed: int | None, reports: tuple[Path, ...], as_json_: bool) -> None:
    """Carry out attacks (all, or those whose name begins so) on one commissioned home. Exit code 1 where one did not hold."""
    board = load_board(board_name)
    for report in reports:
        if report.suffix not in _WRITERS:
            raise click.UsageError(f"--report {report}: expected a file that ends in {', '.join(_WRITERS)}")
    console = Console(stderr=as_json_)

    def show(result: AttackResult) -> None:
        said = "; ".join(result.evidence[:1]) if result.held else "; ".join(result.wrong)
        style = "green" if result.held else "bold red"
        console.print(
            f"[{style}]{'held' if result.held else 'BROKE'}[/] {result.name} ({result.sent}): {', '.join(result.outcomes)}",
            f"[dim]{said}[/]",
            highlight=False,
        )

    results = run_attacks(board, chosen(names), board.seed if seed is None else seed, show)
    for report in reports:
        report.write_text(_WRITERS[report.suffix](results), encoding="utf-8")
    if as_json_:
        click.echo(as_json(results), nl=False)
    else:
        console.print(totals(results))
    sys.exit(0 if all(result.held for result in results) else 1)
