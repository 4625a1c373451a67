"""A simulated year of a whole home: every log at its depth, energy to the watt-hour and the litre, money to the penny.

``--long`` lives the year; without it three weeks are lived, in which summer time comes and rates give way to blocks.

The clocks of the meters drift, summer time comes and goes, tariffs switch late by the meter's randomised offset, and the gas meter stands
below 1 GHz and moves with its hub to another channel.

The sums are made here from the loads and the settings, with nothing of the Devices' own reckoning. Between midnight and half past nothing
is used, so that the reads of the last night agree with each other.
"""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from firmware_emu.crypto.roles import CellUsage
from firmware_emu.device import top_up
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.gbcs.utrn import make_utrn
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from hil.dcc.duis.document import Content, new_request
from hil.devices import LoadSwitch, Valve
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S, HOUR_S
from hil.parse_correlate import Parsed, Value, ZclCommand
from hil.parse_correlate.message.dlms import AccessResponse
from tests.e2e.year_home import QUIET_CHANNEL, YearHome, seconds
from tests.e2e.year_ledger import (
    BLOCKS,
    CHANGE_TO_BLOCKS,
    GAS_BLOCKS,
    GAS_RATES,
    GAS_STANDING,
    GAS_TOP_UP,
    OFFSET_LIMIT_S,
    POUND,
    RATES,
    STANDING,
    THRESHOLD_KWH,
    THRESHOLD_WH,
    TOP_UP,
    WEEKS,
    WHOLE,
    Ledger,
    Span,
    dearer,
    gas_of_day,
    litres,
    midnight,
    power_of_day,
    watts,
)
from tests.e2e.year_settings import VOLTAGE, debts, gas_tariff, period, power_limits, power_tariff, prepayment, switch_calendar

DEPTH = 19_056
"""Half hours that are kept: 397 days."""
LOCAL_DAYS = {
    date(2026, 3, 30): (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 29, 23, tzinfo=UTC)),
    date(2026, 6, 2): (datetime(2026, 5, 31, 23, tzinfo=UTC), datetime(2026, 6, 1, 23, tzinfo=UTC)),
    date(2026, 10, 26): (datetime(2026, 10, 24, 23, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC)),
}
"""Days on which the IHD is looked at, and the local day before: as summer time comes, in summer, and as it goes."""


