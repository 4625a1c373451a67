"""Device Management 0x0708: change of tenancy and supplier, event configuration (layouts: reference gbcs-messages 7A)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields, repeat

DEVICE_MANAGEMENT = Cluster(
    0x0708,
    "DeviceManagement",
    secured=True,
    # Sets 0x0100 supplier, 0x0110 proposed, 0x0200 tenancy, 0x0300 WAN, 0x0400 thresholds (reference zigbee-han 3), members as in tshark.
    attributes=attributes(
        "0x0100 provider uint32",
        "0x0101 provider_name octets",
        "0x0102 provider_contact octets",
        "0x0110 proposed_provider uint32",
        "0x0111 proposed_provider_name octets",
        "0x0112 proposed_provider_change utc",
        "0x0113 proposed_provider_change_control bitmap32",
        "0x0114 proposed_provider_contact octets",
        "0x0120 received_provider uint32",
        "0x0121 received_provider_name octets",
        "0x0122 received_provider_contact octets",
        "0x0130 received_proposed_provider uint32",
        "0x0131 received_proposed_provider_name octets",
        "0x0132 received_proposed_provider_change utc",
        "0x0133 received_proposed_provider_change_control bitmap32",
        "0x0134 received_proposed_provider_contact octets",
        "0x0200 change_of_tenancy_update utc",
        "0x0201 proposed_tenancy_change_control bitmap32",
        "0x0300 wan_status enum8",
        "0x0400 low_medium_threshold uint32",
        "0x0401 medium_high_threshold uint32",
        "0xFFFE attribute_reporting_status enum8",
    ),
    # Beyond these, one event configuration octet per event number (sets 0x01 to 0x08), read by SetEventConfiguration's event ids.
    client_attributes=attributes("0x0000 provider uint32", "0x0010 received_provider uint32"),
    to_server=commands(
        ClusterCommand(0x00, "GetChangeOfTenancy", fields(), answered_by=(0x00,)),
        ClusterCommand(0x01, "GetChangeOfSupplier", fields(), answered_by=(0x01,)),
        ClusterCommand(0x02, "RequestNewPassword", fields("password_type enum8"), answered_by=(0x02,)),
        ClusterCommand(0x03, "GetSiteId", fields(), answered_by=(0x03,)),
        ClusterCommand(
            0x04,
            "ReportEventConfiguration",
            fields("command_index uint8", "command_count uint8", repeat("events", None, "event uint16", "configuration bitmap8")),
        ),
        ClusterCommand(0x05, "GetCin", fields(), answered_by=(0x06,)),
    ),
    to_client=commands(
        ClusterCommand(
            0x00,
            "PublishChangeOfTenancy",
            fields("provider uint32", "event utc", "tariff_type bitmap8", "implementation utc", "control bitmap32"),
        ),
        ClusterCommand(
            0x01,
            "PublishChangeOfSupplier",
            fields(
                "current_provider uint32",
                "event utc",
                "tariff_type bitmap8",
                "proposed_provider uint32",
                "implementation utc",
                "control bitmap32",
                "name octets",
                "contact octets",
            ),
        ),
        ClusterCommand(
            0x02,
            "RequestNewPasswordResponse",
            fields("event utc", "implementation utc", "minutes uint16", "password_type enum8", "password octets"),
        ),
        ClusterCommand(0x03, "UpdateSiteId", fields("event utc", "implementation utc", "provider uint32", "site_id octets")),
        ClusterCommand(
            0x04,
            "SetEventConfiguration",
            fields(
                "event utc",
                "start utc",
                "configuration bitmap8",
                "control enum8",
                "count uint8",
                repeat("events", "count", "event uint16"),
            ),
        ),
        ClusterCommand(0x05, "GetEventConfiguration", fields("event uint16"), answered_by=(0x04,)),
        ClusterCommand(0x06, "UpdateCin", fields("event utc", "implementation utc", "provider uint32", "cin octets")),
    ),
)
