"""Rules of an electricity meter at each edge: voltage of a phase, the window of maximum demand; every live object, every value shown."""

from __future__ import annotations

from fractions import Fraction

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.axdr import (
    Array,
    Boolean,
    Data,
    DoubleLong,
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
)
from firmware_emu.gbcs.axdr import Enum as DlmsEnum
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.declare import Cluster
from firmware_emu.zse.zcl import TypedValue
from hil.devices.esme.metering import Phase, Thresholds, Window, event_codes
from hil.devices.esme.variant import POLYPHASE, SINGLE_ELEMENT, TWIN_ELEMENT, EsmeVariant
from hil.devices.metering.billing import BilledSpan
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S, HOUR_S
from tests.devices.meter_bench import Bench, entry, octets, put
from tests.source_numbers import event

# -- voltage

OVER, UNDER = 253, 216
QUIET = ((0, 0),) * 4


def phase(number: int = 0) -> tuple[Phase, list[int]]:
    told: list[int] = []
    return Phase(MemoryStore(), "phase", number, told.append), told


_WORDS = {
    ("average over", "beyond"): "Average RMS Voltage above Average RMS Over Voltage Threshold{} (current value above threshold; previous "
    "value below threshold)",
    ("average over", "back"): "Average RMS Voltage below Average RMS Over Voltage Threshold{} (current value below threshold; previous "
    "value above threshold)",
    ("average under", "beyond"): "Average RMS Voltage below Average RMS Under Voltage Threshold{} (current value below threshold; previous "
    "value above threshold)",
    ("average under", "back"): "Average RMS Voltage above Average RMS Under Voltage Threshold{} (current value above threshold; previous "
    "value below threshold)",
    ("extreme over", "beyond"): "RMS Voltage above Extreme Over Voltage Threshold{} (voltage rises above for longer than the "
    "configurable period)",
    ("extreme over", "back"): "RMS Voltage above Extreme Over Voltage Threshold{} (voltage returns below for longer than the "
    "configurable period)",
    ("extreme under", "beyond"): "RMS Voltage below Extreme Under Voltage Threshold{} (voltage falls below for longer than the "
    "configurable period)",
    ("extreme under", "back"): "RMS Voltage below Extreme Under Voltage Threshold{} (voltage returns above for longer than the "
    "configurable period)",
    ("sag", "beyond"): "RMS Voltage below Voltage Sag Threshold{} (voltage falls below for longer than the configurable period)",
    ("sag", "back"): "RMS Voltage below Voltage Sag Threshold{} (voltage returns above for longer than the configurable period)",
    ("swell", "beyond"): "RMS Voltage above Voltage Swell Threshold{} (voltage rises above for longer than the configurable period)",
    ("swell", "back"): "RMS Voltage above Voltage Swell Threshold{} (voltage returns below for longer than the configurable period)",
}


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_an_event_of_voltage_has_the_code_of_its_name_and_phase(number: int) -> None:
    """Phase 0 is that of a meter with one phase."""
    where = f" on Phase {number}" if number else ""
    told = {(quantity, way): code for (quantity, way, of), code in event_codes().items() if of == number and "out" not in quantity}
    supply = {("supply", "beyond"): event(f"Supply interrupted{where}")} if number else {}
    restored = "" if number == 1 else " Restored"
    supply |= {("supply", "back"): event(f"Supply Outage Restored{where}{restored}")} if number else {}
    assert told == {key: event(words.format(where)) for key, words in _WORDS.items()} | supply
    if number:
        assert event_codes()["long outage", "back", number] == event(f"Supply Outage Restored{where} Restored - Outage >= 3 minutes")


