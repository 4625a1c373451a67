"""What the gateway works with: one arrival (a request with its service and Device), and the context it is looked up in."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.ids import Eui64
from hil.dcc.base.profile import DccProfile
from hil.dcc.base.services import Service, UserRole, schedule
from hil.dcc.base.store import DccStore
from hil.dcc.duis import ServiceRequest, Verified, verify_request
from hil.dcc.inventory.inventory import Device, Inventory
from hil.dcc.parties.protection import signing_certificate
from hil.dcc.registration import Registration

TRANSFORM = 4
"""The command variant of a critical request, which asks for its pre-command."""
LOCAL = frozenset({2, 3, 6, 7})
"""Command variants that return the Command to the user (reference dcc-side 1)."""


@dataclass(frozen=True, slots=True)
class GatewayContext:
    """What the checks look things up in."""

    keystore: Keystore
    inventory: Inventory
    registration: Registration
    store: DccStore
    clock: Clock
    profile: DccProfile
    dcc: frozenset[Eui64]
    """The DCC's own identifiers, the targets of non-device services."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One service request or signed pre-command at the gateway."""

    request: ServiceRequest
    service: Service
    device: Device | None
    returns: int = 5
    """Of a critical request: the command variant under which its user will return the signed pre-command (5 over the SM WAN, 6 for
    local delivery, 7 both). This bench's user says so at once; what counts is asked again when it comes back."""
    proof: Verified[ServiceRequest] | ProtectionError | KeystoreError | None = None
    """What the signature proved, or why it proved nothing; None for a run of a schedule, which the DCC itself makes. ``request`` is
    the proven one where there is a proof."""

    @property
    def way(self) -> int:
        """The command variant that says how the Command travels."""
        return self.returns if self.request.command_variant == TRANSFORM else self.request.command_variant

    @property
    def sender(self) -> Eui64:
        return self.request.request_id.originator

    @property
    def local(self) -> bool:
        return self.way in LOCAL

    @property
    def over_wan(self) -> bool:
        return self.service.device_service and self.way not in (2, 6)


def prove(keystore: Keystore, request: ServiceRequest) -> Verified[ServiceRequest] | ProtectionError | KeystoreError:
    """The request as its sender's signature proves it, or why it proves nothing."""
    try:
        return verify_request(request, signing_certificate(keystore, request.request_id.originator))
    except (ProtectionError, KeystoreError) as error:
        return error


def user_role(context: GatewayContext, sender: Eui64) -> UserRole | None:
    """The role under which this identifier was registered, None for a stranger."""
    row = context.store.row("SELECT role FROM users WHERE eui = ?", (str(sender),))
    return None if row is None else UserRole(row["role"])


def roles_of(context: GatewayContext, service: Service) -> frozenset[UserRole]:
    """Who may send the service, by the edition that the profile names."""
    return service.roles_2013 if context.profile.edition_2013 and service.roles_2013 else service.roles


def service_of(request: ServiceRequest) -> Service | None:
    """The row of the schedule."""
    return schedule().get(request.service_reference_variant)
