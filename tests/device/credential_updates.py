"""Commands that replace credentials, and their outcomes."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage, KeyUsage, RemotePartyRole
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import (
    AuthorisingRemotePartyControl,
    CredentialsOutcome,
    SeqChange,
    SpecialistSeq,
    TrustAnchorCell,
    TrustAnchorReplacement,
    UpdateCredentialsCommand,
    UpdateCredentialsResponse,
)
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import CraFlag, Eui64

DS, KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT


SUPPLIER_CELLS = ((DS, None), (KA, None), (KA, 1))


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def replacements(pki: Keystore, party: Eui64, role: int) -> tuple[TrustAnchorReplacement, ...]:
    found = []
    for usage, cell in SUPPLIER_CELLS:
        certificate = pki.certificate(party, usage, CellUsage.PREPAYMENT_TOP_UP if cell else CellUsage.MANAGEMENT)
        found.append(TrustAnchorReplacement(der(certificate), TrustAnchorCell(role, usage, cell)))
    return tuple(found)


def update(
    pki: Keystore,
    mode: int,
    counter: int,
    items: tuple[TrustAnchorReplacement, ...],
    *,
    floor: int | None = None,
    top_up: int = 0,
    others: tuple[SeqChange, ...] | None = None,
    path: tuple[bytes, ...] | None = None,
    at: datetime | None = None,
    role: int = 2,
) -> bytes:
    authority = der(pki.authority(RemotePartyRole.ISSUING_AUTHORITY))
    specialist = None if floor is None else (SpecialistSeq(0, top_up),)
    control = AuthorisingRemotePartyControl(mode, None, None, TrustAnchorCell(role, DS), counter, floor, specialist, others)
    command = UpdateCredentialsCommand(control, items, (authority,) if path is None else path, at)
    return Asn1Payload("UpdateCredentialsCommand", command).encode()


def outcome(response: Message) -> CredentialsOutcome:
    value = Asn1Payload.decode(response.payload, response.message_code, CraFlag.RESPONSE).value
    assert isinstance(value, UpdateCredentialsResponse)
    assert value.outcome is not None
    return value.outcome
