"""The Devices and MPxNs that a request concerns, as the inventory has them."""

from __future__ import annotations

from firmware_emu.crypto.roles import DeviceType
from hil.dcc.duis import ServiceRequest
from hil.dcc.duis.readings import other_device, text
from hil.dcc.inventory.inventory import METERS, Device, Inventory

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

    6.23 concerns the MPxN it names alone. For a hub any supplier of one of its meters is eligible (choice: equipment is shared).
    """
    names = ("ImportMPxN", "SecondaryImportMPAN", "ExportMPAN")
    named = () if request is None else tuple(found for name in names if (found := text(request, name)))
    if named and (device.type is not DeviceType.CHF):
        return named
    meters = inventory.meters_of(device.eui)
    if not meters and (hub := inventory.hub_of(device.eui)) is not None:
        meters = inventory.on_hub(hub)
    listed = (inventory.device(meter) for meter in meters)
    held = (mpxn for meter in listed if meter is not None and meter.type in METERS for mpxn in meter.mpxns)
    return tuple(dict.fromkeys((*named, *held)))
