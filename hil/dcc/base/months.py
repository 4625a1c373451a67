"""Calendar months, which charges, measures and forecasts are counted in."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from firmware_emu.clock import EPOCH
from firmware_emu.errors import CommsHubError


class MonthError(CommsHubError):
    """Text that names no month."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One calendar month, UTC."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """``2026-03``, from 2000, where bench time begins, to 2998, so that there is a month after it and a year. Raises MonthError."""
        found = re.fullmatch(r"(2[0-9]{3})-(0[1-9]|1[0-2])", text.strip())
        if found is None or int(found[1]) > 2998:
            raise MonthError(f"read {text[:20]!r}, expected a month from 2000 to 2998 such as 2026-03")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, day: date) -> Month:
        return cls(day.year, day.month)

    @classmethod
    def at(cls, seconds: float) -> Month:
        """The month of a bench time, seconds since 2000-01-01T00:00:00Z."""
        return cls.of((EPOCH + timedelta(seconds=seconds)).date())

    def __add__(self, months: int) -> Month:
        years, number = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(years, number + 1)

    def __sub__(self, earlier: Month) -> int:
        """Months from ``earlier`` to this one."""
        return (self.year - earlier.year) * 12 + self.number - earlier.number

    @property
    def days(self) -> int:
        return calendar.monthrange(self.year, self.number)[1]

    def day(self, number: int) -> date:
        return date(self.year, self.number, number)

    @property
    def last_day(self) -> date:
        return self.day(self.days)

    @property
    def begins(self) -> float:
        """Bench time of its first instant."""
        return (datetime(self.year, self.number, 1, tzinfo=UTC) - EPOCH).total_seconds()

    @property
    def ends(self) -> float:
        """Bench time of the first instant after it."""
        return (self + 1).begins

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"
