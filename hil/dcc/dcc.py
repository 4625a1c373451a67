"""The Dcc: the whole far end for one or many hubs behind one object, and the processing of a request from arrival to outcome.

::

    dcc = Dcc(keystore, parties, clock, trace, store_path)
    dcc.add_user(User(supplier, UserRole.IS, keystore))
    await dcc.start(); dcc.attach_hub(link, chf)
    outcome = await dcc.send(user, dcc.request(user, "7.4", esme))

Of ``keystore`` it keeps the private keys of the Access Control Broker and the WAN provider alone: it can sign as no user and
not as the CoS Party. Everything it must not forget is in ``store_path``; a Dcc made from the same file goes on where the
killed one stopped, outstanding commands and open outages included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.errors import CommsHubError, NotAvailable, StoreTrouble
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanLink
from hil.dcc.anomaly import AnomalyThresholds
from hil.dcc.answers.alerts import Alerts
from hil.dcc.answers.answers import Answers, HubReceiver, Responses, Stray
from hil.dcc.answers.effects import Effects
from hil.dcc.base.profile import DccProfile, profile
from hil.dcc.base.refusals import refused
from hil.dcc.base.requests import MovedElsewhere, RequestEvent, Requests, RequestState, StoredRequest
from hil.dcc.base.results import Outcome, Refusal
from hil.dcc.base.services import Service, UserRole
from hil.dcc.base.store import Bus, DccStore
from hil.dcc.duis import RequestId, ServiceRequest, new_request, read_request, write_request
from hil.dcc.duis.document import Content
from hil.dcc.duis.request import CommandVariant
from hil.dcc.gateway.arrival import Arrival, GatewayContext, service_of
from hil.dcc.gateway.connections import Connections
from hil.dcc.gateway.gateway import Gateway, Journey, Travel
from hil.dcc.gateway.quarantine import MessageDirection, Quarantine, QuarantinedMessage
from hil.dcc.gateway.sequence import DeferredRequests, Sequence
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import AuditLine, Device, Inventory, KnownParties
from hil.dcc.inventory.systems import CheckList
from hil.dcc.own_services.execution import Execution
from hil.dcc.own_services.firmware import FirmwareDistribution
from hil.dcc.own_services.hub_reports import HubReports
from hil.dcc.own_services.own_services import OwnServices
from hil.dcc.own_services.schedules import Schedules
from hil.dcc.own_services.wan_matrix import WanMatrix
from hil.dcc.parties.acb import AccessControlBroker, OriginatorCounters
from hil.dcc.parties.cos_signer import CosSigner
from hil.dcc.parties.smki import Repository
from hil.dcc.parties.users import Delivered, EnteredUsers, Receiver, Receivers, User
from hil.dcc.registration import Registration
from hil.dcc.wan.headend import HeadEnd


@dataclass(frozen=True, slots=True)
class Answered:
    """Content of the Response that goes back in the exchange in which a request came; what follows later is pushed to the user.

    ``code`` None: the refusal has no published one. ``command`` is a Command for local delivery, ``result`` the data of a service of
    the DCC itself.
    """

    code: str | None
    refusal: Refusal | None = None
    pre_command: bytes | None = None
    command: bytes | None = None
    result: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnsweredLater:
    """Told on the bus of an answer that came after the exchange: a request that was acknowledged and goes no further after all, one
    that was released from quarantine, a Command that was sent and is returned as well. ``variant`` is the service."""

    request: str
    user: Eui64
    variant: str
    answered: Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """The parts of the message path in the order in which a request meets them."""

    context: GatewayContext
    bus: Bus
    counters: OriginatorCounters
    receivers: Receivers
    connections: Connections
    gateway: Gateway
    sequence: Sequence
    deferred: DeferredRequests
    execution: Execution
    journey: Journey
    answers: Answers
    quarantine: Quarantine

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
        self._emit_requested(request)
        try:
            signed = request if request.signed else user.sign(request)
        except CommsHubError as error:
            return self.execution.refused(request, refused("user-cannot-sign-request", problem=error), travel, started)
        travel.leg("user signs the request")
        refusal = self.sequence.problem(signed)
        refusal = refusal or await self.connections.admit(user.eui64, lambda: len(write_request(signed)), connection)
        with self.context.store.transaction():  # from arrival to the SM WAN it is one: what a kill cuts off was never there
            arrival = refusal or self.gateway.receive(signed, released=released, returns=returns)
            travel.leg("arrival checks")
            if isinstance(arrival, Refusal):
                return self.execution.refused(request, arrival, travel, started)
            # Only now, when the request is proven: nobody else moves a user's counter.
            self.counters.saw(arrival.sender, arrival.request.request_id.counter, top_up=arrival.service.reference == "2.2")
            if self.deferred.cancels(arrival):
                return self.execution.cancelled(arrival, self._cancel_like(arrival), travel, started)
            waits = self.deferred.waits(arrival)
            if arrival.service.device_service and not waits:
                refusal = self.journey.travel(user, arrival, travel)
        if waits:
            stopped = await self.deferred.wait(arrival)
            travel.leg("held until its execution time")
            started = self.context.clock.now()
            with self.context.store.transaction():
                refusal = self.deferred.released(arrival, stopped)
                if refusal is None and arrival.service.device_service:
                    refusal = self.journey.travel(user, arrival, travel)
        if refusal is None and not arrival.service.device_service:  # in a transaction of its own: what it is refused, it takes back
            return self.execution.execute(arrival, travel, started)
        if refusal is not None:
            return self.execution.refused(request, refusal, travel, started)
        return await self.answers.outcome(user, request.request_id, travel=travel, wait_s=wait_s)

    async def take(self, request: ServiceRequest, *, connection: int | None = None) -> Answered:
        """A request, or signed pre-command, of a user who is somewhere else: what it is told in the same exchange. ``connection`` is the
        user's that it comes over."""
        self._emit_requested(request)
        sender = request.request_id.originator
        refusal = self.sequence.problem(request) or await self.connections.admit(sender, lambda: len(write_request(request)), connection)
        return Answered(refusal.code, refusal) if refusal is not None else self._taken(request)

    def release(self, request: ServiceRequest, number: int) -> Outcome | None:
        """A request from quarantine, of that number there, whose user is somewhere else and gets the answer at its receiving service. Why
        it went no further."""
        travel, started = Travel(self.context.clock), self.context.clock.now()
        with self.context.store.transaction():
            self.quarantine.settle(number, "released")
            self._emit_requested(request)
            refusal = self.sequence.problem(request)
            answered = self._taken(request, released=True) if refusal is None else Answered(refusal.code, refusal)
            self._tell_later(request, answered)
        return None if answered.refusal is None else self.execution.refused(request, answered.refusal, travel, started)

    def _emit_requested(self, request: ServiceRequest) -> None:
        name, variant = str(request.request_id), request.service_reference_variant
        self.context.trace.emit(
            "dcc", f"user {request.request_id.originator}", "requested", target="gateway", message=name, variant=variant
        )

    def _taken(self, request: ServiceRequest, *, released: bool = False) -> Answered:
        """All of an exchange is one transaction: what a kill cuts off was never there, and may come again. What goes on afterwards is
        begun when it is written."""
        with self.context.store.transaction():
            arrival = self.gateway.receive(request, released=released, repeated=True)
            if isinstance(arrival, Refusal):
                return Answered(arrival.code, arrival)
            answered = self._answered(arrival)
        if not arrival.again:
            self._begin(arrival)
        return answered

    def _begin(self, arrival: Arrival) -> None:
        """Watch what an answered request waits for."""
        match self.context.requests.state(arrival.name):
            case RequestState.ACCEPTED:
                self.deferred.take_up(arrival.name, self.go_on, self.refused_later)
            case RequestState.PRE_COMMAND if not arrival.request.is_signed_pre_command:
                self.deferred.lapse(arrival.name, self.refused_later)
            case RequestState.SENT:
                self.answers.watch(arrival.name)

    def _answered(self, arrival: Arrival) -> Answered:
        stored = self.context.requests.get(arrival.name)
        if arrival.request.is_signed_pre_command:
            return self._take_signed(arrival, stored)
        if arrival.again:
            return Answered("I0", pre_command=None if stored.command else stored.pre_command, command=stored.command)
        self.counters.saw(arrival.sender, arrival.request.request_id.counter, top_up=arrival.service.reference == "2.2")
        return Answered("I99") if self.deferred.waits(arrival) and not self.deferred.cancels(arrival) else self._forward(arrival)

    def _forward(self, arrival: Arrival) -> Answered:
        """Carry on a request that waits for nothing; the answer to its user, who is somewhere else."""
        travel, started = Travel(self.context.clock), self.context.clock.now()
        if self.deferred.cancels(arrival):
            return self._told(self.execution.cancelled(arrival, self._cancel_like(arrival), travel, started))
        if not arrival.service.device_service:
            return self._told(self.execution.execute(arrival, travel, started))
        made = self.journey.pre_command(arrival, travel)
        return Answered("I0", pre_command=made) if isinstance(made, bytes) else self._sent(arrival, made)

    def _tell_later(self, request: ServiceRequest, answered: Answered) -> None:
        name, variant = request.request_id, request.service_reference_variant
        self.bus.tell(AnsweredLater(str(name), name.originator, variant, answered))

    def _told(self, outcome: Outcome) -> Answered:
        return Answered(outcome.response_code, outcome.refusal, result=outcome.result)

    def _take_signed(self, arrival: Arrival, stored: StoredRequest) -> Answered:
        signed = self.gateway.accept_signed(arrival)
        if isinstance(signed, Refusal):
            return Answered(signed.code, signed)
        if arrival.again:
            return Answered("I0", command=stored.command)
        request = read_request(stored.xml)
        service = service_of(request)
        assert service is not None, "the gateway accepted it"
        asked = Arrival(request, service, arrival.device)
        way = arrival.request.command_variant
        return self._sent(asked, self.journey.send_signed(asked, signed, way, Travel(self.context.clock)), way)

    def _sent(self, arrival: Arrival, refusal: Refusal | None, way: CommandVariant | None = None) -> Answered:
        """The Command is on its way, or at the user for local delivery, or neither."""
        if refusal is not None:
            return Answered(refusal.code, refusal)
        way = arrival.way if way is None else way
        stored = self.context.requests.get(arrival.name)
        if not way.over_wan:
            return Answered("I0", command=stored.command)
        if way.local and stored.command is not None:
            self._tell_later(arrival.request, Answered("I0", command=stored.command))
        return Answered("I99")

    def refused_later(self, stored: StoredRequest, refusal: Refusal) -> None:
        """A request that was acknowledged goes no further after all: its user is told."""
        self.bus.tell(AnsweredLater(stored.name, stored.user, stored.variant, Answered(refusal.code, refusal)))

    async def run_scheduled(self, request: ServiceRequest, service: Service, due: float) -> Refusal | None:
        """The run of a schedule. Returns why it went no further; its Response is waited for meanwhile."""
        arrival = self.gateway.receive_run(request, service, due)
        return arrival if isinstance(arrival, Refusal) else self._set_out(arrival)

    def go_on(self, arrival: Arrival) -> Refusal | None:
        """A request that was deferred, or that a DCC before this one accepted; its user is told what comes of it. Returns why it went no
        further."""
        receiver = self.receivers.get(arrival.sender)
        if arrival.service.device_service and (receiver is None or isinstance(receiver, User)) and not self.deferred.cancels(arrival):
            return self._set_out(arrival)
        answered = self._forward(arrival)
        if answered.refusal is None and (answered.code == "I0" or not arrival.service.device_service):
            self._tell_later(arrival.request, answered)
        if answered.refusal is None:
            self._begin(arrival)
        return answered.refusal

    def _set_out(self, arrival: Arrival) -> Refusal | None:
        """Nobody waits for the outcome: the deadline is watched, so that the user is told if no answer comes."""
        refusal = self.journey.travel(self.receivers.signer(arrival.sender), arrival, Travel(self.context.clock))
        if refusal is None:
            self.answers.watch(arrival.name)
        return refusal

    def _cancel_like(self, arrival: Arrival) -> list[str]:
        return self.deferred.cancel(
            arrival.sender, self.refused_later, target=arrival.request.request_id.target, variant=arrival.service.variant
        )


