"""``chub dcc services``: the schedule of services in either edition."""

from __future__ import annotations

import click

from firmware_emu.errors import one_of
from firmware_emu.extras import Choice
from hil.commands.dcc.options import json_option, show
from hil.dcc.base.services import Service, ServiceGroup, UserRole, schedule
from hil.dcc.duis.element_types import element_type
from hil.dcc.duis.request import VARIANTS

__all__ = ["services"]

EDITIONS = ("DUIS 5.4", "2013")


@click.command("services")
@click.option("--edition", type=Choice(EDITIONS), default=EDITIONS[0], show_default=True, help="The schedule to show.")
@click.option("--group", type=Choice([one.value for one in ServiceGroup]), help="Only services of this group [107].")
@click.option("--role", help="Only what this user role may send: IS, or EIS as in 2013.")
@json_option
def services(edition: str, group: str | None, role: str | None, as_json: bool) -> None:
    """List the services: who may send each, on demand, future dated, its group [107, 111, 112].

    Elective services are agreed between a user and the DCC: the schedule has none of them. Of 2013 some services are future dated that
    DUIS 5.4 has no place for the time of: a date for them cannot be written, and the gateway takes none.
    """
    in_2013 = edition == "2013"
    try:
        wanted = None if role is None else UserRole.parse(role)
    except ValueError:
        raise click.BadParameter(f"read {role!r}, expected {one_of(role, UserRole)}", param_hint="--role") from None
    found = [
        one
        for one in schedule().values()
        if (one.of_2013 or not in_2013)
        and (group is None or one.group.value == group)
        and (wanted is None or wanted in (one.roles_2013 if in_2013 else one.roles))
    ]
    show([_row(one, in_2013) for one in found], f"Services, {edition}", as_json)


def _row(one: Service, in_2013: bool) -> dict[str, object]:
    roles = sorted(role.old_name for role in one.roles_2013) if in_2013 else sorted(one.roles)
    place = {"DUIS 5.4 has a place for the time": _has_place_for_time(one.variant)} if in_2013 else {}
    return {
        "variant": one.variant,
        "name": one.name,
        "group": one.group.value,
        "critical": one.critical,
        "on demand": one.on_demand_2013 if in_2013 else one.on_demand_s is not None,
        "future dated": one.future_dated_2013 if in_2013 else bool(one.future_dated),
        **place,
        "scheduled": one.schedulable,
        "roles": " ".join(roles),
    }


def _has_place_for_time(variant: str) -> bool:
    body = element_type("Request").part("Body")
    part = None if body is None else element_type(body.type).part(VARIANTS[variant].element)
    return part is not None and element_type(part.type).part("ExecutionDateTime") is not None
