"""Device types by their name in a board: each is a class, declared by an entry point of the group ``commshub.device``.

The class says everything: its GBCS device type (so its keys and its row in the inventory), its name in DUIS, its variants, how it is
made, what its display shows, and whether it sleeps.
"""

from __future__ import annotations

from firmware_emu import extensions
from firmware_emu.board import DeviceTable
from firmware_emu.crypto.roles import DeviceType
from hil.devices.base.han_device import HanDevice


def kind(name: str) -> type[HanDevice]:
    """The class of a Device type. Raises NotAvailable, which names the types there are."""
    found = extensions.load(extensions.DEVICE, name)
    assert isinstance(found, type), f"{name} declares no class"
    assert issubclass(found, HanDevice), f"{name} declares no Device"
    return found


def device_type(name: str) -> DeviceType:
    """The GBCS device type of a board's ``type``."""
    return kind(name).device_type


def duis_type(row: DeviceTable) -> str:
    """The device type that a service request names."""
    return kind(row.type).duis_type or row.type
