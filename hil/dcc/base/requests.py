"""The life of a service request: one table, state x event -> state, stamps and effects, and the only module that touches ``requests``.

:data:`LIFE` is the whole of it. What moves a request calls :meth:`Requests.move` with an event; an event that the table does not have
for the request's state raises :class:`WrongEvent` and changes nothing. The table is sans-IO: it names the effects of a step, and the
part that moved the request carries them out. ``hil/dcc/processing.md`` is generated from it (:mod:`hil.dcc.base.processing`), the page and
its ladder take the steps of a request from it, and ``chub dcc why`` what a request waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.ids import Eui64
from firmware_emu.sqlite_file import Value
from hil.dcc.base.store import Bus, DccStore, Row


class RequestState(StrEnum):
    """State of a request. The words are those of the store."""

    NEW = "new"
    """Not recorded: the checks on arrival have not passed."""
    ACCEPTED = "accepted"
    WAITING = "waiting"
    """For the request that it names as its predecessor [126, 127]."""
    DEFERRED = "held"
    """Until its execution time, which the DCC watches and not the Device [128]."""
    PRE_COMMAND = "pre-command"
    """Its pre-command is at the user [155]."""
    SENT = "sent"
    RETURNED = "returned"
    """Its Command is at the user for local delivery."""
    RESPONDED = "responded"
    LATE = "late"
    """Responded after its user had been told that no answer came."""
    QUARANTINED = "quarantined"
    UNANSWERED = "unanswered"
    EXECUTED = "executed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"


class RequestEvent(StrEnum):
    """Event in the life of a request."""

    ACCEPT = "accept"
    AWAIT_PREDECESSOR = "await predecessor"
    PREDECESSOR_SUCCEEDED = "predecessor succeeded"
    DEFER = "defer"
    RELEASE = "release"
    CANCEL = "cancel"
    REFUSE = "refuse"
    EXECUTE = "execute"
    GIVE_PRE_COMMAND = "give pre-command"
    TAKE_SIGNED = "take signed pre-command"
    POST = "post"
    GIVE_COMMAND = "give command"
    RESPOND = "respond"
    DELIVER = "deliver"
    DISPROVE = "disprove"
    QUARANTINE = "quarantine"
    RELEASE_RESPONSE = "release response"
    DISCARD_RESPONSE = "discard response"
    TIME_OUT = "time out"


class Effect(StrEnum):
    """Effect of a step, in the order of its row; the part that moved the request carries it out."""

    CHANGE_RECORDS = "the Device's yes changes inventory, device log and parties, once it is proven"
    HAND_OVER = "the Response goes to its user, or waits until that user is there"
    TELL_NO_ANSWER = "the user gets N12 (the hub never had it) or N13 (the Device is silent)"


class Resume(StrEnum):
    """Action of a starting DCC on a request that it finds in a state."""

    NOTHING = "nothing: it has its end, or a user moves it on"
    GO_ON = "it goes on from here"
    WATCH = "its deadline is watched again"
    LAPSE = "its user's time to return it signed goes on"
    HAND_OVER = "its Response is handed over when its user is there"


@dataclass(frozen=True, slots=True)
class LifeStep:
    """One row: in ``state``, ``event`` leads to ``to``. ``stamp`` is the column that takes the time of the step, ``writes`` the columns
    that the mover gives with the event, ``clears`` those that become empty, ``unless`` the one that must be empty; ``said`` is the step
    in words, empty where the page shows none.
    """

    state: RequestState
    event: RequestEvent
    to: RequestState
    stamp: str = ""
    writes: tuple[str, ...] = ()
    clears: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    said: str = ""
    unless: str = ""


_S, _E = RequestState, RequestEvent
_POSTED = ("command", "command_id", "deadline", "chf", "sequence")
_ANSWER = (Effect.CHANGE_RECORDS, Effect.HAND_OVER)
_TO_HUB = "the Command went to the hub"
_CAME = "the Response came from the Device"
_WENT = "the Service Response went to the user"

LIFE: tuple[LifeStep, ...] = (
    LifeStep(_S.NEW, _E.ACCEPT, _S.ACCEPTED, "received", said="the gateway accepted the request"),
    LifeStep(_S.ACCEPTED, _E.AWAIT_PREDECESSOR, _S.WAITING),
    LifeStep(_S.ACCEPTED, _E.DEFER, _S.DEFERRED, writes=("execute_at",)),
    LifeStep(_S.ACCEPTED, _E.RELEASE, _S.ACCEPTED, "received"),
    LifeStep(_S.ACCEPTED, _E.GIVE_PRE_COMMAND, _S.PRE_COMMAND, "pre_command_at", ("pre_command",), said="the pre-command went to the user"),
    LifeStep(_S.ACCEPTED, _E.POST, _S.SENT, "sent", _POSTED, said=_TO_HUB),
    LifeStep(_S.ACCEPTED, _E.GIVE_COMMAND, _S.RETURNED, "sent", _POSTED),
    LifeStep(_S.ACCEPTED, _E.EXECUTE, _S.EXECUTED),
    LifeStep(_S.ACCEPTED, _E.REFUSE, _S.REFUSED),
    LifeStep(_S.WAITING, _E.AWAIT_PREDECESSOR, _S.WAITING),
    LifeStep(_S.WAITING, _E.PREDECESSOR_SUCCEEDED, _S.ACCEPTED),
    LifeStep(_S.WAITING, _E.CANCEL, _S.CANCELLED),
    LifeStep(_S.WAITING, _E.REFUSE, _S.REFUSED),
    LifeStep(_S.DEFERRED, _E.DEFER, _S.DEFERRED, writes=("execute_at",)),
    LifeStep(_S.DEFERRED, _E.RELEASE, _S.ACCEPTED, "received"),
    LifeStep(_S.DEFERRED, _E.CANCEL, _S.CANCELLED),
    LifeStep(_S.DEFERRED, _E.REFUSE, _S.REFUSED),
    LifeStep(_S.PRE_COMMAND, _E.TAKE_SIGNED, _S.PRE_COMMAND, "returned", said="the signed pre-command came back"),
    LifeStep(_S.PRE_COMMAND, _E.POST, _S.SENT, "sent", _POSTED, said=_TO_HUB),
    LifeStep(_S.PRE_COMMAND, _E.GIVE_COMMAND, _S.RETURNED, "sent", _POSTED),
    LifeStep(_S.PRE_COMMAND, _E.REFUSE, _S.REFUSED),
    LifeStep(_S.SENT, _E.RESPOND, _S.RESPONDED, "responded", ("response",), effects=_ANSWER, said=_CAME),
    LifeStep(_S.SENT, _E.TIME_OUT, _S.UNANSWERED, effects=(Effect.TELL_NO_ANSWER,)),
    LifeStep(_S.RETURNED, _E.RESPOND, _S.RESPONDED, "responded", ("response",), effects=_ANSWER, said=_CAME),
    LifeStep(_S.UNANSWERED, _E.RESPOND, _S.LATE, "responded", ("response",), effects=_ANSWER, said=_CAME),
    LifeStep(_S.RESPONDED, _E.DELIVER, _S.RESPONDED, "delivered", said=_WENT, unless="delivered"),
    LifeStep(_S.RESPONDED, _E.DISPROVE, _S.SENT, clears=("response", "responded"), unless="delivered"),
    LifeStep(_S.RESPONDED, _E.QUARANTINE, _S.QUARANTINED, unless="delivered"),
    LifeStep(_S.LATE, _E.DELIVER, _S.LATE, "delivered", said=_WENT, unless="delivered"),
    LifeStep(_S.LATE, _E.DISPROVE, _S.UNANSWERED, clears=("response", "responded"), unless="delivered"),
    LifeStep(_S.LATE, _E.QUARANTINE, _S.QUARANTINED, unless="delivered"),
    LifeStep(_S.QUARANTINED, _E.RELEASE_RESPONSE, _S.RESPONDED, effects=_ANSWER),
    LifeStep(_S.QUARANTINED, _E.DISCARD_RESPONSE, _S.DISCARDED),
)
"""Every step there is. ``TIME_OUT`` has a row for ``sent`` alone: a Response that waits for its user is an answer."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Meaning of a state to those who wait: what the request ``waits_for``, what to do ``next``, and what a starting DCC does."""

    waits_for: str
    next: str
    resume: Resume = Resume.NOTHING


