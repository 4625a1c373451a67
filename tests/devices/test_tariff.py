from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.axdr import Array, CompactArray, DoubleLongUnsigned, LongUnsigned, OctetString, Structure
from firmware_emu.gbcs.dlms import AccessResult
from hil.devices.esme.variant import TWIN_ELEMENT
from hil.devices.metering.registers import DAY_S, HOUR_S
from hil.devices.metering.tariff import begun, falls_on
from tests.devices.meter_bench import NO_THRESHOLD, Bench, at_once, charge, day, flat, octets, put, run, season, special, tariff, week

ALL_YEAR = [season("all", "07d00101ff", 1)]
NIGHT_AND_DAY = [day(1, {0: 1, 7: 2})]
WEEK = [week(1, (1,) * 7)]


def tou(bench: Bench) -> list[int]:
    bench.esme.update()
    return [value // 3600 for value in bench.esme.metering.rates.tou]


def test_a_calendar_switches_the_register_and_the_price(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 1000)
    results = bench.do(0x0019, tariff(NIGHT_AND_DAY, WEEK, ALL_YEAR, {1: 10_000, 2: 30_000}))
    assert set(results) == {AccessResult.SUCCESS}
    bench.go(DAY_S)
    assert tou(bench)[:3] == [7000, 17_000, 0]
    assert bench.esme.metering.account.balance == -(7 * 10_000 + 17 * 30_000)
    assert sum(bench.esme.metering.rates.tou) == bench.esme.registers.active_import.parts
    assert bench.read(3, "0-0:94.44.1.7") == DoubleLongUnsigned(10_000)


def test_the_last_switch_of_a_day_goes_on_until_the_first_of_the_next(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 1000)
    bench.do(0x0019, tariff([day(1, {6: 1, 23: 2})], WEEK, ALL_YEAR, {1: 0}))
    bench.go(3 * DAY_S)
    assert tou(bench)[:2] == [51_000, 21_000]


def test_weekdays_special_days_and_seasons_choose_the_day(device_pki: Keystore) -> None:
    days = [day(1, {0: 1}), day(2, {0: 2}), day(3, {0: 3}), day(4, {0: 4})]
    weeks = [week(1, (1, 1, 1, 1, 1, 2, 2)), week(2, (4,) * 7)]
    seasons = [season("winter", "ffff0101ff", 1), season("summer", "ffff010fff", 2)]
    bench = Bench(device_pki, load=lambda half_hour: 1000)
    bench.do(0x0019, tariff(days, weeks, seasons, {1: 0}, specials=[special(1, "07ea0106ff", 3)]))
    bench.go(20 * DAY_S)
    # 1 January 2026 is a Thursday: 1 to 14 January hold nine weekdays (one of them special, the 6th) and four days of week ends
    assert [value // 24_000 for value in tou(bench)[:4]] == [9, 4, 1, 6]


def test_a_future_tariff_counts_from_its_second_on_and_is_told(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 3600)
    bench.do(0x0019, flat(1000))
    when = bench.now + 3 * HOUR_S + 17
    bench.do(0x0019, tariff([day(1, {0: 5})], WEEK, ALL_YEAR, {5: 2000}, when=octets(when)))
    bench.go(DAY_S)
    assert tou(bench)[0] == 3 * 3600 + 17
    assert tou(bench)[4] == 21 * 3600 - 17
    energy = Fraction(3 * HOUR_S + 17, 1000) * 1000 + Fraction(21 * HOUR_S - 17, 1000) * 2000
    assert bench.esme.metering.account.balance == -energy
    assert bench.esme.gbcs.future.next_due() is None


def test_a_cancelled_tariff_never_comes(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.do(0x0019, flat(1000))
    later = tariff([day(1, {0: 5})], WEEK, ALL_YEAR, {5: 2000}, when=octets(bench.now + HOUR_S))
    bench.do(0x0019, later)
    bench.do(0x0019, [*later[:-6], *(put(*item[1:4], OctetString(cosem_time.NEVER)) for item in later[-6:])])
    bench.go(2 * HOUR_S)
    assert tou(bench)[0] == 7200
    assert tou(bench)[4] == 0


def test_a_new_price_alone_changes_the_cost_and_nothing_else(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 1000)
    bench.do(0x0019, flat(1000))
    bench.go(HOUR_S)
    prices = [put(113, "0-0:19.20.0", 6, charge({1: 5000})), put(113, "0-0:19.20.0", 7, at_once())]
    assert bench.do(0x00A2, prices) == [AccessResult.SUCCESS] * 2
    bench.go(HOUR_S)
    assert bench.esme.metering.account.balance == -6000
    assert tou(bench)[0] == 2000


def test_blocks_fill_to_the_watt_hour_and_start_anew(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 1234)
    prices = {0xA1: 1000, 0xB1: 2000, 0xC1: 4000}
    bench.do(0x0019, tariff([day(1, {0: 101})], WEEK, ALL_YEAR, prices, thresholds={1: [1000, 5000, NO_THRESHOLD]}))
    bench.go(10 * HOUR_S)
    rates = bench.esme.metering.rates
    assert [row[0] // 3600 for row in rates.blocks] == [1000, 4000, 7340, 0]
    assert bench.esme.metering.account.balance == -(1000 + 4 * 2000 + Fraction(7340, 1000) * 4000)
    assert bench.do(0x001D, [run(9, "0-0:10.0.100", 1, LongUnsigned(99))]) == [AccessResult.SUCCESS]
    bench.go(HOUR_S)
    rates = bench.esme.metering.rates
    assert [row[0] // 3600 for row in rates.counters] == [1000, 234, 0, 0]
    assert [row[0] // 3600 for row in rates.blocks] == [2000, 4234, 7340, 0]
    values = bench.read(1, "0-0:94.44.34.2")
    assert isinstance(values, Structure)
    assert len(values[0].elements) == 64  # type: ignore[attr-defined]


def test_block_counters_reset_each_day_where_that_is_set(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 1000)
    bench.do(0x0019, tariff([day(1, {0: 101})], WEEK, ALL_YEAR, {0xA1: 0}, thresholds={1: [10_000, NO_THRESHOLD]}))
    bench.do(0x00DB, [put(22, "0-0:15.1.0", 4, Array((Structure((OctetString(bytes(4)), OctetString(b"\xff" * 5))),)))])
    bench.go(2 * DAY_S)
    rates = bench.esme.metering.rates
    assert [row[0] // 3600 for row in rates.blocks] == [20_000, 28_000, 0, 0]
    assert sum(map(sum, rates.counters)) == 0


def test_the_end_of_a_billing_period_begins_a_new_block_period(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 1000)
    bench.do(0x0019, tariff([day(1, {0: 101})], WEEK, ALL_YEAR, {0xA1: 0}, thresholds={1: [30_000, NO_THRESHOLD]}))
    bench.do(0x0046, [put(22, "0-0:15.0.0", 4, Array((Structure((OctetString(bytes((12, 0, 0, 0))), OctetString(b"\xff" * 5))),)))])
    bench.go(2 * DAY_S)
    rates = bench.esme.metering.rates
    assert [row[0] // 3600 for row in rates.counters] == [12_000, 0, 0, 0]
    assert [row[0] // 3600 for row in rates.blocks] == [48_000, 0, 0, 0]


def test_changes_of_the_same_second_leave_one_snapshot(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.do(0x0019, flat(1000))
    bench.do(0x0019, flat(2000))
    assert len(bench.esme.metering.logs.changes) == 1


def test_the_second_element_has_registers_prices_and_a_calendar_of_its_own(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 1000, secondary=lambda half_hour: 500, variant=TWIN_ELEMENT)
    bench.do(0x0019, flat(1000))
    bench.do(
        0x00B7,
        [
            put(113, "0-0:19.20.5", 6, charge({1: 100, 2: 200})),
            put(20, "0-0:13.0.1", 7, Array(tuple(ALL_YEAR))),
            put(20, "0-0:13.0.1", 8, Array(tuple(WEEK))),
            put(20, "0-0:13.0.1", 9, Array((day(1, {0: 201, 12: 202}),))),
            put(11, "0-1:11.0.1", 2, Array(())),
            put(20, "0-0:13.0.1", 10, at_once()),
            put(113, "0-0:19.20.5", 7, at_once()),
            put(9000, "0-0:94.44.128.30", 6, at_once()),
        ],
    )
    bench.go(DAY_S)
    rates = bench.esme.metering.rates
    assert [value // 3600 for value in rates.secondary] == [6000, 6000, 0, 0]
    assert tou(bench)[0] == 24_000
    assert bench.esme.registers.active_import.total == 36_000
    assert bench.esme.metering.account.balance == -(24 * 1000 + 6 * 100 + 6 * 200)
    log = bench.read(7, "0-0:99.1.0")
    assert isinstance(log, CompactArray)
    assert {(one[1], one[2]) for one in log.elements} == {(DoubleLongUnsigned(500), DoubleLongUnsigned(250))}  # type: ignore[index]


def test_a_new_tariff_leaves_a_snapshot_of_registers_and_balances(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 1000)
    bench.do(0x0019, flat(1000))
    bench.go(DAY_S)
    bench.do(0x0019, flat(2000))
    log = list(bench.esme.metering.logs.changes)
    assert [record[0] for record in log] == [bench.now - DAY_S, bench.now]
    assert (log[1][1], log[1][3], log[1][-4]) == (24_000, 24_000, -24_000)


def test_everything_counted_survives_a_power_cut_and_a_new_start(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 777)
    bench.do(0x0019, tariff(NIGHT_AND_DAY, WEEK, ALL_YEAR, {1: 12_345, 2: 23_456}, standing=1))
    bench.go(40_000)
    before = (bench.esme.metering.account.state(), bench.esme.metering.rates.state(), bench.esme.registers.active_import.parts)
    bench.clock.moved += 600
    bench.build()
    after = (bench.esme.metering.account.state(), bench.esme.metering.rates.state(), bench.esme.registers.active_import.parts)
    assert after == before
    bench.go(10)
    assert bench.esme.registers.active_import.parts == before[2] + 7770
    assert len(bench.esme.registers.active_import.profile) == 40_610 // 1800


@pytest.mark.parametrize(
    ("date", "falls", "not_on"),
    [
        ("ffffff01ff", datetime(2026, 2, 1), datetime(2026, 2, 2)),
        ("fffffffeff", datetime(2026, 2, 28), datetime(2026, 2, 27)),
        ("fffffffdff", datetime(2024, 2, 28), datetime(2024, 2, 29)),
        ("ffffffff01", datetime(2026, 1, 5), datetime(2026, 1, 6)),
        ("07ea0c19ff", datetime(2026, 12, 25), datetime(2027, 12, 25)),
    ],
)
def test_dates_with_wildcards_fall_where_they_say(date: str, falls: datetime, not_on: datetime) -> None:
    assert falls_on(bytes.fromhex(date), falls.date())
    assert not falls_on(bytes.fromhex(date), not_on.date())


def test_a_season_without_year_begins_every_year() -> None:
    date = bytes.fromhex("ffff0a1bff")
    assert begun(date, datetime(2026, 12, 1, tzinfo=UTC).date()) == datetime(2026, 10, 27).date()
    assert begun(date, datetime(2026, 3, 1, tzinfo=UTC).date()) == datetime(2025, 10, 27).date()
