"""Costs of a hub while it is there: asset charge, maintenance charge, HAN variant, prices, float, first tranche.

A hub's state on the last day of a month decides that month's charge (choice: the consultation charges by the month and says
nothing of days).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal

from hil.dcc.base.months import Month
from hil.sec.charging.figures import figure
from hil.sec.charging.money import ChargingError, pence, share_out

Charges = dict[str, Decimal]
"""Pounds by the party that pays them."""


@dataclass(frozen=True, slots=True)
class HubAsset:
    """One hub as an asset. ``ordered_by`` is the supplier that received it; ``cost_gbp`` what the CSP paid for it, finance included."""

    name: str
    ordered_by: str
    cost_gbp: Decimal
    delivered: date
    contract_ends: Month
    installed: date | None = None
    commissioned: date | None = None
    removed: date | None = None


def asset_charge_months(first: Month, contract_ends: Month) -> int:
    """Months over which the asset charge runs: 10 years or the remaining contract if less [314]. Raises ChargingError."""
    left = contract_ends - first + 1
    if left < 1:
        raise ChargingError(f"read a contract that ends {contract_ends}, expected one that runs in {first}, when the hub is delivered")
    return min(int(figure("asset_charge_months")), left)


def monthly_asset_charge_gbp(cost_gbp: Decimal, first: Month, contract_ends: Month) -> Decimal:
    """The monthly asset charge, exact and not rounded [314]."""
    return cost_gbp / asset_charge_months(first, contract_ends)


def asset_charge_schedule(hub: HubAsset) -> dict[Month, Decimal]:
    """Every month's charge in pence from delivery to payoff [314, 315, 319]; they add up to the cost exactly."""
    first = Month.of(hub.delivered)
    months = [first + n for n in range(asset_charge_months(first, hub.contract_ends))]
    return share_out(pence(hub.cost_gbp), dict.fromkeys(months, 1))


def remaining_asset_value_gbp(hub: HubAsset, month: Month) -> Decimal:
    """Value that is not charged yet at the end of ``month``."""
    return sum((charge for when, charge in asset_charge_schedule(hub).items() if when > month), Decimal(0))


def asset_charges(hubs: Iterable[HubAsset], enrolled_systems: Mapping[str, int], month: Month) -> Charges:
    """Asset charges of ``month`` by the party that pays them.

    Before installation the receiving supplier from delivery on [315]; after it everyone by their share of enrolled systems
    [317, 318]; nobody after removal or payoff [319].
    """
    own: Charges = {}
    smeared = Decimal(0)
    for hub in hubs:
        if hub.removed is not None and hub.removed <= month.last_day:
            continue
        charge = asset_charge_schedule(hub).get(month, Decimal(0))
        if hub.installed is not None and hub.installed <= month.last_day:
            smeared += charge
        elif charge:
            own[hub.ordered_by] = own.get(hub.ordered_by, Decimal(0)) + charge
    return _added(own, _smeared(smeared, enrolled_systems))


def maintenance_charges(hubs: Iterable[HubAsset], monthly_gbp: Decimal, enrolled_systems: Mapping[str, int], month: Month) -> Charges:
    """The maintenance charge of every hub whose CHF is commissioned, smeared by share of enrolled systems [328-330]."""
    counted = sum(
        1
        for hub in hubs
        if hub.commissioned is not None and hub.commissioned <= month.last_day and (hub.removed is None or hub.removed > month.last_day)
    )
    return _smeared(pence(monthly_gbp * counted), enrolled_systems)


@dataclass(frozen=True, slots=True)
class VariantReceipt:
    """Hubs of a dearer HAN variant (dual band) that a supplier received. ``split_fuel``: another supplier has the other fuel."""

    supplier: str
    hubs: int
    variant_cost_gbp: Decimal
    standard_cost_gbp: Decimal
    split_fuel: bool = False


@dataclass(frozen=True, slots=True)
class VariantCharge:
    """Cost of one receipt to the installing supplier, and the part that comes back to it."""

    supplier: str
    amount_gbp: Decimal
    rebate_gbp: Decimal
    paragraph: str


def han_variant_charge(receipt: VariantReceipt) -> VariantCharge:
    """The differential, paid by the installing supplier on receipt [320-322]; in split fuel there is no rebate [325, 326]."""
    if receipt.variant_cost_gbp < receipt.standard_cost_gbp:
        raise ChargingError(
            f"read a HAN variant at {receipt.variant_cost_gbp} GBP under the standard hub's {receipt.standard_cost_gbp}, expected no less"
        )
    amount = pence((receipt.variant_cost_gbp - receipt.standard_cost_gbp) * receipt.hubs)
    return VariantCharge(receipt.supplier, amount, Decimal(0), "[320-322]; no rebate [325, 326]" if receipt.split_fuel else "[320-322]")


def smwan_variant_price_gbp(prices_gbp: Mapping[str, Decimal]) -> Decimal:
    """The one price of all SM WAN variants [327]. Raises ChargingError where a price list has more than one."""
    if len(set(prices_gbp.values())) != 1:
        listed = ", ".join(f"{name} {price} GBP" for name, price in prices_gbp.items())
        raise ChargingError(f"read {listed or 'no price'}, expected the same price for every SM WAN variant [327]")
    return next(iter(prices_gbp.values()))


@dataclass(frozen=True, slots=True)
class RegionCost:
    """Hubs of one region and what one costs there."""

    hubs: int
    hub_cost_gbp: Decimal


def uniform_domestic_charge_gbp(regions: Sequence[RegionCost]) -> Decimal:
    """The average hub cost across the regions, by the hubs in each [310]."""
    hubs = sum(region.hubs for region in regions)
    if hubs < 1:
        raise ChargingError("read no hubs in any region, expected one at least: an average of nothing is no charge")
    return pence(sum((region.hub_cost_gbp * region.hubs for region in regions), Decimal(0)) / hubs)


def float_gbp(next_monthly_finance_charges_gbp: Sequence[Decimal]) -> Decimal:
    """The float the DCC holds: three months of hub finance charges, the first three given [302, 303]. Raises ChargingError."""
    months = int(figure("float_months"))
    if len(next_monthly_finance_charges_gbp) < months:
        raise ChargingError(f"read {len(next_monthly_finance_charges_gbp)} months of finance charges, expected {months} [302]")
    return pence(sum(next_monthly_finance_charges_gbp[:months], Decimal(0)))


def first_tranche_hubs(hubs: int) -> int:
    """Number of hubs in the first tranche: 15 % of them [293]; a part of a hub is a hub (choice)."""
    return int((figure("first_tranche") * hubs).to_integral_value(ROUND_CEILING))


def _smeared(total_gbp: Decimal, enrolled_systems: Mapping[str, int]) -> Charges:
    return {} if not total_gbp else share_out(total_gbp, enrolled_systems)


def _added(*many: Charges) -> Charges:
    total: Charges = {}
    for charges in many:
        for party, amount in charges.items():
            total[party] = total.get(party, Decimal(0)) + amount
    return total
