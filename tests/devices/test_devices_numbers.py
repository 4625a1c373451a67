"""Numbers that the Devices write on the wire, by the names that their sources give them."""

from __future__ import annotations

import pytest

from firmware_emu.device.event_log import LogName
from firmware_emu.gbcs.axdr import read_description
from firmware_emu.gbcs.dlms import parse_obis
from firmware_emu.gbcs.envelope import Reader
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.drlc import DRLC
from firmware_emu.zse.clusters.energy_management import ENERGY_MANAGEMENT
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.ota import OTA
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster
from hil.bench import day
from hil.devices.base.tampering import ENDS, Tampering
from hil.devices.esme import consumer
from hil.devices.esme import display as esme_display
from hil.devices.esme import logs as esme_logs
from hil.devices.esme.esme import Esme
from hil.devices.esme.variant import POLYPHASE, SINGLE_ELEMENT, TWIN_ELEMENT
from hil.devices.gsme import mirror as gsme_mirror
from hil.devices.gsme import model as gsme_model
from hil.devices.gsme.future import FUTURE_DATEABLE
from hil.devices.gsme.gsme import Gsme
from tests.source_numbers import constant, event, message, to_client, to_server

V = "hil.devices."


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("base.tampering:LOCKED_BY_TAMPER", "Supply Disabled Then Locked - Supply Tamper State Cause"),
        ("esme.controls:LIMIT_PROCESSED", "Limit APC level command processed (from use case ECS101)"),
        ("esme.controls:LIMIT_ENDED", "Limit APC level ended or cancelled (from use case ECS102)"),
        ("esme.esme:_RESTORED", "Supply Outage Restored"),
        ("esme.esme:_RESTORED_LONG", "Supply Outage Restored - Outage >= 3 minutes"),
        ("esme.esme:_COMMISSIONED", "Device commissioned"),
        ("esme.esme:USER_DONE", "User Interface Command Input and Successfully Actioned"),
        ("esme.esme:USER_NOT_DONE", "User Interface Command Input but not Successfully Actioned"),
        ("esme.esme:HUB_FOUND", "CH Connected to ESME"),
        ("esme.esme:HUB_LOST", "CH Disconnected from ESME"),
        ("esme.esme:INTERRUPTED", "Supply interrupted"),
        ("esme.metering:ABOVE_LIMIT", "Active Power Import above Load Limit Threshold"),
        ("esme.metering:LIMIT_DISABLED", "Supply Disabled then Armed - Load Limit triggered"),
        ("esme.metering:LIMIT_RESTORED", "Supply Enabled after Load Limit Restoration Period (Load Limit triggered)"),
        ("esme.metering:BILLING_UPDATED", "Billing Data Log Updated"),
        ("esme.ppmid_commands:_DONE", "Immediate HAN Interface Command Received and Successfully Actioned"),
        ("esme.ppmid_commands:_NOT_DONE", "Immediate HAN Interface Command Received but not Successfully Actioned"),
        ("gsme.alerts:BILLING_UPDATED", "Billing Data Log Updated"),
        ("gsme.flow:UNCONTROLLED", "Supply Disabled Then Armed - Uncontrolled Gas Flow Rate"),
        ("gsme.future:_DONE", "Future-date HAN Interface Command Successfully Actioned"),
        ("gsme.future:_NOT_DONE", "Future-date HAN Interface Command not Successfully Actioned"),
        ("gsme.hardware:LOW_BATTERY", "Low Battery Capacity"),
        ("gsme.hardware:BATTERY_RESET", "Remaining Battery Capacity reset"),
        ("gsme.model:_CLEARED", "Event Log Cleared"),
    ],
)
def test_an_event_has_the_code_of_its_name(place: str, name: str) -> None:
    assert constant(V + place) == event(name)


_TAMPERS = {
    "DETECTED": ("Tamper Detect", ""),
    "BATTERY_COVER": ("Battery Cover Removed", "Battery Cover Closed"),
    "METER_COVER": ("Meter Cover Removed", "Meter Cover Closed"),
    "STRONG_MAGNET": ("Strong Magnetic field", "Strong Magnetic Field Removed"),
    "TERMINAL_COVER": ("Terminal Cover Removed", "Terminal Cover Closed"),
    "SECOND_TERMINAL_COVER": ("Second Terminal Cover Removed", ""),
    "OTHER": ("Other", ""),
}


