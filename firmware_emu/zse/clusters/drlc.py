"""Demand Response and Load Control 0x0701: ids only (reference zigbee-han 3)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, Command, attributes, commands

DRLC = Cluster(
    0x0701, "Drlc", secured=True,
    client_attributes=attributes(
        "0x0000 utility_enrolment_group uint8",
        "0x0001 start_randomisation_minutes uint8",
        "0x0002 duration_randomisation_minutes uint8",
        "0x0003 device_class uint16",
    ),
    to_server=commands(Command(0x00, "ReportEventStatus"), Command(0x01, "GetScheduledEvents", answered_by=(0x00,))),
    to_client=commands(
        Command(0x00, "LoadControlEvent"), Command(0x01, "CancelLoadControlEvent"), Command(0x02, "CancelAllLoadControlEvents"),
    ),
)
