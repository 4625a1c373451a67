"""Entitlement of a user: the Devices it may see (SSI-10 [250])."""

from __future__ import annotations

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from hil.dcc.inventory.inventory import METERS, Device, Inventory
from hil.dcc.registration import Registration


class Entitlement:
    """Reads inventory and registration data. A user's own are:

    the meters whose MPxN it is registered for in any role, and what is associated with them, their hub included; and what it
    pre-notified, as long as no meter of another party has it. Another supplier's meter on the same hub is not its own.
    """

    def __init__(self, inventory: Inventory, registration: Registration) -> None:
        self._inventory = inventory
        self._registration = registration

    def devices(self, user: Eui64, at: float) -> tuple[Device, ...]:
        """The Devices ``user`` may see at ``at``, in the order of their identifiers."""
        parties: dict[str, set[Eui64]] = {}
        for mpxn, _, party in self._registration.all_at(at):
            parties.setdefault(mpxn, set()).add(party)
        listed = self._inventory.devices()
        owners = {one.eui: {party for mpxn in one.mpxns for party in parties.get(mpxn, ())} for one in listed if one.type in METERS}
        own = {meter for meter, found in owners.items() if user in found}
        own |= {other for meter in own for other in self._inventory.neighbours(meter)}
        for one in listed:
            if one.notified_by == user and one.eui not in own:
                meters = {one.eui} if one.eui in owners else self._meters_with(one)
                if not any(owners.get(meter) for meter in meters):
                    own.add(one.eui)
        return tuple(one for one in listed if one.eui in own)

    def _meters_with(self, device: Device) -> set[Eui64]:
        on_hub = self._inventory.on_hub(device.eui) if device.type is DeviceType.CHF else ()
        return {*self._inventory.meters_of(device.eui), *on_hub}

    def device(self, user: Eui64, eui: Eui64, at: float) -> Device | None:
        """One of them, None for what is not the user's or not there: the two look alike."""
        return next((one for one in self.devices(user, at) if one.eui == eui), None)

    def hubs(self, user: Eui64, at: float) -> tuple[Device, ...]:
        """The hubs among them."""
        return tuple(one for one in self.devices(user, at) if one.type is DeviceType.CHF)
