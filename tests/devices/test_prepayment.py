from __future__ import annotations

from fractions import Fraction

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.event_log import LogName
from firmware_emu.gbcs.axdr import (
    Array,
    BitString,
    CompactArray,
    DoubleLong,
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
)
from firmware_emu.gbcs.axdr import Enum as DlmsEnum
from firmware_emu.gbcs.dlms import AccessResult, Choice, parse_obis
from firmware_emu.gbcs.utrn import make_utrn
from hil.devices import LoadSwitch
from hil.devices.metering.maker import maker
from hil.devices.metering.registers import DAY_S, HOUR_S
from tests.devices.meter_bench import SUPPLIER, Bench, at_once, charge, entry, put, run
from tests.devices.prepaying_meter import (
    ACCUMULATED,
    BALANCE,
    DEBT_1,
    EMERGENCY,
    PENNY,
    POUND,
    STANDING,
    configuration,
    debts,
    prepaying,
    prepayment_mode,
    token,
    top_up,
)


def test_supply_goes_off_the_second_credit_is_below_the_threshold(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, 2 * POUND)
    bench.go(DAY_S)
    # two pounds buy 20 kWh, 20,000 s; the next second is below the threshold
    assert bench.esme.registers.active_import.parts == 3600 * 20_001
    assert bench.esme.load_switch is LoadSwitch.DISABLED
    assert bench.told.count(0x8F0F) == 1
    assert bench.esme.metering.account.balance == -10
    assert bench.read(112, BALANCE) == DoubleLong(-10)


def test_a_top_up_changes_the_balance_and_arms_the_supply_for_the_consumer(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, POUND)
    bench.go(DAY_S)
    assert bench.esme.enable_supply() is False
    assert top_up(bench, 10, 3) == [AccessResult.SUCCESS]
    assert bench.read(112, BALANCE) == DoubleLong(10 * POUND - 10)
    assert bench.esme.load_switch is LoadSwitch.ARMED
    counted = bench.esme.registers.active_import.total
    bench.go(HOUR_S)
    assert bench.esme.registers.active_import.total == counted
    assert bench.esme.enable_supply()
    bench.go(HOUR_S)
    assert bench.esme.registers.active_import.total == counted + 3600
    log = bench.read(7, "0-0:98.1.5")
    assert isinstance(log, CompactArray)
    assert [one[1] for one in log.elements] == [DoubleLongUnsigned(10 * POUND)]  # type: ignore[index]


def test_a_token_counts_once_and_limits_are_kept(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, POUND)
    bench.do(0x00DE, configuration(max_credit=20 * POUND, max_balance=25 * POUND))
    assert top_up(bench, 15, 3) == [AccessResult.SUCCESS]
    assert top_up(bench, 15, 3) == [AccessResult.HARDWARE_FAULT]
    assert top_up(bench, 21, 4) == [AccessResult.HARDWARE_FAULT]
    assert top_up(bench, 10, 5) == [AccessResult.HARDWARE_FAULT]
    assert bench.read(112, BALANCE) == DoubleLong(16 * POUND)
    assert bench.esme.log_codes(LogName.SECURITY) == [0x8F51, 0x8F5B, 0x8F47]


def test_a_token_for_another_meter_or_an_altered_one_is_not_authentic(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, 0)
    code = token(bench, 10, 9)
    bench.counter = (10 << 32) - 1
    assert bench.do(0x0007, [run(115, "0-0:19.40.0", 1, OctetString(code.encode()))]) == [AccessResult.HARDWARE_FAULT]
    assert bench.esme.log_codes(LogName.SECURITY) == [0x8F63]


def test_a_token_may_be_typed_in_at_the_meter(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, 0)
    assert bench.esme.enter_token(token(bench, 7, 2))
    assert bench.told[-2:] == [0x810E, 0x8161]  # the credit, and that the user interface did as it was told
    assert bench.read(112, BALANCE) == DoubleLong(7 * POUND)
    assert bench.esme.enter_token(token(bench, 7, 2)) is False