@pytest.mark.parametrize(
    ("place", "quantity", "limit", "inside", "outside"),
    [
        (0, "extreme over", 260, (230, 260), 261),
        (1, "extreme under", 200, (230, 200), 199),
        (2, "sag", 210, (230, 210), 209),
        (3, "swell", 250, (230, 250), 251),
    ],
)
def test_an_extreme_is_told_after_its_period_beyond_the_limit_and_its_end_as_long_after(
    place: int, quantity: str, limit: int, inside: tuple[int, int], outside: int
) -> None:
    one, told = phase()
    extremes = tuple((limit, 10) if number == place else (0, 0) for number in range(4))
    limits = Thresholds(0, 0, 0, extremes)
    for volts in inside:
        one.set_volts(100, volts, limits)
        one.pass_time(100, 200, limits)
    assert (told, one.next_moment(limits)) == ([], None)
    one.set_volts(200, outside, limits)
    assert one.next_moment(limits) == 210
    one.pass_time(200, 209, limits)
    assert told == []
    one.pass_time(209, 210, limits)
    assert (told, one.next_moment(limits)) == ([event_codes()[quantity, "beyond", 0]], None)
    one.set_volts(220, 230, limits)
    one.set_volts(225, outside, limits)
    assert one.next_moment(limits) is None, "a return that is too short is none"
    one.set_volts(230, 230, limits)
    kept, again = phase()
    kept.restore(one.state())
    for each, heard in ((one, told), (kept, again)):
        assert each.next_moment(limits) == 240
        each.pass_time(230, 239, limits)
        each.pass_time(239, 240, limits)
        assert heard[-1:] == [event_codes()[quantity, "back", 0]]
    assert len(told) == 2


def test_an_average_is_logged_each_period_and_counted_when_it_crosses_its_threshold() -> None:
    """The period that is under way when the meter starts is averaged over what there was of it."""
    one, told = phase()
    limits = Thresholds(OVER, UNDER, 60, QUIET)
    volts = {90: 230, 120: 253, 180: 254, 240: 253, 300: 216, 360: 215, 420: 215, 480: 216, 540: 254}
    assert one.next_moment(limits) is None
    for start, now in volts.items():
        one.set_volts(start, now, limits)
        one.pass_time(start, start + (30 if start == 90 else 60), limits)
    assert list(one.log) == [(start + (30 if start == 90 else 60), now) for start, now in volts.items()]
    assert (one.over_counter, one.under_counter) == (2, 1)
    names = [("average over", "beyond"), ("average over", "back"), ("average under", "beyond"), ("average under", "back")]
    assert told == [event_codes()[*name, 0] for name in (*names, names[0])]
    assert one.next_moment(limits) == 660


def test_an_average_is_that_of_the_seconds_at_each_voltage() -> None:
    one, told = phase()
    limits = Thresholds(240, 0, 60, QUIET)
    one.set_volts(0, 230, limits)
    one.pass_time(0, 45, limits)
    kept, _ = phase()
    kept.restore(one.state())
    for each in (one, kept):
        each.set_volts(45, 270, limits)
        each.pass_time(45, 150, limits)
        assert list(each.log) == [(60, 240), (120, 270)]
    assert (one.over_counter, one.under_counter, told) == (1, 0, [event_codes()["average over", "beyond", 0]])
    assert one.next_moment(Thresholds(0, 0, 60, QUIET)) is None, "nobody waits for an average that is not watched"
    assert one.next_moment(Thresholds(0, 1, 60, QUIET)) == 180


def test_without_a_period_nothing_is_averaged() -> None:
    one, told = phase()
    one.pass_time(0, 1000, Thresholds(1, 0, 0, QUIET))
    assert (list(one.log), told, one.over_counter) == ([], [], 0)


@pytest.mark.parametrize(("out_s", "quantity"), [(1, "supply"), (179, "supply"), (180, "long outage"), (181, "long outage")])
def test_a_phase_that_was_out_for_three_minutes_or_more_tells_its_return_otherwise(out_s: int, quantity: str) -> None:
    one, told = phase(2)
    limits = Thresholds(0, 0, 0, QUIET)
    one.set_volts(100, 1, limits)
    one.set_volts(200, 0, limits)
    one.set_volts(201, 0, limits)
    one.set_volts(200 + out_s, 230, limits)
    one.set_volts(900, 231, limits)
    assert told == [event_codes()["supply", "beyond", 2], event_codes()[quantity, "back", 2]]


