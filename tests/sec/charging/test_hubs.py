"""Asset and maintenance charges, HAN variants, prices, float: exact to the penny, each with its paragraph."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.dcc.base.months import Month
from hil.sec.charging.figures import figures
from hil.sec.charging.hubs import (
    HubAsset,
    RegionCost,
    VariantReceipt,
    asset_charge_months,
    asset_charge_schedule,
    asset_charges,
    first_tranche_hubs,
    float_gbp,
    han_variant_charge,
    maintenance_charges,
    monthly_asset_charge_gbp,
    remaining_asset_value_gbp,
    smwan_variant_price_gbp,
    uniform_domestic_charge_gbp,
)
from hil.sec.charging.money import ChargingError, gbp, share_out

D = Decimal
MARCH = Month(2026, 3)


def hub(**changes: object) -> HubAsset:
    facts: dict[str, object] = {
        "name": "hub 1",
        "ordered_by": "A",
        "cost_gbp": D("120.01"),
        "delivered": date(2026, 1, 20),
        "contract_ends": Month(2040, 12),
    }
    return HubAsset(**{**facts, **changes})  # type: ignore[arg-type]


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any))
def test_a_share_out_never_gains_or_loses_a_penny(pennies: int, weights: list[int]) -> None:
    total = D(pennies) / 100
    shares = share_out(total, dict(enumerate(weights)))
    assert sum(shares.values()) == total
    for key, share in shares.items():
        assert abs(share - total * weights[key] / sum(weights)) < D("0.01")
        assert weights[key] or not share


@pytest.mark.parametrize("amount", [0.1, True, "ten", "NaN", "inf"])
def test_money_is_never_read_from_a_float_or_from_what_is_no_number(amount: object) -> None:
    with pytest.raises(ChargingError, match="expected"):
        gbp(amount)  # type: ignore[arg-type]


def test_every_figure_names_its_paragraph_or_says_that_it_is_profile_supplied() -> None:
    assert all("[" in one.source or one.source.startswith("profile-supplied") for one in figures().values())


@pytest.mark.requirement("CHG-06")
def test_the_asset_charge_runs_ten_years_or_the_remaining_contract_if_less() -> None:
    assert asset_charge_months(Month(2026, 1), Month(2040, 12)) == 120
    assert asset_charge_months(Month(2026, 1), Month(2035, 12)) == 120
    assert asset_charge_months(Month(2026, 1), Month(2035, 11)) == 119
    assert asset_charge_months(Month(2026, 1), Month(2026, 1)) == 1
    assert monthly_asset_charge_gbp(D(120), Month(2026, 1), Month(2040, 12)) == D(1)
    schedule = asset_charge_schedule(hub())
    assert len(schedule) == 120
    assert sum(schedule.values()) == D("120.01")
    assert set(schedule.values()) == {D("1.00"), D("1.01")}
    with pytest.raises(ChargingError, match="contract that ends"):
        asset_charge_months(Month(2026, 2), Month(2026, 1))


@pytest.mark.requirement("CHG-07")
def test_before_installation_the_receiving_supplier_pays_from_delivery() -> None:
    one = hub(cost_gbp=D(120), installed=date(2026, 4, 2))
    enrolled = {"A": 1, "B": 3}
    assert asset_charges([one], enrolled, Month(2025, 12)) == {}
    assert asset_charges([one], enrolled, Month(2026, 1)) == {"A": D("1.00")}
    assert asset_charges([one], enrolled, MARCH) == {"A": D("1.00")}


@pytest.mark.requirement("CHG-08")
def test_after_installation_the_charge_is_smeared_by_share_of_enrolled_systems() -> None:
    installed = hub(cost_gbp=D(120), installed=date(2026, 3, 31))
    assert asset_charges([installed], {"A": 1, "B": 3}, MARCH) == {"A": D("0.25"), "B": D("0.75")}
    stored = hub(name="hub 2", cost_gbp=D(240))
    assert asset_charges([installed, stored], {"A": 1, "B": 3}, MARCH) == {"A": D("2.25"), "B": D("0.75")}


@pytest.mark.requirement("CHG-09")
def test_the_smear_ends_on_removal_or_payoff() -> None:
    removed = hub(installed=date(2026, 2, 1), removed=date(2026, 3, 31))
    assert asset_charges([removed], {"A": 1}, Month(2026, 2)) == {"A": asset_charge_schedule(removed)[Month(2026, 2)]}
    assert asset_charges([removed], {"A": 1}, MARCH) == {}
    paid = hub(installed=date(2026, 2, 1))
    assert asset_charges([paid], {"A": 1}, Month(2035, 12)) == {"A": asset_charge_schedule(paid)[Month(2035, 12)]}
    assert asset_charges([paid], {"A": 1}, Month(2036, 1)) == {}
    assert remaining_asset_value_gbp(paid, Month(2035, 12)) == 0
    assert remaining_asset_value_gbp(paid, Month(2025, 12)) == D("120.01")


@pytest.mark.requirement("CHG-13")
def test_maintenance_is_charged_from_commissioning_of_the_chf_and_smeared_by_enrolled_share() -> None:
    hubs = [hub(commissioned=date(2026, 3, 10)), hub(commissioned=None), hub(commissioned=date(2026, 2, 1), removed=date(2026, 3, 5))]
    assert maintenance_charges(hubs, D("0.40"), {"A": 1, "B": 3}, MARCH) == {"A": D("0.10"), "B": D("0.30")}
    assert maintenance_charges(hubs, D("0.40"), {"A": 1, "B": 3}, Month(2026, 1)) == {}


@pytest.mark.requirement("CHG-10")
def test_the_han_variant_differential_is_paid_by_the_installing_supplier_on_receipt() -> None:
    charge = han_variant_charge(VariantReceipt("A", 10, D("45.50"), D("40.25")))
    assert (charge.supplier, charge.amount_gbp) == ("A", D("52.50"))
    with pytest.raises(ChargingError, match="under the standard hub"):
        han_variant_charge(VariantReceipt("A", 1, D("40"), D("40.01")))


@pytest.mark.requirement("CHG-11")
def test_split_fuel_brings_no_rebate() -> None:
    whole, split = (han_variant_charge(VariantReceipt("A", 10, D("45.50"), D("40.25"), split_fuel=one)) for one in (False, True))
    assert split.rebate_gbp == 0
    assert split.amount_gbp == whole.amount_gbp
    assert "[325, 326]" in split.paragraph


@pytest.mark.requirement("CHG-12")
def test_all_smwan_variants_have_the_same_price() -> None:
    assert smwan_variant_price_gbp({"cellular": D("40.25"), "long range radio": D("40.25")}) == D("40.25")
    with pytest.raises(ChargingError, match=r"cellular 40.25 GBP, long range radio 41 GBP.*\[327\]"):
        smwan_variant_price_gbp({"cellular": D("40.25"), "long range radio": D("41")})


@pytest.mark.requirement("CHG-25")
def test_the_uniform_domestic_charge_is_the_average_hub_cost_across_regions() -> None:
    assert uniform_domestic_charge_gbp([RegionCost(3, D(30)), RegionCost(1, D(50))]) == D("35.00")
    with pytest.raises(ChargingError, match="no hubs"):
        uniform_domestic_charge_gbp([])


@pytest.mark.requirement("CHG-22")
def test_the_float_is_three_months_of_hub_finance_charges() -> None:
    assert float_gbp([D("10.10"), D("20.20"), D("30.30"), D("999")]) == D("60.60")
    with pytest.raises(ChargingError, match="read 2 months"):
        float_gbp([D(1), D(1)])


@pytest.mark.requirement("CHG-26")
def test_the_first_tranche_is_fifteen_per_cent_of_the_hubs() -> None:
    assert [first_tranche_hubs(hubs) for hubs in (0, 100, 101, 1)] == [0, 15, 16, 1]
