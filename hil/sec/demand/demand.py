"""Forecasts, counts and monthly reports of a DCC, out of its store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.errors import CommsHubError, one_of
from firmware_emu.ids import Eui64
from hil.dcc.base.months import Month
from hil.dcc.base.requests import Requests
from hil.dcc.base.services import UserRole, schedule
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.parties.users import EnteredUsers
from hil.dcc.registration import Registration
from hil.dcc.registration.counts import enrolled_systems
from hil.sec.demand.formulas import PartYear, UsageFinding, UserUsage, findings, thresholds_for

AHEAD = 6
"""A forecast covers each of the next six months [271]."""
COUNTING_DAY = 15


class DemandError(CommsHubError):
    """A forecast or count that cannot be taken as given."""


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One service of a user's monthly report. ``forecast`` None where the user gave none."""

    service: str
    name: str
    used: int
    forecast: int | None
    findings: tuple[UsageFinding, ...]


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Report to one user for one month [272]."""

    user: Eui64
    role: UserRole
    month: Month
    part_year: PartYear
    lines: tuple[UsageLine, ...]
    missing_forecasts: tuple[str, ...]

    @property
    def findings(self) -> tuple[UsageFinding, ...]:
        return tuple(finding for line in self.lines for finding in line.findings)

    def as_json(self) -> dict[str, object]:
        return {
            "user": str(self.user),
            "role": self.role.value,
            "month": str(self.month),
            "part_year_reading": self.part_year.value,
            "services": [
                {
                    "service": line.service,
                    "name": line.name,
                    "used": line.used,
                    "forecast": line.forecast,
                    "reported": [str(finding) for finding in line.findings],
                }
                for line in self.lines
            ],
            "missing_forecasts": list(self.missing_forecasts),
        }


class Demand:
    """The demand desk of a DCC. ``part_year`` is the reading of [411] (TR-6), shown in every report."""

    def __init__(self, store: DccStore, now: Callable[[], float], part_year: PartYear = PartYear.SENSIBLE) -> None:
        create_tables(store, "hil.sec.demand")
        self._store = store
        self._now = now
        self.part_year = part_year

    # Forecasts

    def forecast(self, user: Eui64, service: str, requests: Mapping[Month, int]) -> None:
        """A user's forecast of its requests of one service (``4.8``) for each of the next six months (DM-01, TR-9 [271])."""
        role = self._role(user)
        if service not in services_of(role):
            raise DemandError(f"service {service} is none that role {role} sends: forecast {one_of(service, services_of(role))}")
        wanted = self.next_months()
        if set(requests) != set(wanted) or any(count < 0 for count in requests.values()):
            listed = ", ".join(map(str, sorted(requests))) or "no month"
            raise DemandError(f"read {listed} for service {service}, expected none below zero for each of {', '.join(map(str, wanted))}")
        with self._store.transaction():
            for month, count in requests.items():
                self._store.execute(
                    "INSERT OR REPLACE INTO forecasts VALUES (?, ?, ?, ?, ?)", (str(user), service, str(month), count, self._now())
                )

    def next_months(self) -> tuple[Month, ...]:
        """The six months a forecast given now covers."""
        return tuple(Month.at(self._now()) + ahead for ahead in range(1, AHEAD + 1))

    def forecast_of(self, user: Eui64, service: str, month: Month) -> int | None:
        """The user's last forecast, None if nothing."""
        asked = (str(user), service, str(month))
        row = self._store.row("SELECT requests FROM forecasts WHERE user = ? AND service = ? AND month = ?", asked)
        return None if row is None else int(row["requests"])

    # Counts

    def count_enrolled(self, inventory: Inventory, registration: Registration) -> Mapping[Eui64, int]:
        """Count every user's enrolled systems for this month, as it is done on the 15th (DM-06 [408]); once a month."""
        now = self._now()
        month = str(Month.at(now))
        counted = enrolled_systems(inventory, registration, now)
        systems = {**counted.by_supplier, **counted.by_network}
        for user in self._users():
            self._store.execute("INSERT OR IGNORE INTO enrolled_counts VALUES (?, ?, ?, ?)", (str(user), month, systems.get(user, 0), now))
        return systems

    async def count_each_month(self, clock: Clock, inventory: Inventory, registration: Registration) -> None:
        """Count on the 15th of each month, for as long as this is running."""
        while True:
            today = EPOCH + timedelta(seconds=self._now())
            month = Month.of(today.date()) + (0 if today.day < COUNTING_DAY else 1)
            await clock.sleep(month.begins + (COUNTING_DAY - 1) * 86400 - self._now())
            self.count_enrolled(inventory, registration)

    # Usage

    def usage(self, user: Eui64) -> UserUsage:
        """The user's requests so far. A request counts in the month in which it arrived (choice)."""
        requests: Counter[tuple[str, Month]] = Counter()
        first: float | None = None
        for variant, received in Requests(self._store, self._now).arrivals(user):
            first = received if first is None else first
            requests[schedule()[variant].reference, Month.at(received)] += 1
        counts = self._store.rows("SELECT month, systems FROM enrolled_counts WHERE user = ?", (str(user),))
        enrolled = {Month.parse(row["month"]): row["systems"] for row in counts}
        return UserUsage(user, self._role(user), requests, enrolled, None if first is None else Month.at(first), self.part_year)

    def report(self, user: Eui64, month: Month) -> UsageReport:
        """The monthly report to one user, by service with its forecast (DM-02 [272])."""
        usage = self.usage(user)
        services = {service for service, when in usage.requests if when == month}
        forecasts = self._store.rows("SELECT service FROM forecasts WHERE user = ? AND month = ?", (str(user), str(month)))
        services |= {row["service"] for row in forecasts}
        names = {one.reference: one.name for one in reversed(schedule().values())}
        lines = []
        for service in sorted(services | {one.service for one in thresholds_for(usage.role)}, key=_order):
            forecast = self.forecast_of(user, service, month)
            used = usage.requests.get((service, month), 0)
            lines.append(UsageLine(service, names.get(service, ""), used, forecast, findings(usage, service, month, forecast)))
        missing = tuple(line.service for line in lines if line.used and line.forecast is None)
        return UsageReport(user, usage.role, month, self.part_year, tuple(lines), missing)

    def aggregate(self, month: Month) -> dict[str, int]:
        """Usage of all users together by service, which is published (DM-03 [272]); no user is named."""
        total: Counter[str] = Counter()
        for user in self._users():
            total.update({service: count for (service, when), count in self.usage(user).requests.items() if when == month})
        return dict(sorted(total.items(), key=lambda item: _order(item[0])))

    def over(self, month: Month) -> tuple[UsageFinding, ...]:
        """The report to the SEC Panel and all parties: usage at or above 110 % of forecast or threshold (DM-04, TR-8 [272])."""
        return tuple(finding for user in self._users() for finding in self.report(user, month).findings)

    def _users(self) -> tuple[Eui64, ...]:
        return tuple(one.eui for one in EnteredUsers(self._store).all())

    def _role(self, user: Eui64) -> UserRole:
        role = EnteredUsers(self._store).role(user)
        if role is None:
            raise DemandError(f"{user} is no user: demand is counted for users only [271]")
        return role


def services_of(role: UserRole) -> tuple[str, ...]:
    """The services a role may send, by reference."""
    return tuple(sorted({one.reference for one in schedule().values() if role in one.roles | one.roles_2013}, key=_order))


def _order(service: str) -> tuple[int, ...]:
    return tuple(int(part) for part in service.split(".") if part.isdecimal())
