"""From a Device's Response to the user's Outcome: proof, anomaly, effects, delivery, the clocks of response times.

A Response whose MAC only the user can check takes effect, and counts as an answer, after that user's keys have proven it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, DecodeError, KeystoreError, NotAvailable, ProtectionError
from firmware_emu.gbcs.asn1_types import StatusCode, UpdateCredentialsAlert
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc.answers.alerts import Alerts
from hil.dcc.answers.effects import Effects
from hil.dcc.answers.responses import Responses
from hil.dcc.base.outcome import Delivery, LegMessage, Outcome, Refusal, Verdict
from hil.dcc.base.refusals import OwnServiceRefused, refused
from hil.dcc.base.results import judge
from hil.dcc.base.services import schedule
from hil.dcc.base.store import DccStore
from hil.dcc.duis import RequestId, read_request
from hil.dcc.duis.readings import text
from hil.dcc.gateway.context import Arrival
from hil.dcc.gateway.gateway import Gateway
from hil.dcc.gateway.journey import Travel
from hil.dcc.gateway.quarantine import Held, Quarantine
from hil.dcc.parties.protection import Proof
from hil.dcc.parties.users import User
from hil.parse_correlate.parse import Parsed

ANSWERED = frozenset({"responded", "late"})


@dataclass(slots=True)
class Answers:
    """The way back. ``users`` are those whose receiving service is there now."""

    store: DccStore
    responses: Responses
    effects: Effects
    gateway: Gateway
    quarantine: Quarantine
    alerts: Alerts
    clock: Clock
    trace: Trace
    users: Mapping[Eui64, User]
    own: frozenset[Eui64]
    """The DCC's own identifiers: MACs for these it has checked itself."""
    undelivered: Callable[[Eui64, int], bool]
    """Whether the hub has not acknowledged the frame of this sequence."""
    withdraw: Callable[[Eui64, int], bool]
    """Take a frame back that the hub cannot have; False if it is under way."""
    schedule_of: Callable[[str], int | None]
    """The schedule whose run a request is."""
    scheduled_target_s: float
    sent: Callable[[Eui64, int], None]
    """Told of every Response that goes out: user and octets."""
    _changed: dict[str, asyncio.Event] = field(default_factory=dict)

    # Arrival

    def take(self, chf: Eui64 | None, message: Message, octets: bytes) -> bool:
        """A Response, inside the transaction that takes it. True if it answers a request."""
        answer = self.responses.take(chf, message, octets)
        if answer is None:
            return False
        row = self._row(answer.request)
        user = Eui64.parse(row["user"])
        if (anomaly := self.gateway.count_response(user)) is not None:
            self.quarantine.hold(user, "response", answer.request, anomaly.value, octets)
            self.store.execute("UPDATE requests SET state = 'quarantined' WHERE request = ?", (answer.request,))
            self._wake(answer.request)
            return True
        if answer.proof is not Proof.FOR_RECIPIENT:
            self._take_effect(row, message)
        self._hand_over(answer.request)
        self._wake(answer.request)
        return True

    def _take_effect(self, row: sqlite3.Row, message: Message) -> None:
        verdict = judge(message)
        if not verdict.done:
            return
        try:
            self.effects.apply(read_request(row["xml"]), message)
        except CommsHubError as error:
            self.trace.emit("dcc", "inventory", "refused", message=row["request"], reason=str(error))

    def credentials_told(self, message: Message, alert: UpdateCredentialsAlert) -> None:
        """A Device has done, or has not done, the future-dated change of credentials that a 6.23 of before asked for (alert 00CB)."""
        command = f"{message.header.recipient}:{message.header.originator}:command:{alert.outcome.authorising_seq_number}"
        row = self.store.row("SELECT * FROM requests WHERE command_id = ? AND variant = '6.23'", (command,))
        if row is not None and all(part.status is StatusCode.SUCCESS for part in alert.outcome.replacements):
            self.effects.supplier_changed(read_request(row["xml"]))

    def _hand_over(self, name: str) -> None:
        """Give the Response to its user, if it is there; a MAC for the user is proven first."""
        row = self._row(name)
        user = self.users.get(Eui64.parse(row["user"]))
        if user is None or row["state"] not in ANSWERED or row["delivered"] is not None:
            return
        octets, message = bytes(row["response"]), Message.decode(row["response"])
        if self._left_to_recipient(message):
            try:
                user.prove(message)
            except (ProtectionError, KeystoreError) as error:
                self.responses.refused_by_user(name, octets, str(error))
                return
            self._take_effect(row, message)
        now = self.clock.now()
        self.store.execute("UPDATE requests SET delivered = ? WHERE request = ?", (now, name))
        late, detail = row["state"] == "late", {**self._schedule(name), **self._drawn(name)}
        self.sent(user.eui64, len(octets))
        user.deliver(Delivery("h", now, "I0", message.header.originator, octets, name, late=late, detail=detail))
        self.trace.emit(
            "dcc",
            "gateway",
            "delivered",
            target=str(user.eui64),
            message=str(message.header.identifier),
            request=name,
            late=row["state"] == "late",
        )
        self._wake(name)

    def _schedule(self, name: str) -> dict[str, int]:
        number = self.schedule_of(name)
        return {} if number is None else {"DSPScheduleID": number}

    def _drawn(self, name: str) -> dict[str, str]:
        """The customer identification number that the DCC drew for a 9.1, which its user gets with the Response."""
        row = self.store.row("SELECT number FROM customer_numbers WHERE request = ?", (name,))
        return {} if row is None else {"CustomerIdentificationNumber": row["number"]}

    def _left_to_recipient(self, message: Message) -> bool:
        return message.mac is not None and not message.signature and message.header.recipient not in self.own

    def deliver_waiting(self, user: User) -> None:
        """The user is there (again): hand over the Responses that wait for it."""
        for row in self.store.rows(
            "SELECT request FROM requests WHERE user = ? AND state IN ('responded', 'late') AND delivered IS NULL", (str(user.eui64),)
        ):
            self._hand_over(row["request"])

    def release(self, held: Held) -> None:
        """A quarantined Response goes to its user."""
        with self.store.transaction():
            self.store.execute("UPDATE requests SET state = 'responded' WHERE request = ? AND state = 'quarantined'", (held.request,))
            message = Message.decode(held.octets)
            if held.request is not None:
                if not self._left_to_recipient(message):
                    self._take_effect(self._row(held.request), message)
                self._hand_over(held.request)

    def return_local(self, arrival: Arrival, octets: bytes) -> Mapping[str, object]:
        """8.13: a Response to a local Command of this user (LC-05). Raises OwnServiceRefused."""
        try:
            message = Message.decode(octets)
        except DecodeError as error:
            raise OwnServiceRefused("local-unreadable", problem=error) from error
        named = text(arrival.request, "OriginalRequestID")
        row = self.store.row(
            "SELECT * FROM requests WHERE command_id = ?",
            (f"{message.header.recipient}:{message.header.originator}:command:{message.header.counter}",),
        )
        if (
            row is None
            or row["user"] != str(arrival.sender)
            or (named is not None and RequestId.parse(named) != RequestId.parse(row["request"]))
        ):
            raise OwnServiceRefused("local-not-asked")
        if not self.take(None, message, octets):
            raise OwnServiceRefused("local-not-accepted")
        return {"request": row["request"], "status": judge(message).text}

    def _wake(self, name: str) -> None:
        if (event := self._changed.get(name)) is not None:
            event.set()

    def _row(self, name: str) -> sqlite3.Row:
        row = self.store.row("SELECT * FROM requests WHERE request = ?", (name,))
        if row is None:
            raise NotAvailable(f"request {name}", "send it first, or open the store it was sent with")
        return row

    # The end

    async def outcome(self, user: User, request: RequestId, *, travel: Travel | None = None, wait_s: float | None = None) -> Outcome:
        """Wait until the request has an end, at most until its deadline, and tell it. Raises NotAvailable for an unknown request."""
        name = str(request)
        travel = travel or Travel(self.clock)

        def undelivered(row: sqlite3.Row) -> bool:
            return row["state"] == "sent" or (row["state"] in ANSWERED and row["delivered"] is None)

        row, in_time = await self._while(name, undelivered, wait_s)
        return self._ended(user, row, travel) if in_time else self._unanswered(row, travel)

    async def settle(self, name: str) -> None:
        """Wait until the Device's answer is here, its user being there or not; at the deadline the user is told that there is none."""
        row, in_time = await self._while(name, lambda row: bool(row["state"] == "sent"), None)
        if not in_time:
            self._unanswered(row, Travel(self.clock))

    async def _while(self, name: str, open_: Callable[[sqlite3.Row], bool], wait_s: float | None) -> tuple[sqlite3.Row, bool]:
        """Wait while the request is open, at most until its deadline: its row, and whether it came to its end in time."""
        event = self._changed.setdefault(name, asyncio.Event())
        try:
            while open_(row := self._row(name)):
                deadline = row["deadline"] if wait_s is None else row["sent"] + wait_s
                event.clear()
                try:
                    await asyncio.wait_for(event.wait(), max(0.0, deadline - self.clock.now()))
                except TimeoutError:
                    return row, False
        finally:
            self._changed.pop(name, None)
        return row, True

    def _unanswered(self, row: sqlite3.Row, travel: Travel) -> Outcome:
        travel.leg("SM WAN, hub and Device")
        name = row["request"]
        undelivered = row["chf"] is not None and self.undelivered(Eui64.parse(row["chf"]), row["sequence"])
        waited = f"{self.clock.now() - row['sent']:g}"
        if undelivered:
            withdrawn = self.withdraw(Eui64.parse(row["chf"]), row["sequence"])
            fate = "withdrawn" if withdrawn else "under way, and may still reach the Device"
            alert, refusal = "N12", refused("wan-undelivered", waited=waited, hub=row["chf"], fate=fate)
        else:
            alert, refusal = "N13", refused("device-silent", waited=waited, target=row["target"])
        with self.store.transaction():
            self.store.execute("UPDATE requests SET state = 'unanswered' WHERE request = ?", (name,))
            detail = {"request": name, "payload": "CommandFailure", **self._schedule(name)}
            self.alerts.raise_dcc_alert(alert, Eui64.parse(row["target"]), (Eui64.parse(row["user"]),), **detail)
        self.trace.emit("dcc", "responses", "refused", message=row["command_id"], request=name, code=refusal.code, reason=refusal.value)
        finished = self.clock.now()
        return self._outcome(Verdict.NO_ANSWER, row, travel, refusal.code, refusal.hop, refusal.value, refusal=refusal, finished=finished)

    def _ended(self, user: User, row: sqlite3.Row, travel: Travel) -> Outcome:
        travel.leg("SM WAN, hub and Device")
        match row["state"]:
            case "returned":
                return self._outcome(
                    Verdict.RETURNED,
                    row,
                    travel,
                    "I0",
                    "gateway",
                    "the Command was returned for local delivery; its Response is owed (8.13)",
                )
            case "quarantined":
                return self._outcome(Verdict.QUARANTINED, row, travel, None, "gateway", "its Response is in quarantine [136]")
            case "responded" | "late":
                return self._read(user, row, travel)
            case state:
                return self._outcome(Verdict.REFUSED, row, travel, None, "gateway", f"the request is {state}")

    def _read(self, user: User, row: sqlite3.Row, travel: Travel) -> Outcome:
        octets = bytes(row["response"])
        travel.messages.append(LegMessage("g", "response", octets))
        parsed: Parsed | None = None
        try:
            parsed = user.read(octets)
        except CommsHubError as error:
            refusal = refused("user-cannot-read", problem=error)
            return self._outcome(Verdict.FAILED, row, travel, "I0", "user", str(error), refusal=refusal)
        travel.leg("user verifies and parses")
        verdict = judge(Message.decode(octets))
        self.trace.emit(
            "dcc",
            f"user {user.eui64}",
            "parsed",
            message=str(Message.decode(octets).header.identifier),
            done=verdict.done,
            text=verdict.text,
        )
        return self._outcome(
            Verdict.SUCCESS if verdict.done else Verdict.FAILED,
            row,
            travel,
            "I0",
            "user" if verdict.done else "Device",
            verdict.text,
            parsed=parsed,
        )

    def _outcome(
        self,
        verdict: Verdict,
        row: sqlite3.Row,
        travel: Travel,
        code: str | None,
        hop: str,
        reason: str,
        *,
        parsed: Parsed | None = None,
        refusal: Refusal | None = None,
        finished: float | None = None,
    ) -> Outcome:
        service = schedule()[row["variant"]]
        finished = finished or row["delivered"] or self.clock.now()
        # Two passes of a critical request: the user's own thinking time is left out (RT-07).
        thinking = row["returned"] - row["pre_command_at"] if row["returned"] is not None and row["pre_command_at"] is not None else 0.0
        held = row["execute_at"] is not None
        target = service.future_dated_s if held else service.on_demand_s or service.future_dated_s
        if held and self.schedule_of(row["request"]) is not None:
            target = self.scheduled_target_s
        timed = verdict in (Verdict.SUCCESS, Verdict.FAILED, Verdict.NO_ANSWER)
        within = finished - row["received"] - thinking <= target if timed and target is not None else None
        return Outcome(
            verdict,
            row["request"],
            row["variant"],
            code,
            hop,
            reason,
            parsed,
            refusal,
            tuple(travel.messages),
            travel.legs,
            row["received"],
            finished,
            target,
            within,
            self._drawn(row["request"]) if verdict is Verdict.SUCCESS else {},
        )
