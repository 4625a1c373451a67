"""The rig's meters and displays: independent nodes that join over the air and check every message for themselves."""

from __future__ import annotations

from hil.devices.esme.esme import Esme, LoadSwitch
from hil.devices.gsme.gsme import Gsme
from hil.devices.gsme.metering import Valve
from hil.devices.hcalcs import Hcalcs
from hil.devices.ihd import Ihd
from hil.devices.ppmid import Ppmid

__all__ = ["Esme", "Gsme", "Hcalcs", "Ihd", "LoadSwitch", "Ppmid", "Valve"]
