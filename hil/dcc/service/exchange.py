"""One exchange of the web service: a request's octets in, the document of its answer out; what follows later goes into the outbox.

The address says what may come there: the command variant decides it (reference duis-gateway 1.2).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from cryptography import x509
from lxml import etree

from firmware_emu.errors import CommsHubError, IdentifierError
from firmware_emu.gbcs.envelope import Message, message_of
from firmware_emu.ids import Eui64
from hil.dcc.base.refusals import refused
from hil.dcc.base.results import Delivery, Refusal
from hil.dcc.base.services import schedule
from hil.dcc.dcc import Answered, AnsweredLater, Dcc
from hil.dcc.duis import VARIANTS, RequestError, RequestId, ServiceRequest, read_request
from hil.dcc.duis.document import parse_document
from hil.dcc.duis.request import SERVICE_NAMESPACE, CommandVariant
from hil.dcc.service.alerts import dcc_alert_payload
from hil.dcc.service.faults import BoundaryFaults
from hil.dcc.service.future_dated import counter_of, outcome
from hil.dcc.service.outbox import MessageState, PushOutbox
from hil.dcc.service.push import Pushed, Pusher
from hil.dcc.service.response import Documents, Tree, gbcs, payload_of
from hil.dcc.service.settings import ServiceSettings


class WebService(StrEnum):
    """The three web services of a DUIS gateway, by the last part of their address."""

    SEND_COMMAND = "serviceS"
    NON_DEVICE = "serviceD"
    TRANSFORM = "serviceT"


_V = CommandVariant
SERVED: Mapping[WebService, frozenset[CommandVariant]] = MappingProxyType(
    {
        WebService.SEND_COMMAND: frozenset({_V.SEND, _V.SEND_AND_RETURN, _V.SIGNED_SEND, _V.SIGNED_SEND_AND_RETURN}),
        WebService.NON_DEVICE: frozenset({_V.RETURN, _V.SIGNED_RETURN, _V.NON_DEVICE}),
        WebService.TRANSFORM: frozenset({_V.TRANSFORM}),
    }
)
"""Command variants by web service (reference duis-gateway 1.2)."""


class NotARequest(CommsHubError):
    """Octets that name no request and no service, so that no DUIS Response can answer them."""


@dataclass(frozen=True, slots=True)
class Named:
    """Names that a document gives itself, enough for a Response to it."""

    request: RequestId
    variant: str
    reference: str


@dataclass
class Exchange:
    """The web service of one DCC. Users that come in over it have their receiving service at an address of their own."""

    dcc: Dcc
    documents: Documents
    outbox: PushOutbox
    pusher: Pusher
    settings: ServiceSettings
    faults: BoundaryFaults
    _overtaken: dict[str, asyncio.Event] = field(default_factory=dict)
    """Requests whose acknowledgement is held back until their Response has been taken (a fault)."""

    def __post_init__(self) -> None:
        self.dcc.bus.on(AnsweredLater, self._answered_later)
        self.dcc.bus.on(Pushed, self._pushed)

    def _pushed(self, told: Pushed) -> None:
        if told.request in self._overtaken:
            self._overtaken[told.request].set()

    def receive_for_all(self) -> None:
        """Every user that was entered is reached through the outbox from now on: what waited for it goes there."""
        for user in self.dcc.context.users.all():
            self.receive_for(user.eui)

    def receive_for(self, user: Eui64) -> None:
        """The same for one user."""
        self.dcc.add_receiver(PostedUser(user, self))

    async def answer(self, service: WebService, octets: bytes, caller: Eui64 | None = None) -> bytes:
        """The document that answers what was posted to a web service; ``caller`` is who the connection is with, where that is known.
        Raises NotARequest."""
        named = _named(octets)
        if caller is not None and caller != named.request.originator:
            return self._refused(named, refused("service-other-user", caller=caller, sender=named.request.originator))
        try:
            request = read_request(octets)
        except RequestError as error:
            return self._refused(named, refused("ck1-unreadable", problem=error, element=error.element))
        if request.command_variant not in SERVED[service]:
            right = next((one for one, variants in SERVED.items() if request.command_variant in variants), None)
            return self._refused(
                named, refused("service-address", variant=int(request.command_variant), address=service, right=right or "none of them")
            )
        return await self._answered(named, request, _schema_version(octets))

    async def _answered(self, named: Named, request: ServiceRequest, version: str) -> bytes:
        """The answer to a request, as the faults in force have it."""
        name = str(named.request)
        if (only := self.faults.other_schema(version, name)) is not None:
            return self._refused(named, refused("service-schema", version=version, only=only))
        if (code := self.faults.code(named.variant, name)) is not None:
            return self._document(named, Answered(code, refused("service-fault", code=code)), None)
        if not self.faults.overtakes(named.variant, name):
            return self._document(named, await self.dcc.take(request), request)
        taken = self._overtaken[name] = asyncio.Event()
        try:
            document = self._document(named, answered := await self.dcc.take(request), request)
            if answered.code == ACKNOWLEDGED:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HELD_BACK_S):
                        await taken.wait()
            return document
        finally:
            del self._overtaken[name]

    def _refused(self, named: Named, refusal: Refusal) -> bytes:
        self.dcc.trace.emit(
            "dcc",
            "gateway",
            "refused",
            target=str(named.request.originator),
            message=str(named.request),
            value=refusal.value,
            refusal=refusal.name,
        )
        return self._document(named, Answered(refusal.code, refusal), None)

    def _document(self, named: Named, answered: Answered, request: ServiceRequest | None) -> bytes:
        payload: Tree = ()
        code = answered.code or self.settings.uncoded_refusal
        if answered.pre_command is not None:
            given = self.faults.pre_command(answered.pre_command, named.variant, str(named.request))
            content = (("GBCSVersion", self.settings.gbcs_version), *gbcs(given + EMPTY_SIGNATURE))
            payload = (("PreCommand", content),)
        elif answered.command is not None:
            payload = (("LocalCommand", gbcs(answered.command)),)
        elif answered.refusal is None and request is not None:
            payload = payload_of(named.variant, self._detailed(answered.result), request.body)
            if request.command_variant is CommandVariant.NON_DEVICE:
                code = WITH_WARNING[named.reference] if payload and named.reference in WITH_WARNING else "I0" if payload else "I99"
        return self.documents.response(str(named.request), named.variant, named.reference, code, payload)

    def _detailed(self, result: Mapping[str, object]) -> Mapping[str, object]:
        """The result of 5.2 with what each schedule was made from."""
        rows = result.get("schedules")
        if not isinstance(rows, list):
            return result
        return {"schedules": [{**row, "details": self.dcc.schedules.made_from(int(str(row["DSPScheduleID"])))} for row in rows]}

    def _answered_later(self, told: AnsweredLater) -> None:
        variant = VARIANTS[told.variant]
        named = Named(RequestId.parse(told.request), told.variant, variant.service)
        stored = self.dcc.requests.find(told.request)
        document = self._document(named, told.answered, None if stored is None else read_request(stored.xml))
        code = told.answered.code or self.settings.uncoded_refusal
        self._put(told.user, "h", code, document, told.request)

    def deliver(self, user: Eui64, delivery: Delivery) -> None:
        """A Response, Device Alert or DCC Alert for a user, into the outbox; part of the transaction that brought it about."""
        match delivery.kind:
            case "h":
                self._put(user, "h", delivery.code, self._response(delivery), delivery.request)
            case "i" if (executed := self._executed_later(user, delivery)) is not None:
                self._put(user, "h", "I0", *executed)
            case "i":
                content = (("AlertCode", delivery.code.upper()), *gbcs(delivery.octets or b""))
                identifier = None
                if delivery.octets is not None:
                    identifier = str(RequestId(delivery.device, user, message_of(delivery.octets).header.counter))
                document = self.documents.message("DeviceAlertMessage", "I0", content, response=identifier)
                self._put(user, "i", delivery.code, document, None)
            case _:
                self._put_dcc_alert(user, delivery)

    def _executed_later(self, user: Eui64, delivery: Delivery) -> tuple[bytes, str] | None:
        """The Response that tells how a Device's later execution of a Command ended, and the request; None for another alert."""
        octets = delivery.octets
        if octets is None or (counter := counter_of(alert := message_of(octets))) is None:
            return None
        stored = self.dcc.requests.find(name := str(RequestId(user, delivery.device, counter)))
        if stored is None or stored.command is None:
            return None
        payload = outcome(alert, message_of(stored.command), octets, delivery.code)
        reference = schedule()[stored.variant].reference
        return self.documents.response(name, stored.variant, reference, "I0", payload, from_device=True), name

    def _response(self, delivery: Delivery) -> bytes:
        assert delivery.request is not None, "a Response answers a request"
        stored = self.dcc.requests.get(delivery.request)
        content = gbcs(delivery.octets or b"")
        if (number := delivery.detail.get("DSPScheduleID")) is not None:
            content = (("DSPScheduledMessage", (*content, ("DSPScheduleID", str(number)))),)
        elif (drawn := delivery.detail.get("CustomerIdentificationNumber")) is not None:
            content = (("CINMessage", (*content, ("CustomerIdentificationNumber", str(drawn)))),)
        reference = schedule()[stored.variant].reference
        return self.documents.response(delivery.request, stored.variant, reference, delivery.code, content, from_device=True)

    def _put_dcc_alert(self, user: Eui64, delivery: Delivery) -> None:
        payload = dcc_alert_payload(delivery, self.dcc.inventory)
        content: Tree = (("DCCAlertCode", delivery.code), ("DCCAlert", payload or ()))
        identifier = str(RequestId(self.dcc.eui, user, self.dcc.counters.next(self.dcc.eui)))
        document = self.documents.message("DCCAlertMessage", "I0", content, response=identifier)
        number = self._put(user, "j", delivery.code, document, None)
        if payload is None:
            problem = f"DUIS has no form for {delivery.code} about {delivery.device} as the inventory knows it"
            self.outbox.end(number, MessageState.REFUSED, problem)
            self.dcc.trace.emit("dcc", "push", "refused", target=str(user), code=delivery.code, reason=problem)

    def _put(self, user: Eui64, kind: str, code: str, document: bytes, request: str | None) -> int:
        due = self.outbox.now() + (0.0 if request in self._overtaken else self.settings.gap_s)
        times = 1
        if request is not None:
            variant = self.dcc.requests.get(request).variant
            due += self.faults.later_s(variant, request)
            times += self.faults.twice(variant, request)
        numbers = [self.outbox.put(user, kind, code, document, request=request, due=due) for _ in range(times)]
        self.pusher.wake(user)
        return numbers[-1]


