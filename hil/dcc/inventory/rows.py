"""Rows of the inventory: a Device, an audit line, and the kinds of Device by group.

Which remote parties each Device holds, as far as the DCC knows: it decides between known and unknown remote party
(sec2-rules PR-06 [137], reference gbcs-messages 1.4).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import cells_of
from firmware_emu.ids import Eui64
from hil.dcc.base.refusals import because
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.rules import InventoryRefusal

TYPE_NAMES = {"IHD": DeviceType.TYPE_2, "CAD": DeviceType.TYPE_2}
"""DUIS device types that GBCS does not tell apart (reference gbcs-behaviour 2: Type 2 Devices have no key pairs)."""
REGISTERED_TYPES = {"ESME": 0, "GSME": 1, "HCALCS": 13, "IHD": 128, "CAD": 130, "PPMID": 132}
"""DUIS device type -> device type in the CHF device log, which is not that of GBCS messages (reference chts-notes 3)."""
METERS = frozenset({DeviceType.ESME, DeviceType.GSME})
TYPE_1 = frozenset({DeviceType.PPMID, DeviceType.HCALCS})
COMMISSIONED = "Commissioned"


@dataclass(frozen=True, slots=True)
class Device:
    """One inventory row. ``since`` is when the status began, seconds since 2000."""

    eui: Eui64
    type: DeviceType
    status: str
    since: float
    manufacturer: str
    model: str
    version: str
    firmware: str
    esme_variant: str
    notified_by: Eui64 | None
    import_mpxn: str | None
    secondary_mpan: str | None
    export_mpan: str | None
    postcode: str | None
    premises: str | None
    uprn: str | None
    domestic: bool

    def as_row(self) -> dict[str, str | float | bool | None]:
        """The columns, identifiers and type as text, for ``--json`` and for the answer to 8.2."""
        row: dict[str, str | float | bool | None] = {"eui": str(self.eui), "type": self.type.name}
        for column in fields(self)[2:]:
            value = getattr(self, column.name)
            row[column.name] = str(value) if isinstance(value, Eui64) else value
        return row

    @property
    def mpxns(self) -> tuple[str, ...]:
        return tuple(number for number in (self.import_mpxn, self.secondary_mpan, self.export_mpan) if number)


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Change of an entry: by whom, when and why (sec2-rules INV-23)."""

    time: float
    device: Eui64
    request: str | None
    user: Eui64 | None
    from_status: str
    to_status: str
    reason: str


def device_type_of(name: str) -> DeviceType:
    """A DUIS device type name (IHD and CAD are Type 2). Raises InventoryRefusal."""
    if name in TYPE_NAMES:
        return TYPE_NAMES[name]
    try:
        return DeviceType[name]
    except KeyError:
        names = ", ".join((*DeviceType.__members__, *TYPE_NAMES))
        raise InventoryRefusal((because("inv-type", name=repr(name), names=names),)) from None


def device_of(row: sqlite3.Row) -> Device:
    """A row of the table ``devices``."""
    return Device(
        Eui64.parse(row["eui"]),
        DeviceType[row["type"]],
        row["status"],
        row["since"],
        row["manufacturer"],
        row["model"],
        row["version"],
        row["firmware"],
        row["esme_variant"],
        Eui64.parse(row["notified_by"]) if row["notified_by"] else None,
        row["import_mpxn"],
        row["secondary_mpan"],
        row["export_mpan"],
        row["postcode"],
        row["premises"],
        row["uprn"],
        bool(row["domestic"]),
    )


class KnownParties:
    """One party per Device and role, in the DCC's store. ``new_devices`` are the parties that a Device holds as its maker delivers it."""

    def __init__(self, store: DccStore, new_devices: Mapping[RemotePartyRole, Eui64]) -> None:
        self._store = store
        self._new_devices = dict(new_devices)

    def hold(self, device: Eui64, role: RemotePartyRole, party: Eui64) -> None:
        """The Device now holds ``party`` in ``role``."""
        self._store.execute("INSERT OR REPLACE INTO held_parties VALUES (?, ?, ?)", (str(device), int(role), str(party)))

    def install(self, device: Device) -> None:
        """A Device as its maker delivers it: a party in every role that its kind has trust anchor cells for."""
        for role in {cell.role for cell in cells_of(device.type)} & set(self._new_devices):
            if self.party(device.eui, role) is None:
                self.hold(device.eui, role, self._new_devices[role])

    def party(self, device: Eui64, role: RemotePartyRole) -> Eui64 | None:
        """Party that the Device holds in ``role``."""
        row = self._store.row("SELECT party FROM held_parties WHERE device = ? AND party_role = ?", (str(device), int(role)))
        return None if row is None else Eui64.parse(row["party"])

    def knows(self, device: Eui64, party: Eui64) -> bool:
        """True if the Device holds ``party`` in any role."""
        return self._store.row("SELECT 1 FROM held_parties WHERE device = ? AND party = ?", (str(device), str(party))) is not None
