"""``chub dcc maintenance``: the maintenance plan, its publication, availability."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from firmware_emu.extras import Choice
from hil.commands.dcc.options import MOMENT, json_option, moment, now, opened, show, store_option
from hil.dcc.base.months import Month
from hil.sec.maintenance.interface_change import Appeal, interface_change
from hil.sec.maintenance.plan import MaintenanceItem, MaintenancePlan
from hil.sec.maintenance.releases import INFORMED, InternalChange, Release, Releases

__all__ = ["maintenance"]

APPEALS = [one.value for one in Appeal]


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


@maintenance.command("quietest")
@click.option("--hours", type=click.IntRange(1, 24), default=1, show_default=True, help="Length of the work.")
@store_option
@json_option
def quietest(hours: int, store_path: Path, as_json: bool) -> None:
    """Name the hour of the day at which the fewest requests come, which maintenance goes to [207]."""
    with opened(store_path) as store:
        plan = MaintenancePlan(store, now)
        hour, known = plan.least_disruptive_hour(hours), plan.requests_by_hour()
    rows = [{"begins": f"{hour:02}:00 UTC", "hours": hours, "requests then": sum(known.get((hour + n) % 24, 0) for n in range(hours))}]
    show(rows, "Least disruptive time", as_json)


@maintenance.command("interrupted")
@click.argument("what")
@click.argument("began", type=MOMENT)
@click.argument("ended", type=MOMENT, required=False)
@store_option
def interrupted(what: str, began: float, ended: float | None, store_path: Path) -> None:
    """Note that WHAT was not available from BEGAN to ENDED, or still is not: the availability counts it."""
    with opened(store_path) as store:
        MaintenancePlan(store, now).interrupted(what, began, ended)
    click.echo(f"{what}: not available from {moment(began)} {f'to {moment(ended)}' if ended is not None else 'on'}")


@maintenance.command("release")
@click.argument("kind")
@click.argument("at", type=MOMENT)
@click.option("--change", "changes", multiple=True, required=True, help="A change that goes out with it; may be repeated.")
@click.option("--risk", is_flag=True, help="The changes have a material risk of disruption [215].")
@click.option("--informed", multiple=True, help=f"Who was told of them: {' or '.join(INFORMED)}; may be repeated.")
@click.option("--tested", is_flag=True, help="Users could test them.")
@click.option("--notice", is_flag=True, help="Notice of them was given.")
@store_option
@json_option
def release(
    kind: str,
    at: float,
    changes: tuple[str, ...],
    risk: bool,
    informed: tuple[str, ...],
    tested: bool,
    notice: bool,
    store_path: Path,
    as_json: bool,
) -> None:
    """Plan a release of KIND at a time: those of one day go out together, with notice, outside freezes [209-215]."""
    made = tuple(InternalChange(what, risk, frozenset(informed), tested, notice) for what in changes)
    with opened(store_path) as store:
        one = Releases(store, now).plan(kind, made, at)
    show([_release(one)], "Planned", as_json)


@maintenance.command("releases")
@store_option
@json_option
def releases(store_path: Path, as_json: bool) -> None:
    """Show the calendar of releases: by day, the most urgent kind first."""
    with opened(store_path) as store:
        show([_release(one) for one in Releases(store, now).calendar()], "Releases", as_json)


@maintenance.command("interface-change")
@click.argument("published", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--appealed", type=click.DateTime(["%Y-%m-%d"]), help="The day of an appeal to Ofgem.")
@click.option("--appeal", type=Choice([one.value for one in Appeal]), default=Appeal.NONE.value, show_default=True, help="Its outcome.")
@click.option("--longer-days", type=click.IntRange(0), default=0, show_default=True, help="So many days more than 20, as was directed.")
@click.option("--directed-otherwise", is_flag=True, help="The amendment was directed not to take effect.")
@json_option
def change_interface(
    published: datetime, appealed: datetime | None, appeal: str, longer_days: int, directed_otherwise: bool, as_json: bool
) -> None:
    """Say when an amendment of the ICHIS is applied whose report was PUBLISHED on a day (2026-03-01) [203, 204]."""
    found = interface_change(
        published.date(),
        appealed=None if appealed is None else appealed.date(),
        appeal=Appeal(appeal),
        longer_days=longer_days,
        directed_otherwise=directed_otherwise,
    )
    row = {
        "appeals until": str(found.appeal_until),
        "directions until": str(found.directed_until),
        "applied from": None if found.applies is None else str(found.applies),
        "next": found.next_step,
    }
    show([row], "Change of the ICHIS", as_json)


def _release(one: Release) -> dict[str, object]:
    return {"number": one.number, "kind": one.kind, "at": moment(one.at), "changes": list(one.changes)}