class Year:
    """The year as it was lived: the home, and the two ledgers beside it."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.home = YearHome(
            span.start,
            lambda half_hour: watts(self.day_of(half_hour), half_hour),
            lambda half_hour: litres(self.day_of(half_hour), half_hour),
        )
        self.power = Ledger(Fraction(250 * POUND), 70 * POUND, 90 * POUND)
        self.gas = Ledger(Fraction(400 * POUND), 60 * POUND, 80 * POUND)
        self.answers: dict[tuple[str, str], list[Parsed]] = {}
        self.offset = round(Fraction(OFFSET_LIMIT_S * self.home.esme.offset_number, 10_000))
        self.shown: dict[date, int] = {}
        """Consumption of the day before as the IHD showed it, in Wh."""

    def day_of(self, half_hour: int) -> date:
        """The day whose half hour is asked for: the last one that has begun. Clocks of meters are up to a second off."""
        now = self.home.clock.datetime() + timedelta(seconds=2)
        begun = now.hour * 2 + now.minute // 30 >= half_hour
        return now.date() if begun else now.date() - timedelta(days=1)

    async def live(self, home: YearHome) -> None:
        """A year: settings first, then each week's and each month's doings."""
        await self._set_up()
        self.tariff_changes = 1
        months = self.span.firsts_of_months()
        for number in range(self.span.days):
            today = self.span.day(number)
            if number:
                power_of_day(self.power, today - timedelta(days=1), self.offset)
                gas_of_day(self.gas, today - timedelta(days=1))
            if number == 0:
                await home.at(midnight(today) + timedelta(hours=12))
                await self._first_day()
            if today == self.span.move:
                await self._move()
            if today in LOCAL_DAYS:
                await home.at(midnight(today) + timedelta(hours=12))
                self.shown[today] = await self._shown()
            if today.weekday() == 2:
                await home.at(midnight(today) + timedelta(hours=12, minutes=10 + number // 7))  # over 7 x 24 h by a drifting clock too
                await self._week()
            if today + timedelta(days=1) in months:
                await home.at(midnight(today) + timedelta(hours=18))
                await self._tariffs(today + timedelta(days=1))
                self.tariff_changes += 1
        last = midnight(self.span.last)
        power_of_day(self.power, self.span.last - timedelta(days=1), self.offset)
        gas_of_day(self.gas, self.span.last - timedelta(days=1))
        await home.at(last - timedelta(minutes=10))
        gas = asyncio.create_task(self._gas_reads())  # they wait for the meter, which wakes at midnight
        await home.at(last + timedelta(minutes=1))
        await self._reads()
        await gas

    async def _tariffs(self, when: date) -> None:
        home, at = self.home, midnight(when)
        await home.ask(
            "1.1.1",
            home.esme.eui64,
            power_tariff(
                at,
                [dearer(price, when) for price in RATES],
                [dearer(price, when) for price in BLOCKS],
                THRESHOLD_WH,
                dearer(STANDING, when),
            ),
        )
        blocks = when >= CHANGE_TO_BLOCKS
        prices = [dearer(price, when) for price in (GAS_BLOCKS if blocks else GAS_RATES)]
        threshold_wh = THRESHOLD_KWH * 1000 if blocks else None
        await home.ask("1.1.1", home.gsme.eui64, gas_tariff(at, prices, dearer(GAS_STANDING, when), threshold_wh))

    async def _set_up(self) -> None:
        home = self.home
        esme, gsme = home.esme.eui64, home.gsme.eui64
        await home.ask("6.6", gsme, {"CalorificValue": "40.0", "ConversionFactor": "1.02264"})
        await self._tariffs(self.span.first)
        await home.ask("6.8", esme, {"ElectricityBillingCalendar": {"BillingTime": "00:00:00.00Z", "Monthly": 1}})
        begins = midnight(self.span.first.replace(day=1))
        await home.ask("6.8", gsme, {"GasBillingCalendar": {"BillingPeriodStart": begins, "Periodicity": "Monthly"}})
        await home.ask("1.5", esme, {"PrepaymentMode": {"AdjustMeterBalance": 250 * POUND}})
        await home.ask("1.5", gsme, {"PrepaymentMode": {"AdjustMeterBalance": 400 * POUND}})
        for meter in (esme, gsme):
            await home.ask("1.6", meter, prepayment(midnight(self.span.first)))
        await home.ask("2.1", esme, power_limits(2))
        await home.ask("6.5", esme, VOLTAGE, by="network_operator")
        await home.ask("6.14.3", esme, switch_calendar())
        await home.ask("7.12", esme, {"RandomisedOffsetLimit": OFFSET_LIMIT_S})

    async def _move(self) -> None:
        """The channel of the gas meter gets noisy, and its supplier asks for another one."""
        home = self.home
        home.radio.energy[28, 0] = -60
        await home.ask("6.29", home.chf, by="gas_supplier")

    async def _shown(self) -> int:
        home = self.home
        values = await home.ihd.reader.values(home.esme.eui64, METERING, "previous_day_consumption_delivered")
        shown = values["previous_day_consumption_delivered"]
        assert isinstance(shown, int)
        return shown

    async def _first_day(self) -> None:
        home = self.home
        await home.ask("2.3", home.esme.eui64, debts("Elec", 70 * POUND, 25_013, 90 * POUND, 1000))
        await home.ask("2.3", home.gsme.eui64, debts("Gas", 60 * POUND, 20_011, 80 * POUND, 1000))

    async def _week(self) -> None:
        """Top-ups by token, a minute of over-voltage, and at each meter two mistyped tokens and a read."""
        home, esme, gsme = self.home, self.home.esme, self.home.gsme
        await self._top_up(esme.eui64, TOP_UP)
        self.power.top_up(TOP_UP, 2 * POUND)
        await self._top_up(gsme.eui64, GAS_TOP_UP)
        self.gas.top_up(GAS_TOP_UP, GAS_TOP_UP * POUND)
        esme.set_voltage(300)
        await home.clock.sleep(60)
        esme.set_voltage(230)
        for number in range(2):
            wrong = make_utrn(bytes(32), supplier=esme.eui64, meter=esme.eui64, counter=500 + number << 32, value=50)
            assert not esme.enter_token(wrong)
            assert top_up.check_entered(gsme.gbcs, wrong)[0] is top_up.TopUpResult.INVALID
        for meter in (esme, gsme):
            await home.ask("4.18", meter.eui64)

    async def _top_up(self, meter: Eui64, pounds: int) -> None:
        home = self.home
        user = home.users["supplier" if meter == home.esme.eui64 else "gas_supplier"]
        counter = home.dcc.counters.next(user.eui64) << 32
        secret = home.keystore.shared_secret(user.eui64, meter, CellUsage.PREPAYMENT_TOP_UP)
        token = make_utrn(secret, supplier=user.eui64, meter=meter, counter=counter, value=pounds)
        outcome = await home.dcc.send(user, new_request("2.2", user.eui64, meter, counter, {"UTRN": token}), wait_s=7200)
        assert outcome.ok, outcome.why

    async def _gas_reads(self) -> None:
        """Read the gas meter itself from the DCC after the year."""
        span = period(*self._reach())
        reads = [(variant, {} if variant == "4.18" else span, "") for variant in ("4.18", "4.4.2", "4.4.3", "4.4.4", "4.4.5")]
        reads += [("6.13", {**span, "LogToRead": log}, log) for log in ("Event", "Security")]
        await asyncio.gather(*(self._read("gsme", variant, body, log=log) for variant, body, log in reads))

    def _reach(self) -> tuple[datetime, datetime]:
        """From before the first entry of any log to after the last one."""
        return self.span.start - timedelta(days=1), midnight(self.span.last) + timedelta(minutes=20)

    async def _reads(self) -> None:
        """Read the others: every log whole. The import profile is longer than one message can be: it is read in parts."""
        begin, end = self._reach()
        parts = [begin + timedelta(days=100) * number for number in range(self.span.days // 100 + 1)]
        ends = [*parts[1:], end]
        spans = [period(first + timedelta(seconds=first > begin), last) for first, last in zip(parts, ends, strict=True)]
        for log in ("Event", "Security", "PowerEvent", "ALCSEvent"):
            await self._read("esme", "6.13", {**period(begin, end), "LogToRead": log}, log=log)
        for target in ("esme", "gpf"):
            for variant in ("4.1.1", "4.18"):
                await self._read(target, variant, {})
            for variant in ("4.6.1", "4.14", "4.17"):
                await self._read(target, variant, period(begin, end))
            for span in spans:
                await self._read(target, "4.8.1", span)
        for variant in ("4.4.2", "4.4.3", "4.4.4", "4.4.5", "4.8.2"):
            await self._read("esme", variant, period(begin, end))
        await self._read("esme", "4.10", period(begin, end), by="network_operator")

    async def _read(self, target: str, variant: str, body: dict[str, Content], *, by: str = "", log: str = "") -> None:
        home = self.home
        eui64 = {"esme": home.esme.eui64, "gsme": home.gsme.eui64, "gpf": home.gpf}[target]
        outcome = await home.ask(variant, eui64, body, by=by)
        assert outcome.parsed is not None
        self.answers.setdefault((target, log or variant), []).append(outcome.parsed)

    def items(self, target: str, read: str) -> list[Value]:
        """The entries of a DLMS log, oldest first."""
        found: list[Value] = []
        for parsed in self.answers[target, read]:
            content = parsed.opened[0].values.values if parsed.opened else parsed.payload.data  # type: ignore[union-attr]
            assert content[0].kind == "compact-array"
            found += content[0].values
        return found

    def components(self, target: str, read: str) -> list[ZclCommand]:
        """The opened components of GBZ answers."""
        return [part.values for parsed in self.answers[target, read] for part in parsed.opened if isinstance(part.values, ZclCommand)]

    def gas_profile(self) -> dict[int, int]:
        """The GPF's half hours by start. An answer has as many as were asked for, from the first that there is: answers overlap."""
        return {
            number(part, "start_time") + place * HALF_HOUR_S: volume
            for part in self.components("gpf", "4.8.1")
            for place, volume in enumerate(samples(part))
        }


