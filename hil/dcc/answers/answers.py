"""From a hub's message to the user's Outcome: contact, proof, anomaly, effects, delivery, the clocks of response times.

A Response is matched with an outstanding command, proven, recorded; late, repeated, unasked, forged or misrouted ones are recorded
with the reason and never reach a user as an answer. A Response whose MAC only the user can check takes effect, and counts as an
answer, after that user's keys have proven it. A hub's contact with the DCC is a fact of its own (sec2-rules 7; INV-08 [170, 185]).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from firmware_emu.errors import CommsHubError, DecodeError, KeystoreError, ProtectionError, StoreTrouble
from firmware_emu.gbcs.asn1_types import StatusCode
from firmware_emu.gbcs.envelope import Message, message_of
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier
from firmware_emu.supervised import supervised
from hil.dcc.answers.alerts import Alerts, CredentialsChanged
from hil.dcc.answers.effects import EFFECTS, Effects
from hil.dcc.base.refusals import OwnServiceRefused, refused
from hil.dcc.base.requests import (
    STANDING,
    Effect,
    LifeStep,
    MovedElsewhere,
    RequestEvent,
    RequestMoved,
    RequestState,
    Resume,
    StoredRequest,
    may_happen,
)
from hil.dcc.base.results import Delivery, LegMessage, Outcome, Refusal, Verdict, judge
from hil.dcc.base.services import NUMBERED, schedule
from hil.dcc.base.store import Bus, DccStore, outliving
from hil.dcc.duis import RequestId, read_stored
from hil.dcc.duis.request import text
from hil.dcc.gateway.arrival import Arrival, GatewayContext
from hil.dcc.gateway.gateway import Travel
from hil.dcc.gateway.quarantine import MessageDirection, Quarantine, QuarantinedMessage
from hil.dcc.inventory.hub_contacts import HubContacts
from hil.dcc.parties.smki import Repository
from hil.dcc.parties.users import Proof, Receiver, Receivers, User, check_protection
from hil.dcc.wan.headend import HubGreeted, HubMessage
from hil.parse_correlate import Parsed

_REPEATED_OTHER_INFORMATION = 18
"""A Response repeats so many octets of the Command's other information (reference gbcs-messages 1.5)."""


class StrayKind(StrEnum):
    """Why a message reached nobody."""

    UNREADABLE = "unreadable"
    COMMAND = "command"
    """A hub sends no Commands to the DCC."""
    UNASKED = "unasked"
    REPEATED = "repeated"
    MISFIT = "misfit"
    NOT_AUTHENTIC = "not authentic"


@dataclass(frozen=True, slots=True)
class Stray:
    """A message that reached nobody, with the reason."""

    time: float
    chf: Eui64 | None
    kind: StrayKind
    message: str | None
    reason: str
    octets: bytes


