"""Table 5.3 and its formulas, with the worked numbers of the consultation."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.ids import Eui64
from hil.dcc.base.months import Month
from hil.dcc.base.services import UserRole
from hil.sec.demand.formulas import (
    PartYear,
    UserUsage,
    findings,
    monthly_allocation,
    reportable,
    thresholds,
    thresholds_for,
)

USER = Eui64.parse("90b3d51f30010000")
MARCH = Month(2026, 3)
TH = {one.id: one for one in thresholds()}


LONG_AGO = Month(2020, 1)


def usage(
    role: UserRole = UserRole.IS, *, first: Month | None = LONG_AGO, reading: PartYear = PartYear.SENSIBLE, **more: object
) -> UserUsage:
    enrolled = more.get("enrolled", {MARCH + back: 2 for back in range(-11, 1)})
    return UserUsage(USER, role, more.get("requests", {}), enrolled, first, reading)  # type: ignore[arg-type]


@pytest.mark.requirement("DM-10")
def test_table_5_3_is_data() -> None:
    assert [(one.id, one.service, "".join(sorted(one.roles)), one.yearly) for one in thresholds()] == [
        ("TH-1", "3.1", "GSIS", True),
        ("TH-2", "4.8", "ESGSIS", False),
        ("TH-3", "11.1", "GSIS", True),
        ("TH-4", "4.8", "EDGT", False),
        ("TH-5", "4.8", "EDGT", True),
        ("TH-6", "4.10", "ED", False),
        ("TH-7", "4.10", "ED", True),
    ]
    assert thresholds_for(UserRole.OU) == ()
    assert [one.id for one in thresholds_for(UserRole.GT, "4.10")] == []


@pytest.mark.parametrize(
    ("row", "values"),
    [
        pytest.param("TH-1", ["24"] * 4, marks=pytest.mark.requirement("TH-1")),
        pytest.param("TH-2", ["28", "29", "30", "31"], marks=pytest.mark.requirement("TH-2")),
        pytest.param("TH-3", ["6"] * 4, marks=pytest.mark.requirement("TH-3")),
        pytest.param("TH-4", ["1.344", "1.392", "1.44", "1.488"], marks=pytest.mark.requirement("TH-4")),
        pytest.param("TH-5", ["4"] * 4, marks=pytest.mark.requirement("TH-5")),
        pytest.param("TH-6", ["0.028", "0.029", "0.030", "0.031"], marks=pytest.mark.requirement("TH-6")),
        pytest.param("TH-7", ["4"] * 4, marks=pytest.mark.requirement("TH-7")),
    ],
)
def test_each_threshold_has_its_value_and_its_metric(row: str, values: list[str]) -> None:
    months = (Month(2025, 2), Month(2024, 2), Month(2025, 4), MARCH)
    assert [TH[row].value(month) for month in months] == [Fraction(value) for value in values]
    role = min(TH[row].roles)
    each_month = {(TH[row].service, MARCH + back): 5 for back in range(-12, 2)}
    of_others = {("2.1", MARCH): 99}
    metric = usage(role, requests={**each_month, **of_others}).metric(TH[row], MARCH)
    assert metric == (Fraction(60, 2) if TH[row].yearly else Fraction(5, 2))


@pytest.mark.requirement("TR-1")
def test_only_the_users_own_requests_of_that_service_count() -> None:
    requests = {("4.8", MARCH): 4, ("4.10", MARCH): 7, ("4.8", MARCH + 1): 9}
    assert usage(requests=requests).metric(TH["TH-2"], MARCH) == 2


@pytest.mark.requirement("TR-2")
@pytest.mark.requirement("TR-3")
@pytest.mark.requirement("DM-06")
@pytest.mark.parametrize("role", [UserRole.IS, UserRole.ED])
def test_asms_is_the_mean_of_the_enrolled_systems_on_the_15th_of_twelve_months(role: UserRole) -> None:
    counts = {MARCH + back: 12 + back for back in range(-13, 2)}
    assert usage(role, enrolled=counts).asms(MARCH) == Fraction(sum(range(1, 13)), 12)
    assert usage(role, enrolled={MARCH: 6}).asms(MARCH) == Fraction(1, 2)


@pytest.mark.requirement("TR-4")
@pytest.mark.requirement("TR-5")
@pytest.mark.requirement("DM-07")
def test_there_is_no_metric_before_the_first_service_month() -> None:
    new = usage(first=Month(2026, 2), requests={("4.8", MARCH): 4, ("4.8", Month(2026, 2)): 4})
    assert new.first_service_month == MARCH
    assert new.metric(TH["TH-2"], Month(2026, 2)) is None
    assert new.metric(TH["TH-2"], MARCH) == 2
    never = usage(first=None)
    assert never.first_service_month is None
    assert never.metric(TH["TH-2"], MARCH) is None


@pytest.mark.requirement("TR-6")
@pytest.mark.requirement("DM-08")
def test_a_part_of_a_year_is_scaled_as_in_the_worked_example_in_both_readings() -> None:
    """3 months served (p = 9), 18 requests of 3.1, ASMS 2: table value 9; SENSIBLE 36, over 24; LITERAL 12, under it."""
    requests = {("3.1", MARCH + back): 6 for back in range(-2, 1)}
    example = usage(first=Month(2025, 12), requests=requests)
    assert example.months_before_service(MARCH) == 9
    assert example.asms(MARCH) == 2
    assert example.metric(TH["TH-1"], MARCH) == 36
    assert replace(example, part_year=PartYear.LITERAL).metric(TH["TH-1"], MARCH) == 12
    assert findings(example, "3.1", MARCH, None)
    assert not findings(replace(example, part_year=PartYear.LITERAL), "3.1", MARCH, None)


@pytest.mark.requirement("TR-6")
def test_requests_before_the_first_service_month_count_in_the_literal_reading_only() -> None:
    requests = {("3.1", Month(2025, 12)): 10, ("3.1", MARCH): 8}
    sensible = usage(first=Month(2025, 12), requests=requests)
    assert sensible.metric(TH["TH-1"], MARCH) == Fraction(8, 2) * Fraction(12, 3)
    assert replace(sensible, part_year=PartYear.LITERAL).metric(TH["TH-1"], MARCH) == Fraction(18, 2) * Fraction(12, 9)
    whole = usage(first=MARCH + -12, requests=requests)
    assert whole.months_before_service(MARCH) == 0
    assert whole.metric(TH["TH-1"], MARCH) == 9


@pytest.mark.requirement("TR-7")
def test_months_before_the_first_service_month_are_left_out_of_asms() -> None:
    new = usage(first=Month(2025, 12), enrolled={**{MARCH + back: 100 for back in range(-11, -2)}, MARCH + -2: 1, MARCH + -1: 2, MARCH: 6})
    assert new.asms(MARCH) == 3


@pytest.mark.requirement("TR-8")
@pytest.mark.requirement("DM-04")
def test_usage_is_reported_at_or_above_110_per_cent_of_forecast_or_threshold() -> None:
    assert [reportable(Fraction(used), Fraction(10)) for used in ("10", "10.99", "11", "11.01")] == [False, False, True, True]
    assert reportable(Fraction(1), Fraction(0))
    assert not reportable(Fraction(0), Fraction(0))
    busy = usage(requests={("4.8", MARCH): 69})
    assert [one.against for one in findings(busy, "4.8", MARCH, 60)] == ["the forecast", "threshold TH-2"]
    assert [one.against for one in findings(busy, "4.8", MARCH, 63)] == ["threshold TH-2"]
    assert [one.against for one in findings(busy, "4.8", MARCH, None)] == ["threshold TH-2"]
    assert findings(usage(requests={("4.8", MARCH): 68}), "4.8", MARCH, None) == ()
    assert "115.0 % of the forecast 60" in str(findings(busy, "4.8", MARCH, 60)[0])


def test_there_is_no_metric_without_enrolled_systems() -> None:
    none = usage(enrolled={}, requests={("4.8", MARCH): 4, ("3.1", MARCH): 4})
    assert none.metric(TH["TH-2"], MARCH) is None
    assert none.metric(TH["TH-1"], MARCH) is None


@pytest.mark.requirement("DM-05")
@given(st.integers(0, 10**7), st.lists(st.integers(0, 1000), min_size=12, max_size=12).filter(any))
def test_an_annual_allocation_becomes_months_that_add_up_to_it(year: int, weights: list[int]) -> None:
    shares = monthly_allocation(year, dict(enumerate(weights, 1)))
    assert sum(shares.values()) == year
    assert all(abs(shares[month] - Fraction(year * weight, sum(weights))) < 1 for month, weight in enumerate(weights, 1))


def test_an_allocation_needs_a_weight_for_each_month() -> None:
    with pytest.raises(ValueError, match="a weight for each month"):
        monthly_allocation(10, {1: 1})
