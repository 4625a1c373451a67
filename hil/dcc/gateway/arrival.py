"""An arrival at the gateway: a request with its service and Device, what it is looked up in, and the checks it meets in their order.

Each check names its rule, what it read and the response code where one is published. Source: sec2-rules section 4 [134-139]; codes
from ``response_codes.csv`` (E1 to E5, E11, E12, E17, E19). The consultation lists the checks without ranking them; the order here is
a choice, and stops at the first failure (CK-10).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.crypto.certificate_profile import CertificateProfile, check_certificate
from firmware_emu.crypto.certificates import check_path
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.checks import LARGEST_COUNTER
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc.anomaly import AnomalyThresholds
from hil.dcc.base.profile import DccProfile
from hil.dcc.base.refusals import RefusalReason, refused
from hil.dcc.base.requests import Requests, RequestState
from hil.dcc.base.results import Refusal
from hil.dcc.base.services import NETWORK_OPERATORS, SUPPLIERS, Service, UserRole, schedule
from hil.dcc.base.store import DccStore
from hil.dcc.duis import ServiceRequest, Verified, verify_request, write_request
from hil.dcc.duis.request import CANCELLATION, NON_CRITICAL, SIGNED, CommandVariant, Node, other_device, text
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import COMMISSIONED, METERS, Device, Inventory, KnownParties, joined_pair, mpxns_of
from hil.dcc.inventory.rules import rules
from hil.dcc.parties.users import EnteredUsers, signing_certificate
from hil.dcc.registration import Registration


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayContext:
    """Parts that the DCC looks things up in, and records with. ``store`` is for its transactions; each table has its own module."""

    clock: Clock
    trace: Trace
    store: DccStore
    profile: DccProfile
    keystore: Keystore
    broker: Eui64
    """The Access Control Broker, which is the DCC's own identifier."""
    dcc: frozenset[Eui64]
    """The DCC's own identifiers, the targets of non-device services."""
    requests: Requests
    users: EnteredUsers
    inventory: Inventory
    device_logs: DeviceLogCopy
    known_parties: KnownParties
    registration: Registration
    thresholds: AnomalyThresholds


@dataclass(frozen=True, slots=True)
class Arrival:
    """One service request or signed pre-command at the gateway."""

    request: ServiceRequest
    service: Service
    device: Device | None
    returns: CommandVariant = CommandVariant.SIGNED_SEND
    """Of a critical request: the command variant under which its user will return the signed pre-command. This bench's user says so at
    once; what counts is asked again when it comes back."""
    again: bool = False
    """It was answered in its exchange before, with a pre-command or a Command for local delivery, and comes once more: that exchange may
    have been cut off, so it is answered as before."""
    proof: Verified[ServiceRequest] | ProtectionError | KeystoreError | None = None
    """Content that the signature proved, or the reason why it proved none; None for a run of a schedule, which the DCC makes. ``request``
    is
    the proven one where there is a proof."""

    @property
    def name(self) -> str:
        """The request's identifier as text."""
        return str(self.request.request_id)

    @property
    def way(self) -> CommandVariant:
        """The command variant that says how the Command travels."""
        given = self.request.command_variant
        return self.returns if given is CommandVariant.TRANSFORM else given

    @property
    def sender(self) -> Eui64:
        return self.request.request_id.originator

    @property
    def local(self) -> bool:
        return self.way.local

    @property
    def over_wan(self) -> bool:
        return self.service.device_service and self.way not in (CommandVariant.RETURN, CommandVariant.SIGNED_RETURN)


def prove(keystore: Keystore, request: ServiceRequest) -> Verified[ServiceRequest] | ProtectionError | KeystoreError:
    """The request as its sender's signature proves it, or why it proves nothing."""
    try:
        return verify_request(request, signing_certificate(keystore, request.request_id.originator))
    except (ProtectionError, KeystoreError) as error:
        return error


def roles_of(context: GatewayContext, service: Service) -> frozenset[UserRole]:
    """Roles that may send the service, by the edition that the profile names."""
    return service.roles_2013 if context.profile.edition_2013 and service.roles_2013 else service.roles


def service_of(request: ServiceRequest) -> Service | None:
    """The row of the schedule."""
    return schedule().get(request.service_reference_variant)


NOT_LISTED = frozenset({"inv-not-listed", "inv-commission-not-listed"})
"""Reasons that say that a Device is not in the inventory: the code is then that of an unknown Device."""


