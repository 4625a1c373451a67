"""A request from its arrival to its end: refused, cancelled, deferred, carried out by the DCC, or sent to a Device and answered."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.errors import CommsHubError
from hil.dcc.answers.answers import Answers
from hil.dcc.base.refusals import refused
from hil.dcc.base.results import Outcome, Refusal
from hil.dcc.base.services import Service
from hil.dcc.duis import ServiceRequest, write_request
from hil.dcc.duis.request import CommandVariant
from hil.dcc.gateway.connections import Connections
from hil.dcc.gateway.context import Arrival, GatewayContext
from hil.dcc.gateway.gateway import Gateway
from hil.dcc.gateway.journey import Journey, Travel
from hil.dcc.gateway.sequence import DeferredRequests, Sequence
from hil.dcc.own_services.execution import Execution
from hil.dcc.parties.acb import OriginatorCounters
from hil.dcc.parties.users import Receivers, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """The parts of the message path in the order in which a request meets them."""

    context: GatewayContext
    counters: OriginatorCounters
    receivers: Receivers
    connections: Connections
    gateway: Gateway
    sequence: Sequence
    deferred: DeferredRequests
    execution: Execution
    journey: Journey
    answers: Answers

    async def send(
        self,
        user: User,
        request: ServiceRequest,
        *,
        wait_s: float | None = None,
        released: bool = False,
        connection: int | None = None,
        returns: CommandVariant = CommandVariant.SIGNED_SEND,
    ) -> Outcome:
        """See :meth:`hil.dcc.dcc.Dcc.send`. ``released``: it comes from quarantine."""
        travel, started = Travel(self.context.clock), self.context.clock.now()
        name, variant = str(request.request_id), request.service_reference_variant
        self.context.trace.emit("dcc", f"user {user.eui64}", "requested", target="gateway", message=name, variant=variant)
        try:
            signed = request if request.signed else user.sign(request)
        except CommsHubError as error:
            return self.execution.refused(request, refused("user-cannot-sign-request", problem=error), travel, started)
        travel.leg("user signs the request")
        refusal = self.sequence.problem(signed)
        refusal = refusal or await self.connections.admit(user.eui64, len(write_request(signed)), connection)
        arrival = refusal or self.gateway.receive(signed, released=released, returns=returns)
        travel.leg("arrival checks")
        if isinstance(arrival, Refusal):
            return self.execution.refused(request, arrival, travel, started)
        # Only now, when the request is proven: nobody else moves a user's counter.
        self.counters.saw(arrival.sender, arrival.request.request_id.counter, top_up=arrival.service.reference == "2.2")
        if self.deferred.cancels(arrival):
            return self.execution.cancelled(arrival, self._cancel_like(arrival), travel, started)
        if arrival.request.preceding is not None or self.deferred.due(arrival) is not None:
            refusal = await self.deferred.wait(arrival)
            travel.leg("held until its execution time")
            started = self.context.clock.now()
        if refusal is None and not arrival.service.device_service:
            return self.execution.execute(arrival, travel, started)
        refusal = refusal or self.journey.travel(user, arrival, travel)
        if refusal is not None:
            return self.execution.refused(request, refusal, travel, started)
        return await self.answers.outcome(user, request.request_id, travel=travel, wait_s=wait_s)

    async def run_scheduled(self, request: ServiceRequest, service: Service, due: float) -> Refusal | None:
        """The run of a schedule. Returns why it went no further; its Response is waited for meanwhile."""
        arrival = self.gateway.receive_run(request, service, due)
        return arrival if isinstance(arrival, Refusal) else self._set_out(arrival)

    async def go_on(self, arrival: Arrival) -> Refusal | None:
        """A request that a DCC before this one accepted. Returns why it went no further."""
        if not arrival.service.device_service:
            return self.execution.execute(arrival, Travel(self.context.clock), self.context.clock.now()).refusal
        return self._set_out(arrival)

    def _set_out(self, arrival: Arrival) -> Refusal | None:
        """Nobody waits for the outcome: the deadline is watched, so that the user is told if no answer comes."""
        refusal = self.journey.travel(self.receivers.get(arrival.sender), arrival, Travel(self.context.clock))
        if refusal is None:
            self.answers.watch(arrival.name)
        return refusal

    def _cancel_like(self, arrival: Arrival) -> list[str]:
        return self.deferred.cancel(arrival.sender, target=arrival.request.request_id.target, variant=arrival.service.variant)
