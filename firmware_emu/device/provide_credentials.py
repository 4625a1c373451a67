"""CS02a and CS02f: tell who stands in the trust anchor cells and the counter of each role (reference gbcs-spec-notes 13.2)."""

from __future__ import annotations

from firmware_emu.crypto.certificates import entity_of, key_id_of
from firmware_emu.crypto.roles import CellUsage, RemotePartyRole
from firmware_emu.device import asn1_io
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.gbcs.asn1_types import ProvideCredentialsCommand, RemotePartyDetails, StatusCode, TrustAnchorCellDetails
from firmware_emu.gbcs.envelope import Message


def handle(device: GbcsDevice, message: Message) -> bytes:
    """One entry per requested role, in request order; a role without a cell answers status 25 and nothing else."""
    command = asn1_io.read(message, ProvideCredentialsCommand)
    return asn1_io.write("ProvideCredentialsResponse", tuple(_details(device, role) for role in command.roles))


def _details(device: GbcsDevice, number: int) -> RemotePartyDetails:
    credentials = device.credentials
    cells = [cell for cell in credentials.cells if cell.role == number]
    if not cells:
        device.note_failure(f"role {number} has no cell")
        return RemotePartyDetails(number, StatusCode.TRUST_ANCHOR_NOT_FOUND)
    found: list[TrustAnchorCellDetails] = []
    for cell in cells:
        certificate = credentials.anchor(cell)
        if certificate is not None:
            usage = None if cell.cell is CellUsage.MANAGEMENT else int(cell.cell)
            found.append(TrustAnchorCellDetails(cell.usage, usage, entity_of(certificate), key_id_of(certificate)))
    if not found:
        device.note_failure(f"the cells of role {number} are empty")
        return RemotePartyDetails(number, StatusCode.NO_TRUST_ANCHOR)
    role = RemotePartyRole(number)
    counter = 0 if role is RemotePartyRole.ROOT else credentials.counter(role)
    return RemotePartyDetails(number, StatusCode.SUCCESS, counter, tuple(found))
