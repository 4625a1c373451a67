"""Numbers that the hub writes on the wire, by the names that their sources give them."""

from __future__ import annotations

import pytest

from firmware_emu.gbcs.dlms import parse_obis
from firmware_emu.hub import back_fill, billing_log, gpf, mirror, ota, second_band, sub_ghz, tap_off
from firmware_emu.hub.device_log import RegisteredType
from firmware_emu.hub.gas_store import Missing
from firmware_emu.hub.sub_ghz import DutyState, ScanOutcome, ScanTrigger
from firmware_emu.wan.base import WanKind
from firmware_emu.zse.clusters.basic import BASIC
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.ota import OTA
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
from firmware_emu.zse.declare import Cluster
from tests.source_numbers import constant, event, message, to_client, to_server

H = "firmware_emu.hub."
_FLAG = {
    "NEW_FIRMWARE": 0,
    "TIME_SYNC": 2,
    "PUSH_BASIC": 12,
    "PUSH_METERING": 13,
    "PUSH_PREPAYMENT": 14,
    "NETWORK_KEY_ACTIVE": 15,
    "TUNNEL_MESSAGE_PENDING": 21,
    "GET_SNAPSHOT": 22,
    "GET_SAMPLED_DATA": 23,
    "ENERGY_SCAN_PENDING": 25,
    "CHANNEL_CHANGE_PENDING": 26,
}
"""Bits of Metering's functional notification flags as ZigBee Smart Energy lists them (reference zigbee-han 6)."""


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("chf:LOG_CHANGED", "CHF Device Log Changed"),
        ("gpf:LOG_CHANGED", "GPF Device Log Changed"),
        ("gpf:_LOG_CLEARED", "Event Log Cleared"),
        ("hub:RESTORED_SHORT", "Supply Outage Restored"),
        ("hub:RESTORED_LONG", "Supply Outage Restored - Outage >= 3 minutes"),
        ("hub:_SUPPLY_INTERRUPTED", "Supply interrupted"),
        ("ota:TRANSFER_FAILED", "Firmware transfer alert FAIL"),
        ("ota:TRANSFER_SUCCEEDED", "Firmware transfer alert SUCCESS"),
        ("routing:NOT_DELIVERED", "Failure to Deliver Remote Party Message to ESME"),
        ("routing:NOT_RETRIEVED", "GSME Command Not Retrieved"),
        ("second_band:LIMITED", "Limited Duty Cycle Action Taken"),
        ("second_band:CHANNEL_CHANGED", "Sub GHz Channel Changed"),
        ("second_band:SEARCHES_FAILED", "Three Lost GSME Searches Failed"),
        ("second_band:NOT_CHANGED", "Sub GHz Channel not changed due to Frequency Agility Parameters"),
        ("second_band:DISCARDED", "Message Discarded Due to Duty Cycle Management"),
        ("second_band:NO_CAPACITY", "No More Sub GHz Device Capacity"),
        ("sub_ghz:CONFIGURATION_CHANGED", "Sub GHz Configuration Changed"),
        ("sub_ghz:SCAN_ASSESSED", "Sub GHz Channel Scan Request Assessment Outcome"),
        ("sub_ghz:SCAN_STARTED", "Sub GHz Channel Scan initiated"),
        ("sub_ghz:CHANNEL_CHANGED", "Sub GHz Channel Changed"),
        ("tap_off:_FAILED", "Tap Off Message Response or Alert Failure"),
        ("tap_off:_DONE_LATER", "Future-date HAN Interface Command Successfully Actioned"),
    ],
)
def test_an_event_has_the_code_of_its_name(place: str, name: str) -> None:
    assert constant(H + place) == event(name)


@pytest.mark.parametrize(
    ("state", "entered", "left"),
    [
        (DutyState.LIMITED, "Limited Duty Cycle Action Taken", "Duty Cycle fallen below Normal-Limited Duty Cycle Threshold"),
        (DutyState.CRITICAL, "Critical Duty Cycle Action Taken", "Duty Cycle fallen below Limited-Critical Duty Cycle Threshold"),
        (DutyState.REGULATED, "Regulated Duty Cycle Action Taken", "Duty Cycle fallen below Critical-Regulated Duty Cycle Threshold"),
    ],
)
def test_a_duty_cycle_state_has_an_event_for_each_way(state: DutyState, entered: str, left: str) -> None:
    assert second_band.ENTERED[state] == event(entered)
    assert second_band.LEFT[state] == event(left)


