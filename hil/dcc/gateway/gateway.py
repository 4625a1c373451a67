"""The user gateway: a request in, the pre-commands it remembers, and the way of a device service from the user to the SM WAN.

A signed pre-command must be, but for the signature, exactly a pre-command that was issued to that user and is still open
(sec2-rules PR-03 [132 e, f, 155]). The journey of a device service (checks, transform, the critical round trip, MAC, post; sec2-rules
PR-01 to PR-03) happens without waiting; what the Device answers is the business of :mod:`hil.dcc.answers.answers`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Protocol

from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.clock import Clock
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.errors import CommsHubError, DecodeError, KeystoreError, ProtectionError, StoreTrouble
from firmware_emu.gbcs.envelope import Message, message_of
from firmware_emu.gbcs.protect import check_signature
from firmware_emu.ids import Eui64
from hil.dcc.anomaly import ANOMALIES
from hil.dcc.base.refusals import refused
from hil.dcc.base.requests import RequestEvent
from hil.dcc.base.results import LegMessage, Refusal
from hil.dcc.base.services import NUMBERED, Service, UserRole
from hil.dcc.base.store import Bus
from hil.dcc.duis import RequestError, ServiceRequest, Verified, read_request, write_request
from hil.dcc.duis.request import CommandVariant, Node
from hil.dcc.gateway.arrival import RELEASED, UNSIGNED, Arrival, GatewayContext, first_failure, given_before, prove, roles_of, service_of
from hil.dcc.gateway.quarantine import MessageDirection, Quarantine
from hil.dcc.inventory.inventory import Device
from hil.dcc.parties.acb import AccessControlBroker, OriginatorCounters
from hil.dcc.parties.cos_signer import CosSigner
from hil.dcc.parties.users import NotCorrelated, User, UserSuspended
from hil.dcc.transform import DeviceProfile, KnownDevice, StoredLog, TransformContext, originated_by_dcc, transform


class UserEntryError(CommsHubError):
    """An identifier that cannot become a user."""


class Gateway:
    """One gateway for all users."""

    def __init__(self, context: GatewayContext, quarantine: Quarantine, bus: Bus) -> None:
        self._context = context
        self._quarantine = quarantine
        self._bus = bus

    # Users

    def enter_user(self, eui: Eui64, *roles: UserRole) -> None:
        """User entry: one identifier per role (ID-02, ID-03 [116, 117]); several ``roles`` are those of the published test parties,
        whose one identifier stands for them all. Raises UserEntryError."""
        if eui in self._context.dcc:
            raise UserEntryError(f"{eui} is the DCC's own identifier: DCC capacities have identifiers of their own [117]")
        with self._context.store.transaction():
            known = self._context.users.roles(eui)
            if known and not known.issuperset(roles):
                held, asked = " ".join(sorted(known)), " ".join(sorted(set(roles) - known))
                raise UserEntryError(f"{eui} is a user in role {held}: one identifier stands for one role [116], give {asked} another")
            self._context.users.enter(eui, roles)

    def suspend(self, eui: Eui64, reason: str) -> None:
        """Suspend a user's rights (M8 [125])."""
        with self._context.store.transaction():
            self._context.users.suspend(eui, reason)
            self._bus.tell(UserSuspended(eui))

    def reinstate(self, eui: Eui64) -> None:
        """End a suspension."""
        self._context.users.suspend(eui, None)

    # Messages

    def receive(
        self,
        request: ServiceRequest,
        *,
        released: bool = False,
        returns: CommandVariant = CommandVariant.SIGNED_SEND,
        repeated: bool = False,
    ) -> Arrival | Refusal:
        """Run the checks; an accepted service request is recorded in the same transaction. Anomalous ones are quarantined. ``repeated``:
        one that was answered before may come again."""
        service = service_of(request)
        if service is None:
            return self._refuse(request, refused("ck1-no-such-service", variant=request.service_reference_variant))
        proof = prove(self._context.keystore, request)
        if isinstance(proof, Verified):
            request = proof.value
        with self._context.store.transaction():
            again = repeated and given_before(self._context, request)
            arrival = Arrival(request, service, self._context.inventory.device(request.request_id.target), returns, again, proof)
            refusal = first_failure(self._context, arrival, without=RELEASED if released else frozenset())
            if refusal is None and again:
                pass  # it stands as it did
            elif refusal is None and not request.is_signed_pre_command:
                self._record(arrival, received=self._context.clock.now())
            elif refusal is None:
                self._context.requests.move(arrival.name, RequestEvent.TAKE_SIGNED)
            elif refusal.name in ANOMALIES:
                self._quarantine.hold(arrival.sender, MessageDirection.REQUEST, arrival.name, refusal.value, write_request(request))
        if refusal is not None:
            return self._refuse(request, refusal)
        kind = "signed pre-command" if request.is_signed_pre_command else "service request"
        self._context.trace.emit(
            "dcc",
            "gateway",
            "acknowledged",
            target=str(arrival.sender),
            message=arrival.name,
            kind=kind,
            variant=service.variant,
            code="I99",
        )
        return arrival

    def receive_run(self, request: ServiceRequest, service: Service, due: float) -> Arrival | Refusal:
        """A run of a schedule, which the DCC itself makes: the checks again, without those of a signature it does not carry (CK-12)."""
        with self._context.store.transaction():
            arrival = Arrival(request, service, self._context.inventory.device(request.request_id.target))
            refusal = first_failure(self._context, arrival, without=UNSIGNED)
            self._record(arrival, received=due, execute_at=due)
            if refusal is not None:
                self._context.requests.move(arrival.name, RequestEvent.REFUSE)
        return arrival if refusal is None else self._refuse(request, refusal)

    def _record(self, arrival: Arrival, *, received: float, execute_at: float | None = None) -> None:
        request = arrival.request
        if not self._context.profile.request_ids_once:
            self._context.requests.forget(arrival.name)
        self._context.requests.accept(
            arrival.name,
            arrival.sender,
            request.request_id.target,
            arrival.service.variant,
            write_request(request),
            received=received,
            execute_at=execute_at,
        )

    def accepted(self) -> tuple[tuple[str, bytes], ...]:
        """Every service request that passed the checks, oldest first: its variant, and its XML as it was signed."""
        return tuple((one.variant, one.xml) for one in self._context.requests.all())

    def read(self, octets: bytes) -> ServiceRequest | Refusal:
        """A request as it comes over the wire; what is not one fails CK-1 with element, line and expectation."""
        try:
            return read_request(octets)
        except RequestError as error:
            return refused("ck1-unreadable", problem=error, element=error.element)

    def remember(self, request: ServiceRequest, pre_command: Message) -> bytes:
        """Remember a pre-command and return its octets, which go to the user (GW-15)."""
        octets = pre_command.encode()
        self._context.requests.move(str(request.request_id), RequestEvent.GIVE_PRE_COMMAND, pre_command=octets)
        self._context.trace.emit(
            "dcc",
            "gateway",
            "returned",
            target=str(request.request_id.originator),
            message=str(pre_command.header.identifier),
            data=octets,
            kind="pre-command",
        )
        return octets

    def accept_signed(self, arrival: Arrival) -> Message | Refusal:
        """The message inside a signed pre-command, if it equals the remembered one and its signature holds."""
        stored = self._context.requests.find(arrival.name)
        try:
            message = message_of(Node(arrival.request.body).base64("GBCSPayload"))
        except DecodeError as error:
            return self._refuse(arrival.request, refused("pre-command-unreadable", problem=error))
        if (
            stored is None
            or stored.pre_command is None
            or message.signed_bytes != message_of(stored.pre_command).signed_bytes
            or message.mac is not None
        ):
            return self._refuse(arrival.request, refused("pre-command-changed"))
        try:
            check_signature(message, self._context.keystore.public_key(arrival.sender, KeyUsage.DIGITAL_SIGNATURE))
        except (ProtectionError, KeystoreError) as error:
            return self._refuse(arrival.request, refused("pre-command-signature", problem=error))
        return message

    def _refuse(self, request: ServiceRequest, refusal: Refusal) -> Refusal:
        self._context.trace.emit(
            "dcc",
            "gateway",
            "refused",
            target=str(request.request_id.originator),
            message=str(request.request_id),
            check=refusal.check,
            rule=refusal.rule,
            value=refusal.value,
            code=refusal.code,
            next=refusal.next_step,
            refusal=refusal.name,
        )
        return refusal


