"""Registers that really accumulate, with the logs of their half hours and days, and the loads of an ordinary house.

Energy is counted exactly, in whole units times one second (watt-seconds, litre-seconds), so that no half hour is rounded and a year
adds up to the unit; it is kept with its logs in the Device's store. Fractions of a second wait for the next update.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from firmware_emu.device.store import MemoryStore, Store

HALF_HOUR_S = 1800
HOUR_S = 3600
DAY_S = 86_400
PROFILE_DEPTH = 19_056
"""Half hours of the active import profile log (SMETS 5.7.5.27, reference smets 2)."""
OTHER_PROFILE_DEPTH = 4_464
"""Half hours of the export and reactive import profile logs (SMETS 5.7.5.27)."""
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


def nothing(half_hour: int) -> int:
    """The load of an element or direction that is not in use."""
    return 0


class RecordRing:
    """A circular log of records of one struct format in a store: the newest ``depth`` are kept, oldest first when read.

    Records are written in pages, so that a log of 19,056 half hours is a few hundred values of the store.
    """

    def __init__(self, store: Store, name: str, layout: str, depth: int, per_page: int = 48) -> None:
        self._store = store
        self._name = name + "/"
        self._record = struct.Struct(">" + layout)
        self.depth = depth
        self._per_page = min(per_page, depth)
        self._pages = -(-depth // self._per_page) + 1

    def append(self, *values: int) -> None:
        """Add one record; the oldest goes once there are ``depth``."""
        written = self._written()
        page, place = divmod(written, self._per_page)
        name = f"{self._name}{page % self._pages:03d}"
        before = (self._store.get(name) or b"") if place else b""
        with self._store.transaction():
            self._store.put(name, before + self._record.pack(*values))
            self._store.put(self._name + "written", (written + 1).to_bytes(8, "big"))

    def __len__(self) -> int:
        return min(self._written(), self.depth)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        written = self._written()
        number = max(0, written - self.depth)
        while number < written:
            page, place = divmod(number, self._per_page)
            octets = self._store.get(f"{self._name}{page % self._pages:03d}") or b""
            found = list(self._record.iter_unpack(octets))[place:]
            yield from found
            number += max(len(found), 1)

    def _written(self) -> int:
        octets = self._store.get(self._name + "written")
        return 0 if octets is None else int.from_bytes(octets, "big")


@dataclass(frozen=True, slots=True)
class Period:
    """One closed half hour or day: ``end`` in bench seconds since 2000 (UTC), amount in the register's unit."""

    end: int
    amount: int


class Periods:
    """A log of :class:`Period`."""

    def __init__(self, store: Store, name: str, depth: int) -> None:
        self._ring = RecordRing(store, name, "IQ", depth)

    def append(self, period: Period) -> None:
        """Add one period; the oldest goes once the log is full."""
        self._ring.append(period.end, period.amount)

    def __len__(self) -> int:
        return len(self._ring)

    def __iter__(self) -> Iterator[Period]:
        return (Period(*record) for record in self._ring)


_STATE = struct.Struct(">QqQQ")
_NEVER = -1


class Register:
    """One accumulating register. ``total`` counts units of ``per_hour`` (Wh, or litres); kept in unit-seconds inside.

    ``update(now)`` integrates the load up to ``now``; while ``flowing`` is False nothing is added. ``profile``, ``days``
    and ``snapshots`` (total at midnight UTC) are what its logs hold. Counts and logs are kept under ``name`` in ``store``
    and found there again by the next Register of that name; the time between counts nothing.
    """

    def __init__(
        self,
        load: LoadProfile,
        flowing: bool = True,
        *,
        store: Store | None = None,
        name: str = "register",
        profile_depth: int = PROFILE_DEPTH,
    ) -> None:
        self.load = load
        self.flowing = flowing
        self._store = store or MemoryStore()
        self._name = name
        self.profile = Periods(self._store, name + "/profile", profile_depth)
        self.days = Periods(self._store, name + "/days", CONSUMPTION_DEPTH)
        self.snapshots = Periods(self._store, name + "/snapshots", DAILY_DEPTH)
        self._parts = 0
        self._until = _NEVER
        self._half_hour_start = 0
        self._day_start = 0
        self.last_half_hour = 0
        """Units of the half hour closed last by this object."""
        self._saved = b""
        self.recall()

    def recall(self) -> None:
        """Take up what the store holds: after a power cut, or after a Command that was rolled back."""
        octets = self._store.get(self._name + "/state")
        if octets is None:
            self._parts, self._until, self._half_hour_start, self._day_start = 0, _NEVER, 0, 0
        else:
            self._parts, self._until, self._half_hour_start, self._day_start = _STATE.unpack(octets)
        self._saved = octets or b""

    def save(self) -> None:
        """Make the counts durable."""
        octets = _STATE.pack(self._parts, self._until, self._half_hour_start, self._day_start)
        if octets != self._saved:
            self._store.put(self._name + "/state", octets)
            self._saved = octets

    @property
    def until(self) -> int | None:
        """Up to when the load is counted, None before the first update."""
        return None if self._until == _NEVER else self._until

    @property
    def parts(self) -> int:
        """The count in units times seconds (1/3600 of a unit hour)."""
        return self._parts

    @property
    def total(self) -> int:
        """Whole units since the register was made."""
        return self._parts // HOUR_S

    def rate(self, now: float) -> int:
        """The present rate in units an hour (watts for a Wh register)."""
        return self.load(int(now) % DAY_S // HALF_HOUR_S) if self.flowing else 0

    def begin(self, now: int) -> None:
        """Start to count at ``now``, or go on there without counting what lies between."""
        self._until = now

    def move(self, seconds: int) -> None:
        """Follow an adjustment of the clock: counting goes on at the adjusted time, and no energy comes or goes."""
        if self._until != _NEVER:
            self._until += seconds

    def advance(self, end: int) -> int:
        """Count up to ``end``, which lies in the half hour under way or ends it; returns what was added, in unit-seconds."""
        added = self.rate(self._until) * (end - self._until)
        self._parts += added
        self._until = end
        if end % HALF_HOUR_S == 0:
            self._close_half_hour(end)
        return added

    def update(self, now: float) -> None:
        """Integrate up to ``now`` (bench seconds since 2000). Time that runs backwards is ignored."""
        self.recall()
        if self._until == _NEVER:
            self.begin(int(now))
        with self._store.transaction():
            while self._until < int(now):
                self.advance(min((self._until // HALF_HOUR_S + 1) * HALF_HOUR_S, int(now)))
            self.save()

    def _close_half_hour(self, boundary: int) -> None:
        self.last_half_hour = self.total - self._half_hour_start
        self.profile.append(Period(boundary, self.last_half_hour))
        self._half_hour_start = self.total
        if boundary % DAY_S == 0:
            self.days.append(Period(boundary, self.total - self._day_start))
            self.snapshots.append(Period(boundary, self.total))
            self._day_start = self.total

    @property
    def today(self) -> int:
        """Units since midnight UTC."""
        return self.total - self._day_start


def watt_hours(watt_seconds: int) -> int:
    """Whole Wh of a count of watt-seconds, as a register shows them."""
    return watt_seconds // HOUR_S
