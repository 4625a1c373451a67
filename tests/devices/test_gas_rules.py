"""Rules of a gas meter at each edge: measured flow, network data, periods of bills, logs by time, calendars as its registers read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.gbz import Component
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue
from firmware_emu.zse.zcl import ZclStatus
from hil.devices.base.tampering import Tampering
from hil.devices.gsme.flow import FlowLimit, FlowWatch
from hil.devices.gsme.metering import Valve
from hil.devices.gsme.network import NetworkLog, Sampling
from hil.devices.gsme.published import Published
from hil.devices.gsme.tariff import kwh_per_cubic_metre, read_tariff
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S, HOUR_S
from tests.devices.gas_money import ISSUED, POUND, TARIFF, Bench, calendar, prices

FOREVER = 0xFFFFFFFE


def moment(text: str) -> int:
    """Seconds since 2000 of a moment UTC."""
    return int((datetime.fromisoformat(text + "+00:00") - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds())


def tell(bench: Bench, cluster: Cluster, name: str, /, *, since: int | None = None, **fields: FieldValue) -> object:
    """Status or answers of one command; ``since``: the start that its Command bounds it by."""
    command = cluster.command_named(name)
    from_server = cluster.to_client.get(command.id) is command
    part = Component(cluster.id, 0x09 if from_server else 0x01, 0, command.id, command.encode(fields))
    return bench.gsme.model.zcl.commands[cluster.id, command.id, from_server](replace(part, from_date_time=since))


def told(bench: Bench, cluster: Cluster, name: str, /, *, since: int | None = None, **fields: FieldValue) -> dict[str, FieldValue]:
    answers = tell(bench, cluster, name, since=since, **fields)
    assert isinstance(answers, list), answers
    (answer,) = answers
    return cluster.to_client[answer.command].decode(answer.payload)


@pytest.fixture
def bench(device_pki: Keystore) -> Bench:
    return Bench(device_pki)


# -- uncontrolled flow


class Settings:
    """Attributes of a meter, nought where none is given."""

    def __init__(self, numbers: Mapping[int, int]) -> None:
        self._numbers = numbers
        self.published = Published(MemoryStore(), "")

    def number(self, cluster: int, attribute: int) -> int:
        return self._numbers.get(attribute, 0)


@pytest.mark.parametrize(
    ("threshold", "multiplier", "divisor", "tenths", "measuring", "limit"),
    [
        (5, 0, 0, 0, 0, FlowLimit(Fraction(5), 0, 0)),
        (5, 1, 1, 30, 7, FlowLimit(Fraction(5), 3, 7)),
        (5, 3, 2, 31, 7, FlowLimit(Fraction(15, 2), 4, 7)),
        (10, 1, 4, 39, 1, FlowLimit(Fraction(5, 2), 4, 1)),
    ],
)
def test_the_limit_of_flow_is_in_cubic_metres_an_hour_and_begins_after_whole_seconds(
    threshold: int, multiplier: int, divisor: int, tenths: int, measuring: int, limit: FlowLimit
) -> None:
    """GCS24 sets 0B10 to 0B15; a multiplier or divisor of 0 was never set."""
    settings = Settings({0x0B10: threshold, 0x0B12: multiplier, 0x0B13: divisor, 0x0B14: tenths, 0x0B15: measuring})
    assert FlowLimit.read(settings) == limit  # type: ignore[arg-type]


@pytest.mark.parametrize(("litres", "too_much"), [(0, False), (10, False), (11, True)])
def test_flow_is_measured_from_the_settled_second_on_and_must_be_over_the_threshold(litres: int, too_much: bool) -> None:
    """A litre a second is 3.6 cubic metres an hour: ten litres in ten seconds are at the threshold."""
    limit, watch = FlowLimit(Fraction(36, 10), 3, 10), FlowWatch()
    assert (watch.next_moment(0), watch.passed(0, 99, limit)) == (None, False)
    watch.begin(100, limit)
    assert [watch.next_moment(now) for now in (100, 102, 103, 112)] == [103, 103, 113, 113]
    assert [watch.passed(*seen, limit) for seen in ((101, 20), (103, 50), (104, 55), (112, 90))] == [False] * 4
    kept = FlowWatch()
    kept.restore(watch.state())
    for one in (watch, kept):
        assert one.passed(113, 50 + litres, limit) is too_much
        assert (one.next_moment(113), one.passed(114, 500, limit)) == (None, False), "it is over"


@pytest.mark.parametrize("limit", [FlowLimit(Fraction(0), 3, 10), FlowLimit(Fraction(1), 3, 0)])
def test_a_limit_that_was_never_set_measures_nothing(limit: FlowLimit) -> None:
    watch = FlowWatch()
    watch.begin(100, limit)
    assert (watch.next_moment(100), watch.state()) == (None, {"start": None, "end": 0, "total": 0})
    watch.restore({"start": None, "end": None, "total": None})
    assert watch.state() == {"start": None, "end": 0, "total": 0}


# -- network data


def test_a_recording_notes_its_start_and_the_end_of_each_of_its_intervals() -> None:
    sampling = Sampling(1000, 360, 3)
    assert [moment for moment in range(4000) if sampling.takes(moment)] == [1000, 1360, 1720, 2080]
    asked = {0: 1000, 999: 1000, 1000: 1360, 1359: 1360, 1360: 1720, 2079: 2080, 2080: None, 5000: None}
    assert {now: sampling.next_moment(now) for now in asked} == asked


@pytest.mark.parametrize(("interval", "most", "read"), [(360, 41, (360, 41)), (360, 42, (360, 41)), (1, 1, (1, 1)), (0, 0, (1, 41))])
def test_a_recording_has_at_most_forty_one_samples_of_a_second_or_more(interval: int, most: int, read: tuple[int, int]) -> None:
    """SMETS 4.6.5.12."""
    published = Published(MemoryStore(), "")
    assert Sampling.read(published) is None
    fields: dict[str, FieldValue] = {"event": 1, "start": 77, "sample_type": 0, "interval": interval, "max_samples": most}
    published.keep(Component(METERING.id, 0x01, 0, 0x07, METERING.to_server[0x07].encode(fields)), {})
    assert Sampling.read(published) == Sampling(77, *read)


@pytest.mark.parametrize(("count", "values"), [(0, (5, 2, 0)), (2, (5, 2)), (3, (5, 2, 0)), (9, (5, 2, 0))])
def test_samples_are_what_flowed_between_two_readings_of_a_recording(count: int, values: tuple[int, ...]) -> None:
    log, sampling = NetworkLog(MemoryStore(), ""), Sampling(1000, 360, 3)
    assert log.read(None, 0, 0) is ZclStatus.NOT_FOUND
    log.note(Sampling(1, 360, 3), 1, 90)
    log.note(sampling, 1000, 100)
    assert log.read(sampling, 0, 0) is ZclStatus.NOT_FOUND, "the first interval has not ended"
    for number, total in enumerate((105, 107, 107), 1):
        log.note(sampling, 1000 + 360 * number, total)
    answers = log.read(sampling, count, 4)
    assert isinstance(answers, list)
    (answer,) = answers
    assert answer.command == 0x07
    assert METERING.to_client[0x07].decode(answer.payload) == {
        "sample": 2,
        "start": 1000,
        "sample_type": 4,
        "interval": 360,
        "count": len(values),
        "samples": tuple({"value": value} for value in values),
    }


def test_more_readings_than_a_recording_takes_leave_its_last_ones() -> None:
    log, sampling = NetworkLog(MemoryStore(), ""), Sampling(1000, 1, 2)
    for number, total in enumerate((1, 2, 4, 8, 16)):
        log.note(sampling, 1000 + number, total)
    answers = log.read(sampling, 0, 0)
    assert isinstance(answers, list)
    assert METERING.to_client[0x07].decode(answers[0].payload)["samples"] == ({"value": 4}, {"value": 8})


def test_a_recording_that_begins_at_once_has_the_register_of_now_as_its_first_reading(bench: Bench) -> None:
    bench.go(100)
    now = int(bench.gsme.now())
    for start, expected in ((0, now), (now, now), (now + 60, now + 60)):
        answers = tell(bench, METERING, "StartSampling", event=1, start=start, sample_type=0, interval=10, max_samples=3)
        assert [(one.command, one.payload) for one in answers] == [(0x0D, b"\x02\x00")]  # type: ignore[attr-defined]
        assert Sampling.read(bench.gsme.model.published) == Sampling(expected, 10, 3)
    asked: dict[str, FieldValue] = {"sample": 2, "earliest": 1, "sample_type": 0, "count": 0}
    bench.go(69)
    assert tell(bench, METERING, "GetSampledData", **asked) is ZclStatus.NOT_FOUND
    bench.go(1)
    assert told(bench, METERING, "GetSampledData", **asked)["samples"] == ({"value": 10},)


# -- half hours


def test_half_hours_are_read_from_a_time_on_and_so_many(bench: Bench) -> None:
    bench.go(3 * HALF_HOUR_S)
    start = moment("2026-01-01T00:00")
    asked: dict[str, FieldValue] = {"sample": 0, "sample_type": 5}
    for earliest, count, first, number in ((0, 0, 0, 3), (start + 1, 0, 1, 2), (start, 2, 0, 2), (start + 2 * HALF_HOUR_S, 9, 2, 1)):
        assert told(bench, METERING, "GetSampledData", **asked, earliest=earliest, count=count) == {
            "sample": 0,
            "start": start + first * HALF_HOUR_S,
            "sample_type": 5,
            "interval": 1800,
            "count": number,
            "samples": ({"value": 1800},) * number,
        }
    assert tell(bench, METERING, "GetSampledData", **asked, earliest=start + 2 * HALF_HOUR_S + 1, count=0) is ZclStatus.NOT_FOUND
    assert tell(bench, METERING, "GetSampledData", **asked | {"sample": 1}, earliest=0, count=0) is ZclStatus.NOT_FOUND


# -- periods


@pytest.mark.parametrize(
    ("begins", "duration", "unit", "at", "ends"),
    [
        ("2026-01-01T00:00", 1, 0x01, "2026-01-02T00:00", True),
        ("2026-01-01T00:00", 2, 0x01, "2026-01-02T00:00", False),
        ("2026-01-01T00:00", 2, 0x01, "2026-01-03T00:00", True),
        ("2026-01-01T00:00", 1, 0x01, "2026-01-01T00:00", False),
        ("2026-01-02T00:00", 1, 0x01, "2026-01-01T00:00", False),
        ("2026-01-01T00:00", 0, 0x01, "2026-01-02T00:00", True),
        ("2026-01-01T00:00", 1, 0x22, "2026-01-08T00:00", True),
        ("2026-01-01T00:00", 1, 0x22, "2026-01-07T00:00", False),
        ("2026-01-01T00:00", 1, 0x22, "2026-01-02T00:00", False),
        ("2026-01-01T00:00", 2, 0x22, "2026-01-08T00:00", False),
        ("2026-01-01T00:00", 2, 0x22, "2026-01-15T00:00", True),
        ("2026-01-01T00:00", 1, 0x23, "2026-02-01T00:00", True),
        ("2026-01-01T00:00", 1, 0x23, "2026-01-31T00:00", False),
        ("2026-01-01T00:00", 2, 0x23, "2026-02-01T00:00", False),
        ("2026-01-01T00:00", 2, 0x23, "2026-03-01T00:00", True),
        ("2025-11-15T00:00", 3, 0x23, "2026-02-15T00:00", True),
        ("2025-11-15T00:00", 2, 0x23, "2026-02-15T00:00", False),
        ("2025-11-15T00:00", 13, 0x23, "2026-12-15T00:00", True),
        ("2025-11-15T00:00", 12, 0x23, "2026-10-15T00:00", False),
        ("2025-11-15T00:00", 12, 0x23, "2026-11-16T00:00", False),
        ("2026-01-01T06:29", 1, 0x01, "2026-01-02T06:00", True),
        ("2026-01-01T06:30", 1, 0x01, "2026-01-02T06:00", False),
        ("2026-01-01T06:30", 1, 0x01, "2026-01-02T06:30", True),
    ],
)
def test_a_period_ends_after_its_days_weeks_or_months_at_the_half_hour_it_began(
    bench: Bench, begins: str, duration: int, unit: int, at: str, ends: bool
) -> None:
    """RTDS GCS21d, GCS21k: 22 stands for weeks, 23 for months; 1 is days."""
    logs = bench.gsme.model.logs
    given: dict[str, FieldValue] = {"provider": 0, "event": 1, "start": moment(begins), "duration": duration, "duration_type": unit}
    for_blocks: dict[str, FieldValue] = {"control": 0, "resolution": 0}
    for name, command, more in (("PublishBillingPeriod", 0x09, {}), ("PublishBlockPeriod", 0x01, for_blocks)):
        assert not logs._ends(command, moment(at))
        tell(bench, PRICE, name, **given, **more, tariff_type=0)
        assert logs._ends(command, moment(at)) is ends


def test_only_the_end_of_a_billing_or_block_period_lets_the_blocks_begin_anew(bench: Bench) -> None:
    logs = bench.gsme.model.logs
    assert logs.half_hour(moment("2026-01-02T00:00")) is False
    period: dict[str, FieldValue] = {"provider": 0, "event": 1, "start": moment("2026-01-01T00:00"), "duration": 2, "duration_type": 1}
    tell(bench, PRICE, "PublishBillingPeriod", **period, tariff_type=0)
    assert [logs.half_hour(moment(f"2026-01-0{day}T00:00")) for day in (2, 3, 4)] == [False, True, False]


# -- logs


@pytest.mark.clause("RTDS GCS16a")
def test_a_snapshot_of_the_registers_is_told_with_its_place_among_those_that_were_asked_for(bench: Bench) -> None:
    bench.do(TARIFF, *calendar(5, 0, {1: [(0, 1), (60, 2)]}, (1,) * 7), *prices(10, 20))
    start = moment("2026-01-01T00:00")
    for _ in range(3):
        bench.go(DAY_S)
    asked: dict[str, FieldValue] = {"cause": 1}
    for first, last, offset, found, day in (
        (0, FOREVER, 0, 3, 1),
        (0, FOREVER, 2, 3, 3),
        (start + DAY_S, start + 2 * DAY_S, 1, 2, 2),
        (start + DAY_S + 1, start + 2 * DAY_S, 0, 1, 2),
        (start + DAY_S, start + 2 * DAY_S - 1, 0, 1, 1),
    ):
        answers = tell(bench, METERING, "GetSnapshot", **asked, **{"from": first, "to": last, "offset": offset})
        assert isinstance(answers, list)
        (answer,) = answers
        six = [value.to_bytes(6, "little") for value in (day * DAY_S, day * HOUR_S, day * 23 * HOUR_S, 0, 0, 0, 0, 0, 0)]
        head = offset.to_bytes(4, "little") + (start + day * DAY_S).to_bytes(4, "little") + bytes((found, 0, 1)) + b"\1\0\0\0\6"
        body = six[0] + b"\x04" + b"".join(six[1:5]) + b"\x04" + b"".join(six[5:])
        assert (answer.command, answer.payload) == (0x06, head + body)
    for offset in (3, 4):
        assert tell(bench, METERING, "GetSnapshot", **asked, **{"from": 0, "to": FOREVER, "offset": offset}) is ZclStatus.NOT_FOUND
    assert tell(bench, METERING, "GetSnapshot", cause=2, **{"from": 0, "to": FOREVER, "offset": 0}) is ZclStatus.NOT_FOUND


@pytest.mark.clause("RTDS GCS16b")
def test_a_snapshot_of_the_balances_has_each_debt_and_credit_in_its_place(bench: Bench) -> None:
    bench.prepay()
    account = bench.gsme.metering.account
    account.accumulated, account.balance, account.emergency, account.emergency_active = Fraction(11), Fraction(-66), Fraction(55), True
    account.time_debts, account.payment_debt = [Fraction(22), Fraction(33)], 44
    bench.gsme.model.logs.changed(1 << 3)
    answers = tell(bench, PREPAYMENT, "GetPrepaySnapshot", cause=1 << 3, **{"from": 0, "to": FOREVER, "offset": 0})
    assert isinstance(answers, list)
    (answer,) = answers
    amounts = b"".join(value.to_bytes(4, "little", signed=True) for value in (11, 22, 33, 44, 55, -66))
    head = bytes(4) + moment("2026-01-01T00:00").to_bytes(4, "little") + bytes((1, 0, 1)) + b"\x08\0\0\0\0"
    assert (answer.command, answer.payload) == (0x01, head + amounts)


@pytest.mark.clause("RTDS GCS15d, GCS15e")
def test_top_ups_and_payments_of_debt_are_told_between_two_times_the_newest_first(bench: Bench) -> None:
    bench.prepay()
    bench.owe(5, 3 * POUND, share=1000)
    times, pounds = [], (1, 2, 3)
    for number in pounds:
        bench.go(60)
        times.append(int(bench.gsme.now()))
        bench.top_up(number)
    cases = [
        ({"latest_end": FOREVER, "count": 0}, None, [3, 2, 1]),
        ({"latest_end": FOREVER, "count": 2}, None, [3, 2]),
        ({"latest_end": times[1], "count": 0}, None, [2, 1]),
        ({"latest_end": times[1] - 1, "count": 0}, None, [1]),
        ({"latest_end": FOREVER, "count": 0}, times[1], [3, 2]),
        ({"latest_end": FOREVER, "count": 0}, times[1] + 1, [3]),
    ]
    for asked, since, numbers in cases:
        log = told(bench, PREPAYMENT, "GetTopUpLog", since=since, **asked)  # type: ignore[arg-type]
        assert (log["command_index"], log["command_count"]) == (0, 1)
        assert [(one["amount"], one["time"]) for one in log["top_ups"]] == [(n * POUND, times[n - 1]) for n in numbers]  # type: ignore[union-attr,misc]
        paid = told(bench, PREPAYMENT, "GetDebtRepaymentLog", since=since, debt_type=2, **asked)  # type: ignore[arg-type]
        assert (paid["command_index"], paid["command_count"]) == (0, 1)
        assert [(one["amount"], one["time"], one["debt_type"]) for one in paid["payments"]] == [  # type: ignore[union-attr,misc]
            (n * POUND // 10, times[n - 1], 2) for n in numbers
        ]
    early: dict[str, FieldValue] = {"latest_end": times[0] - 1, "count": 0}
    assert tell(bench, PREPAYMENT, "GetTopUpLog", **early) is ZclStatus.NOT_FOUND
    assert tell(bench, PREPAYMENT, "GetDebtRepaymentLog", debt_type=1, latest_end=FOREVER, count=0) is ZclStatus.NOT_FOUND


# -- tariff


@pytest.mark.parametrize(
    ("value", "digit", "factor", "factor_digit", "kwh"),
    [
        (395, 0x10, 100_000, 0x50, Fraction(395, 36)),
        (36, 0x10, 102_264, 0x50, Fraction(102_264, 100_000)),
        (3600, 0x30, 1, 0x00, Fraction(1)),
        (36, 0x1F, 1, 0x0F, Fraction(1)),
    ],
)
def test_a_cubic_metre_has_its_calorific_value_times_the_conversion_factor(
    value: int, digit: int, factor: int, factor_digit: int, kwh: Fraction
) -> None:
    """The upper four bits of a trailing digit count decimals; 3.6 MJ are a kWh."""
    settings = Settings({0x0302: factor, 0x0303: factor_digit, 0x0304: value, 0x0306: digit})
    assert kwh_per_cubic_metre(settings) == kwh


@pytest.mark.parametrize(
    ("unit", "multiplier", "divisor", "thresholds", "litres"),
    [
        (0, 1, 1000, (2000, 0, 0), (1000,)),
        (0, 1, 1000, (2001, 4000, 6000), (1001, 2000, 3000)),
        (0, 3, 1, (2, 0, 0), (3000,)),
        (0, 0, 0, (2, 0, 0), (1000,)),
        (1, 1, 1000, (2000, 0, 0), (2000,)),
        (1, 1, 0, (2, 5, 9), (2000, 5000, 9000)),
    ],
)
def test_block_thresholds_are_litres_of_the_kwh_or_cubic_metres_that_the_tariff_counts(
    unit: int, multiplier: int, divisor: int, thresholds: tuple[int, int, int], litres: tuple[int, ...]
) -> None:
    """With 2 kWh a cubic metre. A multiplier or divisor that was never set is 1; parts of a litre count as one."""
    numbers = {0x0302: 1, 0x0304: 72, 0x0306: 0x10, 0x0202: multiplier, 0x0203: divisor, 0x0615: unit, 0x0617: 0x50}
    settings = Settings(numbers | {0x0100 + place: value for place, value in enumerate(thresholds)})
    assert read_tariff(settings).thresholds == (litres,)


def test_prices_are_of_four_rates_by_time_of_use_and_of_four_blocks_by_block() -> None:
    """With 2 kWh a cubic metre and prices of five decimals of a pound, thousandths of a penny."""
    numbers = {0x0302: 1, 0x0304: 72, 0x0306: 0x10, 0x0617: 0x50, 0x0301: 7}
    numbers |= {0x0400 + place: 10 + place for place in range(5)} | {0x0400 + 0x10 * tier: 20 + tier for tier in range(1, 6)}
    settings = Settings(numbers)
    tariff = read_tariff(settings)
    assert (dict(tariff.prices), tariff.standing_charge) == ({1: 42, 2: 44, 3: 46, 4: 48}, 7)
    (_, _, fields), *_ = prices(1, thresholds=(1,))
    information = PRICE.command_named("PublishTariffInformation")
    for scheme, by_block in ((0x10, True), (0x1F, True), (0x20, False), (0x00, False)):
        octets = information.encode({**fields, "type_and_scheme": scheme})
        settings.published.keep(Component(PRICE.id, 0x09, 0, information.id, octets), {})
        expected = {0xA1: 20, 0xB1: 22, 0xC1: 24, 0xD1: 26} if by_block else {1: 42, 2: 44, 3: 46, 4: 48}
        tariff = read_tariff(settings)
        assert dict(tariff.prices) == expected
        assert tariff.table.at(0)[0] == (101 if by_block else 1)


@pytest.mark.parametrize(
    ("blocks", "tier", "price"), [((), 1, 10), ((), 2, 20), ((1, 2, 3), 0, 10)], ids=["first rate", "second rate", "first block"]
)
def test_the_price_of_now_is_that_of_the_rate_or_block_in_use(bench: Bench, blocks: tuple[int, ...], tier: int, price: int) -> None:
    bench.do(TARIFF, *calendar(5, 0, {1: [(0, 1), (60, 2)]}, (1,) * 7), *prices(10, 20, 30, 40, thresholds=blocks))
    bench.go(HOUR_S - 1 if tier != 2 else HOUR_S)
    now = int(bench.gsme.now())
    bench.gsme.metering.account.balance = Fraction(0)
    bench.load = lambda half_hour: 0
    answer = told(bench, PRICE, "GetCurrentPrice", options=0)
    if blocks:
        price = 10 + 10 * bench.gsme.metering.block()
    assert {name: answer[name] for name in ("provider", "rate_label", "tiers_and_register_tier")} == {
        "provider": 0,
        "rate_label": b"",
        "tiers_and_register_tier": 0,
    }
    assert (answer["event"], answer["current_time"], answer["start"], answer["duration"]) == (now, now, now, 0xFFFF)
    assert (answer["unit"], answer["currency"], answer["trailing_digit_and_tier"], answer["price"]) == (0, 826, 0x50 | tier, price)


# -- calendars


@pytest.mark.parametrize(
    ("moment_of", "script"),
    [
        ("2026-01-05T07:59", 3),
        ("2026-01-05T08:00", 1),
        ("2026-01-05T18:30", 3),
        ("2026-01-10T12:00", 2),
        ("2026-01-11T12:00", 2),
        ("2026-01-06T12:00", 4),
        ("2026-06-30T12:00", 1),
        ("2026-07-01T12:00", 2),
    ],
)
def test_a_calendar_of_zigbee_is_read_day_by_day(device_pki: Keystore, moment_of: str, script: int) -> None:
    """Rate 3 until 08:00 and from 18:30, 1 between; 2 on Saturday and Sunday and in the season from July; 4 on 6 January, each year."""
    bench = Bench(device_pki, start=datetime(2026, 1, 1, tzinfo=UTC))
    days = {1: [(0, 3), (480, 1), (1110, 3)], 2: [(0, 2)], 3: [(0, 4)]}
    parts = calendar(5, 0, days, (1, 1, 1, 1, 1, 2, 2), {3: b"\xff\x01\x06\xff"})
    issued: dict[str, FieldValue] = {**ISSUED, "calendar": 5}
    week = (CALENDAR, "PublishWeekProfile", {**issued, "week": 2, "days": ({"day": 2},) * 7})
    starts = ({"date": b"\xff\x01\x01\xff", "week": 1}, {"date": b"\x7e\x07\x01\xff", "week": 2})
    seasons = (CALENDAR, "PublishSeasons", {**issued, "command_index": 0, "command_count": 1, "seasons": starts})
    bench.do(TARIFF, *parts, week, seasons, *prices(1, 2, 3, 4))
    assert bench.gsme.metering.settings.tariff.table.at(moment(moment_of))[0] == script


# -- valve, events, case


@pytest.mark.clause("RTDS GCS32, GCS39")
def test_the_valve_is_closed_or_armed_by_a_command_and_never_opened(bench: Bench) -> None:
    given: dict[str, FieldValue] = {"provider": 7, "event": 8, "requested": 9, "implementation": 10, "control": 0}
    for status, valve in ((0, Valve.OFF), (1, Valve.ARMED)):
        answer = told(bench, METERING, "ChangeSupply", **given, status=status)
        assert bench.gsme.valve is valve
        assert answer == {**{name: given[name] for name in ("provider", "event", "implementation")}, "status": status}
    for status in (2, 3):
        assert tell(bench, METERING, "ChangeSupply", **given, status=status) is ZclStatus.INVALID_FIELD
    assert bench.gsme.valve is Valve.ARMED


@pytest.mark.clause("RTDS GCS20")
def test_the_configuration_of_one_event_or_of_its_whole_group_is_read(bench: Bench) -> None:
    def read(event: int) -> bytes:
        answers = tell(bench, DEVICE_MANAGEMENT, "GetEventConfiguration", event=event)
        assert isinstance(answers, list)
        assert answers[0].command == 0x04
        return bytes(answers[0].payload)

    events: FieldValue = ({"event": 0x8145}, {"event": 0x8F1F})
    tell(bench, DEVICE_MANAGEMENT, "SetEventConfiguration", event=1, start=0, configuration=0x0B, control=0, count=2, events=events)
    assert (read(0x8145), read(0x8146)) == (b"\x00\x01\x45\x81\x0b", b"\x00\x01\x46\x81\x00")
    group = read(0x81FF)[2:]
    entries = {group[at] | group[at + 1] << 8: group[at + 2] for at in range(0, len(group), 3)}
    assert {code >> 8 for code in entries} == {0x81}
    assert [code for code, configuration in entries.items() if configuration] == [0x8145]
    assert (bench.gsme.model.event_configuration(0x8F1F), bench.gsme.model.event_configuration(0x8F20)) == (0x0B, None)


def codes_of(bench: Bench, codes: Iterable[int]) -> list[int]:
    return [code for code in bench.codes() if code in set(codes)]


@pytest.mark.clause("SMETS 4.4.8")
def test_a_battery_is_told_as_low_once_it_falls_under_a_year_and_reset_by_a_new_one(bench: Bench) -> None:
    low, reset = 0x8F1F, 0x8F82
    hardware = bench.gsme.hardware
    assert hardware.battery_days == 3650
    for days, told_low in ((366, 0), (365, 0), (364, 1), (300, 1), (365, 1), (364, 2)):
        hardware.wear(days)
        assert (hardware.battery_days, len(codes_of(bench, [low]))) == (days, told_low)
    hardware.change_battery()
    assert (hardware.battery_days, len(codes_of(bench, [reset]))) == (3650, 1)


@pytest.mark.parametrize(("state", "locked"), [(0, True), (3, False)])
def test_a_meter_that_is_tampered_with_locks_its_valve_once_where_its_tamper_state_says_so(bench: Bench, state: int, locked: bool) -> None:
    """Reference smets-mapping, GCS24a: 0 locks, 3 leaves the supply as it is."""
    bench.gsme.model.set(METERING.id, 0x0607, state)
    for _ in range(2):
        bench.gsme.hardware.tamper(Tampering.METER_COVER)
    assert (bench.gsme.valve is Valve.OFF) is locked
    assert len(codes_of(bench, [0x81BE])) == (1 if locked else 0)


def test_a_change_of_payment_mode_is_answered_with_the_emergency_credit_that_is_set(bench: Bench) -> None:
    """No friendly credit is told: its calendar is published (RTDS GCS05)."""
    bench.emergency(5 * POUND, POUND)
    asked: dict[str, FieldValue] = {**ISSUED, "implementation": 0, "configuration": 0x0C97, "cut_off_value": 0}
    assert told(bench, PREPAYMENT, "ChangePaymentMode", **asked) == {
        "friendly_credit": 0,
        "friendly_credit_calendar": 0,
        "emergency_limit": 5 * POUND,
        "emergency_threshold": POUND,
    }
