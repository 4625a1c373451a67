"""The Dcc: the whole far end for one or many hubs behind one object.

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
from pathlib import Path

from cryptography import x509

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanLink
from hil.dcc.answers.alerts import Alerts
from hil.dcc.answers.answers import Answers
from hil.dcc.answers.effects import Effects
from hil.dcc.answers.hub_side import HubSide
from hil.dcc.answers.responses import Responses, Stray
from hil.dcc.base.outcome import Delivery, Outcome, Refusal
from hil.dcc.base.profile import DccProfile, profile
from hil.dcc.base.refusals import refused
from hil.dcc.base.services import Service, UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.duis import RequestId, ServiceRequest, new_request, write_request
from hil.dcc.duis.build import Content
from hil.dcc.gateway.connections import Connections
from hil.dcc.gateway.context import Arrival, GatewayContext
from hil.dcc.gateway.deferred import HeldRequests
from hil.dcc.gateway.gateway import Gateway
from hil.dcc.gateway.journey import Journey, Travel
from hil.dcc.gateway.quarantine import Quarantine
from hil.dcc.gateway.sequence import Sequence
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import AuditLine, Device, Inventory
from hil.dcc.inventory.known_parties import KnownParties
from hil.dcc.inventory.systems import CheckList
from hil.dcc.own_services.execution import Execution
from hil.dcc.own_services.firmware import Firmware
from hil.dcc.own_services.hub_reports import HubReports
from hil.dcc.own_services.own_services import OwnServices
from hil.dcc.own_services.schedules import Schedules
from hil.dcc.own_services.wan_matrix import WanMatrix
from hil.dcc.parties.acb import AccessControlBroker, OriginatorCounters
from hil.dcc.parties.cos_signer import CosSigner
from hil.dcc.parties.smki import Repository
from hil.dcc.parties.users import User
from hil.dcc.registration import Registration
from hil.dcc.wan.headend import HeadEnd, HubEvents


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
        self._parties = dict(parties)
        self._users: dict[Eui64, User] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.store = DccStore(store_path)
        self.inventory = Inventory(self.store, clock.now, self._status_changed)
        self.check_list = CheckList(self.inventory)
        self.registration = Registration(self.store)
        self.known_parties = KnownParties(self.store)
        self.device_log_copy = DeviceLogCopy(self.store, self.inventory, clock.now)
        self.quarantine = Quarantine(self.store, clock.now)
        self.connections = Connections(self.store, clock)
        self.counters = OriginatorCounters(self.store, int(self.settings.first_counter))
        self.acb = AccessControlBroker(self.eui, self.keystore, self.counters)
        self.context = GatewayContext(self.keystore, self.inventory, self.registration, self.store, clock, self.settings, frozenset(own))
        self.gateway = Gateway(self.context, self.quarantine, trace)
        self.alerts = Alerts(
            self.store,
            clock,
            trace,
            self.settings,
            self.keystore,
            self.inventory,
            self.registration,
            self.device_log_copy,
            frozenset(own),
            self._deliver,
        )
        self.repository = Repository(self.store, self.keystore, self._tell_certificate)
        self.repository.load()
        self.responses = Responses(self.store, self.keystore, self.repository, self.inventory, trace, clock.now)
        self.schedules = Schedules(self.context, self.counters, trace, self._run_schedule)
        self.gateway.on_suspended = self.schedules.suspended
        effects = Effects(
            self.inventory,
            self.device_log_copy,
            self.known_parties,
            self.alerts,
            trace,
            self.schedules.tenancy_changed,
            self.repository,
        )
        self.answers = Answers(
            self.store,
            self.responses,
            effects,
            self.gateway,
            self.quarantine,
            self.alerts,
            clock,
            trace,
            self._users,
            frozenset(own),
            lambda chf, sequence: self.head_end.undelivered(chf, sequence),
            lambda chf, sequence: self.head_end.withdraw(chf, sequence),
            self.schedules.of_run,
            self.settings.scheduled_target_s,
            self.connections.sent,
        )
        self.hub_side = HubSide(self.store, self.inventory, self.alerts, self.answers, self.responses, clock, trace)
        self.head_end = HeadEnd(self.store, clock, trace, HubEvents(self.hub_side.hello, self.hub_side.message, self.alerts.power_lost))
        self.firmware = Firmware(self.context, self.head_end, trace, self.eui)
        self.alerts.on_credentials = self.answers.credentials_told
        self.alerts.cos = lambda: None if self.cos is None else self.cos.eui
        self.alerts.on_transfer, self.alerts.on_device_alert = self.firmware.transferred, self.firmware.device_told
        self.alerts.on_activation = self.firmware.activated
        self.wan_matrix = WanMatrix(self.store)
        self.hub_reports = HubReports(self.store, self.inventory, clock.now)
        self.own_services = OwnServices(
            self.context,
            self.alerts,
            self.eui,
            self.answers.return_local,
            self._install_parties,
            self.schedules,
            self.firmware,
            self.wan_matrix,
            self.hub_reports,
        )
        self.execution = Execution(self.own_services, self.store, clock, trace)
        self.journey = Journey(
            self.context,
            self.gateway,
            self.acb,
            self.counters,
            self.known_parties,
            self.device_log_copy,
            self.head_end,
            trace,
            lambda: self.cos,
        )
        self.sequence = Sequence(self.context, trace)
        self.held = HeldRequests(self.context, self.sequence, clock, trace, self._go_on)

    # Life

    async def start(self) -> None:
        """Go on where the store says: open outages are watched again, held requests held. Hubs are attached by the caller."""
        self.alerts.watch_outages()
        self.held.resume()
        self.schedules.start()
        self.firmware.resume()

    async def close(self) -> None:
        """End connections and timers, close the store."""
        await self.alerts.close()
        await self.held.close()
        await self.schedules.close()
        await self.firmware.close()
        for task in tuple(self._tasks):
            task.cancel()
        await self.head_end.close()
        self.store.close()

    def attach_hub(self, link: WanLink, chf: Eui64 | None = None) -> asyncio.Task[None]:
        """Serve the hub behind ``link``; without ``chf`` its first HELLO names it."""
        return self.head_end.attach(link, chf)

    # Users and parties

    def add_user(self, user: User) -> None:
        """User entry (once per identifier), and the user's receiving service is there: what waits for it is delivered."""
        self.gateway.enter_user(user.eui64, user.role)
        self._users[user.eui64] = user
        for certificate in self.repository.published():
            user.learn(certificate)
        with self.store.transaction():
            self.answers.deliver_waiting(user)
            self.alerts.deliver_waiting(user.eui64)

    def remove_user(self, eui: Eui64) -> None:
        """The user's receiving service is away; its rights stay."""
        self._users.pop(eui, None)

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
        self._install_parties(device)
        return device

    def _install_parties(self, device: Device) -> None:
        self.known_parties.install(device, self._parties)

    def _tell_certificate(self, certificate: x509.Certificate) -> None:
        for user in self._users.values():
            user.learn(certificate)

    def _deliver(self, party: Eui64, delivery: Delivery) -> bool:
        user = self._users.get(party)
        if user is None:
            return False
        if not user.deliver(delivery):
            self.trace.emit("dcc", f"user {party}", "reported", target="dcc", code=delivery.code, reason="not meant for this user")
        self.connections.sent(party, len(delivery.octets or b""))
        return True

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
        counter = self.counters.next(user.eui64)
        identifier = counter << 32 if top_up else counter
        return new_request(variant, user.eui64, target or self.eui, identifier, body, command_variant, preceding=preceding)

    async def send(
        self,
        user: User,
        request: ServiceRequest,
        *,
        wait_s: float | None = None,
        released: bool = False,
        connection: int | None = None,
        returns: int = 5,
    ) -> Outcome:
        """Send a service request as ``user`` and wait for its end. ``wait_s`` shortens or lengthens the wait for the Device;
        ``connection`` is that of the user it comes over (its first by default). ``returns`` is the command variant under which the user
        returns a signed pre-command: 5 over the SM WAN, 6 for local delivery, 7 both.

        Refusals, missing answers and failures are Outcomes, not exceptions.
        """
        outcome = await self._send(user, request, wait_s, released, connection, returns)
        self.sequence.ended(outcome.request)
        return outcome

    async def _send(
        self, user: User, request: ServiceRequest, wait_s: float | None, released: bool, connection: int | None, returns: int
    ) -> Outcome:
        travel, started = Travel(self.clock), self.clock.now()
        name = str(request.request_id)
        self.counters.saw(request.request_id.originator, request.request_id.counter)
        self.trace.emit("dcc", f"user {user.eui64}", "requested", target="gateway", message=name, variant=request.service_reference_variant)
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
        if self.held.cancels(arrival):
            return self.execution.cancelled(arrival, self._cancel_like(arrival), travel, started)
        if arrival.request.preceding is not None or self.held.due(arrival) is not None:
            refusal = await self.held.wait(arrival)
            travel.leg("held until its execution time")
            started = self.clock.now()
        if refusal is None and not arrival.service.device_service:
            return self.execution.execute(arrival, travel, started)
        refusal = refusal or self.journey.travel(user, arrival, travel)
        if refusal is not None:
            return self.execution.refused(request, refusal, travel, started)
        return await self.answers.outcome(user, request.request_id, travel=travel, wait_s=wait_s)

    async def _run_schedule(self, request: ServiceRequest, service: Service, number: int, due: float) -> Refusal | None:
        arrival = self.gateway.receive_run(request, service, due)
        if isinstance(arrival, Refusal):
            return arrival
        refusal = self.journey.travel(self._users.get(arrival.sender), arrival, Travel(self.clock))
        if refusal is None:
            task = asyncio.create_task(self.answers.settle(str(request.request_id)), name=f"run of schedule {number}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return refusal

    async def _go_on(self, arrival: Arrival) -> Refusal | None:
        """A request that was held by a DCC before this one."""
        travel = Travel(self.clock)
        if arrival.service.device_service:
            return self.journey.travel(self._users.get(arrival.sender), arrival, travel)
        return self.execution.execute(arrival, travel, self.clock.now()).refusal

    def _cancel_like(self, arrival: Arrival) -> list[str]:
        return self.held.cancel(arrival.sender, target=arrival.request.request_id.target, variant=arrival.service.variant)

    def cancel(self, user: User, request: RequestId) -> bool:
        """Cancel a request of ``user`` that the DCC holds; False if it holds none of that name. Its sender is told (GW-63)."""
        return bool(self.held.cancel(user.eui64, request=str(request)))

    async def outcome(self, user: User, request: RequestId, *, wait_s: float | None = None) -> Outcome:
        """The end of a request sent before, by this Dcc or by one that used the same store. Raises NotAvailable for an unknown one."""
        return await self.answers.outcome(user, request, wait_s=wait_s)

    async def release(self, number: int) -> Outcome | None:
        """Release a quarantined message: a request goes on as if CK-7 had passed, a Response is delivered (None). Raises NotQuarantined."""
        held = self.quarantine.settle(number, "released")
        if held.direction == "response":
            self.answers.release(held)
            return None
        read = self.gateway.read(held.octets)
        user = None if held.user is None else self._users.get(held.user)
        if isinstance(read, Refusal) or user is None:
            raise NotAvailable(f"user {held.user}", "add the user before its request is released")
        return await self.send(user, read, released=True)

    def discard(self, number: int) -> None:
        """Discard a quarantined message. Raises NotQuarantined."""
        self.quarantine.settle(number, "discarded")

    # From the hubs

    def strays(self) -> tuple[Stray, ...]:
        """Messages that reached nobody, oldest first."""
        return self.responses.strays()

    def _status_changed(self, line: AuditLine) -> None:
        self.schedules.status_changed(line)
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
