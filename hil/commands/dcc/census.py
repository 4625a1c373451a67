"""``chub dcc census``: a folder of DUIS templates at homes of every kind, one table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from firmware_emu.board import load_board
from firmware_emu.extras import Choice
from hil.commands.dcc.options import json_option, show
from hil.coverage.census import take_census
from hil.devices.esme.variant import VARIANTS

__all__ = ["census"]

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("census")
@click.argument("templates", type=_FOLDER)
@click.option("--home", "board", default="boxed", show_default=True, help="Board name or path: Devices, MPxNs and parties of the homes.")
@click.option("--meter", "meters", multiple=True, type=Choice(list(VARIANTS)), help="Homes with this meter alone; may be repeated.")
@click.option("--reference", type=_FOLDER, help="Folder of reference messages: what tells of a failure there is one here too.")
@json_option
def census(templates: Path, board: str, meters: tuple[str, ...], reference: Path | None, as_json: bool) -> None:
    """Send every DUIS template of a folder to a single element, a twin element and a polyphase home, and judge what becomes of each.

    Templates are adapted by rule: EUI-64s, MPxNs, certificates, dates, a sender whose role fits. They go in an order in which none spoils
    the next. Exit code 1 if one is refused or answered wrongly: a meter that answers a service of another kind of meter counts as wrong.
    """

    def told(home: str, done: int, of: int) -> None:
        if sys.stderr.isatty() or done in (1, of):
            click.echo(f"{home}: {done} of {of}" + ("\r" if sys.stderr.isatty() and done < of else "\n"), err=True, nl=False)

    chosen = {name: variant for name, variant in VARIANTS.items() if not meters or name in meters}
    found = take_census(templates, load_board(board), references=reference, variants=chosen, told=told)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
    else:
        show([{"home": home, **row} for home, row in found.table().items()], f"{len(found.rows)} templates at homes of {board}", False)
        for row in found.wrong:
            click.echo(f"{row.home}: {row.stem} ({row.service}) {row.finding}: expected that {row.expected}. {row.why}")
    if found.wrong:
        raise SystemExit(1)
