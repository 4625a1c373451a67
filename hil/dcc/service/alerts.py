"""Content of the DCC's own alerts as DUIS 5.4 has it, one function for each payload that this DCC raises (reference duis-gateway 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import IdentifierError
from firmware_emu.ids import Eui64
from hil.dcc.base.results import Delivery
from hil.dcc.inventory.inventory import Device, Inventory, mpxns_of
from hil.dcc.service.response import Tree, day_of, moment_of


def dcc_alert_payload(delivery: Delivery, inventory: Inventory) -> Tree | None:
    """The payload of a DCC Alert; None where DUIS has no form for what the DCC knows (an outage of a hub without an MPxN)."""
    maker = _PAYLOADS.get(str(delivery.detail.get("payload", _CODES.get(delivery.code, ""))))
    return None if maker is None else maker(delivery, inventory)


def _power_outage(delivery: Delivery, inventory: Inventory) -> Tree | None:
    hub = inventory.device(delivery.device)
    mpxns = () if hub is None else mpxns_of(inventory, hub)
    began = delivery.detail.get("began")
    if not mpxns or not isinstance(began, float | int):
        return None
    content = (("CommsHubDeviceID", delivery.device.duis), ("StartDateTime", moment_of(float(began))), ("MPxN", mpxns[0]))
    return (("PowerOutageEvent", content),)


def _command_failure(delivery: Delivery, inventory: Inventory) -> Tree:
    schedule = delivery.detail.get("DSPScheduleID")
    content = (
        ("CommandRequestID", str(delivery.detail["request"])),
        ("DSPScheduleID", None if schedule is None else str(schedule)),
        ("DeviceID", delivery.device.duis),
    )
    return (("CommandFailure", content),)


def _han_log(delivery: Delivery, inventory: Inventory) -> Tree:
    return (("UpdateHANDeviceLogResult", (("UpdateHANDeviceLogServiceRequestID", str(delivery.detail["request"])),)),)


def _numbers(device: Device) -> Tree:
    return (("ImportMPxN", device.import_mpxn), ("SecondaryImportMPAN", device.secondary_mpan), ("ExportMPAN", device.export_mpan))


def _meter_of(delivery: Delivery, inventory: Inventory) -> Device | None:
    """The meter that an event is about: the Device itself, or the one it belongs to."""
    listed = (inventory.device(eui) for eui in (delivery.device, *inventory.meters_of(delivery.device)))
    return next((device for device in listed if device is not None and device.import_mpxn), None)


def _status_change(delivery: Delivery, inventory: Inventory) -> Tree | None:
    meter = _meter_of(delivery, inventory)
    if meter is None:
        return None
    if delivery.code == "N16":
        change: Tree = (("MeterIdentity", (("MeterMPxNs", _numbers(meter)), ("ESMEVariant", meter.esme_variant or None))),)
    else:
        change = (("MeterDecommissioningOrWithdrawal", (("MeterDecommissionOrWithdrawal", _numbers(meter)),)),)
    return (("DeviceStatusChangeEvent", (("DeviceID", delivery.device.duis), ("DeviceStatusChange", change))),)


def _log_restored(delivery: Delivery, inventory: Inventory) -> Tree | None:
    """Hub and Gas Proxy of the old and the new equipment, whichever of the two logs was restored."""
    try:
        old, new = Eui64.parse(str(delivery.detail["old"])), delivery.device
    except IdentifierError:
        return None
    of_hub = delivery.code == "N30"
    pairs = [_pair(eui, inventory, of_hub) for eui in (old, new)]
    if None in pairs:
        return None
    (old_chf, old_gpf), (new_chf, new_gpf) = (pair for pair in pairs if pair is not None)
    content = (
        ("OldCHFDeviceID", old_chf.duis),
        ("NewCHFDeviceID", new_chf.duis),
        ("OldGPFDeviceID", old_gpf.duis),
        ("NewGPFDeviceID", new_gpf.duis),
    )
    name = "CHFDeviceLog" if of_hub else "GPFDeviceLog"
    return (("DeviceLogRestored", (("RestoredDate", day_of(delivery.time)), (name, content))),)


def _pair(eui: Eui64, inventory: Inventory, is_hub: bool) -> tuple[Eui64, Eui64] | None:
    if not is_hub:
        hub = inventory.hub_of(eui)
        return None if hub is None else (hub, eui)
    gpf = next((one for one in inventory.on_hub(eui) if (device := inventory.device(one)) and device.type is DeviceType.GPF), None)
    return None if gpf is None else (eui, gpf)


def _change_of_supplier(delivery: Delivery, inventory: Inventory) -> Tree | None:
    device, meter = inventory.device(delivery.device), _meter_of(delivery, inventory)
    if device is None or meter is None:
        return None
    content = (("DeviceID", device.eui.duis), ("DeviceType", device.type.name), ("MPxNs", _numbers(meter)))
    return (("ChangeOfSupplier", (("DeviceChangeOfSupplier", content),)),)


_PAYLOADS: Mapping[str, Callable[[Delivery, Inventory], Tree | None]] = MappingProxyType(
    {
        "PowerOutageEvent": _power_outage,
        "CommandFailure": _command_failure,
        "UpdateHANDeviceLogResult": _han_log,
        "DeviceStatusChangeEvent": _status_change,
        "DeviceLogRestored": _log_restored,
        "ChangeOfSupplier": _change_of_supplier,
    }
)
_CODES: Mapping[str, str] = MappingProxyType({"N1": "DeviceStatusChangeEvent"})
"""Payload of alerts whose records name none (reference dcc-alert-codes.csv)."""