def test_each_way_to_tamper_has_the_event_of_its_name_and_its_end_another() -> None:
    assert {one.name: one.value for one in Tampering} == {
        name: event(f"Unauthorised Physical Access - {begins}") for name, (begins, _) in _TAMPERS.items()
    }
    assert {Tampering[name]: event(ended) for name, (_, ended) in _TAMPERS.items() if ended} == ENDS


def test_what_may_happen_to_a_meter_in_a_day_has_the_event_of_its_name() -> None:
    tables = [value for value in vars(day).values() if isinstance(value, dict) and "low battery" in value]
    assert tables == [
        {
            "low battery": event("Low Battery Capacity"),
            "tampering": event("Unauthorised Physical Access - Tamper Detect"),
            "battery cover removed": event("Unauthorised Physical Access - Battery Cover Removed"),
            "meter cover removed": event("Unauthorised Physical Access - Meter Cover Removed"),
            "strong magnetic field": event("Unauthorised Physical Access - Strong Magnetic field"),
            "terminal cover removed": event("Unauthorised Physical Access - Terminal Cover Removed"),
        }
    ]


@pytest.mark.parametrize(
    ("place", "use_case"),
    [
        ("base.firmware_version:READ_FIRMWARE", "CS08"),
        ("esme.alerts:_CODE", "ECS68"),
        ("esme.controls:_LIMIT_PROCESSED_CODE", "ECS101"),
        ("esme.controls:_LIMIT_ENDED_CODE", "ECS102"),
        ("esme.esme:_OUTAGE_CODE", "ECS80"),
        ("esme.ppmid_commands:_TOKEN_CODE", "PECS01"),
        ("esme.ppmid_commands:_EMERGENCY_CODE", "PECS02"),
        ("esme.ppmid_commands:_SUPPLY_CODE", "PECS03"),
        ("gsme.alerts:_CODE", "GCS53"),
        ("gsme.credit:_TOP_UP_BY_SUPPLIER", "CS01b"),
        ("gsme.future:_ALERT_CODE", "FDA-GBZ"),
        ("gsme.gsme:_SET_CLOCK", "GCS28"),
    ],
)
def test_a_message_has_the_code_of_its_use_case(place: str, use_case: str) -> None:
    assert constant(V + place) == message(use_case)


def test_the_commands_that_a_gas_meter_may_be_given_for_later_are_those_of_gbcs() -> None:
    """GBCS 9.2.2.6 names GCS01a, GCS01b, GCS02, GCS03 and GCS05."""
    assert frozenset(message(name) for name in ("GCS01a", "GCS01b", "GCS02", "GCS03", "GCS05")) == FUTURE_DATEABLE


