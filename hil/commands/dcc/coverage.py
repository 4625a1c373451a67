"""``chub dcc coverage``: the SM WAN coverage that the DCC holds, and the hubs that it sends to a postcode by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from firmware_emu.extras import Choice
from hil.commands.dcc.options import json_option, opened, show, store_option
from hil.dcc.own_services.wan_matrix import WanCoverage, WanMatrix
from hil.sec.charging.distribution import LIKELIHOODS, hub_distribution

__all__ = ["coverage"]

_PLACE = "a postcode, or --uprn"


@click.group("coverage")
def coverage() -> None:
    """SM WAN coverage by postcode or UPRN (service 12.1, the page's coverage, the hubs that go to a place)."""


@coverage.command("set")
@click.argument("region")
@click.argument("postcode", required=False, default="")
@click.option("--uprn", default="", help="A UPRN instead of a postcode.")
@click.option("--technology", default="Cellular", show_default=True, help="WAN technology, in the words of DUIS.")
@click.option("--likelihood", type=Choice(LIKELIHOODS), default="High", show_default=True, help="Likelihood of a connection.")
@click.option("--none", "missing", is_flag=True, help="The region has no coverage there.")
@click.option("--anticipated", type=click.DateTime(["%Y-%m-%d"]), help="Day from which there will be coverage.")
@click.option("--equipment", help="Auxiliary equipment that a hub needs there.")
@store_option
def coverage_set(
    region: str,
    postcode: str,
    uprn: str,
    technology: str,
    likelihood: str,
    missing: bool,
    anticipated: datetime | None,
    equipment: str | None,
    store_path: Path,
) -> None:
    """Note what REGION offers at POSTCODE."""
    if bool(postcode) == bool(uprn):
        raise click.UsageError(f"read {'both' if postcode else 'neither'}, expected {_PLACE}")
    day = None if anticipated is None else f"{anticipated:%Y-%m-%d}"
    with opened(store_path) as store:
        WanMatrix(store).cover(WanCoverage(region, not missing, technology, likelihood, day, equipment), postcode=postcode, uprn=uprn)
    click.echo(f"{postcode or uprn}: {region}, {'no coverage' if missing else f'{technology}, {likelihood}'}")


@coverage.command("show")
@click.argument("postcode", required=False, default="")
@click.option("--uprn", default="", help="A UPRN instead of a postcode.")
@store_option
@json_option
def coverage_show(postcode: str, uprn: str, store_path: Path, as_json: bool) -> None:
    """Show what every region offers at POSTCODE, in the words of DUIS."""
    if bool(postcode) == bool(uprn):
        raise click.UsageError(f"read {'both' if postcode else 'neither'}, expected {_PLACE}")
    with opened(store_path) as store:
        show(
            [one.as_json() for one in WanMatrix(store).look_up(postcode=postcode, uprn=uprn)],
            f"SM WAN coverage at {postcode or uprn}",
            as_json,
        )


@coverage.command("hubs")
@click.argument("wanted", nargs=-1, required=True, metavar="POSTCODE=N...")
@store_option
@json_option
def coverage_hubs(wanted: tuple[str, ...], store_path: Path, as_json: bool) -> None:
    """Distribute N hubs for each POSTCODE by the coverage there: region, technology, equipment, and places without coverage [336]."""
    counts: dict[str, int] = {}
    for word in wanted:
        postcode, _, number = word.rpartition("=")
        if not postcode or not number.isdigit():
            raise click.BadParameter(f"read {word}, expected POSTCODE=NUMBER, as 'AB1 2CD=10'", param_hint="POSTCODE=N")
        counts[postcode] = int(number)
    with opened(store_path) as store:
        found = hub_distribution(WanMatrix(store), counts)

    def rows() -> Iterator[dict[str, str]]:
        for (region, technology), number in found.hubs.items():
            yield {"where": region, "what": f"hubs for {technology}", "number": str(number)}
        for equipment, number in found.auxiliary_equipment.items():
            yield {"where": "", "what": equipment, "number": str(number)}
        for postcode, why in found.uncovered.items():
            yield {"where": postcode, "what": why, "number": "0"}

    show(list(rows()), "Hubs by coverage [336]", as_json)