def test_thresholds_of_voltage_are_read_at_the_objects_of_their_phase() -> None:
    """ECS29: over (35) and under (31) of the phase's group, the period of its profile, four register monitors and their times."""
    numbers = {(71, f"0-0:17.0.{place}", attribute): 10 * place + attribute for place in range(1, 5) for attribute in (4, 6)}
    for number, group in enumerate((32, 52, 72)):
        here = {(1, f"1-0:{group}.35.0.4", 2): 250, (1, f"1-0:{group}.31.0.4", 2): 210, (7, f"1-0:{group}.24.0", 4): 1800}

        def read(class_id: int, obis: str, attribute: int, there: dict[tuple[int, str, int], int] = numbers | here) -> Data:
            return LongUnsigned(there[class_id, obis, attribute])

        assert Thresholds.read(read, number) == Thresholds(250, 210, 1800, ((14, 16), (24, 26), (34, 36), (44, 46)))
    assert Thresholds.read(lambda class_id, obis, attribute: OctetString(b""), 0) == Thresholds(0, 0, 0, QUIET)


# -- maximum demand


@pytest.mark.parametrize(
    ("starts", "ends", "held"),
    [
        (6, 8, [13, 14, 15, 16]),
        (23, 1, [47, 48, 1, 2]),
        (0, 24, list(range(1, 49))),
        (7, 7, list(range(1, 49))),
        (None, 8, list(range(1, 49))),
        (6, None, list(range(1, 49))),
    ],
    ids=["morning", "over midnight", "all day", "no length", "no start", "no end"],
)
def test_a_half_hour_counts_in_the_window_if_all_of_it_lies_there(starts: int | None, ends: int | None, held: list[int]) -> None:
    """RTDS ECS37: script 1 begins the window and 2 ends it. Half hours by the number of their end."""
    entries = [entry(1, "0-0:10.0.109", 1, starts)] if starts is not None else []
    entries += [entry(2, "0-0:10.0.109", 2, ends % 24)] if ends is not None else []
    window = Window(Array(tuple(entries)))
    found = [number for number in range(1, 49) if window.holds(number * HALF_HOUR_S)]
    assert found == sorted(held)
    assert [number - 48 for number in range(49, 97) if window.holds(number * HALF_HOUR_S)] == sorted(held)


# -- the object model


def unit(code: int, scale: int = 0) -> Structure:
    return Structure((Integer(scale), DlmsEnum(code)))


def whole(values: list[int]) -> Array:
    return Array(tuple(DoubleLongUnsigned(value) for value in values))


def filled(pki: Keystore, variant: EsmeVariant) -> Bench:
    """A meter that has a number of its own in every register."""
    bench = Bench(pki, variant=variant, load=lambda half_hour: 3000, secondary=(lambda half_hour: 600) if variant.elements > 1 else None)
    bench.go(2 * HOUR_S)
    rates, account = bench.esme.metering.rates, bench.esme.metering.account
    rates.tou[:] = [HOUR_S * (1000 + number) for number in range(48)]
    rates.secondary[:] = [HOUR_S * (2000 + number) for number in range(4)]
    rates.blocks[:] = [[HOUR_S * (3000 + 10 * block + group) for group in range(8)] for block in range(4)]
    rates.counters[:] = [[HOUR_S * (4000 + 10 * block + group) for group in range(8)] for block in range(4)]
    account.accumulated, account.balance, account.payment_debt = Fraction(11), Fraction(-22), 44
    account.emergency_active, account.emergency, account.time_debts = True, Fraction(33), [Fraction(55), Fraction(66)]
    return bench