class Responses:
    """The matching desk. Every call runs inside the transaction that takes the frame from the SM WAN."""

    def __init__(self, context: GatewayContext, repository: Repository) -> None:
        self._context = context
        self._repository = repository

    def take(self, chf: Eui64 | None, message: Message, octets: bytes) -> tuple[str, LifeStep] | None:
        """The request that this Response answers, and the step that it took with it; None for a stray. ``chf`` None: brought by a user
        (8.13)."""
        header = message.header
        command = MessageIdentifier(header.recipient, header.originator, CraFlag.COMMAND, header.counter)
        stored = self._context.requests.of_command(str(command))
        if stored is None:
            self.stray(chf, StrayKind.UNASKED, message, octets, "no command of the DCC has this identifier")
            return None
        if not may_happen(stored.state, RequestEvent.RESPOND):
            self.stray(chf, StrayKind.REPEATED, message, octets, f"request {stored.name} is {stored.state} already")
            return None
        if (problem := self._misfit(chf, stored, message)) is not None:
            self.stray(chf, StrayKind.MISFIT, message, octets, problem)
            return None
        try:
            proof = self._proof(stored, message)
        except StoreTrouble:
            raise  # no fault of the Response: it is tried again
        except CommsHubError as error:
            self.stray(chf, StrayKind.NOT_AUTHENTIC, message, octets, str(error))
            return None
        step = self._context.requests.move(stored.name, RequestEvent.RESPOND, response=octets)
        late = step.to is RequestState.LATE
        self._context.trace.emit(
            "dcc", "responses", "verified", message=str(header.identifier), request=stored.name, proof=str(proof), late=late
        )
        return stored.name, step

    def _proof(self, stored: StoredRequest, message: Message) -> Proof:
        """Proof of the parts that the DCC can check. The answer to a new certificate may be signed with the key it certifies. Raises
        ProtectionError."""
        try:
            return check_protection(message, self._context.keystore)
        except ProtectionError:
            taken = self._repository.certificate_in(read_stored(stored.xml))
            if taken is None:
                raise
            with self._repository.as_if_taken(taken):
                proof = check_protection(message, self._context.keystore)
            self._repository.publish(taken)
            return proof

    def _misfit(self, chf: Eui64 | None, stored: StoredRequest, message: Message) -> str | None:
        sent = message_of(stored.command or b"")
        asked = sent.header.other.encode()[:_REPEATED_OTHER_INFORMATION]
        answered = message.header.other.encode()[:_REPEATED_OTHER_INFORMATION]
        if answered != asked:
            return f"its other information begins {answered.hex()}, the command's {asked.hex()}"
        hub = self._context.inventory.hub_of(message.header.originator)
        if chf is not None and hub != chf:
            return f"it came through hub {chf}, and {message.header.originator} is on hub {hub}"
        return None

    def stray(self, chf: Eui64 | None, kind: StrayKind, message: Message | None, octets: bytes, reason: str) -> None:
        """Record what is not delivered."""
        name = None if message is None else str(message.header.identifier)
        self._context.store.insert(
            "strays",
            time=self._context.clock.now(),
            chf=str(chf) if chf else None,
            kind=kind.value,
            message=name,
            reason=reason,
            octets=octets,
        )
        self._context.trace.emit("dcc", "responses", "refused", message=name, kind=kind.value, reason=reason)

    def refused_by_user(self, request: str, octets: bytes, reason: str) -> None:
        """The user's own keys disproved it: the command is outstanding again, or its user was told before that no answer came."""
        with self._context.store.transaction():
            self._context.requests.move(request, RequestEvent.DISPROVE)
            self.stray(None, StrayKind.NOT_AUTHENTIC, message_of(octets), octets, f"refused by the user: {reason}")

    def strays(self) -> tuple[Stray, ...]:
        """Messages that reached nobody, oldest first."""
        return tuple(
            Stray(
                row["time"],
                Eui64.parse(row["chf"]) if row["chf"] else None,
                StrayKind(row["kind"]),
                row["message"],
                row["reason"],
                bytes(row["octets"]),
            )
            for row in self._context.store.rows("SELECT * FROM strays ORDER BY number")
        )


def strays_from(store: DccStore, chf: Eui64) -> int:
    """Number of messages from this hub that reached nobody."""
    row = store.row("SELECT count(*) AS n FROM strays WHERE chf = ?", (str(chf),))
    return 0 if row is None else int(row["n"])


class HubOutbox(Protocol):
    """Frames on their way to the hubs."""

    def undelivered(self, chf: Eui64, sequence: int) -> bool:
        """True if the hub has not acknowledged the frame of this sequence."""
        ...

    def withdraw(self, chf: Eui64, sequence: int) -> bool:
        """Take a frame back that the hub cannot have; False if it is under way."""
        ...


class Runs(Protocol):
    """Which requests are runs of schedules."""

    def of_run(self, request: str) -> int | None:
        """The schedule whose run a request is."""
        ...


