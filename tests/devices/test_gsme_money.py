"""A gas meter's money: rates and blocks, prices, debts, emergency credit, the valve, a month to the penny and the litre, power cuts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from device_home import PARTIES, SUPPLIER, Home, Scene
from memory_han import MemoryHan
from meter_bench import Hand

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage, DeviceType
from firmware_emu.device.joining import HubTime
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.alerts import GbzAlert
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.payload import decode_payload
from firmware_emu.gbcs.use_cases import by_code
from firmware_emu.gbcs.utrn import make_utrn
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Record, Trace
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.metering import GB_SNAPSHOT, METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue
from hil.devices import Gsme, Valve
from hil.devices.registers import DAY_S, HOUR_S, boiler

GSME = Eui64.parse("00db1234567890a1")
PENNY, POUND = 1000, 100_000
KWH_A_LITRE = Fraction(395, 10) * Fraction(102264, 100_000) / Fraction(36, 10) / 1000
"""What the test publishes: 39.5 MJ a cubic metre, conversion factor 1.02264."""
TARIFF, MODE, DEBT, CONFIGURATION, ADJUST, SUPPLY = 0x006B, 0x006D, 0x006E, 0x006F, 0x0086, 0x0081
CREDIT, PREPAY = 0x0C94, 0x0C97
SUMMATION, TIERS, BLOCKS = (0x0702, 0x0000), (0x0100, 0x0102, 0x0104, 0x0106), (0x0700, 0x0701, 0x0702, 0x0703)
ISSUED: dict[str, FieldValue] = {"provider": 0, "event": 1}
Part = tuple[Cluster, str, dict[str, FieldValue]]


class Bench:
    """A gas meter without a radio, its supplier, and a clock that is set by hand. A litre a second flows unless said otherwise."""

    def __init__(
        self, pki: Keystore, load: Callable[[int], int] = lambda half_hour: 3600, start: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        self.pki, self.load, self.store = pki, load, MemoryStore()
        self.clock = Hand(start)
        self.records: list[Record] = []
        self.counter = 0
        self.build()
        self.do(0x0000, (PRICE, "PublishCalorificValue", {"event": 1, "start": 0, "value": 395, "unit": 1, "trailing_digit": 0x10}))

    def build(self) -> None:
        """A meter that finds this store: the first time a new one, later the same after a restart of its software."""
        trace = Trace(self.clock.now)
        trace.subscribe(self.records.append)
        node = MemoryHan(GSME).node(GSME)
        self.gsme = Gsme(GSME, InstallCode(bytes(16)), self.pki, node, self.clock, trace, PARTIES, store=self.store, load=self.load)

    def do(self, code: int, *parts: Part) -> list[Component]:
        """One Command of these components; every default response must be SUCCESS."""
        components = []
        for number, (cluster, name, fields) in enumerate(parts):
            command = cluster.command_named(name)
            from_server = cluster.to_client.get(command.id) is command
            components.append(Component(cluster.id, 0x09 if from_server else 0x01, number, command.id, command.encode(fields)))
        self.counter += 1
        header = GroupingHeader(CraFlag.COMMAND, self.counter, SUPPLIER, GSME, OtherInformation(code))
        message = Message(header, Gbz(tuple(components)).encode())
        answers = list(Gbz.decode(self.gsme.execute(by_code(code) if code else by_code(TARIFF), message)).components)
        assert all(one.command != 0x0B or one.payload[-1] == 0 for one in answers), answers
        return answers

    def go(self, seconds: int) -> None:
        self.clock.moved += seconds
        self.gsme.update()

    def read(self, cluster: int, attribute: int) -> int:
        return self.gsme.model.number(cluster, attribute)

    def all(self, attributes: tuple[int, ...]) -> list[int]:
        return [self.read(0x0702, attribute) for attribute in attributes]

    @property
    def balance(self) -> Fraction:
        self.gsme.update()
        return self.gsme.metering.account.balance

    def prepay(self, configuration: int = PREPAY, cut_off: int = 0) -> None:
        self.do(MODE, (PREPAYMENT, "ChangePaymentMode", {
            **ISSUED, "implementation": 0, "configuration": configuration, "cut_off_value": cut_off}))

    def adjust(self, amount: int, kind: int = 0) -> None:
        self.do(ADJUST, (PREPAYMENT, "CreditAdjustment", {"event": 1, "start": 0, "adjustment_type": kind, "value": amount}))

    def top_up(self, pounds: int) -> dict[str, FieldValue]:
        secret = self.pki.shared_secret(SUPPLIER, GSME, CellUsage.PREPAYMENT_TOP_UP)
        self.counter += 1
        utrn = make_utrn(secret, supplier=SUPPLIER, meter=GSME, counter=self.counter << 32, value=pounds)
        (answer,) = self.do(DEBT, (PREPAYMENT, "ConsumerTopUp", {"originating_device": 0, "code": utrn.encode()}))
        return PREPAYMENT.to_client[0x03].decode(answer.payload)

    def owe(self, kind: int, amount: int, *, rate: int = 0, frequency: int = 0, share: int = 0) -> None:
        self.do(DEBT, (PREPAYMENT, "ChangeDebt", {
            "event": 1, "label": b"", "amount": amount, "recovery_method": 0, "amount_type": kind, "recovery_start": 0,
            "collection_time": 0, "recovery_frequency": frequency, "recovery_amount": rate, "balance_percentage": share}))

    def emergency(self, limit: int, threshold: int) -> None:
        self.do(CONFIGURATION, (PREPAYMENT, "EmergencyCreditSetup", {"event": 1, "start": 0, "limit": limit, "threshold": threshold}))

    def alerts(self) -> list[int]:
        """Codes of the alerts that wait to be sent, which are taken away."""
        found = []
        while (waiting := self.gsme.outbox.first()) is not None:
            self.gsme.outbox.done(waiting[0])
            alert = decode_payload(Message.decode(waiting[1]))
            assert isinstance(alert, GbzAlert)
            found.append(alert.alert_code)
        return found

    def codes(self) -> list[int]:
        return [entry.code for log in self.gsme.gbcs.logs.values() for entry in log.entries()]


def calendar(
    identifier: int, kind: int, days: dict[int, list[tuple[int, int]]], week: tuple[int, ...], specials: dict[int, bytes] | None = None,
) -> list[Part]:
    issued: dict[str, FieldValue] = {**ISSUED, "calendar": identifier}
    once: dict[str, FieldValue] = {"command_index": 0, "command_count": 1}
    profiles: list[Part] = [(CALENDAR, "PublishDayProfile", {
        **issued, **once, "day": number, "total": len(entries), "calendar_type": kind,
        "entries": tuple({"minute": minute, "value": value} for minute, value in entries)}) for number, entries in days.items()]
    return [
        (CALENDAR, "PublishCalendar", {
            **issued, "start": 0, "calendar_type": kind, "time_reference": 0, "name": b"", "seasons": 1, "weeks": 1, "days": len(days)}),
        *profiles,
        (CALENDAR, "PublishWeekProfile", {**issued, "week": 1, "days": tuple({"day": day} for day in week)}),
        (CALENDAR, "PublishSeasons", {**issued, **once, "seasons": ({"date": b"\xff\x01\x01\xff", "week": 1},)}),
        (CALENDAR, "PublishSpecialDays", {
            **issued, **once, "start": 0, "calendar_type": kind, "total": len(specials or {}),
            "days": tuple({"date": octets, "day": day} for day, octets in (specials or {}).items())}),
    ]


def prices(*amounts: int, standing: int = 0, start: int = 0, thresholds: tuple[int, ...] = ()) -> list[Part]:
    """A tariff by time of use, or by block where there are thresholds (kWh)."""
    blocks = bool(thresholds)
    issued: dict[str, FieldValue] = {**ISSUED, "tariff": 1, "start": start}
    parts: list[Part] = [(PRICE, "PublishTariffInformation", {
        **issued, "type_and_scheme": 0x10 * blocks, "label": b"", "price_tiers": 0 if blocks else len(amounts),
        "block_thresholds": len(thresholds), "unit": 0, "currency": 826, "trailing_digit": 0x50, "standing_charge": standing,
        "tier_block_mode": 0xFF, "multiplier": 1, "divisor": 1000})]
    if blocks:
        parts.append((PRICE, "PublishBlockThresholds", {
            **issued, "command_index": 0, "command_count": 1, "control": 1, "tiers": (
                {"count": len(thresholds), "thresholds": tuple({"threshold": 1000 * kwh} for kwh in thresholds)},)}))
    parts.append((PRICE, "PublishPriceMatrix", {
        **issued, "command_index": 0, "command_count": 1, "sub_payload": 0 if blocks else 1,
        "prices": tuple({"tier_block": number, "price": price} for number, price in enumerate(amounts, start=not blocks))}))
    return parts


@pytest.fixture
def bench(device_pki: Keystore) -> Bench:
    return Bench(device_pki)


WEEKENDS = calendar(5, 0, {1: [(0, 1)], 2: [(0, 2)], 3: [(0, 3)]}, (1, 1, 1, 1, 1, 2, 2), {3: b"\x7e\x01\x05\xff"})
"""Rate 1 on working days, 2 at week ends, 3 on 5 January 2026, a Monday."""


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
    bench.do(0x007E, (PRICE, "PublishBlockPeriod", {
        **ISSUED, "start": int(bench.gsme.now()), "duration": 1, "control": 2, "duration_type": 0x21, "tariff_type": 0, "resolution": 1}))
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


@pytest.mark.parametrize(("configuration", "in_emergency", "disabled"), [
    (0x0497, False, False), (0x0097, False, True), (0x0C97, True, False), (0x0897, True, True)])
@pytest.mark.clause("reference smets 3: SuspendDebtEmergency, SuspendDebtDisabled")
def test_debt_recovery_is_suspended_as_the_payment_mode_says(
    bench: Bench, configuration: int, in_emergency: bool, disabled: bool,
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
    assert (bench.read(0x0705, 0x0005) == 120_000) is disabled


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
    assert bench.read(0x0705, 0x0002) == 0
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
    bench.do(CONFIGURATION, (PREPAYMENT, "SetMaximumCreditLimit", {
        **ISSUED, "implementation": 0, "max_level": 30 * POUND, "max_per_top_up": 20 * POUND}))
    assert [bench.top_up(pounds)["result"] for pounds in (21, 20, 11, 10)] == [6, 0, 4, 0]
    assert bench.balance == 30 * POUND


def test_an_event_is_told_as_it_was_configured(bench: Bench) -> None:
    bench.do(0x00AD, (DEVICE_MANAGEMENT, "SetEventConfiguration", {
        "event": 1, "start": 0, "configuration": 0x08, "control": 0, "count": 1, "events": ({"event": 0x81A8},)}))
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


def test_a_month_adds_up_to_the_penny_and_the_litre(device_pki: Keystore) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    bench = Bench(device_pki, boiler, begin)
    bench.do(TARIFF, *WEEKENDS, *prices(9_613, 10_207, 10_751, standing=22_465))
    bench.adjust(900 * POUND)
    bench.prepay()
    bench.owe(1, 30 * POUND, rate=71_003, frequency=1)
    bench.owe(5, 10 * POUND, share=2500)
    change = datetime(2026, 1, 20, 6, tzinfo=UTC)
    when = int((change - EPOCH).total_seconds())
    bench.do(TARIFF, *prices(11_111, 13_131, start=when, standing=31_000, thresholds=(200,)))

    litres, cost, debt, owed, credit = [0, 0, 0], Fraction(0), 30 * POUND, 10 * POUND, 900 * POUND
    in_blocks, threshold = 0, -(-(200 * KWH_A_LITRE.denominator) // KWH_A_LITRE.numerator)
    for number in range(31):
        today = date(2026, 1, 1) + timedelta(days=number)
        rate = 2 if today == date(2026, 1, 5) else int(today.weekday() >= 5)
        for half_hour in range(48):
            flow = boiler(half_hour) // 2
            if (today, half_hour) < (change.date(), 12):
                litres[rate] += flow
                cost += flow * KWH_A_LITRE * (9_613, 10_207, 10_751)[rate]
            else:
                cheap = max(0, min(flow, threshold - in_blocks))
                cost += (cheap * 11_111 + (flow - cheap) * 13_131) * KWH_A_LITRE
                in_blocks += flow
        cost += 22_465 if today < change.date() else 31_000  # at the midnight that ends the day
        paid = min(debt, 71_003)
        debt -= paid
        cost += paid
        bench.go(DAY_S)
        if today.weekday() == 2:
            bench.top_up(20)
            share = min(owed, 5 * POUND)
            owed -= share
            credit += 20 * POUND - share

    assert bench.balance == credit - cost
    assert bench.all(TIERS) == [*litres, 0]
    assert bench.all(BLOCKS) == [threshold, in_blocks - threshold, 0, 0]
    assert bench.read(*SUMMATION) == sum(litres) + in_blocks == 31 * sum(boiler(half_hour) for half_hour in range(48)) // 2
    assert (bench.read(0x0705, 0x0211), bench.read(0x0705, 0x0231)) == (debt, owed)
    assert sum(period.amount for period in bench.gsme.register.profile) == bench.read(*SUMMATION)


SNAPSHOT: dict[str, FieldValue] = {
    "summation": 3 * DAY_S, "tiers": 4, "tier_summations": ({"value": 2 * DAY_S}, {"value": DAY_S}, {"value": 0}, {"value": 0}),
    "tiers_and_blocks": 4, "block_summations": ({"value": 0},) * 4,
}
"""What Saturday's end finds."""


