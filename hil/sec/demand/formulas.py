"""Table 5.3 and its formulas: metrics of a user's usage per enrolled system, and when they have to be reported.

Letters as in the reference: ``m`` the month, ``ASMS`` the mean number of a user's enrolled systems on the 15th [408]. Rules TR-1 to
TR-8 stand beside the code that follows them.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import cache
from importlib import resources

from firmware_emu.ids import Eui64
from hil.dcc.base.months import Month
from hil.dcc.base.services import UserRole

WINDOW = 12
REPORTABLE = Fraction(11, 10)
"""Usage at or above so much of forecast or threshold is reported [272]."""


class PartYear(StrEnum):
    """Scaling of a window that began before the First Service Month (TR-6 [411])."""

    SENSIBLE = "sensible"
    """By 12 / (12 - p): to a whole year. Requests from before the First Service Month are left out."""
    LITERAL = "literal"
    """By 12 / p, as the text has it: p are the months before the First Service Month, and their requests count."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One row of table 5.3 (DM-10). ``yearly``: a window of 12 months over ASMS, else the month over that month's enrolled systems.

    ``constant`` is multiplied by the days of the month where ``by_days``.
    """

    id: str
    roles: frozenset[UserRole]
    service: str
    name: str
    yearly: bool
    constant: Fraction
    by_days: bool
    paragraph: str

    def value(self, month: Month) -> Fraction:
        """The threshold in ``month``."""
        return self.constant * month.days if self.by_days else self.constant


@cache
def thresholds() -> tuple[Threshold, ...]:
    """Table 5.3 [407]."""
    lines = resources.files("hil.sec.demand").joinpath("thresholds.csv").read_text(encoding="utf-8").splitlines()
    found = []
    for row in csv.DictReader(lines):
        constant, _, days = row["threshold"].rpartition("days")
        by_days = row["threshold"].endswith("days")
        number = Fraction((constant if by_days else days).strip() or "1")
        roles = frozenset(UserRole(role) for role in row["roles"].split())
        found.append(Threshold(row["id"], roles, row["service"], row["name"], row["window"] == "year", number, by_days, row["paragraph"]))
    return tuple(found)


def thresholds_for(role: UserRole, service: str | None = None) -> tuple[Threshold, ...]:
    """The rows that apply to a role, for one service or all."""
    return tuple(one for one in thresholds() if role in one.roles and service in (None, one.service))


@dataclass(frozen=True, slots=True)
class UserUsage:
    """Usage of one user. ``requests``: by service and month, only its own requests (TR-1); ``enrolled``: its systems on each 15th,
    as supplier (TR-2) or network operator (TR-3); ``first_request``: month of its first Service Request of any type."""

    user: Eui64
    role: UserRole
    requests: Mapping[tuple[str, Month], int]
    enrolled: Mapping[Month, int]
    first_request: Month | None
    part_year: PartYear = field(default=PartYear.SENSIBLE)

    @property
    def first_service_month(self) -> Month | None:
        """The month after that of the first Service Request (TR-4 [409])."""
        return None if self.first_request is None else self.first_request + 1

    def _window(self, month: Month) -> tuple[Month, ...]:
        return tuple(month + back for back in range(1 - WINDOW, 1))

    def months_before_service(self, month: Month) -> int:
        """``p``: months of the window that ends with ``month`` which lie before the First Service Month (TR-6)."""
        first = self.first_service_month
        return WINDOW if first is None else sum(one < first for one in self._window(month))

    def asms(self, month: Month) -> Fraction | None:
        """Mean of the enrolled systems on the 15th over the window; months before the First Service Month are left out of numerator
        and divisor (TR-2, TR-3, TR-7 [408, 411]). A month that was not counted stands as none (choice). None before service."""
        first = self.first_service_month
        served = [] if first is None else [one for one in self._window(month) if one >= first]
        return Fraction(sum(self.enrolled.get(one, 0) for one in served), len(served)) if served else None

    def metric(self, threshold: Threshold, month: Month) -> Fraction | None:
        """The metric of one row of table 5.3; None before the First Service Month (TR-5 [410]) and without enrolled systems (choice)."""
        first = self.first_service_month
        if first is None or month < first:
            return None
        if not threshold.yearly:
            systems = self.enrolled.get(month, 0)
            return Fraction(self.requests.get((threshold.service, month), 0), systems) if systems else None
        asms = self.asms(month)
        if not asms:
            return None
        before = self.months_before_service(month)
        literal = self.part_year is PartYear.LITERAL
        counted = sum(self.requests.get((threshold.service, one), 0) for one in self._window(month) if literal or one >= first)
        value = Fraction(counted) / asms
        if not before:
            return value
        return value * Fraction(WINDOW, before if literal else WINDOW - before)


@dataclass(frozen=True, slots=True)
class UsageFinding:
    """Why a user's usage of a service is reported. ``limit`` is the forecast or the threshold, ``used`` what is compared with it."""

    user: Eui64
    service: str
    month: Month
    against: str
    used: Fraction
    limit: Fraction

    def __str__(self) -> str:
        share = f"{float(100 * self.used / self.limit):.1f} %" if self.limit else "use"
        return f"{self.user} {self.service} in {self.month}: {float(self.used):g} is {share} of {self.against} {float(self.limit):g}"


def reportable(used: Fraction, limit: Fraction) -> bool:
    """At or above 110 % (TR-8 [272]); any use over a limit of nothing is, no use never is (choice)."""
    return used > 0 and used >= REPORTABLE * limit


def findings(usage: UserUsage, service: str, month: Month, forecast: int | None) -> tuple[UsageFinding, ...]:
    """Every reason to report a user's use of ``service`` in ``month``: over its forecast, and over each threshold of its role.

    Without a forecast only the thresholds are tested (choice); the missing forecast is listed elsewhere.
    """
    used = Fraction(usage.requests.get((service, month), 0))
    found = []
    if forecast is not None and reportable(used, Fraction(forecast)):
        found.append(UsageFinding(usage.user, service, month, "the forecast", used, Fraction(forecast)))
    for threshold in thresholds_for(usage.role, service):
        metric = usage.metric(threshold, month)
        limit = threshold.value(month)
        if metric is not None and reportable(metric, limit):
            found.append(UsageFinding(usage.user, service, month, f"threshold {threshold.id}", metric, limit))
    return tuple(found)


def monthly_allocation(year: int, weights: Mapping[int, int]) -> dict[int, int]:
    """An annual allocation of requests over the months 1 to 12 by ``weights``, whole requests that add up to it (DM-05 [268, 269]).

    Requests that do not divide go to the largest remainders, the earliest month first (choice).
    """
    whole = sum(weights.values())
    if year < 0 or not whole or set(weights) != set(range(1, 13)) or min(weights.values()) < 0:
        raise ValueError(f"read {year} requests over weights {dict(weights)}, expected a weight for each month 1 to 12, one above zero")
    exact = {month: Fraction(year * weight, whole) for month, weight in weights.items()}
    shares = {month: int(amount) for month, amount in exact.items()}
    left = year - sum(shares.values())
    for month in sorted(exact, key=lambda one: (shares[one] - exact[one], one))[:left]:
        shares[month] += 1
    return shares
