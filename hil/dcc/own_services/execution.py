"""The end of a request at the gateway: refused there, or carried out by the DCC itself (CK-09 [139])."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.errors import CommsHubError, StoreTrouble
from hil.dcc.anomaly import ANOMALIES
from hil.dcc.base.refusals import OwnServiceRefused, refused
from hil.dcc.base.requests import RequestEvent
from hil.dcc.base.results import LegMessage, Outcome, Refusal, Verdict
from hil.dcc.duis import ServiceRequest
from hil.dcc.gateway.arrival import Arrival, GatewayContext
from hil.dcc.gateway.gateway import Travel
from hil.dcc.inventory.rules import InventoryRefusal
from hil.dcc.own_services.own_services import OwnServices, Result


@dataclass(frozen=True, slots=True)
class Execution:
    """``execute`` carries a service out; ``refused`` tells a refusal. Neither waits."""

    services: OwnServices
    context: GatewayContext

    def execute(self, arrival: Arrival, travel: Travel, started: float) -> Outcome:
        """Carry out a service that is for no Device; a plain success is I99, one with data I0 (reference dcc-notes 5)."""
        request, name = arrival.request, str(arrival.request.request_id)
        try:
            with self.context.store.savepoint():
                result = self.services.execute(arrival)
        except OwnServiceRefused as error:
            refusal = error.refusal
        except InventoryRefusal as error:
            refusal = refused("own-inventory", reasons="; ".join(error.reasons))
        except StoreTrouble:
            raise  # no fault of the request: it is tried again
        except CommsHubError as error:
            refusal = refused("own-problem", problem=error)
        else:
            travel.leg("executed by the DCC")
            self.context.requests.move(name, RequestEvent.EXECUTE)
            self.context.trace.emit("dcc", "gateway", "executed", target=str(arrival.sender), message=name, variant=arrival.service.variant)
            return self._done(arrival, result, travel, started)
        self.context.requests.move(name, RequestEvent.REFUSE)
        self.context.trace.emit(
            "dcc",
            refusal.hop,
            "refused",
            target=str(arrival.sender),
            message=name,
            check=refusal.check,
            rule=refusal.rule,
            value=refusal.value,
            code=refusal.code,
            refusal=refusal.name,
        )
        return self.refused(request, refusal, travel, started)

    def _done(self, arrival: Arrival, result: Result, travel: Travel, started: float) -> Outcome:
        finished, target = self.context.clock.now(), arrival.service.on_demand_s or arrival.service.future_dated_s
        return Outcome(
            Verdict.SUCCESS,
            str(arrival.request.request_id),
            arrival.service.variant,
            "I0" if result else "I99",
            "DCC",
            "carried out by the DCC",
            messages=(LegMessage("b", "acknowledgement", b""),),
            legs=travel.legs,
            started=started,
            finished=finished,
            target_s=target,
            within_target=None if target is None else finished - started <= target,
            result=result,
        )

    def cancelled(self, arrival: Arrival, names: list[str], travel: Travel, started: float) -> Outcome:
        """The end of a request that cancels what the DCC defers: ``names`` are those it deferred."""
        request, name = arrival.request, str(arrival.request.request_id)
        if not names:
            self.context.requests.move(name, RequestEvent.REFUSE)
            what = f"{arrival.service.variant} to {request.request_id.target}"
            return self.refused(request, refused("not-to-be-cancelled", what=what), travel, started)
        self.context.requests.move(name, RequestEvent.EXECUTE)
        return self._done(arrival, {"cancelled": names}, travel, started)

    def refused(self, request: ServiceRequest, refusal: Refusal, travel: Travel, started: float) -> Outcome:
        """The outcome of a request that went no further."""
        return Outcome(
            Verdict.QUARANTINED if refusal.name in ANOMALIES else Verdict.REFUSED,
            str(request.request_id),
            request.service_reference_variant,
            refusal.code,
            refusal.hop,
            refusal.value,
            refusal=refusal,
            messages=tuple(travel.messages),
            legs=travel.legs,
            started=started,
            finished=self.context.clock.now(),
        )