class Dcc:
    """See the module's docstring. ``parties`` names the ACCESS_CONTROL_BROKER at least, and whom new Devices hold by default."""

    def __init__(
        self,
        keystore: Keystore,
        parties: Mapping[RemotePartyRole, Eui64],
        clock: Clock,
        trace: Trace,
        store_path: Path | None = None,
        *,
        settings: DccProfile | None = None,
        cos: CosSigner | None = None,
    ) -> None:
        own = [parties[role] for role in (RemotePartyRole.ACCESS_CONTROL_BROKER, RemotePartyRole.WAN_PROVIDER) if role in parties]
        self.eui = parties[RemotePartyRole.ACCESS_CONTROL_BROKER]
        self.keystore = keystore.subset(*keystore.entities(), private=own).drawing_from(keystore.entropy)
        self.clock = clock
        self.trace = trace
        self.settings = settings or profile()
        self.cos = cos
        self.store = store = DccStore(store_path)
        self.bus = bus = Bus()
        self.requests = Requests(store, clock.now, bus)
        self.inventory = Inventory(store, clock.now, bus.tell)
        self.check_list = CheckList(self.inventory)
        self.registration = Registration(store)
        self.known_parties = KnownParties(store, parties)
        self.device_log_copy = DeviceLogCopy(store, self.inventory, clock.now)
        self.counters = OriginatorCounters(store, int(self.settings.first_counter))
        self.context = GatewayContext(
            clock=clock,
            trace=trace,
            store=store,
            profile=self.settings,
            keystore=self.keystore,
            broker=self.eui,
            dcc=frozenset(own),
            requests=self.requests,
            users=EnteredUsers(store),
            inventory=self.inventory,
            device_logs=self.device_log_copy,
            known_parties=self.known_parties,
            registration=self.registration,
            thresholds=AnomalyThresholds(store),
        )
        self.receivers = Receivers(bus, trace)
        self.repository = Repository(store, self.keystore, bus, bool(self.settings.certificate_paths))
        self.repository.load()
        self.head_end = HeadEnd(store, clock, trace, bus)
        self.quarantine = Quarantine(store, clock.now)
        self.connections = Connections(store, clock)
        self.gateway = Gateway(self.context, self.quarantine, bus)
        self.alerts = Alerts(self.context, self.receivers, bus, None if cos is None else cos.eui)
        self.schedules = Schedules(self.context, bus, self.counters)
        self.responses = Responses(self.context, self.repository)
        self.answers = Answers(
            context=self.context,
            bus=bus,
            responses=self.responses,
            effects=Effects(self.context, self.alerts, self.repository, bus),
            quarantine=self.quarantine,
            alerts=self.alerts,
            receivers=self.receivers,
            outbox=self.head_end,
            runs=self.schedules,
        )
        self.hub_side = HubReceiver(self.context, bus, self.alerts, self.answers, self.responses)
        self.firmware = FirmwareDistribution(self.context, bus, self.head_end)
        self.wan_matrix = WanMatrix(store)
        self.hub_reports = HubReports(store, self.inventory, clock.now)
        own_services = OwnServices(
            context=self.context,
            alerts=self.alerts,
            answers=self.answers,
            schedules=self.schedules,
            firmware=self.firmware,
            wan_matrix=self.wan_matrix,
            hub_reports=self.hub_reports,
        )
        self.sequence = Sequence(self.context, bus)
        self.deferred = DeferredRequests(self.context, self.sequence)
        acb = AccessControlBroker(self.eui, self.keystore, self.counters)
        self.processing = Processing(
            context=self.context,
            bus=bus,
            counters=self.counters,
            receivers=self.receivers,
            connections=self.connections,
            gateway=self.gateway,
            sequence=self.sequence,
            deferred=self.deferred,
            execution=Execution(own_services, self.context),
            journey=Journey(self.context, self.gateway, acb, self.counters, self.head_end, cos),
            answers=self.answers,
            quarantine=self.quarantine,
        )
        bus.on(AuditLine, self._tell_status)
        bus.on(Delivered, self.connections.sent)

    # Life

    async def start(self) -> None:
        """Go on where the store says: open outages and deadlines are watched again, deferred requests deferred, schedules and firmware
        campaigns run. Hubs are attached by the caller. Of several processes with one store the one that leads does it."""
        if not self.store.leads:
            return
        self.alerts.watch_outages()
        self.answers.resume()
        self.deferred.resume(self.processing.go_on, self.processing.refused_later)
        self.schedules.start(self.processing.run_scheduled)
        self.firmware.resume()

    def heard(self, text: str) -> None:
        """Another process with the store has told what each of them takes up."""
        word, _, rest = text.partition(" ")
        with suppress(StoreTrouble):  # the connection broke: with the next one it catches up
            match word:
                case "hub":
                    self.head_end.wake(Eui64.parse(rest))
                case "request":
                    self.bus.tell(MovedElsewhere(rest))
                case "certificate":
                    self.repository.take_up(Eui64.parse(rest))

    def catch_up(self) -> None:
        """Take up from the store what other processes have told while this one could not hear them."""
        self.repository.take_up_all()
        self.head_end.wake_all()
        for name in self.answers.waited_for() | self.sequence.waited_for():
            self.bus.tell(MovedElsewhere(name))

    async def close(self) -> None:
        """End connections and timers, close the store: also where one of them cannot end."""
        async with AsyncExitStack() as last_to_first:
            last_to_first.callback(self.store.close)
            for part in (self.head_end, self.answers, self.firmware, self.schedules, self.deferred, self.alerts):
                last_to_first.push_async_callback(part.close)

    def attach_hub(self, link: WanLink, chf: Eui64 | None = None) -> asyncio.Task[None]:
        """Serve the hub behind ``link``; without ``chf`` its first HELLO names it."""
        return self.head_end.attach(link, chf)

    # Users and parties

    def add_user(self, user: User) -> None:
        """User entry (once per identifier), and the user's receiving service is there: what waits for it is delivered."""
        self.gateway.enter_user(user.eui64, user.role)
        self.add_receiver(user)

    def add_receiver(self, user: Receiver) -> None:
        """The receiving service of a user that was entered is there: what waits for it is delivered."""
        self.receivers.add(user)
        for certificate in self.repository.published():
            user.learn(certificate)
        with self.store.transaction():
            self.answers.deliver_waiting(user)
            self.alerts.deliver_waiting(user.eui64)

    def remove_user(self, eui: Eui64) -> None:
        """The user's receiving service is away; its rights stay."""
        self.receivers.remove(eui)

    def hold(self, device: Eui64, role: RemotePartyRole, party: Eui64) -> None:
        """The Device holds ``party`` in ``role``, other than this DCC's ``parties`` say (two suppliers in one home)."""
        self.known_parties.hold(device, role, party)

    def register_supply(self, mpxn: str, role: UserRole, user: Eui64, begins: float = 0.0) -> None:
        """Registration data: ``user`` is the party in ``role`` for ``mpxn`` from ``begins`` on."""
        self.registration.register(mpxn, role, user, begins)

    def pre_notify(
        self,
        eui: Eui64,
        type: DeviceType,
        *,
        manufacturer: str = "BENCH",
        model: str = "BENCH",
        firmware: str = "00000001",
        version: str = "",
        gpf: Eui64 | None = None,
        esme_variant: str = "",
        certify: bool = True,
    ) -> Device:
        """List a Device as the DCC itself does for hubs (X-10); ``certify`` puts its model on the certified products list first."""
        if certify and type is not DeviceType.TYPE_2 and self.inventory.certified(type, manufacturer, model, firmware) is None:
            self.inventory.certify(type, manufacturer, model, firmware)
        device = self.inventory.pre_notify(
            eui, type, manufacturer=manufacturer, model=model, firmware=firmware, version=version, gpf=gpf, esme_variant=esme_variant
        )
        self.known_parties.install(device)
        return device

    # Requests

    def request(
        self,
        user: User,
        variant: str,
        target: Eui64 | None = None,
        body: Mapping[str, Content] | None = None,
        *,
        command_variant: int | None = None,
        top_up: bool = False,
        preceding: RequestId | None = None,
    ) -> ServiceRequest:
        """A service request with the user's next counter; ``target`` None is the DCC itself. ``top_up`` steps the counter as prepayment
        tokens need it (reference gbcs-messages 1.5), ``preceding`` has to succeed before it runs. Raises RequestError."""
        identifier = self.counters.next(user.eui64, top_up=top_up)
        return new_request(variant, user.eui64, target or self.eui, identifier, body, command_variant, preceding=preceding)

    async def send(
        self,
        user: User,
        request: ServiceRequest,
        *,
        wait_s: float | None = None,
        connection: int | None = None,
        returns: CommandVariant = CommandVariant.SIGNED_SEND,
    ) -> Outcome:
        """Send a service request as ``user`` and wait for its end. ``wait_s`` shortens or lengthens the wait for the Device;
        ``connection`` is that of the user it comes over (its first by default). ``returns`` is the command variant under which the user
        returns a signed pre-command.

        Refusals, missing answers and failures are Outcomes, not exceptions. What it tells is on the medium.
        """
        outcome = await self.processing.send(user, request, wait_s=wait_s, connection=connection, returns=returns)
        await self.store.durable()
        return outcome

    def cancel(self, user: User, request: RequestId) -> bool:
        """Cancel a request of ``user`` that the DCC defers; False if it defers none of that name. Its sender is told (GW-63)."""
        return bool(self.deferred.cancel(user.eui64, self.processing.refused_later, request=str(request)))

    async def take(self, octets: bytes | ServiceRequest, *, connection: int | None = None) -> Answered:
        """A request, or signed pre-command, of a user who is somewhere else: what it is told at once. What follows goes to its
        receiving service."""
        request = self.gateway.read(octets) if isinstance(octets, bytes) else octets
        if isinstance(request, Refusal):
            return Answered(request.code, request)
        return await self.processing.take(request, connection=connection)

    async def outcome(self, user: User, request: RequestId, *, wait_s: float | None = None) -> Outcome:
        """The end of a request sent before, by this Dcc or by one that used the same store. Raises NotAvailable for an unknown one."""
        return await self.answers.outcome(user, request, wait_s=wait_s)

    async def release(self, number: int) -> Outcome | None:
        """Release a quarantined message: a request goes on as if CK-7 had passed, a Response is delivered (None). Raises NotQuarantined."""
        message = self.quarantine.held(number)
        if message.direction is MessageDirection.RESPONSE:
            self._settle_response(message, "released", RequestEvent.RELEASE_RESPONSE)
            return None
        read = self.gateway.read(message.octets)
        user = None if message.user is None else self.receivers.signer(message.user)
        if isinstance(read, Refusal):
            raise NotAvailable(f"message {number}", "it can be read no longer: discard it")
        if user is None and (message.user is None or self.receivers.get(message.user) is None):
            raise NotAvailable(f"user {message.user}", "add the user before its request is released")
        if user is None:
            return self.processing.release(read, number)
        self.quarantine.settle(number, "released")
        return await self.processing.send(user, read, released=True)

    def discard(self, number: int) -> None:
        """Discard a quarantined message. Raises NotQuarantined."""
        message = self.quarantine.held(number)
        if message.direction is MessageDirection.RESPONSE:
            self._settle_response(message, "discarded", RequestEvent.DISCARD_RESPONSE)
        else:
            self.quarantine.settle(number, "discarded")

    def _settle_response(self, message: QuarantinedMessage, state: str, event: RequestEvent) -> None:
        with self.store.transaction():
            self.quarantine.settle(message.number, state)
            self.answers.settle_quarantined(message, event)

    # From the hubs

    def strays(self) -> tuple[Stray, ...]:
        """Messages that reached nobody, oldest first."""
        return self.responses.strays()

    def _tell_status(self, line: AuditLine) -> None:
        self.trace.emit(
            "dcc",
            "inventory",
            "changed",
            target=str(line.device),
            message=line.request,
            from_status=line.from_status,
            to_status=line.to_status,
            reason=line.reason,
        )