STANDING: Mapping[RequestState, Standing] = {
    _S.NEW: Standing("the checks on arrival", "see the refusal of the gateway (`chub dcc refusals`)"),
    _S.ACCEPTED: Standing("nothing: it is on its way through the DCC", "the DCC goes on with it; it is not finished yet", Resume.GO_ON),
    _S.WAITING: Standing("the success of the request that it names", "see that request, or cancel this one", Resume.GO_ON),
    _S.DEFERRED: Standing("its execution time", "let that time come, or cancel it", Resume.GO_ON),
    _S.PRE_COMMAND: Standing(
        "the signed pre-command of its user", "the user correlates, signs and returns it (command variant 5, 6 or 7)", Resume.LAPSE
    ),
    _S.SENT: Standing("the Device's Response, until its deadline", "see that the hub is connected and the Device on its HAN", Resume.WATCH),
    _S.RETURNED: Standing("local delivery, and the Response that its user returns", "return the Device's Response with 8.13"),
    _S.RESPONDED: Standing("nothing, once its Response is delivered", "the user's receiving service takes it", Resume.HAND_OVER),
    _S.LATE: Standing("nothing, once its Response is delivered", "the user's receiving service takes it", Resume.HAND_OVER),
    _S.QUARANTINED: Standing("an operator", "release or discard its Response (`chub dcc quarantine`)"),
    _S.UNANSWERED: Standing("nothing: its user was told; a Response may still come late", "see the hub and the Device, then send it again"),
    _S.EXECUTED: Standing("nothing: the DCC has carried it out", "nothing"),
    _S.REFUSED: Standing("nothing: it was refused", "see the refusal, put that right, and send a new request"),
    _S.CANCELLED: Standing("nothing: its user cancelled it", "send a new request if it is wanted after all"),
    _S.DISCARDED: Standing("nothing: its Response was discarded", "send a new request if it is wanted"),
}

