"""Requests that wait for another: one names the request that has to succeed before it runs (sec2-rules SEQ-01 to SEQ-03 [126, 127]).

A request whose predecessor has failed, or has no end within the hold limit, is refused; so is one that would close a circle.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from firmware_emu.gbcs.envelope import Message
from firmware_emu.trace import Trace
from hil.dcc.base.outcome import Refusal
from hil.dcc.base.refusals import refused
from hil.dcc.base.results import judge
from hil.dcc.duis import ServiceRequest, read_request
from hil.dcc.gateway.context import Arrival, GatewayContext

WAITING = "waiting"
"""The state of a request that waits for its predecessor."""
_FAILED = frozenset({"refused", "unanswered", "cancelled", "discarded"})


@dataclass
class Sequence:
    """Who waits for whom. ``ended`` is told of every request that has an end."""

    context: GatewayContext
    trace: Trace
    _ends: dict[str, asyncio.Event] = field(default_factory=dict)

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
        while (row := self.context.store.row("SELECT state, xml FROM requests WHERE request = ?", (found[-1],))) is not None:
            preceding = read_request(row["xml"]).preceding if row["state"] == WAITING else None
            if preceding is None or str(preceding) in found:
                break
            found.append(str(preceding))
        return found

    def succeeded(self, name: str) -> tuple[bool | None, str]:
        """Whether the request of this name succeeded (None: no end yet), and its state in a word."""
        row = self.context.store.row("SELECT state, response, delivered FROM requests WHERE request = ?", (name,))
        if row is None:
            return None, "never received"
        state = str(row["state"])
        if state in _FAILED:
            return False, state
        if state == "executed":
            return True, state
        if state in ("responded", "late") and row["delivered"] is not None:
            verdict = judge(Message.decode(row["response"]))
            return verdict.done, verdict.text
        return None, state

    async def wait(self, arrival: Arrival) -> Refusal | None:
        """Wait until the predecessor of an accepted request has succeeded. Returns why the request may not run."""
        preceding, limit = arrival.request.preceding, self.context.profile.sequence_hold_s
        if preceding is None:
            return None
        name, before = str(arrival.request.request_id), str(preceding)
        began = self.context.clock.now()
        self.context.store.execute("UPDATE requests SET state = ? WHERE request = ?", (WAITING, name))
        self.trace.emit("dcc", "gateway", "held", target=str(arrival.sender), message=name, until=before)
        while (verdict := self.succeeded(before))[0] is None:
            left = began + limit - self.context.clock.now()
            if self.context.store.row("SELECT 1 FROM requests WHERE request = ? AND state = 'cancelled'", (name,)) is not None:
                return refused("cancelled", request=name)
            if left <= 0:
                return self._refuse(name, refused("sequence-timed-out", preceding=before, waited=f"{limit:g}", state=verdict[1]))
            await self._first(self._event(name), self._event(before), left)
        done, state = verdict
        if not done:
            row = self.context.store.row("SELECT variant FROM requests WHERE request = ?", (before,))
            service = before if row is None else row["variant"]
            return self._refuse(name, refused("sequence-failed", preceding=before, state=state, preceding_service=service))
        self.context.store.execute("UPDATE requests SET state = 'accepted' WHERE request = ?", (name,))
        self.trace.emit("dcc", "gateway", "released", target=str(arrival.sender), message=name, after=before)
        return None

    async def _first(self, own: asyncio.Event, theirs: asyncio.Event, timeout: float) -> None:
        waits = {asyncio.create_task(own.wait()), asyncio.create_task(theirs.wait())}
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()

    def _refuse(self, name: str, refusal: Refusal) -> Refusal:
        self.context.store.execute("UPDATE requests SET state = 'refused' WHERE request = ?", (name,))
        return refusal

    def _event(self, name: str) -> asyncio.Event:
        return self._ends.setdefault(name, asyncio.Event())

    def ended(self, name: str) -> None:
        """The request of this name has an end, or was cancelled: who waits for it looks again."""
        if (event := self._ends.pop(name, None)) is not None:
            event.set()