SLEEPY = frozenset({DeviceType.GSME})


class ToHubs(Protocol):
    """Carrier of Commands to the hubs."""

    def known(self, chf: Eui64) -> bool:
        """True if a link of this hub is there."""
        ...

    def post(self, chf: Eui64, message: bytes) -> int:
        """Store a message for the hub; the frame's sequence. Raises WanError."""
        ...


@dataclass
class Travel:
    """Times per leg in milliseconds, and the messages, that one request gathered on its way."""

    clock: Clock
    legs: dict[str, float] = field(default_factory=dict)
    messages: list[LegMessage] = field(default_factory=list)
    _mark: float = 0.0

    def __post_init__(self) -> None:
        self._mark = self._reading()

    def _reading(self) -> float:
        # Bench time stands still while a warp clock works: the work's own real time is added, so that a leg is never free.
        return self.clock.elapsed() + (time.perf_counter() if self.clock.warp else 0.0)

    def leg(self, name: str) -> None:
        """The leg ``name`` ends here."""
        now = self._reading()
        self.legs[name] = self.legs.get(name, 0.0) + 1000 * (now - self._mark)
        self._mark = now


@dataclass(frozen=True, slots=True)
class Journey:
    """The way out. ``cos`` is None on a bench without a CoS Party."""

    context: GatewayContext
    gateway: Gateway
    acb: AccessControlBroker
    counters: OriginatorCounters
    to_hubs: ToHubs
    cos: CosSigner | None

    def travel(self, user: User | None, arrival: Arrival, travel: Travel) -> Refusal | None:
        """Take an accepted request to the SM WAN, or to the user for local delivery. Returns why it went no further."""
        message = self._message(arrival, travel)
        if isinstance(message, Refusal):
            return message
        delivery = arrival.way
        if self._user_signs(arrival, message):
            if user is None:
                return self._give_up(arrival.name, refused("user-away", user=arrival.sender))
            answer = self._round_trip(user, arrival, message, travel)
            if isinstance(answer, Refusal):
                return self._give_up(arrival.name, answer)
            message, delivery = answer
        return self._send(arrival, message, delivery, travel)

    def pre_command(self, arrival: Arrival, travel: Travel) -> bytes | Refusal | None:
        """The pre-command for a user who signs somewhere else; None where there was none to sign and the Command has gone out."""
        message = self._message(arrival, travel)
        if isinstance(message, Refusal):
            return message
        if self._user_signs(arrival, message):
            return self.gateway.remember(arrival.request, message)
        return self._send(arrival, message, arrival.way, travel)

    def send_signed(self, arrival: Arrival, signed: Message, delivery: CommandVariant, travel: Travel) -> Refusal | None:
        """Send what a user has signed and returned for ``arrival``, its service request. Returns why it went no further."""
        return self._send(arrival, signed, delivery, travel)

    def _user_signs(self, arrival: Arrival, message: Message) -> bool:
        return arrival.service.critical and message.header.originator == arrival.sender

    def _message(self, arrival: Arrival, travel: Travel) -> Message | Refusal:
        """The request in the Device's form; signed where the CoS Party signs it."""
        request, device, name = arrival.request, arrival.device, arrival.name
        if device is None:
            return self._give_up(name, refused("ck3-not-listed", target=request.request_id.target))
        cos = self.cos if arrival.service.variant == "6.23" else None
        if arrival.service.variant == "6.23" and (refusal := self._ask_cos(cos, request)) is not None:
            return self._give_up(name, refusal)
        try:
            with self.context.store.transaction():
                context = self._context(arrival, device, cos)
                if cos is not None or originated_by_dcc(request, context):
                    context = replace(context, acb_counter=self.counters.next(self.acb.eui if cos is None else cos.eui))
                message = transform(request, context)
        except StoreTrouble:
            raise  # no fault of the request: it is tried again
        except CommsHubError as error:
            return self._give_up(name, refused("transform", problem=error))
        travel.leg("transform")
        self.context.trace.emit(
            "dcc",
            "transform",
            "transformed",
            target=f"{device.type.name.lower()} {device.eui}",
            message=str(message.header.identifier),
            request=name,
            use_case=f"{message.message_code:04x}",
            known_party=self._acts_as_known(arrival, device),
        )
        if cos is not None and not self._user_signs(arrival, message):
            signed = cos.sign(request, message.encode())
            return self._give_up(name, signed) if isinstance(signed, Refusal) else signed
        return message

    def _ask_cos(self, cos: CosSigner | None, request: ServiceRequest) -> Refusal | None:
        if cos is None:
            return refused("cos-none")
        refusal = cos.confirm(request)
        self.context.trace.emit(
            "dcc",
            "CoS party",
            "refused" if refusal else "confirmed",
            message=str(request.request_id),
            reason=None if refusal is None else str(refusal),
        )
        return refusal

    def _context(self, arrival: Arrival, device: Device, cos: CosSigner | None) -> TransformContext:
        sender = arrival.sender
        known = self._acts_as_known(arrival, device)
        return TransformContext(
            device_type=device.type,
            access_control_broker=self.acb.eui,
            acb_counter=None,
            created=self.context.clock.datetime(),
            certificate_of=lambda eui, usage: self.context.keystore.certificate(eui, usage).public_bytes(Encoding.DER),
            device_log=self._stored_log,
            known_party=known,
            originator_role=self.context.known_parties.role(device.eui, sender),
            device_type_of=lambda eui: None if (found := self.context.inventory.device(eui)) is None else found.type,
            registered_type_of=self.context.inventory.registered_type,
            profile=DeviceProfile(
                elements=2 if device.esme_variant.startswith("B") else 1, phases=3 if device.esme_variant.startswith("C") else 1
            ),
            customer_identification_number=self._customer_number(arrival),
            transitional_cos=None if cos is None else cos.eui,
            responsible_supplier=sender,
        )

    def _acts_as_known(self, arrival: Arrival, device: Device) -> bool:
        """True if the Device knows the sender, in a role in which it may send the service. A supplier that is an export supplier as well
        sends an export supplier's services as one, whom no Device knows (RTDS ECS21c, ECS39b)."""
        acts = self.context.users.roles(arrival.sender) & roles_of(self.context, arrival.service)
        return self.context.known_parties.knows(device.eui, arrival.sender) and acts != {UserRole.ES}

    def _customer_number(self, arrival: Arrival) -> str | None:
        """9.1: the DCC draws a number, sends it to the Device and gives it to the requester (services schedule 9.1)."""
        if arrival.service.variant != NUMBERED:
            return None
        number = f"{self.context.keystore.entropy.below(10_000):04d}"
        self.context.requests.draw_number(arrival.name, number)
        return number

    def _stored_log(self, hub: Eui64) -> StoredLog | None:
        copy, of_gpf = self.context.device_logs.copy(hub), self.context.device_logs.gpf_log(hub)
        if of_gpf:
            return StoredLog(tuple(KnownDevice(eui, device_type=kind) for eui, kind in of_gpf.items()))
        if copy is None:
            return None
        return StoredLog(tuple(KnownDevice(eui, link_hash) for eui, link_hash in copy.entries.items()), copy.extended_pan_id)

    def _round_trip(self, user: User, arrival: Arrival, message: Message, travel: Travel) -> tuple[Message, CommandVariant] | Refusal:
        """Pre-command to the user, signed pre-command back (PR-02 [155]): the message to send and the command variant of its delivery."""
        request = arrival.request
        pre_command = self.gateway.remember(request, message)
        travel.messages.append(LegMessage("c", "pre-command", pre_command))
        identifier = str(message.header.identifier)
        try:
            answer = user.answer(request, pre_command, arrival.returns, now=self.context.clock.datetime())
        except NotCorrelated as error:
            self.context.trace.emit("dcc", f"user {user.eui64}", "refused", message=identifier, reason=str(error))
            return refused("user-does-not-correlate", problem=error)
        except CommsHubError as error:
            return refused("user-cannot-sign", problem=error)
        travel.leg("user correlates and signs")
        self.context.trace.emit("dcc", f"user {user.eui64}", "signed", target="gateway", message=identifier)
        return self.take_signed(answer, travel)

    def take_signed(self, answer: ServiceRequest, travel: Travel) -> tuple[Message, CommandVariant] | Refusal:
        """A signed pre-command at the gateway: section 4 again, then equality and signature."""
        arrival = self.gateway.receive(answer)
        if isinstance(arrival, Refusal):
            return arrival
        signed = self.gateway.accept_signed(arrival)
        if isinstance(signed, Refusal):
            return signed
        travel.messages.append(LegMessage("e", "signed pre-command", signed.encode()))
        travel.leg("signed pre-command checks")
        return signed, answer.command_variant

    def _send(self, arrival: Arrival, message: Message, delivery: CommandVariant, travel: Travel) -> Refusal | None:
        name, device = arrival.name, arrival.device
        if device is None:
            return self._give_up(name, refused("ck3-not-listed", target=arrival.request.request_id.target))
        hub = self.context.inventory.hub_of(device.eui)
        try:
            # No signature yet: the ACB is the originator of a critical use case, for a party the Device does not hold [137].
            command = self.acb.protect(message, sign=message.signature is None)
        except CommsHubError as error:
            return self._give_up(name, refused("acb", problem=error))
        octets, identifier = command.encode(), str(command.header.identifier)
        shown = None if command.carries_secret else octets
        self.context.trace.emit("dcc", "acb", "protected", message=identifier, data=shown)
        travel.messages.append(LegMessage("f", "command", octets))
        now = self.context.clock.now()
        wait = self.context.profile.sleepy_response_wait_s if device.type in SLEEPY else self.context.profile.response_wait_s
        with self.context.store.transaction():
            sequence, event = None, RequestEvent.GIVE_COMMAND
            if delivery.over_wan:
                if hub is None or not self.to_hubs.known(hub):
                    return self._give_up(name, refused("wan-no-link", hub=hub))
                sequence, event = self.to_hubs.post(hub, octets), RequestEvent.POST
            self.context.requests.move(
                name,
                event,
                command=octets,
                command_id=identifier,
                deadline=now + wait,
                chf=str(hub) if hub else None,
                sequence=sequence,
            )
        if delivery.local:
            self.context.trace.emit(
                "dcc", "gateway", "returned", target=str(arrival.sender), message=identifier, data=shown, kind="command for local delivery"
            )
            travel.messages.append(LegMessage("d", "command for local delivery", octets))
        if sequence is not None:
            self.context.trace.emit("wan", "dcc", "sent", target=f"chf {hub}", message=identifier, data=shown)
        travel.leg("protect and post")
        return None

    def _give_up(self, name: str, refusal: Refusal) -> Refusal:
        self.context.requests.move(name, RequestEvent.REFUSE)
        self.context.trace.emit(
            "dcc",
            refusal.hop,
            "refused",
            message=name,
            check=refusal.check,
            rule=refusal.rule,
            value=refusal.value,
            code=refusal.code,
            refusal=refusal.name,
        )
        return refusal
