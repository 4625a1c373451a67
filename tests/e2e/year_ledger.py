"""The loads, prices and sums of the year: what each meter must show, reckoned with nothing of the Devices' own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

POUND = 100_000
OFFSET_LIMIT_S = 1799
CHANGE_TO_BLOCKS = date(2026, 8, 1)
"""When the gas tariff goes from rates to blocks."""
THRESHOLD_WH, THRESHOLD_KWH = 200_000, 900
KWH_A_LITRE = Fraction(400, 10) * Fraction(102_264, 100_000) / Fraction(36, 10) / 1000
"""40.0 MJ a cubic metre and conversion factor 1.02264, as 6.6 sets them."""
TOP_UP, GAS_TOP_UP = 40, 30


@dataclass(frozen=True, slots=True)
class Span:
    """Time that is lived: the home is brought up at ``start``, six in the morning of the day before ``first``. ``move``: the gas meter's
    channel gets noisy."""

    start: datetime
    days: int
    move: date

    @property
    def first(self) -> date:
        return self.start.date() + timedelta(days=1)

    @property
    def last(self) -> date:
        """The day that ends it: nothing of it is lived but its first minutes."""
        return self.first + timedelta(days=self.days)

    def day(self, number: int) -> date:
        return self.first + timedelta(days=number)

    def firsts_of_months(self) -> list[date]:
        return [day for number in range(1, self.days) if (day := self.day(number)).day == 1]

    def before(self, load: Callable[[date, int], int]) -> int:
        """Unit-seconds of the day before, when the meters have no tariff: rate 1, free of charge."""
        return sum(load(self.start.date(), half_hour) * 1800 for half_hour in range(12, 48))


WHOLE = Span(datetime(2026, 1, 5, 6, tzinfo=UTC), 400, date(2026, 5, 20))
"""As long as the deepest log: 13 months of half hours."""
WEEKS = Span(datetime(2026, 3, 19, 6, tzinfo=UTC), 21, date(2026, 4, 2))
"""Summer time comes, rates give way to blocks of a month."""


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


def dearer(price: int, day: date) -> int:
    """A price as it stands on ``day``: three per cent more of that of January 2026 each month."""
    return price * (100 + 3 * ((day.year - 2026) * 12 + day.month - 1)) // 100


RATES, BLOCKS, STANDING = (11_003, 19_017, 17_009), (16_001, 19_013), 21_013
GAS_RATES, GAS_BLOCKS, GAS_STANDING = (6_007, 5_501), (5_003, 6_101), 29_017


@dataclass
class Ledger:
    """Ledger that a meter must agree with: energy by register in unit-seconds, and money in exact millipence."""

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


def power_of_day(ledger: Ledger, today: date, offset: int = 0) -> None:
    """The ESME's day under the tariff of ``power_tariff``, whose switches come ``offset`` seconds late. At midnight nothing is used."""
    before = sum(ledger.energy.values())
    if today.day == 1:
        ledger.block_used = 0
    winter = today.month < 4 or today.month >= 10
    change = 14 if winter else 12
    for half_hour in range(48):
        late = watts(today, half_hour) * offset if half_hour == change else 0
        ledger.use("rate 1", late, Fraction(dearer(RATES[0], today)))
        used = watts(today, half_hour) * 1800 - late
        if half_hour < change:
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


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
