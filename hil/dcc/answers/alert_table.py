"""Alerts and open power outages as the DCC's store keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from firmware_emu.ids import Eui64
from firmware_emu.sqlite_file import Value
from hil.dcc.base.store import DccStore, Row

DEVICE_ALERT, DCC_ALERT = "i", "j"
"""Kinds of alert: the type letters of sec2-rules 3."""


class AlertState(StrEnum):
    """Fate of an alert."""

    DELIVERED = "delivered"
    WAITING = "waiting"
    """For its user's receiving service."""
    INTERNAL = "internal"
    THROTTLED = "throttled"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert as recorded. Times are bench seconds since 2000; its response time runs from ``clock_start``."""

    number: int
    time: float
    kind: str
    code: str
    device: Eui64
    party: Eui64 | None
    identifier: str | None
    state: AlertState
    reason: str
    clock_start: float
    delivered: float | None
    throttled_sequence: int | None
    throttled_count: int | None
    octets: bytes | None
    detail: Mapping[str, object]

    @property
    def told(self) -> object:
        """Identity of the event: the same for each user who is told of it."""
        return self.octets or (self.code, self.device, self.detail.get("began", self.number))


def _record(row: Row) -> AlertRecord:
    return AlertRecord(
        row["number"],
        row["time"],
        row["kind"],
        row["code"],
        Eui64.parse(row["device"]),
        Eui64.parse(row["party"]) if row["party"] else None,
        row["identifier"],
        AlertState(row["state"]),
        row["reason"],
        row["clock_start"],
        row["delivered"],
        row["throttled_sequence"],
        row["throttled_count"],
        None if row["octets"] is None else bytes(row["octets"]),
        json.loads(row["detail"]),
    )


@dataclass(frozen=True, slots=True)
class AlertTable:
    """The table of alerts."""

    store: DccStore

    def add(self, kind: str, code: str, device: Eui64, state: AlertState, reason: str, **columns: Value) -> int:
        """One more alert; ``columns`` are the others of the table. Returns its number."""
        return self.store.insert("alerts", kind=kind, code=code, device=str(device), state=state.value, reason=reason, **columns)

    def find(self, number: int) -> AlertRecord | None:
        """The alert of that number."""
        row = self.store.row("SELECT * FROM alerts WHERE number = ?", (number,))
        return None if row is None else _record(row)

    def seen(self, identifier: str) -> bool:
        """True if a Device Alert of this message identifier was received."""
        return self.store.row("SELECT 1 FROM alerts WHERE identifier = ?", (identifier,)) is not None

    def count(self, device: Eui64, code: str, since: float) -> int:
        """Device Alerts of one code from one Device since then, copies to further parties and dropped ones left out."""
        row = self.store.row(
            "SELECT count(*) AS n FROM alerts WHERE kind = 'i' AND device = ? AND code = ? AND time > ? "
            "AND state != 'dropped' AND identifier NOT LIKE '%>%'",
            (str(device), code, since),
        )
        return 0 if row is None else int(row["n"])

    def delivered(self, number: int, now: float) -> None:
        """The alert went to its user."""
        self.store.execute("UPDATE alerts SET state = 'delivered', delivered = ? WHERE number = ?", (now, number))

    def waiting(self, party: Eui64) -> tuple[int, ...]:
        """The numbers of the alerts that wait for this user, oldest first."""
        rows = self.store.rows("SELECT number FROM alerts WHERE party = ? AND state = 'waiting' ORDER BY number", (str(party),))
        return tuple(int(row["number"]) for row in rows)

    def all(self, device: Eui64 | None = None) -> tuple[AlertRecord, ...]:
        """Every alert received or raised, or those about one Device, oldest first."""
        where, values = ("", ()) if device is None else (" WHERE device = ?", (str(device),))
        return tuple(map(_record, self.store.rows(f"SELECT * FROM alerts{where} ORDER BY number", values)))

    def last_to(self, party: Eui64, most: int) -> tuple[AlertRecord, ...]:
        """The newest alerts to a user, the newest first."""
        return tuple(map(_record, self.store.rows("SELECT * FROM alerts WHERE party = ? ORDER BY number DESC LIMIT ?", (str(party), most))))

    def clocked(self, begins: float, ends: float) -> tuple[AlertRecord, ...]:
        """Alerts to users whose response time began in the period."""
        rows = self.store.rows(
            "SELECT * FROM alerts WHERE clock_start BETWEEN ? AND ? AND state IN ('delivered', 'waiting') AND party IS NOT NULL",
            (begins, ends),
        )
        return tuple(map(_record, rows))

    def fingerprint(self, party: Eui64) -> str:
        """Changes when an alert to this user does."""
        row = self.store.row("SELECT count(*), max(delivered) FROM alerts WHERE party = ?", (str(party),))
        return ",".join(map(str, tuple(row or ())))


@dataclass(frozen=True, slots=True)
class OpenOutage:
    """A hub's supply is away since ``began``; its users are told at ``due``, unless it is back by then."""

    chf: Eui64
    began: float
    due: float
    told: bool


@dataclass(frozen=True, slots=True)
class OutageTable:
    """The outages that are open."""

    store: DccStore

    def lost(self, chf: Eui64, began: float, heard: float, due: float) -> None:
        """A hub's last gasp was heard."""
        self.store.execute("INSERT OR REPLACE INTO outages VALUES (?, ?, ?, ?, 0)", (str(chf), began, heard, due))

    def restored(self, chf: Eui64) -> bool:
        """The hub is back; True if an outage of it was open."""
        return bool(self.store.execute("DELETE FROM outages WHERE chf = ?", (str(chf),)))

    def told(self, chf: Eui64) -> None:
        """The hub's users know."""
        self.store.execute("UPDATE outages SET told = 1 WHERE chf = ?", (str(chf),))

    def of(self, chf: Eui64) -> OpenOutage | None:
        """The hub's open outage."""
        row = self.store.row("SELECT * FROM outages WHERE chf = ?", (str(chf),))
        return None if row is None else OpenOutage(chf, row["began"], row["due"], bool(row["told"]))

    def untold(self) -> tuple[Eui64, ...]:
        """The hubs whose users do not know yet."""
        return tuple(Eui64.parse(row["chf"]) for row in self.store.rows("SELECT chf FROM outages WHERE told = 0"))
