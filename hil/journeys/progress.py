"""Progress of a run on a console: its steps as they come, and a table at the end."""

from __future__ import annotations

import json
import logging
import sys
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Column, Table

from hil.bench.run_folder import RunFolder
from hil.report.verdict import Run, Step
from hil.report.write import write_html, write_junit

_STYLES = {"pass": "green", "skip": "yellow"}


def begin(console: Console, name: str) -> None:
    """A step has begun; only a terminal is told, since the line is written over."""
    if console.is_terminal:
        console.print(f"   {name} ...", style="dim", end="\r")


def show(console: Console, step: Step) -> None:
    """A step has ended."""
    style = _STYLES.get(step.verdict, "bold red")
    console.print(f"[{style}]{step.verdict}[/] {step.name} [dim]{step.ms:.0f} ms[/]" + (f"\n     {step.why}" if step.why else ""))


def table(result: Run) -> Table:
    """Every step with its values, or why it failed."""
    rows = Table("#", "step", "verdict", "ms", Column("values", overflow="fold"), title=f"{result.title}: {result.verdict}")
    for number, step in enumerate(result.steps, 1):
        values = "; ".join(f"{name} = {value}" for name, value in step.values.items())
        style = _STYLES.get(step.verdict, "red")
        rows.add_row(str(number), step.name, f"[{style}]{step.verdict}[/]", f"{step.ms:.0f}", step.why or values)
    return rows


def conclude(result: Run, folder: RunFolder, *, as_json: bool, **named: str) -> NoReturn:
    """Close the run's folder with its reports, tell the result, and exit: 0 where it passed, 1 where not.

    ``named`` comes first in the JSON object, as the scenario's name.
    """
    folder.close()
    report = folder.path / "report.html"
    write_html(result, report)
    write_junit(result, folder.path / "junit.xml")
    if as_json:
        told = {"verdict": result.verdict, "steps": [step.as_json() for step in result.steps], "run": str(folder.path)}
        click.echo(json.dumps({**named, **told}))
    else:
        Console().print(table(result))
        click.echo(f"{result.verdict}: {report}")
    sys.exit(0 if result.verdict == "pass" else 1)


def log_at(level: int) -> None:
    """Log lines of that level on stderr; libraries set levels of their own, which do not count."""
    logging.basicConfig(level=level, stream=sys.stderr, force=True)
    for handler in logging.getLogger().handlers:
        handler.setLevel(level)
