"""``chub dcc measures``: the five performance measures of a month, what is owed about them, what is said."""

from __future__ import annotations

from pathlib import Path

import click

from hil.commands.dcc.incidents import log_of
from hil.commands.dcc.options import json_option, now, opened, show, store_option
from hil.dcc.base.months import Month
from hil.sec.measures.performance import Performance, Statement, levels

__all__ = ["measures"]


@click.group("measures")
def measures() -> None:
    """Performance measures per month, with causes and steps [256-266]."""


def _row(one: Statement) -> dict[str, object]:
    figure = one.figure
    return {
        "measure": f"{figure.level.number} {figure.level.name}",
        "figure": "-" if figure.percent is None else f"{float(figure.percent):.2f} % of {figure.counted}",
        "target": f"{figure.level.target} %",
        "minimum": f"{figure.level.minimum} %",
        "rule": figure.rule.value,
        "late by": [f"{count} x {what}" for what, count in figure.causes[:3]],
        "cause": one.cause,
        "steps": one.steps,
        "owed": one.owed,
    }


@measures.command("show")
@click.argument("month")
@store_option
@json_option
def show_month(month: str, store_path: Path, as_json: bool) -> None:
    """Show the five measures of MONTH (2026-03); exit code 1 while the report owes a cause or steps."""
    with opened(store_path) as store:
        desk = Performance(store, log_of(store), now)
        found = [desk.statement(one.number, Month.parse(month)) for one in levels()]
    show([one.as_json() for one in found] if as_json else [_row(one) for one in found], f"Performance in {month}", as_json)
    if any(one.owed for one in found):
        raise SystemExit(1)


@measures.command("explain")
@click.argument("month")
@click.argument("measure", type=int)
@click.argument("cause")
@click.option("--steps", default="", help="The steps being taken, where the figure is below the minimum.")
@store_option
@json_option
def explain(month: str, measure: int, cause: str, steps: str, store_path: Path, as_json: bool) -> None:
    """Say the CAUSE of a figure below its target, and the steps below its minimum."""
    with opened(store_path) as store:
        one = Performance(store, log_of(store), now).explain(measure, Month.parse(month), cause, steps)
    show([one.as_json() if as_json else _row(one)], f"Performance in {month}", as_json)
