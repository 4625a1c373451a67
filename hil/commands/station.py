"""``chub station``: who has which instrument of this machine, and since when."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from ichis.instrument.lease import holders


@click.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def station(as_json: bool) -> None:
    """Show who has which instrument, and since when; a run that wants one of them is refused."""
    found = holders()
    if as_json:
        click.echo(json.dumps({"leases": [asdict(one) for one in found]}))
        return
    for one in found:
        click.echo(f"{one.address}: {one}")
    if not found:
        click.echo("no instrument is in use")