@dataclass(slots=True, kw_only=True)
class Answers:
    """The way back."""

    context: GatewayContext
    bus: Bus
    responses: Responses
    effects: Effects
    quarantine: Quarantine
    alerts: Alerts
    receivers: Receivers
    outbox: HubOutbox
    runs: Runs
    _waiters: dict[str, set[asyncio.Event]] = field(default_factory=dict)

    _watches: set[asyncio.Task[None]] = field(default_factory=set)
    _watched: set[str] = field(default_factory=set)
    _closed: bool = False

    def __post_init__(self) -> None:
        self.bus.on(RequestMoved, self._moved)
        self.bus.on(MovedElsewhere, self._moved_elsewhere)
        self.bus.on(CredentialsChanged, self._credentials_changed)

    # Arrival

    def take(self, chf: Eui64 | None, message: Message, octets: bytes) -> bool:
        """A Response, inside the transaction that takes it. True if it answers a request."""
        taken = self.responses.take(chf, message, octets)
        if taken is None:
            return False
        name, step = taken
        user = self.context.requests.get(name).user
        if (anomaly := self.context.thresholds.count(user, "response", self.context.clock.now())) is not None:
            self.quarantine.hold(user, MessageDirection.RESPONSE, name, anomaly.value, octets)
            self.context.requests.move(name, RequestEvent.QUARANTINE)
            return True
        self._follow(step, name)
        return True

    def _follow(self, step: LifeStep, name: str, alert: str = "") -> None:
        """Carry out the effects of a step, in their order; ``alert`` is the one that tells of no answer."""
        for effect in step.effects:
            stored = self.context.requests.get(name)
            match effect:
                case Effect.CHANGE_RECORDS if stored.response is not None:
                    message = message_of(stored.response)
                    if not self._left_to_recipient(message):
                        self._change_records(stored, message)
                case Effect.HAND_OVER:
                    self._hand_over(stored)
                case Effect.TELL_NO_ANSWER:
                    detail: dict[str, str | float | None] = {"request": name, "payload": "CommandFailure", **self._schedule(stored)}
                    self.alerts.raise_dcc_alert(alert, stored.target, (stored.user,), **detail)

    def _change_records(self, stored: StoredRequest, message: Message) -> None:
        if schedule()[stored.variant].reference not in EFFECTS or not judge(message).done:
            return
        try:
            self.effects.apply(read_stored(stored.xml), message)
        except StoreTrouble:
            raise  # no fault of the Response: it is tried again
        except CommsHubError as error:
            self.context.trace.emit("dcc", "inventory", "refused", message=stored.name, reason=str(error))

    def _credentials_changed(self, told: CredentialsChanged) -> None:
        """A Device has done, or has not done, the future-dated change of credentials that a 6.23 of before asked for (alert 00CB)."""
        header, outcome = told.message.header, told.alert.outcome
        command = MessageIdentifier(header.recipient, header.originator, CraFlag.COMMAND, outcome.authorising_seq_number)
        stored = self.context.requests.of_command(str(command))
        if stored is None or stored.variant != "6.23":
            return
        if all(part.status is StatusCode.SUCCESS for part in outcome.replacements):
            self.effects.supplier_changed(read_stored(stored.xml))

    def _hand_over(self, stored: StoredRequest) -> None:
        """Give the Response to its user, if it is there; a MAC for the user is proven first."""
        user, octets = self.receivers.get(stored.user), stored.response
        if user is None or octets is None or not stored.awaits_delivery:
            return
        message, late = message_of(octets), stored.state is RequestState.LATE
        if self._left_to_recipient(message):
            try:
                user.prove(message)
            except (ProtectionError, KeystoreError) as error:
                self.responses.refused_by_user(stored.name, octets, str(error))
                if stored.name not in self._waiters and self.context.requests.state(stored.name) is RequestState.SENT:
                    self.watch(stored.name)  # nobody has since its Response came
                return
            self._change_records(stored, message)
        now, detail = self.context.clock.now(), {**self._schedule(stored), **self._drawn(stored)}
        self.context.requests.move(stored.name, RequestEvent.DELIVER)
        self.receivers.deliver(
            stored.user, Delivery("h", now, "I0", message.header.originator, octets, stored.name, late=late, detail=detail)
        )
        self.context.trace.emit(
            "dcc",
            "gateway",
            "delivered",
            target=str(stored.user),
            message=str(message.header.identifier),
            request=stored.name,
            late=late,
        )

    def _schedule(self, stored: StoredRequest) -> dict[str, int]:
        number = None if stored.execute_at is None else self.runs.of_run(stored.name)
        return {} if number is None else {"DSPScheduleID": number}

    def _drawn(self, stored: StoredRequest) -> dict[str, str]:
        """The customer identification number that the DCC drew for a 9.1, which its user gets with the Response."""
        number = self.context.requests.drawn_number(stored.name) if stored.variant == NUMBERED else None
        return {} if number is None else {"CustomerIdentificationNumber": number}

    def _left_to_recipient(self, message: Message) -> bool:
        return message.mac is not None and not message.signature and message.header.recipient not in self.context.dcc

    def deliver_waiting(self, user: Receiver) -> None:
        """The user is there (again): hand over the Responses that wait for it."""
        for stored in self.context.requests.undelivered(user.eui64):
            self._hand_over(stored)

    def settle_quarantined(self, held: QuarantinedMessage, event: RequestEvent) -> None:
        """A quarantined Response is released and goes to its user, or is discarded."""
        with self.context.store.transaction():
            if held.request is not None and self.context.requests.state(held.request) is RequestState.QUARANTINED:
                self._follow(self.context.requests.move(held.request, event), held.request)

    def return_local(self, arrival: Arrival, octets: bytes) -> Mapping[str, object]:
        """8.13: a Response to a local Command of this user (LC-05). Raises OwnServiceRefused."""
        try:
            message = message_of(octets)
        except DecodeError as error:
            raise OwnServiceRefused("local-unreadable", problem=error) from error
        named, header = text(arrival.request, "OriginalRequestID"), message.header
        command = MessageIdentifier(header.recipient, header.originator, CraFlag.COMMAND, header.counter)
        stored = self.context.requests.of_command(str(command))
        if (
            stored is None
            or stored.user != arrival.sender
            or (named is not None and RequestId.parse(named) != RequestId.parse(stored.name))
        ):
            raise OwnServiceRefused("local-not-asked")
        if not self.take(None, message, octets):
            raise OwnServiceRefused("local-not-accepted")
        return {"request": stored.name, "status": judge(message).text}

    def _moved(self, moved: RequestMoved) -> None:
        for event in self._waiters.get(moved.name, ()):
            event.set()

    def _moved_elsewhere(self, moved: MovedElsewhere) -> None:
        """The process that took a Response may not have its user, who waits here."""
        waiters = self._waiters.get(moved.name, ())
        stored = self.context.requests.find(moved.name) if waiters else None
        if stored is not None and stored.awaits_delivery and self.receivers.get(stored.user) is not None:
            with self.context.store.transaction():
                self._hand_over(self.context.requests.get(moved.name))
        for event in waiters:
            event.set()

    # The end

    async def outcome(self, user: User, request: RequestId, *, travel: Travel | None = None, wait_s: float | None = None) -> Outcome:
        """Wait until the request has an end, at most until its deadline, and tell it. Raises NotAvailable for an unknown request."""
        name = str(request)
        travel = travel or Travel(self.context.clock)
        try:
            stored, in_time = await self._while(name, lambda one: one.state is RequestState.SENT or one.awaits_delivery, wait_s)
        except asyncio.CancelledError:
            if not self._closed and self.context.requests.get(name).state is RequestState.SENT:
                self.watch(name)  # who asked waits no longer, and is told all the same
            raise
        if in_time:
            return self._ended(user, stored, travel)
        if stored.state is not RequestState.SENT:
            return self._not_taken(stored, travel)
        return self._unanswered(stored, travel) or self._ended(user, self.context.requests.get(name), travel)

    async def settle(self, name: str) -> None:
        """Wait until the Device's answer is here, its user being there or not; at the deadline the user is told that there is none."""
        stored, in_time = await self._while(name, lambda one: one.state is RequestState.SENT, None)
        if not in_time:
            self._unanswered(stored, Travel(self.context.clock))

    def watch(self, name: str) -> None:
        """As :meth:`settle`, while something else goes on; of several processes the one that leads does it."""
        if not self.context.store.leads:
            self.context.store.tell(f"watch {name}")
            return
        if name in self._watched:
            return
        self._watched.add(name)
        task = supervised(
            outliving(lambda: self.settle(name), f"the deadline of {name}", self.context.clock, self.context.trace),
            f"the deadline of {name}",
            self.context.trace,
            area="dcc",
        )
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)
        task.add_done_callback(lambda _: self._watched.discard(name))

    def resume(self) -> None:
        """After a restart: the deadlines of what is at the hubs are watched again."""
        for stored in self.context.requests.in_state(*(state for state, standing in STANDING.items() if standing.resume is Resume.WATCH)):
            self.watch(stored.name)

    async def close(self) -> None:
        """Stop watching; what is open stays in the store."""
        self._closed = True
        watches = tuple(self._watches)
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    async def _while(self, name: str, open_: Callable[[StoredRequest], bool], wait_s: float | None) -> tuple[StoredRequest, bool]:
        """Wait while the request is open, at most until its deadline: the request, and whether it came to its end in time."""
        event = asyncio.Event()
        waiters = self._waiters.setdefault(name, set())
        waiters.add(event)
        try:
            while open_(stored := self.context.requests.get(name)):
                deadline = stored.deadline if wait_s is None else (stored.sent or 0.0) + wait_s
                event.clear()
                try:
                    async with asyncio.timeout(max(0.0, (deadline or 0.0) - self.context.clock.now())):
                        await event.wait()
                except TimeoutError:
                    if open_(stored := self.context.requests.get(name)):
                        return stored, False
        finally:
            waiters.discard(event)
            if not waiters:
                self._waiters.pop(name, None)
        return stored, True

    def waited_for(self) -> frozenset[str]:
        """The requests of which somebody waits for a step."""
        return frozenset(self._waiters)

    def _unanswered(self, stored: StoredRequest, travel: Travel) -> Outcome | None:
        """None where another process took the Response at the last moment."""
        travel.leg("SM WAN, hub and Device")
        with self.context.store.transaction():
            if self.context.requests.state(stored.name) is not RequestState.SENT:
                return None
            alert, refusal = self._why_unanswered(stored)
            self._follow(self.context.requests.move(stored.name, RequestEvent.TIME_OUT), stored.name, alert)
        self.context.trace.emit(
            "dcc",
            "responses",
            "refused",
            message=stored.command_id,
            request=stored.name,
            code=refusal.code,
            reason=refusal.value,
            refusal=refusal.name,
        )
        return self._stopped(stored, travel, refusal)

    def _why_unanswered(self, stored: StoredRequest) -> tuple[str, Refusal]:
        """The alert and the refusal; a Command that the hub cannot have is taken back."""
        waited = f"{self.context.clock.now() - (stored.sent or 0.0):g}"
        if stored.chf is not None and stored.sequence is not None and self.outbox.undelivered(stored.chf, stored.sequence):
            withdrawn = self.outbox.withdraw(stored.chf, stored.sequence)
            fate = "withdrawn" if withdrawn else "under way, and may still reach the Device"
            return "N12", refused("wan-undelivered", waited=waited, hub=stored.chf, fate=fate)
        return "N13", refused("device-silent", waited=waited, target=stored.target)

    def _not_taken(self, stored: StoredRequest, travel: Travel) -> Outcome:
        """The Response is here and waits for its user's receiving service."""
        travel.leg("SM WAN, hub and Device")
        return self._stopped(stored, travel, refused("receiver-away", user=stored.user))

    def _stopped(self, stored: StoredRequest, travel: Travel, refusal: Refusal) -> Outcome:
        now, why = self.context.clock.now(), refusal.value
        return self._outcome(Verdict.NO_ANSWER, stored, travel, refusal.code, refusal.hop, why, refusal=refusal, finished=now)

    def _ended(self, user: User, stored: StoredRequest, travel: Travel) -> Outcome:
        travel.leg("SM WAN, hub and Device")
        match stored.state:
            case RequestState.RETURNED:
                owed = "is owed" if schedule()[stored.variant].reference in EFFECTS else "may be returned"  # as `chub dcc owed` has it
                why = f"the Command was returned for local delivery; its Response {owed} (8.13)"
                return self._outcome(Verdict.RETURNED, stored, travel, "I0", "gateway", why)
            case RequestState.QUARANTINED:
                return self._outcome(Verdict.QUARANTINED, stored, travel, None, "gateway", "its Response is in quarantine [136]")
            case RequestState.RESPONDED | RequestState.LATE:
                return self._read(user, stored, travel)
            case state:
                return self._outcome(Verdict.REFUSED, stored, travel, None, "gateway", f"the request is {state}")

    def _read(self, user: User, stored: StoredRequest, travel: Travel) -> Outcome:
        octets = stored.response or b""
        travel.messages.append(LegMessage("g", "response", octets))
        parsed: Parsed | None = None
        try:
            parsed = user.read(octets)
        except CommsHubError as error:
            refusal = refused("user-cannot-read", problem=error)
            return self._outcome(Verdict.FAILED, stored, travel, "I0", "user", str(error), refusal=refusal)
        travel.leg("user verifies and parses")
        message = message_of(octets)
        verdict = judge(message)
        self.context.trace.emit(
            "dcc",
            f"user {user.eui64}",
            "parsed",
            message=str(message.header.identifier),
            done=verdict.done,
            text=verdict.text,
        )
        return self._outcome(
            Verdict.SUCCESS if verdict.done else Verdict.FAILED,
            stored,
            travel,
            "I0",
            "user" if verdict.done else "Device",
            verdict.text,
            parsed=parsed,
        )

    def _outcome(
        self,
        verdict: Verdict,
        stored: StoredRequest,
        travel: Travel,
        code: str | None,
        hop: str,
        reason: str,
        *,
        parsed: Parsed | None = None,
        refusal: Refusal | None = None,
        finished: float | None = None,
    ) -> Outcome:
        service = schedule()[stored.variant]
        finished = finished or stored.delivered or self.context.clock.now()
        dated = stored.execute_at is not None
        target = service.future_dated_s if dated else service.on_demand_s or service.future_dated_s
        if dated and self.runs.of_run(stored.name) is not None:
            target = self.context.profile.scheduled_target_s
        timed = verdict in (Verdict.SUCCESS, Verdict.FAILED, Verdict.NO_ANSWER)
        # Two passes of a critical request: the user's own thinking time is left out (RT-07).
        within = finished - stored.received - stored.thinking <= target if timed and target is not None else None
        return Outcome(
            verdict,
            stored.name,
            stored.variant,
            code,
            hop,
            reason,
            parsed,
            refusal,
            tuple(travel.messages),
            travel.legs,
            stored.received,
            finished,
            target,
            within,
            self._drawn(stored) if verdict is Verdict.SUCCESS else {},
        )


