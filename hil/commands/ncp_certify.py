"""``chub ncp certify``: the foreign hosts on the virtual dongles, cell by cell."""

from __future__ import annotations

import sys
from collections import Counter

import click
from rich.console import Console
from rich.table import Table

from firmware_emu.clock import Clock
from hil.hosts import matrix


@click.command("certify")
@click.option(
    "--host", "hosts", multiple=True, type=click.Choice([one.name for one in matrix.HOSTS]), help="This host only; may be repeated."
)
@click.option("--firmware", "firmwares", multiple=True, metavar="NAME", help="This personality only; may be repeated.")
@click.option("--transport", "transports", multiple=True, type=click.Choice(matrix.TRANSPORTS), help="pty or tcp only.")
@click.option("--jobs", type=click.IntRange(1, 16), default=4, show_default=True, help="Sessions at once.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with all cells.")
def certify(hosts: tuple[str, ...], firmwares: tuple[str, ...], transports: tuple[str, ...], jobs: int, as_json: bool) -> None:
    """Let every foreign host that is installed work on every firmware, by pty and TCP.

    A cell passes, or is refused as the real firmware refuses it, with the source; what cannot run is skipped with the reason. Exit code 1
    where a cell fails.
    """
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