def test_after_five_wrong_tokens_none_is_looked_at_for_ten_minutes_whatever_it_is_worth(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, POUND)
    good = token(bench, 7, 2)
    wrong = [make_utrn(bytes(32), supplier=SUPPLIER, meter=bench.esme.eui64, counter=number + 500 << 32, value=9) for number in range(5)]
    for one in wrong[:4]:
        assert not bench.esme.enter_token(one)
    assert 0x81C4 not in bench.told
    assert not bench.esme.enter_token(wrong[4])
    assert bench.told[-2:] == [0x81C4, 0x8162]
    bench.build()  # a power cut ends no suspension
    bench.go(599)
    before = bench.esme.metering.account.balance
    assert not bench.esme.enter_token(good)
    assert bench.told[-2:] == [0x81C5, 0x8162]
    assert bench.esme.metering.account.balance == before
    bench.go(1)
    assert bench.esme.enter_token(good)
    codes = bench.esme.log_codes(LogName.EVENT)
    assert [code for code in codes if code not in (0x8161, 0x8162)] == [0x81C4, 0x81C5]
    assert (codes.count(0x8162), codes.count(0x8161)) == (6, 1)


def test_emergency_credit_is_offered_lent_used_up_and_paid_back(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, 2 * POUND)
    bench.do(0x00DE, configuration(limit=5 * POUND, threshold=POUND, low=3 * POUND // 2))
    assert bench.esme.activate_emergency_credit() is False
    bench.go(4999)
    assert 0x810D not in bench.told
    bench.go(2)
    assert bench.told[-1] == 0x810D
    bench.go(5000)
    assert bench.told[-1] == 0x8119
    assert bench.do(0x0020, [run(112, EMERGENCY, 3, Integer(0))]) == [AccessResult.SUCCESS]
    assert bench.told[-1] == 0x81AB
    assert bench.do(0x0020, [run(112, EMERGENCY, 3, Integer(0))]) == [AccessResult.SUCCESS]
    bench.go(15_000)
    account = bench.esme.metering.account
    assert bench.esme.load_switch is LoadSwitch.ENABLED
    assert (account.balance, account.emergency) == (0, 5 * POUND - 50_010)
    bench.go(50_000)
    assert (account.balance, account.emergency, bench.esme.load_switch) == (-10, 0, LoadSwitch.DISABLED)
    assert bench.told[-2:] == [0x81AA, 0x8F0F]
    assert top_up(bench, 8, 3) == [AccessResult.SUCCESS]
    assert (account.balance, account.emergency_active) == (3 * POUND - 10, False)
    assert bench.esme.load_switch is LoadSwitch.ARMED


def test_emergency_credit_arms_a_supply_that_was_cut_off(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, POUND)
    bench.do(0x00DE, configuration(limit=5 * POUND, threshold=POUND))
    bench.go(DAY_S)
    assert bench.esme.load_switch is LoadSwitch.DISABLED
    assert bench.esme.activate_emergency_credit()
    assert bench.esme.load_switch is LoadSwitch.ARMED
    assert bench.told[-1] == 0x8168


def test_time_debts_are_collected_by_the_hour_and_the_day_until_they_are_paid(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, 10 * POUND, price=0)
    assert set(bench.do(0x001E, debts(0, 50 * PENNY, 90 * PENNY, rates=(7 * PENNY, 30 * PENNY)))) == {AccessResult.SUCCESS}
    bench.go(5 * HOUR_S)
    assert bench.esme.metering.account.time_debts == [15 * PENNY, 90 * PENNY]
    bench.go(3 * DAY_S)
    account = bench.esme.metering.account
    assert account.time_debts == [0, 0]
    assert account.balance == 10 * POUND - 140 * PENNY
    assert [code for code in bench.told if code in (0x81A7, 0x81A8)] == [0x81A7, 0x81A8]


def test_a_debt_in_the_scale_of_the_reference_is_pence_a_day(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, POUND, price=0)
    items = debts(0, 45 * PENNY, 0, periods=(86_400, 86_400))
    items[0] = put(113, DEBT_1, 6, charge({0: 3}, 0, -1))
    bench.do(0x001E, items)
    bench.go(DAY_S)
    assert bench.esme.metering.account.balance == POUND - 30 * PENNY


@pytest.mark.parametrize(("suspend", "accumulated"), [(False, 24 * PENNY + 12 * PENNY), (True, 12 * PENNY)])
def test_charges_build_up_as_accumulated_debt_while_there_is_no_credit(device_pki: Keystore, suspend: bool, accumulated: int) -> None:
    bench = prepaying(device_pki, 0, standing=12 * PENNY)
    bench.do(0x001B, prepayment_mode(0, suspend_disabled=suspend))
    bench.do(0x001E, debts(0, POUND, 0, rates=(PENNY, 0)))
    bench.go(1)
    assert bench.esme.load_switch is LoadSwitch.DISABLED
    bench.go(DAY_S - 1)
    account = bench.esme.metering.account
    assert account.accumulated == accumulated
    assert account.time_debts[0] == POUND - (0 if suspend else 24 * PENNY)
    top_up(bench, 1, 3)
    assert (account.accumulated, account.balance) == (0, POUND - accumulated - 10)


def test_a_payment_debt_takes_its_share_up_to_the_weekly_cap(device_pki: Keystore) -> None:
    """The example of reference smets 3: 10 per cent, cap of 5 pounds a week, seven payments of 10 pounds."""
    bench = prepaying(device_pki, 0, price=0)
    bench.do(0x00DE, configuration(cap=5, cap_period=7 * DAY_S))
    bench.do(0x001E, debts(20 * POUND, 0, 0, proportion=1000))
    shares = []
    for number in range(1, 8):
        before = bench.esme.metering.account.payment_debt
        top_up(bench, 10, number)
        shares.append(before - bench.esme.metering.account.payment_debt)
    assert shares == [POUND] * 5 + [0, 0]
    assert bench.esme.metering.account.balance == 65 * POUND
    bench.go(7 * DAY_S - 2)
    top_up(bench, 10, 8)
    assert bench.esme.metering.account.payment_debt == 15 * POUND, "the cap counts the 7 x 24 h before the payment"
    bench.go(2)
    top_up(bench, 10, 9)
    assert bench.esme.metering.account.payment_debt == 14 * POUND
    log = bench.read(7, "0-0:98.1.4")
    assert isinstance(log, CompactArray)
    assert len(log.elements) == 6


def test_supply_stays_on_in_a_non_disablement_period(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, POUND)
    calendar = (entry(1, "0-0:10.0.106", 32, 1), entry(2, "0-0:10.0.106", 33, 9))
    bench.do(0x00DE, configuration(calendar=calendar))
    bench.go(8 * HOUR_S)
    assert bench.esme.load_switch is LoadSwitch.ENABLED
    assert bench.told.count(0x8F83) == 1
    bench.go(2 * HOUR_S)
    assert bench.esme.load_switch is LoadSwitch.DISABLED
    assert bench.esme.registers.active_import.total == 9 * 3600


def test_credit_mode_never_cuts_off_and_gives_back_what_was_cut(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, 0)
    bench.go(HOUR_S)
    assert bench.esme.load_switch is LoadSwitch.DISABLED
    credit = Array((Structure((OctetString(parse_obis(BALANCE)), OctetString(parse_obis(STANDING)), BitString.of("111"))),))
    bench.do(
        0x001A,
        [
            put(111, "0-1:19.0.0", 2, Structure((DlmsEnum(1), DlmsEnum(1)))),
            put(111, "0-1:19.0.0", 11, credit),
            put(111, "0-1:19.0.0", 13, at_once()),
        ],
    )
    assert bench.esme.load_switch is LoadSwitch.ARMED
    assert bench.read(111, "0-0:19.0.0") == Structure((DlmsEnum(1), DlmsEnum(2)))
    bench.esme.enable_supply()
    bench.go(DAY_S)
    assert bench.esme.load_switch is LoadSwitch.ENABLED
    assert bench.esme.metering.account.balance < -8 * POUND


def test_a_supply_that_the_supplier_disabled_is_not_armed_by_a_top_up(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, POUND)
    assert bench.do(0x0050, [run(9, "0-0:10.0.106", 1, LongUnsigned(0x34))]) == [AccessResult.SUCCESS]
    top_up(bench, 10, 3)
    assert bench.esme.load_switch is LoadSwitch.DISABLED


def test_reset_sets_balance_and_accumulated_debt_to_nothing_and_emergency_credit_to_its_limit(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, 0, standing=PENNY)
    bench.do(0x00DE, configuration(limit=5 * POUND, threshold=POUND))
    bench.go(2 * DAY_S)
    assert bench.esme.metering.account.accumulated > 0
    assert bench.esme.activate_emergency_credit()
    items = [run(112, obis, 2, DoubleLong(0)) for obis in (BALANCE, EMERGENCY, ACCUMULATED)]
    assert bench.do(0x00B3, items) == [AccessResult.SUCCESS] * 3
    values = bench.read(1, "0-0:94.44.34.30")
    assert values == Structure((DoubleLong(5 * POUND), *(DoubleLong(0),) * 5))


def test_the_account_survives_a_power_cut(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, POUND // 3)
    bench.do(0x00DE, configuration(limit=5 * POUND, threshold=POUND))
    bench.do(0x001E, debts(9 * POUND, 8 * POUND, 7 * POUND, rates=(1, 1)))
    bench.esme.activate_emergency_credit()
    bench.go(1234)
    before = bench.esme.metering.account.state()
    bench.build()
    assert bench.esme.metering.account.state() == before
    assert bench.esme.metering.account.emergency_active


def test_the_balance_is_read_over_the_hundredth_of_a_penny_without_drift(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, 100 * POUND, price=1)
    bench.esme.registers.active_import.load = lambda half_hour: 1
    for step in (1, 7, 13, 1800, 3599, 86_399):
        bench.go(step)
    seconds = 1 + 7 + 13 + 1800 + 3599 + 86_399
    assert bench.esme.metering.account.balance == 100 * POUND - Fraction(seconds, 3_600_000)
    assert bench.ask(0x0069, [(Choice.GET, 112, BALANCE, 2, DoubleLong(0))]).data == (DoubleLong(100 * POUND - 1),)


def test_the_caps_week_begins_on_mondays_in_a_meter_of_a_maker_that_says_so(device_pki: Keystore) -> None:
    bench = Bench(device_pki, maker=maker("aclara-sgm"))
    bench.do(0x001B, prepayment_mode())
    bench.do(0x00DE, configuration(cap=1, cap_period=7 * DAY_S))
    bench.do(0x001E, debts(20 * POUND, 0, 0, proportion=1000))
    top_up(bench, 10, 1)
    bench.go(3 * DAY_S)
    top_up(bench, 10, 2)
    assert bench.esme.metering.account.payment_debt == 19 * POUND, "Sunday"
    bench.go(DAY_S)
    top_up(bench, 10, 3)
    assert bench.esme.metering.account.payment_debt == 18 * POUND, "Monday"


@pytest.mark.parametrize(("suspend", "accumulated", "lent"), [(False, 0, 5 * POUND - 24 * PENNY), (True, 24 * PENNY, 5 * POUND)])
def test_charges_build_up_while_emergency_credit_is_in_use_where_it_suspends_debt(
    device_pki: Keystore, suspend: bool, accumulated: int, lent: int
) -> None:
    bench = prepaying(device_pki, 0, price=0, standing=12 * PENNY)
    bench.do(0x001B, prepayment_mode(0, suspend_emergency=suspend))
    bench.do(0x00DE, configuration(limit=5 * POUND, threshold=POUND))
    assert bench.esme.activate_emergency_credit()
    bench.go(2 * DAY_S)
    account = bench.esme.metering.account
    assert (account.accumulated, account.emergency) == (accumulated, lent)


def test_tokens_in_commands_come_in_any_order_each_once(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, 0)
    for counter in (1003, 1000, 1002):
        assert top_up(bench, 5, counter) == [AccessResult.SUCCESS]
    assert top_up(bench, 5, 1000) == [AccessResult.HARDWARE_FAULT]
    assert bench.esme.metering.account.balance == 15 * POUND
    assert bench.esme.log_codes(LogName.SECURITY)[-1] == 0x8F51