@dataclass(frozen=True, slots=True)
class HubReceiver:
    """Listens to what the head end tells of its hubs."""

    context: GatewayContext
    bus: Bus
    alerts: Alerts
    answers: Answers
    responses: Responses

    def __post_init__(self) -> None:
        self.bus.on(HubGreeted, self.greeted)
        self.bus.on(HubMessage, self.message)

    def greeted(self, told: HubGreeted) -> None:
        """A hub has connected: the one event that makes it Commissioned."""
        hello = told.hello
        with self.context.store.transaction():
            HubContacts(self.context.store).greeted(hello.chf, hello.gpf, hello.boot_count, self.context.clock.now())
            self.alerts.restored(hello.chf, "the hub is connected again")
            if self.context.inventory.device(hello.chf) is None:
                why = "an unlisted hub connected: pre-notify it (12.2)"
                self.context.trace.emit("dcc", "inventory", "refused", target=str(hello.chf), reason=why)
                return
            if self.context.inventory.may_move(hello.chf, "first SM WAN contact"):
                self.context.inventory.move(hello.chf, "first SM WAN contact", reason="the hub connected to the SM WAN [170, 185]")
            # A hub proves who it is, and not whose its Gas Proxy Function is: that of another hub it does not get.
            if self.context.inventory.device(hello.gpf) is not None and self.context.inventory.hub_of(hello.gpf) in (None, hello.chf):
                self.context.inventory.associate(hello.gpf, "chf", hello.chf)
                if self.context.inventory.may_move(hello.gpf, "hub connected"):
                    self.context.inventory.move(hello.gpf, "hub connected", reason=f"its hub {hello.chf} connected [fn17]")

    def message(self, told: HubMessage) -> None:
        """One GBCS message from a hub; nothing it holds may stop the channel, so what cannot be used becomes a stray."""
        chf, octets = told.chf, told.octets
        try:
            message = message_of(octets)
        except DecodeError as error:
            self.responses.stray(chf, StrayKind.UNREADABLE, None, octets, str(error))
            return
        self.context.trace.emit("wan", f"chf {chf}", "received", target="dcc", message=str(message.header.identifier), data=octets)
        match message.header.cra:
            case CraFlag.RESPONSE:
                self.answers.take(chf, message, octets)
            case CraFlag.ALERT:
                self.alerts.take(chf, message, octets, told.notified)
            case CraFlag.COMMAND:
                self.responses.stray(chf, StrayKind.COMMAND, message, octets, "a hub sends no Commands to the DCC")
