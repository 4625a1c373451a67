"""Calendar 0x0707: switching tables, special days (layouts: reference gbcs-messages 7A)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields, numbered, repeat

_ISSUED = ("provider uint32", "event utc", "calendar uint32")
_DATE = "date date"  # year less 1900, month, day, weekday; FF is any

CALENDAR = Cluster(
    0x0707,
    "Calendar",
    secured=True,
    attributes=(
        *numbered(0x0000, 1, 8, "auxiliary_switch_{}_label", "octets"),
        *attributes("0xFFFE attribute_reporting_status enum8"),
    ),
    to_server=commands(
        ClusterCommand(
            0x00,
            "GetCalendar",
            fields("earliest utc", "minimum_event uint32", "count uint8", "calendar_type uint8", "provider uint32"),
            answered_by=(0x00,),
        ),
        ClusterCommand(
            0x01,
            "GetDayProfiles",
            fields("provider uint32", "calendar uint32", "first_day uint8", "count uint8"),
            answered_by=(0x01,),
        ),
        ClusterCommand(
            0x02,
            "GetWeekProfiles",
            fields("provider uint32", "calendar uint32", "first_week uint8", "count uint8"),
            answered_by=(0x02,),
        ),
        ClusterCommand(0x03, "GetSeasons", fields("provider uint32", "calendar uint32"), answered_by=(0x03,)),
        ClusterCommand(
            0x04,
            "GetSpecialDays",
            fields("start utc", "count uint8", "calendar_type uint8", "provider uint32", "calendar uint32"),
            answered_by=(0x04,),
        ),
        ClusterCommand(0x05, "GetCalendarCancellation", fields(), answered_by=(0x05,)),
    ),
    to_client=commands(
        ClusterCommand(
            0x00,
            "PublishCalendar",
            fields(
                *_ISSUED,
                "start utc",
                "calendar_type uint8",
                "time_reference uint8",
                "name octets",
                "seasons uint8",
                "weeks uint8",
                "days uint8",
            ),
        ),
        ClusterCommand(
            0x01,
            "PublishDayProfile",
            fields(
                *_ISSUED,
                "day uint8",
                "total uint8",
                "command_index uint8",
                "command_count uint8",
                "calendar_type uint8",
                repeat("entries", None, "minute uint16", "value uint8"),
            ),
        ),
        ClusterCommand(
            0x02,
            "PublishWeekProfile",
            fields(*_ISSUED, "week uint8", repeat("days", 7, "day uint8")),  # Monday first
        ),
        ClusterCommand(
            0x03,
            "PublishSeasons",
            fields(*_ISSUED, "command_index uint8", "command_count uint8", repeat("seasons", None, _DATE, "week uint8")),
        ),
        ClusterCommand(
            0x04,
            "PublishSpecialDays",
            fields(
                *_ISSUED,
                "start utc",
                "calendar_type uint8",
                "total uint8",
                "command_index uint8",
                "command_count uint8",
                repeat("days", None, _DATE, "day uint8"),
            ),
        ),
        ClusterCommand(0x05, "CancelCalendar", fields("provider uint32", "calendar uint32", "calendar_type uint8")),
    ),
)
