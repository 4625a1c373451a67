"""Requests the DCC holds until their execution time (RT-02 [128, 404]): services that are future dated by the DCC and not by the Device.

The clock of a held request starts at its execution time, and rights, status and registration are asked again then, since they
may have changed (CK-12). Held requests outlive the DCC: :meth:`HeldRequests.resume` takes them up in the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc import checks
from hil.dcc.arrival import Arrival, Desk, service_of
from hil.dcc.duis import read_request
from hil.dcc.duis.node import Node
from hil.dcc.journey import Journey, Travel
from hil.dcc.outcome import Refusal
from hil.dcc.users import User

_AGAIN = (checks.user, checks.device_status, checks.registration)


@dataclass
class HeldRequests:
    """``users`` are those whose receiving service is there now."""

    desk: Desk
    journey: Journey
    clock: Clock
    trace: Trace
    users: Mapping[Eui64, User]
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def due(self, arrival: Arrival) -> float | None:
        """When the request is to be executed, seconds since 2000, if the DCC holds it; None if it goes on now."""
        body = Node(arrival.request.body)
        if arrival.service.future_dated != {"dcc"} or not body.has("ExecutionDateTime"):
            return None
        moment = (body.moment("ExecutionDateTime") - EPOCH).total_seconds()
        return moment if moment > self.clock.now() else None

    async def hold(self, arrival: Arrival, due: float) -> Refusal | None:
        """Wait until ``due``, then ask again what may have changed."""
        name = str(arrival.request.request_id)
        self.desk.store.execute("UPDATE requests SET state = 'held', execute_at = ? WHERE request = ?", (due, name))
        self.trace.emit("dcc", "gateway", "held", target=str(arrival.sender), message=name, until=due)
        await self.clock.sleep(max(0.0, due - self.clock.now()))
        fresh = Arrival(arrival.request, arrival.service, self.desk.inventory.device(arrival.request.request_id.target))
        refusal = next((found for check in _AGAIN if (found := check(self.desk, fresh)) is not None), None)
        state = "accepted" if refusal is None else "refused"
        self.desk.store.execute("UPDATE requests SET state = ?, received = ? WHERE request = ?", (state, self.clock.now(), name))
        return refusal

    def resume(self) -> None:
        """After a restart: hold again what was held. The answers are delivered to the users as they come."""
        for row in self.desk.store.rows("SELECT * FROM requests WHERE state = 'held'"):
            request = read_request(row["xml"])
            service = service_of(request)
            if service is not None:
                arrival = Arrival(request, service, self.desk.inventory.device(request.request_id.target))
                task = asyncio.create_task(self._go_on(arrival, row["execute_at"]), name=f"held {row['request']}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _go_on(self, arrival: Arrival, due: float) -> None:
        refusal = await self.hold(arrival, due)
        if refusal is None:
            refusal = self.journey.travel(self.users.get(arrival.sender), arrival, Travel(self.clock))
        if refusal is not None:
            self.trace.emit(
                "dcc", "gateway", "refused", target=str(arrival.sender), message=str(arrival.request.request_id), value=str(refusal)
            )

    async def close(self) -> None:
        """Stop waiting; held requests stay in the store."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