@pytest.mark.parametrize(
    ("place", "use_case"),
    [
        ("chf:LOG_BACKUP_ALERT", "CS14"),
        ("gpf:LOG_BACKUP_ALERT", "GCS62"),
        ("gpf:RESTORE_LOG", "GCS59"),
        ("hub:RESTORED_LONG_ALERT", "ECS80"),
        ("ota:TRANSFER_ALERT", "CCS08"),
        ("second_band:_LIMITED_ALERT", "DBCH06"),
        ("second_band:_CHANGED_ALERT", "DBCH07"),
        ("second_band:_DISCARDED_ALERT", "DBCH10"),
        ("second_band:_NO_CAPACITY_ALERT", "DBCH11"),
        ("sub_ghz:SCAN_ALERT", "DBCH08"),
        ("sub_ghz:CONFIGURATION_ALERT", "DBCH09"),
        ("tap_off:_CLEAR_LOG", "CS11"),
        ("tap_off:_LATER_ALERT", "FDA-GBZ"),
    ],
)
def test_a_message_has_the_code_of_its_use_case(place: str, use_case: str) -> None:
    assert constant(H + place) == message(use_case)


def test_the_codes_that_the_gpf_taps_and_those_by_which_it_is_joined_are_those_of_their_use_cases() -> None:
    tapped = {message(name) for name in ("GCS01a", "GCS01b", "GCS05", "GCS07", "GCS23", "GCS25", "GCS44")}
    assert {"2.0": tapped | {message("CS11")}, "4.x": tapped | {message("GCS25a")}} == tap_off.CODES
    assert tuple(message(name) for name in ("CS03B", "CS03C", "CS04AC", "CS04B")) == gpf._JOINS


@pytest.mark.parametrize(
    ("cluster", "publishes"),
    [
        (
            PRICE,
            "PublishBlockPeriod PublishConversionFactor PublishCalorificValue PublishTariffInformation PublishPriceMatrix "
            "PublishBlockThresholds PublishBillingPeriod",
        ),
        (CALENDAR, "PublishCalendar PublishDayProfile PublishWeekProfile PublishSeasons PublishSpecialDays"),
        (MESSAGING, "DisplayMessage"),
        (DEVICE_MANAGEMENT, "PublishChangeOfSupplier"),
    ],
)
def test_a_tapped_command_is_one_that_publishes_and_the_readers_get_of_the_same_name_fetches_it(cluster: Cluster, publishes: str) -> None:
    names = publishes.split()
    assert tap_off._TAKEN[cluster.id] == {to_client(cluster, name) for name in names}
    served = {command: answer for (of, command), answer in tap_off._GETS.items() if of == cluster.id}
    assert sorted(served.values()) == sorted(to_client(cluster, name) for name in names)
    for command, answer in served.items():
        asked, told = cluster.to_server[command].name, cluster.to_client[answer].name
        assert asked.removeprefix("Get").rstrip("s") == told.removeprefix("Publish").rstrip("s") or cluster is MESSAGING, asked
    if cluster is MESSAGING:
        assert served == {to_server(MESSAGING, "GetLastMessage"): to_client(MESSAGING, "DisplayMessage")}


def test_a_wildcard_of_calendars_stands_for_the_tariffs_and_for_that_of_friendly_credit() -> None:
    """Reference gbcs-messages 7A: FFFFFFFF the delivered tariff's (type 0), FFFFFFFE the non-disablement one (3)."""
    assert tap_off._TYPES == {0xFFFFFFFF: 0, 0xFFFFFFFE: 3}