def shown(bench: Bench) -> list[object]:
    """All that must survive."""
    metering = bench.gsme.metering
    return [
        bench.all(TIERS), bench.all(BLOCKS), bench.read(*SUMMATION), metering.account.state(), metering.bill, metering.valve,
        list(bench.gsme.register.profile), list(bench.gsme.register.snapshots), bench.gsme.register.today,
    ]


@pytest.mark.clause("SMETS 4.6.5.7")
def test_a_daily_snapshot_tells_the_rates(bench: Bench) -> None:
    bench.do(TARIFF, *WEEKENDS, *prices(10_000, 20_000, 30_000))
    bench.go(3 * DAY_S)
    asked = METERING.to_server[0x06].encode({"from": 0, "to": 0xFFFFFFFE, "offset": 2, "cause": 1})
    answers = bench.gsme.model.logs.snapshot(Component(METERING.id, 0x01, 0, 0x06, asked))
    assert isinstance(answers, list)
    (answer,) = answers
    found = METERING.to_client[0x06].decode(answer.payload)
    assert found["total_found"] == 3
    body = answer.payload[-len(GB_SNAPSHOT.encode(dict(SNAPSHOT))):]
    assert GB_SNAPSHOT.decode(body) == SNAPSHOT


def test_a_clock_that_is_set_moves_the_count_and_nothing_flows_or_is_lost_by_it(bench: Bench) -> None:
    bench.go(HOUR_S)
    bench.gsme.hub_time = HubTime(600, True)  # the hub's clock is ten minutes ahead of the bench's
    assert bench.gsme.set_clock(0, bench.gsme.now() + 1000)
    bench.gsme.update()
    assert round(bench.gsme.clock_offset) == 600
    assert bench.read(*SUMMATION) == HOUR_S
    bench.go(60)
    assert bench.read(*SUMMATION) == HOUR_S + 60