OPEN = frozenset({_S.ACCEPTED, _S.WAITING, _S.DEFERRED, _S.PRE_COMMAND, _S.SENT})
"""States of a request under way."""
DEFERRABLE = frozenset({_S.WAITING, _S.DEFERRED})
"""States in which a user may cancel."""
ANSWERED = frozenset({_S.RESPONDED, _S.LATE})
FAILED = frozenset({_S.REFUSED, _S.UNANSWERED, _S.CANCELLED, _S.DISCARDED})
"""Ends of which none is a success."""

_TABLE: Mapping[tuple[RequestState, RequestEvent], LifeStep] = {(step.state, step.event): step for step in LIFE}


class WrongEvent(CommsHubError):
    """An event that the table does not have for the request's state; nothing was changed."""

    def __init__(self, name: str, state: RequestState, event: RequestEvent) -> None:
        wanted = ", ".join(step.event for step in LIFE if step.state is state) or "none: it has its end"
        super().__init__(f"request {name} is {state}: read the event {event!s}, expected one of {wanted}")
        self.state = state
        self.event = event


def step_of(name: str, state: RequestState, event: RequestEvent) -> LifeStep:
    """The row of the table. Raises WrongEvent."""
    step = _TABLE.get((state, event))
    if step is None:
        raise WrongEvent(name, state, event)
    return step


def may_happen(state: RequestState, event: RequestEvent) -> bool:
    """True if the table has a row for the event in this state."""
    return (state, event) in _TABLE


def said_steps() -> tuple[tuple[str, str], ...]:
    """The steps that a page shows, once each in the order of the table: the column with their time, and their words."""
    return tuple(dict.fromkeys((step.stamp, step.said) for step in LIFE if step.said))


@dataclass(frozen=True, slots=True)
class RequestMoved:
    """Told on the bus after each step of a request."""

    name: str
    step: LifeStep


@dataclass(frozen=True, slots=True)
class MovedElsewhere:
    """Told on the bus after a step that another process with the same store has taken."""

    name: str


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """One row. Times are bench seconds since 2000; ``command_id`` is the message identifier of the Command as text."""

    name: str
    user: Eui64
    target: Eui64
    variant: str
    received: float
    state: RequestState
    xml: bytes
    pre_command: bytes | None = None
    pre_command_at: float | None = None
    command: bytes | None = None
    command_id: str | None = None
    returned: float | None = None
    sent: float | None = None
    deadline: float | None = None
    response: bytes | None = None
    responded: float | None = None
    delivered: float | None = None
    chf: Eui64 | None = None
    sequence: int | None = None
    execute_at: float | None = None

    @property
    def thinking(self) -> float:
        """Seconds that the user took with the pre-command, which response times leave out (RT-07)."""
        return 0.0 if self.returned is None or self.pre_command_at is None else self.returned - self.pre_command_at

    @property
    def awaits_delivery(self) -> bool:
        """True if a Response is here that its user has not got."""
        return self.state in ANSWERED and self.delivered is None

    @property
    def stamps(self) -> Mapping[str, float | None]:
        """The times of its steps by column."""
        return {column: getattr(self, column) for column, _ in said_steps()}


