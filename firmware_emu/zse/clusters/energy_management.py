"""Energy Management 0x0706 (ids: reference zigbee-han 3; layouts as tshark 4.0 dissects them)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields

ENERGY_MANAGEMENT = Cluster(
    0x0706,
    "EnergyManagement",
    secured=True,
    attributes=attributes(
        "0x0000 load_control_state bitmap32",
        "0x0001 current_event uint32",
        "0x0002 current_event_status bitmap8",
        "0x0003 conformance_level uint8",
        "0x0004 minimum_off_time uint16",
        "0x0005 minimum_on_time uint16",
        "0x0006 minimum_cycle_period uint16",
        "0xFFFE attribute_reporting_status enum8",
    ),
    to_server=commands(
        ClusterCommand(
            0x00,
            "ManageEvent",
            fields("event uint32", "device_class bitmap16", "group uint8", "actions bitmap8"),
            answered_by=(0x00,),
        ),
    ),
    to_client=commands(
        ClusterCommand(
            0x00,
            "ReportEventStatus",
            fields(
                "event uint32",
                "status enum8",
                "status_time utc",
                "criticality uint8",
                "cooling_set_point int16",
                "heating_set_point int16",
                "average_load int8",
                "duty_cycle uint8",
                "control bitmap8",
            ),
        ),
    ),
)
