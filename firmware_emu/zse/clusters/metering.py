"""Metering 0x0702: registers, snapshots, samples, supply, and the mirror of a sleepy GSME.

Attribute ids and names: reference zcl-names.csv and zigpy's table (reference zigbee-han 4); layouts: reference gbcs-messages 7A;
mirror commands and notification flags: reference zigbee-han 6.
"""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, Command, attributes, commands, fields, numbered, repeat

_MIRROR_ISSUED = ("event uint32",)

# What a GB meter does not use: received energy, energy carriers, pressure, alarm masks (zigpy's table; all ids are in tshark's too).
_NOT_GB = (
    *numbered(0x0101, 2, 15, "current_tier_{}_summation_received", "uint48"),
    *attributes(
        "0x0003 current_max_demand_received uint48",
        "0x0004 daily_freeze_time_summation uint48",
        "0x0005 daily_freeze_time uint16",
        "0x0006 power_factor int8",
        "0x0009 current_max_demand_received_time utc",
        "0x000D daily_consumption_target uint24",
        "0x0011 preset_reading_time uint16",
        "0x0012 summation_delivered_per_report uint16",
        "0x0013 flow_restriction uint8",
        "0x0015 current_in_energy_carrier_summation uint48",
        "0x0016 current_out_energy_carrier_summation uint48",
        "0x0017 inlet_temperature int24",
        "0x0018 outlet_temperature int24",
        "0x0019 control_temperature int24",
        "0x001A current_in_energy_carrier_demand int24",
        "0x001B current_out_energy_carrier_demand int24",
        "0x001C previous_block_period_consumption_delivered uint48",
        "0x001D current_block_period_consumption_received uint48",
        "0x001E current_block_received enum8",
        "0x001F daily_freeze_time_summation_received uint48",
        "0x0021 active_register_tier_received enum8",
        "0x0309 energy_carrier_unit_of_measure enum8",
        "0x030A energy_carrier_summation_formatting bitmap8",
        "0x030B energy_carrier_demand_formatting bitmap8",
        "0x030C temperature_unit_of_measure enum8",
        "0x030D temperature_formatting bitmap8",
        "0x030F operating_tariff_label_delivered octets",
        "0x0310 operating_tariff_label_received octets",
        "0x0402 current_day_consumption_received uint24",
        "0x0404 previous_day_consumption_received uint24",
        "0x0405 partial_profile_interval_start_time_delivered utc",
        "0x0406 partial_profile_interval_start_time_received utc",
        "0x0407 partial_profile_interval_value_delivered uint24",
        "0x0408 partial_profile_interval_value_received uint24",
        "0x0409 current_day_max_pressure uint48",
        "0x040A current_day_min_pressure uint48",
        "0x040B previous_day_max_pressure uint48",
        "0x040C previous_day_min_pressure uint48",
        "0x040D current_day_max_demand int24",
        "0x040E previous_day_max_demand int24",
        "0x040F current_month_max_demand int24",
        "0x0410 current_year_max_demand int24",
        "0x0411 current_day_max_energy_carrier_demand int24",
        "0x0412 previous_day_max_energy_carrier_demand int24",
        "0x0413 current_month_max_energy_carrier_demand int24",
        "0x0414 current_month_min_energy_carrier_demand int24",
        "0x0415 current_year_max_energy_carrier_demand int24",
        "0x0416 current_year_min_energy_carrier_demand int24",
        "0x0500 max_number_of_periods_delivered uint8",
        "0x0603 number_of_demand_subintervals uint8",
        "0x0604 demand_limit_arm_duration uint16",
        "0x0800 generic_alarm_mask bitmap16",
        "0x0801 electricity_alarm_mask bitmap32",
        "0x0802 generic_flow_pressure_alarm_mask bitmap16",
        "0x0803 water_specific_alarm_mask bitmap16",
        "0x0804 heat_cool_specific_alarm_mask bitmap16",
        "0x0805 gas_specific_alarm_mask bitmap16",
        "0x0806 extended_generic_alarm_mask bitmap48",
        "0x0807 manufacturer_alarm_mask bitmap16",
        "0x0A02 projected_bill uint32",
        "0x0A03 projected_bill_timestamp utc",
    ),
)

