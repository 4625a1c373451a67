"""Rules of a tariff by themselves: dates with wildcards, schedules, switching tables, prices and blocks, each at its limit."""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction
from types import SimpleNamespace

import pytest

from firmware_emu.gbcs.axdr import Array, Integer, Long, LongUnsigned, OctetString, Structure, Unsigned
from hil.devices.gsme.logs import _falls_on
from hil.devices.metering.tariff import (
    SwitchingTable,
    SwitchSchedule,
    Tariff,
    TariffRegisters,
    begun,
    day_of,
    falls_on,
    midnight_of,
    millipence,
    not_after,
    not_before,
    randomised_offset,
    time_of_day,
    unit_charge,
)
from tests.devices.switch_entries import switch

DAY = 86400
TUESDAY = date(2024, 2, 27)
NOBODY = SwitchingTable(Array(()), Array(()), Array(()), Array(()), range(1, 49))


def test_a_day_is_its_seconds_since_2000() -> None:
    assert (day_of(0), day_of(DAY - 1), day_of(DAY)) == (date(2000, 1, 1), date(2000, 1, 1), date(2000, 1, 2))
    assert midnight_of(date(2001, 1, 1)) == 366 * DAY, "2000 was a leap year"


@pytest.mark.parametrize(
    ("octets", "day", "falls"),
    [
        ("07e8021b02", date(2024, 2, 27), True),
        ("07e8021b03", date(2024, 2, 27), False),
        ("07e8021bff", date(2025, 2, 27), False),
        ("ffff021bff", date(2025, 2, 27), True),
        ("ffffff1bff", date(2025, 3, 27), True),
        ("ffffffff01", date(2024, 2, 26), True),
        ("ffffffff07", date(2024, 2, 25), True),
        ("fffffffeff", date(2024, 2, 29), True),
        ("fffffffeff", date(2024, 2, 28), False),
        ("fffffffdff", date(2024, 2, 28), True),
        ("fffffffdff", date(2024, 2, 29), False),
        ("fffffffeff", date(2023, 2, 28), True),
        ("ffff04feff", date(2024, 4, 30), True),
        ("ffff04feff", date(2024, 5, 31), False),
    ],
)
def test_a_cosem_date_falls_on_a_day_by_its_wildcards_and_the_end_of_its_month(octets: str, day: date, falls: bool) -> None:
    """DLMS blue book 4.1.6.1: FF any, FE the last and FD the last but one day of a month; 1 is Monday."""
    assert falls_on(bytes.fromhex(octets), day) is falls


@pytest.mark.parametrize(
    ("octets", "start"),
    [
        ("07e80101ff", date(2024, 1, 1)),
        ("07e8021bff", date(2024, 2, 27)),
        ("07e8021cff", None),
        ("07e8021eff", None),
        ("ffff0201ff", date(2024, 2, 1)),
        ("ffff021bff", date(2024, 2, 27)),
        ("ffff021cff", date(2023, 2, 28)),
        ("ffff0c01ff", date(2023, 12, 1)),
        ("ffffff01ff", date(2024, 2, 1)),
        ("ffff02ffff", date(2024, 2, 27)),
        ("fffffffeff", date(2024, 1, 31)),
        ("ffffffff07", date(2024, 2, 25)),
        ("ffff031dff", date(2023, 3, 29)),
        ("ffff021dff", None),
    ],
)
def test_a_season_began_on_the_last_day_on_which_its_date_fell(octets: str, start: date | None) -> None:
    """Seen on 27 February 2024; the 29th of a February was last in 2020, which is too long ago to look for."""
    assert begun(bytes.fromhex(octets), TUESDAY) == start