@pytest.mark.parametrize(
    ("place", "cluster", "side", "name"),
    [
        ("base.load_control:_EVENT", DRLC, "client", "LoadControlEvent"),
        ("base.load_control:_REPORT", DRLC, "server", "ReportEventStatus"),
        ("base.load_control:_SCHEDULED", DRLC, "server", "GetScheduledEvents"),
        ("base.ota_client:_NOTIFY", OTA, "client", "ImageNotify"),
        ("base.ota_client:_QUERY", OTA, "server", "QueryNextImageRequest"),
        ("base.ota_client:_BLOCK", OTA, "server", "ImageBlockRequest"),
        ("base.ota_client:_END_REQUEST", OTA, "server", "UpgradeEndRequest"),
        ("esme.ppmid_commands:_EMERGENCY_CREDIT", PREPAYMENT, "server", "SelectAvailableEmergencyCredit"),
        ("esme.ppmid_commands:_TOP_UP", PREPAYMENT, "server", "ConsumerTopUp"),
        ("esme.ppmid_commands:_TOP_UP_RESPONSE", PREPAYMENT, "client", "ConsumerTopUpResponse"),
        ("esme.ppmid_commands:_LOCAL_CHANGE_SUPPLY", METERING, "server", "LocalChangeSupply"),
        ("gsme.alerts:_PUBLISH_SNAPSHOT", METERING, "client", "PublishSnapshot"),
        ("gsme.mirror:_REQUEST_MIRROR", METERING, "client", "RequestMirror"),
        ("gsme.mirror:_CONFIGURE_MIRROR", METERING, "client", "ConfigureMirror"),
        ("gsme.mirror:_MIRROR_RESPONSE", METERING, "server", "RequestMirrorResponse"),
        ("gsme.mirror:_REPORT_RESPONSE", METERING, "server", "MirrorReportAttributeResponse"),
        ("gsme.mirror:_GET_NOTIFIED_MESSAGE", METERING, "client", "GetNotifiedMessage"),
        ("gsme.mirror:_PUBLISH_EVENT", EVENTS, "client", "PublishEvent"),
        ("gsme.model:_PRICE_MATRIX", PRICE, "client", "PublishPriceMatrix"),
        ("gsme.model:_BLOCK_THRESHOLDS", PRICE, "client", "PublishBlockThresholds"),
        ("gsme.network:_START_SAMPLING", METERING, "server", "StartSampling"),
        ("gsme.published:_PUBLISH_CALENDAR", CALENDAR, "client", "PublishCalendar"),
        ("gsme.tariff:_DAY_PROFILE", CALENDAR, "client", "PublishDayProfile"),
        ("gsme.tariff:_WEEK_PROFILE", CALENDAR, "client", "PublishWeekProfile"),
        ("gsme.tariff:_SEASONS", CALENDAR, "client", "PublishSeasons"),
        ("gsme.tariff:_SPECIAL_DAYS", CALENDAR, "client", "PublishSpecialDays"),
    ],
)
def test_a_command_of_the_han_has_the_number_of_its_name(place: str, cluster: Cluster, side: str, name: str) -> None:
    assert constant(V + place) == (to_client if side == "client" else to_server)(cluster, name)


def test_a_question_of_the_gpf_follows_the_flag_that_zigbee_lists_for_it() -> None:
    """Functional flags 22 and 23; of the fourth attribute 6, 7 and 9 (reference zigbee-han 6)."""
    assert {
        0x0000: {
            1 << 22: (METERING.id, to_server(METERING, "GetSnapshot")),
            1 << 23: (METERING.id, to_server(METERING, "GetSampledData")),
        },
        0x0003: {
            1 << 6: (PREPAYMENT.id, to_server(PREPAYMENT, "GetPrepaySnapshot")),
            1 << 7: (PREPAYMENT.id, to_server(PREPAYMENT, "GetTopUpLog")),
            1 << 9: (PREPAYMENT.id, to_server(PREPAYMENT, "GetDebtRepaymentLog")),
        },
    } == gsme_mirror._QUESTIONS
    assert (gsme_mirror._NEW_FIRMWARE, gsme_mirror._CHANNEL_CHANGE) == (1 << 0, 1 << 26)
    assert (gsme_mirror._SCHEME_B, gsme_mirror._NO_MIRROR, gsme_mirror._REPORTING_STATUS) == (2, 0xFFFF, 0xFFFE)
    assert tuple(range(5)) == gsme_mirror._SCHEME_B_FLAGS, "functional flags and notification flags 2 to 5"
    assert (gsme_mirror._PENDING, gsme_mirror._COMPLETE) == (0, 1), "ZCL: reporting status"
    assert gsme_mirror.REPORTING_INTERVAL_S == 30 * 60, "reference chts 5: a gas meter wakes every 30 minutes"


def test_a_change_that_takes_a_snapshot_has_the_bit_of_its_cause() -> None:
    """ZigBee's snapshot causes: 0 general, 1 end of billing period, 3 change of tariff, 13 of supplier, 14 of meter mode."""
    assert {
        (PRICE.id, to_client(PRICE, "PublishTariffInformation")): 1 << 3,
        (PREPAYMENT.id, to_server(PREPAYMENT, "ChangePaymentMode")): 1 << 14,
        (DEVICE_MANAGEMENT.id, to_client(DEVICE_MANAGEMENT, "PublishChangeOfSupplier")): 1 << 13,
    } == gsme_model._CHANGES
    assert (constant("hil.devices.gsme.logs:GENERAL"), constant("hil.devices.gsme.logs:END_OF_BILLING_PERIOD")) == (1 << 0, 1 << 1)


