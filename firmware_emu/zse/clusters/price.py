"""Price 0x0700: tariff to ESME and GSME, prices to displays (layouts: reference gbcs-messages 7A, ids: reference zigbee-han 3)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields, numbered, repeat

_TARIFF = ("provider uint32", "event utc")
_SINCE = ("earliest utc", "minimum_event uint32", "count uint8")

# Attribute 0x04tb holds the price of tier t (0: no tier), block b + 1.
_PRICES = tuple(one for tier in range(1, 16) for one in numbered(0x0400 + 0x10 * tier, 1, 16, f"tier_{tier}_block_{{}}_price", "uint32"))

PRICE = Cluster(
    0x0700,
    "Price",
    secured=True,
    attributes=(
        *numbered(0x0000, 1, 48, "tier_{}_price_label", "octets"),
        *numbered(0x0100, 1, 15, "block_{}_threshold", "uint48"),
        *attributes(
            "0x0200 start_of_block_period utc",
            "0x0201 block_period_duration uint24",
            "0x0202 threshold_multiplier uint24",
            "0x0203 threshold_divisor uint24",
            "0x0204 block_period_duration_type bitmap8",
            "0x0300 commodity_type enum8",
            "0x0301 standing_charge uint32",
            "0x0302 conversion_factor uint32",
            "0x0303 conversion_factor_trailing_digit bitmap8",
            "0x0304 calorific_value uint32",
            "0x0305 calorific_value_unit enum8",
            "0x0306 calorific_value_trailing_digit bitmap8",
        ),
        *numbered(0x0400, 1, 16, "no_tier_block_{}_price", "uint32"),
        *_PRICES,
        *attributes(
            "0x0615 unit_of_measure enum8",
            "0x0616 currency uint16",
            "0x0617 price_trailing_digits bitmap8",
            "0xFFFE attribute_reporting_status enum8",
        ),
    ),
    client_attributes=attributes(
        "0x0000 price_increase_randomise_minutes uint8",
        "0x0001 price_decrease_randomise_minutes uint8",
        "0x0002 commodity_type enum8",
        "0xFFFE attribute_reporting_status enum8",
    ),
    to_server=commands(
        ClusterCommand(0x00, "GetCurrentPrice", fields("options bitmap8"), answered_by=(0x00,)),
        ClusterCommand(0x01, "GetScheduledPrices", fields("start utc", "count uint8"), answered_by=(0x00,)),
        ClusterCommand(0x02, "PriceAcknowledgement", fields("provider uint32", "event uint32", "acknowledged utc", "control bitmap8")),
        ClusterCommand(0x03, "GetBlockPeriods", fields("start utc", "count uint8", "tariff_type bitmap8 ?"), answered_by=(0x01,)),
        ClusterCommand(0x04, "GetConversionFactor", fields(*_SINCE), answered_by=(0x02,)),
        ClusterCommand(0x05, "GetCalorificValue", fields(*_SINCE), answered_by=(0x03,)),
        ClusterCommand(0x06, "GetTariffInformation", fields(*_SINCE, "tariff_type bitmap8"), answered_by=(0x04,)),
        ClusterCommand(0x07, "GetPriceMatrix", fields("tariff uint32"), answered_by=(0x05,)),
        ClusterCommand(0x08, "GetBlockThresholds", fields("tariff uint32"), answered_by=(0x06,)),
        ClusterCommand(0x09, "GetCo2Value", fields(*_SINCE, "tariff_type bitmap8"), answered_by=(0x07,)),
        ClusterCommand(0x0A, "GetTierLabels", fields("tariff uint32"), answered_by=(0x08,)),
        ClusterCommand(
            0x0B,
            "GetBillingPeriod",
            fields("earliest_start utc", "minimum_event uint32", "count uint8", "tariff_type bitmap8"),
            answered_by=(0x09,),
        ),
        ClusterCommand(0x0C, "GetConsolidatedBill", fields(*_SINCE, "tariff_type bitmap8"), answered_by=(0x0A,)),
        ClusterCommand(0x0D, "CppEventResponse", fields("event uint32", "authorisation enum8")),
        ClusterCommand(0x0E, "GetCreditPayment", fields("latest_end utc", "count uint8"), answered_by=(0x0C,)),
        ClusterCommand(0x0F, "GetCurrencyConversion", fields(), answered_by=(0x0D,)),
        ClusterCommand(0x10, "GetTariffCancellation", fields(), answered_by=(0x0E,)),
    ),
    to_client=commands(
        ClusterCommand(
            # Price ratios, generation and alternate costs may follow, which GB does not use (declare.TRAILING).
            0x00,
            "PublishPrice",
            fields(
                "provider uint32",
                "rate_label octets",
                "event uint32",
                "current_time utc",
                "unit enum8",
                "currency uint16",
                "trailing_digit_and_tier bitmap8",
                "tiers_and_register_tier bitmap8",
                "start utc",
                "duration uint16",
                "price uint32",
            ),
        ),
        ClusterCommand(
            0x01,
            "PublishBlockPeriod",
            fields(
                *_TARIFF,
                "start utc",
                "duration uint24",
                "control bitmap8",
                "duration_type bitmap8",
                "tariff_type bitmap8",
                "resolution enum8",
            ),
        ),
        ClusterCommand(0x02, "PublishConversionFactor", fields("event utc", "start utc", "factor uint32", "trailing_digit bitmap8")),
        ClusterCommand(
            0x03,
            "PublishCalorificValue",
            fields("event utc", "start utc", "value uint32", "unit enum8", "trailing_digit bitmap8"),
        ),
        ClusterCommand(
            0x04,
            "PublishTariffInformation",
            fields(
                *_TARIFF,
                "tariff uint32",
                "start utc",
                "type_and_scheme bitmap8",
                "label octets",
                "price_tiers uint8",
                "block_thresholds uint8",
                "unit enum8",
                "currency uint16",
                "trailing_digit bitmap8",
                "standing_charge uint32",
                "tier_block_mode uint8",
                "multiplier uint24",
                "divisor uint24",
            ),
        ),
        ClusterCommand(
            0x05,
            "PublishPriceMatrix",
            fields(
                *_TARIFF,
                "start utc",
                "tariff uint32",
                "command_index uint8",
                "command_count uint8",
                "sub_payload bitmap8",
                repeat("prices", None, "tier_block uint8", "price uint32"),
            ),
        ),
        ClusterCommand(
            0x06,
            "PublishBlockThresholds",
            fields(
                *_TARIFF,
                "start utc",
                "tariff uint32",
                "command_index uint8",
                "command_count uint8",
                "control bitmap8",
                # One octet: tier in the upper four bits, number of thresholds in the lower four; in GB it is the number alone.
                repeat("tiers", None, "count uint8", repeat("thresholds", "count", "threshold uint48")),
            ),
        ),
        ClusterCommand(
            0x07,
            "PublishCo2Value",
            fields(*_TARIFF, "start utc", "tariff_type bitmap8", "value uint32", "unit enum8", "trailing_digit bitmap8"),
        ),
        ClusterCommand(
            0x08,
            "PublishTierLabels",
            fields(
                *_TARIFF,
                "tariff uint32",
                "command_index uint8",
                "command_count uint8",
                "count uint8",
                repeat("labels", "count", "tier uint8", "label octets"),
            ),
        ),
        ClusterCommand(
            0x09,
            "PublishBillingPeriod",
            fields(*_TARIFF, "start utc", "duration uint24", "duration_type uint8", "tariff_type uint8"),
        ),
        ClusterCommand(
            0x0A,
            "PublishConsolidatedBill",
            fields(
                *_TARIFF,
                "start utc",
                "duration uint24",
                "duration_type bitmap8",
                "tariff_type bitmap8",
                "bill uint32",
                "currency uint16",
                "trailing_digit bitmap8",
            ),
        ),
        ClusterCommand(
            0x0B,
            "PublishCppEvent",
            fields(*_TARIFF, "start utc", "duration uint16", "tariff_type bitmap8", "price_tier enum8", "authorisation enum8"),
        ),
        ClusterCommand(
            0x0C,
            "PublishCreditPayment",
            fields(*_TARIFF, "due utc", "overdue uint32", "status enum8", "payment uint32", "paid utc", "reference octets"),
        ),
        ClusterCommand(
            0x0D,
            "PublishCurrencyConversion",
            fields(
                *_TARIFF,
                "start utc",
                "old_currency uint16",
                "new_currency uint16",
                "factor uint32",
                "trailing_digit bitmap8",
                "change_control bitmap32",
            ),
        ),
        ClusterCommand(0x0E, "CancelTariff", fields("provider uint32", "tariff uint32", "tariff_type bitmap8")),
    ),
)
