"""Basic 0x0000. Network security only. GBCS wants PhysicalEnvironment 0x01 (reference gbcs-spec-notes 10.2.2)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, attributes

BASIC = Cluster(
    0x0000,
    "Basic",
    secured=False,
    attributes=attributes(
        "0x0000 zcl_version uint8",
        "0x0001 application_version uint8",
        "0x0002 stack_version uint8",
        "0x0003 hw_version uint8",
        "0x0004 manufacturer_name string",
        "0x0005 model_identifier string",
        "0x0006 date_code string",
        "0x0007 power_source enum8",
        "0x0010 location_description string",
        "0x0011 physical_environment enum8",
        "0x0012 device_enabled bool",
        "0xFFFE attribute_reporting_status enum8",
    ),
)
