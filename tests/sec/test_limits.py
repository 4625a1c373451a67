"""The limits of service management at, below and above their value, each with the paragraph of the consultation that gives it."""

# A decimal is compared with the whole number that it is.
# mypy: disable-error-code="comparison-overlap"
from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from firmware_emu.clock import EPOCH
from firmware_emu.ids import Eui64
from hil.dcc.base.months import Month, MonthError
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.own_services.wan_matrix import WanCoverage, WanMatrix
from hil.sec.charging import ChargingError, faults, gbp, hubs, invoices, removals, share_out
from hil.sec.charging import commercial as money
from hil.sec.charging.distribution import hub_distribution
from hil.sec.demand.formulas import PartYear, Threshold, UserUsage, findings, monthly_allocation, reportable, thresholds
from hil.sec.incidents.rules import after_working_days
from hil.sec.maintenance import InternalChange, MaintenanceError, MaintenancePlan, Releases
from hil.sec.maintenance.interface_change import Appeal, interface_change
from hil.sec.maintenance.releases import frozen, policies
from hil.sec.measures.performance import Clocked, MeasureError, MeasureFigure, MeasureRule, Statement, levels
from hil.sec.measures.providers import PROVIDERS, ProviderThresholds

USER = Eui64.parse("90b3d51f30010000")
MARCH = Month(2026, 3)
LONG_AGO = Month(2024, 1)
HOUR, DAY = 3600.0, 86400.0
D = Decimal


def at(*moment: int) -> float:
    return (datetime(*moment, tzinfo=UTC) - EPOCH).total_seconds()  # type: ignore[misc, arg-type]


# -- charging


@pytest.mark.parametrize(("faults_of_1000", "above"), [(4, 0), (5, 0), (6, 1), (15, 10)])
def test_type_faults_above_a_half_percent_a_year_cost_50_pounds_each(faults_of_1000: int, above: int) -> None:
    """SEC stage 2 [349, 350]."""
    assert faults.type_fault_damages(faults_of_1000, 1000) == faults.Damages(faults_of_1000, D("5.000"), above, D(50) * above)
    assert faults.type_fault_damages(faults_of_1000, 2000, months=6).above == above
    assert faults.batch_fault_damages(faults_of_1000, 50) == faults.Damages(faults_of_1000, D("5.00"), above, D(50) * above)


def test_damages_are_counted_for_one_to_twelve_months_of_faults_that_are() -> None:
    assert faults.type_fault_damages(1, 2400, months=1).threshold == 1
    for months in (0, 13):
        with pytest.raises(ChargingError, match=f"read {months} months, expected 1 to 12"):
            faults.type_fault_damages(1, 1, months=months)
    assert faults.type_fault_damages(0, 0).amount_gbp == 0
    for count, installed in ((-1, 1), (1, -1)):
        with pytest.raises(ChargingError, match="expected none below zero"):
            faults.type_fault_damages(count, installed)
    assert faults.type_fault_damages(3, 500).above == 1, "2.5 faults are free: the third is above"


def fault(installed: date, failed: date, order: str = "A", cause: str = "hub failed in use") -> faults.ChargedFault:
    return faults.ChargedFault("h", "s", order, installed, failed, cause)


def test_a_fault_counts_in_its_period_and_to_the_anniversary_of_its_hub() -> None:
    """[354-356]; the end of a period is not in it."""
    first, last = fault(date(2025, 1, 1), date(2026, 1, 1)), fault(date(2025, 1, 1), date(2026, 2, 1))
    assert faults.type_faults([first, last], date(2026, 1, 1), date(2026, 2, 1)) == (first,)
    own = fault(date(2025, 1, 1), date(2026, 1, 5), cause="lost or stolen")
    assert faults.type_faults([own], date(2026, 1, 1), date(2026, 2, 1)) == ()
    for failed, counts in ((date(2026, 1, 1), True), (date(2026, 1, 2), False)):
        assert (faults.batch_faults([fault(date(2025, 1, 1), failed)], "A") != ()) is counts
    assert faults.batch_faults([fault(date(2025, 1, 1), date(2025, 2, 1), "B"), own], "A") == ()
    for failed, counts in ((date(2025, 3, 1), True), (date(2025, 3, 2), False)):
        assert (faults.batch_faults([fault(date(2024, 2, 29), failed)], "A") != ()) is counts