@pytest.mark.parametrize(
    ("octets", "before", "after"),
    [
        ("07e8021b", True, True),
        ("07e8021a", True, False),
        ("07e8021c", False, True),
        ("07e7021c", True, False),
        ("ffff031b", False, True),
        ("ffff011f", True, False),
        ("ffffff1b", True, True),
        ("ffffff1c", False, True),
        ("ffffffff", True, True),
    ],
)
def test_the_range_of_a_schedule_takes_its_first_and_its_last_day(octets: str, before: bool, after: bool) -> None:
    assert not_before(bytes.fromhex(octets), TUESDAY) is before
    assert not_after(bytes.fromhex(octets), TUESDAY) is after


@pytest.mark.parametrize(
    ("octets", "seconds"), [("00000000", 0), ("173b3b00", 86399), ("0102ffff", 3720), ("ff0102ff", 62), ("01000000", 3600)]
)
def test_a_time_of_day_counts_hours_minutes_and_seconds_and_a_wildcard_as_none(octets: str, seconds: int) -> None:
    assert time_of_day(bytes.fromhex(octets)) == seconds


def _special(*days: tuple[str, int]) -> Array:
    return Array(tuple(Structure((LongUnsigned(n), OctetString(bytes.fromhex(when)), Unsigned(day))) for n, (when, day) in enumerate(days)))


def _at(day: date, hour: float) -> int:
    return midnight_of(day) + int(hour * 3600)


def test_a_schedule_runs_on_its_weekdays_and_on_the_special_days_that_it_names_instead() -> None:
    """DLMS class 10: the special days that an entry names come before its days of the week."""
    entries = Array((switch(1, "08000000", "0100000"), switch(2, "06000000", "1111111", "01"), switch(9, "05000000", on=False)))
    schedule = SwitchSchedule(entries, _special(("07e8021cff", 1), ("07e8021dff", 2)))
    assert schedule.moments(TUESDAY) == [(_at(TUESDAY, 6), 2), (_at(TUESDAY, 8), 1)]
    assert schedule.moments(date(2024, 2, 26)) == [(_at(date(2024, 2, 26), 6), 2)], "Monday"
    assert schedule.moments(date(2024, 2, 28)) == [], "a special day that no entry names"
    assert schedule.moments(date(2024, 2, 29)) == [(_at(date(2024, 2, 29), 6), 2)], "the second special day"


def test_the_last_and_the_next_switch_of_a_schedule_are_found_to_the_second() -> None:
    entries = Array((switch(1, "08000000", "0100000"), switch(2, "06000000", "0100000")))
    schedule = SwitchSchedule(entries, Array(()))
    six, eight = _at(TUESDAY, 6), _at(TUESDAY, 8)
    assert (schedule.last(eight), schedule.last(eight - 1), schedule.last(six)) == (1, 2, 2)
    assert schedule.last(six - 1) == 1, "a week ago"
    assert schedule.last(eight, [2]) == 2
    assert schedule.last(eight, [3]) is None
    assert (schedule.next(six - 1), schedule.next(six), schedule.next(eight)) == (six, eight, None)
    assert schedule.next(_at(date(2024, 2, 26), 1)) == six, "tomorrow's first"
    assert schedule.next(_at(date(2024, 2, 25), 23)) is None, "not today, not tomorrow"
    assert SwitchSchedule(Array(()), Array(())).last(eight) is None


def test_a_switch_that_ran_31_days_ago_is_still_found_and_one_of_32_is_not() -> None:
    once = Array((switch(1, "00000000", begin="07e8021bff", end="07e8021bff"),))
    schedule = SwitchSchedule(once, Array(()))
    assert schedule.last(midnight_of(TUESDAY) + 31 * DAY) == 1
    assert schedule.last(midnight_of(TUESDAY) + 32 * DAY) is None


def _season(name: str, start: str, week: bytes) -> Structure:
    return Structure((OctetString(name.encode()), OctetString(bytes.fromhex(start).ljust(12, b"\0")), OctetString(week)))


def _week(name: bytes, days: tuple[int, ...]) -> Structure:
    return Structure((OctetString(name), *map(Unsigned, days)))


