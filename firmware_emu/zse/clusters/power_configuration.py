"""Power Configuration 0x0001. Network security only."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, attributes

POWER_CONFIGURATION = Cluster(
    0x0001,
    "PowerConfiguration",
    secured=False,
    attributes=attributes(
        "0x0000 mains_voltage uint16",
        "0x0020 battery_voltage uint8",
        "0x0021 battery_percentage_remaining uint8",
        "0x0031 battery_size enum8",
        "0x0033 battery_quantity uint8",
        "0x003E battery_alarm_state bitmap32",
    ),
)