def test_damages_go_by_the_rate_of_faults() -> None:
    """[350]: one in ten gets ten times what one in a hundred gets."""
    assert faults.allocate_damages(D("110"), {"a": 1, "b": 1}, {"a": 10, "b": 100}) == {"a": D("100.00"), "b": D("10.00")}
    assert faults.allocate_damages(D("90"), {"a": 2, "b": 1, "c": 0}, {"a": 4, "b": 4}) == {
        "a": D("60.00"),
        "b": D("30.00"),
        "c": D("0.00"),
    }
    assert faults.allocate_damages(D(0), {"a": 1}, {"a": 1}) == {"a": D(0)}
    with pytest.raises(ChargingError, match="faults of b, expected"):
        faults.allocate_damages(D(1), {"a": 1, "b": 1, "c": 0}, {"a": 1, "b": 0})


def hub(**odd: object) -> hubs.HubAsset:
    given: dict[str, object] = {"installed": None, "commissioned": None, "removed": None, "contract_ends": Month(2040, 1), **odd}
    return hubs.HubAsset("h", "S", D("120"), date(2026, 1, 15), **given)  # type: ignore[arg-type]


def test_an_asset_charge_runs_ten_years_or_what_is_left_of_the_contract() -> None:
    """[314]."""
    first = Month(2026, 1)
    assert [hubs.asset_charge_months(first, Month(*end)) for end in ((2035, 12), (2036, 1), (2035, 11), (2026, 1))] == [120, 120, 119, 1]
    with pytest.raises(ChargingError, match="contract that ends 2025-12"):
        hubs.asset_charge_months(first, Month(2025, 12))
    schedule = hubs.asset_charge_schedule(hub())
    assert (min(schedule), max(schedule), set(schedule.values())) == (first, Month(2035, 12), {D("1.00")})
    assert hubs.monthly_asset_charge_gbp(D(240), first, Month(2040, 1)) == 2
    assert [hubs.remaining_asset_value_gbp(hub(), month) for month in (Month(2025, 12), first, Month(2035, 11), Month(2035, 12))] == [
        120,
        119,
        1,
        0,
    ]


def test_an_asset_charge_is_the_receivers_until_installation_everybodys_after_and_nobodys_after_removal() -> None:
    """[315-319]; the state on a month's last day decides."""
    systems = {"S": 1, "T": 3}

    def charged(**odd: object) -> dict[str, Decimal]:
        return hubs.asset_charges([hub(**odd)], systems, MARCH)

    assert charged() == {"S": D("1.00")}
    assert charged(installed=date(2026, 3, 31)) == {"S": D("0.25"), "T": D("0.75")}
    assert charged(installed=date(2026, 4, 1)) == {"S": D("1.00")}
    assert charged(removed=date(2026, 3, 31)) == {}
    assert charged(removed=date(2026, 4, 1)) == {"S": D("1.00")}
    assert hubs.asset_charges([hub(), hub()], systems, MARCH) == {"S": D("2.00")}
    assert hubs.asset_charges([hub(), hub(installed=date(2026, 2, 1))], systems, MARCH) == {"S": D("1.25"), "T": D("0.75")}
    assert hubs.asset_charges([hub()], systems, Month(2025, 12)) == {}


def test_maintenance_is_charged_while_a_hub_is_commissioned() -> None:
    """[328-330]."""

    def charged(**odd: object) -> dict[str, Decimal]:
        return hubs.maintenance_charges([hub(**odd)], D("0.50"), {"S": 1}, MARCH)

    assert charged() == {}
    assert charged(commissioned=date(2026, 3, 31)) == {"S": D("0.50")}
    assert charged(commissioned=date(2026, 4, 1)) == {}
    assert charged(commissioned=date(2026, 1, 1), removed=date(2026, 3, 31)) == {}
    assert charged(commissioned=date(2026, 1, 1), removed=date(2026, 4, 1)) == {"S": D("0.50")}


