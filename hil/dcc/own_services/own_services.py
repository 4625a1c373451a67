"""Services that the DCC carries out itself (command variant 8): inventory, decommissioning, pre-notification, hub status.

Only structure, user, credentials, certificate and anomaly are checked for them (CK-09 [139]). Each returns what its Service
Response holds; a plain success is I99, one with data I0 (reference dcc-notes 5).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.roles import DeviceType, KeyUsage
from hil.dcc.answers.alerts import Alerts
from hil.dcc.base.refusals import OwnServiceRefused, because
from hil.dcc.base.services import SUPPLIERS, UserRole
from hil.dcc.duis.request import Node, has, other_device, text
from hil.dcc.gateway.arrival import Arrival, GatewayContext
from hil.dcc.inventory.inventory import METERS, TYPE_1, Device, device_type_of, mpxns_of
from hil.dcc.inventory.rules import InventoryRefusal
from hil.dcc.own_services.firmware import FirmwareDistribution
from hil.dcc.own_services.hub_reports import HubReports
from hil.dcc.own_services.schedules import Schedules
from hil.dcc.own_services.wan_matrix import WanMatrix

Result = Mapping[str, object]


class LocalResponses(Protocol):
    """Taker of the Responses that users bring back (8.13)."""

    def return_local(self, arrival: Arrival, octets: bytes) -> Result:
        """A Response to a Command that was delivered locally. Raises OwnServiceRefused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnServices:
    """The services for no Device, each carried out by the part that knows it."""

    context: GatewayContext
    alerts: Alerts
    answers: LocalResponses
    schedules: Schedules
    firmware: FirmwareDistribution
    wan_matrix: WanMatrix
    hub_reports: HubReports

    def execute(self, arrival: Arrival) -> Result:
        """Carry out the service. Raises OwnServiceRefused, InventoryRefusal."""
        with self.context.store.transaction():
            return _ACTIONS[arrival.service.variant](self, arrival)

    def _read_inventory(self, arrival: Arrival) -> Result:
        request = arrival.request
        found = self.context.inventory.look_up(
            device=other_device(request, "DeviceID"),
            mpxn=text(request, "MPxN"),
            postcode=text(request, "PostCode"),
            premises=text(request, "AddressIdentifier"),
            uprn=text(request, "UPRN"),
        )
        return {"devices": [self._row(device) for device in found if device.type is not DeviceType.TYPE_2]}

    def _row(self, device: Device) -> Mapping[str, object]:
        row = {name: value for name, value in device.as_row().items() if value not in (None, "")}
        hub = self.context.inventory.hub_of(device.eui)
        history = [
            {"time": line.time, "status": line.to_status}
            for line in self.context.inventory.audit(device.eui)
            if line.from_status != line.to_status
        ]
        return row | {
            "eui": str(device.eui),
            "type": device.type.name,
            "chf": str(hub) if hub else None,
            "history": history,
            "meters": [str(meter) for meter in self.context.inventory.meters_of(device.eui)],
            "enrolled": self.context.inventory.enrolled(device.eui),
        }

    def _pre_notify(self, arrival: Arrival) -> Result:
        body = Node(arrival.request.body)
        eui, type_ = body.eui("DeviceID"), device_type_of(body.text("DeviceType"))
        roles = self.context.users.roles(arrival.sender)
        if (type_ in METERS or type_ in TYPE_1) and not roles & SUPPLIERS:
            raise OwnServiceRefused("inventory-supplier-adds", role=" ".join(sorted(roles)), type=type_.name)
        gpf = body.eui("AssociatedGPFDeviceID") if body.has("AssociatedGPFDeviceID") else None
        if gpf == eui:
            raise OwnServiceRefused("inventory-same-gpf", eui=eui)
        optional = {
            name: body.text(element) if body.has(element) else ""
            for name, element in (("version", "SMETSCHTSVersion"), ("firmware", "FirmwareVersion"), ("esme_variant", "ESMEVariant"))
        }
        device = self.context.inventory.pre_notify(
            eui,
            type_,
            manufacturer=body.text("DeviceManufacturer"),
            model=body.text("DeviceModel"),
            kind=body.text("DeviceType"),
            gpf=gpf,
            user=arrival.sender,
            request=str(arrival.request.request_id),
            **optional,
        )
        self.context.known_parties.install(device)
        return {}

    def _decommission(self, arrival: Arrival) -> Result:
        eui = Node(arrival.request.body).eui("DeviceID")
        device = self.context.inventory.device(eui)
        if device is None:
            raise OwnServiceRefused("own-not-listed", eui=eui)
        self._eligible(arrival, device)
        self.context.inventory.move(eui, "decommissioned", reason="8.3", user=arrival.sender, request=str(arrival.request.request_id))
        if device.type in METERS:
            self.alerts.meter_left(eui, "decommissioned")
        return {}

    def _eligible(self, arrival: Arrival, device: Device) -> None:
        """A Device is its parties' to change: registered for it, held by it, or who pre-notified it. Raises OwnServiceRefused."""
        roles, now, sender = self.context.users.roles(arrival.sender), self.context.clock.now(), arrival.sender
        mpxns = mpxns_of(self.context.inventory, device)
        registered = any(self.context.registration.party(mpxn, role, now) == sender for mpxn in mpxns for role in roles)
        held = self.context.known_parties.knows(device.eui, sender)
        shared = not mpxns and device.type in (DeviceType.CHF, DeviceType.GPF, DeviceType.TYPE_2)
        if not (registered or held or device.notified_by == sender or shared):
            raise OwnServiceRefused("own-not-the-party", sender=sender, eui=device.eui)

    def _update(self, arrival: Arrival) -> Result:
        request, inventory = arrival.request, self.context.inventory
        eui = Node(request.body).eui("DeviceID")
        device = inventory.device(eui)
        if device is None:
            raise OwnServiceRefused("own-not-listed", eui=eui)
        if self.context.users.roles(arrival.sender) == {UserRole.OU} and device.type is not DeviceType.TYPE_2:
            raise OwnServiceRefused("inventory-other-user", type=device.type.name)
        self._eligible(arrival, device)
        sender, name = arrival.sender, str(request.request_id)
        if has(request, "DeleteDevice"):
            inventory.delete(eui, user=sender, request=name)
        elif (status := text(request, "UpdateDeviceStatusExceptCH") or text(request, "UpdateDeviceStatusCH")) is not None:
            if status == "Commissioned":
                raise InventoryRefusal((because("inv-commissioned-by-8-4"),))
            inventory.move(eui, f"8.4 {status}", reason="8.4", user=sender, request=name)
        else:
            details = {column: text(request, element) for column, element in _DETAILS.items()}
            inventory.describe(eui, user=sender, request=name, **{column: value for column, value in details.items() if value is not None})
        return {}

    def _report_hub(self, arrival: Arrival) -> Result:
        device = self.context.inventory.device(Node(arrival.request.body).eui("DeviceID"))
        if device is not None:
            self._eligible(arrival, device)
        return self.hub_reports.take(arrival)

    def _opt_in(self, arrival: Arrival) -> Result:
        certificates = {
            usage.name.lower(): base64.b64encode(
                self.context.keystore.certificate(self.context.broker, usage).public_bytes(Encoding.DER)
            ).decode()
            for usage in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT)
        }
        return {"access_control_broker": str(self.context.broker), **certificates}

    def _return_local(self, arrival: Arrival) -> Result:
        return self.answers.return_local(arrival, Node(arrival.request.body).base64("DeviceGBCSResponse"))