def structure(context: GatewayContext, arrival: Arrival) -> Refusal | None:
    """CK-1: structure and content agree with the schedule."""
    service, request = arrival.service, arrival.request
    if not service.device_service:
        wanted = frozenset({CommandVariant.NON_DEVICE})
    elif request.is_signed_pre_command:
        wanted = SIGNED
    else:
        wanted = frozenset({CommandVariant.TRANSFORM}) if service.critical else NON_CRITICAL
    if request.command_variant not in wanted:
        kind = "non-device" if not service.device_service else "critical" if service.critical else "non-critical"
        return refused(
            "ck1-command-variant", variant=request.command_variant, kind=kind, wanted=" or ".join(f"{one:d}" for one in sorted(wanted))
        )
    if not service.device_service and request.request_id.target not in context.dcc:
        return refused("ck1-target-not-the-dcc", target=request.request_id.target, variant=service.variant, dcc=min(context.dcc))
    # A Device takes no counter above 2^63 - 1 (reference gbcs-behaviour 4); the last value of all would leave the user none.
    largest = LARGEST_COUNTER if service.device_service else (1 << 64) - 2
    if request.request_id.counter > largest:
        return refused("ck1-counter", counter=request.request_id.counter, largest=largest)
    as_in_2013 = bool(context.profile.edition_2013) and service.of_2013
    future_dated = service.future_dated_2013 if as_in_2013 else bool(service.future_dated)
    if text(request, "ExecutionDateTime") and not future_dated:
        return refused("ck1-not-future-dated", variant=service.variant)
    on_demand = service.on_demand_2013 if as_in_2013 else service.on_demand_s is not None
    if service.future_dated and not on_demand and not text(request, "ExecutionDateTime"):
        return refused("ck1-not-on-demand", variant=service.variant)
    return None


def user(context: GatewayContext, arrival: Arrival) -> Refusal | None:
    """CK-2: a user in a role that may send the service, not suspended."""
    sender = context.users.find(arrival.sender)
    if sender is None:
        return refused("ck2-no-user", sender=arrival.sender)
    if sender.suspended is not None:
        return refused("ck2-suspended", sender=arrival.sender, reason=sender.suspended)
    allowed = roles_of(context, arrival.service)
    if allowed.isdisjoint(sender.roles):
        return refused(
            "ck2-role",
            role=" ".join(sender.roles),
            service=f"{arrival.service.variant} {arrival.service.name}",
            allowed=" or ".join(sorted(allowed)) or "nobody: no role has this service",
        )
    return None


def device_status(context: GatewayContext, arrival: Arrival) -> Refusal | None:
    """CK-3: the inventory lets this user send this service to this Device now."""
    service, device, target = arrival.service, arrival.device, arrival.request.request_id.target
    if not service.device_service:
        return None
    if device is None:
        return refused("ck3-not-listed", target=target)
    if service.device_types and device.type.name not in service.device_types:
        types = " or ".join(sorted(service.device_types))
        return refused("ck3-device-type", variant=service.variant, type=device.type.name, target=target, types=types)
    if service.reference == "8.5" and device.type in METERS and device.domestic:
        return refused("ck3-domestic-opt-out", type=device.type.name, target=target)
    if service.variant == "8.12.1" and (refusal := _restore(context, arrival)) is not None:
        return refusal
    if arrival.local and (refusal := _local(context, arrival, device)) is not None:
        return refusal
    if not arrival.over_wan:
        return None
    if reasons := _commissioning_refusals(context, arrival, device):
        listed = all(reason.name not in NOT_LISTED for reason in reasons)
        name = "ck3-commissioning" if listed else "ck3-commissioning-not-listed"
        return refused(name, reasons="; ".join(reasons), next=reasons[0].next_step)
    services = rules().service_status.get(device.status, ())
    if "*" not in services and service.reference not in services:
        named = [status for status, some in rules().service_status.items() if "*" in some or service.reference in some]
        return refused("ck3-status", type=device.type.name, target=target, status=device.status, wanted=" or ".join(named))
    hub = context.inventory.hub_of(target)
    chf = None if hub is None else context.inventory.device(hub)
    if chf is None:
        return refused("ck3-no-hub", type=device.type.name, target=target)
    if chf.status != COMMISSIONED:
        return refused("ck3-hub-not-commissioned", hub=hub, status=chf.status)
    return None