def test_a_balance_of_a_gas_meter_is_the_attribute_that_zigbee_calls_so() -> None:
    """The order of balances: accumulated debt, emergency credit, balance, then the payment debt (3) and the time debts 1 and 2."""
    declared = [PREPAYMENT.attribute(number) for number in gsme_model._BALANCES]
    assert [one.name for one in declared if one is not None] == [
        "accumulated_debt",
        "emergency_credit_remaining",
        "credit_remaining",
        "debt_amount_3",
        "debt_amount_1",
        "debt_amount_2",
    ]


def _of(descriptor: SimpleDescriptor) -> tuple[int, int, set[int], set[int]]:
    return descriptor.endpoint, descriptor.device_id, set(descriptor.servers), set(descriptor.clients)


_ESI, _METERING_DEVICE = 0x0500, 0x0501
_BASIC, _CBKE, _TUNNEL, _DRLC, _METERING, _PREPAYMENT = 0x0000, 0x0800, 0x0704, 0x0701, 0x0702, 0x0705
_PRICE, _MESSAGING, _CALENDAR, _MANAGEMENT, _EVENTS = 0x0700, 0x0703, 0x0707, 0x0708, 0x0709
_TIME, _KEEP_ALIVE, _OTA, _ENERGY, _SUB_GHZ = 0x000A, 0x0025, 0x0019, 0x0706, 0x070B


def test_an_electricity_meter_shows_an_esi_and_a_metering_device_with_their_clusters() -> None:
    """Device ids 0500 and 0501 and the clusters by ZigBee Smart Energy's tables; which ones by reference zigbee-han 4."""
    esi, metering = Esme.descriptors
    assert _of(esi) == (
        0x21,
        _ESI,
        {_BASIC, _CBKE, _TUNNEL, _DRLC, _PRICE, _MESSAGING, _CALENDAR, _MANAGEMENT, _EVENTS},
        {_CBKE, _TIME, _KEEP_ALIVE, _OTA, _ENERGY},
    )
    assert _of(metering) == (0x22, _METERING_DEVICE, {_BASIC, _METERING, _PREPAYMENT}, {_TIME})
    assert ENERGY_MANAGEMENT.id == _ENERGY


def test_a_gas_meter_sleeps_and_shows_one_metering_device_with_its_clusters() -> None:
    (only,) = Gsme.descriptors
    assert Gsme.sleepy
    assert _of(only) == (
        0x31,
        _METERING_DEVICE,
        {_BASIC, _CBKE, _METERING, _PREPAYMENT, _EVENTS},
        {_CBKE, _TIME, _KEEP_ALIVE, _OTA, _PRICE, _MESSAGING, _TUNNEL, _CALENDAR, _MANAGEMENT, _SUB_GHZ},
    )


@pytest.mark.parametrize(("key", "octets"), list(esme_logs._DESCRIPTIONS.items()))
def test_the_type_description_of_a_log_is_whole(key: tuple[str, int], octets: str) -> None:
    """A structure of so many columns as it says (DLMS compact array, IEC 62056-5-3)."""
    assert octets.startswith("02")
    reader = Reader(bytes.fromhex(octets))
    assert read_description(reader, 0).encode().hex() == octets, key
    assert reader.remaining == 0, key


def test_a_meter_with_two_elements_has_a_total_and_four_tiers_more_in_its_logs() -> None:
    for log in (esme_logs.BILLING, esme_logs.DAILY, esme_logs.CHANGES):
        one, two = (bytes.fromhex(esme_logs._DESCRIPTIONS[log, elements]) for elements in (1, 2))
        assert two[1] == one[1] + 2, log
        assert two.replace(bytes.fromhex("01000406"), b"").count(b"\x06") == one.count(b"\x06") + 1, log


def test_ends_of_time_are_nought_and_all_ones_without_the_octets_of_the_zone() -> None:
    """GBCS 9.1.6: a date-time of 12 octets, of which the last three are deviation and status."""
    assert {bytes(9): 0.0, b"\xff" * 9: 4294967295.0} == esme_logs._ENDS_OF_TIME


def test_the_variants_of_an_electricity_meter_have_the_letters_elements_and_phases_of_smets() -> None:
    """SMETS 5 parts A, B and C: single element, twin element, polyphase."""
    told = [(one.name, one.letter, one.elements, one.phases) for one in (SINGLE_ELEMENT, TWIN_ELEMENT, POLYPHASE)]
    assert told == [("single element", "A", 1, 1), ("twin element", "B", 2, 1), ("polyphase", "C", 1, 3)]


