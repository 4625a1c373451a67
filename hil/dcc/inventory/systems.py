"""Smart metering systems: their parts, and the duties that are left after installation (sec2-rules 7; glossary; H5.14-H5.27).

The duties of installers after commissioning stand in a legal text that the consultation only summarises: which they are is the
bench's own to say, as a list of named conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from hil.dcc.inventory.inventory import COMMISSIONED, METERS, TYPE_1, Device, Inventory


@dataclass(frozen=True, slots=True)
class MeteringSystem:
    """One system: its meter with the hub (None while it is on none), the GPF of a gas system, and any Type 1 Devices."""

    meter: Device
    chf: Device | None
    gpf: Device | None
    type_1: tuple[Device, ...]

    @property
    def devices(self) -> tuple[Device, ...]:
        """Everything in it, the meter first."""
        return tuple(one for one in (self.meter, self.chf, self.gpf, *self.type_1) if one is not None)

    @property
    def complete(self) -> bool:
        """True if its core is there: electricity meter and hub; gas meter, GPF and hub. Type 1 Devices may be any number."""
        return self.chf is not None and (self.gpf is not None or self.meter.type is not DeviceType.GSME)


def system_of(inventory: Inventory, meter: Eui64) -> MeteringSystem:
    """The system of a meter. Raises InventoryRefusal for a Device that is not listed."""
    device = inventory.listed(meter)
    hub = inventory.hub_of(meter)
    near = [one for one in map(inventory.device, inventory.neighbours(meter)) if one is not None]
    gpf = next((one for one in near if one.type is DeviceType.GPF), None) if device.type is DeviceType.GSME else None
    return MeteringSystem(device, None if hub is None else inventory.device(hub), gpf, tuple(one for one in near if one.type in TYPE_1))


STANDARD_DUTIES: Mapping[str, Callable[[Device], bool]] = {
    "its MPxN is recorded": lambda device: device.type not in METERS or bool(device.mpxns),
    "its premises are recorded": lambda device: device.type not in METERS or device.postcode is not None,
    "it is Commissioned": lambda device: device.status == COMMISSIONED,
}
"""Duties that a command looks at. Which the legal text has is not in the consultation: these are the bench's own."""


@dataclass
class CheckList:
    """Duties after installation and commissioning, by name: each a condition of a Device that is to hold."""

    inventory: Inventory
    _duties: dict[str, Callable[[Device], bool]] = field(default_factory=dict)

    def add(self, duty: str, done: Callable[[Device], bool]) -> None:
        """One more duty; ``done`` says whether it is."""
        self._duties[duty] = done

    def open(self, eui: Eui64) -> tuple[str, ...]:
        """The duties still open for a Device, in the order they were added. Raises InventoryRefusal for an unlisted one."""
        device = self.inventory.listed(eui)
        return tuple(duty for duty, done in self._duties.items() if not done(device))

    def all_open(self) -> dict[Eui64, tuple[str, ...]]:
        """Every meter with duties open."""
        found = {device.eui: self.open(device.eui) for device in self.inventory.devices() if device.type in METERS}
        return {eui: duties for eui, duties in found.items() if duties}
