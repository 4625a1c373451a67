"""``chub book``: numbered behaviours with their clauses, shown, listed, and played against the Devices."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from firmware_emu.errors import one_of
from firmware_emu.extras import Choice
from hil.book import BookRow, Report, load_book, play, play_with
from hil.book.rows import DEVICES
from hil.book.second import compare
from hil.devices.metering.maker import makers

_JSON = click.option("--json", "as_json", is_flag=True, help="one JSON object")
_DEVICE = click.option("--device", type=Choice(DEVICES, case_sensitive=False), help="only the rows of this kind of Device")


@click.group()
def book() -> None:
    """Behaviours of the Devices by the book: each with its clause, its certainty, and what shows it at the console."""


@book.command("list")
@_DEVICE
@_JSON
def list_rows(device: str | None, as_json: bool) -> None:
    """The rows: number, Device, clause, certainty, behaviour."""
    rows = load_book().chosen(device, ())
    if as_json:
        click.echo(json.dumps({"rows": [_short(row) for row in rows]}))
        return
    table = Table("row", "Device", "clause", "certainty", "behaviour", title=f"{len(rows)} rows")
    for row in rows:
        table.add_row(str(row.number), row.device, row.clause, row.certainty, row.behaviour)
    Console().print(table)


@book.command()
@click.argument("number", type=int)
@_JSON
def show(number: int, as_json: bool) -> None:
    """Row NUMBER: where it comes from, what is said at the console, what must come of it."""
    (row,) = load_book().chosen(None, (number,))
    steps = [{"say": step.line, **_expected(step)} for step in row.steps]
    if as_json:
        variants = [{"maker": one.maker, "source": one.source, "steps": [step.line for step in one.steps]} for one in row.variants]
        click.echo(json.dumps({**_short(row), "bench": row.bench, "steps": steps, "undo": row.undo, "variants": variants}))
        return
    click.echo(f"{row.number}  {row.behaviour}")
    profile = f", by the profile value {row.profile}" if row.profile else ""
    click.echo(f"    {row.device}, {row.clause}: {row.certainty}{profile} ({row.source}; {row.file})")
    click.echo(f"    on the bench {row.bench}{', of its own' if row.alone else ''}:")
    for step in row.steps:
        click.echo(f"      {step.line}")
        for name, value in _expected(step).items():
            click.echo(f"          {name.replace('_', ' ')}: {json.dumps(value, ensure_ascii=False)}")
    for line in row.undo:
        click.echo(f"      (then) {line}")
    for one in row.variants:
        click.echo(f"    with {one.maker} ({one.source}):")
        for step in one.steps or row.steps:
            click.echo(f"      {step.line}")


@book.command()
@_DEVICE
@click.option("--board", help="board name or path of a .toml file, in place of the benches' own")
@click.option("--row", "numbers", type=int, multiple=True, help="only this row; may be repeated")
@click.option("--bench", "benches", multiple=True, help="only the rows of this bench, which `chub book show` names; may be repeated")
@_JSON
def run(device: str | None, board: str | None, numbers: tuple[int, ...], benches: tuple[str, ...], as_json: bool) -> None:
    """Play the rows against the Devices. Exit code 1 where a Device does not follow one."""
    logging.disable()  # the libraries of the radio tell every hop
    whole = load_book()
    rows = whole.chosen(device, numbers, benches)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    stderr = Console(stderr=True)
    with Progress(*columns, console=stderr) as progress:
        task = progress.add_task("rows", total=len(rows))

        def told(row: BookRow, good: bool) -> None:
            said = f"row {row.number} {'agrees' if good else 'disagrees'}"
            progress.update(task, advance=1, description=said)
            if not stderr.is_terminal:
                click.echo(said, err=True)

        report = play(whole, rows, board=board, told=told)
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        _tell(report)
    sys.exit(1 if report.findings else 0)


_TOUCHED = ("esme", "gas", "prepay")
"""Benches of rows that a meter's habits may touch."""


