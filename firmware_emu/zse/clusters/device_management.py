"""Device Management 0x0708: change of tenancy and supplier, event configuration (layouts: reference gbcs-messages 7A)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, Command, attributes, commands, fields, repeat

DEVICE_MANAGEMENT = Cluster(
    0x0708, "DeviceManagement", secured=True,
    # The reference names the attribute sets 0x0100, 0x0110, 0x0200, 0x0300, 0x0400; these are the members GBCS messages read.
    attributes=attributes(
        "0x0100 provider uint32",
        "0x0101 provider_name octets",
        "0x0102 provider_contact octets",
        "0x0110 proposed_provider uint32",
        "0x0111 proposed_provider_name octets",
        "0x0112 proposed_provider_change utc",
        "0x0113 proposed_provider_change_control bitmap32",
        "0x0114 proposed_provider_contact octets",
        "0xFFFE attribute_reporting_status enum8",
    ),
    to_server=commands(
        Command(0x00, "GetChangeOfTenancy", fields(), answered_by=(0x00,)),
        Command(0x01, "GetChangeOfSupplier", fields(), answered_by=(0x01,)),
        Command(0x02, "RequestNewPassword", fields("password_type enum8"), answered_by=(0x02,)),
        Command(0x03, "GetSiteId", fields(), answered_by=(0x03,)),
        Command(
            0x04, "ReportEventConfiguration",
            fields("command_index uint8", "command_count uint8", repeat("events", None, "event uint16", "configuration bitmap8")),
        ),
        Command(0x05, "GetCin", fields(), answered_by=(0x06,)),
    ),
    to_client=commands(
        Command(
            0x00, "PublishChangeOfTenancy",
            fields("provider uint32", "event utc", "tariff_type bitmap8", "implementation utc", "control bitmap32"),
        ),
        Command(
            0x01, "PublishChangeOfSupplier",
            fields(
                "current_provider uint32", "event utc", "tariff_type bitmap8", "proposed_provider uint32", "implementation utc",
                "control bitmap32", "name octets", "contact octets",
            ),
        ),
        Command(
            0x02, "RequestNewPasswordResponse",
            fields("event utc", "implementation utc", "minutes uint16", "password_type enum8", "password octets"),
        ),
        Command(0x03, "UpdateSiteId", fields("event utc", "implementation utc", "provider uint32", "site_id octets")),
        Command(
            0x04, "SetEventConfiguration",
            fields(
                "event utc", "start utc", "configuration bitmap8", "control enum8", "count uint8",
                repeat("events", "count", "event uint16"),
            ),
        ),
        Command(0x05, "GetEventConfiguration", fields("event uint16"), answered_by=(0x04,)),
        Command(0x06, "UpdateCin", fields("event utc", "implementation utc", "provider uint32", "cin octets")),
    ),
)