def test_what_a_consumer_reads_has_the_attributes_of_zigbees_table() -> None:
    """ZigBee Smart Energy, historical consumption of Metering (04xx) and cost of Prepayment (05xx): day, week, month."""
    assert [attribute for _, _, attribute in consumer._KEPT] == [0x0400, 0x0430, 0x0440]
    assert (consumer._FIRST_DAY, consumer._DAY_BEFORE, consumer._OLDER_DAYS) == (0x0401, 0x0403, 0x0420)
    assert consumer._FIRST_COST == {"day": 0x051C, "week": 0x0530, "month": 0x0540}
    assert consumer._POUNDS == 826, "ISO 4217"
    assert (consumer._UINT24, consumer._UINT48, consumer._INT32) == (2**24 - 2, 2**48 - 2, 2**31 - 1), "FF is none"
    assert (consumer._CREDIT_MODE, consumer._PREPAYMENT_MODE) == (0x0094, 0x0097), "as RTDS GCS02 and GCS03 set a gas meter's"
    assert consumer.SUPPLY_STATES == {"DISABLED": 0, "ARMED": 1, "ENABLED": 2}


def test_a_display_is_told_prices_in_thousandths_of_a_penny() -> None:
    """RTDS GCS14: 826 pounds, trailing digits 50; ZigBee: block prices A1, B1, C1, D1 to tier 15."""
    assert (esme_display._KWH, esme_display._POUNDS, esme_display._TRAILING) == (0, 826, 0x50)
    assert esme_display._FIRST_BLOCK_PRICE == (0xA1, 0xB1, 0xC1, 0xD1) == constant("hil.devices.gsme.tariff:_FIRST_BLOCK_PRICE")
    assert range(101, 109) == esme_display._BLOCK_SCRIPTS, "SMETS scripts of blocks: 101 to 108"
    assert range(1, 16) == esme_display._TIERS_SHOWN
    assert {to_server(CALENDAR, "GetDayProfiles"): "first_day", to_server(CALENDAR, "GetWeekProfiles"): "first_week"} == esme_display._PARTS
    assert sorted(one.name for one in esme_display._LOGS.values()) == sorted(one.name for one in (LogName.EVENT, LogName.SECURITY))
    assert list(esme_display._LOGS) == [3, 4], "GBCS 20: event log 3, security log 4"


def test_the_switches_of_a_meter_and_their_limits_are_those_of_smets() -> None:
    """Five switches (SMETS 5.7.5.38), 25 boosts kept (5.26.3.1), an hour of boost, a day of a controller's period (5.29.1.1)."""
    names = ("SWITCHES", "BOOST_DEPTH", "BOOST_MINUTES", "LONGEST_PERIOD_S", "EUI_SIZE", "_LEVEL")
    assert [constant(f"hil.devices.esme.controls:{name}") for name in names] == [range(1, 6), 25, 60, 24 * 3600, 8, 127]
    assert constant("hil.devices.esme.esme:OUTAGE_LONG_S") == constant("hil.devices.esme.metering:LONG_OUTAGE_S") == 3 * 60


def test_units_of_an_electricity_meter_are_dlms_units() -> None:
    """IEC 62056-6-2 table of units: 30 Wh, 32 varh, 27 W, 255 count, 254 other (the price's)."""
    names = ("_WATT_HOURS", "_VAR_HOURS", "_WATTS", "_COUNT", "_PRICE")
    assert [constant(f"hil.devices.esme.model:{name}") for name in names] == [30, 32, 27, 255, 254]
    assert constant("hil.devices.esme.metering:PHASE_OBIS") == tuple(parse_obis(f"1-0:{c}.7.0.255")[2] for c in (32, 52, 72))


def test_a_supply_script_is_the_one_that_the_reference_message_runs() -> None:
    """RTDS ECS42 enables (33), ECS43 opens (34), ECS44 arms (36)."""
    scripts = constant("hil.devices.esme.esme:_SUPPLY_SCRIPTS")
    assert isinstance(scripts, dict)
    assert {script: state.name for script, state in scripts.items()} == {0x33: "ENABLED", 0x34: "DISABLED", 0x36: "ARMED"}
