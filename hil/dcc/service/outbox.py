"""Documents for users who are somewhere else: signed, kept until the user's receiving service has taken them.

A document is put in inside the transaction that brought it about, so that what is acknowledged to a hub is not lost to the user.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore, Row


class MessageState(StrEnum):
    """Fate of a document."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    REFUSED = "refused"
    """The receiving service will not take it, however often it comes (reference duis-gateway 2: 400, 413)."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One document for a user. Times are bench seconds since 2000; it is not sent before ``due``. ``kind`` is the type letter of
    sec2-rules 3."""

    number: int
    user: Eui64
    request: str | None
    kind: str
    code: str
    made: float
    due: float
    xml: bytes
    state: MessageState
    attempts: int
    ended: float | None
    problem: str


def _message(row: Row) -> OutboxMessage:
    return OutboxMessage(
        row["number"],
        Eui64.parse(row["user"]),
        row["request"],
        row["kind"],
        row["code"],
        row["made"],
        row["due"],
        bytes(row["xml"]),
        MessageState(row["state"]),
        row["attempts"],
        row["ended"],
        row["problem"],
    )


@dataclass(frozen=True, slots=True)
class PushOutbox:
    """The table of documents; ``now`` is bench time."""

    store: DccStore
    now: Callable[[], float]

    def put(self, user: Eui64, kind: str, code: str, xml: bytes, *, request: str | None, due: float) -> int:
        """One more document for ``user``; returns its number."""
        return self.store.insert(
            "outbox",
            user=str(user),
            request=request,
            kind=kind,
            code=code,
            made=self.now(),
            due=due,
            xml=xml,
            state=MessageState.WAITING.value,
        )

    def first(self, user: Eui64) -> OutboxMessage | None:
        """The document for this user that is due first."""
        row = self.store.row("SELECT * FROM outbox WHERE state = 'waiting' AND user = ? ORDER BY due, number LIMIT 1", (str(user),))
        return None if row is None else _message(row)

    def waited_for(self) -> tuple[Eui64, ...]:
        """The users for whom something waits."""
        return tuple(Eui64.parse(row["user"]) for row in self.store.rows("SELECT DISTINCT user FROM outbox WHERE state = 'waiting'"))

    def count(self, state: MessageState, kind: str = "%") -> int:
        """Number of documents in a state, of one kind or all."""
        row = self.store.row("SELECT count(*) AS n FROM outbox WHERE state = ? AND kind LIKE ?", (state.value, kind))
        return 0 if row is None else int(row["n"])

    def answers(self) -> dict[str, int]:
        """Number of documents that answer each request, of those that have one."""
        rows = self.store.rows("SELECT request, count(*) AS n FROM outbox WHERE kind = 'h' AND request IS NOT NULL GROUP BY request")
        return {str(row["request"]): int(row["n"]) for row in rows}

    def all(self, user: Eui64 | None = None, state: str | None = None) -> tuple[OutboxMessage, ...]:
        """Every document, of one user or in one state, oldest first."""
        where = ["TRUE"] + ["user = ?"] * (user is not None) + ["state = ?"] * (state is not None)
        values = [*([] if user is None else [str(user)]), *([] if state is None else [state])]
        return tuple(map(_message, self.store.rows(f"SELECT * FROM outbox WHERE {' AND '.join(where)} ORDER BY number", values)))

    def tried(self, number: int, problem: str) -> None:
        """An attempt that did not reach the user; it waits for the next."""
        self.store.execute("UPDATE outbox SET attempts = attempts + 1, problem = ? WHERE number = ?", (problem, number))

    def end(self, number: int, state: MessageState, problem: str = "") -> None:
        """The user has it, or will never take it."""
        self.store.execute(
            "UPDATE outbox SET attempts = attempts + 1, state = ?, ended = ?, problem = ? WHERE number = ?",
            (state.value, self.now(), problem, number),
        )


@dataclass(frozen=True, slots=True)
class ReceivingAddresses:
    """Addresses of the users' receiving services: one for each user, or one for all who have none of their own."""

    store: DccStore

    def of(self, user: Eui64) -> str | None:
        """The user's address."""
        row = self.store.row("SELECT url FROM receiving_addresses WHERE user IN (?, '') ORDER BY user DESC", (str(user),))
        return None if row is None else str(row["url"])

    def set(self, user: Eui64 | None, url: str | None) -> None:
        """The address of a user, or with None of all others; ``url`` None takes it away."""
        key = "" if user is None else str(user)
        if url is None:
            self.store.execute("DELETE FROM receiving_addresses WHERE user = ?", (key,))
        else:
            self.store.execute("INSERT OR REPLACE INTO receiving_addresses VALUES (?, ?)", (key, url))

    def all(self) -> tuple[tuple[str, str], ...]:
        """User (empty: all others) and address."""
        return tuple((row["user"], row["url"]) for row in self.store.rows("SELECT * FROM receiving_addresses ORDER BY user"))
