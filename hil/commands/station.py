"""``chub station``: who has which instrument, dongle or port of this machine, and since when."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from firmware_emu.ownership import held_places
from ichis.instrument.lease import holders


@click.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def station(as_json: bool) -> None:
    """Show who has which instrument (of every user), dongle and port (of this user), and since when; whoever wants one too is refused."""
    leases = holders()
    told = {f"the instrument {one.address}" for one in leases}
    places = [one for one in held_places() if one.what not in told]
    if as_json:
        click.echo(json.dumps({"leases": [asdict(one) for one in leases], "places": [asdict(one) for one in places]}))
        return
    for lease in leases:
        click.echo(f"{lease.address}: {lease}")
    for place in places:
        click.echo(f"{place.what}: since {place.since}, process {place.process} ({place.command})")
    if not leases and not places:
        click.echo("no instrument, dongle or port is in use")