def _day(number: int, *switches: tuple[str, int]) -> Structure:
    actions = (Structure((OctetString(bytes.fromhex(at)), OctetString(bytes(6)), LongUnsigned(script))) for at, script in switches)
    return Structure((Unsigned(number), Array(tuple(actions))))


def _table(delay: int = 0, specials: Array | None = None) -> SwitchingTable:
    seasons = Array((_season("winter", "ffff0101ff", b"\1"), _season("summer", "ffff0401ff", b"\2")))
    weeks = Array((_week(b"\1", (1, 2, 1, 1, 1, 1, 3)), _week(b"\2", (1,) * 7)))
    days = Array((_day(1, ("00000000", 1), ("08000000", 2)), _day(2, ("06000000", 3)), _day(3, ("00000000", 4)), _day(4, ("00000000", 99))))
    return SwitchingTable(seasons, weeks, days, specials or Array(()), range(1, 49), range(101, 109), delay)


@pytest.mark.parametrize(
    ("now", "script", "until"),
    [
        (_at(TUESDAY, 0), 2, _at(TUESDAY, 6)),
        (_at(TUESDAY, 6) - 1, 2, _at(TUESDAY, 6)),
        (_at(TUESDAY, 6), 3, _at(TUESDAY, 24)),
        (_at(date(2024, 2, 28), 0), 1, _at(date(2024, 2, 28), 8)),
        (_at(date(2024, 2, 28), 8), 2, _at(date(2024, 2, 28), 24)),
        (_at(date(2024, 2, 25), 12), 4, _at(date(2024, 2, 25), 24)),
        (_at(date(2024, 3, 31), 12), 4, _at(date(2024, 3, 31), 24)),
        (_at(date(2024, 4, 7), 12), 2, _at(date(2024, 4, 7), 24)),
    ],
)
def test_the_script_of_a_moment_is_by_season_week_and_day_and_yesterdays_until_the_firstswitch(now: int, script: int, until: int) -> None:
    """27 February 2024 was a Tuesday, day 2 of the winter's week; Sundays are day 3 until April."""
    assert _table().at(now) == (script, until)


def test_switches_come_late_by_the_offset() -> None:
    table = _table(delay=60)
    six = _at(TUESDAY, 6)
    assert table.at(six + 59) == (2, six + 60)
    assert table.at(six + 60) == (3, _at(TUESDAY, 24) + 60)


def test_a_special_day_comes_before_season_and_week_and_a_script_that_is_none_is_left_out() -> None:
    table = _table(specials=_special(("07e8021bff", 3), ("07e8021cff", 4)))
    assert table.at(_at(TUESDAY, 12)) == (4, _at(TUESDAY, 24))
    assert table.at(_at(date(2024, 2, 28), 12)) == (4, _at(date(2024, 2, 28), 24)), (
        "day 4 has no script of the meter's: yesterday's goes on"
    )
    assert NOBODY.at(_at(TUESDAY, 12)) == (1, _at(TUESDAY, 24)), "the lowest"


@pytest.mark.parametrize(
    ("number", "limit", "seconds"),
    [(10_000, 600, 600), (1, 600, 0), (5_000, 1799, 900), (4_999, 1801, 900), (9, 600, 1), (8, 600, 0)],
)
def test_a_randomised_offset_is_the_meters_number_of_ten_thousand_of_the_limit(number: int, limit: int, seconds: int) -> None:
    """SMETS 5.7.5.28: number x limit x 10^-4, to the nearest second."""
    esme = SimpleNamespace(offset_number=number, read=lambda class_id, obis, attribute: LongUnsigned(limit))
    assert randomised_offset(esme) == seconds == round(number * limit / 10_000 + 1e-9)


@pytest.mark.parametrize(
    ("amount", "scale", "thousandths"),
    [(1, -5, 1), (1, -2, 1000), (12, 0, 1_200_000), (1, -6, Fraction(1, 10))],
)
def test_a_price_in_pounds_is_a_hundred_thousand_millipence_a_pound(amount: int, scale: int, thousandths: Fraction) -> None:
    assert millipence(amount, scale) == thousandths


