"""``chub ncp certify``: the foreign hosts on the virtual dongles, cell by cell."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from firmware_emu.clock import Clock
from firmware_emu.extras import Choice
from hil.hosts import matrix


@click.command("certify")
@click.option("--host", "hosts", multiple=True, type=Choice([one.name for one in matrix.HOSTS]), help="This host only; may be repeated.")
@click.option("--firmware", "firmwares", multiple=True, metavar="NAME", help="This personality only; may be repeated.")
@click.option("--transport", "transports", multiple=True, type=Choice(matrix.TRANSPORTS), help="pty or tcp only.")
@click.option(
    "--jobs", type=click.IntRange(1, 16), default=min(os.cpu_count() or 1, 16), show_default="one a processor", help="Sessions at once."
)
@click.option(
    "--logs",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that takes the debug log of each host, to be read with `chub log`.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object with all cells.")
def certify(
    hosts: tuple[str, ...], firmwares: tuple[str, ...], transports: tuple[str, ...], jobs: int, logs: Path | None, as_json: bool
) -> None:
    """Let every foreign host that is installed work on every firmware, by pty and TCP.

    A cell passes, or is refused as the real firmware refuses it, with the source; what cannot run is skipped with the reason. Exit code 1
    where a cell fails. A session that fails while its host stood in line for a processor is held again, twice at most: a host's own
    time-outs go by the wall clock.
    """
    if logs is not None:
        logs.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    cells: list[matrix.MatrixCell] = []
    clock = Clock()

    async def run() -> None:
        made = matrix.certify(
            clock,
            hosts,
            firmwares or matrix.FIRMWARES,
            transports or matrix.TRANSPORTS,
            jobs,
            lambda what: console.print(f"{what} ..."),
            logs,
        )
        async for cell in made:
            cells.append(cell)

    try:
        clock.run(run())
    finally:  # an hour's cells are told also where it is broken off
        if as_json:
            click.echo(matrix.as_json(cells))
        else:
            _show(cells)
    sys.exit(1 if any(cell.verdict == matrix.FAIL for cell in cells) else 0)


def _show(cells: list[matrix.MatrixCell]) -> None:
    table = Table("host", "transport", "firmware", "verb", "verdict", "source")
    for cell in cells:
        table.add_row(cell.host, cell.transport, cell.firmware, cell.verb, cell.verdict, cell.source)
    Console().print(table)
    counted = Counter(cell.verdict for cell in cells)
    click.echo(", ".join(f"{count} {verdict}" for verdict, count in counted.most_common()))
