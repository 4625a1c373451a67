"""Invoices, explicit charges, and the DCC's own money."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from hil.dcc.base.months import Month
from hil.sec.charging.commercial import (
    AnnualCosts,
    annual_charges,
    bonus_gbp,
    bonus_pool_gbp,
    collaborative_fund_cap_gbp,
    credit_recovered_gbp,
    credit_within_margin_gbp,
    gain_shares_gbp,
    k_factor_gbp,
    milestone_credit_gbp,
)
from hil.sec.charging.invoices import (
    ChargeAccount,
    Line,
    accelerated_liability,
    bad_debt,
    billing_dates,
    explicit_charges,
    invoices,
    payable_gbp,
)
from hil.sec.charging.money import ChargingError

D = Decimal
MARCH = Month(2026, 3)
COSTS = AnnualCosts(D(1000), D(200), D(30), D(20), D(10))


def lines(*amounts: str) -> list[Line]:
    return [Line("A", ChargeAccount.SERVICES, "a service", D(amount), "[400]") for amount in amounts]


@pytest.mark.requirement("CHG-21")
def test_each_service_and_alert_that_was_used_is_charged_at_its_explicit_price() -> None:
    made = explicit_charges("A", {"SVC.4.8": 3, "ALERT.A1": 10, "SVC.9.9": 7}, {"SVC.4.8": D("0.125"), "ALERT.A1": D("0.01")})
    assert [(line.what, line.amount_gbp) for line in made] == [("10 x ALERT.A1", D("0.10")), ("3 x SVC.4.8", D("0.38"))]


@pytest.mark.requirement("CHG-23")
def test_hub_charges_have_an_invoice_and_an_account_of_their_own() -> None:
    hub = Line("A", ChargeAccount.HUBS, "asset charge", D("5.00"), "[317]")
    made = invoices([*lines("1.00", "2.50"), hub], MARCH)
    assert [(one.party, one.account, one.total_gbp) for one in made] == [
        ("A", ChargeAccount.HUBS, D("5.00")),
        ("A", ChargeAccount.SERVICES, D("3.50")),
    ]
    with pytest.raises(ChargingError, match="whole pence"):
        invoices(lines("0.001"), MARCH)


@pytest.mark.requirement("COM-02")
def test_invoices_go_out_early_in_the_next_month_and_providers_are_paid_at_its_end() -> None:
    assert billing_dates(MARCH) == (date(2026, 4, 5), date(2026, 4, 30))
    assert billing_dates(Month(2026, 12)) == (date(2027, 1, 5), date(2027, 1, 31))
    assert invoices(lines("1.00"), MARCH)[0].issued == date(2026, 4, 5)


@pytest.mark.requirement("CHG-24")
def test_an_acceleration_event_is_socialised_over_the_users() -> None:
    made = accelerated_liability(D("100.00"), {"A": 1, "B": 1, "C": 1})
    assert sum(line.amount_gbp for line in made) == D("100.00")
    assert {line.account for line in made} == {ChargeAccount.HUBS}
    assert [line.amount_gbp for line in made] == [D("33.34"), D("33.33"), D("33.33")]


@pytest.mark.requirement("COM-03")
def test_a_disputed_invoice_is_paid_first_save_for_manifest_error_and_bad_debt_is_socialised() -> None:
    invoice = invoices(lines("10.00"), MARCH)[0]
    assert payable_gbp(invoice, D("4.00"), manifest_error=False) == D("10.00")
    assert payable_gbp(invoice, D("4.00"), manifest_error=True) == D("6.00")
    with pytest.raises(ChargingError, match="in dispute"):
        payable_gbp(invoice, D("10.01"), manifest_error=True)
    spread = bad_debt("A", D("9.00"), {"A": 5, "B": 1, "C": 2})
    assert {line.party: line.amount_gbp for line in spread} == {"B": D("3.00"), "C": D("6.00")}


@pytest.mark.requirement("COM-01")
def test_the_years_charges_are_pass_through_own_costs_with_margin_ofgem_secco_and_secas() -> None:
    assert annual_charges(COSTS, D("0.15")) == {
        "provider charges passed through": D("1000.00"),
        "own costs": D("200.00"),
        "margin on own costs": D("30.00"),
        "Ofgem": D("30.00"),
        "SECCo": D("20.00"),
        "SECAS": D("10.00"),
        "K factor": D("0.00"),
        "total": D("1290.00"),
    }


@pytest.mark.requirement("COM-10")
def test_margin_is_taken_on_own_costs_alone() -> None:
    more_passed_through = AnnualCosts(D(999999), COSTS.own_gbp, D(30), D(20), D(10))
    assert annual_charges(more_passed_through, D("0.15"))["margin on own costs"] == annual_charges(COSTS, D("0.15"))["margin on own costs"]
    with pytest.raises(ChargingError, match="margin of"):
        annual_charges(COSTS, D("-0.1"))


@pytest.mark.requirement("COM-08")
def test_credits_are_held_through_the_year_and_taken_in_the_next_by_the_k_factor() -> None:
    correction = k_factor_gbp(D(1290), D(1290), [D("12.50"), D("7.50")])
    assert correction == D("-20.00")
    assert annual_charges(COSTS, D("0.15"), correction)["total"] == D("1270.00")


@pytest.mark.requirement("COM-04")
def test_the_bonus_pool_is_one_per_cent_of_implementation_costs_over_three_milestones() -> None:
    pool = bonus_pool_gbp([D(30000), D(30000)])
    assert pool == D("600.00")
    assert [bonus_gbp(pool, met) for met in range(4)] == [D("0.00"), D("200.00"), D("400.00"), D("600.00")]
    with pytest.raises(ChargingError, match="0 to 3"):
        bonus_gbp(pool, 4)


@pytest.mark.requirement("COM-05")
def test_the_collaborative_fund_is_capped_at_one_per_cent_of_annual_contract_costs() -> None:
    assert collaborative_fund_cap_gbp(D("12345.00")) == D("123.45")


@pytest.mark.requirement("COM-06")
def test_a_milestone_credit_slides_up_to_the_full_amount_at_risk() -> None:
    assert [milestone_credit_gbp(D(900), days, 90) for days in (0, 1, 45, 90, 365)] == list(map(D, ("0", "10", "450", "900", "900")))


@pytest.mark.requirement("COM-07")
def test_part_of_an_interim_credit_is_recovered_and_the_implementation_margin_is_all_that_is_at_risk() -> None:
    assert credit_recovered_gbp(D(100), D("0.6"), True) == D("60.00")
    assert credit_recovered_gbp(D(100), D("0.6"), False) == 0
    assert credit_within_margin_gbp([D(70), D(50)], D(100)) == D(100)
    assert credit_within_margin_gbp([D(30), D(50)], D(100)) == D(80)


@pytest.mark.requirement("COM-09")
def test_a_saving_is_shared_by_every_party_and_a_loss_is_not() -> None:
    retained = {"DCC": D("0.1"), "DSP": D("0.1"), "CSP": D("0.05")}
    assert gain_shares_gbp(D(100), D(80), retained) == {"DCC": D("2.00"), "DSP": D("2.00"), "CSP": D("1.00"), "users": D("15.00")}
    assert set(gain_shares_gbp(D(80), D(100), retained).values()) == {D(0)}