def _octets(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


_REQUESTS = f"SELECT request, {', '.join(column.name for column in fields(StoredRequest)[1:])} FROM requests"
"""The table ``requests``, its columns in the order of the fields."""


_ACCEPT = "INSERT INTO requests (request, user, target, variant, received, state, xml, execute_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def _changed(stored: StoredRequest, state: RequestState, values: Mapping[str, Value]) -> StoredRequest:
    """The row as it is read back once these columns are written."""
    hub = values.get("chf")
    told: dict[str, Any] = {**values, "state": state}
    return replace(stored, **told if hub is None else {**told, "chf": Eui64.parse(str(hub))})


def _stored(row: Row) -> StoredRequest:
    name, user, target, variant, received, state, xml, pre_command, pre_command_at, command, *rest = row
    command_id, returned, sent, deadline, response, responded, delivered, chf, sequence, execute_at = rest
    return StoredRequest(
        name,
        Eui64.parse(user),
        Eui64.parse(target),
        variant,
        received,
        RequestState(state),
        bytes(xml),
        _octets(pre_command),
        pre_command_at,
        _octets(command),
        command_id,
        returned,
        sent,
        deadline,
        _octets(response),
        responded,
        delivered,
        None if chf is None else Eui64.parse(chf),
        sequence,
        execute_at,
    )


class Requests:
    """The requests in the DCC's store. ``bus`` is told of every step, after it is written."""

    def __init__(self, store: DccStore, now: Callable[[], float], bus: Bus | None = None) -> None:
        self._store = store
        self._now = now
        self._bus = bus

    # Moving

    def accept(
        self, name: str, user: Eui64, target: Eui64, variant: str, xml: bytes, *, received: float, execute_at: float | None = None
    ) -> LifeStep:
        """Record a request that passed the checks on arrival. ``execute_at``: it is the run of a schedule, due then."""
        step = step_of(name, RequestState.NEW, RequestEvent.ACCEPT)
        stored = StoredRequest(name, user, target, variant, received, step.to, xml, execute_at=execute_at)
        values = (name, str(user), str(target), variant, received, step.to.value, xml, execute_at)
        self._store.rewrite("requests", name, stored, _ACCEPT, values)
        self._tell(name, step)
        return step

    def forget(self, name: str) -> None:
        """The request comes again and takes the place of the one of that name."""
        self._store.execute("DELETE FROM requests WHERE request = ?", (name,))

    def move(self, name: str, event: RequestEvent, **columns: Value) -> LifeStep:
        """``event`` has happened to the request; ``columns`` are those that its row of the table writes. Raises WrongEvent."""
        with self._store.transaction():
            stored = self.find(name)
            state = RequestState.NEW if stored is None else stored.state
            step = step_of(name, state, event)
            if stored is None or (step.unless and getattr(stored, step.unless) is not None):
                raise WrongEvent(name, state, event)
            assert set(columns) == set(step.writes), f"{event} writes {step.writes}, given {sorted(columns)}"
            values: dict[str, Value] = {"state": step.to.value, **columns, **dict.fromkeys(step.clears)}
            if step.stamp:
                values[step.stamp] = self._now()
            sets = ", ".join(f"{column} = ?" for column in values)
            now = _changed(stored, step.to, values)
            self._store.rewrite("requests", name, now, f"UPDATE requests SET {sets} WHERE request = ?", (*values.values(), name))
            self._store.tell(f"request {name}")
            self._tell(name, step)
        return step

    def _tell(self, name: str, step: LifeStep) -> None:
        if self._bus is not None:
            self._bus.tell(RequestMoved(name, step))

    # Reading

    def state(self, name: str) -> RequestState | None:
        """State of the request, None if none of that name was recorded."""
        row = self._store.row("SELECT state FROM requests WHERE request = ?", (name,))
        return None if row is None else RequestState(row["state"])

    def find(self, name: str) -> StoredRequest | None:
        """The request of that name."""
        return self._store.once("requests", name, self._find)

    def _find(self, name: str) -> StoredRequest | None:
        return self._one("request = ?", name)

    def get(self, name: str) -> StoredRequest:
        """As :meth:`find`. Raises NotAvailable."""
        found = self.find(name)
        if found is None:
            raise NotAvailable(f"request {name}", "send it first, or open the store it was sent with")
        return found

    def of_command(self, command_id: str) -> StoredRequest | None:
        """The request whose Command has this message identifier."""
        found = self._one("command_id = ?", command_id)
        return None if found is None else self._store.once("requests", found.name, lambda name: found)

    def in_state(self, *states: RequestState, user: Eui64 | None = None) -> tuple[StoredRequest, ...]:
        """The requests in these states, of all users or one, oldest first."""
        marks = ", ".join("?" * len(states))
        return self._some(
            f"state IN ({marks})" + ("" if user is None else " AND user = ?"), *states, *(() if user is None else (str(user),))
        )

    def all(self, user: Eui64 | None = None, *, since: float | None = None, before: float | None = None) -> tuple[StoredRequest, ...]:
        """Every request, of all users or one, oldest first; ``since`` leaves out those received before, ``before`` the later ones."""
        wanted: dict[str, Value] = {"user = ?": None if user is None else str(user), "received >= ?": since, "received < ?": before}
        given = {where: value for where, value in wanted.items() if value is not None}
        return self._some(" AND ".join(["TRUE", *given]), *given.values())

    def undelivered(self, user: Eui64) -> tuple[StoredRequest, ...]:
        """Those whose Response waits for this user."""
        return tuple(one for one in self.in_state(*ANSWERED, user=user) if one.delivered is None)

    def cancellable(self, user: Eui64, *, name: str | None, target: Eui64 | None, variant: str | None) -> tuple[StoredRequest, ...]:
        """Requests of ``user`` that may be cancelled: one by name, or all of a service for a Device."""
        found = self.in_state(*sorted(DEFERRABLE), user=user)
        return tuple(one for one in found if one.name == name or (one.target == target and one.variant == variant))

    def unanswered_by(self, device: Eui64, limit: int) -> tuple[StoredRequest, ...]:
        """The last requests that the Device did not answer, newest first."""
        return self._some("target = ? AND state = ?", str(device), RequestState.UNANSWERED.value, order=f"received DESC LIMIT {limit}")

    def answered(self, user: Eui64, device: Eui64, variant: str) -> tuple[StoredRequest, ...]:
        """Requests of a service to a Device that have a Response, newest Response first."""
        where = "user = ? AND target = ? AND variant = ? AND response IS NOT NULL"
        return self._some(where, str(user), str(device), variant, order="responded DESC")

    def arrivals(self, user: Eui64 | None = None) -> tuple[tuple[str, float], ...]:
        """Service and time of arrival of every request, in the order of arrival."""
        where, values = ("", ()) if user is None else (" WHERE user = ?", (str(user),))
        return tuple(
            (row["variant"], row["received"])
            for row in self._store.rows(f"SELECT variant, received FROM requests{where} ORDER BY received", values)
        )

    def clocked(self, begins: float, ends: float, without: Sequence[RequestState]) -> tuple[StoredRequest, ...]:
        """Requests whose clock started in the period (at their execution time, else at arrival), but for those in ``without``."""
        marks = ", ".join("?" * len(without))
        return self._some(f"coalesce(execute_at, received) BETWEEN ? AND ? AND state NOT IN ({marks})", begins, ends, *without)

    def fingerprint(self, user: Eui64) -> str:
        """Changes when a request of this user's does."""
        row = self._store.row(
            "SELECT count(*), max(received), max(sent), max(responded), max(delivered), sum(length(state)) FROM requests WHERE user = ?",
            (str(user),),
        )
        return ",".join(map(str, tuple(row or ())))

    def _one(self, where: str, value: str) -> StoredRequest | None:
        row = self._store.row(f"{_REQUESTS} WHERE {where}", (value,))
        return None if row is None else _stored(row)

    def _some(self, where: str, *values: Value, order: str = "rowid") -> tuple[StoredRequest, ...]:
        return tuple(_stored(row) for row in self._store.rows(f"{_REQUESTS} WHERE {where} ORDER BY {order}", values))

    # The customer identification number that the DCC drew for a 9.1

    def draw_number(self, name: str, number: str) -> None:
        """Note the number that goes to the Device, and to the user with its Response."""
        self._store.insert("customer_numbers", request=name, number=number)

    def drawn_number(self, name: str) -> str | None:
        """The number drawn for the request, None for another service."""
        row = self._store.row("SELECT number FROM customer_numbers WHERE request = ?", (name,))
        return None if row is None else str(row["number"])