_DETAILS = {
    "manufacturer": "DeviceManufacturer",
    "model": "DeviceModel",
    "version": "SMETSCHTSVersion",
    "firmware": "FirmwareVersion",
    "esme_variant": "ESMEVariant",
    "import_mpxn": "ImportMPxN",
    "secondary_mpan": "SecondaryImportMPAN",
    "export_mpan": "ExportMPAN",
}
_ACTIONS: Mapping[str, Callable[[OwnServices, Arrival], Result]] = {
    "5.1": lambda own, arrival: own.schedules.create(arrival),
    "5.2": lambda own, arrival: own.schedules.read(arrival),
    "5.3": lambda own, arrival: own.schedules.delete(arrival),
    "8.2": OwnServices._read_inventory,
    "8.3": OwnServices._decommission,
    "8.4": OwnServices._update,
    "8.6": OwnServices._opt_in,
    "8.13": OwnServices._return_local,
    "8.14.1": OwnServices._report_hub,
    "8.14.2": OwnServices._report_hub,
    "8.14.3": OwnServices._report_hub,
    "8.14.4": OwnServices._report_hub,
    "11.1": lambda own, arrival: own.firmware.distribute(arrival),
    "11.4": lambda own, arrival: own.firmware.distribute(arrival),
    "12.1": lambda own, arrival: own.wan_matrix.request(arrival),
    "12.2": OwnServices._pre_notify,
}
