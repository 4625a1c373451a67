"""Tampering with a meter by hand: covers taken off, a magnet held to it. Each is an event at the Device (reference event-table)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from hil.devices.base.part import DevicePart

LOCKED_BY_TAMPER = 0x81BE
"""Supply disabled, then locked, since the supply tamper state says so."""


class Tampering(Enum):
    """One thing done to a meter; the value is the code of its event."""

    DETECTED = 0x8F3F
    """Whatever a meter's own tamper detection finds."""
    BATTERY_COVER = 0x8F73
    METER_COVER = 0x8F74
    STRONG_MAGNET = 0x8F75
    TERMINAL_COVER = 0x8F76
    SECOND_TERMINAL_COVER = 0x8F77
    OTHER = 0x8F78


ENDS: Mapping[Tampering, int] = MappingProxyType(
    {
        Tampering.BATTERY_COVER: 0x81A1,
        Tampering.METER_COVER: 0x81B9,
        Tampering.STRONG_MAGNET: 0x81BC,
        Tampering.TERMINAL_COVER: 0x81C1,
    }
)
"""The event of its end, where there is one: cover closed, field removed."""


def tamper(device: DevicePart, how: Tampering) -> None:
    """Do it: security log and alert."""
    device.trace.emit("device", device.name, "tampered", how=how.name.lower())
    device.gbcs.raise_alert(how.value)
