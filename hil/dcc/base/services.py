"""The services schedule as data: every service request variant with its roles, criticality, times and device kinds.

``services.csv`` joins two editions: the variants, criticality and roles of DUIS 5.4 (reference service-requests.csv) and
the roles and response times of the 2013 consultation (``roles_2013`` and the times; reference services-schedule.csv,
SEC stage 2 tables 5.1 and 5.2). Where DUIS 5.4 prints no role, the consultation's stand; for 7.16, the sender of its templates.
``device_types`` is inferred from the published use cases of each service, widened to the kinds that hold the same
object (choice); a GPF has those whose Command is one of its own. ``response_codes.csv`` lists every code of DUIS 5.4; most
meanings are not published.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

from firmware_emu.crypto.roles import RemotePartyRole


class UserRole(StrEnum):
    """A user role in the spelling of DUIS 5.4. The consultation's older names are read too (``UserRole.parse``)."""

    IS = "IS"
    ES = "ES"
    GS = "GS"
    RSA = "RSA"
    ED = "ED"
    GT = "GT"
    OU = "OU"
    LC = "LC"
    """Load Controller. DUIS 5.4 prints no role for 7.16; that its sender is the Load Controller is what the published templates show."""

    @classmethod
    def parse(cls, text: str) -> UserRole:
        """``IS`` or ``EIS``, ``ED`` or ``ENO`` ... (reference dcc-side 1: SNA reads as RSA). Raises ValueError."""
        return cls(_OLD_NAMES.get(text.strip().upper(), text.strip().upper()))

    @property
    def old_name(self) -> str:
        """The role's name in the consultation (sec2-rules ID-01)."""
        return next((old for old, new in _OLD_NAMES.items() if new == self.value), self.value)

    @property
    def party(self) -> RemotePartyRole:
        """The remote party role under which a Device may hold such a user."""
        if self in SUPPLIERS:
            return RemotePartyRole.SUPPLIER
        if self is UserRole.LC:
            return RemotePartyRole.LOAD_CONTROLLER
        return RemotePartyRole.NETWORK_OPERATOR if self in NETWORK_OPERATORS else RemotePartyRole.OTHER


_OLD_NAMES = {"EIS": "IS", "EES": "ES", "GIS": "GS", "SNA": "RSA", "ENO": "ED", "GNO": "GT", "OU": "OU"}
NUMBERED = "9.1"
"""The service for which the DCC draws a number, which goes to the Device and to the user (services schedule 9.1)."""
SUPPLIERS = frozenset({UserRole.IS, UserRole.ES, UserRole.GS})
NETWORK_OPERATORS = frozenset({UserRole.ED, UserRole.GT})


@dataclass(frozen=True, slots=True)
class Service:
    """One service request variant.

    ``future_dated`` is a set of ``dcc`` (the DCC waits) and ``device`` (the Device waits); times are seconds, None where
    the category is not available (sec2-rules RT-06).
    """

    variant: str
    reference: str
    name: str
    critical: bool
    device_service: bool
    future_dated: frozenset[str]
    schedulable: bool
    roles: frozenset[UserRole]
    roles_2013: frozenset[UserRole]
    on_demand_s: float | None
    future_dated_s: float | None
    device_types: frozenset[str]
    on_demand_2013: bool
    """True if the 2013 schedule has an on-demand category (N/A there: False)."""
    future_dated_2013: bool
    """True if the 2013 schedule prints a time for future dating (N/A there, or not a service of 2013: False)."""

    @property
    def of_2013(self) -> bool:
        """True if the service stands in the 2013 schedule."""
        return bool(self.roles_2013)

    @property
    def group(self) -> ServiceGroup:
        """Group of service that it belongs to (GW-60 [107] and the glossary): enrolment services commission Devices and relate them to each
        other; withdrawal, replacement and local commands are other enabling services, as is what does not involve the SM WAN; the
        rest is core. Elective services stand in bilateral agreements, not in this schedule."""
        if self.reference in ENROLMENT:
            return ServiceGroup.ENROLMENT
        if self.reference in WITHDRAWAL_OR_REPLACEMENT or not self.device_service:
            return ServiceGroup.OTHER_ENABLING
        return ServiceGroup.CORE


class ServiceGroup(StrEnum):
    """The groups of service of paragraph 107 that the schedule holds."""

    ENROLMENT = "enrolment"
    CORE = "core"
    OTHER_ENABLING = "other enabling"


ENROLMENT = frozenset({"8.1", "8.6", "8.7", "8.11", "12.2"})
"""Commission, opt in, join, add to the device log, pre-notify (glossary: Enrolment Services; which numbers these are is our reading)."""
WITHDRAWAL_OR_REPLACEMENT = frozenset({"8.3", "8.5", "8.8", "8.12"})
"""Decommission, opt out, unjoin, restore the device log of a replaced hub [107]."""


def _rows(name: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(resources.files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines())


def _roles(text: str) -> frozenset[UserRole]:
    return frozenset(UserRole(role) for role in text.split())


@cache
def schedule() -> dict[str, Service]:
    """Every variant by its number (``8.1.1``)."""
    return {
        row["variant"]: Service(
            row["variant"],
            row["service"],
            row["name"],
            row["critical"] == "yes",
            row["kind"] == "device",
            frozenset(row["future_dated"].split()) - {"none"},
            row["schedulable"] == "yes",
            _roles(row["roles"]),
            _roles(row["roles_2013"]),
            float(row["on_demand_s"]) if row["on_demand_s"] else None,
            float(row["future_dated_s"]) if row["future_dated_s"] else None,
            frozenset(row["device_types"].split()),
            row["on_demand_2013"] != "no",
            row["future_dated_2013"] == "yes",
        )
        for row in _rows("services.csv")
    }


@dataclass(frozen=True, slots=True)
class CodedMeaning:
    """A code with its meaning in our words; ``confidence`` Q quoted, Q3 sample data, R recalled, N not established."""

    code: str
    meaning: str
    confidence: str


@cache
def response_codes() -> dict[str, CodedMeaning]:
    """The 194 response codes of DUIS 5.4."""
    return {row["code"]: CodedMeaning(row["code"], row["meaning"], row["confidence"]) for row in _rows("response_codes.csv")}


@cache
def dcc_alert_codes() -> dict[str, CodedMeaning]:
    """The 66 DCC alert codes of DUIS 5.4; only a few meanings are known."""
    return {row["code"]: CodedMeaning(row["code"], row["meaning"], row["confidence"]) for row in _rows("dcc_alert_codes.csv")}