@pytest.mark.parametrize(
    ("place", "cluster", "side", "name"),
    [
        ("mirror:_REQUEST_MIRROR", METERING, "client", "RequestMirror"),
        ("mirror:_REQUEST_MIRROR_RESPONSE", METERING, "server", "RequestMirrorResponse"),
        ("mirror:_CONFIGURE_MIRROR", METERING, "client", "ConfigureMirror"),
        ("mirror:_REPORT_RESPONSE", METERING, "server", "MirrorReportAttributeResponse"),
        ("mirror:_GET_NOTIFIED_MESSAGE", METERING, "client", "GetNotifiedMessage"),
        ("mirror:_PUBLISH_EVENT", EVENTS, "client", "PublishEvent"),
        ("ota:_NOTIFY", OTA, "client", "ImageNotify"),
        ("ota:_QUERY", OTA, "server", "QueryNextImageRequest"),
        ("ota:_BLOCK", OTA, "server", "ImageBlockRequest"),
        ("ota:_END", OTA, "server", "UpgradeEndRequest"),
        ("ota:_QUERY_ANSWER", OTA, "client", "QueryNextImageResponse"),
        ("ota:_BLOCK_ANSWER", OTA, "client", "ImageBlockResponse"),
        ("ota:_END_ANSWER", OTA, "client", "UpgradeEndResponse"),
        ("second_band:_SUSPEND", SUB_GHZ, "client", "SuspendZclMessages"),
        ("sub_ghz:_SUSPEND", SUB_GHZ, "client", "SuspendZclMessages"),
        ("sub_ghz:_SUSPEND_STATUS", SUB_GHZ, "server", "GetSuspendZclMessagesStatus"),
    ],
)
def test_a_command_of_the_han_has_the_number_of_its_name(place: str, cluster: Cluster, side: str, name: str) -> None:
    assert constant(H + place) == (to_client if side == "client" else to_server)(cluster, name)


def test_the_logs_that_a_gas_meter_publishes_are_told_apart_by_cluster_and_command() -> None:
    assert (METERING.id, to_client(METERING, "PublishSnapshot")) == billing_log._SNAPSHOT
    assert (PREPAYMENT.id, to_client(PREPAYMENT, "PublishPrepaySnapshot")) == billing_log._PREPAY_SNAPSHOT
    assert (PREPAYMENT.id, to_client(PREPAYMENT, "PublishTopUpLog")) == billing_log._TOP_UPS
    assert (PREPAYMENT.id, to_client(PREPAYMENT, "PublishDebtLog")) == billing_log._DEBT_PAYMENTS
    assert billing_log.GENERAL == 1, "snapshot cause, bit 0: general"


def test_a_log_is_filled_by_the_command_that_asks_for_it_after_the_flag_that_tells_of_it() -> None:
    """Flags: reference zigbee-han 6; of the fourth attribute a gas meter acts on 6, 7 and 9."""
    assert {
        Missing.SNAPSHOTS: (0x0000, 1 << _FLAG["GET_SNAPSHOT"]),
        Missing.SAMPLES: (0x0000, 1 << _FLAG["GET_SAMPLED_DATA"]),
        Missing.PREPAYMENT_SNAPSHOTS: (0x0003, 1 << 6),
        Missing.TOP_UPS: (0x0003, 1 << 7),
        Missing.DEBT_PAYMENTS: (0x0003, 1 << 9),
    } == back_fill._ASKED
    asked = {what: (command, answer) for what, (command, answer, _) in back_fill._LOGS.items()}
    assert asked == {
        Missing.TOP_UPS: (to_server(PREPAYMENT, "GetTopUpLog"), to_client(PREPAYMENT, "PublishTopUpLog")),
        Missing.DEBT_PAYMENTS: (to_server(PREPAYMENT, "GetDebtRepaymentLog"), to_client(PREPAYMENT, "PublishDebtLog")),
    }
    (_, _, top_ups), (_, _, payments) = back_fill._LOGS.values()
    assert (top_ups, payments) == ({"count": 5}, {"count": 10, "debt_type": 2}), "SMETS 4.6.5.4 and 4.6.5.11; GBCS: payment debt alone"
    assert back_fill._BILLING & 1 == 0, "every cause but general"
    assert back_fill._BILLING | 1 == 0xFFFFFFFF


def test_the_flags_of_the_mirror_are_the_bits_of_zigbees_list() -> None:
    assert {name: getattr(mirror, name) for name in ("NEW_FIRMWARE", "TIME_SYNC", "NETWORK_KEY_ACTIVE", "TUNNEL_MESSAGE_PENDING")} == {
        name: 1 << _FLAG[name] for name in ("NEW_FIRMWARE", "TIME_SYNC", "NETWORK_KEY_ACTIVE", "TUNNEL_MESSAGE_PENDING")
    }
    pushed = {BASIC.id: "PUSH_BASIC", METERING.id: "PUSH_METERING", PREPAYMENT.id: "PUSH_PREPAYMENT"}
    assert {cluster: 1 << _FLAG[name] for cluster, name in pushed.items()} == mirror.PUSH_STATIC
    assert (1 << _FLAG["ENERGY_SCAN_PENDING"], 1 << _FLAG["CHANNEL_CHANGE_PENDING"]) == (
        second_band.ENERGY_SCAN_PENDING,
        second_band.CHANNEL_CHANGE_PENDING,
    )
    assert mirror.NO_MIRROR == 0xFFFF, "endpoint of a mirror that there is none (ZigBee D.3.2.3.2.2)"
    assert mirror.PREDEFINED_SCHEME_B == 2
    assert mirror._REPORTING_STATUS == 0xFFFE, "attribute reporting status, a global one (ZCL)"


