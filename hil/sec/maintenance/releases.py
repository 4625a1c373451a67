"""Changes and releases: what needs consultation, what is released together, freezes and notice (SV-05, SV-06 [209-215])."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from firmware_emu.clock import EPOCH
from firmware_emu.errors import one_of
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.sec.maintenance.plan import MaintenanceError, settings

INFORMED = ("users", "Technical Sub-Committee")
"""Parties informed of a change with a material risk of disruption [215]."""


@dataclass(frozen=True, slots=True)
class InternalChange:
    """An internal change. ``informed``: who was told; ``tested``: users could test it; ``notice_given``: seconds before it."""

    what: str
    material_risk: bool
    informed: frozenset[str] = frozenset()
    tested: bool = False
    notice_given: bool = False

    @property
    def classified(self) -> str:
        """``non-disruptive`` needs no consultation [214]; ``risky`` does [215]."""
        return "risky" if self.material_risk else "non-disruptive"

    @property
    def owed(self) -> tuple[str, ...]:
        """Steps still owed before it may be made."""
        if not self.material_risk:
            return ()
        missing = [f"inform the {who}" for who in INFORMED if who not in self.informed]
        missing += [] if self.tested else ["let users test it"]
        return (*missing, *(() if self.notice_given else ("give notice",)))


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """Policy for one kind of release [211]."""

    kind: str
    priority: int
    notice_days: int
    ignores_freeze: bool


def policies() -> dict[str, ReleasePolicy]:
    """By kind, the most urgent first."""
    found = {kind: ReleasePolicy(kind, **row) for kind, row in settings()["release"].items()}
    return dict(sorted(found.items(), key=lambda item: item[1].priority))


def frozen(day: date) -> str | None:
    """The change-freeze period a day lies in (``12-15 to 01-04``), None outside."""
    for period in settings()["freeze"]:
        begins, ends = period["begins"], period["ends"]
        today = f"{day:%m-%d}"
        inside = begins <= today <= ends if begins <= ends else today >= begins or today <= ends
        if inside:
            return f"{begins} to {ends}"
    return None


@dataclass(frozen=True, slots=True)
class Release:
    """One release: its changes go out together [210]."""

    number: int
    kind: str
    changes: tuple[str, ...]
    at: float


class Releases:
    """The release calendar in the DCC's store."""

    def __init__(self, store: DccStore, now: Callable[[], float]) -> None:
        create_tables(store, "hil.sec.maintenance")
        self._store = store
        self._now = now

    def plan(self, kind: str, changes: tuple[InternalChange, ...], at: float) -> Release:
        """Plan a release. Raises MaintenanceError inside a freeze, without notice enough, or while a change owes something.

        A release planned for the same day takes the changes in: they go out together.
        """
        policy = policies().get(kind)
        if policy is None:
            raise MaintenanceError(f"read the kind {kind!r}, expected {one_of(kind, policies())}")
        day = (EPOCH + timedelta(seconds=at)).date()
        if (period := frozen(day)) is not None and not policy.ignores_freeze:
            raise MaintenanceError(f"{day} lies in the change-freeze {period}: no {kind} release then [211]")
        notice = (at - self._now()) / 86400
        if notice < policy.notice_days:
            raise MaintenanceError(f"{notice:.1f} days of notice for a {kind} release, expected {policy.notice_days} [211]")
        owed = [f"{change.what}: {', '.join(change.owed)}" for change in changes if change.owed]
        if owed:
            raise MaintenanceError(f"a change with a material risk of disruption owes [215]: {'; '.join(owed)}")
        names = tuple(change.what for change in changes)
        with self._store.transaction():
            same = next((one for one in self.calendar() if (EPOCH + timedelta(seconds=one.at)).date() == day and one.kind == kind), None)
            if same is not None:
                self._store.execute("UPDATE releases SET changes = ? WHERE number = ?", (json.dumps([*same.changes, *names]), same.number))
                return next(one for one in self.calendar() if one.number == same.number)
            number = self._store.insert("releases", kind=kind, changes=json.dumps(names), planned=self._now(), at=at, state="planned")
        return Release(number, kind, names, at)

    def calendar(self) -> tuple[Release, ...]:
        """Plan of releases: by day, the most urgent kind first."""
        rows = self._store.rows("SELECT * FROM releases")
        found = (Release(row["number"], row["kind"], tuple(json.loads(row["changes"])), row["at"]) for row in rows)
        return tuple(sorted(found, key=lambda one: (one.at // 86400, policies()[one.kind].priority)))
