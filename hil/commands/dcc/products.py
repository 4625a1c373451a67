"""``chub dcc products``: the certified products list, which says what model and firmware a Device may have and an image may be."""

from __future__ import annotations

from pathlib import Path

import click

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.extras import Choice
from hil.commands.dcc.options import json_option, now, opened, show, store_option
from hil.dcc.inventory.inventory import Inventory

__all__ = ["products"]

STATUSES = ("Active", "Cancelled", "Expired", "Withdrawn")


@click.group("products")
def products() -> None:
    """The certified products list: show it, or set an entry of it."""


@products.command("show")
@store_option
@json_option
def products_show(store_path: Path, as_json: bool) -> None:
    """Show every entry: type, manufacturer, model, firmware, status."""
    with opened(store_path) as store:
        show(Inventory(store, now).products(), "certified products", as_json)


@products.command("set")
@click.argument("kind", metavar="TYPE", type=Choice([one.name for one in DeviceType], case_sensitive=False))
@click.argument("manufacturer")
@click.argument("model")
@click.argument("firmware")
@click.option("--status", type=Choice(STATUSES), default="Active", show_default=True, help="A Device of another one is suspended.")
@store_option
def products_set(kind: str, manufacturer: str, model: str, firmware: str, status: str, store_path: Path) -> None:
    """Put a model with its firmware on the list, or change its entry: Devices of it are suspended or restored as the status says."""
    with opened(store_path) as store:
        Inventory(store, now).certify(DeviceType[kind.upper()], manufacturer, model, firmware.upper(), status)
    click.echo(f"{kind.upper()} {manufacturer} {model} {firmware.upper()}: {status}")
