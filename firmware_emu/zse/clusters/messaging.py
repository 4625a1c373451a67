"""Messaging 0x0703 (layout: reference gbcs-messages 7A)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, commands, fields

_MESSAGE = fields(
    "message uint32",
    "control bitmap8",
    "start utc",
    "duration_minutes uint16",
    "text string",
    "extended_control bitmap8 ?",
)

MESSAGING = Cluster(
    0x0703,
    "Messaging",
    secured=True,
    to_server=commands(
        ClusterCommand(0x00, "GetLastMessage", fields(), answered_by=(0x00, 0x02)),
        ClusterCommand(0x01, "MessageConfirmation", fields("message uint32", "confirmed utc", "control bitmap8 ?", "response octets ?")),
        ClusterCommand(0x02, "GetMessageCancellation", fields("earliest utc"), answered_by=(0x03,)),
    ),
    to_client=commands(
        ClusterCommand(0x00, "DisplayMessage", _MESSAGE),
        ClusterCommand(0x01, "CancelMessage", fields("message uint32", "control bitmap8")),
        ClusterCommand(0x02, "DisplayProtectedMessage", _MESSAGE),
        ClusterCommand(0x03, "CancelAllMessages", fields("implementation utc")),
    ),
)
