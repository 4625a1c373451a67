"""``chub dcc charges``: the calculators on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import click

from firmware_emu.extras import Choice
from hil.commands.dcc.accounts import COMMANDS, facts, hub_of
from hil.commands.dcc.options import json_option, show
from hil.dcc.base.months import Month
from hil.sec.charging.faults import batch_fault_damages, fault_causes, fault_responsibility, type_fault_damages
from hil.sec.charging.figures import figures
from hil.sec.charging.hubs import asset_charges, maintenance_charges
from hil.sec.charging.money import gbp
from hil.sec.charging.removals import removal_rules, settle_removal

__all__ = ["charges"]


@click.group("charges")
def charges() -> None:
    """Calculate hub charges: asset and maintenance, faults, removals. Money is exact, in pounds."""


@charges.command("figures")
@json_option
def show_figures(as_json: bool) -> None:
    """Show every figure the calculators use, with its source."""
    rows = [{"figure": one.name, "value": str(one.value), "unit": one.unit, "source": one.source} for one in figures().values()]
    show(rows, "Figures of the charging calculators", as_json)


@charges.command("type-fault")
@click.argument("faults", type=int)
@click.argument("installed", type=int)
@click.option("--months", type=click.IntRange(1, 12), default=12, show_default=True, help="Months that the faults were counted over.")
@json_option
def type_fault(faults: int, installed: int, months: int, as_json: bool) -> None:
    """Damages for FAULTS type faults of INSTALLED hubs: 50 GBP for each above 0.5 % a year [349-354]."""
    found = type_fault_damages(faults, installed, months=months)
    show(
        [{"faults": str(found.faults), "threshold": str(found.threshold), "above": str(found.above), "GBP": str(found.amount_gbp)}],
        "Type fault damages",
        as_json,
    )


@charges.command("cause")
@click.argument("cause", required=False)
@json_option
def cause(cause: str | None, as_json: bool) -> None:
    """Name the party responsible for a hub fault of CAUSE, or list all causes [331-335]."""
    found = fault_causes().values() if cause is None else (fault_responsibility(cause),)
    show([{"cause": one.cause, "responsible": one.responsible.value, "source": one.source} for one in found], "Fault causes", as_json)


@charges.command("removal")
@click.argument("kind", type=Choice(list(removal_rules())))
@click.argument("remaining_gbp")
@click.option("--supplier", default="the removing supplier", show_default=True, help="Party that removes the hub.")
@click.option("--count", "counts", multiple=True, metavar="SUPPLIER=N", help="Number that a smear counts for a supplier; may be repeated.")
@json_option
def removal(kind: str, remaining_gbp: str, supplier: str, counts: tuple[str, ...], as_json: bool) -> None:
    """Settle the removal of a hub with REMAINING_GBP of asset value left [331-347]."""
    settled = settle_removal(kind, gbp(remaining_gbp), supplier, _counts(counts))
    if as_json:
        click.echo(json.dumps(settled.as_json(), indent=2))
        return
    rows = [{"who pays": party, "GBP": str(amount)} for party, amount in settled.charges.items()]
    show(rows, f"{kind} ({settled.rule.source})", False)
    click.echo(f"replacement {'free' if settled.rule.replacement_free else 'charged'}; site visit: {settled.site_visit_payer}")


def _counts(texts: tuple[str, ...]) -> dict[str, int]:
    pairs = (text.rpartition("=") for text in texts)
    try:
        return {name: int(number) for name, _, number in pairs}
    except ValueError:
        raise click.BadParameter(f"read {' '.join(texts)}, expected SUPPLIER=NUMBER", param_hint="--count") from None


@charges.command("month")
@click.argument("month")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def month(month: str, file: Path, as_json: bool) -> None:
    """Charge one MONTH (2026-03) for the hubs of a TOML FILE: asset and maintenance charges by supplier.

    The file has maintenance_gbp, a table enrolled_systems (supplier = number) and tables [[hub]] with name, ordered_by, cost_gbp
    (text), delivered, contract_ends (2030-12), and installed, commissioned, removed where they are known.
    """
    when = Month.parse(month)
    with facts(file) as content:
        hubs = [hub_of(row) for row in content.get("hub", [])]
        enrolled: Mapping[str, int] = content["enrolled_systems"]
        maintenance = gbp(content["maintenance_gbp"])
    asset, upkeep = asset_charges(hubs, enrolled, when), maintenance_charges(hubs, maintenance, enrolled, when)
    nothing = Decimal("0.00")
    rows = [
        {
            "supplier": party,
            "asset GBP": str(asset.get(party, nothing)),
            "maintenance GBP": str(upkeep.get(party, nothing)),
            "total GBP": str(asset.get(party, nothing) + upkeep.get(party, nothing)),
        }
        for party in sorted({*asset, *upkeep})
    ]
    show(rows, f"Communications Hub charges for {when} [314-330]", as_json)


@charges.command("batch-fault")
@click.argument("faults", type=click.IntRange(0))
@click.argument("ordered", type=click.IntRange(1))
@json_option
def batch_fault(faults: int, ordered: int, as_json: bool) -> None:
    """Damages for FAULTS of one order of ORDERED hubs within a year of installation: 50 GBP for each above 10 % [355, 356]."""
    found = batch_fault_damages(faults, ordered)
    show(
        [{"faults": str(found.faults), "threshold": str(found.threshold), "above": str(found.above), "GBP": str(found.amount_gbp)}],
        "Batch fault damages",
        as_json,
    )


for command in COMMANDS:
    charges.add_command(command)