def test_variants_prices_float_and_tranche_are_reckoned_as_the_paragraphs_say() -> None:
    charge = hubs.han_variant_charge(hubs.VariantReceipt("S", 3, D("25"), D("20")))
    assert (charge.amount_gbp, charge.rebate_gbp, charge.paragraph) == (D("15.00"), 0, "[320-322]")
    assert hubs.han_variant_charge(hubs.VariantReceipt("S", 3, D("20"), D("20"), True)).paragraph.endswith("no rebate [325, 326]")
    with pytest.raises(ChargingError, match="a HAN variant at 19 GBP"):
        hubs.han_variant_charge(hubs.VariantReceipt("S", 3, D("19"), D("20")))
    assert hubs.smwan_variant_price_gbp({"a": D(5), "b": D(5)}) == 5
    for prices in ({}, {"a": D(5), "b": D(6)}):
        with pytest.raises(ChargingError, match=r"the same price for every SM WAN variant \[327\]"):
            hubs.smwan_variant_price_gbp(prices)
    assert hubs.uniform_domestic_charge_gbp([hubs.RegionCost(1, D(10)), hubs.RegionCost(3, D(20))]) == D("17.50")
    assert hubs.uniform_domestic_charge_gbp([hubs.RegionCost(1, D(10)), hubs.RegionCost(0, D(20))]) == D("10.00")
    with pytest.raises(ChargingError, match="no hubs in any region"):
        hubs.uniform_domestic_charge_gbp([hubs.RegionCost(0, D(10))])
    assert hubs.float_gbp([D(1), D(2), D(4), D(8)]) == hubs.float_gbp([D(1), D(2), D(4)]) == D("7.00")
    with pytest.raises(ChargingError, match=r"read 2 months of finance charges, expected 3 \[302\]"):
        hubs.float_gbp([D(1), D(2)])
    assert [hubs.first_tranche_hubs(count) for count in (0, 1, 20, 100, 101)] == [0, 1, 3, 15, 16], "15 % [293], a part of a hub is a hub"


def test_money_is_read_exactly_and_shared_out_to_the_last_penny() -> None:
    assert (gbp("12.34"), gbp(5), gbp(D("0.1"))) == (D("12.34"), 5, D("0.1"))
    for wrong in (True, 1.5, "a", "NaN", "Infinity"):
        with pytest.raises(ChargingError, match="as an amount of money"):
            gbp(wrong)  # type: ignore[arg-type]
    assert share_out(D("1.00"), {"a": 1, "b": 1, "c": 1}) == {"a": D("0.34"), "b": D("0.33"), "c": D("0.33")}
    assert share_out(D("-1.00"), {"a": 1, "b": 1, "c": 1}) == {"a": D("-0.34"), "b": D("-0.33"), "c": D("-0.33")}
    assert share_out(D("0.02"), {"a": 1, "b": 5, "c": 3}) == {"a": D("0.00"), "b": D("0.01"), "c": D("0.01")}
    assert share_out(D("1.00"), {"a": 1, "b": 0}) == {"a": D("1.00"), "b": D("0.00")}
    for total, weights in ((D("1.001"), {"a": 1}), (D(1), {"a": 0}), (D(1), {"a": 2, "b": -1}), (D(1), {})):
        with pytest.raises(ChargingError):
            share_out(total, weights)


def test_the_money_of_the_dcc_holds_its_limits() -> None:
    costs = money.AnnualCosts(*(D(one) for one in (1000, 200, 3, 4, 5)))
    assert money.annual_charges(costs, D("0.05"), D(-7))["total"] == 1000 + 200 + 10 + 3 + 4 + 5 - 7
    assert money.annual_charges(costs, D(0))["margin on own costs"] == 0
    with pytest.raises(ChargingError, match=r"a margin of -0\.01"):
        money.annual_charges(costs, D("-0.01"))
    assert money.k_factor_gbp(D(90), D(100), [D(3), D(4)]) == 3
    assert money.bonus_pool_gbp([D(100), D(200)]) == 3
    assert [money.bonus_gbp(D(9), met) for met in (0, 1, 3)] == [0, 3, 9]
    for met in (-1, 4):
        with pytest.raises(ChargingError, match=f"read {met} milestones, expected 0 to 3"):
            money.bonus_gbp(D(9), met)
    assert money.collaborative_fund_cap_gbp(D(500)) == 5
    assert [money.milestone_credit_gbp(D(10), days, 5) for days in (0, 2, 5, 6)] == [0, 4, 10, 10]
    assert money.milestone_credit_gbp(D(10), 1, 1) == 10
    for days, full in ((-1, 5), (1, 0)):
        with pytest.raises(ChargingError, match="expected 0 or more of 1 or more"):
            money.milestone_credit_gbp(D(10), days, full)
    assert [money.credit_recovered_gbp(D(10), part, True) for part in (D(0), D("0.5"), D(1))] == [0, 5, 10]
    assert money.credit_recovered_gbp(D(10), D(1), False) == 0
    for part in (D("-0.1"), D("1.1")):
        with pytest.raises(ChargingError, match="expected 0 to 1"):
            money.credit_recovered_gbp(D(10), part, True)
    assert money.credit_within_margin_gbp([D(3), D(4)], D(6)) == 6
    assert money.credit_within_margin_gbp([D(3), D(4)], D(8)) == 7


