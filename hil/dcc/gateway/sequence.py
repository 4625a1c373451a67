"""Requests that wait for another: one names the request that has to succeed before it runs (sec2-rules SEQ-01 to SEQ-03 [126, 127]).

A request whose predecessor has failed, or has no end within the hold limit, is refused; so is one that would close a circle.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from firmware_emu.gbcs.envelope import Message
from hil.dcc.base.bus import Bus
from hil.dcc.base.outcome import Refusal
from hil.dcc.base.refusals import refused
from hil.dcc.base.requests import ANSWERED, FAILED, RequestEvent, RequestMoved, RequestState
from hil.dcc.base.results import judge
from hil.dcc.duis import ServiceRequest, read_request
from hil.dcc.gateway.context import Arrival, GatewayContext


@dataclass
class Sequence:
    """Requests that wait for others; every step of a request is a reason to look again."""

    context: GatewayContext
    bus: Bus
    _ends: dict[str, asyncio.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bus.on(RequestMoved, self._moved)

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
            verdict = judge(Message.decode(stored.response))
            return verdict.done, verdict.text
        return None, stored.state

    async def wait(self, arrival: Arrival) -> Refusal | None:
        """Wait until the predecessor of an accepted request has succeeded. Returns why the request may not run."""
        preceding, limit = arrival.request.preceding, self.context.profile.sequence_hold_s
        if preceding is None:
            return None
        name, before = arrival.name, str(preceding)
        began = self.context.clock.now()
        self.context.requests.move(name, RequestEvent.AWAIT_PREDECESSOR)
        self.context.trace.emit("dcc", "gateway", "held", target=str(arrival.sender), message=name, until=before)
        while (verdict := self.succeeded(before))[0] is None:
            left = began + limit - self.context.clock.now()
            if self.context.requests.state(name) is RequestState.CANCELLED:
                return refused("cancelled", request=name)
            if left <= 0:
                return self._refuse(name, refused("sequence-timed-out", preceding=before, waited=f"{limit:g}", state=verdict[1]))
            await self._first(self._event(name), self._event(before), left)
        done, state = verdict
        if not done:
            stored = self.context.requests.find(before)
            service = before if stored is None else stored.variant
            return self._refuse(name, refused("sequence-failed", preceding=before, state=state, preceding_service=service))
        self.context.requests.move(name, RequestEvent.PREDECESSOR_SUCCEEDED)
        self.context.trace.emit("dcc", "gateway", "released", target=str(arrival.sender), message=name, after=before)
        return None

    async def _first(self, own: asyncio.Event, theirs: asyncio.Event, timeout: float) -> None:
        waits = {asyncio.create_task(own.wait()), asyncio.create_task(theirs.wait())}
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()

    def _refuse(self, name: str, refusal: Refusal) -> Refusal:
        self.context.requests.move(name, RequestEvent.REFUSE)
        return refusal

    def _event(self, name: str) -> asyncio.Event:
        return self._ends.setdefault(name, asyncio.Event())

    def _moved(self, moved: RequestMoved) -> None:
        if (event := self._ends.pop(moved.name, None)) is not None:
            event.set()
