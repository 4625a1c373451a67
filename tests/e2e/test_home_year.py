"""A simulated year of a whole home: every log at its depth, energy to the watt-hour and the litre, money to the penny.

The sums are made here from the loads and the settings, with nothing of the Devices' own reckoning. Between midnight and half past nothing
is used, so that the reads of the last night agree with each other.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

import pytest
from year_home import YearHome, seconds
from year_settings import VOLTAGE, debts, gas_tariff, period, power_limits, power_tariff, prepayment, switch_calendar

from firmware_emu.crypto.roles import CellUsage
from firmware_emu.device import top_up
from firmware_emu.gbcs.axdr import CompactArray, DoubleLong, DoubleLongUnsigned, Structure
from firmware_emu.gbcs.dlms import AccessResponse
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.gbcs.utrn import make_utrn
from firmware_emu.gbcs.zcl_layouts import TypedValue, ZclCommand, ZclField
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from hil.dcc.duis.build import Content, new_request
from hil.dcc.parse import Parsed
from hil.devices import LoadSwitch, Valve
from hil.devices.registers import DAY_S, HALF_HOUR_S, HOUR_S

POUND = 100_000
START = datetime(2026, 1, 5, 6, tzinfo=UTC)
FIRST = date(2026, 1, 6)
DAYS = 400
LAST = FIRST + timedelta(days=DAYS)
CHANGE_TO_BLOCKS = date(2026, 8, 1)
"""When the gas tariff goes from rates to blocks."""
THRESHOLD_WH, THRESHOLD_KWH = 200_000, 900
KWH_A_LITRE = Fraction(400, 10) * Fraction(102_264, 100_000) / Fraction(36, 10) / 1000
"""40.0 MJ a cubic metre and conversion factor 1.02264, as 6.6 sets them."""
TOP_UP, GAS_TOP_UP = 40, 30


def watts(today: date, half_hour: int) -> int:
    """The electric load: more in winter, at week ends, by day; odd numbers, so that rounding would show."""
    if half_hour == 0:
        return 0
    day = 311 if half_hour < 14 else 1607 if 33 <= half_hour < 44 else 733
    return day + (139 if today.month in (1, 2, 3, 10, 11, 12) else 0) + (43 if today.weekday() >= 5 else 0)


def litres(today: date, half_hour: int) -> int:
    """The gas load in litres an hour; summer needs hot water alone. Even, so that a half hour is whole litres, as the GPF counts them."""
    if half_hour == 0:
        return 0
    warm = today.month in (5, 6, 7, 8, 9)
    return 2 * ((17 if warm else 111) if 12 <= half_hour < 46 else 13)


def first_of_months() -> list[date]:
    """The firsts of the months of the year."""
    days = (FIRST + timedelta(days=number) for number in range(1, DAYS))
    return [day for day in days if day.day == 1]


def dearer(price: int, day: date) -> int:
    """A price as it stands on ``day``: three per cent more of the first one each month."""
    return price * (100 + 3 * ((day.year - FIRST.year) * 12 + day.month - FIRST.month)) // 100


RATES, BLOCKS, STANDING = (11_003, 19_017, 17_009), (16_001, 19_013), 21_013
GAS_RATES, GAS_BLOCKS, GAS_STANDING = (6_007, 5_501), (5_003, 6_101), 29_017


@dataclass
class Ledger:
    """What a meter must show: energy by register in unit-seconds, and money in exact millipence."""

    balance: Fraction
    time_debt: int
    payment_debt: int
    energy: dict[str, int] = field(default_factory=dict)
    block_used: int = 0
    days: list[int] = field(default_factory=list)

    def use(self, register: str, amount: int, price: Fraction) -> None:
        self.energy[register] = self.energy.get(register, 0) + amount
        self.balance -= price * amount / 3_600_000

    def use_in_blocks(self, amount: int, threshold: int, prices: tuple[Fraction, Fraction]) -> None:
        first = max(0, min(amount, threshold - self.block_used))
        self.block_used += amount
        self.use("block 1", first, prices[0])
        self.use("block 2", amount - first, prices[1])

    def end_day(self, standing: int, rate: int) -> None:
        collected = min(rate, self.time_debt)
        self.time_debt -= collected
        self.balance -= standing + collected

    def shown(self) -> int:
        """The balance as a meter shows it: whole millipence."""
        return self.balance.numerator // self.balance.denominator

    def top_up(self, pounds: int, most_to_debt: int) -> None:
        paid = min(pounds * POUND // 10, self.payment_debt, most_to_debt)
        self.payment_debt -= paid
        self.balance += pounds * POUND - paid


def power_of_day(ledger: Ledger, today: date) -> None:
    """The ESME's day under the tariff of ``power_tariff``."""
    before = sum(ledger.energy.values())
    if today.day == 1:
        ledger.block_used = 0
    winter = today.month < 4 or today.month >= 10
    for half_hour in range(48):
        used = watts(today, half_hour) * 1800
        if half_hour < (14 if winter else 12):
            ledger.use("rate 1", used, Fraction(dearer(RATES[0], today)))
        elif winter:
            rate = 3 if today.weekday() >= 5 else 2
            ledger.use(f"rate {rate}", used, Fraction(dearer(RATES[rate - 1], today)))
        else:
            prices = Fraction(dearer(BLOCKS[0], today)), Fraction(dearer(BLOCKS[1], today))
            ledger.use_in_blocks(used, THRESHOLD_WH * 3600, prices)
    ledger.end_day(dearer(STANDING, today), 25_013)
    ledger.days.append(sum(ledger.energy.values()) - before)


