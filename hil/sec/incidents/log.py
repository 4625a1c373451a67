"""The incident log: one for all, kept by the DCC, with each user's rights on it (IM-01 to IM-12 [217-237])."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_emu.errors import CommsHubError, one_of
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc.base.requests import Requests
from hil.dcc.base.store import DccStore, Row
from hil.dcc.base.tables import create_tables
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.parties.users import EnteredUsers
from hil.dcc.registration import Registration
from hil.sec.incidents.diagnostics import Diagnosis, Diagnostics
from hil.sec.incidents.responsibility import IncidentResponsible, Responsibility
from hil.sec.incidents.rules import IncidentRules, incident_rules

OPEN = ("raised", "allocated", "investigating")


class IncidentError(CommsHubError):
    """Step that cannot be taken with an incident, and the one that has to come first."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. ``owner`` None is the DCC; ``rule`` says why it is responsible; ``due`` is the end of the target resolution time.

    ``touched`` is the last entry in its activity; ``late`` whether it was, or still is, resolved after ``due``.
    """

    number: int
    raised: float
    user: Eui64 | None
    summary: str
    area: str
    visit: bool
    device: Eui64 | None
    request: str | None
    diagnostic: int | None
    category: int
    state: str
    owner: Eui64 | None
    rule: str
    shared: bool
    due: float
    touched: float
    resolved: float | None
    closed: float | None
    major: bool
    security: bool

    def late(self, now: float) -> bool:
        """Resolved after its target, or not resolved and past it."""
        return (now if self.resolved is None else self.resolved) > self.due


@dataclass(frozen=True, slots=True)
class IncidentEntry:
    """One line of an incident's history. ``kind``: activity, diagnostic, state or notice (then ``to`` was told)."""

    time: float
    who: str
    kind: str
    to: Eui64 | None
    text: str


