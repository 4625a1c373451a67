"""``chub dcc measures``: the five performance measures of a month, what is owed about them, what is said."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click

from hil.commands.dcc.incidents import log_of
from hil.commands.dcc.options import DECIMAL, MOMENT, json_option, moment, now, opened, show, store_option
from hil.dcc.base.months import Month
from hil.sec.measures.performance import Performance, Statement, levels
from hil.sec.measures.providers import ProviderThreshold, ProviderThresholds

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


def _threshold(one: ProviderThreshold) -> dict[str, object]:
    return {
        "number": one.number,
        "provider": one.provider,
        "measure": one.measure,
        "threshold": f"{one.threshold} %",
        "consulted until": moment(one.consulted_until),
        "published": moment(one.published),
    }


@measures.command("propose")
@click.argument("provider")
@click.argument("measure")
@click.argument("threshold", type=DECIMAL)
@click.argument("reason")
@click.option("--until", type=MOMENT, help="End of the consultation of users on a change; now unless told.")
@store_option
@json_option
def propose(provider: str, measure: str, threshold: Decimal, reason: str, until: float | None, store_path: Path, as_json: bool) -> None:
    """Propose a THRESHOLD in percent for a MEASURE of a PROVIDER (DSP, CSP North, CSP Central and South), with its REASON [263]."""
    with opened(store_path) as store:
        desk = ProviderThresholds(store, now)
        one = desk.propose(provider, measure, threshold, now() if until is None else until, reason)
    show([_threshold(one)], "Proposed", as_json)


@measures.command("publish")
@click.argument("number", type=int)
@store_option
@json_option
def publish(number: int, store_path: Path, as_json: bool) -> None:
    """Publish the proposed threshold NUMBER: a change only after its consultation [263]."""
    with opened(store_path) as store:
        show([_threshold(ProviderThresholds(store, now).publish(number))], "Published", as_json)


@measures.command("thresholds")
@store_option
@json_option
def thresholds(store_path: Path, as_json: bool) -> None:
    """Show every provider threshold that is or was in force."""
    with opened(store_path) as store:
        show([_threshold(one) for one in ProviderThresholds(store, now).published()], "Provider thresholds", as_json)


@measures.command("providers")
@click.argument("month")
@click.argument("reached", nargs=-1, required=True, metavar="PROVIDER:MEASURE=PERCENT...")
@click.option("--credit", type=DECIMAL, default=Decimal(0), show_default=True, help="Service credit in pounds for each point short.")
@store_option
@json_option
def providers(month: str, reached: tuple[str, ...], credit: Decimal, store_path: Path, as_json: bool) -> None:
    """Report on the DSP and each CSP in MONTH: what each reached, and the service credit expected of it [265, 266]."""
    found = []
    for word in reached:
        name, _, value = word.rpartition("=")
        provider, colon, measure = name.partition(":")
        if not colon:
            raise click.BadParameter(f"read {word}, expected PROVIDER:MEASURE=PERCENT, as 'DSP:availability=99.5'", param_hint="REACHED")
        found.append((provider, measure, DECIMAL.convert(value, None, None)))
    with opened(store_path) as store:
        lines = ProviderThresholds(store, now).report(Month.parse(month), found, credit)
    rows = [
        {
            "provider": one.provider,
            "measure": one.measure,
            "threshold": f"{one.threshold} %",
            "reached": f"{one.reached} %",
            "credit GBP": str(one.credit_gbp),
        }
        for one in lines
    ]
    show(rows, f"Providers in {month}", as_json)
