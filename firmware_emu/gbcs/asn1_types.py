"""The ASN.1 values of GBCS as frozen dataclasses: one per SEQUENCE of ``gbcs.asn1``, same name and order of fields, NULLs left out.

Identifiers are :class:`Eui64`, times aware datetimes, key usages :class:`KeyUsage`, certificates their DER octets, an absent OPTIONAL
None.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import TypeAlias

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.ids import Eui64

NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""Execution time that cancels CS02b, CS02g and CS06 (99991231235959Z)."""


class StatusCode(IntEnum):
    """Status of one trust anchor cell or role (reference gbcs-messages 6)."""

    SUCCESS = 0
    BAD_CERTIFICATE = 5
    NO_TRUST_ANCHOR = 10
    INSUFFICIENT_MEMORY = 17
    TRUST_ANCHOR_NOT_FOUND = 25
    RESOURCES_BUSY = 30
    OTHER = 127


@dataclass(frozen=True, slots=True)
class KeyBits:
    """A key usage bit string that is none of the three GBCS knows; a device answers it with its "invalid key usage"."""

    octets: bytes
    size: int


class Asn1Record:
    """Any of the dataclasses below."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class TrustAnchorCell(Asn1Record):
    """``remote_party_role`` is a number so that one no role has can be carried; ``cell_usage`` None stands for management."""

    remote_party_role: int
    key_usage: KeyUsage | KeyBits
    cell_usage: int | None = None


@dataclass(frozen=True, slots=True)
class SpecialistSeq(Asn1Record):
    """``usage`` 0 is prepayment top up."""

    usage: int
    seq_number: int


@dataclass(frozen=True, slots=True)
class SeqChange(Asn1Record):
    """The floor of one role's counter."""

    role: int
    floor_seq_number: int
    specialist: tuple[SpecialistSeq, ...] | None = None


@dataclass(frozen=True, slots=True)
class DeviceLogEntry(Asn1Record):
    device_id: Eui64
    device_type: int


@dataclass(frozen=True, slots=True)
class ProvideCredentialsCommand(Asn1Record):
    """CS02a, CS02f."""

    authorising_cell: TrustAnchorCell
    roles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TrustAnchorCellDetails(Asn1Record):
    key_usage: KeyUsage | KeyBits
    cell_usage: int | None
    subject_unique_id: Eui64
    subject_key_id: bytes


@dataclass(frozen=True, slots=True)
class RemotePartyDetails(Asn1Record):
    """Counter and cells are there on success only."""

    role: int
    status: StatusCode
    current_seq_number: int | None = None
    cells: tuple[TrustAnchorCellDetails, ...] | None = None


@dataclass(frozen=True, slots=True)
class AuthorisingRemotePartyControl(Asn1Record):
    """``apply_time_based_checks`` is 1 to disapply them, None to apply; ``authorising_cell`` is None for ACB by ACB."""

    mode: int
    plaintext_symmetric_key: bytes | None
    apply_time_based_checks: int | None
    authorising_cell: TrustAnchorCell | None
    authorising_seq_number: int
    new_floor_seq_number: int | None = None
    new_specialist_floors: tuple[SpecialistSeq, ...] | None = None
    other_seq_changes: tuple[SeqChange, ...] | None = None

    def __repr__(self) -> str:
        return f"AuthorisingRemotePartyControl(mode={self.mode}, cell={self.authorising_cell}, seq={self.authorising_seq_number})"


@dataclass(frozen=True, slots=True)
class TrustAnchorReplacement(Asn1Record):
    certificate: bytes
    target_cell: TrustAnchorCell


@dataclass(frozen=True, slots=True)
class UpdateCredentialsCommand(Asn1Record):
    """CS02b, CS02g; ``execution`` None is at once, :data:`NEVER` cancels."""

    control: AuthorisingRemotePartyControl
    replacements: tuple[TrustAnchorReplacement, ...]
    certification_path: tuple[bytes, ...]
    execution: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReplacementOutcome(Asn1Record):
    affected_cell: TrustAnchorCell
    status: StatusCode
    existing_unique_id: Eui64
    existing_key_id: bytes
    replacing_unique_id: Eui64
    replacing_key_id: bytes