def test_gains_are_shared_where_there_are_some_and_users_keep_a_part() -> None:
    """[386]."""
    retained = {"DCC": D("0.1"), "DSP": D("0.2"), "CSP North": D("0.3")}
    assert money.gain_shares_gbp(D(200), D(100), retained) == {"DCC": 10, "DSP": 20, "CSP North": 30, "users": 40}
    assert set(money.gain_shares_gbp(D(100), D(100), retained).values()) == {0}
    assert set(money.gain_shares_gbp(D(99), D(100), retained).values()) == {0}
    with pytest.raises(ChargingError, match="one of the DSP too"):
        money.gain_shares_gbp(D(200), D(100), {"DCC": D("0.1"), "CSP": D("0.1")})
    for wrong in (D("0.7"), D(0), D("-0.1")):
        with pytest.raises(ChargingError, match="something left for users"):
            money.gain_shares_gbp(D(200), D(100), {**retained, "DCC": D("0.5") if wrong > 0 else wrong})


def test_set_up_costs_begin_on_the_later_day_within_the_period() -> None:
    """[366]; the end of the period is not in it."""
    begins, ends = date(2026, 1, 1), date(2026, 2, 1)

    def reckoned(accepted: date | None, achieved: date | None) -> tuple[Decimal, Decimal]:
        return money.set_up_costs_gbp([money.SetUpCost("P", D(5), accepted, achieved)], begins, ends)["P"]

    early = date(2025, 1, 1)
    assert reckoned(early, date(2026, 1, 1)) == (5, 0)
    assert reckoned(date(2026, 1, 31), early) == (5, 0)
    assert reckoned(early, date(2026, 2, 1)) == (0, 5)
    assert reckoned(early, date(2025, 12, 31)) == (0, 0)
    assert reckoned(None, early) == reckoned(early, None) == (0, 5)
    both = [money.SetUpCost("P", D(5), early, date(2026, 1, 2)), money.SetUpCost("P", D(6), early, date(2026, 1, 2))]
    assert money.set_up_costs_gbp(both, begins, ends) == {"P": (11, 0)}


def test_invoices_fall_on_the_fifth_and_disputes_within_their_sum() -> None:
    assert invoices.billing_dates(Month(2026, 12)) == (date(2027, 1, 5), date(2027, 1, 31))
    services, of_hubs = invoices.ChargeAccount.SERVICES, invoices.ChargeAccount.HUBS
    lines = [
        invoices.Line(*line)
        for line in (("b", services, "x", D("1.00"), ""), ("a", of_hubs, "y", D("2.00"), ""), ("a", services, "z", D("3.00"), ""))
    ]
    made = invoices.invoices([*lines, lines[0]], MARCH)
    assert [(one.party, one.account, one.total_gbp) for one in made] == [("a", of_hubs, 2), ("a", services, 3), ("b", services, 2)]
    assert {one.issued for one in made} == {date(2026, 4, 5)}
    with pytest.raises(ChargingError, match="whole pence on an invoice"):
        invoices.invoices([invoices.Line("a", services, "x", D("1.001"), "")], MARCH)
    used = invoices.explicit_charges("a", {"SVC.4.8": 2, "SVC.4.9": 0, "SVC.9.9": 1}, {"SVC.4.8": D("0.015"), "SVC.4.9": D(1)})
    assert [(line.what, line.amount_gbp) for line in used] == [("2 x SVC.4.8", D("0.03"))]
    whole = made[2]
    assert [invoices.payable_gbp(whole, D(sum_), manifest_error=True) for sum_ in (0, 1, 2)] == [2, 1, 0]
    assert invoices.payable_gbp(whole, D(2), manifest_error=False) == 2
    for sum_ in (D("-0.01"), D("2.01")):
        with pytest.raises(ChargingError, match="in dispute, expected 0 to the invoice's 2"):
            invoices.payable_gbp(whole, sum_, manifest_error=True)
    assert [(line.party, line.amount_gbp) for line in invoices.bad_debt("a", D(8), {"a": 5, "b": 1, "c": 3})] == [("b", 2), ("c", 6)]


def test_eighty_percent_of_an_assets_value_are_recovered() -> None:
    """[333]."""
    assert (removals.recovered_gbp(D(0)), removals.recovered_gbp(D(10))) == (0, 8)
    with pytest.raises(ChargingError, match=r"of -0\.01 GBP"):
        removals.recovered_gbp(D("-0.01"))
    with pytest.raises(ChargingError, match="is smeared: give each supplier's number"):
        removals.settle_removal("non-domestic opt out", D(10), "S")
    assert removals.settle_removal("non-domestic opt out", D(10), "S", {"S": 1, "T": 3}).charges == {"S": 2, "T": 6}
    assert removals.settle_removal("no fault", D(10), "S").charges == {"S": 8}
    assert removals.settle_removal("type fault", D(10), "S").charges == {}


