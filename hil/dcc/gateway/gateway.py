"""The user gateway: who its users are, the checks on arrival, the pre-commands it remembers, and what it refuses.

A signed pre-command must be, but for the signature, exactly a pre-command that was issued to that user and is still open
(sec2-rules PR-03 [132 e, f, 155]).
"""

from __future__ import annotations

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import CommsHubError, DecodeError, KeystoreError, ProtectionError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import check_signature
from firmware_emu.ids import Eui64
from hil.dcc.anomaly import ANOMALIES
from hil.dcc.base.bus import Bus
from hil.dcc.base.refusals import refused
from hil.dcc.base.requests import RequestEvent
from hil.dcc.base.results import Refusal
from hil.dcc.base.services import Service, UserRole
from hil.dcc.duis import RequestError, ServiceRequest, Verified, read_request, write_request
from hil.dcc.duis.node import Node
from hil.dcc.duis.request import CommandVariant
from hil.dcc.gateway.checks import RELEASED, UNSIGNED, first_failure
from hil.dcc.gateway.context import Arrival, GatewayContext, prove, service_of
from hil.dcc.gateway.quarantine import MessageDirection, Quarantine
from hil.dcc.parties.users import UserSuspended


class UserEntryError(CommsHubError):
    """An identifier that cannot become a user."""


class Gateway:
    """One gateway for all users."""

    def __init__(self, context: GatewayContext, quarantine: Quarantine, bus: Bus) -> None:
        self._context = context
        self._quarantine = quarantine
        self._bus = bus

    # Users

    def enter_user(self, eui: Eui64, role: UserRole) -> None:
        """User entry: one identifier per role (ID-02, ID-03 [116, 117]). Raises UserEntryError."""
        known = self._context.users.role(eui)
        if known is not None and known is not role:
            raise UserEntryError(f"{eui} is a user in role {known}: one identifier stands for one role [116], give {role} another")
        if eui in self._context.dcc:
            raise UserEntryError(f"{eui} is the DCC's own identifier: DCC capacities have identifiers of their own [117]")
        self._context.users.enter(eui, role)

    def suspend(self, eui: Eui64, reason: str) -> None:
        """Suspend a user's rights (M8 [125])."""
        self._context.users.suspend(eui, reason)
        self._bus.tell(UserSuspended(eui))

    def reinstate(self, eui: Eui64) -> None:
        """End a suspension."""
        self._context.users.suspend(eui, None)

    # Messages

    def receive(
        self, request: ServiceRequest, *, released: bool = False, returns: CommandVariant = CommandVariant.SIGNED_SEND
    ) -> Arrival | Refusal:
        """Run the checks; an accepted service request is recorded in the same transaction. Anomalous ones are quarantined."""
        service = service_of(request)
        if service is None:
            return self._refuse(request, refused("ck1-no-such-service", variant=request.service_reference_variant))
        proof = prove(self._context.keystore, request)
        if isinstance(proof, Verified):
            request = proof.value
        arrival = Arrival(request, service, self._context.inventory.device(request.request_id.target), returns, proof)
        with self._context.store.transaction():
            refusal = first_failure(self._context, arrival, without=RELEASED if released else frozenset())
            if refusal is None and not request.is_signed_pre_command:
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
        arrival = Arrival(request, service, self._context.inventory.device(request.request_id.target))
        with self._context.store.transaction():
            refusal = first_failure(self._context, arrival, without=UNSIGNED)
            self._record(arrival, received=due, execute_at=due)
            if refusal is not None:
                self._context.requests.move(arrival.name, RequestEvent.REFUSE)
        return arrival if refusal is None else self._refuse(request, refusal)

    def _record(self, arrival: Arrival, *, received: float, execute_at: float | None = None) -> None:
        request = arrival.request
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
            message = Message.decode(Node(arrival.request.body).base64("GBCSPayload"))
        except DecodeError as error:
            return self._refuse(arrival.request, refused("pre-command-unreadable", problem=error))
        if (
            stored is None
            or stored.pre_command is None
            or message.signed_bytes != Message.decode(stored.pre_command).signed_bytes
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
