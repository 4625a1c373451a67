"""Local time of Great Britain, in which SMETS ends the days of the consumer: GMT, and BST from the last Sunday of March to that of October.

The rule is that of the Summer Time Order 2002: the change is at 01:00 UTC. Seconds since 2000.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

from hil.devices.metering.registers import DAY_S, HOUR_S
from hil.devices.metering.tariff import day_of, midnight_of

_MARCH, _OCTOBER, _SUNDAY = 3, 10, 6


@lru_cache(maxsize=64)
def _summer(year: int) -> tuple[int, int]:
    """The moments at which summer time begins and ends."""
    start, end = (midnight_of(_last_sunday(year, month)) + HOUR_S for month in (_MARCH, _OCTOBER))
    return start, end


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() - _SUNDAY) % 7)


def ahead_of_utc(moment: int) -> int:
    """Seconds by which local time is ahead of UTC at a moment: 0 or 3600."""
    start, end = _summer(day_of(moment).year)
    return HOUR_S if start <= moment < end else 0


def local(moment: int) -> int:
    """Local time at a moment, counted as UTC is."""
    return moment + ahead_of_utc(moment)


def local_day(moment: int) -> date:
    """The local day that a moment lies in."""
    return day_of(local(moment))


def is_local_midnight(moment: int) -> bool:
    """True if a local day begins at ``moment``."""
    return local(moment) % DAY_S == 0
