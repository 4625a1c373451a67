"""Removals of hubs: their costs, the payer, and the payer of the visit (``removals.csv``, one row a kind of removal)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources

from firmware_emu.errors import one_of
from hil.sec.charging.figures import figure
from hil.sec.charging.money import ChargingError, pence, share_out

CSP = "CSP"
DCC = "DCC"


@dataclass(frozen=True, slots=True)
class RemovalRule:
    """One kind of removal. ``payer``: removing supplier, smeared, DCC or CSP; ``basis`` what a smear counts; ``source`` the paragraph."""

    kind: str
    payer: str
    recovered: bool
    basis: str
    replacement_free: bool
    site_visit: str
    source: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """Costs of one removal by party. ``charges`` are the remaining asset cost in pounds, nobody's where the DCC bears it."""

    rule: RemovalRule
    charges: Mapping[str, Decimal]
    site_visit_payer: str

    def as_json(self) -> dict[str, object]:
        return {
            "kind": self.rule.kind,
            "charges_gbp": {party: str(amount) for party, amount in self.charges.items()},
            "replacement_free": self.rule.replacement_free,
            "site_visit": self.site_visit_payer,
            "source": self.rule.source,
        }


@cache
def removal_rules() -> Mapping[str, RemovalRule]:
    """Every kind of removal by name."""
    lines = resources.files("hil.sec.charging").joinpath("removals.csv").read_text(encoding="utf-8").splitlines()
    return {
        row["kind"]: RemovalRule(
            row["kind"],
            row["payer"],
            row["share"] == "recovered",
            row["basis"],
            row["replacement_free"] == "yes",
            row["site_visit"],
            row["source"],
        )
        for row in csv.DictReader(lines)
    }


def recovered_gbp(remaining_asset_value_gbp: Decimal) -> Decimal:
    """Sum that the CSP recovers of a removed hub: 80 % of its remaining asset value [333]."""
    if remaining_asset_value_gbp < 0:
        raise ChargingError(f"read a remaining asset value of {remaining_asset_value_gbp} GBP, expected none below zero")
    return pence(figure("asset_value_recovered") * remaining_asset_value_gbp)


def settle_removal(
    kind: str, remaining_asset_value_gbp: Decimal, removing_supplier: str, counted: Mapping[str, int] | None = None
) -> Settlement:
    """Payers of the remaining asset cost of a removed hub, and of the visit.

    The removing supplier [338, 339], save in the exceptions: smeared over ``counted``, which is each supplier's number of what the
    rule names [341-346]; borne by the DCC [334, 337] or the CSP [347]. What is charged is what the CSP recovers [333] (choice: the
    two paragraphs speak of one sum). Raises ChargingError.
    """
    rule = removal_rules().get(kind)
    if rule is None:
        raise ChargingError(f"read the kind {kind!r} of removal, expected {one_of(kind, removal_rules())}")
    amount = recovered_gbp(remaining_asset_value_gbp)
    charges: Mapping[str, Decimal] = {}
    if rule.payer == "removing supplier":
        charges = {removing_supplier: amount}
    elif rule.payer == "smeared":
        if not counted:
            raise ChargingError(f"a {kind} is smeared: give each supplier's number of {rule.basis} ({rule.source})")
        charges = share_out(amount, counted)
    return Settlement(rule, charges, removing_supplier if rule.site_visit == "supplier" else rule.site_visit)


def site_visit_payer(purpose: str, supplier: str) -> str:
    """Payer of a visit: the supplier for installation, maintenance and removal; the DCC for type and batch faults; the
    CSP, on the DCC's side, for a refresh [311, 347]."""
    if purpose in ("installation", "maintenance", "removal"):
        return supplier
    if purpose in ("type fault", "batch fault"):
        return DCC
    if purpose in ("refresh", "early refresh"):
        return CSP
    raise ChargingError(
        f"read the purpose {purpose!r}, expected installation, maintenance, removal, type fault, batch fault, refresh or early refresh"
    )
