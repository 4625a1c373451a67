"""Demand Response and Load Control 0x0701 (ids: reference zigbee-han 3; layouts as tshark 4.0 dissects them)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields

_EVENT = ("event uint32", "device_class bitmap16", "group uint8")
_LIMITS = ("cooling_set_point int16", "heating_set_point int16", "average_load int8", "duty_cycle uint8", "control bitmap8")

DRLC = Cluster(
    0x0701,
    "Drlc",
    secured=True,
    client_attributes=attributes(
        "0x0000 utility_enrolment_group uint8",
        "0x0001 start_randomisation_minutes uint8",
        "0x0002 duration_randomisation_minutes uint8",
        "0x0003 device_class uint16",
        "0xFFFE attribute_reporting_status enum8",
    ),
    attributes=attributes("0xFFFE attribute_reporting_status enum8"),
    to_server=commands(
        ClusterCommand(
            # The signature type and, where it is not 0, 42 octets of signature (declare.TRAILING).
            0x00,
            "ReportEventStatus",
            fields("event uint32", "status enum8", "status_time utc", "criticality uint8", *_LIMITS, "signature_type uint8"),
            carries="signature",
        ),
        ClusterCommand(0x01, "GetScheduledEvents", fields("start utc", "count uint8", "minimum_event uint32 ?"), answered_by=(0x00,)),
    ),
    to_client=commands(
        ClusterCommand(
            0x00,
            "LoadControlEvent",
            fields(
                *_EVENT,
                "start utc",
                "duration_minutes uint16",
                "criticality uint8",
                "cooling_offset uint8",
                "heating_offset uint8",
                *_LIMITS,
            ),
        ),
        ClusterCommand(0x01, "CancelLoadControlEvent", fields(*_EVENT, "control bitmap8", "effective utc")),
        ClusterCommand(0x02, "CancelAllLoadControlEvents", fields("control bitmap8")),
    ),
)
