"""Registers that really accumulate: a load over the day, integrated half hour by half hour, exact and repeatable."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

HALF_HOUR_S = 1800
DAY_S = 86_400
PROFILE_DEPTH = 19_056
"""Half hours of the active import profile log (SMETS 5.7.5.27, reference smets 2)."""
DAILY_DEPTH = 31
CONSUMPTION_DEPTH = 731

LoadProfile = Callable[[int], int]
"""Half hour of the day (0..47) to the mean rate in it: watts for electricity, litres an hour for gas."""


def house(half_hour: int) -> int:
    """Watts of an ordinary house: a base load, a morning and an evening peak. The bench's own shape."""
    if 13 <= half_hour < 18:
        return 900
    if 33 <= half_hour < 44:
        return 1500
    return 220


def boiler(half_hour: int) -> int:
    """Litres of gas an hour of an ordinary house. The bench's own shape."""
    if 12 <= half_hour < 17:
        return 1800
    if 33 <= half_hour < 44:
        return 2400
    return 120


@dataclass(frozen=True, slots=True)
class Period:
    """One closed half hour or day: ``end`` in bench seconds since 2000 (UTC), amount in the register's unit."""

    end: int
    amount: int


@dataclass
class Register:
    """One accumulating register. ``total`` counts units of ``per_hour`` (Wh, or litres); kept in 1/3600 units inside.

    ``update(now)`` integrates the load up to ``now``; while ``flowing`` is False nothing is added. ``profile``, ``days``
    and ``snapshots`` (total at midnight UTC) are what its logs hold.
    """

    load: LoadProfile
    flowing: bool = True
    profile: deque[Period] = field(default_factory=lambda: deque(maxlen=PROFILE_DEPTH))
    days: deque[Period] = field(default_factory=lambda: deque(maxlen=CONSUMPTION_DEPTH))
    snapshots: deque[Period] = field(default_factory=lambda: deque(maxlen=DAILY_DEPTH))
    _parts: float = 0.0
    _until: float | None = None
    _half_hour_start: int = 0
    _day_start: int = 0

    @property
    def total(self) -> int:
        """Whole units since the register was made."""
        return int(self._parts // 3600)

    def rate(self, now: float) -> int:
        """The present rate in units an hour (watts for a Wh register)."""
        return self.load(int(now % DAY_S) // HALF_HOUR_S) if self.flowing else 0

    def update(self, now: float) -> None:
        """Integrate up to ``now`` (bench seconds since 2000). Time that runs backwards is ignored."""
        if self._until is None:
            self._until = now
            return
        while self._until < now:
            boundary = (int(self._until) // HALF_HOUR_S + 1) * HALF_HOUR_S
            step = min(boundary, now)
            self._parts += self.rate(self._until) * (step - self._until)
            self._until = step
            if step == boundary:
                self._close_half_hour(boundary)

    def _close_half_hour(self, boundary: int) -> None:
        self.profile.append(Period(boundary, self.total - self._half_hour_start))
        self._half_hour_start = self.total
        if boundary % DAY_S == 0:
            self.days.append(Period(boundary, self.total - self._day_start))
            self.snapshots.append(Period(boundary, self.total))
            self._day_start = self.total

    @property
    def today(self) -> int:
        """Units since midnight UTC."""
        return self.total - self._day_start
