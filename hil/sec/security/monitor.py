"""Protective monitoring: security events out of the DCC's trace, kept; many alike from one source become a security incident.

SEC-02, SEC-06 [282, G2, G3]. The monitor reads what every part reports anyway, so nothing can be done past it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from firmware_emu.errors import IdentifierError
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.parties.users import EnteredUsers
from hil.sec.incidents import IncidentLog

CATEGORY = 2
"""Of the incident that an attack becomes (choice)."""


@dataclass(frozen=True, slots=True)
class MonitorRules:
    """``monitor.toml``: kinds of event by the record's source and the name of its refusal, or the kind of the message that reached
    nobody; ``attack_events`` alike in ``window_s`` seconds are an attack."""

    events: Mapping[tuple[str, str], str]
    attack_events: int
    window_s: float

    def kind(self, record: Record) -> str | None:
        """Kind of security event that a record is, None for most."""
        if record.area != "dcc" or record.event != "refused":
            return None
        named = record.detail.get("refusal") or record.detail.get("kind")
        return self.events.get((record.source, str(named)))


@cache
def monitor_rules() -> MonitorRules:
    """The rules as they are shipped; ``dataclasses.replace`` makes a bench's own."""
    content = tomllib.loads(resources.files("hil.sec.security").joinpath("monitor.toml").read_text(encoding="utf-8"))
    events = {(row["source"], name): row["kind"] for row in content["event"] for name in (*row.get("refusals", ()), *row.get("kinds", ()))}
    return MonitorRules(events, content["settings"]["attack_events"], content["settings"]["window_s"])


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """One event. ``source`` is the user it came from, else the part that noticed it; ``incident`` the one it became part of."""

    number: int
    time: float
    kind: str
    source: str
    message: str | None
    detail: str
    incident: int | None


class ProtectiveMonitor:
    """Attach it to a DCC's trace. ``respond`` is called with the user of an attack, to suspend it for instance (choice: nothing)."""

    def __init__(
        self,
        store: DccStore,
        incidents: IncidentLog,
        trace: Trace,
        *,
        rules: MonitorRules | None = None,
        respond: Callable[[Eui64, str], None] | None = None,
    ) -> None:
        create_tables(store, "hil.sec.security")
        self._store = store
        self._incidents = incidents
        self._rules = rules or monitor_rules()
        self._respond = respond
        self.detach = trace.subscribe(self._take)

    def _take(self, record: Record) -> None:
        kind = self._rules.kind(record)
        if kind is None:
            return
        source = record.target or record.source
        detail = str(record.detail.get("value") or record.detail.get("reason") or "")
        with self._store.transaction():  # of several processes that notice one attack, one raises its incident
            self._store.insert("security_events", time=record.time, kind=kind, source=source, message=record.message, detail=detail)
            self._look_for_attack(kind, source, record.time)

    def _look_for_attack(self, kind: str, source: str, now: float) -> None:
        alike, asked = "kind = ? AND source = ? AND time > ?", (kind, source, now - self._rules.window_s)
        row = self._store.row(f"SELECT count(*) AS n, min(incident) AS incident FROM security_events WHERE {alike}", asked)
        if row is None or row["n"] < self._rules.attack_events:
            return
        known = row["incident"]
        if known is None:
            summary = f"{row['n']} x {kind} from {source} within {self._rules.window_s:g} s"
            known = self._incidents.raise_incident(None, summary, area="data services", category=CATEGORY, security=True).number
            user = self._user(source)
            if user is not None and self._respond is not None:
                self._respond(user, summary)
        self._store.execute(f"UPDATE security_events SET incident = ? WHERE {alike} AND incident IS NULL", (known, *asked))

    def _user(self, source: str) -> Eui64 | None:
        try:
            user = Eui64.parse(source)
        except IdentifierError:
            return None
        return user if EnteredUsers(self._store).find(user) is not None else None


def security_events(store: DccStore) -> tuple[SecurityEvent, ...]:
    """Everything that was noticed, oldest first."""
    create_tables(store, "hil.sec.security")
    return tuple(
        SecurityEvent(row["number"], row["time"], row["kind"], row["source"], row["message"], row["detail"], row["incident"])
        for row in store.rows("SELECT * FROM security_events ORDER BY number")
    )
