"""Energy Management 0x0706 (ids: reference zigbee-han 3)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, Command, attributes, commands

ENERGY_MANAGEMENT = Cluster(
    0x0706, "EnergyManagement", secured=True,
    attributes=attributes(
        "0x0000 load_control_state bitmap32",
        "0x0001 current_event uint32",
        "0x0002 current_event_status bitmap8",
        "0x0003 conformance_level uint8",
        "0x0004 minimum_off_time uint16",
        "0x0005 minimum_on_time uint16",
        "0x0006 minimum_cycle_period uint16",
    ),
    to_server=commands(Command(0x00, "ManageEvent", answered_by=(0x00,))),
    to_client=commands(Command(0x00, "ReportEventStatus")),
)
