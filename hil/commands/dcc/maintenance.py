"""``chub dcc maintenance``: the maintenance plan, its publication, availability."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from firmware_emu.clock import EPOCH
from hil.commands.dcc.options import json_option, moment, now, opened, show, store_option
from hil.dcc.base.months import Month
from hil.sec.maintenance.plan import MaintenanceItem, MaintenancePlan

__all__ = ["maintenance"]


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


@click.group("maintenance")
def maintenance() -> None:
    """Planned maintenance: the Panel's agreement, the month's schedule, availability [207-216]."""


def _row(one: MaintenanceItem) -> dict[str, object]:
    return {
        "number": one.number,
        "what": one.what,
        "begins": moment(one.begins),
        "ends": moment(one.ends),
        "disrupts": one.disrupts,
        "state": one.state,
        "needs agreement": list(one.needs_agreement),
    }


@maintenance.command("plan")
@click.argument("what")
@click.argument("begins", type=MOMENT)
@click.argument("ends", type=MOMENT)
@click.option("--quiet", is_flag=True, help="It disrupts nothing.")
@store_option
@json_option
def plan(what: str, begins: float, ends: float, quiet: bool, store_path: Path, as_json: bool) -> None:
    """Plan maintenance WHAT from BEGINS to ENDS."""
    with opened(store_path) as store:
        one = MaintenancePlan(store, now).plan(what, begins, ends, disrupts=not quiet)
    show([_row(one)], "Planned", as_json)


@maintenance.command("agree")
@click.argument("number", type=int)
@click.argument("agreement")
@store_option
@json_option
def agree(number: int, agreement: str, store_path: Path, as_json: bool) -> None:
    """Note the Panel's AGREEMENT to an item."""
    with opened(store_path) as store:
        desk = MaintenancePlan(store, now)
        desk.item(number)
        one = desk.agree(number, agreement)
    show([_row(one)], "Agreed", as_json)


@maintenance.command("schedule")
@click.argument("month")
@click.option("--publish", is_flag=True, help="Publish it, before the month begins.")
@store_option
@json_option
def schedule(month: str, publish: bool, store_path: Path, as_json: bool) -> None:
    """Show the schedule of MONTH (2026-03), or publish it."""
    with opened(store_path) as store:
        desk = MaintenancePlan(store, now)
        items = desk.publish(Month.parse(month)) if publish else desk.month(Month.parse(month))
    show([_row(one) for one in items], f"Maintenance in {month}", as_json)


@maintenance.command("availability")
@click.argument("month")
@store_option
@json_option
def availability(month: str, store_path: Path, as_json: bool) -> None:
    """The availability in MONTH, in percent of the time less published maintenance."""
    when = Month.parse(month)
    with opened(store_path) as store:
        found = MaintenancePlan(store, now).availability(when.begins, when.ends)
    show([{"month": month, "availability": f"{float(found):.3f} %"}], "Availability", as_json)
