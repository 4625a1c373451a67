"""Thresholds of each user and of all users together, and limits of values in requests: what anomaly detection compares (CK-7).

The published figures are unknown: a bench sets its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from lxml import etree

from firmware_emu.errors import CommsHubError, nearest
from firmware_emu.ids import Eui64
from hil.dcc.base.refusals import refused
from hil.dcc.base.results import Refusal
from hil.dcc.base.services import schedule
from hil.dcc.base.store import DccStore, Row
from hil.dcc.duis import ServiceRequest

ANOMALIES = frozenset({"ck7-volume", "ck7-all-users", "ck7-value"})
"""The refusals that put a message into quarantine [135]."""


class ThresholdError(CommsHubError):
    """A threshold or limit that cannot be set."""


@dataclass(frozen=True, slots=True)
class VolumeThreshold:
    """At most ``threshold`` requests of ``service`` (a reference such as 7.2) in a sliding window; ``user`` None is all users together."""

    user: Eui64 | None
    service: str
    threshold: int
    window_s: float


@dataclass(frozen=True, slots=True)
class AttributeLimit:
    """The numbers that an element of a service's request may hold; None is no limit on that side."""

    service: str
    element: str
    minimum: Decimal | None
    maximum: Decimal | None

    @property
    def bounds(self) -> str:
        """``0 to 600``, ``any to 600``."""
        return " to ".join("any" if one is None else str(one) for one in (self.minimum, self.maximum))


class AnomalyThresholds:
    """Thresholds and limits in the DCC's store."""

    def __init__(self, store: DccStore) -> None:
        self._store = store

    def agree(self, user: Eui64, service: str, threshold: int, window_s: float) -> None:
        """Agree a user's own threshold for one service reference, for ``*`` all of them, or for ``response``, the Responses to it
        (fn14)."""
        self._store.execute("INSERT OR REPLACE INTO volume_thresholds VALUES (?, ?, ?, ?)", (str(user), service, threshold, window_s))

    def count(self, user: Eui64, service: str, now: float) -> Refusal | None:
        """Count one more message and compare with the user's own thresholds for ``service`` and for all (fn14 [136])."""
        self._store.insert("volumes", user=str(user), service=service, time=now)
        for row in self._store.once("volume_thresholds", f"{user} {service}", self._own):
            which, values = ("", ()) if row["service"] == "*" else (" AND service = ?", (service,))
            begins = now - row["window_s"]
            counted = self._store.row(f"SELECT count(*) AS n FROM volumes WHERE user = ? AND time > ?{which}", (str(user), begins, *values))
            if counted is not None and counted["n"] > row["threshold"]:
                return refused(
                    "ck7-volume",
                    counted=counted["n"],
                    service=row["service"],
                    window=f"{row['window_s']:g}",
                    threshold=row["threshold"],
                )
        return None

    def _own(self, whose: str) -> Sequence[Row]:
        return self._store.rows(
            "SELECT * FROM volume_thresholds WHERE user = ? AND service IN (?, '*') ORDER BY service DESC", tuple(whose.split())
        )

    def _of_all(self, service: str) -> Row | None:
        return self._store.row("SELECT * FROM dcc_volume_thresholds WHERE service = ?", (service,))

    def limit_all_users(self, service: str, threshold: int, window_s: float) -> None:
        """Set the threshold of a service over all users together. Raises ThresholdError."""
        self._check(service)
        if threshold < 0 or window_s <= 0:
            raise ThresholdError(f"read {threshold} requests in {window_s:g} s, expected none below zero in a window above zero")
        self._store.execute("INSERT OR REPLACE INTO dcc_volume_thresholds VALUES (?, ?, ?)", (service, threshold, window_s))

    def limit_value(self, service: str, element: str, minimum: Decimal | None, maximum: Decimal | None) -> None:
        """Set the limits of a value in a service's requests. Raises ThresholdError."""
        self._check(service)
        if (minimum is None and maximum is None) or (minimum is not None and maximum is not None and minimum > maximum):
            raise ThresholdError(f"read {minimum} to {maximum} for {element}, expected a limit on one side, the lower one first")
        low, high = (None if one is None else str(one) for one in (minimum, maximum))
        self._store.execute("INSERT OR REPLACE INTO attribute_limits VALUES (?, ?, ?, ?)", (service, element, low, high))

    def _check(self, service: str) -> None:
        known = {one.reference for one in schedule().values()}
        if service not in known:
            told = f"a reference of the schedule such as 7.2; there are {len(known)}{nearest(service, known)}"
            raise ThresholdError(f"read service {service!r}, expected {told}")

    def volumes(self) -> tuple[VolumeThreshold, ...]:
        """Every volume threshold, those of users first."""
        own = self._store.rows("SELECT * FROM volume_thresholds ORDER BY user, service")
        all_users = self._store.rows("SELECT * FROM dcc_volume_thresholds ORDER BY service")
        return (
            *(VolumeThreshold(Eui64.parse(row["user"]), row["service"], row["threshold"], row["window_s"]) for row in own),
            *(VolumeThreshold(None, row["service"], row["threshold"], row["window_s"]) for row in all_users),
        )

    def limits(self) -> tuple[AttributeLimit, ...]:
        """Every limit of a value."""
        rows = self._store.rows("SELECT * FROM attribute_limits ORDER BY service, element")
        return tuple(AttributeLimit(row["service"], row["element"], _number(row["minimum"]), _number(row["maximum"])) for row in rows)

    def breach(self, request: ServiceRequest, service: str, now: float) -> Refusal | None:
        """Why a request is anomalous for the DCC as a whole; it has been counted already."""
        row = self._store.once("dcc_volume_thresholds", service, self._of_all)
        if row is not None:
            counted = self._store.row("SELECT count(*) AS n FROM volumes WHERE service = ? AND time > ?", (service, now - row["window_s"]))
            if counted is not None and counted["n"] > row["threshold"]:
                return refused(
                    "ck7-all-users", counted=counted["n"], service=service, window=f"{row['window_s']:g}", threshold=row["threshold"]
                )
        for limit in self._store.once("attribute_limits", "", lambda _: self.limits()):
            if limit.service == service:
                for value in _values(request, limit.element):
                    if (limit.minimum is not None and value < limit.minimum) or (limit.maximum is not None and value > limit.maximum):
                        return refused("ck7-value", service=service, element=limit.element, value=value, limits=limit.bounds)
        return None


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _values(request: ServiceRequest, element: str) -> Iterator[Decimal]:
    """The numbers in every element of that local name."""
    for one in request.body.iter():
        if isinstance(one.tag, str) and etree.QName(one).localname == element:
            try:
                value = Decimal((one.text or "").strip())
            except InvalidOperation:
                continue  # no number: the schema says what it may be
            if value.is_finite():  # NaN is none either, and compares with nothing
                yield value