@dataclass(frozen=True, slots=True)
class CredentialsOutcome(Asn1Record):
    authorising_seq_number: int
    mode: int
    seq_changes: tuple[SeqChange, ...]
    replacements: tuple[ReplacementOutcome, ...]


@dataclass(frozen=True, slots=True)
class UpdateCredentialsResponse(Asn1Record):
    """``outcome`` is there when the command was executed at once."""

    outcome: CredentialsOutcome | None = None


@dataclass(frozen=True, slots=True)
class UpdateCredentialsAlert(Asn1Record):
    """Alerts 00CB and 0124."""

    alert_code: int
    at: datetime
    outcome: CredentialsOutcome


@dataclass(frozen=True, slots=True)
class KeyUsageCommand(Asn1Record):
    """CS02c, CS02e."""

    key_usage: KeyUsage | KeyBits


@dataclass(frozen=True, slots=True)
class JoinCommand(Asn1Record):
    """CS03A1, A2, B, C; ``method`` 0 A initiator, 1 A responder, 2 B, 3 C."""

    method: int
    other_device: Eui64
    other_type: int
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class ActivateFirmwareCommand(Asn1Record):
    """CS06; ``execution`` None is at once, :data:`NEVER` cancels."""

    image_hash: bytes
    originator_counter: int
    execution: datetime | None = None


@dataclass(frozen=True, slots=True)
class ActivateFirmwareOutcome(Asn1Record):
    """``code`` 0 success, 1 no image, 2 hash mismatch, 3 activation failure."""

    code: int
    firmware_version: bytes


@dataclass(frozen=True, slots=True)
class ActivateFirmwareAlert(Asn1Record):
    alert_code: int
    at: datetime
    originator_counter: int
    outcome: ActivateFirmwareOutcome


@dataclass(frozen=True, slots=True)
class ReadDeviceLogResponse(Asn1Record):
    """CS07; ``code`` 0 success, 1 read failure."""

    code: int
    entries: tuple[DeviceLogEntry, ...] | None = None


@dataclass(frozen=True, slots=True)
class FirmwareVersionResponse(Asn1Record):
    """CS08; ``code`` 0 success, 1 failure."""

    firmware_version: bytes
    code: int


@dataclass(frozen=True, slots=True)
class SetTimeCommand(Asn1Record):
    """GCS28: the hub's time must lie in the interval."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class SetTimeResponse(Asn1Record):
    """``status`` 0 reliable, 1 invalid, 2 unreliable."""

    device_time: datetime
    status: int


@dataclass(frozen=True, slots=True)
class RestoreDeviceLogCommand(Asn1Record):
    """GCS59."""

    entries: tuple[DeviceLogEntry, ...]


@dataclass(frozen=True, slots=True)
class RestoreOutcome(Asn1Record):
    entry: DeviceLogEntry
    join_code: int


@dataclass(frozen=True, slots=True)
class RestoreDeviceLogResponse(Asn1Record):
    outcomes: tuple[RestoreOutcome, ...]


@dataclass(frozen=True, slots=True)
class DeviceLogBackupAlert(Asn1Record):
    """GCS62."""

    alert_code: int
    at: datetime
    entries: tuple[DeviceLogEntry, ...]


@dataclass(frozen=True, slots=True)
class FirmwareTransferAlert(Asn1Record):
    """CCS08; ``outcome`` 0 success, 1 image discarded, 2 hardware version mismatch, 3 transfer failure."""

    alert_code: int
    at: datetime
    device_id: Eui64
    firmware_version: bytes
    outcome: int


@dataclass(frozen=True, slots=True)
class FirmwareActivationAlert(Asn1Record):
    """CS09; ``outcome`` 0 success, 1 failure."""

    alert_code: int
    at: datetime
    firmware_version: bytes
    outcome: int


Asn1Value: TypeAlias = "int | bytes | datetime | Eui64 | KeyUsage | KeyBits | Asn1Record | tuple[Asn1Value, ...] | None"
"""Content of an ASN.1 payload: a record, a response code, an identifier, opaque DER, or a tuple of these. None is NULL."""

RECORDS: dict[str, type[Asn1Record]] = {record.__name__: record for record in Asn1Record.__subclasses__()}
"""The dataclass of every SEQUENCE by its name in the schema."""
