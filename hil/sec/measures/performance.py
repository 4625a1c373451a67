"""The measures out of a DCC's store: each month's figure, what it demands to be said, and what was said.

Choices where the text is silent: a request counts in the month in which its clock started, an incident in the month in which it
was due. A Service Response counts as delivered when the DCC has it ready for its user (a user that is away makes nobody late). What is
refused, quarantined or returned for local delivery has no Service Response to be late; what a Device never answered is late. Scheduled
runs are in no measure of the text and count in measure 2 (reference performance-measures). A clock that still runs is not counted.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache
from importlib import resources
from itertools import chain

from firmware_emu.errors import CommsHubError
from hil.dcc.answers.alert_table import AlertTable
from hil.dcc.base.months import Month
from hil.dcc.base.requests import ANSWERED, Requests, RequestState
from hil.dcc.base.services import schedule
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.sec.incidents import IncidentLog

SEVERE = frozenset({1, 2})
"""Incident categories of measure 4; the others are of measure 5."""
_NOT_CLOCKED = (
    RequestState.REFUSED,
    RequestState.QUARANTINED,
    RequestState.DISCARDED,
    RequestState.CANCELLED,
    RequestState.RETURNED,
)


class MeasureError(CommsHubError):
    """A report that lacks what its figures demand."""


class MeasureRule(StrEnum):
    """Demand of a figure on the report [260, 261]."""

    REPORT = "report the figure"
    CAUSE = "report, and explain the cause"
    STEPS = "report, explain the cause and state the steps being taken"
    NOTHING = "nothing was counted"


@dataclass(frozen=True, slots=True)
class MeasureLevel:
    """One measure's service levels, in percent [262]."""

    number: int
    name: str
    target: Fraction
    minimum: Fraction
    paragraph: str


@cache
def levels() -> tuple[MeasureLevel, ...]:
    """All five."""
    lines = resources.files("hil.sec.measures").joinpath("levels.csv").read_text(encoding="utf-8").splitlines()
    return tuple(
        MeasureLevel(int(row["number"]), row["name"], Fraction(row["target"]), Fraction(row["minimum"]), row["paragraph"])
        for row in csv.DictReader(lines)
    )


@dataclass(frozen=True, slots=True)
class Clocked:
    """One thing that was timed. ``ended`` None: it has no end. ``where`` names what it was, for finding the cause."""

    what: str
    where: str
    due: float
    ended: float | None

    @property
    def within(self) -> bool:
        return self.ended is not None and self.ended <= self.due


@dataclass(frozen=True, slots=True)
class MeasureFigure:
    """One measure of one month. ``causes`` are the late ones by what and where, the most frequent first."""

    level: MeasureLevel
    month: Month
    counted: int
    within: int
    causes: tuple[tuple[str, int], ...]

    @property
    def percent(self) -> Fraction | None:
        return Fraction(100 * self.within, self.counted) if self.counted else None

    @property
    def rule(self) -> MeasureRule:
        """At or above target: the figure. At or above minimum: the cause too; equality is no failure (choice). Below: the steps too."""
        if self.percent is None:
            return MeasureRule.NOTHING
        if self.percent >= self.level.target:
            return MeasureRule.REPORT
        return MeasureRule.CAUSE if self.percent >= self.level.minimum else MeasureRule.STEPS


@dataclass(frozen=True, slots=True)
class Statement:
    """A figure with what was said about it. ``owed`` is what still has to be said."""

    figure: MeasureFigure
    cause: str
    steps: str

    @property
    def owed(self) -> tuple[str, ...]:
        cause = "cause" if self.figure.rule in (MeasureRule.CAUSE, MeasureRule.STEPS) and not self.cause else None
        steps = "steps" if self.figure.rule is MeasureRule.STEPS and not self.steps else None
        return tuple(one for one in (cause, steps) if one)

    def as_json(self) -> dict[str, object]:
        figure = self.figure
        return {
            "measure": figure.level.number,
            "name": figure.level.name,
            "month": str(figure.month),
            "counted": figure.counted,
            "within": figure.within,
            "percent": None if figure.percent is None else f"{float(figure.percent):.3f}",
            "target": str(figure.level.target),
            "minimum": str(figure.level.minimum),
            "rule": figure.rule.value,
            "late_by": [f"{count} x {what}" for what, count in figure.causes],
            "cause": self.cause,
            "steps": self.steps,
            "owed": list(self.owed),
        }