def _restore(context: GatewayContext, arrival: Arrival) -> Refusal | None:
    """8.12.1: the Lead Supplier of the old hub asks, and there is a copy of its log."""
    old = other_device(arrival.request, "OldCHFID")
    device = None if old is None else context.inventory.device(old)
    if old is None or device is None or context.device_logs.copy(old) is None:
        return refused("ck3-no-log-to-restore", hub=old)
    lead = context.registration.lead_supplier(mpxns_of(context.inventory, device), context.clock.now())
    return refused("ck3-not-the-lead", sender=arrival.sender, hub=old, lead=lead) if lead not in (None, arrival.sender) else None


def _local(context: GatewayContext, arrival: Arrival, device: Device) -> Refusal | None:
    roles = context.users.roles(arrival.sender)
    who = "suppliers" if roles & SUPPLIERS else "others"
    if UserRole.RSA not in roles and device.status in rules().local_status[who]:
        return None
    return refused("ck3-local", role=" ".join(sorted(roles)), type=device.type.name, status=device.status)


def _commissioning_refusals(context: GatewayContext, arrival: Arrival, device: Device) -> tuple[RefusalReason, ...]:
    if arrival.service.variant == "8.1.1":
        return context.inventory.commission_refusals(device.eui)
    pair = joined_pair(context.inventory, arrival.request)
    if arrival.service.reference != "8.7" or pair is None:
        return ()
    follower, meter = pair
    if follower.status == COMMISSIONED:
        return ()
    return context.inventory.commission_refusals(follower.eui, (meter.eui,))


_BESIDE = ("DeviceID", "OtherDeviceID", "OldGPFID")


def registration(context: GatewayContext, arrival: Arrival) -> Refusal | None:
    """CK-4: for non-critical device services, the sender is the registered party of the MPxN; not for critical ones [fn13]."""
    service, device = arrival.service, arrival.device
    roles = context.users.roles(arrival.sender) & (SUPPLIERS | NETWORK_OPERATORS | {UserRole.RSA})
    if not service.device_service or device is None or not roles:
        return None  # other users are not in the registration data
    if (refusal := _device_beside(context, arrival, roles)) is not None:
        return refusal
    if service.critical and service.variant != "6.23":
        return None
    mpxns = mpxns_of(context.inventory, device, arrival.request)
    return _registered(context, arrival, roles, mpxns) if mpxns else _without_mpxn(context, arrival, device)


def _registered(context: GatewayContext, arrival: Arrival, roles: frozenset[UserRole], mpxns: tuple[str, ...]) -> Refusal | None:
    now = _needed(context, arrival)
    if any(context.registration.party(mpxn, role, now) == arrival.sender for mpxn in mpxns for role in roles):
        return None
    role = min(roles)
    found = ", ".join(f"{mpxn}: {context.registration.party(mpxn, role, now) or 'nobody'}" for mpxn in mpxns)
    return refused("ck4-not-registered", role=" ".join(sorted(roles)), found=found, sender=arrival.sender)


def _device_beside(context: GatewayContext, arrival: Arrival, roles: frozenset[UserRole]) -> Refusal | None:
    """A Device that the request adds, removes, joins, unjoins or restores from is its parties' to name, critical or not: a meter its own,
    any other those of its home (choice: equipment is shared). The answer of a hub or meter of one's own changes what the inventory says
    of it, and with that whose it is."""
    named = next((found for name in _BESIDE if (found := other_device(arrival.request, name)) is not None), None)
    beside = None if named is None else context.inventory.device(named)
    if beside is None or context.known_parties.knows(beside.eui, arrival.sender):
        return None
    hub = None if beside.type in METERS else context.inventory.hub_of(beside.eui)
    home = None if hub is None else context.inventory.device(hub)
    mpxns = mpxns_of(context.inventory, home or beside)
    return _registered(context, arrival, roles, mpxns) if mpxns else None


def _needed(context: GatewayContext, arrival: Arrival) -> float:
    """The date and time at which the sender needs the right (E4): the execution time of a future-dated request (COS-02), else now."""
    body, now = Node(arrival.request.body), context.clock.now()
    if not body.has("ExecutionDateTime") or body.moment("ExecutionDateTime") == CANCELLATION:
        return now
    return max(now, (body.moment("ExecutionDateTime") - EPOCH).total_seconds())


def _without_mpxn(context: GatewayContext, arrival: Arrival, device: Device) -> Refusal | None:
    """No MPxN is known yet: installation. A hub without meters serves any supplier; another Device whoever pre-notified it or
    is held by it (choice)."""
    if device.type in (DeviceType.CHF, DeviceType.GPF) and context.users.roles(arrival.sender) & SUPPLIERS:
        return None
    if device.notified_by == arrival.sender or context.known_parties.knows(device.eui, arrival.sender):
        return None
    return refused("ck4-no-mpxn", target=device.eui, sender=arrival.sender)


