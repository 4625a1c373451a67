"""Context of the gateway: one arrival (a request with its service and Device), and the parts it is looked up in."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc.anomaly import AnomalyThresholds
from hil.dcc.base.profile import DccProfile
from hil.dcc.base.requests import Requests
from hil.dcc.base.services import Service, UserRole, schedule
from hil.dcc.base.store import DccStore
from hil.dcc.duis import ServiceRequest, Verified, verify_request
from hil.dcc.duis.request import CommandVariant
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import Device, Inventory
from hil.dcc.inventory.rows import KnownParties
from hil.dcc.parties.protection import signing_certificate
from hil.dcc.parties.users import EnteredUsers
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
