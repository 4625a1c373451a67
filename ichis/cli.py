"""``chub ichis``: the connector, profiles, the served jig; commands of other packages join by the entry points ``chub.ichis``."""

from __future__ import annotations

import json
from importlib.metadata import entry_points

import click

from ichis.connector import PINS
from ichis.profile import load_profile


class _Commands(click.Group):
    """Commands of this module, and of packages that this one does not know."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(entry.name for entry in entry_points(group="chub.ichis"))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        for entry in entry_points(group="chub.ichis", name=cmd_name):
            command = entry.load()
            if isinstance(command, click.Command):
                return command
        return None


@click.group(cls=_Commands)
def ichis() -> None:
    """The hub's connector: pins, profiles, jigs, conformance checks."""


@ichis.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def pins(as_json: bool) -> None:
    """The 20 pins: direction at the host, polarity, pull-up, what an open contact reads as."""
    rows = [{
        "pin": pin.number, "name": pin.name, "symbol": pin.symbol, "host": pin.host.value, "hub": pin.hub.value,
        "active": None if pin.active is None else pin.active.value, "pull_up": pin.pull_up, "open": pin.reads_open.value,
    } for pin in PINS]
    if as_json:
        click.echo(json.dumps({"pins": rows}))
        return
    for row in rows:
        active = "" if row["active"] is None else f", active {row['active']}"
        pull_up = ", pull-up" if row["pull_up"] else ""
        click.echo(f"{row['pin']:>2} {row['symbol']:<7} {row['name']:<16} host {row['host']}{active}{pull_up}, open reads {row['open']}")


@ichis.command()
@click.argument("name", default="ichis_default")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def profile(name: str, as_json: bool) -> None:
    """The limits of a profile, each with its source."""
    read = load_profile(name)
    rows = [{"key": key, "value": limit.value, "unit": limit.unit, "source": limit.source, "confidence": limit.confidence}
            for key, limit in read.limits.items()]
    rows += [{"key": key, "value": choice.value, "unit": "", "source": choice.source, "confidence": choice.confidence}
             for key, choice in read.choices.items()]
    if as_json:
        click.echo(json.dumps({"name": read.name, "version": read.version, "host": read.host, "limits": rows,
                               "not_measured": list(read.not_measured)}))
        return
    click.echo(f"{read.name}: {read.version}, host {read.host}")
    for row in rows:
        click.echo(f"{row['key']:<30} {row['value']:>9} {row['unit']:<6} {row['source']} ({row['confidence']})")
