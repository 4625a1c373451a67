"""Prepayment 0x0705: credit, debt, top-ups (attributes: reference zcl-names.csv; layouts: reference gbcs-messages 7A)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterAttribute, ClusterCommand, attributes, commands, fields, numbered, repeat

_ISSUED = ("provider uint32", "event utc", "implementation utc")


def _debt(number: int) -> tuple[ClusterAttribute, ...]:
    """One debt register: ids 0x02x0 on."""
    first = 0x0200 + 0x10 * number
    return attributes(
        f"0x{first:04X} debt_label_{number} octets",
        f"0x{first + 1:04X} debt_amount_{number} uint32",
        f"0x{first + 2:04X} debt_recovery_method_{number} enum8",
        f"0x{first + 3:04X} debt_recovery_start_time_{number} utc",
        f"0x{first + 4:04X} debt_recovery_collection_time_{number} uint16",
        f"0x{first + 6:04X} debt_recovery_frequency_{number} enum8",
        f"0x{first + 7:04X} debt_recovery_amount_{number} uint32",
        f"0x{first + 9:04X} debt_recovery_top_up_percentage_{number} uint16",
    )


def _costs(first: int, count: int, period: str) -> tuple[ClusterAttribute, ...]:
    """Costs of consumption: of the period under way and of those before it, delivered and received."""
    names = [f"current_{period}", f"previous_{period}", *(f"previous_{period}_{number}" for number in range(2, count))]
    return attributes(
        *(
            f"0x{first + 2 * index + side:04X} {name}_cost_consumption_{flow} uint48"
            for index, name in enumerate(names)
            for side, flow in enumerate(("delivered", "received"))
        )
    )


PREPAYMENT = Cluster(
    0x0705,
    "Prepayment",
    secured=True,
    attributes=(
        *attributes(
            "0x0000 payment_control_configuration bitmap16",
            "0x0001 credit_remaining int32",
            "0x0002 emergency_credit_remaining int32",
            "0x0003 credit_status bitmap8",
            "0x0004 credit_remaining_timestamp utc",
            "0x0005 accumulated_debt int32",
            "0x0006 overall_debt_cap int32",
            "0x0010 emergency_credit_limit uint32",
            "0x0011 emergency_credit_threshold uint32",
            "0x0020 total_credit_added uint48",
            "0x0021 max_credit_limit uint32",
            "0x0022 max_credit_per_top_up uint32",
            "0x0030 friendly_credit_warning uint8",
            "0x0031 low_credit_warning_level uint32",
            "0x0032 ihd_low_credit_warning_level uint32",
            "0x0033 interrupt_suspend_time uint8",
            "0x0034 remaining_friendly_credit_time uint16",
            "0x0035 next_friendly_credit_period utc",
            "0x0040 cut_off_value int32",
            "0x0080 token_carrier_id octets",
        ),
        *numbered(0x0100, 0x10, 5, "top_up_date_time_{}", "utc"),
        *numbered(0x0101, 0x10, 5, "top_up_amount_{}", "int32"),
        *numbered(0x0102, 0x10, 5, "originating_device_{}", "enum8"),
        *numbered(0x0103, 0x10, 5, "top_up_code_{}", "octets"),
        *_debt(1),
        *_debt(2),
        *_debt(3),
        *attributes(
            "0x0400 prepayment_alarm_status bitmap16",
            "0x0401 generic_alarm_mask bitmap16",
            "0x0402 switch_alarm_mask bitmap16",
            "0x0403 event_alarm_mask bitmap16",
            "0x0500 historical_cost_consumption_formatting bitmap8",
            "0x0501 consumption_unit_of_measurement enum8",
            "0x0502 currency_scaling_factor enum8",
            "0x0503 currency uint16",
        ),
        *_costs(0x051C, 9, "day"),
        *_costs(0x0530, 6, "week"),
        *_costs(0x0540, 14, "month"),
        *attributes("0x055C historical_freeze_time uint16", "0xFFFE attribute_reporting_status enum8"),
    ),
    to_server=commands(
        ClusterCommand(0x00, "SelectAvailableEmergencyCredit", fields("issued utc", "originating_device enum8")),
        ClusterCommand(
            0x02,
            "ChangeDebt",
            fields(
                "event utc",
                "label octets",
                "amount int32",
                "recovery_method uint8",
                "amount_type enum8",
                "recovery_start uint32",
                "collection_time uint16",
                "recovery_frequency enum8",
                "recovery_amount int32",
                "balance_percentage uint16",
            ),
        ),
        ClusterCommand(0x03, "EmergencyCreditSetup", fields("event utc", "start utc", "limit uint32", "threshold uint32")),
        ClusterCommand(0x04, "ConsumerTopUp", fields("originating_device uint8", "code octets"), answered_by=(0x03,)),
        ClusterCommand(0x05, "CreditAdjustment", fields("event utc", "start utc", "adjustment_type uint8", "value int32")),
        ClusterCommand(0x06, "ChangePaymentMode", fields(*_ISSUED, "configuration bitmap16", "cut_off_value int32"), answered_by=(0x02,)),
        ClusterCommand(0x07, "GetPrepaySnapshot", fields("from utc", "to utc", "offset uint8", "cause bitmap32"), answered_by=(0x01,)),
        ClusterCommand(0x08, "GetTopUpLog", fields("latest_end utc", "count uint8"), answered_by=(0x05,)),
        ClusterCommand(0x09, "SetLowCreditWarningLevel", fields("level uint32")),
        ClusterCommand(0x0A, "GetDebtRepaymentLog", fields("latest_end utc", "count uint8", "debt_type enum8"), answered_by=(0x06,)),
        ClusterCommand(0x0B, "SetMaximumCreditLimit", fields(*_ISSUED, "max_level uint32", "max_per_top_up uint32")),
        ClusterCommand(0x0C, "SetOverallDebtCap", fields(*_ISSUED, "cap int32")),
    ),
    to_client=commands(
        ClusterCommand(
            # The snapshot follows, laid out by its payload type; GB_PREPAY_SNAPSHOT is the one GBCS messages carry.
            0x01,
            "PublishPrepaySnapshot",
            fields(
                "snapshot uint32",
                "time utc",
                "total_found uint8",
                "command_index uint8",
                "command_count uint8",
                "cause bitmap32",
                "payload_type enum8",
            ),
            carries="snapshot_payload",
        ),
        ClusterCommand(
            0x02,
            "ChangePaymentModeResponse",
            fields("friendly_credit bitmap8", "friendly_credit_calendar uint32", "emergency_limit uint32", "emergency_threshold uint32"),
        ),
        ClusterCommand(0x03, "ConsumerTopUpResponse", fields("result enum8", "value int32", "source enum8", "credit_remaining int32")),
        ClusterCommand(
            0x05,
            "PublishTopUpLog",
            fields("command_index uint8", "command_count uint8", repeat("top_ups", None, "code octets", "amount int32", "time utc")),
        ),
        ClusterCommand(
            0x06,
            "PublishDebtLog",
            fields(
                "command_index uint8",
                "command_count uint8",
                repeat("payments", None, "time utc", "amount uint32", "debt_type enum8", "outstanding uint32"),
            ),
        ),
    ),
)

GB_PREPAY_SNAPSHOT = ClusterCommand(
    0x01,
    "PrepaySnapshotPayload",
    fields(
        "accumulated_debt int32",
        "time_debt_1 uint32",
        "time_debt_2 uint32",
        "payment_debt uint32",
        "emergency_credit uint32",
        "credit_remaining int32",
    ),
)
"""The snapshot payload that GBCS messages carry in PublishPrepaySnapshot."""
