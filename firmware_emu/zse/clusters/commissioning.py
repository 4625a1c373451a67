"""Commissioning 0x0015. Link key security (reference gbcs-spec-notes 10.5). Of its commands only the restart is declared."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields

COMMISSIONING = Cluster(
    0x0015,
    "Commissioning",
    secured=True,
    attributes=attributes(
        "0x0000 short_address uint16",
        "0x0001 extended_pan_id eui64",
        "0x0002 pan_id uint16",
        "0x0003 channel_mask bitmap32",
        "0x0004 protocol_version uint8",
        "0x0005 stack_profile uint8",
        "0x0006 startup_control enum8",
        "0x0010 trust_centre_address eui64",
    ),
    to_server=commands(
        ClusterCommand(0x00, "RestartDevice", fields("options bitmap8", "delay uint8", "jitter uint8"), answered_by=(0x00,)),
    ),
    to_client=commands(ClusterCommand(0x00, "RestartDeviceResponse", fields("status enum8"))),
)
