"""The Smart Metering Inventory: Devices, their statuses and associations, with one audit line for every change.

Statuses and the moves between them are data (``inventory.toml``); a move that is not listed there is refused with every
reason that holds. Sources: sec2-rules section 7, reference dcc-side 3; bracketed numbers are paragraphs of the SEC stage 2
consultation. Type 2 Devices have no status in the real inventory (reference dcc-notes 9); here they keep Pending.

Which remote parties each Device holds, as far as the DCC knows, stands here too: it decides between known and unknown remote
party (sec2-rules PR-06 [137], reference gbcs-messages 1.4).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import cells_of
from firmware_emu.ids import Eui64
from firmware_emu.sqlite_file import Value
from hil.dcc.base.refusals import RefusalReason, because
from hil.dcc.base.store import DccStore, Row
from hil.dcc.duis import ServiceRequest
from hil.dcc.duis.request import other_device, text
from hil.dcc.inventory.exemptions import Exemptions
from hil.dcc.inventory.rules import InventoryRefusal, move_of

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


def device_of(row: Row) -> Device:
    """A row that :data:`_DEVICES` has found."""
    return _device(*row)


_DEVICES = f"SELECT {', '.join(column.name for column in fields(Device))} FROM devices"
"""The table ``devices``, its columns in the order of the fields."""


@lru_cache(maxsize=256)
def _device(eui: str, kind: str, *columns: Any) -> Device:
    """The Device of these columns; the last few are kept by what they hold, since every check of a request looks at its Device."""
    *texts, notified_by, import_mpxn, secondary_mpan, export_mpan, postcode, premises, uprn, domestic = columns
    notifier = Eui64.parse(notified_by) if notified_by else None
    rest = *texts, notifier, import_mpxn, secondary_mpan, export_mpan, postcode, premises, uprn, bool(domestic)
    return Device(Eui64.parse(eui), DeviceType[kind], *rest)


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

    def role(self, device: Eui64, party: Eui64) -> RemotePartyRole | None:
        """The first role in which the Device holds ``party``; None where it does not."""
        roles = self._store.once("held_parties", f"{device} {party}", self._roles)
        return next((role for role in RemotePartyRole if role in roles), None) if roles else None

    def _roles(self, held: str) -> frozenset[int]:
        rows = self._store.rows("SELECT party_role FROM held_parties WHERE device = ? AND party = ?", held.split())
        return frozenset(row["party_role"] for row in rows)

    def knows(self, device: Eui64, party: Eui64) -> bool:
        """True if the Device holds ``party`` in any role."""
        return bool(self._store.once("held_parties", f"{device} {party}", self._roles))


_SMETS_1 = re.compile(r"SMETS[ _-]?(V(ERSION)? ?)?1([. ][0-2]?)?", re.IGNORECASE)
"""Versions of the first edition: ``SMETS1``, ``SMETS V1.2`` (GOV-17 [45]). ``SMETS V1.58`` is of the second (DUIS templates)."""

__all__ = ["COMMISSIONED", "METERS", "TYPE_1", "AuditLine", "Device", "Inventory", "device_type_of"]


class Inventory:
    """The inventory in the DCC's store. ``on_change`` is called after each change of status with its audit line."""

    def __init__(self, store: DccStore, now: Callable[[], float], on_change: Callable[[AuditLine], None] | None = None) -> None:
        self._store = store
        self._now = now
        self._on_change = on_change
        self.exemptions = Exemptions(store)

    # Reading

    def device(self, eui: Eui64) -> Device | None:
        """The Device of this identifier, None if it is not listed."""
        return self._store.once("devices", str(eui), self._device)

    def _device(self, eui: str) -> Device | None:
        row = self._store.row(f"{_DEVICES} WHERE eui = ?", (eui,))
        return None if row is None else device_of(row)

    def listed(self, eui: Eui64) -> Device:
        """As :meth:`device`; raises InventoryRefusal if it is not listed."""
        device = self.device(eui)
        if device is None:
            raise InventoryRefusal((because("inv-not-listed", eui=eui),))
        return device

    def devices(self, type: DeviceType | None = None) -> tuple[Device, ...]:
        """Every Device, or those of one kind, in the order of their identifiers."""
        if type is None:
            return self._where("TRUE")
        return self._where("type = ?", type.name)

    def _where(self, condition: str, *values: Value) -> tuple[Device, ...]:
        return tuple(device_of(row) for row in self._store.rows(f"{_DEVICES} WHERE {condition} ORDER BY eui", values))

    def registered_type(self, eui: Eui64) -> int | None:
        """The Device's type as the CHF device log counts it; None for what is not listed or has no place in that log."""
        device = self.device(eui)
        row = self._store.row("SELECT kind FROM type_2_kinds WHERE eui = ?", (str(eui),))
        if device is None or (device.type is DeviceType.TYPE_2 and row is None):
            return None
        return REGISTERED_TYPES.get(row["kind"] if row is not None else device.type.name)

    def audit(self, eui: Eui64 | None = None) -> tuple[AuditLine, ...]:
        """The audit lines, oldest first, of one Device or of all."""
        if eui is None:
            rows = self._store.rows("SELECT * FROM audit ORDER BY number")
        else:
            rows = self._store.rows("SELECT * FROM audit WHERE device = ? ORDER BY number", (str(eui),))
        return tuple(
            AuditLine(
                row["time"],
                Eui64.parse(row["device"]),
                row["request"],
                Eui64.parse(row["user"]) if row["user"] else None,
                row["from_status"],
                row["to_status"],
                row["reason"],
            )
            for row in rows
        )

    # Associations: role "chf" (a Device on its hub), "meter" (GPF, Type 1, Type 2 and their meter)

    def associate(self, device: Eui64, role: str, other: Eui64) -> None:
        """Record that ``other`` is ``device``'s hub (``chf``) or meter (``meter``) (sec2-rules INV-13). A Device has one hub."""
        with self._store.transaction():
            if role == "chf":
                self._store.execute("DELETE FROM associations WHERE device = ? AND role = 'chf'", (str(device),))
            self._store.execute("INSERT OR IGNORE INTO associations VALUES (?, ?, ?)", (str(device), role, str(other)))

    def dissociate(self, device: Eui64, role: str, other: Eui64) -> None:
        self._store.execute("DELETE FROM associations WHERE device = ? AND role = ? AND other = ?", (str(device), role, str(other)))

    def hub_of(self, eui: Eui64) -> Eui64 | None:
        """The CHF through which the Device is reached; a CHF is its own."""
        hub = self._store.once("associations", str(eui), self._hub)
        if hub is not None:
            return hub
        device = self.device(eui)
        return eui if device is not None and device.type is DeviceType.CHF else None

    def _hub(self, eui: str) -> Eui64 | None:
        row = self._store.row("SELECT other FROM associations WHERE device = ? AND role = 'chf'", (eui,))
        return None if row is None else Eui64.parse(row["other"])

    def meters_of(self, eui: Eui64) -> tuple[Eui64, ...]:
        """The meters the Device is associated with; a meter is its own."""
        device = self.device(eui)
        if device is not None and device.type in METERS:
            return (eui,)
        return tuple(
            Eui64.parse(row["other"])
            for row in self._store.rows("SELECT other FROM associations WHERE device = ? AND role = 'meter' ORDER BY other", (str(eui),))
        )

    def on_hub(self, chf: Eui64) -> tuple[Eui64, ...]:
        """Every Device associated with the hub, the GPF among them."""
        rows = self._store.rows("SELECT device FROM associations WHERE role = 'chf' AND other = ? ORDER BY device", (str(chf),))
        return tuple(Eui64.parse(row["device"]) for row in rows)

    def neighbours(self, eui: Eui64) -> tuple[Eui64, ...]:
        """Devices associated with this one in either direction."""
        rows = self._store.rows(
            "SELECT other AS eui FROM associations WHERE device = ? UNION SELECT device FROM associations WHERE other = ? ORDER BY 1",
            (str(eui), str(eui)),
        )
        return tuple(Eui64.parse(row["eui"]) for row in rows)

    def look_up(
        self,
        *,
        device: Eui64 | None = None,
        mpxn: str | None = None,
        postcode: str | None = None,
        premises: str | None = None,
        uprn: str | None = None,
    ) -> tuple[Device, ...]:
        """8.2: by Device ID with three steps of association, else the meters found and their direct associations (INV-20)."""
        if device is not None:
            found, steps = {device}, 3
        else:
            found, steps = {meter.eui for meter in self._fitting(mpxn, postcode, premises, uprn)}, 1
        for _ in range(steps):
            found |= {neighbour for eui in found for neighbour in self.neighbours(eui)}
        listed = (self.device(eui) for eui in sorted(found))
        return tuple(one for one in listed if one is not None)

    def _fitting(self, mpxn: str | None, postcode: str | None, premises: str | None, uprn: str | None) -> tuple[Device, ...]:
        if mpxn is not None:
            return self._where("import_mpxn = ? OR secondary_mpan = ? OR export_mpan = ?", mpxn, mpxn, mpxn)
        if uprn is not None:
            return self._where("uprn = ?", uprn)
        if postcode is None:
            return ()
        return (
            self._where("postcode = ?", postcode) if premises is None else self._where("postcode = ? AND premises = ?", postcode, premises)
        )

    def enrolled(self, eui: Eui64) -> bool:
        """True if a system this Device belongs to is enrolled (INV-12 [173, 174]); for a CHF: if any of its systems is."""
        device = self.device(eui)
        if device is None:
            return False
        if device.type is DeviceType.CHF:
            return any(self.enrolled(one.eui) for one in map(self.device, self.on_hub(eui)) if one is not None and one.type in METERS)
        return any(self._system_enrolled(meter) for meter in self.meters_of(eui))

    def _system_enrolled(self, eui: Eui64) -> bool:
        meter, hub = self.device(eui), self.hub_of(eui)
        if meter is None or hub is None or not self._commissioned(eui) or not self._commissioned(hub):
            return False
        if meter.type is DeviceType.GSME:
            return any(
                one is not None and one.type is DeviceType.GPF and one.status == COMMISSIONED
                for one in map(self.device, self.neighbours(eui))
            )
        return True

    def _commissioned(self, eui: Eui64) -> bool:
        device = self.device(eui)
        return device is not None and device.status == COMMISSIONED

    # Certified products list

    def certify(self, type: DeviceType, manufacturer: str, model: str, firmware: str, status: str = "Active") -> None:
        """Put a model on the certified products list, or change its entry, and suspend or restore the Devices of it."""
        with self._store.transaction():
            self._store.execute(
                "INSERT OR REPLACE INTO certified_products VALUES (?, ?, ?, ?, ?)", (manufacturer, model, firmware, type.name, status)
            )
            of_model = "manufacturer = ? AND model = ? AND firmware = ? AND type = ?"
            for device in self._where(of_model, manufacturer, model, firmware, type.name):
                if status != "Active" and device.status == COMMISSIONED:
                    self.move(device.eui, "suspended", reason=f"its model is {status} on the certified products list")
                elif status == "Active" and device.status == "Suspended":
                    self.move(device.eui, "restored", reason="its model is Active on the certified products list again")

    def certified(self, type: DeviceType, manufacturer: str, model: str, firmware: str) -> str | None:
        """The entry's status (Active, Cancelled, Expired, Withdrawn), None without an entry."""
        row = self._store.row(
            "SELECT status FROM certified_products WHERE type = ? AND manufacturer = ? AND model = ? AND firmware = ?",
            (type.name, manufacturer, model, firmware),
        )
        return None if row is None else str(row["status"])

    def products(self) -> tuple[dict[str, str], ...]:
        """Every entry of the certified products list."""
        found = self._store.rows("SELECT type, manufacturer, model, firmware, status FROM certified_products ORDER BY 1, 2, 3, 4")
        return tuple(dict(row) for row in found)

    def certify_image(self, type: DeviceType, manufacturer: str, model: str, firmware: str, image_hash: str) -> None:
        """The hash of the image that the entry of this version stands for (hexadecimal SHA-256)."""
        self._store.execute(
            "INSERT OR REPLACE INTO certified_images VALUES (?, ?, ?, ?, ?)", (manufacturer, model, firmware, type.name, image_hash)
        )

    def certified_hash(self, type: DeviceType, manufacturer: str, model: str, firmware: str) -> str | None:
        """Hash that :meth:`certify_image` was given, None if none."""
        row = self._store.row(
            "SELECT hash FROM certified_images WHERE type = ? AND manufacturer = ? AND model = ? AND firmware = ?",
            (type.name, manufacturer, model, firmware),
        )
        return None if row is None else str(row["hash"])

    def put_back(self, status: str, devices: tuple[Eui64, ...] | None = None, but: tuple[Eui64, ...] = ()) -> None:
        """Give Devices (None: all ``but`` some) a status without the journey there, at premises that are not domestic."""
        for eui in devices or tuple(one.eui for one in self.devices() if one.eui not in but):
            self._store.execute("UPDATE devices SET status = ?, domestic = 0 WHERE eui = ?", (status, str(eui)))

    # Changes

    def pre_notify(
        self,
        eui: Eui64,
        type: DeviceType,
        *,
        manufacturer: str,
        model: str,
        version: str = "",
        firmware: str = "",
        esme_variant: str = "",
        kind: str = "",
        gpf: Eui64 | None = None,
        user: Eui64 | None = None,
        request: str | None = None,
    ) -> Device:
        """12.2: list a Device as Pending (INV-04, INV-05). ``kind`` is the DUIS name of a Type 2 Device (IHD, CAD).

        Raises InventoryRefusal with all reasons."""
        reasons = [because("inv-smets-1", type=type.name, version=version)] if _SMETS_1.fullmatch(version.strip()) else []
        if type is not DeviceType.TYPE_2 and self.certified(type, manufacturer, model, firmware) != "Active":
            reasons.append(
                because("inv-not-certified", type=type.name, manufacturer=manufacturer, model=model, firmware=firmware or "(none)")
            )
        if gpf == eui:
            reasons.append(because("inv-same-gpf"))
        with self._store.transaction():
            present = self.device(eui)
            if gpf is not None and self.hub_of(gpf) not in (None, eui, gpf):  # its hub's, and no other one's
                reasons.append(because("inv-listed-already", eui=gpf, status=f"the GPF of {self.hub_of(gpf)}"))
            if present is not None and present.status not in move_of("pre-notified").sources:
                reasons.append(because("inv-listed-already", eui=eui, status=present.status))
            if reasons:
                raise InventoryRefusal(tuple(reasons))
            if present is None:
                self._store.insert("devices", eui=str(eui), type=type.name, status="", since=self._now())
            self._store.execute(
                "UPDATE devices SET type = ?, manufacturer = ?, model = ?, version = ?, firmware = ?, esme_variant = ?, "
                "notified_by = ? WHERE eui = ?",
                (type.name, manufacturer, model, version, firmware, esme_variant, str(user) if user else None, str(eui)),
            )
            self._store.execute("DELETE FROM type_2_kinds WHERE eui = ?", (str(eui),))
            if kind in TYPE_NAMES:
                self._store.insert("type_2_kinds", eui=str(eui), kind=kind)
            if gpf is not None:
                self.associate(gpf, "chf", eui)
            return self.move(eui, "pre-notified", reason="pre-notification", user=user, request=request)

    def move(self, eui: Eui64, event: str, *, reason: str, user: Eui64 | None = None, request: str | None = None) -> Device:
        """Change a status by an event of inventory.toml, with its audit line. Raises InventoryRefusal."""
        move = move_of(event)
        with self._store.transaction():
            device = self.listed(eui)
            if device.status not in move.sources:
                wanted, status = " or ".join(sorted(filter(None, move.sources))), device.status or "not listed"
                raise InventoryRefusal((because("inv-move", eui=eui, status=status, event=event, wanted=wanted, source=move.source),))
            if (move.types and device.type.name not in move.types) or device.type.name in move.not_types:
                raise InventoryRefusal((because("inv-move-type", eui=eui, type=device.type.name, event=event, source=move.source),))
            line = AuditLine(self._now(), eui, request, user, device.status, move.to, reason)
            self._store.execute("UPDATE devices SET status = ?, since = ? WHERE eui = ?", (move.to, line.time, str(eui)))
            self._store.insert(
                "audit",
                time=line.time,
                device=str(eui),
                request=request,
                user=str(user) if user else None,
                from_status=device.status,
                to_status=move.to,
                reason=reason,
            )
            if self._on_change is not None:
                self._on_change(line)
        return self.listed(eui)

    def may_move(self, eui: Eui64, event: str) -> bool:
        """True if :meth:`move` would do it."""
        device, move = self.device(eui), move_of(event)
        return (
            device is not None
            and device.status in move.sources
            and (not move.types or device.type.name in move.types)
            and device.type.name not in move.not_types
        )

    def describe(self, eui: Eui64, *, user: Eui64 | None = None, request: str | None = None, **columns: str | None) -> None:
        """Set details (firmware, import_mpxn, postcode ...) of a listed Device, with an audit line that names them."""
        with self._store.transaction():
            device = self.listed(eui)
            changed = {name: value for name, value in columns.items() if getattr(device, name) != value}
            if not changed:
                return
            for name, value in changed.items():
                self._store.execute(f"UPDATE devices SET {name} = ? WHERE eui = ?", (value, str(eui)))
            self._store.insert(
                "audit",
                time=self._now(),
                device=str(eui),
                request=request,
                user=str(user) if user else None,
                from_status=device.status,
                to_status=device.status,
                reason="details: " + ", ".join(f"{name} {value}" for name, value in changed.items()),
            )

    def delete(self, eui: Eui64, *, user: Eui64 | None = None, request: str | None = None) -> None:
        """8.4 delete: only what was never installed may go (choice). Raises InventoryRefusal."""
        with self._store.transaction():
            device = self.listed(eui)
            if device.status != "Pending":
                raise InventoryRefusal((because("inv-delete", eui=eui, status=device.status),))
            self._store.execute("DELETE FROM devices WHERE eui = ?", (str(eui),))
            self._store.execute("DELETE FROM type_2_kinds WHERE eui = ?", (str(eui),))
            self._store.execute("DELETE FROM associations WHERE device = ? OR other = ?", (str(eui), str(eui)))
            self._store.insert(
                "audit",
                time=self._now(),
                device=str(eui),
                request=request,
                user=str(user) if user else None,
                from_status=device.status,
                to_status="",
                reason="deleted by 8.4",
            )

    def commission_refusals(self, eui: Eui64, meters: tuple[Eui64, ...] | None = None) -> tuple[RefusalReason, ...]:
        """Every reason why the Device may not be commissioned now (INV-10, INV-11 [171, 187]); empty: it may.

        ``meters`` are the meters a GPF or Type 1 Device is about to be joined to (default: those it is associated with).
        """
        device = self.device(eui)
        if device is None:
            return (because("inv-commission-not-listed", eui=eui),)
        reasons = []
        move = move_of("first SM WAN contact" if device.type is DeviceType.CHF else "commissioned")
        if device.status not in move.sources:
            reasons.append(because("inv-commission-status", eui=eui, status=device.status, wanted=" or ".join(sorted(move.sources))))
        if device.type is DeviceType.CHF:
            return tuple(reasons)
        hub = self.hub_of(eui)
        if hub is None:
            reasons.append(because("inv-commission-no-hub", eui=eui))
        elif not self._commissioned(hub):
            reasons.append(because("inv-commission-hub", hub=hub))
        if (area := self.exemptions.area_of(device.postcode)) is not None:
            reasons.append(because("inv-exempt-area", postcode=device.postcode, area=area))
        if device.type in METERS:
            reasons += [
                because("inv-commission-mpxn", other=other.eui, mpxn=device.import_mpxn)
                for other in (self._where("import_mpxn = ?", device.import_mpxn) if device.import_mpxn else ())
                if other.eui != eui and other.status == COMMISSIONED and other.type is device.type
            ]
        else:
            asked = self.meters_of(eui) if meters is None else meters
            if not any(self._commissioned(meter) for meter in asked):
                reasons.append(because("inv-commission-meter", meters=", ".join(map(str, asked)) or "none is associated"))
        return tuple(reasons)

    def exceptions(self) -> tuple[str, ...]:
        """Records a supplier should look at (INV-21 [181]): Type 1 Devices in service without a meter or a hub."""
        found = []
        for device in self.devices():
            if device.type in TYPE_1 and device.status == COMMISSIONED:
                if not self.meters_of(device.eui):
                    found.append(f"{device.type.name} {device.eui} is Commissioned and tied to no meter")
                if self.hub_of(device.eui) is None:
                    found.append(f"{device.type.name} {device.eui} is Commissioned and on no hub")
        return tuple(found)