def test_a_rule_of_removal_says_who_pays_and_whether_the_replacement_is_free() -> None:
    """[334, 338, 341-347]."""
    told = {kind: (rule.payer, rule.replacement_free, rule.recovered) for kind, rule in removals.removal_rules().items()}
    assert told["no fault"] == ("removing supplier", False, True)
    assert told["DCC service fault"] == ("DCC", True, False)
    assert told["non-domestic opt out"] == ("smeared", False, True)
    assert told["early refresh"] == ("CSP", True, False)
    assert removals.settle_removal("type fault", D(10), "S").site_visit_payer == "DCC"
    assert removals.settle_removal("no fault", D(10), "S").site_visit_payer == "S"


def test_hubs_go_where_the_likeliest_region_covers_a_postcode() -> None:
    """[336]."""
    store = DccStore(None)
    matrix = WanMatrix(store)
    for region, likelihood, technology, equipment in (("North", "Low", "Radio", None), ("South", "High", "Cellular", "aerial")):
        matrix.cover(WanCoverage(region, True, technology, likelihood, None, equipment), postcode="AB1 2CD")
    matrix.cover(WanCoverage("North", False, "Radio", "High", "2027-02-01"), postcode="AB1 2CE")
    matrix.cover(WanCoverage("South", False, "Radio", "High", "2027-01-01"), postcode="AB1 2CE")
    found = hub_distribution(matrix, {"AB1 2CD": 4, "AB1 2CE": 1, "AB1 2CF": 1})
    assert found.hubs == {("South", "Cellular"): 4}
    assert found.auxiliary_equipment == {"aerial": 4}
    assert found.uncovered == {"AB1 2CE": "no coverage before 2027-01-01", "AB1 2CF": "no coverage data"}
    store.close()


# -- demand


def usage(*, first: Month | None = LONG_AGO, part_year: PartYear = PartYear.SENSIBLE, **odd: object) -> UserUsage:
    every = [Month(2025, 1) + ahead for ahead in range(15)]
    given: dict[str, object] = {
        "requests": {("4.8", month): 10 for month in every},
        "enrolled": dict.fromkeys(every, 5),
        **odd,
    }
    return UserUsage(USER, UserRole.ED, first_request=first, part_year=part_year, **given)  # type: ignore[arg-type]


YEARLY = next(one for one in thresholds() if one.id == "TH-5")
MONTHLY = next(one for one in thresholds() if one.id == "TH-4")


def test_a_year_of_usage_counts_twelve_months_over_the_mean_of_its_systems() -> None:
    """[407, 408]."""
    month = Month(2025, 12)
    assert usage().metric(YEARLY, month) == Fraction(120, 5)
    assert usage().metric(MONTHLY, month) == Fraction(10, 5)
    assert usage(enrolled={}).metric(YEARLY, month) is None
    assert usage(enrolled={}).metric(MONTHLY, month) is None
    grown = usage(enrolled={Month(2025, number): number for number in range(1, 13)})
    assert grown.asms(month) == Fraction(78, 12)
    assert usage(requests={("4.8", Month(2024, 12)): 100, ("4.8", Month(2025, 1)): 1}).metric(YEARLY, month) == Fraction(1, 5)
    assert [one.value(Month(2026, 2)) for one in (YEARLY, MONTHLY)] == [4, Fraction(28 * 48, 1000)]


@pytest.mark.parametrize(("first", "before"), [((2024, 11), 0), ((2024, 12), 0), ((2025, 1), 1), ((2025, 11), 11)])
def test_a_window_that_began_before_service_is_scaled(first: tuple[int, int], before: int) -> None:
    """[409-411]: the First Service Month is the one after the first request."""
    month = Month(2025, 12)
    assert usage(first=Month(*first)).months_before_service(month) == before
    served = 12 - before
    assert usage(first=Month(*first)).metric(YEARLY, month) == Fraction(10 * served, 5) * Fraction(12, served)
    literal = usage(first=Month(*first), part_year=PartYear.LITERAL).metric(YEARLY, month)
    assert literal == Fraction(120, 5) * (Fraction(12, before) if before else 1)


def test_nothing_is_measured_before_the_first_service_month() -> None:
    assert usage(first=Month(2025, 12)).metric(MONTHLY, Month(2025, 12)) is None
    assert usage(first=Month(2025, 11)).metric(MONTHLY, Month(2025, 12)) == 2
    assert usage(first=None).metric(YEARLY, Month(2025, 12)) is None
    assert usage(first=None).months_before_service(Month(2025, 12)) == 12
    assert usage(first=None).asms(Month(2025, 12)) is None


