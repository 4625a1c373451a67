"""The DCC's own money: charges of a year, margin, incentives of its providers, the K factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hil.sec.charging.figures import figure
from hil.sec.charging.money import ChargingError, pence


@dataclass(frozen=True, slots=True)
class AnnualCosts:
    """A year's costs in pounds [363]."""

    pass_through_gbp: Decimal
    own_gbp: Decimal
    ofgem_gbp: Decimal
    secco_gbp: Decimal
    secas_gbp: Decimal


def annual_charges(costs: AnnualCosts, margin: Decimal, correction_gbp: Decimal = Decimal(0)) -> dict[str, Decimal]:
    """Charges of a year, part by part, and ``total`` [363].

    ``margin`` (0.05 is 5 %) is taken on the DCC's own costs alone: nothing is earned on what passes through [375]. ``correction_gbp``
    is the K factor of the year before (:func:`k_factor_gbp`).
    """
    if margin < 0:
        raise ChargingError(f"read a margin of {margin}, expected none below zero")
    parts = {
        "provider charges passed through": pence(costs.pass_through_gbp),
        "own costs": pence(costs.own_gbp),
        "margin on own costs": pence(costs.own_gbp * margin),
        "Ofgem": pence(costs.ofgem_gbp),
        "SECCo": pence(costs.secco_gbp),
        "SECAS": pence(costs.secas_gbp),
        "K factor": pence(correction_gbp),
    }
    return parts | {"total": sum(parts.values(), Decimal(0))}


def k_factor_gbp(charged_gbp: Decimal, allowed_gbp: Decimal, credits_gbp: Sequence[Decimal] = ()) -> Decimal:
    """Correction of next year's charges: the amount charged short, less the credits held through the year [384].

    Negative where next year becomes cheaper.
    """
    return pence(allowed_gbp - charged_gbp - sum(credits_gbp, Decimal(0)))


def bonus_pool_gbp(implementation_costs_gbp: Sequence[Decimal]) -> Decimal:
    """The providers' joint bonus pool: 1 % of their implementation costs together [380]."""
    return pence(figure("bonus_pool") * sum(implementation_costs_gbp, Decimal(0)))


def bonus_gbp(pool_gbp: Decimal, milestones_met_by_all: int) -> Decimal:
    """Part of the pool that is earned: each of three milestones, met by all providers together, a third of it (choice) [380]."""
    milestones = int(figure("bonus_milestones"))
    if not 0 <= milestones_met_by_all <= milestones:
        raise ChargingError(f"read {milestones_met_by_all} milestones, expected 0 to {milestones}")
    return pence(pool_gbp * milestones_met_by_all / milestones)


def collaborative_fund_cap_gbp(annual_contract_costs_gbp: Decimal) -> Decimal:
    """The most that the collaborative fund may hold: 1 % of annual contract costs [388]."""
    return pence(figure("collaborative_fund") * annual_contract_costs_gbp)


def milestone_credit_gbp(amount_at_risk_gbp: Decimal, days_late: int, full_after_days: int) -> Decimal:
    """A provider's credit for a late milestone: a sliding scale up to the full amount at risk [378], linear in days (choice)."""
    if full_after_days < 1 or days_late < 0:
        raise ChargingError(f"read {days_late} days late of {full_after_days}, expected 0 or more of 1 or more")
    return pence(amount_at_risk_gbp * min(days_late, full_after_days) / full_after_days)


def credit_recovered_gbp(interim_credit_gbp: Decimal, recoverable: Decimal, final_milestone_met: bool) -> Decimal:
    """The part of an interim milestone's credit that a provider gets back when it meets the final one in time [379]."""
    if not 0 <= recoverable <= 1:
        raise ChargingError(f"read a recoverable part of {recoverable}, expected 0 to 1")
    return pence(interim_credit_gbp * recoverable) if final_milestone_met else Decimal("0.00")


def credit_within_margin_gbp(credits_gbp: Sequence[Decimal], implementation_margin_gbp: Decimal) -> Decimal:
    """All milestone credits together: never above the implementation margin, which is all that is at risk [379]."""
    return min(sum(credits_gbp, Decimal(0)), implementation_margin_gbp)


def gain_shares_gbp(allowed_gbp: Decimal, actual_gbp: Decimal, provider_share: Decimal) -> Mapping[str, Decimal]:
    """A saving shared between provider and users [386]; no saving, no gain. The share is the contract's (no figure is given)."""
    if not 0 <= provider_share <= 1:
        raise ChargingError(f"read a provider's share of {provider_share}, expected 0 to 1")
    gain = max(Decimal(0), pence(allowed_gbp - actual_gbp))
    provider = pence(gain * provider_share)
    return {"provider": provider, "users": gain - provider}
