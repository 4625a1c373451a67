"""A gas meter's money: rates and blocks, prices, debts, emergency credit, the valve."""

from __future__ import annotations

from fractions import Fraction

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from hil.devices import Valve
from hil.devices.metering.registers import DAY_S, HOUR_S
from tests.devices.gas_money import (
    BLOCKS,
    CONFIGURATION,
    ISSUED,
    KWH_A_LITRE,
    PENNY,
    POUND,
    SUMMATION,
    SUPPLY,
    TARIFF,
    TIERS,
    WEEKENDS,
    Bench,
    calendar,
    prices,
)


@pytest.fixture
def bench(device_pki: Keystore) -> Bench:
    return Bench(device_pki)


@pytest.mark.clause("RTDS GCS01a")
def test_a_new_tariff_sends_what_flows_to_its_rates_and_not_what_flowed_before(bench: Bench) -> None:
    bench.go(HOUR_S)
    assert bench.all(TIERS) == [HOUR_S, 0, 0, 0]
    bench.do(TARIFF, *WEEKENDS, *prices(9_600, 10_200, 10_750))
    bench.go(7 * DAY_S - HOUR_S)  # Thursday to Wednesday
    assert bench.all(TIERS) == [4 * DAY_S, 2 * DAY_S, DAY_S, 0]
    assert bench.read(*SUMMATION) == 7 * DAY_S
    expected = KWH_A_LITRE * ((4 * DAY_S - HOUR_S) * 9_600 + 2 * DAY_S * 10_200 + DAY_S * 10_750)
    assert bench.gsme.metering.bill == expected
    assert bench.read(0x0702, 0x0A00) == int(expected)
    assert bench.read(0x0700, 0x0430) == 10_750