def test_usage_from_110_percent_on_is_reported() -> None:
    """[272]."""
    assert [reportable(Fraction(used), Fraction(10)) for used in (10, 11, 12)] == [False, True, True]
    assert reportable(Fraction(1), Fraction(0))
    assert not reportable(Fraction(0), Fraction(0))
    month = Month(2025, 12)
    told = [finding.against for finding in findings(usage(), "4.8", month, 9)]
    assert told == ["the forecast", "threshold TH-4", "threshold TH-5"]
    assert [finding.against for finding in findings(usage(), "4.8", month, 10)] == ["threshold TH-4", "threshold TH-5"]
    assert [finding.against for finding in findings(usage(), "4.8", month, None)] == ["threshold TH-4", "threshold TH-5"]
    few = usage(enrolled=dict.fromkeys(usage().enrolled, 1000))
    assert findings(few, "4.8", month, None) == ()
    assert findings(usage(requests={}), "4.8", month, 0) == (), "what was not used is not over a forecast of none"
    assert "is 111.1 % of the forecast 9" in str(findings(usage(), "4.8", month, 9)[0])


def test_a_yearly_allocation_adds_up_over_its_months() -> None:
    """[268, 269]."""
    even = dict.fromkeys(range(1, 13), 1)
    assert monthly_allocation(14, even) == {month: 2 if month < 3 else 1 for month in range(1, 13)}
    assert sum(monthly_allocation(100, {month: month for month in range(1, 13)}).values()) == 100
    assert monthly_allocation(0, even) == dict.fromkeys(range(1, 13), 0)
    assert monthly_allocation(7, {**dict.fromkeys(range(1, 13), 0), 5: 1})[5] == 7
    for year, weights in (
        *((-1, even), (1, dict.fromkeys(range(1, 13), 0)), (1, dict.fromkeys(range(1, 12), 1)), (1, dict.fromkeys(range(13), 1))),
        (1, {**even, 3: -1}),
    ):
        with pytest.raises(ValueError, match="a weight for each month 1 to 12"):
            monthly_allocation(year, weights)


def test_a_threshold_stands_by_itself_where_it_counts_no_days() -> None:
    row = Threshold("X", frozenset(), "1.1", "", True, Fraction(3), False, "")
    assert (row.value(Month(2026, 2)), row.value(Month(2026, 3))) == (3, 3)


# -- months and days


def test_a_month_is_read_from_2000_to_2998() -> None:
    assert [str(Month.parse(text)) for text in ("2000-01", "2998-12", " 2026-03 ")] == ["2000-01", "2998-12", "2026-03"]
    for wrong in ("1999-12", "2999-01", "2026-00", "2026-13", "2026-3", "20260-3"):
        with pytest.raises(MonthError, match="a month from 2000 to 2998"):
            Month.parse(wrong)


def test_months_are_counted_over_the_years() -> None:
    assert [str(Month(2026, 1) + ahead) for ahead in (-13, -1, 0, 11, 12)] == ["2024-12", "2025-12", "2026-01", "2026-12", "2027-01"]
    assert (Month(2027, 2) - Month(2026, 1), Month(2026, 1) - Month(2026, 12)) == (13, -11)
    assert (Month(2024, 2).days, Month(2025, 2).last_day, Month(2000, 1).begins, Month(2000, 1).ends) == (
        29,
        date(2025, 2, 28),
        0,
        31 * DAY,
    )
    assert [Month.at(seconds) for seconds in (0, 31 * DAY - 1, 31 * DAY)] == [Month(2000, 1), Month(2000, 1), Month(2000, 2)]


@pytest.mark.parametrize(
    ("days", "off", "ends"),
    [(1, (), (2026, 3, 7)), (2, (), (2026, 3, 10)), (1, ((2026, 3, 6),), (2026, 3, 10)), (7, (), (2026, 3, 17)), (0, (), (2026, 3, 6))],
)
def test_working_days_leave_out_saturdays_sundays_and_days_off(
    days: int, off: tuple[tuple[int, int, int], ...], ends: tuple[int, ...]
) -> None:
    """From Thursday 2026-03-05; a working day has passed when it is over."""
    assert after_working_days(at(2026, 3, 5, 12), days, {date(*one) for one in off}) == at(*ends)


# -- maintenance, releases, changes of the interface


def plan(now: float = at(2026, 2, 10)) -> MaintenancePlan:
    return MaintenancePlan(DccStore(None), lambda: now)


