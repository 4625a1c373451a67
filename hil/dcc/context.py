"""What arrives at the gateway and what it is looked up in: the desk of the checks, a request with its service and Device, and the
readings of its body that checks, journey and effects share.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from lxml import etree

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.errors import IdentifierError, KeystoreError
from firmware_emu.ids import Eui64
from hil.dcc.base.profile import DccProfile
from hil.dcc.base.services import Service, UserRole, schedule
from hil.dcc.base.store import DccStore
from hil.dcc.duis import ServiceRequest
from hil.dcc.inventory.inventory import METERS, Device, Inventory
from hil.dcc.registration import Registration

TRANSFORM = 4
"""The command variant of a critical request, which asks for its pre-command."""
LOCAL = frozenset({2, 3, 6, 7})
"""Command variants that return the Command to the user (reference dcc-side 1)."""
COMMISSIONING_JOINS = frozenset({DeviceType.GPF, DeviceType.PPMID, DeviceType.HCALCS})
"""Kinds that a successful join with their meter commissions (choice, see inventory.toml)."""


@dataclass(frozen=True, slots=True)
class Desk:
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


def text(request: ServiceRequest, *path: str) -> str | None:
    """The text of the first element at ``path`` (local names) below the body, anywhere under the body's element."""
    found = request.body.xpath(".//" + "/".join(f"*[local-name()='{name}']" for name in path))
    if not isinstance(found, list) or not found or not isinstance(found[0], etree._Element):
        return None
    return (found[0].text or "").strip()


def has(request: ServiceRequest, name: str) -> bool:
    """Whether an element of this local name is in the body."""
    return bool(request.body.xpath(f".//*[local-name()='{name}']"))


def other_device(request: ServiceRequest, name: str) -> Eui64 | None:
    """The EUI-64 in the element ``name``, None where there is none."""
    found = text(request, name)
    try:
        return None if found is None else Eui64.parse(found)
    except IdentifierError:
        return None


def user_role(desk: Desk, sender: Eui64) -> UserRole | None:
    """The role under which this identifier was registered, None for a stranger."""
    row = desk.store.row("SELECT role FROM users WHERE eui = ?", (str(sender),))
    return None if row is None else UserRole(row["role"])


def roles_of(desk: Desk, service: Service) -> frozenset[UserRole]:
    """Who may send the service, by the edition that the profile names."""
    return service.roles_2013 if desk.profile.edition_2013 and service.roles_2013 else service.roles


def joined_pair(inventory: Inventory, request: ServiceRequest) -> tuple[Device, Device] | None:
    """Of a join of a meter and a GPF or Type 1 Device: (that Device, its meter); None for every other pair."""
    other = other_device(request, "OtherDeviceID")
    pair = [inventory.device(request.request_id.target), inventory.device(other) if other is not None else None]
    meters = [one for one in pair if one is not None and one.type in METERS]
    followers = [one for one in pair if one is not None and one.type in COMMISSIONING_JOINS]
    return (followers[0], meters[0]) if meters and followers else None


def mpxns_of(inventory: Inventory, device: Device, request: ServiceRequest | None = None) -> tuple[str, ...]:
    """The MPxNs a request about this Device concerns: those it names, and those of the Device's meters or else of its hub.

    6.23 concerns the MPxN it names alone. For a hub any supplier of one of its meters is eligible (choice: equipment is shared).
    """
    names = ("ImportMPxN", "SecondaryImportMPAN", "ExportMPAN")
    named = () if request is None else tuple(found for name in names if (found := text(request, name)))
    if named and (device.type is not DeviceType.CHF):
        return named
    meters = inventory.meters_of(device.eui)
    if not meters and (hub := inventory.hub_of(device.eui)) is not None:
        meters = inventory.on_hub(hub)
    listed = (inventory.device(meter) for meter in meters)
    held = (mpxn for meter in listed if meter is not None and meter.type in METERS for mpxn in meter.mpxns)
    return tuple(dict.fromkeys((*named, *held)))


def signing_certificate(keystore: Keystore, sender: Eui64) -> x509.Certificate:
    """The certificate of a user's requests: its XML signing one, else its digital signature one (choice). Raises KeystoreError."""
    try:
        return keystore.xml_signing_certificate(sender)
    except KeystoreError:
        return keystore.certificate(sender, KeyUsage.DIGITAL_SIGNATURE)


def service_of(request: ServiceRequest) -> Service | None:
    """The row of the schedule."""
    return schedule().get(request.service_reference_variant)
