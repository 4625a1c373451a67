"""A DCC as a board describes it: its users, and what no service request carries but the DCC must have.

That is the hub's own entry in the inventory (the DCC lists hubs itself), the certified products list, the registration data, and
which supplier a gas Device holds when it leaves the factory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from firmware_emu.board import Board, DeviceTable
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.hub.from_board import GAS, parties_of
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc.base.services import UserRole
from hil.dcc.dcc import Dcc
from hil.dcc.duis.document import Content
from hil.dcc.parties.cos_signer import CosSigner
from hil.dcc.parties.users import User
from hil.devices.kinds import device_type, duis_type

ROLES: Mapping[str, UserRole] = MappingProxyType(
    {
        "supplier": UserRole.IS,
        "gas_supplier": UserRole.GS,
        "other_supplier": UserRole.IS,
        "network_operator": UserRole.ED,
        "other_user": UserRole.OU,
    }
)
"""The board's parties that are users, with the role they act in."""


def user_roles(board: Board) -> dict[Eui64, UserRole]:
    """The users of the board and their roles."""
    return {getattr(board.parties, name): role for name, role in ROLES.items()}


def user_of(board: Board, name: str, keystore: Keystore) -> User:
    """One of :data:`ROLES` with its keys."""
    return User(getattr(board.parties, name), ROLES[name], keystore)


def dcc_of(
    board: Board,
    keystore: Keystore,
    clock: Clock,
    trace: Trace,
    store: Path | None,
    *,
    cos: CosSigner | None = None,
) -> Dcc:
    """A DCC of the board's parties. Raises KeystoreError."""
    return Dcc(keystore, parties_of(board, DeviceType.ESME), clock, trace, store, cos=cos)


def supplier_of(board: Board, target: Eui64) -> Eui64:
    """The supplier that a Device of the board holds, who therefore sends requests to it; for the hub the electricity supplier."""
    gas = {board.hub.gpf, *(row.eui for row in board.device if device_type(row.type) in GAS)}
    return board.parties.gas_supplier if target in gas else board.parties.supplier


def hold_and_register(dcc: Dcc, board: Board) -> None:
    """Which supplier the gas Devices hold, and who is registered for the meters' MPxNs."""
    for eui in (*(row.eui for row in board.device if device_type(row.type) in GAS), board.hub.gpf):
        dcc.hold(eui, RemotePartyRole.SUPPLIER, board.parties.gas_supplier)
    for row in board.device:
        if row.mpxn is not None:
            name = "gas_supplier" if device_type(row.type) in GAS else "supplier"
            dcc.register_supply(str(row.mpxn), ROLES[name], getattr(board.parties, name))


def list_hub(dcc: Dcc, board: Board) -> None:
    """The hub's two Devices into the inventory, where they are not there yet."""
    for eui, kind, gpf in ((board.hub.chf, DeviceType.CHF, board.hub.gpf), (board.hub.gpf, DeviceType.GPF, None)):
        if dcc.inventory.device(eui) is None:
            dcc.pre_notify(eui, kind, gpf=gpf)


def certify(dcc: Dcc, row: DeviceTable) -> None:
    """The Device's model onto the certified products list, where its kind needs it."""
    kind = device_type(row.type)
    if kind is not DeviceType.TYPE_2:
        dcc.inventory.certify(kind, row.manufacturer, row.model, row.firmware)


def prepare(dcc: Dcc, board: Board) -> None:
    """Everything of the above; once more changes nothing."""
    for eui, role in user_roles(board).items():
        dcc.gateway.enter_user(eui, role)
    hold_and_register(dcc, board)
    list_hub(dcc, board)
    for row in board.device:
        certify(dcc, row)


def notification(row: DeviceTable) -> dict[str, Content]:
    """The body of the 12.2 that pre-notifies a Device of the board."""
    kind = device_type(row.type)
    body: dict[str, Content] = {
        "DeviceID": row.eui,
        "DeviceManufacturer": row.manufacturer,
        "DeviceModel": row.model,
        "DeviceType": duis_type(row),
    }
    if kind is not DeviceType.TYPE_2:
        body |= {"SMETSCHTSVersion": "SMETS V5.2", "FirmwareVersion": row.firmware}
    if kind is DeviceType.ESME:
        body["ESMEVariant"] = "A"
    return body


def addition(row: DeviceTable, join_time_s: int) -> dict[str, Content]:
    """The body of the 8.11 that adds a Device of the board to its hub's log. Holds the install code."""
    points: dict[str, Content] = {} if row.mpxn is None else {"ImportMPxN": str(row.mpxn)}
    return {
        "DeviceID": row.eui,
        "RequestType": "Add",
        "AddDeviceToCHFWhitelist": {"JoinTimePeriod": join_time_s, "InstallCode": row.install_code.octets.hex().upper(), **points},
    }
