"""A year of a home: every log at its depth, energy to the watt-hour and money to the penny against a sum that the test makes itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.axdr import Array, CompactArray, DoubleLong, DoubleLongUnsigned, OctetString, Structure
from hil.devices import LoadSwitch
from hil.devices.metering.registers import DAY_S, house
from tests.devices.meter_bench import NO_THRESHOLD, Bench, day, put, season, tariff, week
from tests.devices.prepaying_meter import POUND, adjust, configuration, debts, prepayment_mode, top_up

DAYS = 420
START = datetime(2025, 7, 1, tzinfo=UTC)
WINTER, SUMMER = (0, 1, 2, 9, 10, 11), (3, 4, 5, 6, 7, 8)
PRICES = {1: 8_123, 2: 21_987, 0xA1: 15_000, 0xB1: 27_531}
STANDING = 25_670
BLOCK_WH = 6_000
LOG = {
    "99.1.0": 19_056,
    "99.1.1": 4_464,
    "99.1.2": 4_464,
    "98.1.9": 31,
    "98.1.8": 31,
    "99.1.3": DAYS,
    "98.1.0": 12,
    "98.1.1": 12,
    "98.1.5": 5,
    "98.1.4": 10,
    "98.1.2": 2,
}


def watts(today: date, half_hour: int) -> int:
    """The load of the home: more in winter and at week ends."""
    return house(half_hour) + (137 if today.month - 1 in WINTER else 0) + (41 if today.weekday() >= 5 else 0)


def set_up(bench: Bench) -> None:
    """Night and day rates in winter; in summer night rate and blocks that fill each day. A billing period each month at 02:00."""
    days = [day(1, {0: 1, 7: 2}), day(2, {0: 1, 6: 101})]
    weeks = [week(1, (1,) * 7), week(2, (2,) * 7)]
    seasons = [season("summer", "ffff0401ff", 2), season("winter", "ffff0a01ff", 1)]
    bench.do(0x0019, tariff(days, weeks, seasons, PRICES, thresholds={1: [BLOCK_WH, NO_THRESHOLD]}, standing=STANDING))
    bench.do(0x00DB, [put(22, "0-0:15.1.0", 4, Array((Structure((OctetString(bytes(4)), OctetString(b"\xff" * 5))),)))])
    monthly = Structure((OctetString(bytes((2, 0, 0, 0))), OctetString(bytes.fromhex("ffffff01ff"))))
    bench.do(0x0046, [put(22, "0-0:15.0.0", 4, Array((monthly,)))])
    bench.do(0x001C, adjust(50 * POUND))
    bench.go(1)
    bench.do(0x001B, prepayment_mode())
    bench.do(0x00DE, configuration(cap=5, cap_period=7 * DAY_S))
    bench.do(0x001E, debts(60 * POUND, 90 * POUND, 0, rates=(25_013, 0), periods=(DAY_S, DAY_S), proportion=1000))


def test_a_year_adds_up_to_the_watt_hour_and_the_penny(device_pki: Keystore) -> None:
    today = START.date()
    bench = Bench(device_pki, start=START, load=lambda half_hour: watts(today, half_hour))
    set_up(bench)
    bench.clock.moved -= 1
    energy = {1: 0, 2: 0, 0xA1: 0, 0xB1: 0}
    balance, debt, owed, cap_used, tokens = Fraction(50 * POUND), 90 * POUND, 60 * POUND, 0, 0
    for number in range(DAYS):
        today = (START + timedelta(days=number)).date()
        if today.weekday() == 0:
            cap_used = 0
            tokens += 1
            share = min(4 * POUND, owed, 5 * POUND - cap_used)
            owed -= share
            cap_used += share
            balance += 40 * POUND - share
            top_up(bench, 40, tokens)
        bench.go(DAY_S)
        block = 0
        for half_hour in range(48):
            used = watts(today, half_hour) * 1800
            if today.month - 1 in WINTER:
                energy[1 if half_hour < 14 else 2] += used
            elif half_hour < 12:
                energy[1] += used
            else:
                first = min(used, BLOCK_WH * 3600 - block)
                block += first
                energy[0xA1] += first
                energy[0xB1] += used - first
        recovered = min(25_013, debt)
        debt -= recovered
        balance -= STANDING + recovered
    cost = sum((Fraction(PRICES[rate] * used, 3_600_000) for rate, used in energy.items()), Fraction(0))
    meter = bench.esme.metering
    assert bench.esme.load_switch is LoadSwitch.ENABLED
    assert [meter.rates.tou[0], meter.rates.tou[1], meter.rates.blocks[0][0], meter.rates.blocks[1][0]] == list(energy.values())
    assert bench.esme.registers.active_import.parts == sum(energy.values())
    assert bench.esme.registers.active_import.total == sum(energy.values()) // 3600
    assert meter.account.balance == balance - cost
    assert (meter.account.time_debts[0], meter.account.payment_debt) == (debt, owed)
    assert bench.read(112, "0-0:19.10.0") == DoubleLong(int((balance - cost) // 1))
    for obis, depth in LOG.items():
        log = bench.read(7, f"0-0:{obis}")
        assert isinstance(log, CompactArray)
        assert len(log.elements) == depth, obis
    profile = [period.amount for period in bench.esme.registers.active_import.profile]
    days = [period.amount for period in bench.esme.registers.active_import.days]
    assert sum(days) == bench.esme.registers.active_import.total
    assert sum(profile) == sum(days[-397:])
    assert len(meter.phases[0].log) == 4_320
    newest = list(bench.read(7, "0-0:98.1.9").elements)[-1]  # type: ignore[attr-defined]
    assert newest[1] == DoubleLongUnsigned(bench.esme.registers.active_import.total)
    bills = [datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=record[0]) for record in meter.logs.billing]
    assert {(bill.day, bill.hour) for bill in bills} == {(1, 2)}
    assert [len(meter.past.past[span]) for span in ("day", "week", "month")] == [8, 5, 13]