@book.command("makers")
@click.option("--maker", "chosen", multiple=True, help="only this maker's profile; may be repeated")
@click.option("--row", "numbers", type=int, multiple=True, help="only this row; may be repeated. Without it the rows of the meters alone")
@_JSON
def over_makers(chosen: tuple[str, ...], numbers: tuple[int, ...], as_json: bool) -> None:
    """Play one hub over the meters of every maker, and print what breaks where. Exit code 1 where something does.

    A row that says itself what that maker's meters do is held against that.
    """
    unknown = [name for name in chosen if name not in makers()]
    if unknown:
        raise click.UsageError(f"read --maker {unknown[0]}, expected {one_of(unknown[0], makers())}")
    logging.disable()
    whole = load_book()
    rows = whole.chosen(None, numbers) if numbers else [row for row in whole.chosen(None, ()) if row.bench in _TOUCHED]
    reports: dict[str, Report] = {}
    for name in chosen or makers():

        def told(row: BookRow, good: bool, name: str = name) -> None:
            click.echo(f"{name}: row {row.number} {'agrees' if good else 'disagrees'}", err=True)

        reports[name] = play_with(name, whole, rows, told=told)
    broken = [finding for report in reports.values() for finding in report.findings]
    if as_json:
        figures = {name: {"rows": len(report.played), "breaks": len(report.findings)} for name, report in reports.items()}
        click.echo(json.dumps({"makers": figures, "findings": [finding.as_json() for finding in broken]}))
    else:
        table = Table("maker", "row", "behaviour", "expected", "got", title=f"{len(rows)} rows at {len(reports)} makers' meters")
        for finding in broken:
            first = finding.wrong[0]
            table.add_row(finding.maker, str(finding.row.number), finding.row.behaviour, first.expected, first.got)
        Console().print(table)
        for name, report in reports.items():
            click.echo(f"{name}: {len(report.played) - len(report.findings)} of {len(report.played)} rows as the book says")
    sys.exit(1 if broken else 0)


@book.command("compare")
@_JSON
def second_opinion(as_json: bool) -> None:
    """Ask a gas meter and its proxy the same, and show every value that they tell differently. Exit code 1 where there is one.

    The other two ends that share no code have commands of their own: `chub dcc transform-check` holds our messages against official ones,
    `chub ncp compare` a virtual dongle against the log of a real one.
    """
    logging.disable()
    found = compare(load_book(), lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        table = Table("question", "value", "meter", "proxy", title=f"{found.asked} questions, {len(found.differences)} differences")
        for one in found.differences:
            table.add_row(one.line, one.name, one.meter, one.proxy)
        Console().print(table)
    sys.exit(1 if found.differences else 0)


def _tell(report: Report) -> None:
    console = Console()
    for title, counts in (("clause", report.by(lambda row: row.clause)), ("Device", report.by(lambda row: row.device))):
        table = Table(title, "agree", "disagree", "profile", title=f"agreement by {title}")
        for name, figures in counts.items():
            table.add_row(name, *(str(figure) if figure else "" for figure in figures), style="red" if figures[1] else None)
        console.print(table)
    if report.profile:
        table = Table("row", "behaviour", "value", title="profile: no source establishes it")
        for row in report.profile:
            table.add_row(str(row.number), row.behaviour, row.profile)
        console.print(table)
    for finding in report.findings:
        first = finding.wrong[0]
        maker = f" ({finding.maker})" if finding.maker else ""
        click.echo(f"row {finding.row.number}{maker}: {finding.row.behaviour} [{finding.row.clause}, {finding.row.certainty}]")
        click.echo(f"    {first.say}\n    expected: {first.expected}\n    got: {first.got}")
    click.echo(
        f"{len(report.played)} rows: {len(report.agreeing)} agree, {len(report.disagreeing)} disagree, {len(report.profile)} profile"
    )


def _short(row: BookRow) -> dict[str, object]:
    return {
        "row": row.number,
        "device": row.device,
        "clause": row.clause,
        "certainty": row.certainty,
        "source": row.source,
        "behaviour": row.behaviour,
        **({"profile": row.profile} if row.profile else {}),
    }


def _expected(step: object) -> dict[str, object]:
    names: Sequence[str] = getattr(type(step), "__slots__", ())
    empty: tuple[object, ...] = ("", {}, (), [], None, True)
    return {name: getattr(step, name) for name in names if name not in ("say", "json") and getattr(step, name) not in empty}