def test_a_device_type_of_the_hubs_log_has_the_number_of_register_device() -> None:
    """Reference chts-notes 3: the enumeration of register_device; 254 and 255 are this bench's own and are on no wire."""
    assert {one.name: one.value for one in RegisteredType if one < 254} == {
        "ESME": 0,
        "GSME": 1,
        "HCALCS": 13,
        "IHD": 128,
        "CAD": 130,
        "PPMID": 132,
    }
    assert len(RegisteredType) == 8


@pytest.mark.parametrize("enumeration", [ScanTrigger, ScanOutcome, DutyState])
def test_causes_outcomes_and_states_count_on_from_nought_in_the_order_of_their_schema(enumeration: type) -> None:
    """Reference gbcs-spec-notes 10.6 lists them in the order of the schema."""
    members = list(enumeration)
    assert [one.value for one in members] == list(range(len(members)))
    assert len(members) == {ScanTrigger: 8, ScanOutcome: 8, DutyState: 4}[enumeration]


def test_a_frame_of_the_sm_wan_has_the_number_that_the_manual_gives_its_kind() -> None:
    order = ["HELLO", "TIME", "MESSAGE", "ACKNOWLEDGE", "POWER_LOST", "IMAGE", "ALERT"]
    assert [(one.name, one.value) for one in WanKind] == list(zip(order, range(1, 8), strict=True))


def test_a_block_request_has_the_lengths_and_bits_of_its_layout() -> None:
    """ZCL 11.13.6.1: field control, four fields of 2, 2, 4, 4 octets and the size of one; bit 0 names a node, bit 1 a pause."""
    assert ota._BLOCK_REQUEST == 1 + 2 + 2 + 4 + 4 + 1
    assert ota._NODE == 8
    assert (ota._NAMES_NODE, ota._CAN_PAUSE) == (1 << 0, 1 << 1)
    assert (ota._UNTIL_COMMANDED, ota._ANY, ota._EVERYBODY) == (0xFFFFFFFF, 0xFFFF, 100), "ZCL 11.13.9.6, 11.10.4, 11.13.3.2"
    assert ota._LONGEST_IMAGE == 10_240_000, "DUIS 11.1"
    assert (ota.SUCCESS, ota.DISCARDED, ota.HARDWARE_MISMATCH, ota.FAILURE) == (0, 1, 2, 3), "GBCS 11.2 by its order"


@pytest.mark.parametrize(
    ("name", "class_id", "obis"),
    [
        ("_CONFIGURATION", 1, "0-0:94.44.10.0"),
        ("_SCAN", 1, "0-0:94.44.10.1"),
        ("_CHANNEL", 1, "0-0:94.44.10.2"),
        ("_LOG", 7, "0-0:94.44.10.3"),
    ],
)
def test_an_object_of_the_second_band_is_read_at_its_value_or_buffer(name: str, class_id: int, obis: str) -> None:
    """RTDS DBCH01 to DBCH05: the values of Data (1) and the buffer of a Profile Generic (7) are attribute 2."""
    assert getattr(sub_ghz, name) == (class_id, parse_obis(obis), 2)


def test_a_page_and_its_channels_are_the_upper_five_and_the_lower_27_bits_of_a_mask() -> None:
    """ZigBee PRO 3.2.2: page in bits 27 to 31."""
    assert sub_ghz._PAGE_SHIFT == 27
    assert sub_ghz._CHANNELS == (1 << 27) - 1
    assert sub_ghz._FACTORY_CHANNEL[0] >> 3 == 28


def test_prices_are_in_pounds_with_five_decimals() -> None:
    """ISO 4217: 826 is the pound; the RTDS's answer of GCS14 has trailing digits 50."""
    assert {key: live.read() for key, live in gpf._PRICES.items()} == {(PRICE.id, 0x0616): 826, (PRICE.id, 0x0617): 0x50}