@pytest.mark.parametrize("variant", [SINGLE_ELEMENT, TWIN_ELEMENT], ids=lambda variant: variant.name)
def test_every_live_register_is_read_in_its_layout_with_its_unit(device_pki: Keystore, variant: EsmeVariant) -> None:
    """RTDS ECS17b to ECS17e, ECS23 and ECS24: DLMS units 30 Wh, 32 varh, 27 W, 255 a count, 254 a price in 10^-5 pounds."""
    bench = filled(device_pki, variant)
    esme = bench.esme
    twin = variant.elements > 1
    second = 1200 if twin else 0
    reactive = esme.registers.reactive_import.total
    assert reactive > 0
    energy = (DoubleLongUnsigned(6000 + second), unit(30), DoubleLongUnsigned(reactive), unit(32), *[DoubleLongUnsigned(second)][:twin])
    rows = [base + 10 * block + group for block in range(4) for base in (3000, 4000) for group in range(8)]
    expected: dict[tuple[int, str, int], Data] = {
        (1, "0-0:94.44.34.10", 2): Structure(energy),
        (1, "0-0:94.44.34.20", 2): Structure((DoubleLongUnsigned(3600 if twin else 3000), unit(27), DoubleLongUnsigned(3000))),
        (1, "0-0:94.44.34.1", 2): Structure((whole([1000 + n for n in range(48)]), *[whole([2000 + n for n in range(4)])][:twin])),
        (1, "0-0:94.44.34.2", 2): Structure((whole(rows),)),
        (1, "0-0:94.44.34.30", 2): Structure(tuple(DoubleLong(value) for value in (33, 11, 44, 55, 66, -22))),
        (112, "0-0:19.10.0", 2): DoubleLong(-22),
        (3, "1-0:2.8.0", 2): DoubleLongUnsigned(0),
        (3, "1-0:2.8.0", 3): unit(30),
        (3, "1-0:4.8.0", 3): unit(32),
        (3, "0-0:94.44.42", 3): unit(255),
        (3, "0-0:94.44.1.7", 3): unit(254, -5),
        (4, "1-0:1.6.0", 2): DoubleLongUnsigned(3600 if twin else 3000),
        (4, "1-0:1.6.0", 3): unit(27),
        (4, "1-0:1.6.0", 5): octets(bench.now - 3 * HALF_HOUR_S),
        (4, "1-0:2.6.0", 2): DoubleLongUnsigned(0),
        (1, "0-0:96.1.1", 2): OctetString(esme.eui64.octets),
        (1, "0-0:96.1.2", 2): OctetString(b"B" if twin else b"A"),
        (8, "0-0:1.0.0", 2): octets(bench.now),
        (70, "0-0:96.3.10", 3): DlmsEnum(1),
        **{(70, f"0-{number}:96.3.10", 2): Boolean(False) for number in range(1, 6)},
    }
    assert {place: bench.read(*place) for place in expected} == expected


def test_counters_of_voltage_are_read_and_reset_for_each_phase(device_pki: Keystore) -> None:
    """Group C 32, 52 and 72 of phases 1 to 3; E 36 counts over, 32 under voltage."""
    bench = Bench(device_pki, variant=POLYPHASE)
    metering = bench.esme.metering
    for number, one in enumerate(metering.phases):
        one.over_counter, one.under_counter = 10 + number, 20 + number

    def counted() -> list[int]:
        places = [f"1-0:{group}.{part}.0.4" for group in (32, 52, 72) for part in (36, 32)]
        assert [bench.read(3, obis, 3) for obis in places] == [unit(255)] * 6
        return [int(bench.read(3, obis)) for obis in places]  # type: ignore[call-overload]

    assert counted() == [10, 20, 11, 21, 12, 22]
    for place, over in ((0, True), (2, False), (3, True), (3, False)):
        metering.reset_voltage(place, over=over)
    assert counted() == [0, 20, 11, 21, 12, 0]


# -- the consumer


def shown(bench: Bench, cluster: Cluster) -> dict[str, object]:
    """Every value that a display may read, by the name that ZigBee gives it."""
    view = bench.esme.consumer
    served = view.attributes() if cluster is METERING else view.prepayment()
    found: dict[str, object] = {}
    for declared in cluster.attributes:
        read = served.read(declared.id)
        if isinstance(read, TypedValue):
            found[declared.name] = read.value
    return found


def test_a_display_reads_every_rate_and_block_by_its_own_attribute(device_pki: Keystore) -> None:
    bench = filled(device_pki, SINGLE_ELEMENT)
    told = shown(bench, METERING)
    assert [told[f"current_tier_{tier}_summation_delivered"] for tier in range(1, 49)] == [1000 + number for number in range(48)]
    blocks = [told[f"current_no_tier_block_{block}_summation_delivered"] for block in range(1, 5)]
    assert blocks == [sum(3000 + 10 * block + group for group in range(8)) for block in range(4)]
    same = {
        "current_summation_delivered": 6000,
        "current_summation_received": 0,
        "current_max_demand_delivered": 3000,
        "current_max_demand_delivered_time": bench.now - 3 * HALF_HOUR_S,
        "reading_snapshot_time": bench.now,
        "bill_to_date_timestamp_delivered": bench.now,
        "bill_to_date_delivered": 22,
        "instantaneous_demand": 3000,
        "supply_status": 2,
        "status": 0,
        "unit_of_measure": 0,
        "multiplier": 1,
        "divisor": 1000,
        "summation_formatting": 0,
        "metering_device_type": 0,
    }
    assert {name: told[name] for name in same} == same