METERING = Cluster(
    0x0702, "Metering", secured=True,
    attributes=(
        *attributes(
            "0x0000 current_summation_delivered uint48",
            "0x0001 current_summation_received uint48",
            "0x0002 current_max_demand_delivered uint48",
            "0x0007 reading_snapshot_time utc",
            "0x0008 current_max_demand_delivered_time utc",
            "0x000A default_update_period uint8",
            "0x000B fast_poll_update_period uint8",
            "0x000C current_block_period_consumption_delivered uint48",
            "0x000E current_block enum8",
            "0x000F profile_interval_period enum8",
            "0x0014 supply_status enum8",
            "0x0020 active_register_tier_delivered enum8",
            "0x0022 last_block_switch_time utc",
        ),
        *numbered(0x0100, 2, 48, "current_tier_{}_summation_delivered", "uint48"),
        *attributes(
            "0x0200 status bitmap8",
            "0x0201 remaining_battery_life uint8",
            "0x0202 hours_in_operation uint24",
            "0x0203 hours_in_fault uint24",
            "0x0204 extended_status bitmap64",
            "0x0205 remaining_battery_life_in_days uint16",
            "0x0206 current_meter_id octets",
            "0x0207 ambient_consumption_indicator enum8",
            "0x0300 unit_of_measure enum8",
            "0x0301 multiplier uint24",
            "0x0302 divisor uint24",
            "0x0303 summation_formatting bitmap8",
            "0x0304 demand_formatting bitmap8",
            "0x0305 historical_consumption_formatting bitmap8",
            "0x0306 metering_device_type bitmap8",
            "0x0307 site_id octets",
            "0x0308 meter_serial_number octets",
            "0x030E module_serial_number octets",
            "0x0311 customer_id_number octets",
            "0x0312 alternative_unit_of_measure enum8",
            "0x0313 alternative_demand_formatting bitmap8",
            "0x0314 alternative_consumption_formatting bitmap8",
            "0x0400 instantaneous_demand int24",
            "0x0401 current_day_consumption_delivered uint24",
            "0x0403 previous_day_consumption_delivered uint24",
            "0x0600 current_demand_delivered uint24",
            "0x0601 demand_limit uint24",
            "0x0602 demand_integration_period uint8",
            "0x0607 supply_tamper_state enum8",
            "0x0608 supply_depletion_state enum8",
        ),
        *numbered(0x0700, 1, 16, "current_no_tier_block_{}_summation_delivered", "uint48"),
        *attributes(
            "0x0A00 bill_to_date_delivered uint32",
            "0x0A01 bill_to_date_timestamp_delivered utc",
            "0x0B10 uncontrolled_flow_threshold uint16",
            "0x0B11 uncontrolled_flow_threshold_unit enum8",
            "0x0B12 uncontrolled_flow_multiplier uint16",
            "0x0B13 uncontrolled_flow_divisor uint16",
            "0x0B14 flow_stabilisation_period uint8",
            "0x0B15 flow_measurement_period uint16",
            "0xFFFE attribute_reporting_status enum8",
        ),
        *_NOT_GB,
    ),
    client_attributes=attributes(
        "0x0000 functional_notification_flags bitmap32",
        "0x0001 notification_flags_2 bitmap32",
        "0x0002 notification_flags_3 bitmap32",
        "0x0003 notification_flags_4 bitmap32",
        "0x0004 notification_flags_5 bitmap32",
        "0x0005 notification_flags_6 bitmap32",
        "0x0006 notification_flags_7 bitmap32",
        "0x0007 notification_flags_8 bitmap32",
        "0xFFFE attribute_reporting_status enum8",
    ),
    to_server=commands(
        Command(0x00, "GetProfile", fields("interval_channel enum8", "end utc", "periods uint8"), answered_by=(0x00,)),
        Command(0x01, "RequestMirrorResponse", fields("endpoint uint16")),
        Command(0x02, "MirrorRemoved", fields("endpoint uint16")),
        Command(0x03, "RequestFastPollMode", fields("update_period uint8", "duration uint8"), answered_by=(0x03,)),
        Command(
            0x04, "ScheduleSnapshot",
            fields(
                "event uint32", "command_index uint8", "command_count uint8",
                repeat("schedules", None, "schedule uint8", "start utc", "interval uint24", "payload_type enum8", "cause bitmap32"),
            ),
            answered_by=(0x04,),
        ),
        Command(0x05, "TakeSnapshot", fields("cause bitmap32"), answered_by=(0x05,)),
        Command(0x06, "GetSnapshot", fields("from utc", "to utc", "offset uint8", "cause bitmap32"), answered_by=(0x06,)),
        Command(
            0x07, "StartSampling", fields("event utc", "start utc", "sample_type enum8", "interval uint16", "max_samples uint16"),
            answered_by=(0x0D,),
        ),
        Command(
            0x08, "GetSampledData", fields("sample uint16", "earliest utc", "sample_type enum8", "count uint16"), answered_by=(0x07,),
        ),
        Command(
            0x09, "MirrorReportAttributeResponse", fields("scheme uint8", repeat("flags", None, "value bitmap32")),
        ),
        Command(0x0A, "ResetLoadLimitCounter", fields("provider uint32", "event uint32")),
        Command(
            0x0B, "ChangeSupply",
            fields("provider uint32", "event utc", "requested utc", "implementation utc", "status enum8", "control bitmap8"),
            answered_by=(0x0C,),
        ),
        Command(0x0C, "LocalChangeSupply", fields("status enum8")),
        Command(
            0x0D, "SetSupplyStatus",
            fields("event utc", "tamper enum8", "depletion enum8", "uncontrolled_flow enum8", "load_limit enum8"),
        ),
        Command(
            0x0E, "SetUncontrolledFlowThreshold",
            fields(
                "provider uint32", "event utc", "threshold uint16", "unit enum8", "multiplier uint16", "divisor uint16",
                "stabilisation_period uint8", "measurement_period uint16",
            ),
        ),
    ),
    to_client=commands(
        Command(
            0x00, "GetProfileResponse",
            fields("end utc", "status enum8", "interval_period enum8", "periods uint8", repeat("intervals", "periods", "value uint24")),
        ),
        Command(0x01, "RequestMirror", fields(), answered_by=(0x01,)),
        Command(0x02, "RemoveMirror", fields(), answered_by=(0x02,)),
        Command(0x03, "RequestFastPollModeResponse", fields("update_period uint8", "end utc")),
        Command(0x04, "ScheduleSnapshotResponse", fields("event uint32", repeat("results", None, "schedule uint8", "confirmation uint8"))),
        Command(0x05, "TakeSnapshotResponse", fields("snapshot uint32", "confirmation uint8")),
        Command(
            # The snapshot follows, laid out by its payload type (6 is GB's); it runs to the end of the payload (declare.TRAILING).
            0x06, "PublishSnapshot",
            fields(
                "snapshot uint32", "time utc", "total_found uint8", "command_index uint8", "command_count uint8", "cause bitmap32",
                "payload_type enum8",
            ),
            carries="snapshot_payload",
        ),
        Command(
            0x07, "GetSampledDataResponse",
            fields(
                "sample uint16", "start utc", "sample_type enum8", "interval uint16", "count uint16",
                repeat("samples", "count", "value uint24"),
            ),
        ),
        Command(
            0x08, "ConfigureMirror",
            fields(*_MIRROR_ISSUED, "reporting_interval uint24", "notification_reporting bool", "scheme uint8"),
        ),
        Command(0x09, "ConfigureNotificationScheme", fields(*_MIRROR_ISSUED, "scheme uint8", "flag_order bitmap32")),
        Command(
            0x0A, "ConfigureNotificationFlags",
            fields(
                *_MIRROR_ISSUED, "scheme uint8", "flag_attribute attributeid",
                repeat(
                    "bits", None, "cluster clusterid", "manufacturer uint16", "count uint8", repeat("commands", "count", "command uint8"),
                ),
            ),
        ),
        Command(0x0B, "GetNotifiedMessage", fields("scheme uint8", "flag_attribute attributeid", "flags bitmap32")),
        Command(0x0C, "SupplyStatusResponse", fields("provider uint32", "event utc", "implementation utc", "status enum8")),
        Command(0x0D, "StartSamplingResponse", fields("sample uint16")),
    ),
)

GB_SNAPSHOT = Command(
    0x06, "SnapshotPayload6",
    fields(
        "summation uint48", "tiers uint8", repeat("tier_summations", "tiers", "value uint48"), "tiers_and_blocks bitmap8",
        repeat("block_summations", None, "value uint48"),
    ),
)
"""The snapshot payload that GBCS messages carry in PublishSnapshot (type 6): totals, tiers, block counters."""
