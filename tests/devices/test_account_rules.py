"""Rules of a meter's account by themselves: from which credit what is taken, each threshold at its limit, and what a top-up goes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from firmware_emu.device.store import MemoryStore
from firmware_emu.device.top_up import TopUpResult
from firmware_emu.gbcs.axdr import Array, Data, DoubleLong, DoubleLongUnsigned, Enum, Null, OctetString, Structure
from hil.devices.metering.billing import (
    ACCUMULATED_DEBT,
    EMERGENCY_CREDIT,
    METER_BALANCE,
    STANDING,
    TIME_DEBTS,
    Account,
    BilledSpan,
    BillingCalendar,
    BillingLogs,
    Past,
    Snapshot,
    Terms,
    balances,
    displayed,
    is_midnight,
    over_limit,
)
from hil.devices.metering.registers import DAY_S
from hil.devices.metering.tariff import TariffRegisters, midnight_of
from tests.source_numbers import constant, event

B = "hil.devices.metering.billing:"
TERMS = Terms(True, frozenset(), 0, 500, 300, 1000, 0, 0, 0, 0, (Fraction(0), Fraction(0)), (0, 0), 0)
"""Prepayment: cut off below 0, 500 of emergency credit from below 300, low below 1000; no debt and no limit."""


@pytest.fixture
def told() -> list[int]:
    return []


@pytest.fixture
def account(told: list[int]) -> Account:
    return Account(told.append)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CREDIT_ADDED_LOCALLY", "Credit Added Locally"),
        ("LOW_CREDIT", "Combined Credit Below Low Credit Threshold (prepayment mode)"),
        ("EMERGENCY_AVAILABLE", "Emergency Credit Has Become Available (prepayment mode)"),
        ("BELOW_DISABLEMENT", "Credit Below Disablement Threshold (prepayment mode)"),
        ("DISABLEMENT_SUSPENDED", "Disablement of Supply due to insufficient credit has been suspended"),
        ("EMERGENCY_EXHAUSTED", "Emergency Credit Exhausted"),
        ("EMERGENCY_ACTIVATED", "Emergency Credit Activated"),
        ("ARMED_BY_EMERGENCY", "Supply Disabled then Armed - Activate Emergency Credit triggered"),
        ("OVER_MAX_CREDIT", "UTRN exceeds Maximum Credit Threshold"),
        ("OVER_MAX_BALANCE", "Credit would cause Meter Balance to exceed Maximum Meter Balance Threshold"),
    ],
)
def test_an_event_of_the_account_has_the_code_of_its_name(name: str, words: str) -> None:
    assert constant(B + name) == event(words)


def test_a_debt_that_is_paid_has_the_event_of_its_kind() -> None:
    assert constant(B + "DEBT_PAID") == tuple(
        event(f"Debt Collection Completed - {kind}") for kind in ("Time Debt 1", "Time Debt 2", "Payment Debt")
    )


@pytest.mark.parametrize(
    ("balance", "emergency", "active", "prepayment", "credit"),
    [
        (1, 0, False, True, METER_BALANCE),
        (0, 0, False, True, ACCUMULATED_DEBT),
        (0, 1, True, True, EMERGENCY_CREDIT),
        (0, 0, True, True, ACCUMULATED_DEBT),
        (0, 1, False, True, ACCUMULATED_DEBT),
        (-5, 0, False, False, METER_BALANCE),
    ],
)
def test_a_charge_is_taken_from_the_balance_while_there_is_some_then_from_emergency_credit(
    account: Account, balance: int, emergency: int, active: bool, prepayment: bool, credit: bytes
) -> None:
    account.balance, account.emergency, account.emergency_active = Fraction(balance), Fraction(emergency), active
    terms = replace(TERMS, prepayment=prepayment, taken_from=frozenset({(credit, STANDING)}))
    assert account.take(STANDING, Fraction(1), terms) == 1
    others = frozenset({METER_BALANCE, EMERGENCY_CREDIT, ACCUMULATED_DEBT} - {credit})
    elsewhere = replace(terms, taken_from=frozenset((one, STANDING) for one in others))
    account.balance, account.emergency, account.emergency_active = Fraction(balance), Fraction(emergency), active
    assert account.take(STANDING, Fraction(1), elsewhere) == 0


def test_before_anything_is_set_the_standing_charge_alone_is_taken_and_from_the_balance() -> None:
    assert TERMS.takes(METER_BALANCE, STANDING)
    assert not TERMS.takes(METER_BALANCE, TIME_DEBTS[0])
    assert not TERMS.takes(EMERGENCY_CREDIT, STANDING)


@pytest.mark.parametrize(
    ("balance", "cost", "left", "emergency", "events"),
    [
        (10, 10, 0, 500, []),
        (10, 11, 0, 499, []),
        (0, 500, 0, 0, [0x81AA]),
        (0, 501, -1, 0, [0x81AA]),
        (-3, 4, -3, 496, []),
        (10, 4, 6, 500, []),
    ],
)
def test_energy_is_taken_down_to_the_threshold_then_from_emergency_credit_then_below_it(
    account: Account, told: list[int], balance: int, cost: int, left: int, emergency: int, events: list[int]
) -> None:
    account.balance, account.emergency, account.emergency_active = Fraction(balance), Fraction(500), True
    account.use(Fraction(cost), TERMS)
    assert (account.balance, account.emergency, told) == (left, emergency, events)


def test_energy_comes_from_the_balance_alone_in_credit_mode_and_without_emergency_credit(account: Account, told: list[int]) -> None:
    account.emergency, account.emergency_active = Fraction(500), True
    account.use(Fraction(7), replace(TERMS, prepayment=False))
    account.emergency_active = False
    account.use(Fraction(7), TERMS)
    assert (account.balance, account.emergency, told) == (-14, 500, [])


def test_what_emergency_credit_cannot_pay_builds_up_where_the_terms_say_so(account: Account, told: list[int]) -> None:
    account.emergency, account.emergency_active = Fraction(3), True
    both = replace(TERMS, taken_from=frozenset({(EMERGENCY_CREDIT, STANDING), (ACCUMULATED_DEBT, STANDING)}))
    assert account.take(STANDING, Fraction(5), both) == 5
    assert (account.emergency, account.accumulated, told) == (0, 2, [0x81AA])
    account.emergency = Fraction(3)
    one = replace(TERMS, taken_from=frozenset({(EMERGENCY_CREDIT, STANDING)}))
    assert account.take(STANDING, Fraction(5), one) == 3
    assert account.accumulated == 2
    account.emergency = Fraction(9)
    assert account.take(STANDING, Fraction(5), both) == 5
    assert (account.emergency, account.accumulated) == (4, 2)
    assert account.take(STANDING, Fraction(1), replace(both, suspend_emergency=True)) == 1
    assert (account.emergency, account.accumulated) == (4, 3), "it is suspended"


def test_the_standing_charge_falls_due_at_midnight_and_a_debt_at_the_end_of_its_period(account: Account, told: list[int]) -> None:
    taken = frozenset((METER_BALANCE, charge) for charge in (STANDING, *TIME_DEBTS))
    terms = replace(TERMS, taken_from=taken, debt_rates=(Fraction(4), Fraction(3)), debt_periods=(3600, 86400))
    account.balance, account.time_debts = Fraction(1000), [Fraction(6), Fraction(3)]
    account.fall_due(3599, Fraction(50), terms)
    assert (account.balance, account.time_debts) == (1000, [6, 3])
    account.fall_due(3600, Fraction(50), terms)
    assert (account.balance, account.time_debts, told) == (996, [2, 3], [])
    account.fall_due(DAY_S, Fraction(50), terms)
    assert (account.balance, account.time_debts, told) == (996 - 50 - 2 - 3, [0, 0], [0x81A7, 0x81A8])
    account.fall_due(2 * DAY_S, Fraction(50), terms)
    assert (account.balance, told) == (996 - 105, [0x81A7, 0x81A8]), "a debt that is paid is told once"
    account.time_debts = [Fraction(6), Fraction(3)]
    account.fall_due(3 * DAY_S, Fraction(0), replace(terms, debt_periods=(0, 0)))
    assert account.time_debts == [6, 3], "a debt without a period is not collected"
    assert (is_midnight(DAY_S), is_midnight(DAY_S + 1)) == (True, False)


@pytest.mark.parametrize(
    ("balance", "events"),
    [(1000, []), (999, [0x810D]), (300, [0x810D]), (299, [0x810D, 0x8119]), (0, [0x810D, 0x8119]), (-1, [0x810D, 0x8119, 0x8F0F])],
)
def test_a_threshold_is_crossed_below_its_value_and_told_once(account: Account, told: list[int], balance: int, events: list[int]) -> None:
    """SMETS 5.6.3: below, not at it."""
    account.balance = Fraction(balance)
    account.check(TERMS)
    account.check(TERMS)
    assert told == events
    account.balance = Fraction(1000)
    account.check(TERMS)
    account.balance = Fraction(balance)
    account.check(TERMS)
    assert told == events * 2, "and again after it was crossed back"


def test_no_threshold_is_crossed_in_credit_mode(account: Account, told: list[int]) -> None:
    account.balance = Fraction(-1)
    account.check(TERMS)
    told.clear()
    credit = replace(TERMS, prepayment=False)
    account.check(credit)
    assert (told, account.low, account.available, account.out) == ([], False, False, False)
    assert account.next_threshold(credit) is None


@pytest.mark.parametrize(
    ("balance", "state", "room"),
    [
        (1500, {}, 500),
        (1000, {}, 0),
        (900, {"low": True}, 600),
        (300, {"low": True}, 0),
        (250, {"low": True, "available": True}, 250),
        (-1, {"low": True, "available": True, "out": True}, None),
        (100, {"low": True, "emergency_active": True, "emergency": Fraction(500)}, 600),
        (600, {"emergency_active": True, "emergency": Fraction(500)}, 100),
        (0, {"low": True, "available": True}, 0),
    ],
)
def test_the_next_threshold_is_the_nearest_that_has_not_been_crossed(
    account: Account, balance: int, state: dict[str, object], room: int | None
) -> None:
    account.balance = Fraction(balance)
    for name, value in state.items():
        setattr(account, name, value)
    assert account.next_threshold(TERMS) == room
    if "emergency_active" not in state and balance == 900:
        assert account.next_threshold(replace(TERMS, emergency_limit=0)) == 900, "without emergency credit there is disablement alone"


def test_emergency_credit_is_lent_where_it_is_available_and_once(account: Account, told: list[int]) -> None:
    account.balance = Fraction(300)
    assert not account.activate_emergency_credit(TERMS)
    account.balance = Fraction(299)
    assert not account.activate_emergency_credit(replace(TERMS, emergency_limit=0))
    assert account.activate_emergency_credit(TERMS)
    assert (account.emergency, account.emergency_active, account.available) == (500, True, False)
    assert told[-1] == 0x81AB
    account.emergency = Fraction(1)
    assert account.activate_emergency_credit(TERMS)
    assert account.emergency == 1, "it is not lent again"
    assert account.left(TERMS) == 300
    assert account.emergency_balance == 1
    account.reset()
    assert (account.balance, account.emergency_active, account.emergency_balance) == (0, False, 500)


@pytest.mark.parametrize(("amount", "refused"), [(100, None), (101, 0x8F5B), (81, 0x8F47), (80, None)])
def test_a_top_up_may_come_up_to_its_limits(account: Account, amount: int, refused: int | None) -> None:
    account.balance = Fraction(20)
    limited = replace(TERMS, max_credit=100, max_balance=100 if amount in (80, 81) else 0)
    assert account.refusal(amount, limited) == refused
    assert account.refusal(10**9, TERMS) is None, "a limit of 0 was never set"
    if refused is not None:
        expected = TopUpResult.VALUE_TOO_LARGE if refused == 0x8F5B else TopUpResult.MAXIMUM_CREDIT_REACHED
        assert over_limit(refused) is expected


def test_a_top_up_pays_debt_then_accumulated_debt_the_shortfall_and_emergency_credit(account: Account, told: list[int]) -> None:
    """The order of reference smets 3."""
    account.balance, account.accumulated, account.payment_debt = Fraction(-40), Fraction(30), 1000
    account.emergency, account.emergency_active = Fraction(450), True
    terms = replace(TERMS, proportion=1000)
    payment = account.top_up(200, 0, terms)
    assert (payment.amount, payment.to_payment_debt, payment.to_accumulated_debt, payment.to_emergency_credit) == (200, 20, 30, 50)
    assert (account.payment_debt, account.accumulated) == (980, 0)
    assert (account.balance, account.emergency, account.emergency_active) == (200 - 20 - 30 - 40 - 50, 0, False)
    assert told == []
    account.payment_debt = 20
    account.top_up(200, 0, terms)
    assert told == [0x81A9]
    account.payment_debt = 20
    account.top_up(200, 0, replace(terms, prepayment=False))
    assert account.payment_debt == 20, "in credit mode no share of a payment is debt's"


@pytest.mark.parametrize(
    ("payments", "shares"),
    [([(0, 100), (10, 100)], [60, 40]), ([(0, 100), (999, 100), (1000, 100)], [60, 40, 60]), ([(0, 200), (1, 1)], [100, 0])],
)
def test_a_share_of_payments_is_capped_over_the_time_before_each(
    account: Account, payments: list[tuple[int, int]], shares: list[int]
) -> None:
    """60 per cent of each, at most 100 in 1000 seconds: one of just so long ago counts no more."""
    account.payment_debt = 10_000
    terms = replace(TERMS, proportion=6000, cap=100, cap_period=1000)
    assert [account.top_up(amount, now, terms).to_payment_debt for now, amount in payments] == shares


def test_the_caps_week_begins_on_monday_where_it_is_a_calendar_week(account: Account) -> None:
    account.payment_debt = 10_000
    week = 7 * DAY_S
    terms = replace(TERMS, proportion=10_000, cap=100, cap_period=week, cap_calendar_week=True)
    monday = midnight_of(date(2024, 2, 26))
    assert [account.top_up(100, now, terms).to_payment_debt for now in (monday - 1, monday, monday + week - 1, monday + week)] == [
        100,
        100,
        0,
        100,
    ]


def test_the_account_comes_back_from_the_store_as_it_was(told: list[int]) -> None:
    account = Account(
        told.append,
        Fraction(1, 3),
        Fraction(2, 7),
        True,
        Fraction(5),
        [Fraction(1), Fraction(2, 3)],
        7,
        500,
        [(1, 2), (3, 4)],
        True,
        False,
        True,
    )
    other = Account(told.append)
    other.restore(account.state())
    assert other == account
    assert balances(account) == (5, 0, 0, 7, 1, 0)
    assert balances(replace(account, balance=Fraction(-1, 2), emergency_active=False)) == (5, 500, -1, 7, 1, 0), "downwards"
    most = replace(account, balance=Fraction(10**12), accumulated=Fraction(-(10**12)))
    assert (balances(most)[2], balances(most)[0]) == (2**31 - 1, -(2**31))
    shown = displayed(replace(account, balance=Fraction(12_340), accumulated=Fraction(1000), time_debts=[Fraction(500), Fraction(0)]))
    assert shown == {"balance, pence": "12.34", "debt, pence": "1.51"}, "a thousand to the penny"


def _calendar(*entries: tuple[str, str]) -> BillingCalendar:
    return BillingCalendar(
        Array(tuple(Structure((OctetString(bytes.fromhex(at)), OctetString(bytes.fromhex(when)))) for at, when in entries))
    )


def test_a_billing_period_ends_at_the_next_of_its_moments() -> None:
    calendar = _calendar(("00000000", "ffffff01ff"), ("0c000000", "ffffff0fff"))
    first, mid = midnight_of(date(2024, 3, 1)), midnight_of(date(2024, 3, 15)) + DAY_S // 2
    assert [calendar.next(now) for now in (first - 1, first, mid - 1, mid)] == [first, mid, mid, midnight_of(date(2024, 4, 1))]
    assert bool(calendar)
    assert not _calendar(("00000000", "0000000000"))
    yearly = _calendar(("00000000", "ffff0101ff"))
    assert yearly.next(midnight_of(date(2024, 1, 1))) == midnight_of(date(2025, 1, 1)), "366 days on"
    assert _calendar(("00000000", "07e80101ff")).next(midnight_of(date(2024, 1, 1))) is None
    assert _calendar(("00000000", "07e80101ff")).next(0) is None, "not within a year"


def test_a_snapshot_comes_back_from_its_record() -> None:
    registers = TariffRegisters()
    registers.tou = [(number + 1) * 3600 for number in range(48)]
    registers.secondary = [(number + 100) * 3600 for number in range(4)]
    registers.blocks = [[(10 * row + column) * 3600 for column in range(8)] for row in range(4)]
    taken = Snapshot.take(77, 5, 6, registers)
    assert (taken.time, taken.total, taken.secondary_total, taken.tou[47], taken.secondary[3], taken.blocks[3][7]) == (
        77,
        5,
        6,
        48,
        103,
        37,
    )
    assert Snapshot.of(taken.record()) == taken
    assert len(taken.record()) == 3 + 48 + 4 + 32


def test_the_logs_keep_as_many_entries_as_smets_says_and_a_change_of_one_second_once(account: Account) -> None:
    """Reference smets 2: 31 daily reads, 12 billing periods and changes, 5 credits, 10 payments of debt."""
    logs = BillingLogs(MemoryStore(), "x")
    for now in range(40):
        snapshot = Snapshot.take(now, 0, 0, TariffRegisters())
        logs.midnight(snapshot, account, prepayment=now % 2 == 0)
        logs.period_end(snapshot, account)
        logs.change(snapshot, account)
        logs.change(snapshot, account)
        logs.credits.append(now, 1)
        logs.debt_payments.append(now, 1)
    kept = {
        name: [record[0] for record in getattr(logs, name)]
        for name in ("daily", "prepayment_daily", "billing", "billing_balances", "changes")
    }
    assert kept["daily"] == list(range(9, 40))
    assert kept["prepayment_daily"] == list(range(0, 40, 2))
    assert kept["billing"] == kept["billing_balances"] == kept["changes"] == list(range(28, 40))
    assert [record[0] for record in logs.credits] == list(range(35, 40))
    assert [record[0] for record in logs.debt_payments] == list(range(30, 40))


def test_days_weeks_and_months_of_the_consumer_close_at_their_ends_and_so_many_are_kept() -> None:
    """Reference smets 2, cumulative and historical value store: 8 days, 5 weeks, 13 months; weeks begin on Mondays."""
    past = Past()
    first = midnight_of(date(2022, 1, 1))
    for day in range(800):
        past.add(first + day * DAY_S, 1, Fraction(2))
        past.midnight(first + (day + 1) * DAY_S)
    assert {span: len(found) for span, found in past.past.items()} == {"day": 8, "week": 5, "month": 13}
    assert [span.energy for span in past.past["week"]] == [7] * 5
    assert past.past["month"][-1].energy == 29, "February 2024"
    assert past.before("day", 1, 0) == BilledSpan(first + 799 * DAY_S, 1, Fraction(2))
    assert past.before("day", 8, 0).energy == 1
    assert past.before("day", 9, 0) == BilledSpan(0, 0, Fraction(0))
    assert past.before("day", 0, 0).energy == 0
    assert past.before("day", 1, first + 799 * DAY_S).energy == 1
    assert past.before("day", 1, first + 799 * DAY_S + 1).energy == 0, "it began before what may be seen"
    again = Past()
    again.restore(past.state())
    assert again == past


def test_each_term_of_the_account_comes_from_its_attribute() -> None:
    """RTDS ECS02, ECS03, ECS08 and the objects of SMETS 5.7.5: class 111 the account, 112 a credit, 113 a charge, 9000 own data."""
    numbers = {
        (112, "0-0:19.10.1", 9): 1,
        (112, "0-0:19.10.1", 10): 2,
        (111, "0-0:19.0.0", 16): 3,
        (9000, "0-0:94.44.2.10", 2): 4,
        (9000, "0-0:94.44.2.20", 2): 5,
        (111, "0-0:19.0.0", 18): 6,
        (111, "0-0:19.0.0", 19): 7,
        (113, "0-0:19.20.3", 13): 8,
        (113, "0-0:19.20.1", 8): 9,
        (113, "0-0:19.20.2", 8): 10,
    }
    values: dict[tuple[int, str, int], Data] = {key: DoubleLongUnsigned(value) for key, value in numbers.items()}
    values[21, "0-0:16.0.1", 2] = Array((DoubleLong(-11),))
    values[111, "0-0:19.0.0", 2] = Structure((Enum(2), Enum(0)))
    terms = Terms.read(lambda class_id, obis, attribute: values.get((class_id, obis, attribute), Null()))
    assert (terms.emergency_limit, terms.emergency_threshold, terms.low_credit, terms.max_credit, terms.max_balance) == (1, 2, 3, 4, 5)
    assert (terms.cap, terms.cap_period, terms.proportion, terms.debt_periods) == (600_000, 7, 8, (9, 10)), "the cap is in pounds"
    assert (terms.disablement, terms.prepayment, terms.debt_rates) == (-11, True, (0, 0))
    assert (terms.suspend_emergency, terms.cap_calendar_week) == (False, False)
    values[111, "0-0:19.0.0", 2] = Structure((Enum(1), Enum(0)))
    values[21, "0-0:16.0.1", 2] = Array(())
    credit = Terms.read(lambda class_id, obis, attribute: values.get((class_id, obis, attribute), Null()), cap_calendar_week=True)
    assert (credit.prepayment, credit.disablement, credit.cap_calendar_week) == (False, 0, True)
    assert not Terms.read(lambda *_: Structure(())).prepayment
    nothing = Terms.read(lambda *_: Null())
    assert (nothing.emergency_limit, nothing.low_credit, nothing.cap, nothing.debt_periods) == (0, 0, 0, (0, 0))


def test_a_new_account_owes_nothing_and_has_nothing(account: Account) -> None:
    assert (account.balance, account.emergency, account.accumulated, account.time_debts) == (0, 0, 0, [0, 0])
    assert (account.payment_debt, account.emergency_limit, account.cap_payments) == (0, 0, [])
    assert not any((account.emergency_active, account.low, account.available, account.out))
    older = {name: value for name, value in account.state().items() if name not in ("emergency_limit", "cap_payments")}
    account.restore(older)
    assert (account.emergency_limit, account.cap_payments) == (0, [])