def credentials(context: GatewayContext, arrival: Arrival) -> Refusal | None:
    """CK-5: the request is signed by the user it names."""
    if not context.profile.request_signatures:
        return None
    return None if isinstance(arrival.proof, Verified) else refused("ck5-credentials", problem=arrival.proof)


def certificate(context: GatewayContext, arrival: Arrival) -> Refusal | None:
    """CK-6: the sender's certificate leads to a trusted authority and is in date."""
    if not context.profile.request_signatures:
        return None
    try:
        cert = signing_certificate(context.keystore, arrival.sender)
        check_certificate(cert, CertificateProfile.ORGANISATION)
        if context.profile.certificate_paths:
            check_path(cert, context.keystore.authorities(), context.clock.datetime())
    except (ProtectionError, KeystoreError) as error:
        return refused("ck6-certificate", problem=error)
    return None


def anomaly(context: GatewayContext, arrival: Arrival) -> Refusal | None:
    """CK-7: the volume is inside the thresholds agreed with the user (a service's own or one for all, ``*``) and those of the DCC for
    all users together, and values are inside their limits (reference dcc-notes 8).

    A critical request counts once, when its service request comes.
    """
    if arrival.request.is_signed_pre_command:
        return None
    reference = arrival.service.reference
    now = context.clock.now()
    return context.thresholds.count(arrival.sender, reference, now) or context.thresholds.breach(arrival.request, reference, now)


def given_before(context: GatewayContext, request: ServiceRequest) -> bool:
    """True if the same octets, or the same command signed, were answered in their exchange before, and nothing has followed."""
    stored = context.requests.find(str(request.request_id))
    if stored is None or not context.profile.request_ids_once:
        return False
    if request.is_signed_pre_command:
        return stored.state is RequestState.RETURNED and request.command_variant is CommandVariant.SIGNED_RETURN
    given = stored.state is RequestState.PRE_COMMAND or (stored.state is RequestState.RETURNED and stored.pre_command is None)
    return given and stored.xml == write_request(request)


def duplicate(context: GatewayContext, arrival: Arrival) -> Refusal | None:
    """CK-8: a request identifier is used once (MS-02), but for the repetition of what its user may not have been told; a signed
    pre-command answers an open pre-command once."""
    stored = context.requests.find(arrival.name)
    if arrival.again:
        return None
    if arrival.request.is_signed_pre_command:
        if stored is None:
            return refused("ck8-no-pre-command", request=arrival.name, state="no pre-command was issued for it")
        waited, open_s = context.clock.now() - (stored.pre_command_at or 0.0), context.profile.pre_command_open_s
        unsigned = stored.pre_command_at is not None and stored.returned is None
        if waited > open_s and (stored.state is RequestState.PRE_COMMAND or (unsigned and stored.state is RequestState.REFUSED)):
            return refused("ck8-pre-command-late", request=arrival.name, open_s=f"{open_s:g}", waited=f"{waited:.0f}")
        if stored.state is RequestState.PRE_COMMAND:
            return None
        return refused("ck8-no-pre-command", request=arrival.name, state=f"it is {stored.state} already")
    if stored is not None and context.profile.request_ids_once:
        return refused("ck8-duplicate", request=arrival.name, state=stored.state)
    return None


CHECKS: tuple[Callable[[GatewayContext, Arrival], Refusal | None], ...] = (
    structure,
    user,
    device_status,
    registration,
    credentials,
    certificate,
    anomaly,
    duplicate,
)
"""In the order they run. Non-device services pass device_status and registration untouched (CK-09 [139])."""


RELEASED = frozenset({anomaly})
"""Checks that a request from quarantine is spared."""
UNSIGNED = frozenset({credentials, duplicate})
"""Checks that a run of a schedule is spared: its signature was that of the 5.1, its identifier is the DCC's own."""


def first_failure(
    context: GatewayContext, arrival: Arrival, *, without: frozenset[Callable[[GatewayContext, Arrival], Refusal | None]] = frozenset()
) -> Refusal | None:
    """Run the checks in order, but for those of ``without``, and stop at the first that fails."""
    return next((refusal for check in CHECKS if check not in without and (refusal := check(context, arrival)) is not None), None)
