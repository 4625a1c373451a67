"""Hub faults: who is responsible, and the damages where too many fail."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from functools import cache
from importlib import resources
from math import lcm

from firmware_emu.errors import one_of
from hil.sec.charging.figures import figure
from hil.sec.charging.money import ChargingError, pence, share_out


class FaultResponsible(StrEnum):
    """Party that a fault is laid to [331-335]."""

    USER = "user fault"
    DCC = "DCC service fault"


@dataclass(frozen=True, slots=True)
class FaultCause:
    """One cause of a fault (``fault_causes.csv``) with who is responsible; ``source`` its paragraph, or that it is a choice."""

    cause: str
    responsible: FaultResponsible
    counts_as_type_fault: bool
    source: str


@cache
def fault_causes() -> Mapping[str, FaultCause]:
    """Every cause the bench knows, by name."""
    lines = resources.files("hil.sec.charging").joinpath("fault_causes.csv").read_text(encoding="utf-8").splitlines()
    return {
        row["cause"]: FaultCause(row["cause"], FaultResponsible(row["responsible"]), row["type_fault"] == "yes", row["source"])
        for row in csv.DictReader(lines)
    }


def fault_responsibility(cause: str) -> FaultCause:
    """Party responsible for a hub that failed of ``cause`` [331-335]. Raises ChargingError."""
    found = fault_causes().get(cause)
    if found is None:
        raise ChargingError(f"read the cause {cause!r}, expected {one_of(cause, fault_causes())}")
    return found


def replacement_charge_gbp(cause: str, hub_price_gbp: Decimal) -> Decimal:
    """Price of a replacement for the supplier: nothing for a DCC service fault [334], the hub's price for a user fault."""
    return Decimal(0) if fault_responsibility(cause).responsible is FaultResponsible.DCC else pence(hub_price_gbp)


@dataclass(frozen=True, slots=True)
class ChargedFault:
    """A hub that failed: its order, when it was installed and failed, of what, and whose it was to install."""

    hub: str
    supplier: str
    order: str
    installed: date
    failed: date
    cause: str


@dataclass(frozen=True, slots=True)
class Damages:
    """Liquidated damages: ``faults`` counted, ``threshold`` in faults (may be a fraction), ``above`` charged at 50 GBP each."""

    faults: int
    threshold: Decimal
    above: int
    amount_gbp: Decimal


def _damages(faults: int, share: Decimal, hubs: int) -> Damages:
    if faults < 0 or hubs < 0:
        raise ChargingError(f"read {faults} faults of {hubs} hubs, expected none below zero")
    threshold = share * hubs
    above = max(0, faults - int(threshold.to_integral_value(ROUND_FLOOR)))
    return Damages(faults, threshold, above, figure("liquidated_damages") * above)


def type_fault_damages(faults: int, installed_hubs: int, *, months: int = 12) -> Damages:
    """Damages for type faults: 50 GBP for each above 0.5 % a year of all successfully installed hubs [349, 350, 353, 354].

    ``months`` under 12 takes that part of the yearly threshold (choice). A fault is above the threshold when its number is: with
    a threshold of 2.5 the third is (choice).
    """
    if not 1 <= months <= 12:
        raise ChargingError(f"read {months} months, expected 1 to 12")
    return _damages(faults, figure("type_fault_threshold_per_year") * months / 12, installed_hubs)


def type_faults(faults: Iterable[ChargedFault], begins: date, ends: date) -> tuple[ChargedFault, ...]:
    """Those of a period (``ends`` excluded) that are DCC service faults by cause and so count towards the threshold [331, 354, 337]."""
    return tuple(one for one in faults if begins <= one.failed < ends and fault_responsibility(one.cause).counts_as_type_fault)


def batch_faults(faults: Iterable[ChargedFault], order: str) -> tuple[ChargedFault, ...]:
    """DCC service faults of one order within a year of each hub's installation [355, 356]; the anniversary is within it (choice)."""
    return tuple(
        one
        for one in faults
        if one.order == order and fault_responsibility(one.cause).counts_as_type_fault and one.failed <= _anniversary(one.installed)
    )


def batch_fault_damages(faults: int, hubs_in_order: int) -> Damages:
    """Damages for one order: 50 GBP for each of its :func:`batch_faults` above 10 % of it [355, 356]."""
    return _damages(faults, figure("batch_fault_threshold"), hubs_in_order)


def _anniversary(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return date(day.year + 1, 3, 1)


def allocate_damages(
    amount_gbp: Decimal, faults_by_supplier: Mapping[str, int], installed_by_supplier: Mapping[str, int]
) -> dict[str, Decimal]:
    """Damages to the suppliers by each one's aggregate fault rate [350]: the share of its own installed hubs that failed, whatever the
    order or type.

    Who had one fault in ten hubs gets ten times what one with a fault in a hundred gets. A supplier without installed hubs has no rate.
    """
    strangers = sorted(supplier for supplier, faults in faults_by_supplier.items() if faults and not installed_by_supplier.get(supplier))
    if strangers:
        raise ChargingError(f"read faults of {', '.join(strangers)}, expected them only of suppliers with installed hubs")
    if not amount_gbp:
        return dict.fromkeys(faults_by_supplier, Decimal(0))
    common = lcm(*(installed_by_supplier[name] for name, faults in faults_by_supplier.items() if faults))
    rates = {name: faults * (common // installed_by_supplier[name]) if faults else 0 for name, faults in faults_by_supplier.items()}
    return share_out(pence(amount_gbp), rates)
