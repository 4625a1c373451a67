"""Progress of a run on a console: its steps as they come, and a table at the end."""

from __future__ import annotations

import logging
import sys

from rich.console import Console
from rich.table import Table

from hil.report.verdict import Run, Step

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
    rows = Table("#", "step", "verdict", "ms", "values", title=f"{result.title}: {result.verdict}")
    for number, step in enumerate(result.steps, 1):
        values = "; ".join(f"{name} = {value}" for name, value in step.values.items())
        style = _STYLES.get(step.verdict, "red")
        rows.add_row(str(number), step.name, f"[{style}]{step.verdict}[/]", f"{step.ms:.0f}", step.why or values)
    return rows


def log_at(level: int) -> None:
    """Log lines of that level on stderr; libraries set levels of their own, which do not count."""
    logging.basicConfig(level=level, stream=sys.stderr, force=True)
    for handler in logging.getLogger().handlers:
        handler.setLevel(level)
