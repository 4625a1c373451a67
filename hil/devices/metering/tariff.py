"""The tariff that steers a meter's registers: schedules and switching tables, block thresholds, prices, and what they make of a use.

COSEM dates, times and schedules are read with their wildcards, last days of a month, special days and class 10 entries; all times are
bench seconds since 2000 in UTC. A day action is a time-of-use register (script 1 to 48), a set of block registers (101 to 108), or a
register of the secondary element (201 to 204). Prices are exact fractions of a thousandth of a penny for a kWh.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Protocol

from firmware_emu.gbcs.axdr import Array, BitString, Boolean, Data, Integer, Long, LongUnsigned, Number, OctetString, Structure, Unsigned
from hil.devices.metering.registers import DAY_S, HOUR_S

_EPOCH = date(2000, 1, 1)
_ANY, _ANY_YEAR = 0xFF, 0xFFFF
_LAST, _SECOND_LAST = 0xFE, 0xFD
LOOK_BACK_DAYS = 31
"""Days in which the last switch of a schedule is looked for. The bench's own figure: schedules have days of the week."""


def day_of(seconds: int) -> date:
    """The day that a moment lies in."""
    return _EPOCH + timedelta(days=seconds // DAY_S)


def midnight_of(day: date) -> int:
    """The first second of a day."""
    return (day - _EPOCH).days * DAY_S


def falls_on(octets: bytes, day: date) -> bool:
    """True if a COSEM date (5 octets, or the first 5 of a date-time) with its wildcards is ``day`` (reference gbcs-messages 5.3)."""
    year, month, day_of_month, weekday = int.from_bytes(octets[:2], "big"), octets[2], octets[3], octets[4]
    if year not in (_ANY_YEAR, day.year) or month not in (_ANY, day.month) or weekday not in (_ANY, day.isoweekday()):
        return False
    days = calendar.monthrange(day.year, day.month)[1]
    return day_of_month in (_ANY, day.day) or (day_of_month, day.day) in ((_LAST, days), (_SECOND_LAST, days - 1))


def begun(octets: bytes, day: date) -> date | None:
    """The last day up to ``day`` on which a COSEM date with wildcards fell, as a season start is read; None if there was none."""
    year = int.from_bytes(octets[:2], "big")
    if year != _ANY_YEAR and octets[2] != _ANY and 1 <= octets[3] <= 31:
        try:
            start = date(year, octets[2], octets[3])
        except ValueError:
            return None
        return start if start <= day else None
    days = [date(day.year - back, octets[2], octets[3]) for back in (0, 1)] if _every_year(octets) else None
    for candidate in days or (day - timedelta(days=back) for back in range(367)):
        if candidate <= day and falls_on(octets, candidate):
            return candidate
    return None


def _every_year(octets: bytes) -> bool:
    """True if a date is a plain day of any year."""
    return octets[:2] == b"\xff\xff" and 1 <= octets[2] <= 12 and 1 <= octets[3] <= 28 and octets[4] == _ANY


def not_before(octets: bytes, day: date) -> bool:
    """True if ``day`` is on or after a COSEM date, parts that are wildcards left out of the comparison."""
    return _compared(octets, day) <= _own(octets, day)


def not_after(octets: bytes, day: date) -> bool:
    """True if ``day`` is on or before a COSEM date."""
    return _compared(octets, day) >= _own(octets, day)


def _compared(octets: bytes, day: date) -> tuple[int, ...]:
    year = int.from_bytes(octets[:2], "big")
    return tuple(value for value, wildcard in ((year, _ANY_YEAR), (octets[2], _ANY), (octets[3], _ANY)) if value != wildcard)


def _own(octets: bytes, day: date) -> tuple[int, ...]:
    year = int.from_bytes(octets[:2], "big")
    pairs = ((year, _ANY_YEAR, day.year), (octets[2], _ANY, day.month), (octets[3], _ANY, day.day))
    return tuple(own for value, wildcard, own in pairs if value != wildcard)


def time_of_day(octets: bytes) -> int:
    """Seconds after midnight of a COSEM time; wildcards count as 0."""
    hour, minute, second = (0 if part == _ANY else part for part in octets[:3])
    return hour * 3600 + minute * 60 + second


def special_days(table: Data) -> Mapping[bytes, tuple[int, int]]:
    """A special days table (class 11): date to (index in the table from 0, day identifier)."""
    found: dict[bytes, tuple[int, int]] = {}
    for place, entry in enumerate(table.elements if isinstance(table, Array) else ()):
        match entry:
            case Structure(elements=(LongUnsigned(), OctetString(octets=when), Unsigned(value=identifier))) if any(when):
                found[when] = (place, identifier)
    return found


@dataclass(frozen=True, slots=True)
class SwitchMoment:
    """One entry of a schedule (class 10): run ``selector`` at ``at`` seconds after midnight on the days it names."""

    selector: int
    at: int
    weekdays: str
    special: str
    begin: bytes
    end: bytes

    def runs_on(self, day: date, special: frozenset[int]) -> bool:
        """True if it runs on ``day``, which is the special days of these indexes. A special day that it names replaces the weekday."""
        if not (not_before(self.begin, day) and not_after(self.end, day)):
            return False
        if any(index < len(self.special) and self.special[index] == "1" for index in special):
            return True
        return self.weekdays[day.weekday() : day.weekday() + 1] == "1" and not special


class SwitchSchedule:
    """The entries of a schedule with its special days."""

    def __init__(self, entries: Data, specials: Data) -> None:
        self.switches = tuple(_switches(entries.elements if isinstance(entries, Array) else ()))
        self._special = special_days(specials)

    def moments(self, day: date) -> list[tuple[int, int]]:
        """The switches of one day: (second, selector), rising."""
        special = frozenset(place for when, (place, _) in self._special.items() if falls_on(when, day))
        start = midnight_of(day)
        return sorted((start + switch.at, switch.selector) for switch in self.switches if switch.runs_on(day, special))

    def last(self, now: int, selectors: Iterable[int] | None = None) -> int | None:
        """The selector (of ``selectors``, if given) that ran last at or before ``now``, None if none did within the look-back."""
        wanted = None if selectors is None else set(selectors)
        today = day_of(now)
        if not self.switches:
            return None
        for back in range(LOOK_BACK_DAYS + 1):
            found = [
                selector
                for second, selector in self.moments(today - timedelta(days=back))
                if second <= now and (wanted is None or selector in wanted)
            ]
            if found:
                return found[-1]
        return None

    def next(self, now: int) -> int | None:
        """The next second after ``now``, today or tomorrow, at which something runs."""
        today = day_of(now)
        later = [second for day in (today, today + timedelta(days=1)) for second, _ in self.moments(day) if second > now]
        return later[0] if later and self.switches else None


def _switches(entries: Iterable[Data]) -> Iterable[SwitchMoment]:
    for entry in entries:
        match entry:
            case Structure(
                elements=(
                    LongUnsigned(),
                    Boolean(value=True),
                    OctetString(),
                    LongUnsigned(value=selector),
                    OctetString(octets=at),
                    LongUnsigned(),
                    BitString() as weekdays,
                    BitString() as special,
                    OctetString(octets=begin),
                    OctetString(octets=end),
                )
            ) if len(at) == 4 and len(begin) == len(end) == 5:
                yield SwitchMoment(selector, time_of_day(at), weekdays.bits, special.bits, begin, end)


_DAYS_KNOWN = 7
"""Days whose switches a table keeps worked out. The bench's own figure."""


class SwitchingTable:
    """An activity calendar (class 20) with its special days: which script runs when."""

    def __init__(
        self, seasons: Data, weeks: Data, days: Data, specials: Data, scripts: range, extra: range = range(0), delay: int = 0
    ) -> None:
        """``delay``: seconds by which each switch comes late, the randomised offset."""
        self._seasons = [
            (one[1].octets, one[2].octets)
            for one in _structures(seasons, 3)
            if isinstance(one[1], OctetString) and isinstance(one[2], OctetString) and len(one[1].octets) == 12 and any(one[1].octets)
        ]
        self._weeks = {
            one[0].octets: tuple(int(day) for day in one.elements[1:] if isinstance(day, Unsigned))
            for one in _structures(weeks, 8)
            if isinstance(one[0], OctetString)
        }
        self._days: dict[int, list[tuple[int, int]]] = {}
        for one in _structures(days, 2):
            switches = [
                (time_of_day(at.octets), selector.value)
                for at, _, selector in (entry.elements for entry in _structures(one[1], 3))
                if isinstance(at, OctetString)
                and len(at.octets) == 4
                and isinstance(selector, LongUnsigned)
                and (selector.value in scripts or selector.value in extra)
            ]
            if isinstance(one[0], Unsigned) and switches:
                self._days[one[0].value] = sorted(switches)
        self._special = special_days(specials)
        self._known: dict[int, list[tuple[int, int]]] = {}
        self.default = scripts[0]
        self._delay = delay

    def _switches(self, number: int) -> list[tuple[int, int]]:
        """The switches of day ``number`` since 2000: (seconds after midnight, script)."""
        found = self._known.get(number)
        if found is None:
            if len(self._known) > _DAYS_KNOWN:
                self._known.clear()
            found = self._known[number] = self._find(number)
        return found

    def _find(self, number: int) -> list[tuple[int, int]]:
        day = day_of(number * DAY_S)
        for when, (_, identifier) in self._special.items():
            if falls_on(when, day):
                return self._days.get(identifier, [])
        started = [(start, week) for start, week in ((begun(octets, day), week) for octets, week in self._seasons) if start is not None]
        if not started:
            return []
        week = self._weeks.get(max(started, key=lambda one: one[0])[1], ())
        return self._days.get(week[day.weekday()], []) if len(week) == 7 else []

    def at(self, now: int) -> tuple[int, int]:
        """The script in force at ``now`` and the next second at which that may change.

        What ran last on the day before goes on until the first switch of a day; before any the lowest script is in force.
        """
        number, second = divmod(now - self._delay, DAY_S)
        switches = self._switches(number)
        past = [script for at, script in switches if at <= second]
        ahead = [at for at, _ in switches if at > second]
        until = number * DAY_S + (ahead[0] if ahead else DAY_S) + self._delay
        if past:
            return past[-1], until
        before = self._switches(number - 1)
        return (before[-1][1] if before else self.default), until


def _structures(value: Data, size: int) -> list[Structure]:
    items = value.elements if isinstance(value, Array) else ()
    return [item for item in items if isinstance(item, Structure) and len(item) == size]


Read = Callable[[int, str, int], Data]
"""Reads an attribute: class, OBIS text, attribute."""

OFFSET_NUMBERS = 10_000
"""A meter's own number for offsets is one of 1 to 10,000 (SMETS 5.7.1.5)."""


class Offset(Protocol):
    """An electricity meter whose switches come late."""

    offset_number: int

    def read(self, class_id: int, obis: str, attribute: int) -> Data:
        """An attribute of the object model as it stands."""
        ...


def randomised_offset(esme: Offset) -> int:
    """The randomised offset in seconds: number x limit x 10^-4, to the nearest second (SMETS 5.7.5.28, reference gbcs-text 7)."""
    limit = esme.read(1, "0-0:94.44.0.1", 2)
    return (limit.value * esme.offset_number + OFFSET_NUMBERS // 2) // OFFSET_NUMBERS if isinstance(limit, LongUnsigned) else 0


TOU_RATES, SECONDARY_RATES, BLOCKS, BLOCK_SETS = 48, 4, 4, 8
NO_THRESHOLD = 0xFFFFFFFF
"""A threshold that is never reached (RTDS ECS01a)."""
_BLOCK_SCRIPT, _SECONDARY_SCRIPT = 100, 200
_BLOCK_PRICES = (0xA0, 0xB0, 0xC0, 0xD0)
"""Price matrix indexes: 1 to 48 for time of use, A1 to D8 for block (letter) and set (digit) (RTDS ECS01a)."""
_POUND_IN_MILLIPENCE = 5
_WATT_SECONDS_PER_KWH = 1000 * HOUR_S
PRIMARY_PRICES, SECONDARY_PRICES = "0-0:19.20.0", "0-0:19.20.5"
STANDING_CHARGE = "0-0:19.20.4"


def millipence(amount: int, scale: int) -> Fraction:
    """``amount`` x 10^``scale`` pounds in thousandths of a penny (a scale of -5 is one millipenny)."""
    power = scale + _POUND_IN_MILLIPENCE
    return Fraction(amount * 10**power) if power >= 0 else Fraction(amount, 10**-power)


def unit_charge(value: Data) -> Mapping[int, Fraction]:
    """A unit charge (class 113 attribute 5): index to millipence per kWh; a charge without index has index 0 and no commodity."""
    amounts: dict[int, int] = {}
    step = Fraction(0)
    match value:
        case Structure(elements=(Structure(elements=(Integer(value=commodity), Integer(value=scale))), Structure(), Array(elements=table))):
            step = millipence(1, scale) * (Fraction(1000, 10**commodity) if commodity > 0 else 1)
            for entry in table:
                match entry:
                    case Structure(elements=(OctetString(octets=index), Long(value=amount))):
                        amounts[index[0] if index else 0] = amount
    prices = {amount: amount * step for amount in set(amounts.values())}  # a table has few, and most of its entries have the same
    return {index: prices[amount] for index, amount in amounts.items()}


@dataclass(frozen=True, slots=True)
class Tariff:
    """The tariff in force: tables, prices in millipence per kWh, block thresholds in Wh per set, standing charge in millipence a day."""

    table: SwitchingTable
    secondary_table: SwitchingTable
    prices: Mapping[int, Fraction]
    secondary_prices: Mapping[int, Fraction]
    thresholds: tuple[tuple[int, ...], ...]
    standing_charge: Fraction

    @classmethod
    def read(cls, read: Read, delay: int = 0) -> Tariff:
        """From the active attributes of the model; switches come ``delay`` seconds late."""

        def table(number: int, scripts: range, extra: range = range(0)) -> SwitchingTable:
            obis = f"0-0:13.0.{number}"
            return SwitchingTable(
                read(20, obis, 3),
                read(20, obis, 4),
                read(20, obis, 5),
                read(11, f"0-0:11.0.{number}", 2),
                scripts,
                extra,
                delay,
            )

        return cls(
            table(0, range(1, TOU_RATES + 1), range(_BLOCK_SCRIPT + 1, _BLOCK_SCRIPT + BLOCK_SETS + 1)),
            table(1, range(_SECONDARY_SCRIPT + 1, _SECONDARY_SCRIPT + SECONDARY_RATES + 1)),
            unit_charge(read(113, PRIMARY_PRICES, 5)),
            unit_charge(read(113, SECONDARY_PRICES, 5)),
            tuple(_thresholds(read(21, f"0-0:16.0.{10 + number}", 2)) for number in range(1, BLOCK_SETS + 1)),
            unit_charge(read(113, STANDING_CHARGE, 5)).get(0, Fraction(0)),
        )


def _thresholds(value: Data) -> tuple[int, ...]:
    return tuple(int(item) for item in (value.elements if isinstance(value, Array) else ()) if isinstance(item, Number))


@dataclass
class TariffRegisters:
    """Use at each rate, in watt-seconds. Block registers go on for ever; block counters start anew each period."""

    tou: list[int] = field(default_factory=lambda: [0] * TOU_RATES)
    secondary: list[int] = field(default_factory=lambda: [0] * SECONDARY_RATES)
    blocks: list[list[int]] = field(default_factory=lambda: [[0] * BLOCK_SETS for _ in range(BLOCKS)])
    counters: list[list[int]] = field(default_factory=lambda: [[0] * BLOCK_SETS for _ in range(BLOCKS)])

    def reset_counters(self) -> None:
        """Begin a new block period (ECS05, the end of a billing period, or each day where ECS48 says so)."""
        self.counters = [[0] * BLOCK_SETS for _ in range(BLOCKS)]

    def block(self, tariff: Tariff, number: int) -> tuple[int, int | None]:
        """The block of set ``number`` in use (from 0) and the watt-seconds to its end, None if it has none."""
        used = sum(row[number] for row in self.counters)
        for place, threshold in enumerate(tariff.thresholds[number][: BLOCKS - 1]):
            if threshold == NO_THRESHOLD:
                return place, None
            if used < threshold * HOUR_S:
                return place, threshold * HOUR_S - used
        return min(len(tariff.thresholds[number]), BLOCKS - 1), None

    def price(self, tariff: Tariff, script: int) -> Fraction:
        """Millipence per kWh under ``script`` at present."""
        if script > _SECONDARY_SCRIPT:
            return tariff.secondary_prices.get(script - _SECONDARY_SCRIPT, Fraction(0))
        if script <= _BLOCK_SCRIPT:
            return tariff.prices.get(script, Fraction(0))
        number = script - _BLOCK_SCRIPT - 1
        return tariff.prices.get(_BLOCK_PRICES[self.block(tariff, number)[0]] + number + 1, Fraction(0))

    def room(self, tariff: Tariff, script: int) -> int | None:
        """Watt-seconds until the price changes by block, None if it does not."""
        in_blocks = _BLOCK_SCRIPT < script <= _BLOCK_SCRIPT + BLOCK_SETS
        return self.block(tariff, script - _BLOCK_SCRIPT - 1)[1] if in_blocks else None

    def add(self, tariff: Tariff, script: int, energy: int) -> Fraction:
        """Count ``energy`` watt-seconds under ``script``; returns what they cost, split exactly at block thresholds."""
        if script > _SECONDARY_SCRIPT:
            self.secondary[script - _SECONDARY_SCRIPT - 1] += energy
            return self.price(tariff, script) * energy / _WATT_SECONDS_PER_KWH
        if script <= _BLOCK_SCRIPT:
            self.tou[script - 1] += energy
            return self.price(tariff, script) * energy / _WATT_SECONDS_PER_KWH
        cost, number = Fraction(0), script - _BLOCK_SCRIPT - 1
        while energy:
            place, room = self.block(tariff, number)
            part = energy if room is None else min(energy, room)
            cost += self.price(tariff, script) * part / _WATT_SECONDS_PER_KWH
            self.blocks[place][number] += part
            self.counters[place][number] += part
            energy -= part
        return cost

    def state(self) -> dict[str, Sequence[object]]:
        """For the store."""
        return {"tou": self.tou, "secondary": self.secondary, "blocks": self.blocks, "counters": self.counters}