def test_a_display_reads_every_debt_and_its_scale(device_pki: Keystore) -> None:
    bench = filled(device_pki, SINGLE_ELEMENT)
    told = shown(bench, PREPAYMENT)
    same = {
        "accumulated_debt": 11,
        "credit_remaining": -22,
        "emergency_credit_remaining": 33,
        "debt_amount_1": 55,
        "debt_amount_2": 66,
        "debt_amount_3": 44,
        "consumption_unit_of_measurement": 0,
        "currency_scaling_factor": 0x0B,
        "currency": 826,
        "payment_control_configuration": 0x0094,
    }
    assert {name: told[name] for name in same} == same
    bench.esme.metering.account.balance = Fraction(3_000_000_000)
    assert shown(bench, PREPAYMENT)["credit_remaining"] == 0x7FFFFFFF


@pytest.mark.parametrize(("span", "kept"), [("day", 8), ("week", 5), ("month", 13)])
def test_a_display_reads_each_past_span_of_the_consumer_with_its_cost_unless_a_tenant_before_used_it(
    device_pki: Keystore, span: str, kept: int
) -> None:
    """SMETS 5.7.5.14, 5.7.5.15: eight days, five weeks, thirteen months. A span is shown if it began after the change of tenancy."""

    def values() -> tuple[list[object], list[object]]:
        numbered = ["", *(f"_{number}" for number in range(2, kept + 1))]
        names = [f"current_{span}", *(f"previous_{span}{number}" for number in numbered)]
        used, cost = shown(bench, METERING), shown(bench, PREPAYMENT)
        return [used[f"{name}_consumption_delivered"] for name in names], [cost[f"{name}_cost_consumption_delivered"] for name in names]

    bench = Bench(device_pki, load=lambda half_hour: 0)
    past, now = bench.esme.metering.past, bench.now
    past.past[span] = [BilledSpan(now - number * DAY_S, HOUR_S * number, Fraction(100 * number)) for number in range(kept, 0, -1)]
    past.current[span] = BilledSpan(now - 5, HOUR_S * 77, Fraction(7700))
    assert values() == ([77, *range(1, kept + 1)], [7700, *range(100, 100 * kept + 1, 100)])
    bench.do(0x0022, [put(1, "0-0:94.44.3.2", 2, octets(now - 2 * DAY_S))])
    assert values() == ([77, 1, 2, *[0] * (kept - 2)], [7700, 100, 200, *[0] * (kept - 2)])
    bench.do(0x0022, [put(1, "0-0:94.44.3.2", 2, octets(now - 2 * DAY_S + 1))])
    assert values()[0] == [77, 1, *[0] * (kept - 1)]


def test_the_consumers_logs_begin_with_what_began_after_the_change_of_tenancy(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.go(3 * DAY_S)
    since = bench.now - 2 * DAY_S
    view = bench.esme.consumer
    for moved, half_hours, days in ((0, 96, 2), (1, 95, 1), (-1, 96, 2)):
        bench.do(0x0022, [put(1, "0-0:94.44.3.2", 2, octets(since + moved))])
        assert (view.restricted_before, len(view.half_hours()), len(view.days())) == (since + moved, half_hours, days)


@pytest.mark.parametrize(
    ("limits", "watts", "level"),
    [((1000, 3000), 999, 0), ((1000, 3000), 1000, 1), ((1000, 3000), 2999, 1), ((1000, 3000), 3000, 2), ((), 9000, 0), ((1,), 9000, 0)],
)
def test_consumption_is_low_medium_or_high_from_its_thresholds_on(
    device_pki: Keystore, limits: tuple[int, ...], watts: int, level: int
) -> None:
    bench = Bench(device_pki, load=lambda half_hour: watts)
    bench.esme.model.write((1 + 20, bytes((0, 0, 16, 0, 0, 255)), 2), Array(tuple(DoubleLongUnsigned(one) for one in limits)))
    assert shown(bench, METERING)["ambient_consumption_indicator"] == level
    assert bench.esme.consumer.thresholds == (limits if len(limits) == 2 else (0, 0))