WITH_WARNING: Mapping[str, str] = MappingProxyType({"11.1": "W110101", "11.4": "W110401"})
"""Code of an answer that lists Devices which cannot have the image (the one warning that DUIS 5.4 has for the service)."""


ACKNOWLEDGED = "I99"
HELD_BACK_S = 60.0
"""Longest time that a fault holds an acknowledgement back. The bench's own figure."""
EMPTY_SIGNATURE = b"\x00"
"""The length of the signature that is not there yet, at the end of a pre-command (reference duis-gateway 1.4; DCC Boxed from 1.4.1 on)."""


@dataclass(frozen=True, slots=True)
class PostedUser:
    """A user whose receiving service is at an address: its keys are not here, so the DCC proves nothing in its place."""

    eui64: Eui64
    exchange: Exchange

    def prove(self, message: Message) -> None:
        """The user's own business: the DCC passes on what the Device sent."""

    def deliver(self, delivery: Delivery) -> bool:
        """Into the outbox."""
        self.exchange.deliver(self.eui64, delivery)
        return True

    def learn(self, certificate: x509.Certificate) -> None:
        """The user asks the SMKI repository."""


def _schema_version(octets: bytes) -> str:
    return parse_document(octets).get("schemaVersion", "")


def _named(octets: bytes) -> Named:
    """Raises NotARequest."""
    try:
        root = parse_document(octets)
    except RequestError as error:
        raise NotARequest(f"no DUIS document: {error}") from error
    if root.tag != f"{{{SERVICE_NAMESPACE}}}Request":
        raise NotARequest(f"read the element {etree.QName(root).localname}, expected Request of {SERVICE_NAMESPACE}")
    header = f"{{{SERVICE_NAMESPACE}}}Header/{{{SERVICE_NAMESPACE}}}"
    variant = (root.findtext(f"{header}ServiceReferenceVariant") or "").strip()
    if variant not in VARIANTS:
        raise NotARequest(f"ServiceReferenceVariant: read {variant!r}, expected one of DUIS 5.4, as 7.2")
    try:
        identifier = RequestId.parse(root.findtext(f"{header}RequestID") or "")
    except IdentifierError as error:
        raise NotARequest(f"RequestID: {error}") from error
    return Named(identifier, variant, VARIANTS[variant].service)
