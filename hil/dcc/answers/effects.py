"""Effects of a Device's successful answer at the DCC: inventory, associations, device log copy, known parties, alerts.

One function per service reference (sec2-rules section 7, reference dcc-side 3 and 4). They run in the transaction that takes
the answer, and only after the answer was proven by the DCC or by the user it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import UpdateCredentialsResponse
from firmware_emu.gbcs.dlms import AccessResponse
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.ids import Eui64
from hil.dcc.answers.alerts import Alerts
from hil.dcc.base.results import firmware_version
from hil.dcc.base.store import Bus
from hil.dcc.duis import ServiceRequest
from hil.dcc.duis.request import other_device, text
from hil.dcc.gateway.arrival import GatewayContext
from hil.dcc.inventory.device_log import read_log
from hil.dcc.inventory.inventory import COMMISSIONED, METERS, joined_pair, mpxns_of
from hil.dcc.parties.smki import Repository


@dataclass(frozen=True, slots=True)
class TenancyChanged:
    """Told on the bus when a change of tenancy (3.2) was done for these MPxNs."""

    mpxns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Effects:
    """Applies them."""

    context: GatewayContext
    alerts: Alerts
    repository: Repository
    bus: Bus

    def apply(self, request: ServiceRequest, answer: Message) -> None:
        """The answer to ``request`` said yes."""
        effect = EFFECTS.get(request.service_reference)
        if effect is not None:
            effect(self, request, answer)

    def _commission(self, request: ServiceRequest, eui: Eui64) -> None:
        device = self.context.inventory.listed(eui)
        if device.status != COMMISSIONED and self.context.inventory.may_move(eui, "commissioned"):
            self.context.inventory.move(
                eui,
                "commissioned",
                reason=f"success of {request.service_reference_variant} [170, 186]",
                user=request.request_id.originator,
                request=str(request.request_id),
            )
            self.alerts.raise_dcc_alert("N16", eui, self._suppliers(eui), event="commissioned", payload="DeviceStatusChangeEvent")

    def _suppliers(self, eui: Eui64) -> tuple[Eui64, ...]:
        hub = self.context.inventory.hub_of(eui)
        return () if hub is None else self.alerts.relevant(hub)

    def _commissioned(self, request: ServiceRequest, answer: Message) -> None:
        self._commission(request, request.request_id.target)

    def _joined(self, request: ServiceRequest, answer: Message) -> None:
        pair = joined_pair(self.context.inventory, request)
        target, other = request.request_id.target, other_device(request, "OtherDeviceID")
        if pair is None:
            if other is not None:
                self.context.inventory.associate(other, "meter", target)
            return
        follower, meter = pair
        self.context.inventory.associate(follower.eui, "meter", meter.eui)
        reasons = self.context.inventory.commission_refusals(follower.eui)
        if follower.status != COMMISSIONED and not reasons:
            self._commission(request, follower.eui)
        elif reasons and follower.status != COMMISSIONED:
            self.context.trace.emit(
                "dcc", "inventory", "refused", target=str(follower.eui), message=str(request.request_id), reason="; ".join(reasons)
            )

    def _unjoined(self, request: ServiceRequest, answer: Message) -> None:
        target, other = request.request_id.target, other_device(request, "OtherDeviceID")
        if other is not None:
            self.context.inventory.dissociate(other, "meter", target)
            self.context.inventory.dissociate(target, "meter", other)

    def _log_updated(self, request: ServiceRequest, answer: Message) -> None:
        chf, sender, name = request.request_id.target, request.request_id.originator, str(request.request_id)
        eui = other_device(request, "DeviceID")
        if eui is None or self.context.inventory.device(eui) is None:
            return
        if text(request, "RequestType") == "Add":
            self.context.inventory.associate(eui, "chf", chf)
            mpxns = {
                "import_mpxn": text(request, "ImportMPxN"),
                "secondary_mpan": text(request, "SecondaryImportMPAN"),
                "export_mpan": text(request, "ExportMPAN"),
            }
            self.context.inventory.describe(eui, user=sender, request=name, **{column: mpxn for column, mpxn in mpxns.items() if mpxn})
            if self.context.inventory.may_move(eui, "whitelisted"):
                self.context.inventory.move(eui, "whitelisted", reason="8.11 add accepted", user=sender, request=name)
        else:
            self.context.inventory.dissociate(eui, "chf", chf)
            if self.context.inventory.may_move(eui, "removed from the device log"):
                self.context.inventory.move(eui, "removed from the device log", reason="8.11 remove accepted", user=sender, request=name)
        self.alerts.raise_dcc_alert("N24", eui, (sender,), request=name, payload="UpdateHANDeviceLogResult")

    def _log_read(self, request: ServiceRequest, answer: Message) -> None:
        payload = decode_payload(answer)
        if not isinstance(payload, AccessResponse):
            return  # 8.9 to a gas meter or GPF reads that Device's own log
        chf = request.request_id.target
        try:
            hub, backup = read_log(answer.message_code, payload)
        except DecodeError as error:
            self.context.trace.emit("dcc", "device log", "refused", target=str(chf), message=str(request.request_id), reason=str(error))
            return
        for difference in self.context.device_logs.compare(chf, hub):
            self.context.trace.emit(
                "dcc",
                "device log",
                "differs",
                target=str(difference.device),
                message=str(request.request_id),
                kind=difference.kind,
                reason=difference.sentence,
            )
        if backup is not None:
            self.context.device_logs.keep(chf, backup, "8.9", str(request.request_id))

    def _log_restored(self, request: ServiceRequest, answer: Message) -> None:
        new, old = request.request_id.target, other_device(request, "OldCHFID")
        if old is None:
            self._gpf_restored(request)
            return
        for eui in self.context.inventory.on_hub(old):
            device = self.context.inventory.device(eui)
            if device is not None and (restored := self.context.device_logs.copy(old)) is not None and eui in restored.entries:
                self.context.inventory.associate(eui, "chf", new)
        self.alerts.raise_dcc_alert("N30", new, self.alerts.relevant(new), old=str(old), payload="DeviceLogRestored")

    def _gpf_restored(self, request: ServiceRequest) -> None:
        """8.12.2: the new Gas Proxy Function talks to the Devices of the old one; its data are new, the DCC kept none [191]."""
        new, old = request.request_id.target, other_device(request, "OldGPFID")
        if old is None:
            return
        for eui in self.context.device_logs.gpf_log(old):
            device = self.context.inventory.device(eui)
            if device is not None and device.type in METERS:
                self.context.inventory.associate(new, "meter", eui)
        hub = self.context.inventory.hub_of(new)
        parties = () if hub is None else self.alerts.relevant(hub)
        self.alerts.raise_dcc_alert("N31", new, parties, old=str(old), payload="DeviceLogRestored")

    def _withdrawn(self, request: ServiceRequest, answer: Message) -> None:
        self.context.inventory.move(
            request.request_id.target,
            "withdrawn",
            reason="success of 8.5 [175]",
            user=request.request_id.originator,
            request=str(request.request_id),
        )
        if self.context.inventory.listed(request.request_id.target).type in METERS:
            self.alerts.meter_left(request.request_id.target, "withdrawn")

    def _firmware(self, request: ServiceRequest, answer: Message) -> None:
        version = firmware_version(answer)
        device = self.context.inventory.device(request.request_id.target)
        if version is not None and device is not None:
            if device.firmware and device.firmware != version:
                self.context.trace.emit(
                    "dcc",
                    "inventory",
                    "differs",
                    target=str(device.eui),
                    message=str(request.request_id),
                    reason=f"firmware {device.firmware} in the inventory, {version} in the Device",
                )
            self.context.inventory.describe(
                device.eui, user=request.request_id.originator, request=str(request.request_id), firmware=version
            )

    def _tenancy(self, request: ServiceRequest, answer: Message) -> None:
        self.bus.tell(TenancyChanged(mpxns_of(self.context.inventory, self.context.inventory.listed(request.request_id.target))))

    def _certified(self, request: ServiceRequest, answer: Message) -> None:
        certificate = self.repository.certificate_in(request)
        if certificate is not None:
            self.repository.publish(certificate)

    def _supplier_changed(self, request: ServiceRequest, answer: Message) -> None:
        payload = decode_payload(answer)
        if isinstance(payload, Asn1Payload) and isinstance(payload.value, UpdateCredentialsResponse) and payload.value.outcome is None:
            return  # accepted for a later execution: the Device's alert 00CB will tell
        self.supplier_changed(request)

    def supplier_changed(self, request: ServiceRequest) -> None:
        """The Device has taken the gaining supplier's credentials."""
        device, gaining = request.request_id.target, request.request_id.originator
        losing = self.context.known_parties.party(device, RemotePartyRole.SUPPLIER)
        self.context.known_parties.hold(device, RemotePartyRole.SUPPLIER, gaining)
        both = tuple(dict.fromkeys(party for party in (gaining, losing) if party is not None))
        self.alerts.raise_dcc_alert(
            "N42",
            device,
            both,
            gaining=str(gaining),
            losing=str(losing) if losing else None,
            mpxns=" ".join(mpxns_of(self.context.inventory, self.context.inventory.listed(device))),
            payload="ChangeOfSupplier",
        )


EFFECTS: Mapping[str, Callable[[Effects, ServiceRequest, Message], None]] = {
    "3.2": Effects._tenancy,
    "6.15": Effects._certified,
    "8.1": Effects._commissioned,
    "8.7": Effects._joined,
    "8.8": Effects._unjoined,
    "8.11": Effects._log_updated,
    "8.9": Effects._log_read,
    "8.12": Effects._log_restored,
    "8.5": Effects._withdrawn,
    "11.2": Effects._firmware,
    "11.3": Effects._firmware,
    "6.23": Effects._supplier_changed,
}