def test_a_battery_taken_out_stops_the_count_and_put_in_again_all_is_there(at_home: Scene) -> None:
    async def scene(home: Home) -> None:
        gsme = Gsme(*home.parts(DeviceType.GSME))
        await gsme.start()
        await home.clock.go(HOUR_S)
        gsme.power(False)
        total = gsme.register.total
        assert gsme.metering.tiers() == (total, 0, 0, 0)
        assert total > 0
        await home.clock.go(DAY_S)
        gsme.power(True)
        assert (gsme.register.total, gsme.metering.tiers()[0]) == (total, total)
        await home.clock.go(HOUR_S)
        gsme.update()
        assert gsme.register.total == gsme.metering.tiers()[0] > total
        await gsme.stop()

    at_home(scene)


def test_a_power_cut_and_a_restart_lose_nothing_and_count_nothing_between(bench: Bench) -> None:
    bench.do(TARIFF, *WEEKENDS, *prices(10_000, 20_000, 30_000, standing=5_000))
    bench.adjust(2000 * POUND)
    bench.prepay()
    bench.owe(3, 5000 * POUND, rate=50, frequency=0)
    bench.go(3 * DAY_S + 777)
    before = shown(bench)
    bench.build()
    assert shown(bench) == before
    tiers, total = bench.all(TIERS), bench.read(*SUMMATION)
    bench.clock.moved += HOUR_S
    bench.build()
    assert (bench.all(TIERS), bench.read(*SUMMATION)) == (tiers, total), "nobody knows what flowed meanwhile"
    bench.go(100)
    assert bench.read(*SUMMATION) == total + 100


def test_a_valve_that_was_closed_for_lack_of_credit_stays_so_over_a_restart_and_is_armed_by_credit(bench: Bench) -> None:
    bench.do(TARIFF, *prices(10_000))
    bench.prepay()
    bench.go(HOUR_S)
    assert bench.gsme.valve is Valve.OFF
    bench.build()
    assert bench.gsme.valve is Valve.OFF
    total = bench.gsme.register.total
    bench.go(HOUR_S)
    assert bench.gsme.register.total == total
    bench.top_up(10)
    assert bench.gsme.valve is Valve.ARMED


def test_a_command_that_fails_leaves_the_account_as_it_was(bench: Bench) -> None:
    bench.adjust(POUND)

    def fail() -> None:
        with bench.store.transaction():
            bench.adjust(POUND)
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()
    assert bench.balance == POUND
