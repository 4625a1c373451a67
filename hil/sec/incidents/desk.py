"""The service desk: contacts by telephone, e-mail and the self-service interface, around the clock (SV-10, SV-11, SV-14 [253-255])."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore
from hil.dcc.parties.users import EnteredUsers
from hil.sec.incidents.log import IncidentError, IncidentLog

CHANNELS = ("telephone", "email", "SSI")
KINDS = ("general query", "incident", "feedback")


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact. ``party`` is a name, ``user`` its User ID where it is a user; ``incident`` the one it led to."""

    number: int
    time: float
    channel: str
    party: str
    user: Eui64 | None
    kind: str
    text: str
    incident: int | None
    answer: str | None


class ServiceDesk:
    """The desk's record."""

    def __init__(self, store: DccStore, log: IncidentLog, now: Callable[[], float]) -> None:
        self._store = store
        self._log = log
        self._now = now

    def contact(
        self,
        channel: str,
        party: str,
        kind: str,
        text: str,
        *,
        user: Eui64 | None = None,
        tried_ssi: bool = False,
        incident: int | None = None,
    ) -> Contact:
        """Record a contact; at any hour. Raises IncidentError.

        Users try the self-service interface before the desk [247]; other parties have no interface (X-15) and ask general queries
        only [254].
        """
        if channel not in CHANNELS or kind not in KINDS:
            raise IncidentError(f"read channel {channel!r} and kind {kind!r}, expected {' or '.join(CHANNELS)} and {' or '.join(KINDS)}")
        known = user is not None and EnteredUsers(self._store).find(user) is not None
        if not known and channel == "SSI":
            raise IncidentError(f"{party} is no user: the self-service interface is for users [240], call or write to the desk")
        if not known and kind == "incident":
            raise IncidentError(f"{party} is no user: other parties ask general queries, incidents are raised by users [254]")
        if known and channel != "SSI" and kind == "incident" and not tried_ssi:
            raise IncidentError(f"{party} has the self-service interface: try it before the desk [247]")
        if incident is not None and user is not None and self._log.seen_by(user, incident) is None:
            raise IncidentError(f"there is no incident {incident} for {party}")
        number = self._store.insert(
            "desk_contacts",
            time=self._now(),
            channel=channel,
            party=party,
            user=str(user) if known else None,
            kind=kind,
            text=text,
            incident=incident,
        )
        return next(one for one in self.contacts() if one.number == number)

    def answer(self, number: int, text: str) -> None:
        """Answer a contact. Raises IncidentError."""
        if not self._store.execute("UPDATE desk_contacts SET answer = ?, answered = ? WHERE number = ?", (text, self._now(), number)):
            raise IncidentError(f"there is no contact {number}")

    def contacts(self, user: Eui64 | None = None) -> tuple[Contact, ...]:
        """All contacts, oldest first, or one user's own."""
        where, values = ("", ()) if user is None else ("WHERE user = ?", (str(user),))
        return tuple(
            Contact(
                row["number"],
                row["time"],
                row["channel"],
                row["party"],
                Eui64.parse(row["user"]) if row["user"] else None,
                row["kind"],
                row["text"],
                row["incident"],
                row["answer"],
            )
            for row in self._store.rows(f"SELECT * FROM desk_contacts {where} ORDER BY number", values)
        )
