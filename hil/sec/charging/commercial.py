"""The DCC's own money: charges of a year, margin, incentives of its providers, the K factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from firmware_emu.errors import one_of
from hil.sec.charging.figures import figure
from hil.sec.charging.money import ChargingError, pence, share_out


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
    """Credit on the DCC licensee's own charges for a late milestone: a sliding scale up to the full amount at risk to it [378], linear in
    days (choice)."""
    if full_after_days < 1 or days_late < 0:
        raise ChargingError(f"read {days_late} days late of {full_after_days}, expected 0 or more of 1 or more")
    return pence(amount_at_risk_gbp * min(days_late, full_after_days) / full_after_days)


def credit_recovered_gbp(interim_credit_gbp: Decimal, recoverable: Decimal, final_milestone_met: bool) -> Decimal:
    """The part of an interim milestone's credit that the DCC licensee gets back where its delay is recovered by a later milestone [379].

    How much that is no paragraph says: ``recoverable`` is the licence's (0 to 1).
    """
    if not 0 <= recoverable <= 1:
        raise ChargingError(f"read a recoverable part of {recoverable}, expected 0 to 1")
    return pence(interim_credit_gbp * recoverable) if final_milestone_met else Decimal("0.00")


def credit_within_margin_gbp(credits_gbp: Sequence[Decimal], implementation_margin_gbp: Decimal) -> Decimal:
    """All milestone credits together: never above the DCC's margin for the implementation period, which is all that is at risk [379]."""
    return min(sum(credits_gbp, Decimal(0)), implementation_margin_gbp)


SHARERS = ("DCC", "DSP", "CSP")
"""Parties of the gain sharing [386]; there are several CSPs, each under a name of its own."""


def gain_shares_gbp(allowed_gbp: Decimal, actual_gbp: Decimal, retained: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    """Net savings across the DCC system: DCC, DSP and each CSP retain a proportion, the rest is the users' [386].

    ``retained`` has a proportion for each party (0.1 is 10 %; no paragraph gives one); no saving, no gain. Raises ChargingError where
    DCC, DSP or the CSPs are left out, or they retain all or more.
    """
    missing = [kind for kind in SHARERS if not any(party.split()[0] == kind for party in retained)]
    if missing:
        raise ChargingError(f"read gain shares of {', '.join(retained) or 'nobody'}, expected one of the {missing[0]} too [386]")
    if any(share <= 0 for share in retained.values()) or sum(retained.values()) >= 1:
        raise ChargingError(
            f"read gain shares {list(map(str, retained.values()))}, expected each above 0 and something left for users [386]"
        )
    gain = max(Decimal(0), pence(allowed_gbp - actual_gbp))
    return (
        share_out(gain, {**retained, "users": 1 - sum(retained.values(), Decimal(0))})
        if gain
        else dict.fromkeys([*retained, "users"], gain)
    )


@dataclass(frozen=True, slots=True)
class SetUpCost:
    """Development cost that a provider may not charge before its systems are accepted jointly and its milestone achieved [366]."""

    provider: str
    amount_gbp: Decimal
    accepted: date | None
    milestone_achieved: date | None

    def charged_from(self) -> date | None:
        """The day from which it is charged: the later of the two; None while one is to come."""
        if self.accepted is None or self.milestone_achieved is None:
            return None
        return max(self.accepted, self.milestone_achieved)


def set_up_costs_gbp(costs: Sequence[SetUpCost], begins: date, ends: date) -> Mapping[str, tuple[Decimal, Decimal]]:
    """By provider: the set-up costs whose charging begins in the period (``ends`` excluded), and those still deferred at its end [366]."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for one in costs:
        due, deferred = found.get(one.provider, (Decimal(0), Decimal(0)))
        when = one.charged_from()
        if when is None or when >= ends:
            deferred += one.amount_gbp
        elif when >= begins:
            due += one.amount_gbp
        found[one.provider] = due, deferred
    return found


def emergency_funding_gbp(shortfall_gbp: Decimal, charges_gbp: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    """Increase of each user's charges when the DCC is short of money [370]: in proportion to what it is charged (choice).

    Raises ChargingError where nobody is charged.
    """
    return share_out(pence(shortfall_gbp), charges_gbp)


OBLIGATIONS = ("remedial plan", "enhanced scrutiny", "step-in")
"""Obligations of the DCC as its provider contracts define them [385]."""


def persistent_failure_relief(carried_out: Sequence[str]) -> tuple[str, ...]:
    """Obligations still open before the DCC has relief from the measure of persistent service failure; none: relief is granted [385].

    Raises ChargingError for an obligation that [385] does not name.
    """
    strangers = [one for one in carried_out if one not in OBLIGATIONS]
    if strangers:
        raise ChargingError(f"read {strangers[0]!r}, expected {one_of(strangers[0], OBLIGATIONS)} [385]")
    return tuple(one for one in OBLIGATIONS if one not in carried_out)
