"""Sub-GHz 0x070B (ids: reference zigbee-han 3)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields

SUB_GHZ = Cluster(
    0x070B,
    "SubGhz",
    secured=True,
    attributes=attributes(
        "0x0000 channel_change bitmap32",
        "0x0001 page_28_channel_mask bitmap32",
        "0x0002 page_29_channel_mask bitmap32",
        "0x0003 page_30_channel_mask bitmap32",
        "0x0004 page_31_channel_mask bitmap32",
        "0xFFFE attribute_reporting_status enum8",
    ),
    to_server=commands(ClusterCommand(0x00, "GetSuspendZclMessagesStatus", fields(), answered_by=(0x00,))),
    to_client=commands(ClusterCommand(0x00, "SuspendZclMessages", fields("minutes uint8"))),
)
