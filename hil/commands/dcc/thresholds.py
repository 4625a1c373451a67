"""``chub dcc thresholds``: anomaly thresholds of users and of the DCC itself, and limits of values."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from firmware_emu.ids import Eui64
from hil.commands.dcc.options import EUI, json_option, opened, show, store_option
from hil.dcc.anomaly.thresholds import AnomalyThresholds

__all__ = ["thresholds"]


class DecimalType(click.ParamType[Decimal]):
    """A decimal number."""

    name = "number"

    def convert(self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            return Decimal(value)
        except InvalidOperation:
            self.fail(f"read {value!r}, expected a number", param, ctx)


NUMBER = DecimalType()


@click.group("thresholds")
def thresholds() -> None:
    """Anomaly thresholds: what is above is quarantined (CK-7) [134, 135, fn14]."""


@thresholds.command("show")
@store_option
@json_option
def show_thresholds(store_path: Path, as_json: bool) -> None:
    """Show every threshold and limit."""
    with opened(store_path) as store:
        found = AnomalyThresholds(store)
        rows = [
            {"of": str(one.user or "all users"), "service": one.service, "limit": f"{one.threshold} in {one.window_s:g} s"}
            for one in found.volumes()
        ]
        rows += [{"of": f"value {one.element}", "service": one.service, "limit": one.bounds} for one in found.limits()]
    show(rows, "Anomaly thresholds", as_json)


@thresholds.command("all-users")
@click.argument("service")
@click.argument("threshold", type=click.IntRange(0))
@click.argument("window_s", type=click.FloatRange(min=0, min_open=True))
@store_option
def all_users(service: str, threshold: int, window_s: float, store_path: Path) -> None:
    """At most THRESHOLD requests of SERVICE in WINDOW_S seconds over all users together."""
    with opened(store_path) as store:
        AnomalyThresholds(store).limit_all_users(service, threshold, window_s)


@thresholds.command("user")
@click.argument("user", type=EUI)
@click.argument("service")
@click.argument("threshold", type=click.IntRange(0))
@click.argument("window_s", type=click.FloatRange(min=0, min_open=True))
@store_option
def of_user(user: Eui64, service: str, threshold: int, window_s: float, store_path: Path) -> None:
    """Agree with USER at most THRESHOLD messages of SERVICE (* all, response its Responses) in WINDOW_S seconds."""
    with opened(store_path) as store:
        AnomalyThresholds(store).agree(user, service, threshold, window_s)


@thresholds.command("value")
@click.argument("service")
@click.argument("element")
@click.option("--minimum", type=NUMBER, help="The least allowed.")
@click.option("--maximum", type=NUMBER, help="The most allowed.")
@store_option
def of_value(service: str, element: str, minimum: Decimal | None, maximum: Decimal | None, store_path: Path) -> None:
    """Limit the numbers that ELEMENT (its name in DUIS) may hold in requests of SERVICE."""
    with opened(store_path) as store:
        AnomalyThresholds(store).limit_value(service, element, minimum, maximum)