def _charge(commodity: int, scale: int, *prices: tuple[bytes, int]) -> Structure:
    table = Array(tuple(Structure((OctetString(index), Long(amount))) for index, amount in prices))
    return Structure((Structure((Integer(commodity), Integer(scale))), Structure(()), table))


def test_a_unit_charge_is_by_index_for_a_kilowatt_hour() -> None:
    """Class 113: scale of the commodity and of the price; a price of a watt-hour (0) is not scaled up where the commodity has no scale."""
    assert unit_charge(_charge(3, -5, (b"\1", 100), (b"\2", 100), (b"\xa1", 7))) == {1: 100, 2: 100, 0xA1: 7}
    assert unit_charge(_charge(2, -5, (b"\1", 100))) == {1: 1000}, "by 100 Wh"
    assert unit_charge(_charge(0, -5, (b"", 5000))) == {0: 5000}, "a standing charge"
    assert unit_charge(Array(())) == {}


def _tariff(**given: object) -> Tariff:
    values: dict[str, object] = {
        "table": NOBODY,
        "secondary_table": NOBODY,
        "prices": {
            1: Fraction(100),
            48: Fraction(48),
            0xA1: Fraction(10),
            0xB1: Fraction(20),
            0xC1: Fraction(30),
            0xD1: Fraction(40),
            0xA8: Fraction(8),
        },
        "secondary_prices": {1: Fraction(7), 4: Fraction(9)},
        "thresholds": ((1, 3, 6), (2,), (), (0xFFFFFFFF,), (1, 0xFFFFFFFF, 5), (), (), ()),
        "standing_charge": Fraction(0),
    }
    return Tariff(**{**values, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(("used", "block", "room"), [(0, 0, 1), (1, 1, 2), (2, 1, 1), (3, 2, 3), (5, 2, 1), (6, 3, None), (100, 3, None)])
def test_a_block_is_full_at_its_threshold_and_the_fourth_never(used: int, block: int, room: int | None) -> None:
    registers = TariffRegisters()
    registers.counters[0][0] = used * 3600
    assert registers.block(_tariff(), 0) == (block, None if room is None else room * 3600)


def test_a_set_has_as_many_blocks_as_thresholds_and_one_more_up_to_one_that_is_never_reached() -> None:
    registers = TariffRegisters()
    tariff = _tariff()
    assert registers.block(tariff, 2) == (0, None)
    assert registers.block(tariff, 3) == (0, None)
    registers.counters[0][1] = 2 * 3600
    assert registers.block(tariff, 1) == (1, None)
    registers.counters[0][4] = 3600
    assert registers.block(tariff, 4) == (1, None)


@pytest.mark.parametrize(("script", "price"), [(1, 100), (48, 48), (2, 0), (101, 10), (108, 8), (201, 7), (204, 9), (202, 0), (102, 0)])
def test_a_script_has_its_price_by_time_by_block_and_set_or_of_the_second_element(script: int, price: int) -> None:
    """RTDS ECS01a: 1 to 48; A1 to D8, the letter of the block and the digit of the set; 201 to 204."""
    assert TariffRegisters().price(_tariff(), script) == price


@pytest.mark.parametrize(("script", "room"), [(100, None), (101, 3600), (108, None), (109, None), (1, None), (201, None)])
def test_only_a_script_of_blocks_has_room(script: int, room: int | None) -> None:
    assert TariffRegisters().room(_tariff(), script) == room


def test_what_is_used_is_counted_at_its_rate_and_split_at_each_threshold() -> None:
    registers, tariff = TariffRegisters(), _tariff()
    assert registers.add(tariff, 1, 3_600_000) == 100, "a kilowatt-hour"
    assert registers.add(tariff, 48, 1_800_000) == 24
    assert (registers.tou[0], registers.tou[47], sum(registers.tou)) == (3_600_000, 1_800_000, 5_400_000)
    assert registers.add(tariff, 204, 3_600_000) == 9
    assert registers.secondary == [0, 0, 0, 3_600_000]
    cost = registers.add(tariff, 101, 7 * 3600)
    assert cost == Fraction(1 * 10 + 2 * 20 + 3 * 30 + 1 * 40, 1000)
    assert [row[0] for row in registers.blocks] == [3600, 2 * 3600, 3 * 3600, 3600]
    registers.reset_counters()
    assert registers.block(tariff, 0) == (0, 3600)
    assert [row[0] for row in registers.blocks] == [3600, 2 * 3600, 3 * 3600, 3600], "block registers go on"
    assert registers.add(tariff, 101, 1800) == Fraction(10, 2000)


@pytest.mark.parametrize(
    ("here", "duration", "unit", "falls"),
    [
        (datetime(2024, 1, 15), 1, 3, True),
        (datetime(2024, 2, 15), 1, 3, True),
        (datetime(2024, 2, 14), 1, 3, False),
        (datetime(2024, 2, 15), 2, 3, False),
        (datetime(2024, 3, 15), 2, 3, True),
        (datetime(2025, 1, 15), 12, 3, True),
        (datetime(2025, 2, 15), 12, 3, False),
        (datetime(2025, 1, 16), 12, 3, False),
        (datetime(2024, 1, 22), 1, 2, True),
        (datetime(2024, 1, 22), 2, 2, False),
        (datetime(2024, 1, 29), 2, 2, True),
        (datetime(2024, 1, 21), 1, 2, False),
        (datetime(2024, 1, 18), 3, 1, True),
        (datetime(2024, 1, 19), 3, 1, False),
    ],
)
def test_a_gas_meters_billing_period_ends_so_many_days_weeks_or_months_on(here: datetime, duration: int, unit: int, falls: bool) -> None:
    """From 15 January 2024. RTDS GCS21d and GCS21k: unit 2 stands for weeks, 3 for months; 1 is days."""
    assert _falls_on(datetime(2024, 1, 15), here, duration, unit) is falls


def test_a_tariff_is_read_from_the_objects_of_its_table() -> None:
    """RTDS ECS01a: calendars 13.0.0 and 13.0.1 (class 20) with their special days (11), prices 19.20.0 and 19.20.5, the standing charge
    19.20.4 (class 113), thresholds 16.0.11 to 16.0.18 (class 21)."""
    asked: list[tuple[int, str, int]] = []
    values = {
        (113, "0-0:19.20.0", 5): _charge(3, -5, (b"\1", 11)),
        (113, "0-0:19.20.5", 5): _charge(3, -5, (b"\1", 22)),
        (113, "0-0:19.20.4", 5): _charge(0, -5, (b"", 33)),
        (21, "0-0:16.0.11", 2): Array((LongUnsigned(7),)),
        (21, "0-0:16.0.18", 2): Array((LongUnsigned(8),)),
    }

    def read(class_id: int, obis: str, attribute: int) -> Structure | Array:
        asked.append((class_id, obis, attribute))
        return values.get((class_id, obis, attribute), Array(()))

    tariff = Tariff.read(read)
    assert (tariff.prices, tariff.secondary_prices, tariff.standing_charge) == ({1: 11}, {1: 22}, 33)
    assert tariff.thresholds == ((7,), (), (), (), (), (), (), (8,))
    assert (tariff.table.default, tariff.secondary_table.default) == (1, 201), "the lowest script of each"
    calendars = {(20, f"0-0:13.0.{number}", attribute) for number in (0, 1) for attribute in (3, 4, 5)}
    assert calendars | {(11, "0-0:11.0.0", 2), (11, "0-0:11.0.1", 2)} <= {*asked}
    assert Tariff.read(lambda *_: Array(())).standing_charge == 0
