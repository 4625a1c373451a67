"""Options that the commands of ``chub dcc`` on a stored DCC share: the store, a table or JSON, times."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from firmware_emu.clock import EPOCH, Clock, moment_text
from firmware_emu.errors import IdentifierError, NotAvailable
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore, database_url

store_option = click.option(
    "--store",
    "store_path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The DCC's store: a file, or postgresql://user@host:port/name.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


class EuiType(click.ParamType[Eui64]):
    """An EUI-64 in any of its spellings."""

    name = "eui64"

    def convert(self, value: str | Eui64, param: click.Parameter | None, ctx: click.Context | None) -> Eui64:
        if isinstance(value, Eui64):
            return value
        try:
            return Eui64.parse(value)
        except IdentifierError as error:
            self.fail(str(error), param, ctx)


EUI = EuiType()


class MomentType(click.ParamType[float]):
    """A time in ISO 8601, as bench seconds."""

    name = "time"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if not isinstance(value, str):
            return value
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"read {value!r}, expected a time as 2026-03-01T02:00Z", param, ctx)
        return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - EPOCH).total_seconds()


MOMENT = MomentType()


class DecimalType(click.ParamType[Decimal]):
    """A number, exact."""

    name = "number"

    def convert(self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            found = Decimal(value)
        except InvalidOperation:
            self.fail(f"read {value!r}, expected a number as 99.5", param, ctx)
        return found if found.is_finite() else self.fail(f"read {value!r}, expected a number as 99.5", param, ctx)


DECIMAL = DecimalType()


@contextmanager
def opened(path: Path) -> Iterator[DccStore]:
    """The store of a DCC that has run, opened beside the process that owns it. Raises NotAvailable."""
    if database_url(path) is None and not path.exists():
        raise NotAvailable(str(path), "name the store of a DCC that has run (--store)")
    store = DccStore(path, owner=False)
    try:
        yield store
    finally:
        store.close()


def now() -> float:
    """Wall time in bench seconds."""
    return Clock().now()


def moment(seconds: float | None) -> str:
    """A bench time for people; nothing for None."""
    return "" if seconds is None else moment_text(seconds)


def show(rows: Sequence[Mapping[str, object]], title: str, as_json: bool) -> None:
    """Rows of the same columns: a JSON array, or a table with ``title``; a block a row where the terminal is too narrow for words."""
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(f"{title}: nothing")
        return
    table = Table(*(str(name) for name in rows[0]), title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console = Console()
    if Measurement.get(console, console.options.update(max_width=1000), table).minimum <= console.width:
        console.print(table)
        return
    click.echo(title)
    for row in rows:
        click.echo("\n".join(f"{'-' if not number else ' '} {name}: {_cell(value)}" for number, (name, value) in enumerate(row.items())))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