COMMISSIONING_JOINS = frozenset({DeviceType.GPF, DeviceType.PPMID, DeviceType.HCALCS})
"""Kinds that a successful join with their meter commissions (choice, see inventory.toml)."""


def joined_pair(inventory: Inventory, request: ServiceRequest) -> tuple[Device, Device] | None:
    """Of a join of a meter and a GPF or Type 1 Device: (that Device, its meter); None for every other pair."""
    other = other_device(request, "OtherDeviceID")
    pair = [inventory.device(request.request_id.target), inventory.device(other) if other is not None else None]
    meters = [one for one in pair if one is not None and one.type in METERS]
    followers = [one for one in pair if one is not None and one.type in COMMISSIONING_JOINS]
    return (followers[0], meters[0]) if meters and followers else None


def mpxns_of(inventory: Inventory, device: Device, request: ServiceRequest | None = None) -> tuple[str, ...]:
    """The MPxNs a request about this Device concerns: those it names, and those of the Device's meters or else of its hub.

    6.23 concerns the MPxN it names alone, which is one of the Device's where those are recorded. For a hub any supplier of one of its
    meters is eligible, and of one that is added to it (choice: equipment is shared).
    """
    names = ("ImportMPxN", "SecondaryImportMPAN", "ExportMPAN")
    named = () if request is None else tuple(found for name in names if (found := text(request, name)))
    meters = inventory.meters_of(device.eui)
    if not meters and (hub := inventory.hub_of(device.eui)) is not None:
        meters = inventory.on_hub(hub)
    listed = (inventory.device(meter) for meter in meters)
    held = (mpxn for meter in listed if meter is not None and meter.type in METERS for mpxn in meter.mpxns)
    if device.type is DeviceType.CHF and (request is None or request.service_reference != "6.23"):
        return tuple(dict.fromkeys((*named, *held)))
    recorded = tuple(dict.fromkeys(held))
    return tuple(name for name in named if name in recorded or not recorded) or recorded