class Performance:
    """The performance desk of a DCC; ``incidents`` is its incident log."""

    def __init__(self, store: DccStore, incidents: IncidentLog, now: Callable[[], float]) -> None:
        create_tables(store, "hil.sec.measures")
        self._store = store
        self._incidents = incidents
        self._now = now

    def figure(self, number: int, month: Month) -> MeasureFigure:
        """One measure of one month, for the whole system [256, 259]. Raises MeasureError for a number that is none."""
        level = next((one for one in levels() if one.number == number), None)
        if level is None:
            raise MeasureError(f"read measure {number}, expected 1 to {len(levels())}")
        now = self._now()
        clocked = [one for one in self._clocked(number, month) if one.ended is not None or now > one.due]
        late = Counter(f"{one.what}, {one.where}" for one in clocked if not one.within)
        return MeasureFigure(level, month, len(clocked), sum(one.within for one in clocked), tuple(late.most_common()))

    def _clocked(self, number: int, month: Month) -> Iterator[Clocked]:
        match number:
            case 1:
                return self._responses(month, future=False)
            case 2:
                return chain(self._responses(month, future=True), self._alerts(month, billing=True))
            case 3:
                return self._alerts(month, billing=False)
            case _:
                return self._resolutions(month, severe=number == 4)

    def _responses(self, month: Month, *, future: bool) -> Iterator[Clocked]:
        for one in Requests(self._store, self._now).clocked(month.begins, month.ends - 1e-6, _NOT_CLOCKED):
            service = schedule()[one.variant]
            target = service.on_demand_s if one.execute_at is None else service.future_dated_s
            if (one.execute_at is not None) is not future or target is None:
                continue
            started = one.received if one.execute_at is None else one.execute_at
            ended = started if one.state is RequestState.EXECUTED else one.responded if one.state in ANSWERED else None
            where = "no Response" if ended is None else f"hub {one.chf}" if one.chf else "the DCC itself"
            yield Clocked(f"service {one.variant} {service.name}", where, started + one.thinking + target, ended)

    def _alerts(self, month: Month, *, billing: bool) -> Iterator[Clocked]:
        """Alerts with their 60 s; ``billing`` those that bring the billing data of service 6.8, which has 24 h from each billing date
        (GW-77, table 5.1)."""
        target = schedule()["6.8"].future_dated_s if billing else ALERT_S
        assert target is not None
        for one in AlertTable(self._store).clocked(month.begins, month.ends - 1e-6):
            if (one.code == BILLING_DATA) is not billing:
                continue
            # An alert that waits for a user who is away was ready when it was taken.
            ended = one.delivered if one.delivered is not None else one.time
            yield Clocked(f"alert {one.code}", f"from {one.device}", one.clock_start + target, ended)

    def _resolutions(self, month: Month, *, severe: bool) -> Iterator[Clocked]:
        for one in self._incidents.incidents():
            if month.begins <= one.due < month.ends and (one.category in SEVERE) is severe:
                yield Clocked(f"category {one.category} incident", one.area, one.due, one.resolved)

    def resolved_in_time(self, month: Month) -> dict[int, tuple[int, int]]:
        """Incidents due in the month by category: how many, and how many were resolved in time (IM-14 [237])."""
        found: dict[int, tuple[int, int]] = {}
        now = self._now()
        for one in self._incidents.incidents():
            if month.begins <= one.due < month.ends and (one.resolved is not None or now > one.due):
                counted, within = found.get(one.category, (0, 0))
                found[one.category] = counted + 1, within + (one.resolved is not None and one.resolved <= one.due)
        return dict(sorted(found.items()))

    def explain(self, number: int, month: Month, cause: str, steps: str = "") -> Statement:
        """Say why a measure is below its target, and what is done about it where it is below its minimum [260, 261]."""
        self.figure(number, month)
        self._store.execute(
            "INSERT OR REPLACE INTO measure_explanations VALUES (?, ?, ?, ?, ?)", (str(month), number, cause, steps, self._now())
        )
        return self.statement(number, month)

    def statement(self, number: int, month: Month) -> Statement:
        """One measure with what was said about it."""
        row = self._store.row("SELECT * FROM measure_explanations WHERE month = ? AND measure = ?", (str(month), number))
        cause, steps = ("", "") if row is None else (row["cause"], row["steps"])
        return Statement(self.figure(number, month), cause, steps)

    def report(self, month: Month) -> tuple[Statement, ...]:
        """The month's report. Raises MeasureError while something that it must say is not said."""
        made = tuple(self.statement(one.number, month) for one in levels())
        owed = [f"measure {one.figure.level.number}: {' and '.join(one.owed)}" for one in made if one.owed]
        if owed:
            raise MeasureError(f"the report on {month} cannot go out, it owes {'; '.join(owed)} [260, 261]")
        return made


ALERT_S = 60.0
BILLING_DATA = "8F0A"
"""Billing Data Log Updated (event table): its alert carries the entry."""
"""Target Response Time of alerts [129]."""
