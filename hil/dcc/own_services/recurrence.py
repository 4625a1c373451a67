"""When a schedule runs: its frequency and first day, and the period that a run reads (DUIS 5.4 DSPSchedule).

Days that a month does not have fall on its last day, by dateutil's relativedelta (its rrule would leave such a month out), and a schedule
without a time of day runs at midnight UTC (choices).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from dateutil.relativedelta import relativedelta

from hil.dcc.duis.document import Content
from hil.dcc.duis.request import Node

_STEPS = {
    "Daily": relativedelta(days=1),
    "Weekly": relativedelta(weeks=1),
    "Monthly": relativedelta(months=1),
    "Quarterly": relativedelta(months=3),
    "Half-Yearly": relativedelta(months=6),
    "Yearly": relativedelta(years=1),
}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Frequency, first run, and the last day (inclusive) if there is one."""

    frequency: str
    first: datetime
    last_day: datetime | None = None

    @classmethod
    def of(cls, schedule: Node) -> Recurrence:
        """Of a CreateSchedule element. Raises RequestError."""
        at = schedule.clock("ScheduleExecutionStartTime") if schedule.has("ScheduleExecutionStartTime") else time(0)
        first = datetime.combine(datetime(*schedule.day("ScheduleStartDate"), tzinfo=UTC), at, UTC)
        last = datetime(*schedule.day("ScheduleEndDate"), tzinfo=UTC) if schedule.has("ScheduleEndDate") else None
        return cls(schedule.text("ScheduleFrequency"), first, last)

    def run(self, number: int) -> datetime | None:
        """When the run of this number (from 0) is due; None after the last day."""
        due = self.first + number * _STEPS[self.frequency]
        return None if self.last_day is not None and due >= self.last_day + timedelta(days=1) else due

    def next_run(self, number: int, after: datetime) -> tuple[int, datetime] | None:
        """The first run from ``number`` on that is due after ``after``, with its number; None if there is none."""
        while (due := self.run(number)) is not None:
            if due > after:
                return number, due
            number += 1
        return None


def period(offsets: Node, due: datetime) -> dict[str, Content]:
    """The ReadLogPeriod of a run due then, from its offsets in days and times of day. Raises RequestError."""

    def moment(which: str) -> datetime:
        day = due + timedelta(days=offsets.integer(f"{which}DateOffset"))
        return datetime.combine(day, offsets.clock(f"{which}Time"), UTC)

    return {"StartDateTime": moment("Start"), "EndDateTime": moment("End")}
