"""CS02b and CS02g: replace who stands in the trust anchor cells (reference gbcs-behaviour 5, gbcs-messages 6.1, gbcs-spec-notes 12, 13.3).

Each replacement stands alone: one may fail and the others are kept (published error examples). A path that does not hold answers 10
noTrustAnchor, as published; a breach of the profile in a sound path 5 badCertificate, which is a choice (reference smki-profiles 5). A
choice, too: a floor takes effect (and is reported) only for a role that had a cell replaced, and never lowers the counter of a party
that stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.certificate_profile import CertificateProfile, lint, refusals
from firmware_emu.crypto.certificates import check_path, entity_of, key_id_of, role_of, usage_of
from firmware_emu.crypto.roles import NO_ENTITY, CellUsage, KeyUsage, RemotePartyRole
from firmware_emu.device import asn1_io
from firmware_emu.device.credentials import Cell, parse_certificate, sound_certificate
from firmware_emu.device.future import FutureAction
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import (
    NEVER,
    CredentialsOutcome,
    ReplacementOutcome,
    SeqChange,
    SpecialistSeq,
    StatusCode,
    TrustAnchorCell,
    TrustAnchorReplacement,
    UpdateCredentialsAlert,
    UpdateCredentialsCommand,
    UpdateCredentialsResponse,
)
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import CraFlag

KIND = "credentials"
_REPLACED = 0x8F70
_DONE, _NOT_DONE = 0x8F66, 0x8F67
_NO_KEY_ID = bytes(8)
_R = RemotePartyRole

_MODES: Mapping[int, tuple[frozenset[RemotePartyRole], RemotePartyRole | None]] = {
    0: (frozenset({_R.ROOT}), None),
    1: (frozenset({_R.ROOT}), None),
    2: (frozenset({_R.SUPPLIER}), _R.SUPPLIER),
    3: (frozenset({_R.NETWORK_OPERATOR}), _R.NETWORK_OPERATOR),
    4: (frozenset({_R.ACCESS_CONTROL_BROKER}), _R.ACCESS_CONTROL_BROKER),
    5: (frozenset({_R.WAN_PROVIDER}), _R.WAN_PROVIDER),
    6: (frozenset({_R.TRANSITIONAL_COS}), _R.TRANSITIONAL_COS),
    7: (frozenset({_R.SUPPLIER}), _R.SUPPLIER),
    8: (frozenset(set(_R) - {_R.OTHER, _R.ISSUING_AUTHORITY}), _R.RECOVERY),
    9: (frozenset(set(_R) - {_R.OTHER, _R.ISSUING_AUTHORITY}), None),
    10: (frozenset({_R.LOAD_CONTROLLER}), _R.LOAD_CONTROLLER),
    11: (frozenset({_R.LOAD_CONTROLLER}), _R.LOAD_CONTROLLER),
}
"""Replacement mode to the roles it may replace, and the role whose counter field [4] floors (reference 13.3)."""

_BY_RECOVERY = frozenset({8, 9})
"""Modes in which the broker's certificates may stand in for another party's (reference smki-profiles 7, inferred)."""

_CODE_OF_MODE = {**{mode: 0x0100 + mode for mode in range(10)}, 10: 0x0125, 11: 0x0126}


@dataclass(slots=True)
class _Replacement:
    """One replacement on its way: what is asked, and the status found so far."""

    asked: TrustAnchorCell
    cell: Cell | None
    certificate: x509.Certificate | None
    status: StatusCode
    reason: str = ""


def handle(device: GbcsDevice, message: Message) -> bytes:
    """Replace now and answer the outcome, or accept for later (or cancel) and answer that alone."""
    command = asn1_io.read(message, UpdateCredentialsCommand)
    key = f"{message.message_code:04x}"
    if command.execution == NEVER:
        device.future.cancel(KIND, key)
        return asn1_io.write("UpdateCredentialsResponse", UpdateCredentialsResponse())
    if command.execution is not None:
        header = message.header
        due = (command.execution - EPOCH).total_seconds()
        device.future.put(FutureAction(due, KIND, key, message.message_code, header.originator, header.counter, message.payload))
        return asn1_io.write("UpdateCredentialsResponse", UpdateCredentialsResponse())
    outcome = _execute(device, command, message.message_code, message.header.counter)
    return asn1_io.write("UpdateCredentialsResponse", UpdateCredentialsResponse(outcome))


def execute_due(device: GbcsDevice, action: FutureAction) -> None:
    """A future-dated replacement falls due: do it and raise alert 00CB (0124) to the party that sent the Command."""
    command = Asn1Payload.decode(action.data, action.message_code, CraFlag.COMMAND).value
    if not isinstance(command, UpdateCredentialsCommand):
        raise ProtectionError("a stored credentials action does not hold an update of credentials")
    outcome = _execute(device, command, action.message_code, action.counter)
    done = all(part.status is StatusCode.SUCCESS for part in outcome.replacements)
    event = _DONE if done else _NOT_DONE
    alert = UpdateCredentialsAlert(event, EPOCH + timedelta(seconds=int(device.now())), outcome)
    code = 0x0124 if action.message_code in (0x0125, 0x0126) else 0x00CB
    device.raise_alert(event, payload=asn1_io.write("UpdateCredentialsAlert", alert), message_code=code, recipient=action.originator)


def _execute(device: GbcsDevice, command: UpdateCredentialsCommand, code: int, counter: int) -> CredentialsOutcome:
    control = command.control
    allowed, _ = _MODES.get(control.mode, (frozenset(), None))
    fits = _CODE_OF_MODE.get(control.mode) == code and control.authorising_seq_number == counter
    at = None if control.apply_time_based_checks == 1 else EPOCH + timedelta(seconds=device.now())
    parts = [_examine(device, command, replacement, at, allowed) for replacement in command.replacements]
    if not fits:
        for part in parts:
            part.status, part.reason = StatusCode.OTHER, "mode or counter inside the command do not fit its header"
    outcomes = tuple(_outcome(device, part) for part in parts)
    stayed = {role: device.credentials.party(role) for role in RemotePartyRole}
    replaced = set()
    for part in parts:
        if part.status is StatusCode.SUCCESS and part.cell is not None and part.certificate is not None:
            device.credentials.set_anchor(part.cell, part.certificate)
            replaced.add(part.cell.role)
        elif part.status is not StatusCode.SUCCESS:
            device.note_failure(f"{part.status.name.lower()}: {part.reason}")
    changes = tuple(change for change in _floors(command) if change.role in replaced)
    for change in changes:
        role = RemotePartyRole(change.role)
        _apply_floor(device, role, change, keeps=device.credentials.party(role) == stayed.get(role))
    if replaced:
        device.log(_REPLACED)
        names = ", ".join(sorted(role.name.lower() for role in replaced))
        device.trace.emit("device", device.name, "credentials replaced", roles=names, mode=control.mode)
    return CredentialsOutcome(control.authorising_seq_number, control.mode, changes, outcomes)


def _examine(
    device: GbcsDevice,
    command: UpdateCredentialsCommand,
    replacement: TrustAnchorReplacement,
    at: datetime | None,
    allowed: frozenset[RemotePartyRole],
) -> _Replacement:
    cell = _cell_of(device, replacement.target_cell)
    if cell is None:
        return _Replacement(replacement.target_cell, None, None, StatusCode.TRUST_ANCHOR_NOT_FOUND, "this Device has no such cell")
    if cell.role not in allowed:
        return _Replacement(replacement.target_cell, cell, None, StatusCode.OTHER, f"this mode may not replace {cell.role.name.lower()}")
    root = device.credentials.anchor(Cell(RemotePartyRole.ROOT, KeyUsage.KEY_CERT_SIGN))
    if root is None:
        return _Replacement(replacement.target_cell, cell, None, StatusCode.NO_TRUST_ANCHOR, "the root cell is empty")
    is_root = cell.role is RemotePartyRole.ROOT
    found = refusals(lint(replacement.certificate, CertificateProfile.ROOT if is_root else CertificateProfile.ORGANISATION))
    if found:
        # The policy of another environment makes a sound certificate of a path that leads elsewhere (RFC 5280 6.1.5 g).
        path_only = {one.rule for one in found} == {"POL-06"}
        status = StatusCode.NO_TRUST_ANCHOR if path_only else StatusCode.BAD_CERTIFICATE
        return _Replacement(replacement.target_cell, cell, None, status, "; ".join(map(str, found)))
    try:
        certificate = parse_certificate(replacement.certificate)
        _check_fits(device, cell, certificate, command.control.mode)
    except (ProtectionError, KeystoreError) as problem:
        return _Replacement(replacement.target_cell, cell, None, StatusCode.BAD_CERTIFICATE, str(problem))
    try:
        if not is_root:
            path = [sound_certificate(der, CertificateProfile.ISSUING) for der in command.certification_path]
            check_path(certificate, path, at, anchors=(root,))
    except (ProtectionError, KeystoreError) as problem:
        return _Replacement(replacement.target_cell, cell, None, StatusCode.NO_TRUST_ANCHOR, str(problem))
    return _Replacement(replacement.target_cell, cell, certificate, StatusCode.SUCCESS)


def _check_fits(device: GbcsDevice, cell: Cell, certificate: x509.Certificate, mode: int) -> None:
    if usage_of(certificate) is not cell.usage:
        raise ProtectionError(f"the certificate is for {usage_of(certificate).name.lower()}, the cell for {cell.usage.name.lower()}")
    role = role_of(certificate)
    # Every published CS02g puts a supplier's certificates into the cells of the load controller (reference smki-profiles 3).
    if role is not cell.role and (cell.role, role) != (_R.LOAD_CONTROLLER, _R.SUPPLIER):
        found = "none" if role is None else role.name.lower()
        raise ProtectionError(f"the certificate's role is {found}, the cell's {cell.role.name.lower()}")
    if cell.role is RemotePartyRole.ROOT:
        return
    entity = entity_of(certificate)
    if entity == NO_ENTITY:
        raise ProtectionError("the certificate names no entity")
    if entity == device.eui64:
        raise ProtectionError("the certificate is this Device's own")
    broker = device.credentials.party(_R.ACCESS_CONTROL_BROKER)
    if entity == broker and cell.role is not _R.ACCESS_CONTROL_BROKER and mode not in _BY_RECOVERY:
        raise ProtectionError(f"the certificate is the access control broker's, the cell is for the {cell.role.name.lower()}")


def _outcome(device: GbcsDevice, part: _Replacement) -> ReplacementOutcome:
    """Taken before anything is replaced; a failed replacement repeats the existing ids (reference gbcs-messages 6.1)."""
    existing = None if part.cell is None else device.credentials.anchor(part.cell)
    existing_id, existing_key = (NO_ENTITY, _NO_KEY_ID) if existing is None else (entity_of(existing), key_id_of(existing))
    if part.status is StatusCode.SUCCESS and part.certificate is not None:
        return ReplacementOutcome(
            part.asked,
            part.status,
            existing_id,
            existing_key,
            entity_of(part.certificate),
            key_id_of(part.certificate),
        )
    return ReplacementOutcome(part.asked, part.status, existing_id, existing_key, existing_id, existing_key)


def _floors(command: UpdateCredentialsCommand) -> tuple[SeqChange, ...]:
    """The floors of a command, field [4] and [5] told by the mode whose counter they mean."""
    control = command.control
    changes: list[SeqChange] = []
    _, own = _MODES.get(control.mode, (frozenset(), None))
    if control.new_floor_seq_number is not None and own is not None:
        changes.append(SeqChange(own, control.new_floor_seq_number, control.new_specialist_floors))
    changes.extend(control.other_seq_changes or ())
    return tuple(change for change in changes if change.role in set(RemotePartyRole))


def _apply_floor(device: GbcsDevice, role: RemotePartyRole, change: SeqChange, *, keeps: bool) -> None:
    credentials = device.credentials
    floor = max(change.floor_seq_number, credentials.counter(role)) if keeps else change.floor_seq_number
    credentials.set_counter(role, floor)
    for specialist in change.specialist or ():
        _apply_specialist(device, role, specialist, keeps=keeps)


def _apply_specialist(device: GbcsDevice, role: RemotePartyRole, specialist: SpecialistSeq, *, keeps: bool) -> None:
    if specialist.usage == 0:
        stored = device.credentials.counter(role, top_up=True)
        device.credentials.set_counter(role, max(specialist.seq_number, stored) if keeps else specialist.seq_number, top_up=True)


def _cell_of(device: GbcsDevice, asked: TrustAnchorCell) -> Cell | None:
    for cell in device.credentials.cells:
        usage = CellUsage.MANAGEMENT if asked.cell_usage is None else asked.cell_usage
        if (cell.role, cell.usage, cell.cell) == (asked.remote_party_role, asked.key_usage, usage):
            return cell
    return None
