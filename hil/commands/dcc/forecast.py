"""``chub dcc forecast``: give forecasts, count enrolled systems, read usage reports and what is over 110 %."""

from __future__ import annotations

import json
from pathlib import Path

import click

from firmware_emu.extras import Choice
from firmware_emu.ids import Eui64
from hil.commands.dcc.options import EUI, json_option, now, opened, show, store_option
from hil.dcc.base.months import Month
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.registration import Registration
from hil.sec.demand.demand import Demand
from hil.sec.demand.formulas import PartYear, monthly_allocation, thresholds

__all__ = ["forecast"]

_reading = click.option(
    "--reading",
    type=Choice([one.value for one in PartYear]),
    default=PartYear.SENSIBLE.value,
    show_default=True,
    help="Scaling of a part of a year [411].",
)


@click.group("forecast")
def forecast() -> None:
    """Demand: forecasts, usage against them and against table 5.3, reports at 110 % [267-273]."""


@forecast.command("give")
@click.argument("user", type=EUI)
@click.argument("service")
@click.argument("requests", nargs=6, type=click.IntRange(0))
@store_option
@json_option
def give(user: Eui64, service: str, requests: tuple[int, ...], store_path: Path, as_json: bool) -> None:
    """USER forecasts its REQUESTS of SERVICE (4.8) for each of the next six months."""
    with opened(store_path) as store:
        demand = Demand(store, now)
        months = demand.next_months()
        demand.forecast(user, service, dict(zip(months, requests, strict=True)))
    rows = [{"month": str(month), "requests": count} for month, count in zip(months, requests, strict=True)]
    show(rows, f"Forecast of {service}", as_json)


@forecast.command("count")
@store_option
@json_option
def count(store_path: Path, as_json: bool) -> None:
    """Count every user's enrolled systems for this month, as is done on the 15th [408]."""
    with opened(store_path) as store:
        counted = Demand(store, now).count_enrolled(Inventory(store, now), Registration(store))
    show([{"user": str(user), "systems": systems} for user, systems in counted.items()], "Enrolled systems", as_json)


@forecast.command("report")
@click.argument("user", type=EUI)
@click.argument("month")
@_reading
@store_option
@json_option
def report(user: Eui64, month: str, reading: str, store_path: Path, as_json: bool) -> None:
    """The report to USER for MONTH (2026-03): usage by service with its forecast, and what is reported at 110 %."""
    with opened(store_path) as store:
        found = Demand(store, now, PartYear(reading)).report(user, Month.parse(month))
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
        return
    rows = [
        {
            "service": line.service,
            "name": line.name,
            "used": line.used,
            "forecast": line.forecast,
            "reported": list(map(str, line.findings)),
        }
        for line in found.lines
    ]
    show(rows, f"Usage of {user} ({found.role}) in {found.month}; part years read in the {found.part_year} way", False)
    if found.missing_forecasts:
        click.echo(f"no forecast was given for {', '.join(found.missing_forecasts)}")


@forecast.command("aggregate")
@click.argument("month")
@store_option
@json_option
def aggregate(month: str, store_path: Path, as_json: bool) -> None:
    """Usage of all users together in MONTH, as it is published [272]."""
    with opened(store_path) as store:
        found = Demand(store, now).aggregate(Month.parse(month))
    show([{"service": service, "requests": count} for service, count in found.items()], f"Usage in {month}", as_json)


@forecast.command("over")
@click.argument("month")
@_reading
@store_option
@json_option
def over(month: str, reading: str, store_path: Path, as_json: bool) -> None:
    """Report to the Panel and all parties for MONTH: usage at or above 110 % of forecast or threshold; exit code 1 if any."""
    with opened(store_path) as store:
        found = Demand(store, now, PartYear(reading)).over(Month.parse(month))
    rows = [
        {
            "user": str(one.user),
            "service": one.service,
            "against": one.against,
            "used": f"{float(one.used):g}",
            "limit": f"{float(one.limit):g}",
            "sentence": str(one),
        }
        for one in found
    ]
    show(rows, f"At or above 110 % in {month} ({reading} reading)", as_json)
    if found:
        raise SystemExit(1)


@forecast.command("thresholds")
@json_option
def show_thresholds(as_json: bool) -> None:
    """Table 5.3."""
    rows = [
        {
            "id": one.id,
            "roles": " ".join(sorted(one.roles)),
            "service": one.service,
            "name": one.name,
            "window": "12 months" if one.yearly else "month",
            "threshold": f"{float(one.constant):g}{' x days' if one.by_days else ''}",
        }
        for one in thresholds()
    ]
    show(rows, "Table 5.3 [407]", as_json)


@forecast.command("allocate")
@click.argument("year", type=click.IntRange(0))
@click.argument("weights", nargs=12, type=click.IntRange(0))
@json_option
def allocate(year: int, weights: tuple[int, ...], as_json: bool) -> None:
    """Spread an annual allocation of YEAR requests over the months by twelve WEIGHTS [268, 269]."""
    try:
        shares = monthly_allocation(year, dict(enumerate(weights, 1)))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="WEIGHTS") from None
    show([{"month": month, "requests": count} for month, count in shares.items()], "Monthly allocation", as_json)