@pytest.fixture(scope="module")
def year(request: pytest.FixtureRequest) -> Year:
    """The year; without ``--long`` the three weeks of it in which summer time comes."""
    lived = Year(WHOLE if request.config.getoption("--long") else WEEKS)
    lived.home.run(lived.live)
    return lived


@pytest.fixture
def whole(year: Year) -> Year:
    """The year, which fills the logs to their depths."""
    if year.span is not WHOLE:
        pytest.skip("the logs fill in 13 months: --long lives them")
    return year


def test_energy_is_right_to_the_watt_hour_and_the_litre(year: Year) -> None:
    rates, before = year.home.esme.metering.rates, year.span.before(watts)
    found = {f"rate {number}": rates.tou[number - 1] for number in (1, 2, 3)}
    found |= {f"block {number}": rates.blocks[number - 1][0] for number in (1, 2)}
    found["rate 1"] -= before
    assert in_use(found) == in_use(year.power.energy)
    assert year.home.esme.registers.active_import.parts == sum(year.power.energy.values()) + before
    gas = year.home.gsme.metering
    shown = {"rate 1": gas.rates.tou[0], "rate 2": gas.rates.tou[1], "block 1": gas.rates.blocks[0][0], "block 2": gas.rates.blocks[1][0]}
    shown["rate 1"] -= year.span.before(litres)
    assert in_use(shown) == in_use(year.gas.energy)


