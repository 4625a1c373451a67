"""Identify 0x0003. Network security only."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields

IDENTIFY = Cluster(
    0x0003,
    "Identify",
    secured=False,
    attributes=attributes("0x0000 identify_time uint16"),
    to_server=commands(
        ClusterCommand(0x00, "Identify", fields("identify_time uint16")),
        ClusterCommand(0x01, "IdentifyQuery", fields(), answered_by=(0x00,)),
    ),
    to_client=commands(ClusterCommand(0x00, "IdentifyQueryResponse", fields("timeout uint16"))),
)
