"""Major incidents: two named managers, notices to who is affected, a report with its fields (IM-10, IM-11, IM-18 [233-235])."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore
from hil.sec.incidents.log import IncidentError, IncidentLog
from hil.sec.incidents.rules import after_working_days

RECIPIENTS = ("SEC Panel", "Ofgem")
"""Recipients of the report [235]."""


@dataclass(frozen=True, slots=True)
class MajorIncident:
    """``report_due``: two working days after resolution, None before it. ``report``: its fields, empty until it is given."""

    incident: int
    declared: float
    responsible_manager: str
    dcc_manager: str
    report_due: float | None
    report: Mapping[str, str]
    reported: float | None


class MajorIncidents:
    """The major ones of an incident log."""

    def __init__(self, store: DccStore, log: IncidentLog) -> None:
        self._store = store
        self._log = log

    def declare(self, number: int, *, responsible_manager: str, dcc_manager: str, affected: tuple[Eui64, ...], at: float) -> MajorIncident:
        """The responsible party names a manager, the DCC names its own, the affected parties are told [233, 234].

        Raises IncidentError where a manager is missing, or the incident is closed.
        """
        with self._store.transaction():
            incident = self._log.incident(number)
            if not responsible_manager.strip() or not dcc_manager.strip():
                raise IncidentError(f"major incident {number} needs two named managers: the responsible party's and the DCC's [233]")
            if incident.state == "closed":
                raise IncidentError(f"incident {number} is closed: raise another")
            self._log.mark_major(number)
            self._store.execute(
                "INSERT OR REPLACE INTO major_incidents (incident, declared, responsible_manager, dcc_manager) VALUES (?, ?, ?, ?)",
                (number, at, responsible_manager, dcc_manager),
            )
            who = incident.owner or "the DCC"
            self._log.tell(number, f"major incident: {responsible_manager} manages it for {who}, {dcc_manager} for the DCC", *affected)
        return self.major(number)

    def report(self, number: int, fields: Mapping[str, str], at: float) -> MajorIncident:
        """Give the report to the SEC Panel and Ofgem. Raises IncidentError before resolution and while a field is missing."""
        with self._store.transaction():
            major = self.major(number)
            if major.report_due is None:
                raise IncidentError(f"major incident {number} is not resolved: its report follows the resolution [235]")
            missing = [f"{name} ({what})" for name, what in self._log.rules.major_report.items() if not fields.get(name, "").strip()]
            if missing:
                raise IncidentError(f"the report on major incident {number} lacks: {'; '.join(missing)}")
            given = json.dumps(dict(fields))
            self._store.execute("UPDATE major_incidents SET report = ?, reported = ? WHERE incident = ?", (given, at, number))
            late = " late" if at > major.report_due else ""
            self._log.tell(number, f"the report went to {' and '.join(RECIPIENTS)}{late}")
        return self.major(number)

    def overdue(self, at: float) -> tuple[MajorIncident, ...]:
        """Resolved, and not reported within two working days."""
        rows = self._store.rows("SELECT incident FROM major_incidents WHERE reported IS NULL ORDER BY incident")
        found = (self.major(row["incident"]) for row in rows)
        return tuple(one for one in found if one.report_due is not None and at > one.report_due)

    def major(self, number: int) -> MajorIncident:
        """One of them. Raises IncidentError."""
        row = self._store.row("SELECT * FROM major_incidents WHERE incident = ?", (number,))
        if row is None:
            raise IncidentError(f"incident {number} is no major one: declare it first")
        resolved = self._log.incident(number).resolved
        rules = self._log.rules
        due = None if resolved is None else after_working_days(resolved, rules.report_working_days, rules.days_off)
        report = json.loads(row["report"]) if row["report"] else {}
        return MajorIncident(number, row["declared"], row["responsible_manager"], row["dcc_manager"], due, report, row["reported"])
