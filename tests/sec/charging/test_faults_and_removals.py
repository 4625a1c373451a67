"""Faults, damages, removals: the worked numbers of each paragraph, and the edges of each threshold."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from hil.sec.charging.faults import (
    ChargedFault,
    FaultResponsible,
    allocate_damages,
    batch_fault_damages,
    batch_faults,
    fault_causes,
    fault_responsibility,
    replacement_charge_gbp,
    type_fault_damages,
    type_faults,
)
from hil.sec.charging.money import ChargingError
from hil.sec.charging.removals import recovered_gbp, removal_rules, settle_removal, site_visit_payer

D = Decimal


@pytest.mark.requirement("CHG-02")
@pytest.mark.requirement("CHG-01")
@pytest.mark.parametrize(
    ("faults", "installed", "above", "amount"),
    [
        (5, 1000, 0, "0"),
        (6, 1000, 1, "50"),
        (15, 1000, 10, "500"),
        (3, 500, 1, "50"),
        (2, 500, 0, "0"),
        (4, 700, 1, "50"),
        (1, 0, 1, "50"),
        (0, 0, 0, "0"),
    ],
)
def test_type_faults_above_half_a_per_cent_a_year_cost_fifty_pounds_each(faults: int, installed: int, above: int, amount: str) -> None:
    found = type_fault_damages(faults, installed)
    assert found.threshold == D("0.005") * installed
    assert (found.above, found.amount_gbp) == (above, D(amount))


@pytest.mark.requirement("CHG-02")
def test_the_type_fault_threshold_of_a_part_of_a_year_is_that_part() -> None:
    assert type_fault_damages(3, 1000, months=6).threshold == D("2.5")
    with pytest.raises(ChargingError, match="1 to 12"):
        type_fault_damages(3, 1000, months=13)


def fault(
    supplier: str = "A", *, order: str = "order 1", failed: date = date(2026, 5, 1), cause: str = "hub failed in use"
) -> ChargedFault:
    return ChargedFault("hub", supplier, order, date(2025, 5, 1), failed, cause)


@pytest.mark.requirement("CHG-04")
def test_ten_per_cent_of_one_order_failing_within_a_year_is_a_batch_fault() -> None:
    faults = [fault() for _ in range(12)]
    faults += [fault(order="order 2"), fault(failed=date(2026, 5, 2)), fault(cause="lost or stolen")]
    counted = batch_faults(faults, "order 1")
    assert len(counted) == 12
    assert batch_fault_damages(len(counted), 100).above == 2
    assert batch_fault_damages(len(counted), 100).amount_gbp == D(100)
    assert batch_fault_damages(10, 100).amount_gbp == 0
    leap = ChargedFault("hub", "A", "order 3", date(2024, 2, 29), date(2025, 3, 1), "hub failed in use")
    assert batch_faults([leap], "order 3") == (leap,)


@pytest.mark.requirement("CHG-03")
def test_damages_go_to_suppliers_by_their_fault_rates() -> None:
    assert allocate_damages(D(100), {"A": 1, "B": 2}, {"A": 10, "B": 10}) == {"A": D("33.33"), "B": D("66.67")}
    assert allocate_damages(D(110), {"A": 1, "B": 1, "C": 0}, {"A": 10, "B": 100, "C": 7}) == {"A": D(100), "B": D(10), "C": D(0)}
    assert allocate_damages(D(0), {"A": 1}, {"A": 10}) == {"A": 0}
    with pytest.raises(ChargingError, match="faults of C"):
        allocate_damages(D(100), {"C": 1}, {"A": 10})


@pytest.mark.requirement("CHG-14")
def test_each_cause_of_a_fault_has_one_who_is_responsible() -> None:
    assert fault_responsibility("hub failed in use").responsible is FaultResponsible.DCC
    assert fault_responsibility("lost or stolen").responsible is FaultResponsible.USER
    assert {one.responsible for one in fault_causes().values()} == set(FaultResponsible)
    assert all("[" in one.source for one in fault_causes().values())
    with pytest.raises(ChargingError, match="expected one of hub failed in use"):
        fault_responsibility("gremlins")


@pytest.mark.requirement("CHG-19")
def test_a_single_mode_hub_replaced_for_mesh_reach_is_a_dcc_service_fault_under_the_type_fault_rules() -> None:
    cause = "single mode hub without mesh reach"
    assert fault_responsibility(cause).responsible is FaultResponsible.DCC
    assert type_faults([fault(cause=cause), fault(cause="lost or stolen")], date(2026, 1, 1), date(2027, 1, 1)) == (fault(cause=cause),)
    assert settle_removal(cause, D(100), "A").charges == {}


@pytest.mark.requirement("CHG-20")
def test_a_dcc_service_fault_is_replaced_free_of_charge() -> None:
    assert replacement_charge_gbp("hub failed in use", D("40.25")) == 0
    assert replacement_charge_gbp("support materials not complied with", D("40.25")) == D("40.25")
    settled = settle_removal("DCC service fault", D(100), "A")
    assert settled.rule.replacement_free
    assert settled.charges == {}


@pytest.mark.requirement("CHG-05")
def test_the_csp_recovers_eighty_per_cent_of_the_remaining_asset_value() -> None:
    assert recovered_gbp(D("100.01")) == D("80.01")
    with pytest.raises(ChargingError, match="below zero"):
        recovered_gbp(D(-1))


@pytest.mark.requirement("CHG-15")
def test_the_removing_supplier_pays_the_remaining_asset_cost() -> None:
    settled = settle_removal("no fault", D(100), "A")
    assert settled.charges == {"A": D("80.00")}
    assert not settled.rule.replacement_free
    assert settled.site_visit_payer == "A"


@pytest.mark.requirement("CHG-16")
def test_a_non_domestic_opt_out_is_smeared_over_non_domestic_enrolled_systems() -> None:
    settled = settle_removal("non-domestic opt out", D(100), "A", {"A": 1, "B": 3})
    assert settled.charges == {"A": D("20.00"), "B": D("60.00")}
    assert settled.rule.basis == "enrolled non-domestic systems"
    with pytest.raises(ChargingError, match="number of enrolled non-domestic systems"):
        settle_removal("non-domestic opt out", D(100), "A")


@pytest.mark.requirement("CHG-17")
def test_a_split_fuel_dual_band_replacement_is_smeared_over_commissioned_chfs() -> None:
    settled = settle_removal("split fuel dual band replacement", D(50), "A", {"A": 3, "B": 1})
    assert settled.charges == {"A": D("30.00"), "B": D("10.00")}
    assert settled.rule.basis == "commissioned CHFs"


@pytest.mark.requirement("CHG-18")
def test_an_early_refresh_and_its_visits_are_borne_by_the_csp() -> None:
    settled = settle_removal("early refresh", D(100), "A")
    assert settled.charges == {}
    assert settled.site_visit_payer == "CSP"


@pytest.mark.requirement("CHG-27")
def test_the_supplier_pays_visits_save_for_type_and_batch_faults_and_refresh() -> None:
    assert {site_visit_payer(purpose, "A") for purpose in ("installation", "maintenance", "removal")} == {"A"}
    assert {site_visit_payer(purpose, "A") for purpose in ("type fault", "batch fault")} == {"DCC"}
    assert site_visit_payer("refresh", "A") == "CSP"
    assert {kind: settle_removal(kind, D(0), "A").site_visit_payer for kind in ("type fault", "batch fault", "DCC service fault")} == {
        "type fault": "DCC",
        "batch fault": "DCC",
        "DCC service fault": "A",
    }
    with pytest.raises(ChargingError, match="purpose 'tea'"):
        site_visit_payer("tea", "A")


def test_every_kind_of_removal_names_its_paragraph() -> None:
    assert all("[" in rule.source for rule in removal_rules().values())
    with pytest.raises(ChargingError, match="expected one of no fault"):
        settle_removal("whim", D(1), "A")
