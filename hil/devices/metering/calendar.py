"""COSEM dates, times and schedules as a meter reads them: wildcards, last days of a month, special days, class 10 entries.

All times are bench seconds since 2000 in UTC, as a meter's calendars are.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from firmware_emu.gbcs.axdr import Array, BitString, Boolean, Data, LongUnsigned, OctetString, Structure, Unsigned
from hil.devices.metering.registers import DAY_S

_EPOCH = date(2000, 1, 1)
_ANY, _ANY_YEAR = 0xFF, 0xFFFF
_LAST, _SECOND_LAST = 0xFE, 0xFD
LOOK_BACK_DAYS = 31
"""How far back the last switch of a schedule is looked for. The bench's own figure: schedules have days of the week."""


def day_of(seconds: int) -> date:
    """The day that a moment lies in."""
    return _EPOCH + timedelta(days=seconds // DAY_S)


def midnight_of(day: date) -> int:
    """The first second of a day."""
    return (day - _EPOCH).days * DAY_S


def falls_on(octets: bytes, day: date) -> bool:
    """Whether a COSEM date (5 octets, or the first 5 of a date-time) with its wildcards is ``day`` (reference gbcs-messages 5.3)."""
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
    """Whether a date is a plain day of any year."""
    return octets[:2] == b"\xff\xff" and 1 <= octets[2] <= 12 and 1 <= octets[3] <= 28 and octets[4] == _ANY


def not_before(octets: bytes, day: date) -> bool:
    """Whether ``day`` is on or after a COSEM date, parts that are wildcards left out of the comparison."""
    return _compared(octets, day) <= _own(octets, day)


def not_after(octets: bytes, day: date) -> bool:
    """Whether ``day`` is on or before a COSEM date."""
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
class Switch:
    """One entry of a schedule (class 10): run ``selector`` at ``at`` seconds after midnight on the days it names."""

    selector: int
    at: int
    weekdays: str
    special: str
    begin: bytes
    end: bytes

    def runs_on(self, day: date, special: frozenset[int]) -> bool:
        """Whether it runs on ``day``, which is the special days of these indexes. A special day that it names replaces the weekday."""
        if not (not_before(self.begin, day) and not_after(self.end, day)):
            return False
        if any(index < len(self.special) and self.special[index] == "1" for index in special):
            return True
        return self.weekdays[day.weekday() : day.weekday() + 1] == "1" and not special


class Schedule:
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


def _switches(entries: Iterable[Data]) -> Iterable[Switch]:
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
                yield Switch(selector, time_of_day(at), weekdays.bits, special.bits, begin, end)