def test_a_display_shows_days_of_local_time_of_23_and_25_hours_when_summer_time_comes_and_goes(year: Year) -> None:
    assert set(year.shown) == {morning for morning in LOCAL_DAYS if year.span.first <= morning < year.span.last} != set()
    for morning in year.shown:
        first, last = LOCAL_DAYS[morning]
        hours = [first + timedelta(minutes=30 * number) for number in range(int((last - first) / timedelta(minutes=30)))]
        used = sum(watts(one.date(), one.hour * 2 + one.minute // 30) for one in hours) * 1800
        assert abs(year.shown[morning] * 3600 - used) < 3600, morning


def test_the_gas_meter_moved_with_its_hub_and_no_clock_was_far_off(year: Year) -> None:
    home = year.home
    assert home.gsme.node.sub_ghz == home.radio.sub_ghz == QUIET_CHANNEL
    for meter, ppm in ((home.esme, 20), (home.gsme, -20)):
        assert meter.drift_ppm == ppm
        assert meter.clock_reliable
        assert abs(meter.now() - home.clock.now()) < 4


def test_money_is_right_to_the_penny(year: Year) -> None:
    esme, gsme = year.home.esme, year.home.gsme
    assert esme.load_switch is LoadSwitch.ENABLED
    assert gsme.valve is Valve.ON
    assert (esme.metering.account.time_debts[0], esme.metering.account.payment_debt) == (year.power.time_debt, year.power.payment_debt)
    assert (gsme.metering.account.time_debts[0], gsme.metering.account.payment_debt) == (year.gas.time_debt, year.gas.payment_debt)
    assert esme.metering.account.balance == year.power.balance
    assert gsme.metering.account.balance == year.gas.balance


def test_what_the_dcc_reads_is_what_was_used_and_paid(year: Year) -> None:
    total = year.answers["esme", "4.1.1"][0].opened[0].values
    assert isinstance(total, Value)
    assert total.values[0].values[0].content == (sum(year.power.energy.values()) + year.span.before(watts)) // 3600
    (shown,) = year.answers["esme", "4.18"][0].payload.data  # type: ignore[union-attr]
    assert (shown.kind, shown.content) == ("double-long", year.power.shown())
    assert year.items("esme", "4.14")[-1].values[3].content == year.power.shown()
    gas = (sum(year.gas.energy.values()) + year.span.before(litres)) // 3600
    assert attribute(year.components("gpf", "4.1.1")[0], 0x0000) == gas
    assert number(year.components("gpf", "4.6.1")[-1], "current_summation") == gas
    balance = struct.pack("<i", year.gas.shown())
    assert balance in year.answers["gsme", "4.18"][0].octets


def test_every_half_hour_and_every_day_of_the_logs_is_right(year: Year) -> None:
    """An entry is the difference of two totals as a register shows them, and carries the end of its period; the GPF tells its start."""
    parts, halves, days = 0, [], []
    for number_of_day in range(-1, year.span.days):
        today = year.span.day(number_of_day)
        first = parts
        for half_hour in range(12 if number_of_day < 0 else 0, 48):
            end = seconds(midnight(today)) + (half_hour + 1) * HALF_HOUR_S
            before, parts = parts, parts + watts(today, half_hour) * HALF_HOUR_S
            halves.append((end, parts // HOUR_S - before // HOUR_S))
        days.append((seconds(midnight(today)) + DAY_S, parts // HOUR_S - first // HOUR_S))
    assert [pair(entry) for entry in year.items("esme", "4.8.1")] == halves[-DEPTH:]
    assert [pair(entry) for entry in year.items("esme", "4.17")] == days
    volumes = [litres(year.span.day(day), half_hour) // 2 for day in range(year.span.days) for half_hour in range(48)]
    kept, end = volumes[-DEPTH:], seconds(midnight(year.span.last))
    wanted = dict(zip(range(end - len(kept) * HALF_HOUR_S, end, HALF_HOUR_S), kept, strict=True))
    found = {start: volume for start, volume in year.gas_profile().items() if start >= seconds(midnight(year.span.first))}
    by_day = [sum(volumes[day * 48 : day * 48 + 48]) for day in range(year.span.days)]
    shown = samples(year.components("gpf", "4.17")[0])[1:]
    assert found == wanted
    assert shown == by_day


@pytest.mark.parametrize(
    ("target", "read", "depth"),
    [
        ("esme", "4.8.1", DEPTH),
        ("esme", "4.8.2", 4_464),
        ("esme", "4.6.1", 31),
        ("esme", "4.14", 31),
        ("esme", "4.17", WHOLE.days + 1),
        ("esme", "4.4.2", 12),
        ("esme", "4.4.3", 12),
        ("esme", "4.4.4", 10),
        ("esme", "4.4.5", 5),
        ("esme", "Event", 100),
        ("esme", "Security", 100),
        ("esme", "PowerEvent", 100),
        ("esme", "ALCSEvent", 100),
    ],
)
def test_a_log_of_the_electricity_meter_has_its_depth(whole: Year, target: str, read: str, depth: int) -> None:
    assert len(whole.items(target, read)) == depth


def test_the_logs_of_voltage_gas_meter_and_gpf_have_their_depths(whole: Year) -> None:
    voltages = whole.answers["esme", "4.10"][0].payload
    assert isinstance(voltages, AccessResponse)
    assert max(len(log.values) for log in voltages.data if log.kind == "compact-array") == 4_320
    assert len(whole.gas_profile()) == DEPTH
    assert len(samples(whole.components("gpf", "4.17")[0])) == WHOLE.days + 1
    assert [len(whole.components("gpf", read)) for read in ("4.6.1", "4.14")] == [31, 31]
    for read in ("4.4.2", "4.4.3"):  # twelve snapshots of registers and twelve of balances
        assert [number(part, "total_snapshots_found") for part in whole.components("gsme", read)] == [12] * 24
    assert len(whole.components("gsme", "4.4.4")[0].rows("entries")) == 10
    found = {log: Gbz.decode(whole.answers["gsme", log][0].message.payload).components[0].payload for log in ("Event", "Security", "4.4.5")}
    assert {log: EVENTS.to_client[0x01].decode(found[log])["total"] for log in ("Event", "Security")} == {"Event": 100, "Security": 100}
    assert len(PREPAYMENT.to_client[0x05].decode(found["4.4.5"])["top_ups"]) == 5  # type: ignore[arg-type]


def in_use(registers: dict[str, int]) -> dict[str, int]:
    """Those that counted anything."""
    return {register: energy for register, energy in registers.items() if energy}


def pair(entry: Value) -> tuple[int, int]:
    first, second = (value.content for value in entry.values[:2])
    assert isinstance(first, int)
    assert isinstance(second, int)
    return first, second


def number(part: ZclCommand, name: str) -> int:
    value = part.number(name)
    assert value is not None
    return value


def samples(part: ZclCommand) -> list[int]:
    return [value for row in part.rows("samples") if isinstance(value := row["sample"], int)]


def attribute(part: ZclCommand, identifier: int) -> object:
    return part.attributes()[identifier]
