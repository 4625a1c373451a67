"""Requests that wait for another: one names the request that has to succeed before it runs (sec2-rules SEQ-01 to SEQ-03 [126, 127]).

A request whose predecessor has failed, or has no end within the hold limit, is refused; so is one that would close a circle.

Requests the DCC defers: until their predecessor has succeeded (:mod:`hil.dcc.gateway.sequence`), then until their execution time, for
services that are future dated by the DCC and not by the Device (RT-02 [128, 404]).

The clock of a deferred request starts when it is released, and rights, status and registration are asked again then, since they
may have changed (CK-12). Deferred requests outlive the DCC: :meth:`DeferredRequests.resume` takes them up in the next one. A user may
cancel what is deferred for it (summary of H3.23-27; how: choice).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from firmware_emu.clock import EPOCH
from firmware_emu.errors import NotAvailable, fault_named
from firmware_emu.gbcs.envelope import message_of
from firmware_emu.ids import Eui64
from firmware_emu.sqlite_file import Value
from firmware_emu.supervised import supervised, tell_fault
from hil.dcc.base.refusals import refused
from hil.dcc.base.requests import (
    ANSWERED,
    DEFERRABLE,
    FAILED,
    STANDING,
    MovedElsewhere,
    RequestEvent,
    RequestMoved,
    RequestState,
    Resume,
    StoredRequest,
)
from hil.dcc.base.results import Refusal, judge
from hil.dcc.base.store import Bus, outliving
from hil.dcc.duis import ServiceRequest, read_request
from hil.dcc.duis.request import CANCELLATION, Node
from hil.dcc.gateway import arrival as checks
from hil.dcc.gateway.arrival import Arrival, GatewayContext, service_of


@dataclass
class Sequence:
    """Requests that wait for others; every step of a request is a reason to look again."""

    context: GatewayContext
    bus: Bus
    _ends: dict[str, asyncio.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bus.on(RequestMoved, self._moved)
        self.bus.on(MovedElsewhere, self._moved)

    def problem(self, request: ServiceRequest) -> Refusal | None:
        """Why the predecessor that the request names cannot be one."""
        preceding = request.preceding
        if preceding is None:
            return None
        problem = None
        if preceding == request.request_id:
            problem = "it is this request itself"
        elif preceding.originator != request.request_id.originator:
            problem = f"it is a request of {preceding.originator}"
        elif str(request.request_id) in self._chain(str(preceding)):
            problem = "it waits for this request: neither would ever run"
        return None if problem is None else refused("ck1-own-preceding", preceding=preceding, problem=problem)

    def _chain(self, name: str) -> list[str]:
        """``name`` and what it waits for, on and on."""
        found = [name]
        while (stored := self.context.requests.find(found[-1])) is not None:
            preceding = read_request(stored.xml).preceding if stored.state is RequestState.WAITING else None
            if preceding is None or str(preceding) in found:
                break
            found.append(str(preceding))
        return found

    def succeeded(self, name: str) -> tuple[bool | None, str]:
        """Success of the request of this name (None: no end yet), and its state in a word."""
        stored = self.context.requests.find(name)
        if stored is None:
            return None, "never received"
        if stored.state in FAILED:
            return False, stored.state
        if stored.state is RequestState.EXECUTED:
            return True, stored.state
        if stored.state in ANSWERED and stored.delivered is not None and stored.response is not None:
            verdict = judge(message_of(stored.response))
            return verdict.done, verdict.text
        return None, stored.state

    async def wait(self, arrival: Arrival) -> Refusal | None:
        """Wait until the predecessor of an accepted request has succeeded. Returns why the request may not run; the caller refuses it."""
        preceding, limit = arrival.request.preceding, self.context.profile.sequence_hold_s
        if preceding is None:
            return None
        name, before = arrival.name, str(preceding)
        began = self.context.clock.now()
        if (refusal := unless_cancelled(self.context, name, RequestEvent.AWAIT_PREDECESSOR)) is not None:
            return refusal
        self.context.trace.emit("dcc", "gateway", "held", target=str(arrival.sender), message=name, until=before)
        while (verdict := self.succeeded(before))[0] is None:
            left = began + limit - self.context.clock.now()
            if self.context.requests.state(name) is RequestState.CANCELLED:
                return refused("cancelled", request=name)
            if left <= 0:
                return refused("sequence-timed-out", preceding=before, waited=f"{limit:g}", state=verdict[1])
            await self.moved(left, name, before)
        done, state = verdict
        if not done:
            stored = self.context.requests.find(before)
            service = before if stored is None else stored.variant
            return refused("sequence-failed", preceding=before, state=state, preceding_service=service)
        if (refusal := unless_cancelled(self.context, name, RequestEvent.PREDECESSOR_SUCCEEDED)) is not None:
            return refusal
        self.context.trace.emit("dcc", "gateway", "released", target=str(arrival.sender), message=name, after=before)
        return None

    async def moved(self, timeout: float, *names: str) -> None:
        """Wait until one of the requests has taken a step, at most so many seconds."""
        waits = {asyncio.create_task(self._event(name).wait()) for name in names}
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()

    def waited_for(self) -> frozenset[str]:
        """The requests of which somebody waits for a step."""
        return frozenset(self._ends)

    def _event(self, name: str) -> asyncio.Event:
        return self._ends.setdefault(name, asyncio.Event())

    def _moved(self, moved: RequestMoved | MovedElsewhere) -> None:
        if (event := self._ends.pop(moved.name, None)) is not None:
            event.set()


def unless_cancelled(context: GatewayContext, name: str, event: RequestEvent, **columns: Value) -> Refusal | None:
    """Take the step, unless the request was cancelled, by another process perhaps, since its state was read."""
    with context.store.transaction():
        if context.requests.state(name) is RequestState.CANCELLED:
            return refused("cancelled", request=name)
        context.requests.move(name, event, **columns)
    return None


_LAPSING = tuple(state for state, standing in STANDING.items() if standing.resume is Resume.LAPSE)
_GOING = frozenset(state for state, standing in STANDING.items() if standing.resume is Resume.GO_ON)
_AGAIN = (checks.user, checks.device_status, checks.registration)
GoOn = Callable[[Arrival], Refusal | None]
"""Takes a request further when nobody waits for its outcome; returns why it went no further. Called inside a transaction, with which its
user is told as well."""
Refused = Callable[[StoredRequest, Refusal], None]
"""Told, inside the transaction of its end, of a request that was acknowledged and goes no further after all."""


@dataclass
class DeferredRequests:
    """Requests that wait for a time or for another request."""

    context: GatewayContext
    sequence: Sequence
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _in_hand: set[str] = field(default_factory=set)
    _cancelled: dict[str, asyncio.Event] = field(default_factory=dict)
    _awaited: set[str] = field(default_factory=set)
    """Requests whose sender waits here for their end, and so needs not be told of it."""

    def due(self, arrival: Arrival) -> float | None:
        """When the request is to be executed, seconds since 2000, if the DCC defers it; None if it goes on now."""
        body = Node(arrival.request.body)
        if arrival.service.future_dated != {"dcc"} or not body.has("ExecutionDateTime"):
            return None
        moment = (body.moment("ExecutionDateTime") - EPOCH).total_seconds()
        return moment if moment > self.context.clock.now() else None

    def cancels(self, arrival: Arrival) -> bool:
        """True if the request says "never": it cancels what the DCC defers of the same service for the same Device."""
        body = Node(arrival.request.body)
        if arrival.service.future_dated != {"dcc"} or not body.has("ExecutionDateTime"):
            return False
        return body.moment("ExecutionDateTime") == CANCELLATION

    def waits(self, arrival: Arrival) -> bool:
        """True if the request is to wait, for another one or for its execution time."""
        return arrival.request.preceding is not None or self.due(arrival) is not None

    async def wait(self, arrival: Arrival) -> Refusal | None:
        """Wait as long as the request asks for. Returns what came in its way; written is that by :meth:`released`."""
        self._awaited.add(arrival.name)
        try:
            return await self._wait(arrival)
        finally:
            self._awaited.discard(arrival.name)

    async def _wait(self, arrival: Arrival) -> Refusal | None:
        waits = arrival.request.preceding is not None and self.context.requests.state(arrival.name) is not RequestState.DEFERRED
        if waits and (refusal := await self.sequence.wait(arrival)) is not None:
            return refusal
        due = self.due(arrival)
        return None if due is None else await self._until(arrival, due)

    def released(self, arrival: Arrival, stopped: Refusal | None) -> Refusal | None:
        """The end of a wait, inside the transaction in which the request goes on: what the checks read there, no other process changes
        before its Command is posted. ``stopped`` is what came in its way. Returns why it may not go on; that is written then."""
        if self.context.requests.state(arrival.name) is RequestState.CANCELLED:
            return refused("cancelled", request=arrival.name)
        fresh = replace(arrival, device=self.context.inventory.device(arrival.request.request_id.target))
        refusal = stopped or next((found for check in _AGAIN if (found := check(self.context, fresh)) is not None), None)
        self.context.requests.move(arrival.name, RequestEvent.RELEASE if refusal is None else RequestEvent.REFUSE)
        return refusal

    async def _until(self, arrival: Arrival, due: float) -> Refusal | None:
        name = arrival.name
        if (refusal := unless_cancelled(self.context, name, RequestEvent.DEFER, execute_at=due)) is not None:
            return refusal
        self.context.trace.emit("dcc", "gateway", "held", target=str(arrival.sender), message=name, until=due)
        cancelled = self._cancelled.setdefault(name, asyncio.Event())
        try:
            async with asyncio.timeout(max(0.0, due - self.context.clock.now())):
                await cancelled.wait()
        except TimeoutError:
            pass
        finally:
            self._cancelled.pop(name, None)
        return None

    def cancel(
        self, user: Eui64, tell: Refused, *, request: str | None = None, target: Eui64 | None = None, variant: str | None = None
    ) -> list[str]:
        """Cancel what is deferred for ``user``: one request by name, or all of a service for a Device. ``tell`` of each that nobody waits
        for here, whichever process defers it. Returns their names."""
        with self.context.store.transaction():
            found = self.context.requests.cancellable(user, name=request, target=target, variant=variant)
            for one in found:
                self.context.requests.move(one.name, RequestEvent.CANCEL)
                if one.name not in self._awaited:
                    tell(one, refused("cancelled", request=one.name))
        for one in found:
            self.context.trace.emit("dcc", "gateway", "cancelled", target=str(user), message=one.name)
            if (event := self._cancelled.get(one.name)) is not None:
                event.set()
        return [one.name for one in found]

    def resume(self, go_on: GoOn, tell: Refused) -> None:
        """After a restart: defer again what was deferred, and go on with what was under way. Answers go to the users as they come, and so
        do refusals."""
        for stored in self.context.requests.in_state(*_GOING):
            self.take_up(stored.name, go_on, tell)
        for stored in self.context.requests.in_state(*_LAPSING):
            self.lapse(stored.name, tell)

    def take_up(self, name: str, go_on: GoOn, tell: Refused) -> None:
        """Defer the request as long as it asks for, then go on with it; nobody waits for it meanwhile. A full store is waited out.
        Of several processes the one that leads does it."""
        self._start(f"deferred {name}", f"the deferred request {name}", lambda: self._carry(name, go_on, tell))

    def lapse(self, name: str, tell: Refused) -> None:
        """Watch the time that a user has for its pre-command; ``tell`` when that is over. As :meth:`take_up`, the leader does it."""
        self._start(f"lapse {name}", f"the pre-command of {name}", lambda: self._lapse(name, tell))

    def _start(self, told: str, what: str, work: Callable[[], Awaitable[None]]) -> None:
        if not self.context.store.leads:
            self.context.store.tell(told)
            return
        if told in self._in_hand:
            return
        self._in_hand.add(told)
        task = supervised(outliving(work, what, self.context.clock, self.context.trace), what, self.context.trace, area="dcc")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._in_hand.discard(told))

    async def _lapse(self, name: str, tell: Refused) -> None:
        open_s = self.context.profile.pre_command_open_s
        while (stored := self.context.requests.get(name)).state in _LAPSING:
            waited = self.context.clock.now() - (stored.pre_command_at or 0.0)
            if waited < open_s:
                await self.sequence.moved(open_s - waited, name)
                continue
            refusal = refused("ck8-pre-command-late", request=name, open_s=f"{open_s:g}", waited=f"{waited:.0f}")
            with self.context.store.transaction():
                if self.context.requests.state(name) not in _LAPSING:
                    return  # another process has taken it signed since it was read
                self.context.requests.move(name, RequestEvent.REFUSE)
                tell(stored, refusal)
            self._emit(stored, refusal)

    async def _carry(self, name: str, go_on: GoOn, tell: Refused) -> None:
        stored = self.context.requests.get(name)
        try:
            if stored.state in _GOING:
                await self._taken_up(stored, go_on, tell)
        except NotAvailable:
            raise  # the store itself
        except Exception as fault:  # at this request: set aside, or it would come again at each start
            tell_fault(f"the deferred request {name} was set aside", fault, self.context.trace, "dcc", None)
            state = self.context.requests.state(name)
            if state is not None and STANDING[state].resume is Resume.GO_ON:
                with self.context.store.transaction():
                    self.context.requests.move(name, RequestEvent.REFUSE)
                    tell(stored, refused("set-aside", request=name, fault=fault_named(fault)))

    async def _taken_up(self, stored: StoredRequest, go_on: GoOn, tell: Refused) -> None:
        request = read_request(stored.xml)
        service = service_of(request)
        if service is None:
            return
        arrival = Arrival(request, service, self.context.inventory.device(request.request_id.target))
        # What was accepted and no more goes on as if nothing had been.
        waits = not self.cancels(arrival) and (stored.state in DEFERRABLE or self.waits(arrival))
        stopped = await self._wait(arrival) if waits else None
        with self.context.store.transaction():  # its end, and that its user is told of it
            if self.context.requests.state(stored.name) is RequestState.CANCELLED:
                return  # its user was told then
            refusal = (self.released(arrival, stopped) if waits else None) or go_on(arrival)
            if refusal is not None:
                tell(stored, refusal)
        if refusal is not None:
            self._emit(stored, refusal)

    def _emit(self, stored: StoredRequest, refusal: Refusal) -> None:
        self.context.trace.emit(
            "dcc", "gateway", "refused", target=str(stored.user), message=stored.name, value=str(refusal), refusal=refusal.name
        )

    async def close(self) -> None:
        """Stop waiting; deferred requests stay in the store."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
