"""The terms of a gas meter's account, as its payment control configuration and amounts say."""

from __future__ import annotations

from fractions import Fraction

import pytest

from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from hil.devices.gsme.terms import read_terms
from hil.devices.metering.billing import ACCUMULATED_DEBT, EMERGENCY_CREDIT, METER_BALANCE, STANDING, TIME_DEBTS

STANDING_ALONE = {(METER_BALANCE, STANDING)}
PREPAID = {(one, STANDING) for one in (METER_BALANCE, EMERGENCY_CREDIT, ACCUMULATED_DEBT)} | {(METER_BALANCE, debt) for debt in TIME_DEBTS}
IN_EMERGENCY = {(EMERGENCY_CREDIT, debt) for debt in TIME_DEBTS}
TO_DEBT = {(ACCUMULATED_DEBT, debt) for debt in TIME_DEBTS}


class Set:
    """Attributes as they were set; the others are 0."""

    def __init__(self, **values: int) -> None:
        self.values = {int(name[1:], 16): value for name, value in values.items()}

    def number(self, cluster: int, attribute: int) -> int:
        assert cluster == PREPAYMENT.id
        return self.values.get(attribute, 0)


@pytest.mark.parametrize(
    ("configuration", "prepayment", "taken", "suspended"),
    [
        (0x0497, True, PREPAID, True),
        (0x0097, True, PREPAID | TO_DEBT, True),
        (0x0C97, True, PREPAID | IN_EMERGENCY, False),
        (0x0897, True, PREPAID | IN_EMERGENCY | TO_DEBT, False),
        (0x0C94, False, STANDING_ALONE, False),
        (0x0494, False, STANDING_ALONE, False),
    ],
)
def test_the_configuration_says_what_is_taken_from_which_credit(
    configuration: int, prepayment: bool, taken: set[tuple[bytes, bytes]], suspended: bool
) -> None:
    terms = read_terms(Set(_0000=configuration))  # type: ignore[arg-type]
    assert (terms.prepayment, terms.suspend_emergency) == (prepayment, suspended)
    assert terms.taken_from == taken


def test_each_amount_comes_from_its_attribute_and_a_cap_of_0_was_never_set() -> None:
    amounts = {"_0040": 1, "_0010": 2, "_0011": 3, "_0031": 4, "_0022": 5, "_0021": 6, "_0006": 7, "_0217": 8, "_0227": 9, "_0239": 10}
    terms = read_terms(Set(_0216=1, _0226=0, **amounts))  # type: ignore[arg-type]
    assert (terms.disablement, terms.emergency_limit, terms.emergency_threshold, terms.low_credit) == (1, 2, 3, 4)
    assert (terms.max_credit, terms.max_balance, terms.cap, terms.cap_period, terms.proportion) == (5, 6, 7, 604_800, 10)
    assert terms.debt_rates == (Fraction(8), Fraction(9))
    assert terms.debt_periods == (86_400, 3600)
    assert read_terms(Set()).cap_period == 0  # type: ignore[arg-type]
