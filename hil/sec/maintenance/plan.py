"""Planned maintenance with the Panel's agreement where it is needed, its publication, and availability (SV-02 to SV-12 [207, 213, 246])."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Any

from firmware_emu.clock import EPOCH
from firmware_emu.errors import CommsHubError
from hil.dcc.base.months import Month
from hil.dcc.base.requests import Requests
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables

HOUR_S = 3600.0


class MaintenanceError(CommsHubError):
    """Step that may not be taken yet, and what is missing."""


@cache
def settings() -> Mapping[str, Any]:
    """``settings.toml``."""
    return tomllib.loads(resources.files("hil.sec.maintenance").joinpath("settings.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class MaintenanceItem:
    """One maintenance item. ``agreed`` is the Panel's agreement in words, None without; ``needs_agreement`` says why it is needed."""

    number: int
    what: str
    begins: float
    ends: float
    disrupts: bool
    planned: float
    agreed: str | None
    published: float | None
    needs_agreement: tuple[str, ...]

    @property
    def state(self) -> str:
        """``needs agreement``, ``agreed``, ``may run`` or ``published``."""
        if self.needs_agreement and self.agreed is None:
            return "needs agreement"
        return "published" if self.published is not None else "agreed" if self.agreed is not None else "may run"


class MaintenancePlan:
    """The plan in the DCC's store. ``panel_hours`` are the specified hours of [213] as (from, until)."""

    def __init__(self, store: DccStore, now: Callable[[], float], panel_hours: tuple[int, int] | None = None) -> None:
        create_tables(store, "hil.sec.maintenance")
        self._store = store
        self._now = now
        self._panel_hours = panel_hours or tuple(settings()["protected_hours"])

    def plan(self, what: str, begins: float, ends: float, *, disrupts: bool) -> MaintenanceItem:
        """Put an item into the plan. Raises MaintenanceError for one that is over before it begins."""
        if ends <= begins:
            raise MaintenanceError(f"maintenance {what!r} ends before it begins: give times that follow each other")
        number = self._store.insert("maintenance_items", what=what, begins=begins, ends=ends, disrupts=int(disrupts), planned=self._now())
        return self.item(number)

    def agree(self, number: int, agreement: str) -> MaintenanceItem:
        """The SEC Panel agrees [213]."""
        self._store.execute("UPDATE maintenance_items SET agreed = ? WHERE number = ?", (agreement, number))
        return self.item(number)

    def publish(self, month: Month) -> tuple[MaintenanceItem, ...]:
        """Publish a month's schedule, before the month begins [213]. Raises MaintenanceError afterwards, or while agreement is missing."""
        items = self.month(month)
        waiting = [f"{one.number} ({'; '.join(one.needs_agreement)})" for one in items if one.state == "needs agreement"]
        if waiting:
            raise MaintenanceError(f"the schedule of {month} waits for the Panel's agreement to {', '.join(waiting)} [213]")
        if self._now() >= month.begins:
            raise MaintenanceError(f"{month} has begun: its schedule is published before the month [213]")
        for one in items:
            self._store.execute("UPDATE maintenance_items SET published = ? WHERE number = ?", (self._now(), one.number))
        return self.month(month)

    def month(self, month: Month) -> tuple[MaintenanceItem, ...]:
        """The month's items in the order of their beginning."""
        rows = self._store.rows(
            "SELECT number FROM maintenance_items WHERE begins >= ? AND begins < ? ORDER BY begins", (month.begins, month.ends)
        )
        return tuple(self.item(row["number"]) for row in rows)

    def item(self, number: int) -> MaintenanceItem:
        """One item. Raises MaintenanceError."""
        row = self._store.row("SELECT * FROM maintenance_items WHERE number = ?", (number,))
        if row is None:
            raise MaintenanceError(f"there is no maintenance item {number}")
        return MaintenanceItem(
            number,
            row["what"],
            row["begins"],
            row["ends"],
            bool(row["disrupts"]),
            row["planned"],
            row["agreed"],
            row["published"],
            tuple(self._needs(row["begins"], row["ends"], bool(row["disrupts"]))),
        )

    def _needs(self, begins: float, ends: float, disrupts: bool) -> list[str]:
        """Why an item needs agreement: more than four hours of disruption in its month, the item included, or the specified hours."""
        needs = []
        month = Month.at(begins)
        rows = self._store.rows(
            "SELECT begins, ends FROM maintenance_items WHERE disrupts = 1 AND begins >= ? AND begins <= ?", (month.begins, begins)
        )
        hours = sum(row["ends"] - row["begins"] for row in rows) / HOUR_S
        limit = settings()["disruption_hours_a_month"]
        if disrupts and hours > limit:
            needs.append(f"{hours:g} h of disruption in {month}, more than {limit}")
        if self._inside_protected_hours(begins, ends):
            needs.append(f"inside the specified hours {self._panel_hours[0]} to {self._panel_hours[1]}")
        return needs

    def _inside_protected_hours(self, begins: float, ends: float) -> bool:
        first, last = self._panel_hours
        at = EPOCH + timedelta(seconds=begins)
        until = EPOCH + timedelta(seconds=ends)
        while at < until:
            if first <= at.hour < last:
                return True
            at = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return False

    # The least disruptive time

    def requests_by_hour(self) -> dict[int, int]:
        """Number of Service Requests that arrived in each hour of the day so far."""
        counts = dict.fromkeys(range(24), 0)
        for _, received in Requests(self._store, self._now).arrivals():
            counts[(EPOCH + timedelta(seconds=received)).hour] += 1
        return counts

    def least_disruptive_hour(self, hours: int = 1) -> int:
        """The hour at which maintenance of so many ``hours`` meets the fewest requests (SV-08 [207])."""
        counts = self.requests_by_hour()
        order: list[int] = [*settings()["candidate_hours"], *range(24)]
        return min(order, key=lambda hour: (sum(counts[(hour + n) % 24] for n in range(hours)), order.index(hour)))

    # Availability

    def interrupted(self, what: str, began: float, ended: float | None = None) -> None:
        """The services were away."""
        self._store.insert("interruptions", began=began, ended=ended, what=what)

    def availability(self, begins: float, ends: float) -> Fraction:
        """Percent of the time, less published maintenance, at which the services were there: 24 hours, every day (SV-09 [90, 246, 255])."""
        published = self._store.rows("SELECT begins, ends FROM maintenance_items WHERE disrupts = 1 AND published IS NOT NULL")
        planned = [(max(begins, row["begins"]), min(ends, row["ends"])) for row in published]
        away = [
            (max(begins, row["began"]), min(ends, ends if row["ended"] is None else row["ended"]))
            for row in self._store.rows("SELECT began, ended FROM interruptions ORDER BY began")
        ]
        maintenance = _length(planned)
        lost = _length([*planned, *away]) - maintenance
        due = Fraction(ends) - Fraction(begins) - maintenance
        if due <= 0:
            raise MaintenanceError("nothing but planned maintenance lies in this time: ask for a longer one")
        return 100 * (due - lost) / due


def _length(spans: list[tuple[float, float]]) -> Fraction:
    """Length of the spans together, overlaps counted once."""
    total, reached = Fraction(0), float("-inf")
    for begins, ends in sorted(spans):
        if ends > max(begins, reached):
            total += Fraction(ends) - Fraction(max(begins, reached))
            reached = ends
    return total
