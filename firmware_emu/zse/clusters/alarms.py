"""Alarms 0x0009. Network security only (reference gbcs-spec-notes 10.5)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields

ALARMS = Cluster(
    0x0009,
    "Alarms",
    secured=False,
    attributes=attributes("0x0000 alarm_count uint16"),
    to_server=commands(
        ClusterCommand(0x00, "ResetAlarm", fields("alarm_code enum8", "cluster clusterid")),
        ClusterCommand(0x01, "ResetAllAlarms", fields()),
        ClusterCommand(0x02, "GetAlarm", fields(), answered_by=(0x01,)),
        ClusterCommand(0x03, "ResetAlarmLog", fields()),
    ),
    to_client=commands(
        ClusterCommand(0x00, "Alarm", fields("alarm_code enum8", "cluster clusterid")),
        ClusterCommand(
            0x01,
            "GetAlarmResponse",
            fields("status enum8", "alarm_code enum8 ?", "cluster clusterid ?", "timestamp uint32 ?"),
        ),
    ),
)
