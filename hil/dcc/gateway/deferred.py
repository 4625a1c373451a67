"""Requests the DCC holds: until their predecessor has succeeded (:mod:`hil.dcc.gateway.sequence`), then until their execution time, for
services that are future dated by the DCC and not by the Device (RT-02 [128, 404]).

The clock of a held request starts when it is released, and rights, status and registration are asked again then, since they
may have changed (CK-12). Held requests outlive the DCC: :meth:`HeldRequests.resume` takes them up in the next one. A user may
cancel what is held for it (summary of H3.23-27; how: choice).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc.base.outcome import Refusal
from hil.dcc.base.refusals import refused
from hil.dcc.duis import read_request
from hil.dcc.duis.node import CANCELLATION, Node
from hil.dcc.gateway import checks
from hil.dcc.gateway.context import Arrival, GatewayContext, service_of
from hil.dcc.gateway.sequence import WAITING, Sequence

_AGAIN = (checks.user, checks.device_status, checks.registration)
HELD = "held"
"""The state of a request that waits for its execution time."""


@dataclass
class HeldRequests:
    """``go_on`` takes a released request further when nobody waits for its outcome (after a restart)."""

    context: GatewayContext
    sequence: Sequence
    clock: Clock
    trace: Trace
    go_on: Callable[[Arrival], Awaitable[Refusal | None]]
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _cancelled: dict[str, asyncio.Event] = field(default_factory=dict)

    def due(self, arrival: Arrival) -> float | None:
        """When the request is to be executed, seconds since 2000, if the DCC holds it; None if it goes on now."""
        body = Node(arrival.request.body)
        if arrival.service.future_dated != {"dcc"} or not body.has("ExecutionDateTime"):
            return None
        moment = (body.moment("ExecutionDateTime") - EPOCH).total_seconds()
        return moment if moment > self.clock.now() else None

    def cancels(self, arrival: Arrival) -> bool:
        """Whether the request says "never": it cancels what the DCC holds of the same service for the same Device."""
        body = Node(arrival.request.body)
        if arrival.service.future_dated != {"dcc"} or not body.has("ExecutionDateTime"):
            return False
        return body.moment("ExecutionDateTime") == CANCELLATION

    async def wait(self, arrival: Arrival, *, resumed: bool = False) -> Refusal | None:
        """Hold the request as long as it asks for (``resumed``: it was held before). Returns why it may not run after all."""
        if arrival.request.preceding is not None and (refusal := await self.sequence.wait(arrival)) is not None:
            return refusal
        due = self.due(arrival)
        if due is not None and (refusal := await self._until(arrival, due)) is not None:
            return refusal
        return self._ask_again(arrival) if resumed or due is not None or arrival.request.preceding is not None else None

    async def _until(self, arrival: Arrival, due: float) -> Refusal | None:
        name = str(arrival.request.request_id)
        self.context.store.execute("UPDATE requests SET state = ?, execute_at = ? WHERE request = ?", (HELD, due, name))
        self.trace.emit("dcc", "gateway", "held", target=str(arrival.sender), message=name, until=due)
        cancelled = self._cancelled.setdefault(name, asyncio.Event())
        try:
            async with asyncio.timeout(max(0.0, due - self.clock.now())):
                await cancelled.wait()
        except TimeoutError:
            return None
        finally:
            self._cancelled.pop(name, None)
        return refused("cancelled", request=name)

    def _ask_again(self, arrival: Arrival) -> Refusal | None:
        name = str(arrival.request.request_id)
        fresh = replace(arrival, device=self.context.inventory.device(arrival.request.request_id.target))
        refusal = next((found for check in _AGAIN if (found := check(self.context, fresh)) is not None), None)
        state = "accepted" if refusal is None else "refused"
        self.context.store.execute("UPDATE requests SET state = ?, received = ? WHERE request = ?", (state, self.clock.now(), name))
        return refusal

    def cancel(self, user: Eui64, *, request: str | None = None, target: Eui64 | None = None, variant: str | None = None) -> list[str]:
        """Cancel what is held for ``user``: one request by name, or all of a service for a Device. Returns their names."""
        rows = self.context.store.rows(
            "SELECT request FROM requests WHERE user = ? AND state IN (?, ?) AND (request = ? OR (target = ? AND variant = ?))",
            (str(user), HELD, WAITING, request, str(target), variant),
        )
        names = [str(row["request"]) for row in rows]
        for name in names:
            self.context.store.execute("UPDATE requests SET state = 'cancelled' WHERE request = ?", (name,))
            self.trace.emit("dcc", "gateway", "cancelled", target=str(user), message=name)
            if (event := self._cancelled.get(name)) is not None:
                event.set()
            self.sequence.ended(name)
        return names

    def resume(self) -> None:
        """After a restart: hold again what was held. The answers are delivered to the users as they come."""
        for row in self.context.store.rows("SELECT * FROM requests WHERE state IN (?, ?)", (HELD, WAITING)):
            request = read_request(row["xml"])
            service = service_of(request)
            if service is not None:
                arrival = Arrival(request, service, self.context.inventory.device(request.request_id.target))
                task = asyncio.create_task(self._go_on(arrival), name=f"held {row['request']}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _go_on(self, arrival: Arrival) -> None:
        name = str(arrival.request.request_id)
        refusal = await self.wait(arrival, resumed=True) or await self.go_on(arrival)
        if refusal is not None:
            self.trace.emit("dcc", "gateway", "refused", target=str(arrival.sender), message=name, value=str(refusal))
            self.sequence.ended(name)

    async def close(self) -> None:
        """Stop waiting; held requests stay in the store."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