@pytest.mark.clause("RTDS GCS01a FUTURE_DATED_BLOCK")
def test_a_future_dated_block_tariff_takes_over_at_its_second_although_nobody_looks(bench: Bench) -> None:
    start = int(bench.gsme.now()) + DAY_S + 12_345
    bench.do(TARIFF, *prices(5_000))
    bench.do(TARIFF, *prices(10_000, 20_000, 30_000, start=start, thresholds=(100, 300)))
    bench.go(3 * DAY_S)
    later = 2 * DAY_S - 12_345
    first, second = (-(-(kwh * KWH_A_LITRE.denominator) // KWH_A_LITRE.numerator) for kwh in (100, 300))
    assert bench.all(TIERS) == [DAY_S + 12_345, 0, 0, 0]
    assert bench.all(BLOCKS) == [first, second - first, later - second, 0]
    cost = (DAY_S + 12_345) * 5_000 + first * 10_000 + (second - first) * 20_000 + (later - second) * 30_000
    assert bench.gsme.metering.bill == cost * KWH_A_LITRE


@pytest.mark.clause("RTDS GCS25")
def test_block_counters_begin_anew_with_each_block_period(bench: Bench) -> None:
    bench.do(TARIFF, *prices(10_000, 20_000, thresholds=(100,)))
    bench.do(
        0x007E,
        (
            PRICE,
            "PublishBlockPeriod",
            {
                **ISSUED,
                "start": int(bench.gsme.now()),
                "duration": 1,
                "control": 2,
                "duration_type": 0x21,
                "tariff_type": 0,
                "resolution": 1,
            },
        ),
    )
    bench.go(DAY_S - 10)
    assert bench.all(BLOCKS)[1] > 0
    bench.go(20)
    assert bench.all(BLOCKS) == [10, 0, 0, 0]


def test_two_calendars_that_wait_do_not_replace_each_other(bench: Bench) -> None:
    later = int(bench.gsme.now()) + DAY_S
    for code, kind, identifier in ((TARIFF, 0, 8), (CONFIGURATION, 3, 9)):
        (published, *_) = calendar(identifier, kind, {}, (1,) * 7)
        bench.do(code, (published[0], published[1], {**published[2], "start": later}))
    bench.go(DAY_S)
    assert bench.gsme.gbcs.future.all() == []
    for wildcard, identifier in ((0xFFFFFFFF, 8), (0xFFFFFFFE, 9)):
        answers = bench.gsme.model.published.read_calendar(0, wildcard)
        assert isinstance(answers, list)
        assert CALENDAR.to_client[0].decode(answers[0].payload)["calendar"] == identifier


@pytest.mark.clause("SMETS 4.6.4, reference smets 3")
def test_credit_runs_out_at_its_second_and_a_top_up_arms_the_valve_that_only_the_consumer_opens(bench: Bench) -> None:
    bench.do(TARIFF, *prices(10_000))
    bench.adjust(POUND)
    bench.prepay()
    bench.go(DAY_S)
    assert bench.gsme.valve is Valve.OFF
    assert bench.read(0x0702, 0x0014) == 0
    flowed = bench.gsme.register.total
    assert flowed == int(POUND / (10_000 * KWH_A_LITRE)) + 1
    assert bench.balance == POUND - flowed * 10_000 * KWH_A_LITRE < 0
    assert bench.alerts() == [0x8F0F]
    answer = bench.top_up(5)
    assert (answer["result"], answer["value"]) == (0, 5 * POUND)
    assert answer["credit_remaining"] == bench.read(0x0705, 0x0001) == int(5 * POUND + bench.balance - 5 * POUND)
    assert bench.balance == 6 * POUND - flowed * 10_000 * KWH_A_LITRE
    assert bench.gsme.valve is Valve.ARMED
    bench.go(HOUR_S)
    assert bench.gsme.register.total == flowed, "an armed valve lets nothing through"
    assert bench.gsme.enable_supply()
    assert not bench.gsme.enable_supply()
    bench.go(HOUR_S)
    assert bench.gsme.register.total == flowed + HOUR_S


def test_a_valve_that_a_command_closed_is_not_armed_by_money(bench: Bench) -> None:
    bench.adjust(POUND)
    bench.prepay()
    bench.do(SUPPLY, (METERING, "ChangeSupply", {**ISSUED, "requested": 0, "implementation": 0, "status": 0, "control": 0}))
    bench.top_up(5)
    assert bench.gsme.valve is Valve.OFF
    assert not bench.gsme.enable_supply()


@pytest.mark.clause("RTDS GCS05")
def test_in_a_non_disablement_period_gas_stays_on_and_goes_off_when_it_ends(bench: Bench) -> None:
    bench.do(TARIFF, *prices(10_000))
    bench.do(CONFIGURATION, *calendar(6, 3, {1: [(0, 1), (480, 0), (1080, 1)]}, (1,) * 7))
    bench.prepay()
    bench.go(8 * HOUR_S - 1)
    assert bench.gsme.valve is Valve.ON
    assert bench.balance < 0
    assert bench.alerts() == [0x8F0F, 0x8F83]
    bench.go(1)
    assert bench.gsme.valve is Valve.OFF
    assert bench.gsme.register.total == 8 * HOUR_S


@pytest.mark.clause("RTDS GCS04")
def test_debts_are_collected_hourly_and_daily_until_they_are_paid(bench: Bench) -> None:
    bench.adjust(100 * POUND)
    bench.prepay()
    bench.do(TARIFF, *prices(0, standing=0))
    bench.owe(1, 10 * POUND + 5, rate=50_000, frequency=1)
    bench.owe(3, 5 * POUND, rate=50_000, frequency=0)
    bench.go(HOUR_S)
    assert (bench.read(0x0705, 0x0211), bench.read(0x0705, 0x0221)) == (10 * POUND + 5, 5 * POUND - 50_000)
    bench.go(DAY_S)
    assert (bench.read(0x0705, 0x0211), bench.read(0x0705, 0x0221)) == (9 * POUND + 50_005, 0)
    assert bench.balance == 100 * POUND - 5 * POUND - 50_000
    assert 0x81A8 in bench.codes()
    bench.go(30 * DAY_S)
    assert bench.read(0x0705, 0x0211) == 0
    assert bench.balance == 100 * POUND - 15 * POUND - 5
    assert 0x81A7 in bench.codes()
    bench.owe(1, 3 * POUND, rate=POUND, frequency=1)
    bench.owe(1, -9 * POUND, rate=POUND, frequency=1)
    assert bench.read(0x0705, 0x0211) == 0, "a debt never falls below nothing"


def test_no_debt_is_collected_in_credit_mode(bench: Bench) -> None:
    bench.owe(3, 5 * POUND, rate=50_000, frequency=0)
    bench.go(DAY_S)
    assert bench.read(0x0705, 0x0221) == 5 * POUND
    assert bench.gsme.metering.bill == POUND, "the standing charge a meter leaves the factory with"


@pytest.mark.parametrize(
    ("configuration", "in_emergency", "disabled"),
    [(0x0497, False, False), (0x0097, False, True), (0x0C97, True, False), (0x0897, True, True)],
)
@pytest.mark.clause("reference smets 3: SuspendDebtEmergency, SuspendDebtDisabled")
def test_debt_recovery_is_suspended_as_the_payment_mode_says(
    bench: Bench,
    configuration: int,
    in_emergency: bool,
    disabled: bool,
) -> None:
    bench.do(TARIFF, *prices(0))
    bench.prepay(configuration)
    bench.emergency(POUND, POUND)
    bench.owe(3, 50 * POUND, rate=60_000, frequency=0)
    bench.do(0x0070, (PREPAYMENT, "SelectAvailableEmergencyCredit", {"issued": 0, "originating_device": 0}))
    bench.go(HOUR_S)
    assert (bench.read(0x0705, 0x0002) == 40_000) is in_emergency
    bench.adjust(-POUND)
    bench.gsme.metering.account.emergency = Fraction(0)
    bench.gsme.metering.look()
    assert bench.gsme.valve is Valve.OFF
    before = bench.read(0x0705, 0x0221)
    bench.go(2 * HOUR_S)
    assert (bench.read(0x0705, 0x0221) == before - 120_000) is disabled
    assert bench.read(0x0705, 0x0005) == (0 if in_emergency else 60_000) + (120_000 if disabled else 0)


@pytest.mark.clause("reference smets 3")
def test_emergency_credit_is_lent_used_and_paid_back_first(bench: Bench) -> None:
    bench.do(TARIFF, *prices(10_000))
    bench.adjust(POUND)
    bench.prepay()
    bench.emergency(2 * POUND, POUND // 2)
    bench.do(CONFIGURATION, (PREPAYMENT, "SetLowCreditWarningLevel", {"level": 90_000}))
    assert not bench.gsme.activate_emergency_credit(), "there is enough credit"
    bench.go(DAY_S)
    assert bench.gsme.valve is Valve.OFF
    bench.do(0x0070, (PREPAYMENT, "SelectAvailableEmergencyCredit", {"issued": 0, "originating_device": 0}))
    assert bench.gsme.valve is Valve.ARMED
    assert bench.gsme.enable_supply()
    bench.go(600)
    flowed = bench.gsme.register.total
    balance, lent = bench.balance, bench.gsme.metering.account.emergency
    assert POUND + 2 * POUND - flowed * 10_000 * KWH_A_LITRE == balance + lent
    bench.top_up(10)
    assert bench.read(0x0705, 0x0002) == 2 * POUND, "none is owed: all of it is there"
    assert bench.balance == 11 * POUND - flowed * 10_000 * KWH_A_LITRE


@pytest.mark.clause("RTDS GCS40a, GCS40b, GCS40c, GCS40d")
def test_adjustments_and_resets_reach_the_balance_of_their_mode_alone(bench: Bench) -> None:
    bench.adjust(POUND)
    bench.adjust(-3 * POUND, kind=3)
    assert (bench.read(0x0705, 0x0001), bench.read(0x0702, 0x0A00)) == (POUND, 3 * POUND)
    bench.adjust(POUND, kind=3)
    assert bench.read(0x0702, 0x0A00) == 2 * POUND, "the bill counts up, so an adjustment is subtracted"
    bench.adjust(0, kind=2)
    assert (bench.read(0x0705, 0x0001), bench.read(0x0702, 0x0A00)) == (POUND, 0)
    bench.adjust(0, kind=1)
    assert bench.read(0x0705, 0x0001) == 0


def test_a_top_up_over_a_limit_is_refused(bench: Bench) -> None:
    bench.do(
        CONFIGURATION,
        (PREPAYMENT, "SetMaximumCreditLimit", {**ISSUED, "implementation": 0, "max_level": 30 * POUND, "max_per_top_up": 20 * POUND}),
    )
    assert [bench.top_up(pounds)["result"] for pounds in (21, 20, 11, 10)] == [6, 0, 4, 0]
    assert bench.balance == 30 * POUND


def test_an_event_is_told_as_it_was_configured(bench: Bench) -> None:
    bench.do(
        0x00AD,
        (
            DEVICE_MANAGEMENT,
            "SetEventConfiguration",
            {"event": 1, "start": 0, "configuration": 0x08, "control": 0, "count": 1, "events": ({"event": 0x81A8},)},
        ),
    )
    bench.adjust(POUND)
    bench.prepay()
    bench.owe(3, PENNY, rate=PENNY, frequency=0)
    bench.go(HOUR_S)
    assert 0x81A8 not in bench.codes(), "not to be logged"
    assert bench.alerts() == [0x81A8]


@pytest.mark.clause("reference smets 3: payment debt, cap")
def test_the_share_of_top_ups_for_the_payment_debt_is_capped_each_week(bench: Bench) -> None:
    bench.do(CONFIGURATION, (PREPAYMENT, "SetOverallDebtCap", {**ISSUED, "implementation": 0, "cap": 5 * POUND}))
    bench.prepay()
    bench.owe(5, 50 * POUND, share=1000)
    bench.go(4 * DAY_S)  # Monday
    bench.adjust(100 * POUND)
    for _ in range(7):
        bench.top_up(10)
    assert bench.read(0x0705, 0x0231) == 45 * POUND
    bench.go(7 * DAY_S)
    bench.top_up(10)
    assert bench.read(0x0705, 0x0231) == 44 * POUND