def test_more_than_four_hours_of_disruption_a_month_need_agreement() -> None:
    """[213]."""
    made = plan()
    first = made.plan("a", at(2026, 3, 1, 1), at(2026, 3, 1, 3), disrupts=True)
    exact = made.plan("b", at(2026, 3, 2, 1), at(2026, 3, 2, 3), disrupts=True)
    assert (first.needs_agreement, exact.needs_agreement, exact.state) == ((), (), "may run")
    more = made.plan("c", at(2026, 3, 3, 1), at(2026, 3, 3, 2), disrupts=True)
    assert more.needs_agreement == ("5 h of disruption in 2026-03, more than 4",)
    assert more.state == "needs agreement"
    assert made.plan("d", at(2026, 3, 4, 1), at(2026, 3, 4, 5), disrupts=False).needs_agreement == ()
    assert made.plan("e", at(2026, 4, 1, 1), at(2026, 4, 1, 5), disrupts=True).needs_agreement == (), "another month"
    assert made.agree(more.number, "yes").state == "agreed"
    with pytest.raises(MaintenanceError, match="ends before it begins"):
        made.plan("f", at(2026, 3, 3, 1), at(2026, 3, 3, 1), disrupts=True)
    with pytest.raises(MaintenanceError, match="no maintenance item 99"):
        made.item(99)


@pytest.mark.parametrize(
    ("begins", "ends", "inside"),
    [((5, 0), (6, 0), False), ((5, 30), (6, 1), True), ((21, 59), (22, 30), True), ((22, 0), (23, 0), False), ((6, 0), (6, 1), True)],
)
def test_the_specified_hours_are_from_six_to_ten(begins: tuple[int, int], ends: tuple[int, int], inside: bool) -> None:
    made = plan().plan("a", at(2026, 3, 1, *begins), at(2026, 3, 1, *ends), disrupts=False)
    assert made.needs_agreement == (("inside the specified hours 6 to 22",) if inside else ())


def test_a_schedule_is_published_before_its_month() -> None:
    for now, late in ((MARCH.begins - 1, False), (MARCH.begins, True)):
        made = plan(now)
        item = made.plan("a", MARCH.begins, MARCH.begins + HOUR, disrupts=True)
        if late:
            with pytest.raises(MaintenanceError, match="2026-03 has begun"):
                made.publish(MARCH)
        else:
            assert [(one.number, one.state, one.published) for one in made.publish(MARCH)] == [(item.number, "published", now)]
    made = plan()
    made.plan("b", MARCH.ends, MARCH.ends + HOUR, disrupts=True)
    assert made.month(MARCH) == ()


def test_availability_leaves_published_maintenance_out_and_counts_overlaps_once() -> None:
    """[246, 255]."""
    made = plan()
    begins, ends = MARCH.begins, MARCH.begins + 100 * HOUR
    made.plan("a", begins + HOUR, begins + 3 * HOUR, disrupts=True)
    made.publish(MARCH)
    assert made.availability(begins, ends) == 100
    made.interrupted("x", begins + 2 * HOUR, begins + 4 * HOUR)
    assert made.availability(begins, ends) == 100 * Fraction(97, 98)
    made.interrupted("y", begins + 3.5 * HOUR, begins + 5 * HOUR)
    made.interrupted("before", begins - 5 * HOUR, begins + 0.5 * HOUR)
    assert made.availability(begins, ends) == 100 * Fraction(98 * 2 - 5, 98 * 2)
    made.interrupted("still", ends - HOUR)
    assert made.availability(begins, ends) == 100 * Fraction(98 * 2 - 7, 98 * 2)
    with pytest.raises(MaintenanceError, match="nothing but planned maintenance"):
        made.availability(begins + HOUR, begins + 3 * HOUR)


@pytest.mark.parametrize(
    ("day", "inside"), [((12, 14), False), ((12, 15), True), ((12, 31), True), ((1, 1), True), ((1, 4), True), ((1, 5), False)]
)
def test_the_freeze_of_changes_lies_over_the_turn_of_the_year(day: tuple[int, int], inside: bool) -> None:
    assert frozen(date(2026, *day)) == ("12-15 to 01-04" if inside else None)


