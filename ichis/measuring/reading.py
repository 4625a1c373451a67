"""A reading is a value and its expanded uncertainty (k = 2, about 95 %); arithmetic carries both on, terms taken as independent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

K = 2.0
"""Coverage factor of every uncertainty here."""


class Basis(IntEnum):
    """Source of an uncertainty, the best first; of several the worst counts (reference ichis-more 4)."""

    EXACT = 0
    """A count, or a state: there is none."""
    CALIBRATED = 1
    DATASHEET = 2
    """Describes the type, not the unit."""
    ESTIMATE = 3
    NONE = 4
    """Nobody stated one: only simple acceptance is open to such a reading."""


@dataclass(frozen=True, slots=True)
class Reading:
    """``value`` and expanded uncertainty ``u`` in the same unit; a plain number counts as exact."""

    value: float
    u: float = 0.0
    basis: Basis = Basis.EXACT

    def __add__(self, other: Reading | float) -> Reading:
        o = reading(other)
        return Reading(self.value + o.value, math.hypot(self.u, o.u), max(self.basis, o.basis))

    def __sub__(self, other: Reading | float) -> Reading:
        return self + reading(other) * -1.0

    def __mul__(self, other: Reading | float) -> Reading:
        o = reading(other)
        return Reading(self.value * o.value, math.hypot(self.u * o.value, o.u * self.value), max(self.basis, o.basis))

    def __truediv__(self, other: Reading | float) -> Reading:
        """Raises ZeroDivisionError."""
        o = reading(other)
        u = math.hypot(self.u / o.value, self.value * o.u / (o.value * o.value))
        return Reading(self.value / o.value, u, max(self.basis, o.basis))

    def __abs__(self) -> Reading:
        return Reading(abs(self.value), self.u, self.basis)

    def widened(self, half_width: float) -> Reading:
        """The same with a further term that lies anywhere within ``half_width`` either side (rectangular)."""
        return Reading(self.value, math.hypot(self.u, K * half_width / math.sqrt(3)), max(self.basis, Basis.ESTIMATE))


def reading(value: Reading | float) -> Reading:
    """A number as an exact reading."""
    return value if isinstance(value, Reading) else Reading(float(value))


def between(earliest: float, latest: float) -> Reading:
    """A moment that lies anywhere from ``earliest`` to ``latest``."""
    return Reading((earliest + latest) / 2).widened((latest - earliest) / 2) if latest > earliest else Reading(earliest)


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading of a course, taken at some moment from ``began`` to ``ended``, bench time."""

    began: float
    ended: float
    found: Reading

    @property
    def when(self) -> float:
        """The middle."""
        return (self.began + self.ended) / 2


@dataclass(frozen=True, slots=True)
class Span:
    """Limit of error up to ``to``: a part of the reading, an offset, and the last digit, in the unit of the reading."""

    to: float
    reading: float
    offset: float
    digit: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Limits of error by range, and where they are from."""

    spans: tuple[Span, ...] = ()
    basis: Basis = Basis.NONE
    source: str = ""

    def of(self, value: float) -> Reading:
        """The value as a reading. Above the last range, or without one, its uncertainty is not known (basis none)."""
        span = next((span for span in self.spans if abs(value) <= span.to), None)
        if span is None:
            return Reading(value, 0.0, Basis.NONE)
        limit = abs(value) * span.reading + span.offset
        return Reading(value, K * math.hypot(limit / math.sqrt(3), span.digit / 2 / math.sqrt(3)), self.basis)


def highest(readings: Iterable[Reading]) -> Reading:
    """The reading with the highest value."""
    return max(readings, key=lambda one: one.value)


def lowest(readings: Iterable[Reading]) -> Reading:
    """The reading with the lowest value."""
    return min(readings, key=lambda one: one.value)


@dataclass(frozen=True, slots=True)
class Plain:
    """A result that is no figure: what was to happen did not, or another thing did. ``words`` say it without a sentinel."""

    passes: bool
    words: str
