"""The case and the battery of a gas meter: what is done to it by hand, and how long it will last."""

from __future__ import annotations

from typing import Protocol

from firmware_emu.zse.clusters.metering import METERING
from hil.devices.base.tampering import ENDS, LOCKED_BY_TAMPER, Tampering, tamper
from hil.devices.gsme.metering import Valve
from hil.devices.metering.part import MeterPart

LOW_BATTERY, BATTERY_RESET = 0x8F1F, 0x8F82
NEW_BATTERY_DAYS = 3650
LOW_BATTERY_DAYS = 365
"""A full battery, and when it is low: the bench's own figures, SMETS gives none."""
_TAMPER_STATE = (METERING.id, 0x0607)
_LOCKED = 0
"""Supply tamper state: 0 locks the supply, 3 leaves it as it is (reference smets-mapping, GCS24a)."""


class Cased(MeterPart, Protocol):
    """A gas meter in its case."""

    @property
    def valve(self) -> Valve:
        """State of the valve."""
        ...

    def move_valve(self, state: int) -> bool:
        """Move the valve; False if it is stuck."""
        ...

    def number(self, cluster: int, attribute: int) -> int:
        """A numeric attribute as it stands."""
        ...


class Hardware:
    """State in the meter's store. Time does not wear the battery: a fault profile says how much is left."""

    def __init__(self, gsme: Cased) -> None:
        self._gsme = gsme
        self._battery = gsme.gbcs.prefix + "battery"

    def tamper(self, how: Tampering) -> None:
        """Do something to the case: the security log, the supplier and, where the supply tamper state says so, the valve hear of it."""
        gsme = self._gsme
        gsme.update()
        tamper(gsme, how)
        if gsme.number(*_TAMPER_STATE) == _LOCKED and gsme.valve is not Valve.OFF and gsme.move_valve(Valve.OFF):
            gsme.tell(LOCKED_BY_TAMPER)

    def restore(self, how: Tampering) -> None:
        """Undo it. What was locked stays so."""
        if how in ENDS:
            self._gsme.tell(ENDS[how])

    @property
    def battery_days(self) -> int:
        """Days that the battery will last."""
        octets = self._gsme.store.get(self._battery)
        return NEW_BATTERY_DAYS if octets is None else int.from_bytes(octets, "big")

    def wear(self, days_left: int) -> None:
        """The battery lasts this long from now on; on its fall below the level it is told."""
        before = self.battery_days
        self._gsme.store.put(self._battery, days_left.to_bytes(2, "big"))
        if days_left < LOW_BATTERY_DAYS <= before:
            self._gsme.tell(LOW_BATTERY)

    def change_battery(self) -> None:
        """A new one is put in."""
        self._gsme.store.delete(self._battery)
        self._gsme.tell(BATTERY_RESET)
