"""Responsible and interested parties of an incident (IM-05 to IM-08 [227-232])."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from hil.dcc.base.services import UserRole
from hil.dcc.inventory.inventory import METERS, Inventory, mpxns_of
from hil.dcc.registration import LEAD_ORDER, Registration
from hil.sec.incidents.rules import IncidentRules


@dataclass(frozen=True, slots=True)
class IncidentResponsible:
    """``party`` None is the DCC. ``rule`` says why, with its paragraph; ``shared``: the equipment serves more than one supplier."""

    party: Eui64 | None
    rule: str
    shared: bool


class Responsibility:
    """Reads the inventory and the registration data."""

    def __init__(self, inventory: Inventory, registration: Registration, rules: IncidentRules) -> None:
        self._inventory = inventory
        self._registration = registration
        self._rules = rules

    def mpxns(self, device: Eui64 | None) -> tuple[str, ...]:
        """The MPxNs that an incident about this Device concerns: its meters', for a hub those of all its meters."""
        listed = None if device is None else self._inventory.device(device)
        return () if listed is None else mpxns_of(self._inventory, listed)

    def responsible(self, area: str, device: Eui64 | None, *, visit: bool, at: float) -> IncidentResponsible:
        """Party that closes an incident. Where nobody is registered the DCC keeps it until somebody is (choice)."""
        row = self._rules.areas[area]
        whose = row.on_visit if visit else row.whose
        mpxns = self._hub_mpxns(device)
        shared = whose == "lead" and len(self._suppliers(mpxns, at)) > 1
        if whose == "DCC":
            return IncidentResponsible(None, f"{area}: the DCC closes it, {row.source}", False)
        if whose == "lead":
            found = self._registration.lead_supplier(mpxns, at)
            rule = f"{area}{', a visit is needed' if visit else ''}: the Lead Supplier (EIS, GIS, EES) closes it, {row.source}"
        elif whose == "gas meter":
            found = next((one for mpxn in mpxns if (one := self._registration.party(mpxn, UserRole.GS, at)) is not None), None)
            rule = f"{area}: the gas supplier closes it, {row.source}"
        else:
            found = self._registration.lead_supplier(self.mpxns(device), at)
            rule = f"{area}: the supplier registered for the meter closes it, {row.source}"
        if found is None:
            return IncidentResponsible(None, f"{rule}; nobody is registered for {', '.join(mpxns) or 'it'}, so the DCC keeps it", False)
        return IncidentResponsible(found, rule, shared)

    def interested(self, device: Eui64 | None, at: float) -> tuple[Eui64, ...]:
        """Everyone registered for the MPxNs it concerns [227]."""
        parties = (party for mpxn in self._hub_mpxns(device) for party in self._registration.parties(mpxn, at).values())
        return tuple(dict.fromkeys(parties))

    def _suppliers(self, mpxns: tuple[str, ...], at: float) -> frozenset[Eui64]:
        found = (self._registration.party(mpxn, role, at) for mpxn in mpxns for role in LEAD_ORDER)
        return frozenset(one for one in found if one is not None)

    def _hub_mpxns(self, device: Eui64 | None) -> tuple[str, ...]:
        """Of all meters on the Device's hub: the equipment is shared between their suppliers."""
        hub = None if device is None else self._inventory.hub_of(device)
        if hub is None:
            return self.mpxns(device)
        meters = (self._inventory.device(eui) for eui in self._inventory.on_hub(hub))
        found = tuple(mpxn for meter in meters if meter is not None and meter.type in METERS for mpxn in meter.mpxns)
        return tuple(dict.fromkeys((*self.mpxns(device), *found)))


def default_area(kind: DeviceType | None) -> str:
    """Area in which a fault of a Device of this kind is looked for first."""
    match kind:
        case DeviceType.CHF:
            return "communications network"
        case DeviceType.GPF:
            return "gas proxy"
        case DeviceType.TYPE_2:
            return "in-home display"
        case None:
            return "data services"
        case DeviceType.GSME | DeviceType.ESME:
            return "smart meter"
        case _:
            return "premises HAN"
