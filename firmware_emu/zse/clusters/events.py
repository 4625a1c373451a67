"""Events 0x0709: event and security logs (layouts: reference gbcs-messages 7A)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, commands, fields, repeat

EVENTS = Cluster(
    0x0709,
    "Events",
    secured=True,
    to_server=commands(
        ClusterCommand(
            0x00,
            "GetEventLog",
            fields("control_and_log bitmap8", "event uint16", "from utc", "to utc", "count uint8", "offset uint16"),
            answered_by=(0x01,),
        ),
        ClusterCommand(0x01, "ClearEventLogRequest", fields("log bitmap8"), answered_by=(0x02,)),
    ),
    to_client=commands(
        ClusterCommand(0x00, "PublishEvent", fields("log uint8", "event uint16", "time utc", "control bitmap8", "data octets")),
        ClusterCommand(
            0x01,
            "PublishEventLog",
            fields(
                "total uint16",
                "command_index uint8",
                "command_count uint8",
                "control bitmap8",
                repeat("events", None, "log bitmap8", "event uint16", "time utc", "data octets"),
            ),
        ),
        ClusterCommand(0x02, "ClearEventLogResponse", fields("cleared bitmap8")),
    ),
)
