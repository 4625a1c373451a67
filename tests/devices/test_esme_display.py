"""The display side of an electricity meter: what a joined display can read of it, over its attributes and its publications."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.axdr import Array, DoubleLongUnsigned, LongUnsigned, OctetString, Structure, Unsigned, VisibleString
from firmware_emu.han.zcl_port import Incoming, Reply
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue
from firmware_emu.zse.zcl import TypedValue, ZclFrame, ZclStatus
from hil.devices.metering.local_time import ahead_of_utc, is_local_midnight, local_day
from hil.devices.metering.registers import DAY_S, HOUR_S
from hil.devices.metering.tariff import day_of
from tests.devices.meter_bench import Bench, Item, day, octets, put, season, special, tariff, week
from tests.devices.prepaying_meter import POUND, adjust, configuration, debts, prepayment_mode

DISPLAY = Eui64.parse("00db1234567890b1")
LATE = 20 * HOUR_S


def shown(bench: Bench, cluster: Cluster, *names: str) -> list[FieldValue]:
    view = bench.esme.consumer
    own = {METERING.id: view.attributes, PREPAYMENT.id: view.prepayment}.get(cluster.id)
    served = bench.esme.display_side.attributes(cluster) if own is None else own()
    found = []
    for name in names:
        declared = cluster.attribute_named(name)
        assert declared is not None, name
        value = served.read(declared.id)
        assert isinstance(value, TypedValue), name
        found.append(value.value)
    return found  # type: ignore[return-value]


def published(bench: Bench, cluster: Cluster, name: str, **asked: FieldValue) -> dict[str, FieldValue] | ZclStatus:
    command = cluster.command_named(name)
    frame = ZclFrame.of_cluster(command.id, command.encode(asked))
    answer = bench.esme.display_side.handler(cluster)(Incoming(DISPLAY, 0x21, 0x61, cluster.id, frame, True))
    return cluster.to_client[answer.command].decode(answer.payload) if isinstance(answer, Reply) else answer  # type: ignore[return-value]


@pytest.fixture
def bench(device_pki: Keystore) -> Bench:
    """Two rates, 36 W by night and 3600 W from 20:00; since the end of January."""
    bench = Bench(device_pki, start=datetime(2026, 1, 31, tzinfo=UTC), load=lambda half_hour: 3600 if half_hour >= 40 else 36)
    days, weeks, seasons = [day(1, {0: 1, 20: 2})], [week(1, (1,) * 7)], [season("all", "07d00101ff", 1)]
    bench.do(0x0019, tariff(days, weeks, seasons, {1: 100, 2: 200}, standing=5000, specials=[special(0, "07ea020501", 1)]))
    return bench


def test_a_display_shows_the_price_of_now_its_end_and_those_of_all_rates(bench: Bench) -> None:
    bench.go(LATE - 120)
    price = published(bench, PRICE, "GetCurrentPrice", options=0)
    assert isinstance(price, dict)
    assert (price["price"], price["duration"], price["trailing_digit_and_tier"]) == (100, 2, 0x51)
    bench.go(120)
    assert published(bench, PRICE, "GetCurrentPrice", options=0)["price"] == 200  # type: ignore[index]
    assert shown(bench, PRICE, "standing_charge", "currency", "tier_2_block_1_price") == [5000, 826, 200]
    matrix = published(bench, PRICE, "GetPriceMatrix", tariff=1)
    assert matrix["prices"] == ({"tier_block": 1, "price": 100}, {"tier_block": 2, "price": 200})  # type: ignore[index]
    told = published(bench, PRICE, "GetTariffInformation", earliest=0, minimum_event=0, count=1, tariff_type=0)
    assert (told["price_tiers"], told["standing_charge"]) == (2, 5000)  # type: ignore[index]


def test_a_display_shows_message_supplier_and_customer_number(bench: Bench) -> None:
    assert published(bench, MESSAGING, "GetLastMessage") is ZclStatus.NOT_FOUND
    bench.do(0x0021, [put(1, "0-2:96.13.1", 2, OctetString(b"Tea is at four"))])
    assert published(bench, MESSAGING, "GetLastMessage")["text"] == "Tea is at four"  # type: ignore[index]
    bench.do(0x0025, [put(9000, "0-0:96.13.0", 2, OctetString(b"A supplier")), put(9000, "0-0:96.13.1", 2, OctetString(b"0800"))])
    assert shown(bench, DEVICE_MANAGEMENT, "provider_name", "provider_contact") == [b"A supplier", b"0800"]
    bench.do(0x0058, [put(1, "0-3:96.13.1", 2, OctetString(b"C123"))])
    assert published(bench, DEVICE_MANAGEMENT, "GetCin")["cin"] == b"C123"  # type: ignore[index]
    assert shown(bench, METERING, "customer_id_number") == [b"C123"]


def test_a_display_shows_days_weeks_and_months_with_their_cost_by_local_time(bench: Bench) -> None:
    bench.go(DAY_S)
    energy = 20 * 36 + 4 * 3600
    cost = (20 * 36 * 100 + 4 * 3600 * 200) // 1000
    names = ("current_day_consumption_delivered", "previous_day_consumption_delivered", "previous_month_consumption_delivered")
    assert shown(bench, METERING, *names) == [0, energy, energy]
    assert shown(bench, PREPAYMENT, "previous_day_cost_consumption_delivered") == [cost]
    bench.go(2 * DAY_S)
    assert shown(bench, METERING, "previous_week_consumption_delivered", "previous_day_2_consumption_delivered") == [2 * energy, energy]
    assert shown(bench, METERING, "current_week_consumption_delivered", "current_month_consumption_delivered") == [energy, 2 * energy]
    bench.do(0x0022, [put(1, "0-0:94.44.3.2", 2, octets(bench.now))])
    assert shown(bench, METERING, "previous_day_consumption_delivered", "previous_week_consumption_delivered") == [0, 0]


def test_a_day_of_the_consumer_ends_at_eleven_in_the_evening_utc_while_it_is_summer_time(device_pki: Keystore) -> None:
    bench = Bench(device_pki, start=datetime(2026, 3, 28, tzinfo=UTC), load=lambda half_hour: 1000)
    bench.go(DAY_S)
    assert shown(bench, METERING, "previous_day_consumption_delivered") == [24_000]
    bench.go(23 * HOUR_S)
    assert shown(bench, METERING, "previous_day_consumption_delivered") == [23_000], "the day on which the clocks go forward"
    bench.go(DAY_S)
    assert shown(bench, METERING, "previous_day_consumption_delivered") == [24_000]
    assert [period.amount for period in bench.esme.registers.active_import.days][-1] == 24_000, "the log's days are UTC's"


@pytest.mark.parametrize(
    ("moment", "ahead"),
    [("2026-03-29T00:59:59", 0), ("2026-03-29T01:00:00", 3600), ("2026-10-25T00:59:59", 3600), ("2026-10-25T01:00:00", 0)],
)
def test_summer_time_lasts_from_the_last_sunday_of_march_to_that_of_october(moment: str, ahead: int) -> None:
    at = int((datetime.fromisoformat(moment + "+00:00") - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds())
    assert ahead_of_utc(at) == ahead
    midnight = at // DAY_S * DAY_S - ahead_of_utc(at // DAY_S * DAY_S - HOUR_S)
    assert is_local_midnight(midnight)
    assert local_day(at).month == day_of(at).month


def test_a_display_shows_rates_demand_level_supply_and_bill(bench: Bench) -> None:
    bench.do(0x0047, [put(21, "0-0:16.0.0", 2, Array((DoubleLongUnsigned(1000), DoubleLongUnsigned(3000))))])
    assert shown(bench, METERING, "ambient_consumption_indicator", "active_register_tier_delivered") == [0, 1]
    bench.go(LATE + HOUR_S)
    names = ("ambient_consumption_indicator", "active_register_tier_delivered", "instantaneous_demand", "supply_status")
    assert shown(bench, METERING, *names) == [2, 2, 3600, 2]
    assert shown(bench, METERING, "current_tier_1_summation_delivered", "current_tier_2_summation_delivered") == [720, 3600]
    assert shown(bench, METERING, "bill_to_date_delivered") == [(720 * 100 + 3600 * 200) // 1000]
    assert shown(bench, DEVICE_MANAGEMENT, "low_medium_threshold", "medium_high_threshold") == [1000, 3000]


def test_a_display_shows_the_mode_credit_debts_and_limits(bench: Bench) -> None:
    assert shown(bench, PREPAYMENT, "payment_control_configuration") == [0x0094]
    bench.do(0x001B, prepayment_mode(-700, suspend_emergency=True))
    bench.do(0x00DE, configuration(limit=5 * POUND, threshold=POUND, low=7, cap=2, max_credit=8, max_balance=9 * POUND))
    bench.do(0x001E, debts(50 * POUND, 2 * POUND, 0, proportion=1000))
    bench.do(0x001C, adjust(3 * POUND))
    names = ("payment_control_configuration", "credit_remaining", "emergency_credit_remaining", "debt_amount_1", "debt_amount_3")
    assert shown(bench, PREPAYMENT, *names) == [0x0097, 3 * POUND, 5 * POUND, 2 * POUND, 50 * POUND]
    limits = ("emergency_credit_threshold", "low_credit_warning_level", "max_credit_per_top_up", "max_credit_limit", "cut_off_value")
    assert shown(bench, PREPAYMENT, *limits) == [POUND, 7, 8, 9 * POUND, -700]


def test_a_display_reads_the_calendar_in_its_parts_and_the_event_log(bench: Bench) -> None:
    whole = published(bench, CALENDAR, "GetCalendar", earliest=0, minimum_event=0, count=1, calendar_type=0, provider=0)
    assert (whole["seasons"], whole["weeks"], whole["days"]) == (1, 1, 1)  # type: ignore[index]
    one = published(bench, CALENDAR, "GetDayProfiles", provider=0, calendar=1, first_day=1, count=1)
    assert one["entries"] == ({"minute": 0, "value": 1}, {"minute": 1200, "value": 2})  # type: ignore[index]
    assert published(bench, CALENDAR, "GetDayProfiles", provider=0, calendar=1, first_day=2, count=1) is ZclStatus.NOT_FOUND
    seasons = published(bench, CALENDAR, "GetSeasons", provider=0, calendar=1)
    assert seasons["seasons"] == ({"date": b"\x64\x01\x01\xff", "week": 1},)  # type: ignore[index]
    days = published(bench, CALENDAR, "GetSpecialDays", start=0, count=0, calendar_type=0, provider=0, calendar=1)
    assert days["days"] == ({"date": b"\x7e\x02\x05\x01", "day": 1},)  # type: ignore[index]
    bench.esme.gbcs.log(0x8145)
    asked = {"control_and_log": 0x13, "event": 0x8145, "from": 0, "to": 0xFFFFFFFF, "count": 0, "offset": 0}
    assert published(bench, EVENTS, "GetEventLog", **asked)["total"] == 1  # type: ignore[index]


def test_prices_in_blocks_are_told_with_their_thresholds(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    prices = {0xA1: 10, 0xB1: 20}
    days, weeks, seasons = [day(1, {0: 101})], [week(1, (1,) * 7)], [season("all", "07d00101ff", 1)]
    bench.do(0x0019, tariff(days, weeks, seasons, prices, thresholds={1: [1000]}))
    matrix = published(bench, PRICE, "GetPriceMatrix", tariff=1)
    assert matrix["prices"] == ({"tier_block": 0, "price": 10}, {"tier_block": 1, "price": 20})  # type: ignore[index]
    limits = published(bench, PRICE, "GetBlockThresholds", tariff=1)
    assert limits["tiers"][0]["thresholds"] == ({"threshold": 1000},)  # type: ignore[index]


_NOBODYS = {"provider": 0, "event": 0}
_PART = {**_NOBODYS, "start": 0, "tariff": 1, "command_index": 0, "command_count": 1}


def test_a_display_is_told_every_field_of_the_tariff(bench: Bench) -> None:
    """In pounds (826) with five decimals (50), kWh (0), litres of a thousand; nobody issued it by ZigBee, so provider and event are 0."""
    bench.go(LATE - 120)
    now = int(bench.esme.now())
    expected: list[tuple[Cluster, str, dict[str, FieldValue], dict[str, object]]] = [
        (
            PRICE,
            "GetCurrentPrice",
            {"options": 0},
            {"provider": 0, "event": now, "current_time": now, "unit": 0, "currency": 826, "trailing_digit_and_tier": 0x51, "start": now}
            | {"tiers_and_register_tier": 0, "duration": 2, "price": 100},
        ),
        (
            PRICE,
            "GetTariffInformation",
            {"earliest": 0, "minimum_event": 0, "count": 1, "tariff_type": 0},
            {**_NOBODYS, "tariff": 1, "start": 0, "type_and_scheme": 0, "price_tiers": 2, "block_thresholds": 0, "unit": 0, "currency": 826}
            | {"trailing_digit": 0x50, "standing_charge": 5000, "tier_block_mode": 0, "multiplier": 1, "divisor": 1000},
        ),
        (PRICE, "GetPriceMatrix", {"tariff": 1}, {**_PART, "sub_payload": 0x01}),
        (PRICE, "GetBlockThresholds", {"tariff": 1}, {**_PART, "control": 0}),
        (
            CALENDAR,
            "GetCalendar",
            {"earliest": 0, "minimum_event": 0, "count": 1, "calendar_type": 0, "provider": 0},
            {**_NOBODYS, "calendar": 1, "start": 0, "calendar_type": 0, "time_reference": 0, "seasons": 1, "weeks": 1, "days": 1},
        ),
        (
            CALENDAR,
            "GetDayProfiles",
            {"provider": 0, "calendar": 1, "first_day": 1, "count": 1},
            {**_NOBODYS, "calendar": 1, "day": 1, "total": 2, "command_index": 0, "command_count": 1, "calendar_type": 0},
        ),
        (
            CALENDAR,
            "GetWeekProfiles",
            {"provider": 0, "calendar": 1, "first_week": 1, "count": 1},
            {**_NOBODYS, "calendar": 1, "week": 1, "days": ({"day": 1},) * 7},
        ),
        (CALENDAR, "GetSeasons", {"provider": 0, "calendar": 1}, {**_NOBODYS, "calendar": 1, "command_index": 0, "command_count": 1}),
        (
            CALENDAR,
            "GetSpecialDays",
            {"start": 0, "count": 0, "calendar_type": 0, "provider": 0, "calendar": 1},
            {**_NOBODYS, "calendar": 1, "start": 0, "calendar_type": 0, "total": 1, "command_index": 0, "command_count": 1},
        ),
    ]
    for cluster, name, asked, fields in expected:
        told = published(bench, cluster, name, **asked)
        assert isinstance(told, dict), name
        assert {field: told[field] for field in fields} == fields, name
    assert published(bench, CALENDAR, "GetWeekProfiles", provider=0, calendar=1, first_week=2, count=1) is ZclStatus.NOT_FOUND
    tiers = [f"tier_{tier}_block_1_price" for tier in (1, 2, 15)]
    assert shown(bench, PRICE, "unit_of_measure", "price_trailing_digits", "commodity_type", *tiers) == [0, 0x50, 0, 100, 200, 0]


def test_a_text_lasts_until_another_and_stands_at_once(bench: Bench) -> None:
    bench.do(0x0021, [put(1, "0-2:96.13.1", 2, OctetString(b"Tea\0 "))])
    told = published(bench, MESSAGING, "GetLastMessage")
    assert isinstance(told, dict)
    assert [told[name] for name in ("message", "control", "start", "duration_minutes", "text")] == [1, 0, 0, 0xFFFF, "Tea"]
    assert published(bench, DEVICE_MANAGEMENT, "GetCin") is ZclStatus.NOT_FOUND, "there is no customer number yet"
    bench.do(0x0058, [put(1, "0-3:96.13.1", 2, OctetString(b"C123"))])
    cin = published(bench, DEVICE_MANAGEMENT, "GetCin")
    assert isinstance(cin, dict)
    assert [cin[name] for name in ("event", "implementation", "provider")] == [0, 0, 0]


@pytest.mark.parametrize("cluster", [PRICE, CALENDAR, MESSAGING, DEVICE_MANAGEMENT, EVENTS])
def test_a_command_that_the_display_side_has_not_is_refused_as_not_supported(bench: Bench, cluster: Cluster) -> None:
    for command in (0x7F, *(one for one in cluster.to_server if (cluster.id, one) in ((PRICE.id, 0x01), (EVENTS.id, 0x01)))):
        payload = bytes(40)
        answer = bench.esme.display_side.handler(cluster)(
            Incoming(DISPLAY, 0x21, 0x61, cluster.id, ZclFrame.of_cluster(command, payload), True)
        )
        assert answer in (ZclStatus.UNSUP_CLUSTER_COMMAND, ZclStatus.MALFORMED_COMMAND)
        assert answer is ZclStatus.UNSUP_CLUSTER_COMMAND or command != 0x7F


@pytest.mark.parametrize(
    ("octets", "date"),
    [
        ("07ea020501ff", "7e020501"),
        ("fffffeff05ff", "fffeff05"),
        ("07d00101ff", "640101ff"),
        ("07cd010101", "61010101"),
        ("076b010101", "00010101"),
        ("0a00010101", "fe010101"),
    ],
)
def test_a_cosem_date_becomes_one_of_zigbee_by_years_since_1900(octets: str, date: str) -> None:
    """DLMS blue book 4.1.6.1 and ZCL 2.6.2.22: FFFF and FF are any year; a year before 1900 or after 2154 has no other way to be told."""
    from hil.devices.esme.display import _date

    assert _date(bytes.fromhex(octets)).hex() == date


def two_seasons(prices: dict[int, int], **more: object) -> list[Item]:
    """Weeks 3 and 4, from January and from July; days 5 and 6 with a switch at 07:30 and at 23:59."""
    scripts = OctetString(bytes(6))

    def switch(hour: int, minute: int, script: int) -> Structure:
        return Structure((OctetString(bytes((hour, minute, 0, 0))), scripts, LongUnsigned(script)))

    days = [
        Structure((Unsigned(6), Array((switch(0, 0, 2),)))),
        Structure((Unsigned(5), Array((switch(0, 0, 1), switch(7, 30, 2), switch(23, 59, 1))))),
    ]
    weeks = [week(4, (6,) * 7), week(3, (5, 5, 5, 5, 5, 6, 6))]
    seasons = [season("a", "ffff0101ff", 3), season("b", "07ea0701ff", 4)]
    specials = [special(0, "ffff0c19ff", 6), special(1, "07ea0501ff", 5)]
    return tariff(days, weeks, seasons, prices, specials=specials, **more)  # type: ignore[arg-type]


def test_a_calendar_is_told_part_by_part_in_the_order_of_its_numbers(device_pki: Keystore) -> None:
    """A part that is asked for by its number is the first one from it on."""
    bench = Bench(device_pki)
    bench.do(0x0019, two_seasons({1: 10, 2: 20}))
    whole = published(bench, CALENDAR, "GetCalendar", earliest=0, minimum_event=0, count=1, calendar_type=0, provider=0)
    assert isinstance(whole, dict)
    assert [whole[name] for name in ("seasons", "weeks", "days")] == [2, 2, 2]

    def part(name: str, first: str, number: int) -> dict[str, FieldValue] | ZclStatus:
        return published(bench, CALENDAR, name, provider=0, calendar=1, count=1, **{first: number})

    five = ({"minute": 0, "value": 1}, {"minute": 450, "value": 2}, {"minute": 1439, "value": 1})
    for number, day_number, entries in ((0, 5, five), (5, 5, five), (6, 6, ({"minute": 0, "value": 2},))):
        told = part("GetDayProfiles", "first_day", number)
        assert isinstance(told, dict)
        assert (told["day"], told["total"], told["entries"]) == (day_number, len(entries), entries)
    assert part("GetDayProfiles", "first_day", 7) is ZclStatus.NOT_FOUND
    for number, week_number, days in ((0, 3, (5, 5, 5, 5, 5, 6, 6)), (3, 3, (5, 5, 5, 5, 5, 6, 6)), (4, 4, (6,) * 7)):
        told = part("GetWeekProfiles", "first_week", number)
        assert isinstance(told, dict)
        assert (told["week"], told["days"]) == (week_number, tuple({"day": one} for one in days))
    assert part("GetWeekProfiles", "first_week", 5) is ZclStatus.NOT_FOUND
    seasons = published(bench, CALENDAR, "GetSeasons", provider=0, calendar=1)
    specials = published(bench, CALENDAR, "GetSpecialDays", start=0, count=0, calendar_type=0, provider=0, calendar=1)
    assert isinstance(seasons, dict)
    assert isinstance(specials, dict)
    assert seasons["seasons"] == ({"date": b"\xff\x01\x01\xff", "week": 3}, {"date": b"\x7e\x07\x01\xff", "week": 4})
    assert (specials["total"], specials["days"]) == (2, ({"date": b"\xff\x0c\x19\xff", "day": 6}, {"date": b"\x7e\x05\x01\xff", "day": 5}))


@pytest.mark.parametrize(
    ("at", "price", "minutes", "tier"),
    [(0, 10, 450, 1), (60, 10, 449, 1), (61, 10, 449, 1), (26941, 10, 1, 1), (27000, 20, 989, 2)],
)
def test_a_price_lasts_until_the_next_switch_in_whole_minutes_rounded_up(
    device_pki: Keystore, at: int, price: int, minutes: int, tier: int
) -> None:
    bench = Bench(device_pki)  # a Thursday of the first season
    bench.do(0x0019, two_seasons({1: 10, 2: 20}))
    if at:
        bench.go(at)
    told = published(bench, PRICE, "GetCurrentPrice", options=0)
    assert isinstance(told, dict)
    assert (told["price"], told["duration"], told["trailing_digit_and_tier"]) == (price, minutes, 0x50 | tier)


@pytest.mark.parametrize(("script", "tier"), [(1, 1), (15, 15), (16, 15), (48, 15)])
def test_a_rate_over_fifteen_is_shown_as_the_fifteenth(device_pki: Keystore, script: int, tier: int) -> None:
    """The tier has the lower four bits of its octet."""
    bench = Bench(device_pki)
    days, weeks, seasons = [day(1, {0: script})], [week(1, (1,) * 7)], [season("all", "07d00101ff", 1)]
    bench.do(0x0019, tariff(days, weeks, seasons, {script: 77, 1: 77}))
    told = published(bench, PRICE, "GetCurrentPrice", options=0)
    assert isinstance(told, dict)
    assert (told["price"], told["trailing_digit_and_tier"]) == (77, 0x50 | tier)
    matrix = published(bench, PRICE, "GetPriceMatrix", tariff=1)
    information = published(bench, PRICE, "GetTariffInformation", earliest=0, minimum_event=0, count=1, tariff_type=0)
    assert isinstance(matrix, dict)
    assert isinstance(information, dict)
    assert matrix["prices"] == tuple({"tier_block": number, "price": 77} for number in sorted({1, script}))
    assert information["price_tiers"] == script


@pytest.mark.parametrize("limits", [[1000], [1000, 2000], [1000, 2000, 3000]])
def test_a_tariff_by_block_has_four_prices_and_up_to_three_thresholds(device_pki: Keystore, limits: list[int]) -> None:
    """Type and scheme 10 is by block (reference gbcs-messages 7A); prices A1, B1, C1, D1 are those of the first set (RTDS ECS01a)."""
    bench = Bench(device_pki)
    prices = {0xA1: 10, 0xB1: 20, 0xC1: 30, 0xD1: 40, 0xA2: 99, 1: 98}
    days, weeks, seasons = [day(1, {0: 101})], [week(1, (1,) * 7)], [season("all", "07d00101ff", 1)]
    bench.do(0x0019, tariff(days, weeks, seasons, prices, thresholds={1: limits, 2: [7]}))
    told = published(bench, PRICE, "GetTariffInformation", earliest=0, minimum_event=0, count=1, tariff_type=0)
    matrix = published(bench, PRICE, "GetPriceMatrix", tariff=1)
    thresholds = published(bench, PRICE, "GetBlockThresholds", tariff=1)
    now = published(bench, PRICE, "GetCurrentPrice", options=0)
    assert isinstance(told, dict)
    assert isinstance(matrix, dict)
    assert isinstance(thresholds, dict)
    assert isinstance(now, dict)
    assert (told["type_and_scheme"], told["price_tiers"], told["block_thresholds"]) == (0x10, 0, len(limits))
    assert (matrix["sub_payload"], matrix["prices"]) == (0, tuple({"tier_block": one, "price": 10 + 10 * one} for one in range(4)))
    assert thresholds["tiers"] == ({"count": len(limits), "thresholds": tuple({"threshold": limit} for limit in limits)},)
    assert (now["price"], now["trailing_digit_and_tier"]) == (10, 0x50)


def test_a_display_reads_the_label_of_each_auxiliary_switch(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    for number in range(1, 6):
        bench.do(0x00B7, [put(1, f"0-0:94.44.0.1{number}", 2, VisibleString(f"Switch {number} "))])
    names = [f"auxiliary_switch_{number}_label" for number in range(1, 6)]
    assert shown(bench, CALENDAR, *names) == [f"Switch {number}".encode() for number in range(1, 6)]


def test_a_display_is_told_from_when_on_it_may_look_back(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    assert shown(bench, DEVICE_MANAGEMENT, "change_of_tenancy_update") == [0]
    bench.do(0x0022, [put(1, "0-0:94.44.3.2", 2, octets(bench.now))])
    assert shown(bench, DEVICE_MANAGEMENT, "change_of_tenancy_update") == [bench.now]