def test_a_release_keeps_its_notice_and_only_an_emergency_breaks_a_freeze() -> None:
    now = at(2026, 2, 10)
    made = Releases(DccStore(None), lambda: now)
    assert [(one.kind, one.notice_days, one.ignores_freeze) for one in policies().values()] == [
        *(("emergency", 0, True), ("minor", 14, False), ("major", 90, False)),
    ]
    change = InternalChange("x", material_risk=False)
    assert made.plan("minor", (change,), now + 14 * DAY).changes == ("x",)
    with pytest.raises(MaintenanceError, match=r"14\.0 days of notice for a minor release, expected 14"):
        made.plan("minor", (change,), now + 14 * DAY - 1)
    assert made.plan("minor", (change,), now + 14 * DAY + HOUR).changes == ("x", "x"), "the same day: together"
    assert made.plan("major", (change,), now + 90 * DAY).changes == ("x",)
    with pytest.raises(MaintenanceError, match="lies in the change-freeze"):
        made.plan("minor", (change,), at(2026, 12, 20))
    assert made.plan("emergency", (change,), at(2026, 12, 20)).kind == "emergency"
    risky = InternalChange("y", material_risk=True)
    assert risky.owed == ("inform the users", "inform the Technical Sub-Committee", "let users test it", "give notice")
    told = InternalChange("y", True, frozenset({"users", "Technical Sub-Committee"}), True, True)
    assert (told.owed, told.classified, change.owed, change.classified) == ((), "risky", (), "non-disruptive")
    with pytest.raises(MaintenanceError, match=r"owes \[215\]: y: inform the users"):
        made.plan("emergency", (risky,), now + DAY)


def test_an_appeal_has_ten_days_and_a_direction_twenty() -> None:
    """[204], H11.7, H11.8."""
    published = date(2026, 3, 1)
    plain = interface_change(published)
    assert (plain.appeal_until, plain.directed_until, plain.applies) == (date(2026, 3, 11), date(2026, 3, 21), date(2026, 3, 22))
    assert interface_change(published, longer_days=5).applies == date(2026, 3, 27)
    for day, taken in ((date(2026, 2, 28), False), (published, True), (date(2026, 3, 11), True), (date(2026, 3, 12), False)):
        if taken:
            assert interface_change(published, appealed=day, appeal=Appeal.REJECTED).applies == date(2026, 3, 22)
        else:
            with pytest.raises(MaintenanceError, match="expected one from 2026-03-01 to 2026-03-11"):
                interface_change(published, appealed=day, appeal=Appeal.REJECTED)
    for appeal in (Appeal.UPHELD, Appeal.PENDING):
        assert interface_change(published, appealed=published, appeal=appeal).applies is None
    assert interface_change(published, directed_otherwise=True).applies is None
    for wrong in ({"appealed": published}, {"appeal": Appeal.REJECTED}):
        with pytest.raises(MaintenanceError, match="a day and an outcome"):
            interface_change(published, **wrong)


# -- measures


@pytest.mark.parametrize(
    ("within", "rule", "owed"),
    [
        (99, MeasureRule.REPORT, ()),
        (98, MeasureRule.CAUSE, ("cause",)),
        (96, MeasureRule.CAUSE, ("cause",)),
        (95, MeasureRule.STEPS, ("cause", "steps")),
    ],
)
def test_a_figure_at_its_level_is_no_failure(within: int, rule: MeasureRule, owed: tuple[str, ...]) -> None:
    """[260-262]: target 99 %, minimum 96 %."""
    figure = MeasureFigure(levels()[0], MARCH, 100, within, ())
    assert (figure.percent, figure.rule, Statement(figure, "", "").owed) == (within, rule, owed)
    assert Statement(figure, "c", "s").owed == ()
    assert Statement(figure, "", "s").owed == owed[:1]
    assert Statement(figure, "c", "").owed == owed[1:]
    assert MeasureFigure(levels()[0], MARCH, 0, 0, ()).rule is MeasureRule.NOTHING


def test_what_ends_when_it_is_due_is_within() -> None:
    assert [Clocked("", "", 10.0, ended).within for ended in (9.0, 10.0, 11.0, None)] == [True, True, False, False]


def test_a_provider_threshold_is_a_percentage_and_is_changed_after_consultation() -> None:
    """[263]."""
    now = [100.0]
    made = ProviderThresholds(DccStore(None), lambda: now[0])
    first = made.propose(PROVIDERS[0], "m", D(100), 50.0, "r")
    assert made.publish(first.number).published == 100.0
    second = made.propose(PROVIDERS[0], "m", D(0), 200.0, "r")
    for moment, waits in ((199.0, True), (200.0, False)):
        now[0] = moment
        if waits:
            with pytest.raises(MeasureError, match=r"after consultation \[263\]"):
                made.publish(second.number)
        else:
            made.publish(second.number)
    assert made.threshold(PROVIDERS[0], "m") == 0
    assert made.threshold(PROVIDERS[1], "m") is None
    for provider, threshold in ((PROVIDERS[0], D("100.1")), (PROVIDERS[0], D("-0.1")), ("nobody", D(5))):
        with pytest.raises(MeasureError, match="expected 0 to 100 % for one of"):
            made.propose(provider, "m", threshold, 0.0, "r")
