"""Context of a transform beside the request: facts about the target that the inventory holds, parties, counters, times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64


class TransformError(CommsHubError):
    """A request that cannot be turned into a GBCS message: names the service reference variant and what is missing."""

    def __init__(self, variant: str, problem: str) -> None:
        super().__init__(f"service request {variant}: {problem}")
        self.variant = variant
        self.problem = problem


class Edition(Enum):
    """Which generation of use cases a Device understands. LEGACY are the codes that the current use-case mapping table no longer
    lists (0004, 001F, 003E, 003F, 0092, 009D, 009E: reference use-cases.csv, "inferred from RTDS")."""

    CURRENT = "current"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """Facts of the inventory that no request holds (DUIS ESMEVariant, DeviceGBCSVersion): ``phases`` 1 or 3, ``elements`` 1 or 2
    (variant letters A, B, C), ``edition`` of the use cases."""

    phases: int = 1
    elements: int = 1
    edition: Edition = Edition.CURRENT


SINGLE_PHASE = DeviceProfile()
"""A single-phase, single-element meter that knows the current use cases."""


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """One entry of a stored device log: the CHF's with the 16-octet hash of the link key, the GPF's with the device type."""

    device: Eui64
    key_hash: bytes = b""
    device_type: DeviceType | None = None


@dataclass(frozen=True, slots=True)
class StoredLog:
    """Copy of a hub's device log at the DCC (alerts CS14 and GCS62), for restoring it on another hub."""

    entries: tuple[KnownDevice, ...]
    extended_pan_id: bytes = bytes(8)


@dataclass(frozen=True, slots=True)
class TransformContext:
    """``device_type`` of the target; ``access_control_broker`` with ``acb_counter`` originates what the user does not; ``created`` is the
    creation time written into GBZ commands. ``certificate_of`` gives DER certificates, ``device_type_of`` the type of another Device
    (joins), ``registered_type_of`` its type as the CHF device log counts it (8.11), ``device_log`` the stored log of the hub or GPF
    named. ``known_party``: whether the Device holds the user's certificates (None: as the use case's row says).
    ``customer_identification_number`` is drawn by the DCC for 9.1. ``transitional_cos`` with ``acb_counter`` originates 6.23.
    ``responsible_supplier`` speaks where the DCC itself asks (11.2 to a PPMID)."""

    device_type: DeviceType
    access_control_broker: Eui64
    acb_counter: int | None
    created: datetime
    certificate_of: Callable[[Eui64, KeyUsage], bytes] | None = None
    device_log: Callable[[Eui64], StoredLog | None] | None = None
    known_party: bool | None = None
    originator_role: RemotePartyRole | None = None
    device_type_of: Callable[[Eui64], DeviceType | None] | None = None
    registered_type_of: Callable[[Eui64], int | None] | None = None
    profile: DeviceProfile = SINGLE_PHASE
    customer_identification_number: str | None = None
    transitional_cos: Eui64 | None = None
    responsible_supplier: Eui64 | None = None