class IncidentLog:
    """The log in the DCC's store. A user None is the DCC itself, which sees and does everything."""

    def __init__(
        self,
        store: DccStore,
        inventory: Inventory,
        registration: Registration,
        logs: DeviceLogCopy,
        now: Callable[[], float],
        trace: Trace | None = None,
        rules: IncidentRules | None = None,
    ) -> None:
        create_tables(store, "hil.sec.incidents")
        self._store = store
        self._now = now
        self._trace = trace
        self.rules = rules or incident_rules()
        self.diagnostics = Diagnostics(store, inventory, logs, now)
        self.responsibility = Responsibility(inventory, registration, self.rules)

    # Raising

    def diagnose(self, user: Eui64, device: Eui64, asked: str | None = None) -> Diagnosis:
        """The remote diagnostics that come before an incident (IM-04 [226, 227]). ``asked``: what the Device itself said."""
        return self.diagnostics.run(user, device, asked)

    def raise_incident(
        self,
        user: Eui64 | None,
        summary: str,
        *,
        area: str,
        category: int,
        device: Eui64 | None = None,
        request: str | None = None,
        visit: bool = False,
        diagnostic: int | None = None,
        security: bool = False,
    ) -> Incident:
        """Raise one: it is recorded, allocated to who is responsible, and everyone interested is told (IM-05 [227]).

        A user names its diagnosis; only a user may tie one to its own Service Request (IM-10 [254]). Raises IncidentError.
        """
        if area not in self.rules.areas:
            raise IncidentError(f"read area {area!r}, expected {one_of(area, self.rules.areas)}")
        if category not in self.rules.target_s:
            raise IncidentError(f"read category {category}, expected {one_of(category, self.rules.target_s)}")
        now = self._now()
        with self._store.transaction():
            self._check_raiser(user, device, request, diagnostic)
            found = self.responsibility.responsible(area, device, visit=visit, at=now)
            number = self._store.insert(
                "incidents",
                raised=now,
                user=str(user or ""),
                summary=summary,
                area=area,
                visit=int(visit),
                device=str(device) if device else None,
                request=request,
                diagnostic=diagnostic,
                category=category,
                state="raised",
                owner=str(found.party or ""),
                rule=found.rule,
                shared=int(found.shared),
                due=now + self.rules.target_s[category],
                touched=now,
                security=int(security),
            )
            interested = () if security else self.responsibility.interested(device, now)
            for party in dict.fromkeys((*((user,) if user else ()), *((found.party,) if found.party else ()), *interested)):
                self._store.execute("INSERT OR IGNORE INTO incident_parties VALUES (?, ?)", (number, str(party)))
            self._enter(number, user, "state", f"raised: {summary}")
            if diagnostic is not None and (made := self.diagnostics.recorded(diagnostic)) is not None:
                for finding in made.findings:
                    self._enter(number, user, "diagnostic", finding)
            self._allocate(number, None, found)
        return self.incident(number)

    def _check_raiser(self, user: Eui64 | None, device: Eui64 | None, request: str | None, diagnostic: int | None) -> None:
        if user is None:
            return
        if EnteredUsers(self._store).find(user) is None:
            raise IncidentError(f"{user} is no user: only users raise incidents, others ask the desk (general queries) [254]")
        if request is not None:
            stored = Requests(self._store, self._now).find(request)
            if stored is None or stored.user != user:
                raise IncidentError(f"{request} is no Service Request of {user}: name one of its own [254]")
        if device is None:
            return
        made = None if diagnostic is None else self.diagnostics.recorded(diagnostic)
        if made is None or made.user != user or made.device != device:
            raise IncidentError(f"no diagnosis of {device} by {user} is named: run the remote diagnostics first [226]")
        if self._now() - made.time > self.rules.diagnostics_valid_s:
            hours = self.rules.diagnostics_valid_s / 3600
            raise IncidentError(f"diagnosis {diagnostic} is older than {hours:g} h: run the remote diagnostics again [226]")

    def _allocate(self, number: int, who: Eui64 | None, found: IncidentResponsible) -> None:
        self._store.execute(
            "UPDATE incidents SET state = 'allocated', owner = ?, rule = ?, shared = ? WHERE number = ?",
            (str(found.party or ""), found.rule, int(found.shared), number),
        )
        if found.party is not None:
            self._store.execute("INSERT OR IGNORE INTO incident_parties VALUES (?, ?)", (number, str(found.party)))
        self._tell(number, who, f"allocated to {found.party or 'the DCC'}: {found.rule}")

    # Working on it

    def note(self, user: Eui64 | None, number: int, text: str, *, kind: str = "activity") -> Incident:
        """The owner (or the DCC) adds activity or diagnostic data (IM-03 [225]); the first of it begins the investigation."""
        with self._store.transaction():
            incident = self._owned(user, number)
            if incident.state == "allocated":
                self._move(incident, user, "investigating")
            self._enter(number, user, kind, text)
        return self.incident(number)

    def visit_needed(self, user: Eui64 | None, number: int, why: str) -> Incident:
        """Remote means failed: a visit is needed, and responsibility goes to who makes visits (IM-07, IM-08 [229-232])."""
        with self._store.transaction():
            incident = self._owned(user, number)
            if incident.state not in OPEN:
                raise IncidentError(f"incident {number} is {incident.state}: a visit is for one that is still open")
            found = self.responsibility.responsible(incident.area, incident.device, visit=True, at=self._now())
            self._store.execute("UPDATE incidents SET visit = 1 WHERE number = ?", (number,))
            self._enter(number, user, "activity", f"a visit is needed: {why}")
            self._allocate(number, user, found)
        return self.incident(number)

    def categorise(self, number: int, category: int) -> Incident:
        """The DCC sets the category, and with it the target resolution time (IM-02 [224])."""
        if category not in self.rules.target_s:
            raise IncidentError(f"read category {category}, expected {one_of(category, self.rules.target_s)}")
        with self._store.transaction():
            incident = self.incident(number)
            self._store.execute(
                "UPDATE incidents SET category = ?, due = ? WHERE number = ?",
                (category, incident.raised + self.rules.target_s[category], number),
            )
            self._tell(number, None, f"category {incident.category} becomes {category}")
        return self.incident(number)

    def resolve(self, user: Eui64 | None, number: int, resolution: str) -> Incident:
        """The owner has resolved it."""
        return self._settle(user, number, "resolved", resolution)

    def close(self, user: Eui64 | None, number: int, text: str = "closed") -> Incident:
        """Close an incident by the party responsible: the DCC its own (IM-06), the supplier its own (IM-07)."""
        with self._store.transaction():
            incident = self.incident(number)
            if incident.owner != user:
                who = f"{incident.owner or 'the DCC'}, not by {user or 'the DCC'}"
                raise IncidentError(f"incident {number} is closed by {who}: {incident.rule}")
            return self._settle(user, number, "closed", text)

    def reopen(self, user: Eui64, number: int, why: str) -> Incident:
        """Reopen an incident: the party that raised it says that it is not resolved."""
        with self._store.transaction():
            incident = self.incident(number)
            if incident.user != user:
                raise IncidentError(f"incident {number} is reopened by who raised it, not by {user}")
            self._move(incident, user, "investigating")
            self._store.execute("UPDATE incidents SET resolved = NULL WHERE number = ?", (number,))
            self._tell(number, user, f"reopened: {why}")
        return self.incident(number)

    def _settle(self, user: Eui64 | None, number: int, state: str, text: str) -> Incident:
        with self._store.transaction():
            incident = self._owned(user, number)
            self._move(incident, user, state)
            self._store.execute(f"UPDATE incidents SET {state} = ? WHERE number = ?", (self._now(), number))
            self._tell(number, user, f"{state}: {text}")
        return self.incident(number)

    def _owned(self, user: Eui64 | None, number: int) -> Incident:
        incident = self.incident(number)
        if user is not None and incident.owner != user:
            raise IncidentError(f"incident {number} is {incident.owner or 'the DCC'}'s to work on, not {user}'s: {incident.rule}")
        return incident

    def _move(self, incident: Incident, user: Eui64 | None, state: str) -> None:
        after = self.rules.states[incident.state]
        if state not in after:
            wanted = " or ".join(after) or "nothing"
            raise IncidentError(f"incident {incident.number} is {incident.state}: next comes {wanted}, not {state}")
        self._store.execute("UPDATE incidents SET state = ? WHERE number = ?", (state, incident.number))
        self._enter(incident.number, user, "state", state)

    # Telling

    def _tell(self, number: int, who: Eui64 | None, text: str) -> None:
        """One notice to every interested and responsible party (IM-17 [224])."""
        for party in self.parties(number):
            self._enter(number, who, "notice", text, party)

    def mark_major(self, number: int) -> None:
        """From now on the incident is a major one."""
        self._store.execute("UPDATE incidents SET major = 1 WHERE number = ?", (number,))

    def fingerprint(self, user: Eui64) -> str:
        """Changes with the entries of incidents that the user is a party of."""
        row = self._store.row(
            "SELECT count(*) AS entries FROM incident_entries WHERE incident IN (SELECT incident FROM incident_parties WHERE party = ?)",
            (str(user),),
        )
        return "0" if row is None else str(row["entries"])

    def tell(self, number: int, text: str, *parties: Eui64) -> None:
        """The DCC tells more parties than those of the incident (major incidents); they may see it from now on."""
        for party in parties:
            self._store.execute("INSERT OR IGNORE INTO incident_parties VALUES (?, ?)", (number, str(party)))
        self._tell(number, None, text)

    def _enter(self, number: int, who: Eui64 | None, kind: str, text: str, to: Eui64 | None = None) -> None:
        now = self._now()
        self._store.insert(
            "incident_entries", incident=number, time=now, who=str(who or "DCC"), kind=kind, to_party=str(to) if to else None, text=text
        )
        if kind in ("activity", "diagnostic", "state"):
            self._store.execute("UPDATE incidents SET touched = ? WHERE number = ?", (now, number))
        if self._trace is not None and kind == "state":
            self._trace.emit("dcc", "incidents", "changed", target=f"incident {number}", state=text.partition(":")[0], by=str(who or "DCC"))

    # Reading

    def incident(self, number: int) -> Incident:
        """One incident, as the DCC sees it. Raises IncidentError."""
        row = self._store.row("SELECT * FROM incidents WHERE number = ?", (number,))
        if row is None:
            raise IncidentError(f"there is no incident {number}: ask for the list")
        return _incident(row)

    def seen_by(self, user: Eui64, number: int) -> Incident | None:
        """One incident if ``user`` may see it: who raised it, owns it or is told of it (IM-12 [226])."""
        return next((one for one in self.incidents(user) if one.number == number), None)

    def incidents(self, user: Eui64 | None = None, *, open_only: bool = False) -> tuple[Incident, ...]:
        """Those that ``user`` may see (None: all), the most urgent first: by category, then by what is due (IM-02)."""
        where, values = (
            ("", ())
            if user is None
            else (
                "WHERE number IN (SELECT incident FROM incident_parties WHERE party = ?)",
                (str(user),),
            )
        )
        found = (_incident(row) for row in self._store.rows(f"SELECT * FROM incidents {where} ORDER BY category, due", values))
        return tuple(one for one in found if one.state in OPEN or not open_only)

    def parties(self, number: int) -> tuple[Eui64, ...]:
        """Interested and responsible parties."""
        rows = self._store.rows("SELECT party FROM incident_parties WHERE incident = ? ORDER BY rowid", (number,))
        return tuple(Eui64.parse(row["party"]) for row in rows)

    def entries(self, number: int) -> tuple[IncidentEntry, ...]:
        """The whole history, oldest first."""
        return tuple(
            IncidentEntry(row["time"], row["who"], row["kind"], Eui64.parse(row["to_party"]) if row["to_party"] else None, row["text"])
            for row in self._store.rows("SELECT * FROM incident_entries WHERE incident = ? ORDER BY number", (number,))
        )

    def delayed(self) -> tuple[Incident, ...]:
        """Open incidents on shared equipment on which nothing was done for too long (IM-09 [232])."""
        now = self._now()
        return tuple(one for one in self.incidents(open_only=True) if one.shared and now - one.touched > self.rules.delay_s)


def _incident(row: Row) -> Incident:
    def party(name: str) -> Eui64 | None:
        return Eui64.parse(row[name]) if row[name] else None

    return Incident(
        row["number"],
        row["raised"],
        party("user"),
        row["summary"],
        row["area"],
        bool(row["visit"]),
        party("device"),
        row["request"],
        row["diagnostic"],
        row["category"],
        row["state"],
        party("owner"),
        row["rule"],
        bool(row["shared"]),
        row["due"],
        row["touched"],
        row["resolved"],
        row["closed"],
        bool(row["major"]),
        bool(row["security"]),
    )