def gas_of_day(ledger: Ledger, today: date) -> None:
    """The GSME's day under the tariff of ``gas_tariff``; a price is that of a kWh, the meter counts litres."""
    before = sum(ledger.energy.values())
    if today.day == 1:
        ledger.block_used = 0
    threshold = -(-Fraction(THRESHOLD_KWH) // KWH_A_LITRE) * 3600
    for half_hour in range(48):
        used = litres(today, half_hour) * 1800
        if today < CHANGE_TO_BLOCKS:
            rate = 2 if today.weekday() >= 5 else 1
            ledger.use(f"rate {rate}", used, dearer(GAS_RATES[rate - 1], today) * KWH_A_LITRE * 1000)
        else:
            prices = tuple(dearer(price, today) * KWH_A_LITRE * 1000 for price in GAS_BLOCKS)
            ledger.use_in_blocks(used, int(threshold), (prices[0], prices[1]))
    ledger.end_day(dearer(GAS_STANDING, today), 20_011)
    ledger.days.append(sum(ledger.energy.values()) - before)


FIRST_DAY_POWER = sum(watts(START.date(), half_hour) * 1800 for half_hour in range(12, 48))
FIRST_DAY_GAS = sum(litres(START.date(), half_hour) * 1800 for half_hour in range(12, 48))
"""Before the first day, when the meters have no tariff: rate 1, free of charge."""


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


class Year:
    """The year as it was lived: the home, and the two ledgers beside it."""

    def __init__(self) -> None:
        self.home = YearHome(START, lambda half_hour: watts(self.day_of(half_hour), half_hour),
                             lambda half_hour: litres(self.day_of(half_hour), half_hour))
        self.power = Ledger(Fraction(250 * POUND), 70 * POUND, 90 * POUND)
        self.gas = Ledger(Fraction(400 * POUND), 60 * POUND, 80 * POUND)
        self.answers: dict[tuple[str, str], list[Parsed]] = {}

    def day_of(self, half_hour: int) -> date:
        """The day whose half hour is asked for: the last one that has begun. Clocks of meters are up to a second off."""
        now = self.home.clock.datetime() + timedelta(seconds=2)
        begun = now.hour * 2 + now.minute // 30 >= half_hour
        return now.date() if begun else now.date() - timedelta(days=1)

    async def live(self, home: YearHome) -> None:
        """A year: settings first, then each week's and each month's doings."""
        await self._set_up()
        self.tariff_changes = 1
        months = first_of_months()
        for number in range(DAYS):
            today = FIRST + timedelta(days=number)
            if number:
                power_of_day(self.power, today - timedelta(days=1))
                gas_of_day(self.gas, today - timedelta(days=1))
            if number == 0:
                await home.at(midnight(today) + timedelta(hours=12))
                await self._first_day()
            if today.weekday() == 2:
                await home.at(midnight(today) + timedelta(hours=12, minutes=10))
                await self._week()
            if today + timedelta(days=1) in months:
                await home.at(midnight(today) + timedelta(hours=18))
                await self._tariffs(today + timedelta(days=1))
                self.tariff_changes += 1
        power_of_day(self.power, LAST - timedelta(days=1))
        gas_of_day(self.gas, LAST - timedelta(days=1))
        await home.at(midnight(LAST) - timedelta(minutes=10))
        gas = asyncio.create_task(self._gas_reads())  # they wait for the meter, which wakes at midnight
        await home.at(midnight(LAST) + timedelta(minutes=1))
        await self._reads()
        await gas

    async def _tariffs(self, when: date) -> None:
        home, at = self.home, midnight(when)
        await home.ask("1.1.1", home.esme.eui64, power_tariff(
            at, [dearer(price, when) for price in RATES], [dearer(price, when) for price in BLOCKS], THRESHOLD_WH, dearer(STANDING, when)))
        blocks = when >= CHANGE_TO_BLOCKS
        prices = [dearer(price, when) for price in (GAS_BLOCKS if blocks else GAS_RATES)]
        threshold_wh = THRESHOLD_KWH * 1000 if blocks else None
        await home.ask("1.1.1", home.gsme.eui64, gas_tariff(at, prices, dearer(GAS_STANDING, when), threshold_wh))

    async def _set_up(self) -> None:
        home = self.home
        esme, gsme = home.esme.eui64, home.gsme.eui64
        await home.ask("6.6", gsme, {"CalorificValue": "40.0", "ConversionFactor": "1.02264"})
        await self._tariffs(FIRST)
        await home.ask("6.8", esme, {"ElectricityBillingCalendar": {"BillingTime": "00:00:00.00Z", "Monthly": 1}})
        begins = datetime(2026, 1, 1, tzinfo=UTC)
        await home.ask("6.8", gsme, {"GasBillingCalendar": {"BillingPeriodStart": begins, "Periodicity": "Monthly"}})
        await home.ask("1.5", esme, {"PrepaymentMode": {"AdjustMeterBalance": 250 * POUND}})
        await home.ask("1.5", gsme, {"PrepaymentMode": {"AdjustMeterBalance": 400 * POUND}})
        for meter in (esme, gsme):
            await home.ask("1.6", meter, prepayment(midnight(FIRST)))
        await home.ask("2.1", esme, power_limits(2))
        await home.ask("6.5", esme, VOLTAGE, by="network_operator")
        await home.ask("6.14.3", esme, switch_calendar())

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
        """What the DCC reads of the gas meter itself after the year."""
        span = period(START - timedelta(days=1), midnight(LAST) + timedelta(minutes=20))
        reads = [(variant, {} if variant == "4.18" else span, "") for variant in ("4.18", "4.4.2", "4.4.3", "4.4.4", "4.4.5")]
        reads += [("6.13", {**span, "LogToRead": log}, log) for log in ("Event", "Security")]
        await asyncio.gather(*(self._read("gsme", variant, body, log=log) for variant, body, log in reads))

    async def _reads(self) -> None:
        """What it reads of the others: every log whole. The import profile is longer than one message can be: it is read in parts."""
        begin, end = START - timedelta(days=1), midnight(LAST) + timedelta(minutes=20)
        parts = [begin + timedelta(days=100) * number for number in range(5)]
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

    def items(self, target: str, read: str) -> list[Structure]:
        """The entries of a DLMS log, oldest first."""
        found: list[Structure] = []
        for parsed in self.answers[target, read]:
            content = parsed.opened[0].values if parsed.opened else parsed.payload.data  # type: ignore[union-attr]
            assert content is not None
            log = content[0]  # type: ignore[index]
            assert isinstance(log, CompactArray)
            found += [entry for entry in log.elements if isinstance(entry, Structure)]
        return found

    def components(self, target: str, read: str) -> list[ZclCommand]:
        """The opened components of GBZ answers."""
        return [part.values for parsed in self.answers[target, read] for part in parsed.opened if isinstance(part.values, ZclCommand)]


    def gas_profile(self) -> dict[int, int]:
        """The GPF's half hours by start. An answer has as many as were asked for, from the first that there is: answers overlap."""
        return {
            number(part, "start_time") + place * HALF_HOUR_S: volume
            for part in self.components("gpf", "4.8.1") for place, volume in enumerate(samples(part))
        }


@pytest.fixture(scope="module")
def year() -> Year:
    lived = Year()
    lived.home.run(lived.live)
    return lived


def test_energy_is_right_to_the_watt_hour_and_the_litre(year: Year) -> None:
    rates = year.home.esme.metering.rates
    found = {f"rate {number}": rates.tou[number - 1] for number in (1, 2, 3)}
    found |= {f"block {number}": rates.blocks[number - 1][0] for number in (1, 2)}
    found["rate 1"] -= FIRST_DAY_POWER
    assert found == year.power.energy
    assert year.home.esme.registers.active_import.parts == sum(year.power.energy.values()) + FIRST_DAY_POWER
    gas = year.home.gsme.metering
    shown = {"rate 1": gas.rates.tou[0], "rate 2": gas.rates.tou[1], "block 1": gas.rates.blocks[0][0], "block 2": gas.rates.blocks[1][0]}
    shown["rate 1"] -= FIRST_DAY_GAS
    assert shown == year.gas.energy


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
    assert isinstance(total, Structure)
    assert total[0][0] == DoubleLongUnsigned((sum(year.power.energy.values()) + FIRST_DAY_POWER) // 3600)  # type: ignore[index]
    assert year.answers["esme", "4.18"][0].payload.data == (DoubleLong(year.power.shown()),)  # type: ignore[union-attr]
    assert year.items("esme", "4.14")[-1][3] == DoubleLong(year.power.shown())
    gas = (sum(year.gas.energy.values()) + FIRST_DAY_GAS) // 3600
    assert attribute(year.components("gpf", "4.1.1")[0], 0x0000) == gas
    assert number(year.components("gpf", "4.6.1")[-1], "current_summation") == gas
    balance = struct.pack("<i", year.gas.shown())
    assert balance in year.answers["gsme", "4.18"][0].octets


def test_every_half_hour_and_every_day_of_the_logs_is_right(year: Year) -> None:
    """An entry is the difference of two totals as a register shows them, and carries the end of its period; the GPF tells its start."""
    parts, halves, days = 0, [], []
    for number_of_day in range(-1, DAYS):
        today = FIRST + timedelta(days=number_of_day)
        first = parts
        for half_hour in range(12 if number_of_day < 0 else 0, 48):
            end = seconds(midnight(today)) + (half_hour + 1) * HALF_HOUR_S
            before, parts = parts, parts + watts(today, half_hour) * HALF_HOUR_S
            halves.append((end, parts // HOUR_S - before // HOUR_S))
        days.append((seconds(midnight(today)) + DAY_S, parts // HOUR_S - first // HOUR_S))
    assert [pair(entry) for entry in year.items("esme", "4.8.1")] == halves[-19_056:]
    assert [pair(entry) for entry in year.items("esme", "4.17")] == days
    volumes = [litres(FIRST + timedelta(days=day), half_hour) // 2 for day in range(DAYS) for half_hour in range(48)]
    first = seconds(midnight(LAST)) - 19_056 * HALF_HOUR_S
    found, wanted = year.gas_profile(), dict(zip(range(first, seconds(midnight(LAST)), HALF_HOUR_S), volumes[-19_056:], strict=True))
    by_day = [sum(volumes[day * 48:day * 48 + 48]) for day in range(DAYS)]
    shown = samples(year.components("gpf", "4.17")[0])[1:]
    assert found == wanted
    assert shown == by_day


@pytest.mark.parametrize(("target", "read", "depth"), [
    ("esme", "4.8.1", 19_056), ("esme", "4.8.2", 4_464), ("esme", "4.6.1", 31), ("esme", "4.14", 31), ("esme", "4.17", DAYS + 1),
    ("esme", "4.4.2", 12), ("esme", "4.4.3", 12), ("esme", "4.4.4", 10), ("esme", "4.4.5", 5),
    ("esme", "Event", 100), ("esme", "Security", 100), ("esme", "PowerEvent", 100), ("esme", "ALCSEvent", 100),
])
def test_a_log_of_the_electricity_meter_has_its_depth(year: Year, target: str, read: str, depth: int) -> None:
    assert len(year.items(target, read)) == depth


def test_the_logs_of_voltage_gas_meter_and_gpf_have_their_depths(year: Year) -> None:
    voltages = year.answers["esme", "4.10"][0].payload
    assert isinstance(voltages, AccessResponse)
    assert max(len(log.elements) for log in voltages.data if isinstance(log, CompactArray)) == 4_320
    assert len(year.gas_profile()) == 19_056
    assert len(samples(year.components("gpf", "4.17")[0])) == DAYS + 1
    assert [len(year.components("gpf", read)) for read in ("4.6.1", "4.14")] == [31, 31]
    for read in ("4.4.2", "4.4.3"):  # twelve snapshots of registers and twelve of balances
        assert [number(part, "total_snapshots_found") for part in year.components("gsme", read)] == [12] * 24
    assert len(group(year.components("gsme", "4.4.4")[0], "entries")) == 10
    found = {log: Gbz.decode(year.answers["gsme", log][0].message.payload).components[0].payload for log in ("Event", "Security", "4.4.5")}
    assert {log: EVENTS.to_client[0x01].decode(found[log])["total"] for log in ("Event", "Security")} == {"Event": 100, "Security": 100}
    assert len(PREPAYMENT.to_client[0x05].decode(found["4.4.5"])["top_ups"]) == 5  # type: ignore[arg-type]


def pair(entry: Structure) -> tuple[int, int]:
    assert isinstance(entry[0], DoubleLongUnsigned)
    assert isinstance(entry[1], DoubleLongUnsigned)
    return entry[0].value, entry[1].value


def number(part: ZclCommand, name: str) -> int:
    value = part[name]
    assert isinstance(value, int)
    return value


def group(part: ZclCommand, name: str) -> list[dict[str, object]]:
    rows = part[name]
    assert isinstance(rows, tuple)
    return [{field.name: field.value for field in row if isinstance(field, ZclField)} for row in rows if isinstance(row, tuple)]


def samples(part: ZclCommand) -> list[int]:
    return [value for row in group(part, "samples") if isinstance(value := row["sample"], int)]


def attribute(part: ZclCommand, identifier: int) -> object:
    value = next(row["value"] for row in group(part, "attributes") if row["attribute"] == identifier)
    assert isinstance(value, TypedValue)
    return value.value
