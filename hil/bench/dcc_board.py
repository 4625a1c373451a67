"""A DCC as a board describes it: its users, and what no service request carries but the DCC must have.

That is the hub's own entry in the inventory (the DCC lists hubs itself), the certified products list, the registration data, and
which supplier a gas Device holds when it leaves the factory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from firmware_emu.board import Board, DeviceTable
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.gbcs.alert_contents import WhitelistBackup
from firmware_emu.hub.from_board import GAS, parties_of
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc.base.profile import DccProfile, profile
from hil.dcc.base.services import UserRole
from hil.dcc.dcc import Dcc
from hil.dcc.duis.document import Content
from hil.dcc.inventory.inventory import METERS
from hil.dcc.own_services.wan_matrix import WanCoverage
from hil.dcc.parties.cos_signer import CosSigner
from hil.dcc.parties.users import User
from hil.devices.esme.variant import VARIANTS
from hil.devices.kinds import device_type, duis_type

ROLES: Mapping[str, UserRole] = MappingProxyType(
    {
        "supplier": UserRole.IS,
        "gas_supplier": UserRole.GS,
        "export_supplier": UserRole.ES,
        "other_supplier": UserRole.IS,
        "network_operator": UserRole.ED,
        "gas_transporter": UserRole.GT,
        "load_controller": UserRole.LC,
        "registered_supplier_agent": UserRole.RSA,
        "other_user": UserRole.OU,
    }
)
"""The board's parties that are users, with the role they act in."""


ESME_LETTERS = {variant.name: variant.letter for variant in VARIANTS.values()}
"""Letter of ESMEVariant in DUIS, by the variant of a board's ESME."""


def user_roles(board: Board) -> dict[Eui64, tuple[UserRole, ...]]:
    """The users of the board and their roles; a party that stands in several places has several."""
    found: dict[Eui64, tuple[UserRole, ...]] = {}
    for name, role in ROLES.items():
        eui: Eui64 | None = getattr(board.parties, name)
        if eui is not None:
            found[eui] = tuple(dict.fromkeys((*found.get(eui, ()), role)))
    return found


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


def joined_by(board: Board, target: Eui64, other: Eui64) -> Eui64:
    """The Device whose supplier joins ``target`` with another one (8.7): the meter of the two, whose parties alone may name it, else the
    target."""
    meters = {row.eui for row in board.device if device_type(row.type) in METERS}
    return other if other in meters and target not in meters else target


def hold_and_register(dcc: Dcc, board: Board) -> None:
    """Which supplier the gas Devices hold, and who is registered for the meters' MPxNs."""
    for eui in (*(row.eui for row in board.device if device_type(row.type) in GAS), board.hub.gpf):
        dcc.hold(eui, RemotePartyRole.SUPPLIER, board.parties.gas_supplier)
    parties = board.parties
    for row in board.device:
        gas = device_type(row.type) in GAS
        for mpxn in filter(None, (row.mpxn, row.secondary_mpan)):
            name = "gas_supplier" if gas else "supplier"
            dcc.register_supply(str(mpxn), ROLES[name], getattr(parties, name))
            if parties.registered_supplier_agent is not None:
                dcc.register_supply(str(mpxn), UserRole.RSA, parties.registered_supplier_agent)
            if gas and parties.gas_transporter is not None:
                dcc.register_supply(str(mpxn), UserRole.GT, parties.gas_transporter)
        if row.export_mpan is not None and parties.export_supplier is not None:
            dcc.register_supply(str(row.export_mpan), UserRole.ES, parties.export_supplier)
        if not gas:
            for mpxn in filter(None, (row.mpxn, row.secondary_mpan, row.export_mpan)):
                dcc.register_supply(str(mpxn), UserRole.ED, parties.network_operator)


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
    for eui, roles in user_roles(board).items():
        dcc.gateway.enter_user(eui, *roles)
    hold_and_register(dcc, board)
    new = dcc.inventory.device(board.hub.chf) is None
    list_hub(dcc, board)
    for row in board.device:
        certify(dcc, row)
    for place in board.coverage:
        dcc.wan_matrix.cover(WanCoverage(place.region, True, place.technology, place.likelihood), postcode=place.postcode)
    if new and board.service.in_service:
        _put_in_service(dcc, board)


def settings_of(board: Board) -> DccProfile:
    """Figures of a DCC that asks of requests what the board says."""
    asked = board.service
    return replace(
        profile(),
        request_signatures=float(asked.signatures),
        certificate_paths=float(asked.certificate_paths),
        request_ids_once=float(asked.request_ids_once),
        edition_2013=float(asked.edition == "2013"),
        response_wait_s=profile().response_wait_s if asked.response_wait_s is None else asked.response_wait_s,
    )


def _put_in_service(dcc: Dcc, board: Board) -> None:
    """List every Device of the board as Commissioned, on its hub and tied to its meter, without the journey there; and the others."""
    for row in board.device:
        kind = device_type(row.type)
        letter = "" if row.variant is None else ESME_LETTERS.get(row.variant, "")
        dcc.pre_notify(
            row.eui,
            kind,
            manufacturer=row.manufacturer,
            model=row.model,
            firmware=row.firmware,
            version="SMETS V5.2",
            esme_variant=letter if kind is DeviceType.ESME else "",
        )
        numbers = [None if number is None else str(number) for number in (row.mpxn, row.secondary_mpan, row.export_mpan)]
        dcc.inventory.describe(row.eui, import_mpxn=numbers[0], secondary_mpan=numbers[1], export_mpan=numbers[2])
    for one in board.listed:
        dcc.pre_notify(one.eui, DeviceType[one.type])
    kinds = {one.eui: one.type for one in dcc.inventory.devices()}
    meters = {kind: next((row.eui for row in board.device if device_type(row.type) is kind), None) for kind in METERS}
    for eui, kind in kinds.items():
        if kind is not DeviceType.CHF:
            dcc.inventory.associate(eui, "chf", board.hub.chf)
        meter = meters[DeviceType.GSME if kind in GAS else DeviceType.ESME]
        if kind not in METERS and kind is not DeviceType.CHF and meter is not None:
            dcc.inventory.associate(eui, "meter", meter)
        for event in ("first SM WAN contact", "joined", "commissioned"):
            if dcc.inventory.may_move(eui, event):
                dcc.inventory.move(eui, event, reason=f"board {board.name}: in service from the start")
    entries = tuple((row.eui, bytes(16)) for row in board.device)
    for one in board.listed:  # of a hub that was there before: what can be restored on this one (8.12)
        if one.type == "CHF":
            dcc.device_log_copy.keep(one.eui, WhitelistBackup(bytes(12), bytes(8), entries), "CS14")
        if one.type == "GPF":
            dcc.device_log_copy.keep_gpf(one.eui, {row.eui: device_type(row.type) for row in board.device})


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
        body["ESMEVariant"] = ESME_LETTERS.get(row.variant or "", "A")
    return body


def addition(row: DeviceTable, join_time_s: int) -> dict[str, Content]:
    """The body of the 8.11 that adds a Device of the board to its hub's log. Holds the install code."""
    points: dict[str, Content] = {} if row.mpxn is None else {"ImportMPxN": str(row.mpxn)}
    return {
        "DeviceID": row.eui,
        "RequestType": "Add",
        "AddDeviceToCHFWhitelist": {"JoinTimePeriod": join_time_s, "InstallCode": row.install_code.octets.hex().upper(), **points},
    }
