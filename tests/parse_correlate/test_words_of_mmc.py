"""Numbers of an answer that stand for words, bits and wildcards: each has the element that the schema or the reference gives it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import pytest

from hil.parse_correlate.message import alerts as contents
from hil.parse_correlate.message.asn1 import ActivationReport, LogBackup
from hil.parse_correlate.message.dlms import Value
from hil.parse_correlate.message.gbz import Component
from hil.parse_correlate.message.zcl import Typed, ZclCommand, ZclField, ZclValue
from hil.parse_correlate.parse.mmc import alerts, calendars, settings
from hil.parse_correlate.parse.mmc.reading import Answer, at, bits, boolean, number, octets, text
from tests.parse_correlate.numbered import CONTENTS, leaves


def num(value: int) -> Value:
    return Value("long-unsigned", value, b"")


def raw(value: bytes | str) -> Value:
    return Value("octet-string", bytes.fromhex(value) if isinstance(value, str) else value, b"")


def flag(value: bool) -> Value:
    return Value("boolean", 255 if value else 0, b"")


def bit(value: str) -> Value:
    return Value("bit-string", value, b"")


def row(*values: Value) -> Value:
    return Value("structure", values, b"")


def rows(*values: Value) -> Value:
    return Value("array", values, b"")


def dlms(use_case: str, *items: Value | None, opened: Iterable[Value] = ()) -> list[tuple[str, str]]:
    return list(leaves(CONTENTS[use_case](Answer(None, items, tuple(opened), (), {}))))  # type: ignore[arg-type]


def zcl(use_case: str, attributes: Mapping[tuple[int, int], int | bytes], *commands: ZclCommand) -> list[tuple[str, str]]:
    return list(leaves(CONTENTS[use_case](Answer(None, (), (), commands, dict(attributes)))))  # type: ignore[arg-type]


def command(cluster: int, number: int, **fields: ZclValue) -> ZclCommand:
    return ZclCommand(cluster, number, "", tuple(ZclField(name, "u", value) for name, value in fields.items()))


def of(*found: dict[str, ZclValue]) -> ZclValue:
    return tuple(tuple(ZclField(name, "u", value) for name, value in one.items()) for one in found)


# -- electricity


@pytest.mark.parametrize(("code", "word"), [(0, "Disabled"), (1, "Enabled"), (2, "Armed"), (3, None)])
def test_the_supply_of_electricity_is_disabled_enabled_or_armed(code: int, word: str | None) -> None:
    """COSEM disconnect control: control states 0, 1, 2."""
    assert dlms("ECS45", num(code)) == ([("SupplyState", word)] if word else [])
    assert dlms("ECS45", None) == []


def test_a_payment_mode_is_credit_or_prepayment() -> None:
    """Account mode 1 and 2 (IEC 62056-6-2, account)."""
    assert [dlms("ECS26j", row(num(mode), num(9))) for mode in (0, 1, 2, 3)] == [
        *([], [("PaymentMode", "Credit")], [("PaymentMode", "Prepayment")], []),
    ]


def test_a_load_limit_says_whether_it_disables() -> None:
    told = dlms("ECS27", flag(True), num(1), num(2), num(3), num(4), num(5))
    assert told == [
        *(("LoadLimitCounterValue", "1"), ("LoadLimitPowerThreshold", "3"), ("LoadLimitPeriod", "4")),
        *(("LoadLimitRestorationPeriod", "5"), ("LoadLimitSupplyState", "Disable")),
    ]
    assert dlms("ECS27", flag(False))[-1] == ("LoadLimitSupplyState", "Unchanged")
    assert dlms("ECS27", None) == []


def test_meter_points_are_thirteen_digits_each() -> None:
    first, second, export = "1234567890123", "2345678901234", "3456789012345"
    assert dlms("ECS40", raw((first + second).encode()), raw(export.encode())) == [
        *(("Electricity/ImportMPAN", first), ("Electricity/SecondaryImportMPAN", second), ("Electricity/ExportMPAN", export)),
    ]
    assert dlms("ECS40", raw(first.encode()), None) == [("Electricity/ImportMPAN", first)]


def test_a_clock_says_whether_it_is_reliable() -> None:
    for code, word in ((0, "reliable"), (1, "invalid"), (2, "unreliable"), (3, "unreliable")):
        assert dlms("ECS70", None, None, None, None, num(code)) == [(f"Electricity/ElecClockTimeStatus[{code}]/TimeStatus", word)]
    assert dlms("ECS70", None, None, None, raw("07ea0304ff050607008000ff")) == [("DeviceTime", "2026-03-04T05:06:07Z")]


@pytest.mark.parametrize(
    ("dates", "told"),
    [
        (["ffff0502ff"], [("Yearly/DayOfMonth", "2"), ("Yearly/BillingPeriodStartMonth", "5")]),
        (["ffff0502ff", "ffff0b02ff"], [("SixMonthly/DayOfMonth", "2"), ("SixMonthly/BillingPeriodStartMonth", "5")]),
        (
            ["ffff0102ff", "ffff0402ff", "ffff0702ff", "ffff0a02ff"],
            [("Quarterly/DayOfMonth", "2"), ("Quarterly/BillingPeriodStartMonth", "1")],
        ),
        (["ffff0102ff"] * 3, None),
        (["ffffff07ff"], [("Monthly", "7")]),
        (["ffffffff03"], [("Weekly", "3")]),
        (["ffffffffff"], [("Daily", "")]),
        (["ffff05ffff"], [("Daily", "")]),
        ([], None),
        (["ffff0502"], None),
    ],
)
def test_the_period_of_a_bill_follows_from_how_many_dates_there_are(dates: list[str], told: list[tuple[str, str]] | None) -> None:
    calendar = rows(*(row(raw("01020300"), raw(date)) for date in dates))
    above = "BillingCalendar/ElectricityBillingCalendar/"
    for use_case in ("ECS26d", "ECS26l"):
        found = dlms(use_case, calendar)
        assert found == ([] if told is None else [(f"{above}BillingTime", "01:02:03Z"), *((above + path, value) for path, value in told)])
    assert dlms("ECS26d", rows(row(raw("0102"), raw("ffff0502ff")))) == []


def test_a_log_of_boosts_is_told_from_start_to_end_whatever_their_order() -> None:
    entries = rows(row(num(5), num(9)), row(num(19), num(15)), row(num(5)))
    told = dlms("ECS61c", flag(False), entries, *(flag(place % 2 == 0) for place in range(5)))
    assert told[:4] == [
        *(("EventLogEntry/BoostEnd", "2000-01-01T00:00:09Z"), ("EventLogEntry/BoostStart", "2000-01-01T00:00:05Z")),
        *(("EventLogEntry/BoostEnd", "2000-01-01T00:00:19Z"), ("EventLogEntry/BoostStart", "2000-01-01T00:00:15Z")),
    ]
    assert told[4:] == [
        ("BoostFunctionAvailability", "false"),
        *((f"BoostFunctionControl{place}Value", "true" if place % 2 else "false") for place in range(1, 6)),
    ]


def test_polyphase_settings_go_by_phase() -> None:
    assert [text for path, text in dlms("ECS26k", *map(num, range(14))) if "Average" in path] == ["8", "9", "11", "10", "13", "12"]
    assert [text for path, text in dlms("ECS26b", *map(num, range(10))) if "Average" in path] == ["8", "9"]


def test_an_export_log_has_a_time_and_a_value() -> None:
    assert dlms("ECS21c", rows(row(num(5), num(9)))) == [
        *(("LogEntry/ActiveExportRegisterValue", "9"), ("LogEntry/TimeStamp", "2000-01-01T00:00:05Z")),
    ]


def test_blocks_are_registers_and_then_counters() -> None:
    tables = [rows(num(10 * place), num(10 * place + 1)) for place in range(8)]
    told = dlms("ECS17e", opened=[rows(*tables)])
    assert told[:4] == [
        *((f"TariffBlockTOURegisterCollection/TariffBlock[1]/RegisterMatrixTOUValue[{place}]", str(place - 1)) for place in (1, 2)),
        *((f"TariffBlockTOURegisterCollection/TariffBlock[1]/CounterMatrixTOUValue[{place}]", str(39 + place)) for place in (1, 2)),
    ]
    assert told[-1] == ("TariffBlockTOURegisterCollection/TariffBlock[4]/CounterMatrixTOUValue[2]", "71")
    assert len(told) == 16


# -- tariffs, debts, switches


def charge(amount: int, scale: int, index: str = "00") -> Value:
    return row(row(num(0), num(scale)), row(), rows(row(raw(index), num(amount))))


@pytest.mark.parametrize(("pounds", "label"), [(True, "GBP"), (False, "ECB")])
def test_a_tariff_is_in_pounds_or_euros(pounds: bool, label: str) -> None:
    items: list[Value | None] = [None] * 17
    items[14], items[15] = flag(pounds), charge(33, 4)
    told = dict(dlms("ECS24", *items))
    assert told["Electricity/CurrencyUnitsLabel"] == label
    assert (told["Electricity/StandingCharge"], told["Electricity/StandingChargeScale"]) == ("33", "4")
    assert "Electricity/CurrencyUnitsLabel" not in dict(dlms("ECS24", *[None] * 17))


@pytest.mark.parametrize(("seconds", "word"), [(3600, "HOURLY"), (86400, "DAILY"), (60, None)])
def test_a_debt_is_recovered_by_the_hour_or_the_day(seconds: int, word: str | None) -> None:
    items: list[Value | None] = [None] * 17
    items[0], items[2], items[4], items[5] = charge(11, 1), num(seconds), charge(22, 2), num(86400)
    told = dict(dlms("ECS26a", *items))
    assert told.get("Electricity/DebtRecovery1/DebtRecoveryRatePeriod") == word
    assert told["Electricity/DebtRecovery2/DebtRecoveryRatePeriod"] == "DAILY"
    assert (told["Electricity/DebtRecovery1/DebtRecoveryRate"], told["Electricity/DebtRecovery2/DebtRecoveryRate"]) == ("11", "22")


def entry(selector: int, days: str = "1000001", special: str = "01") -> Value:
    return row(
        num(1), flag(True), raw(b"x"), num(selector), raw("01020300"), num(0), bit(days), bit(special), raw("07ea0102ff"), raw("ffffffffff")
    )


@pytest.mark.parametrize(
    ("selector", "action", "index"), [(0x0101, "ActivateSwitch", 1), (0x0302, "DeactivateSwitch", 3), (0x0502, "DeactivateSwitch", 5)]
)
def test_a_scheduled_switch_is_activated_or_deactivated(selector: int, action: str, index: int) -> None:
    """Selector 256 n + 1 activates, 256 n + 2 deactivates switch n (RTDS ECS46c)."""
    items: list[Value | None] = [None] * 12
    items[11] = rows(entry(selector))
    told = [(path, value) for path, value in dlms("ECS61a", *items) if "ALCSScheduler" in path]
    assert told[0] == (f"ALCSScheduler/ActivateDeactivateSwitch[{index}]/{action}", "")
    assert told[1] == ("ALCSScheduler/SpecialDaysApplicability[2]", "")
    assert [value for path, value in told if path.endswith("DayOfWeekID")] == ["Monday", "Sunday"]
    assert [value for path, value in told if path.endswith("SwitchTime")] == ["01:02:03Z"]


def test_a_switch_is_one_of_the_meter_or_an_hcalcs() -> None:
    items: list[Value | None] = [None] * 17
    items[5:10] = [raw(bytes(8)), raw("0102030405060708"), raw("01"), None, raw(b"")]
    items[12:17] = [flag(True), flag(False), None, None, flag(True)]
    told = dict(dlms("ECS61a", *items))
    assert "AuxiliaryLoadControlSwitch[1]/TypeAndIdentifier/ALCS" in told
    assert told["AuxiliaryLoadControlSwitch[2]/TypeAndIdentifier/HCALCS"] == "01-02-03-04-05-06-07-08"
    assert not any("TypeAndIdentifier" in path and "[3]" in path for path in told)
    assert {path: value for path, value in told.items() if path.endswith("State")} == {
        f"AuxiliaryLoadControlSwitch[{place}]/State": value for place, value in ((1, "true"), (2, "false"), (5, "true"))
    }


@pytest.mark.parametrize(
    ("selector", "number", "level", "feeding"),
    [(0x1100, 1, "0", False), (0x2532, 5, "50", True), (0x11E4, 1, "100", False), (0x10E5, 1, "100", False), (0x3264, 2, "100", False)],
)
def test_a_controllers_action_has_its_number_direction_and_level(selector: int, number: int, level: str, feeding: bool) -> None:
    """Direction in the highest four bits (1 output, 2 input), controller in the next, level in the lowest seven (RTDS ECS46d)."""
    items: list[Value | None] = [None] * 7
    items[6] = rows(entry(selector))
    told = dlms("ECS61d", *items)
    above = f"AuxiliaryControllerSchedule/AuxiliaryControllerAction[{number}]"
    assert (f"{above}/CommandedStateLevel", level) in told
    assert ((f"{above}/InputFromControlledLoad", "") in told) is feeding


def test_a_controller_is_told_with_its_kind_and_its_levels() -> None:
    """Eight zero octets, FF, nothing, an EUI-64 (RTDS ECS61e); levels are percentages."""
    kinds = [raw(bytes(8)), raw("ff"), raw(b""), raw("0102030405060708"), None]
    states = ['{"outputState": 0, "inputState": 100}', '{"outputState": -1, "inputState": 101}', "no json", "[1]", None]
    told = dlms("ECS61e", *kinds, *(None if one is None else raw(one.encode()) for one in states))
    assert [value for path, value in told if path.endswith("ControllerType")] == ["ALCS", "APC", "None", "HCALCS"]
    assert [value for path, value in told if path.endswith("HCALCSID")] == ["01-02-03-04-05-06-07-08"]
    assert [(path[-11:], value) for path, value in told if path.endswith(("OutputState", "InputState"))] == [
        *(("OutputState", "0"), ("/InputState", "100")),
    ]
    assert [value for path, value in told if path.endswith("AssociatedInformation")] == states[:4]


@pytest.mark.parametrize(("page", "band", "first"), [(28, "Lower", 0), (29, "Lower", 27), (30, "Lower", 35), (31, "Upper", 0)])
def test_a_channel_counts_from_the_first_of_its_page(page: int, band: str, first: int) -> None:
    """Pages 28 to 31 of IEEE 802.15.4 sub-GHz channels (reference gbcs-messages)."""
    for place in (0, 6, 26):
        mask = f"{page:05b}" + f"{1 << place:027b}"
        assert dlms("DBCH01", bit(mask)) == [(f"OperatingSubGHzChannel/Operating{band}BandSubGHzChannel/Channel{first + place}", "")]
    assert dlms("DBCH01", bit(f"{page:05b}" + f"{3:027b}")) == []
    assert dlms("DBCH01", bit(f"{page:05b}" + "0" * 27)) == []
    assert dlms("DBCH01", bit("00001" + f"{1:027b}")) == []
    assert dlms("DBCH01", bit(f"{page:05b}1")) == []
    log = rows(
        row(num(7), num(0x8F26), raw(int(f"{page:05b}" + f"{1:027b}", 2).to_bytes(4, "big") + b"\x01")), row(num(8), num(1), raw("01"))
    )
    assert dlms("DBCH02", log) == [
        *(("LogEntry/Timestamp", "2000-01-01T00:00:07Z"), ("LogEntry/EventCode", "8F26")),
        (f"LogEntry/OperatingSubGHzChannel/Operating{band}BandSubGHzChannel/Channel{first}", ""),
        *(("LogEntry/Timestamp", "2000-01-01T00:00:08Z"), ("LogEntry/EventCode", "0001")),
    ]


def test_a_switch_log_tells_switch_action_and_outcome() -> None:
    """Selector 256 n + 11, 12, 20 hexadecimal: on, off, back to the calendar (RTDS ECS35f, ECS47)."""
    log = [
        (0x0111, 1, "1", "On", "Success"),
        (0x0512, 2, "5", "Off", "Failure"),
        (0x0620, 0, None, "Revert to calendar control", "Outcome not known"),
    ]
    told = dlms(
        "ECS35f", rows(*(row(num(place), num(selector), num(outcome), num(9)) for place, (selector, outcome, *_) in enumerate(log)))
    )
    expected = []
    for place, (_, _, switch, action, outcome) in enumerate(log):
        expected += [("Timestamp", f"2000-01-01T00:00:0{place}Z"), *([("SwitchNumber", switch)] if switch else [])]
        expected += [("SwitchAction", action), ("Outcome", outcome), ("HANCommandID", "9")]
    assert told == [(f"ALCSEvent/ALCSEventLogEntry/{name}", value) for name, value in expected]
    assert dlms("ECS35f", rows(row(num(0)))) == [("ALCSEvent", "")]


# -- gas


@pytest.mark.parametrize(("code", "word"), [(0, "Disabled"), (1, "Armed"), (2, "Enabled"), (3, None)])
def test_the_supply_of_gas_is_disabled_armed_or_enabled(code: int, word: str | None) -> None:
    """ZSE metering, supply status 0x0014: 0 off, 1 armed, 2 on; battery 0x0205."""
    assert zcl("GCS33", {(0x0702, 0x0014): code}) == ([("SupplyState", word)] if word else [])
    assert zcl("GCS33", {(0x0702, 0x0205): 55}) == [("Gas/RemainingBatteryCapacity", "55")]


@pytest.mark.parametrize(
    ("bits_", "mode", "emergency", "disabled"),
    [
        (0x0000, "Credit", "true", "false"),
        (0x0002, "Prepayment", "true", "false"),
        (0x0C00, "Credit", "false", "true"),
        (0xF3FD, "Credit", "true", "false"),
    ],
)
def test_the_payment_of_gas_follows_from_three_bits(bits_: int, mode: str, emergency: str, disabled: str) -> None:
    """Payment control configuration: bit 1 prepayment, bit 10 no debts while disabled, bit 11 debts from emergency credit (RTDS GCS03)."""
    assert zcl("GCS21j", {(0x0705, 0x0000): bits_}) == [
        *(("PaymentMode", mode), ("SuspendDebtEmergency", emergency), ("SuspendDebtDisabled", disabled)),
    ]
    assert zcl("GCS21j", {}) == []


def test_a_gas_meter_says_how_it_takes_tampering_and_depletion() -> None:
    for code, word in ((0, "Locked"), (3, "Unchanged"), (1, None)):
        told = dict(zcl("GCS21e", {(0x0702, 0x0607): code, (0x0702, 0x0608): 3 - code if code != 1 else 2}))
        assert told.get("Gas/SupplyTamperState") == word
        assert told.get("Gas/SupplyDepletionState") == {"Locked": "Unchanged", "Unchanged": "Locked", None: None}[word]
    told = dict(zcl("GCS21e", {(0x0000, 0x0004): b"maker", (0x0000, 0x0005): b"model123" + bytes(range(8))}))
    assert (told["DeviceIdentifier"], told["ModelType"], told["ManufacturerIdentifier"]) == ("00-01-02-03-04-05-06-07", "model123", "maker")
    assert "DeviceIdentifier" not in dict(zcl("GCS21e", {(0x0000, 0x0005): b"model123"}))
    assert zcl("GCS46", {(0x0702, 0x0307): b"1234567890"}) == [("Gas/MPRN", "1234567890")]
    assert zcl("GCS38", {(0x0702, 0x0206): b"\x01\x02"}) == [("FirmwareVersion", "0102")]


@pytest.mark.parametrize(
    ("kind", "duration", "word"),
    [
        (0x21, 1, "Daily"),
        (0x22, 1, "Weekly"),
        (0x23, 1, "Monthly"),
        (0x23, 3, "Quarterly"),
        (0x23, 6, "SixMonthly"),
        (0x23, 12, "Yearly"),
        (0x23, 2, None),
    ],
)
def test_the_period_of_a_gas_bill_is_a_unit_and_a_number(kind: int, duration: int, word: str | None) -> None:
    """ZSE publish billing period: low four bits of the type 1 days, 2 weeks, 3 months."""
    period = command(0x0700, 0x09, start_time=5, duration=duration, duration_type=kind)
    above = "BillingCalendar/GasBillingCalendar"
    assert zcl("GCS21d", {}, period) == (
        [(f"{above}/BillingPeriodStart", "2000-01-01T00:00:05Z"), (f"{above}/Periodicity", word)] if word else []
    )
    assert zcl("GCS21d", {}) == []
    assert zcl("GCS21k", {}, command(0x0700, 0x09, duration=1, duration_type=0x21)) == []


def test_a_gas_tariff_is_by_time_or_by_block() -> None:
    prices = {(0x0700, 0x0400 + place): 40 + place for place in range(4)} | {
        (0x0700, 0x0410 + 16 * place): 50 + place for place in range(4)
    }
    for block in (0, 1):
        told = zcl("GCS21f", {**prices, (0x0700, 0x0615): block, (0x0700, 0x0616): 978 if block else 826, (0x0700, 0x0101): 7})
        priced = [(path.rpartition("/")[2], value) for path, value in told if "Price" in path]
        assert priced == (
            [(f"BlockPrice[{one}]", str(39 + one)) for one in range(1, 5)]
            if block
            else [(f"TariffTOUPrice[{one}]", str(49 + one)) for one in range(1, 5)]
        )
        assert dict(told)["Gas/CurrencyUnitsLabel"] == ("ECB" if block else "GBP")
        assert dict(told)["Gas/TariffThresholds/BlockThreshold[2]"] == "7"
    assert zcl("GCS31", {}, command(0x0702, 0x0D, sample_id=6)) == [("SampleID", "6")]


def test_gas_readings_have_their_multiplier_divisor_and_trailing_digits() -> None:
    """ZSE metering 0x0301, 0x0302; without them a thousandth of a cubic metre."""
    read = {(0x0702, 0x0000): 12345}
    assert zcl("GCS13a", {**read, (0x0702, 0x0301): 2, (0x0702, 0x0302): 100})[0] == ("Gas/ConsumptionRegister/Value", "246.9")
    assert zcl("GCS13a", read)[0] == ("Gas/ConsumptionRegister/Value", "12.345")
    assert zcl("GCS13a", {}) == [("Gas", "")]
    factors = {(0x0700, 0x0304): 39, (0x0700, 0x0306): 0x10, (0x0700, 0x0302): 12345, (0x0700, 0x0303): 0x40}
    assert zcl("GCS21a", factors) == [("CalorificValue", "3.9"), ("ConversionFactor", "1.2345")]
    assert zcl("GCS21a", {(0x0702, 0x0B10): 9, (0x0702, 0x0B12): 2, (0x0702, 0x0B13): 4}) == [("UncontrolledGasFlowRate", "4.5")]
    assert zcl("GCS21a", {(0x0702, 0x0B10): 9}) == [("UncontrolledGasFlowRate", "9")]


def test_a_gas_debt_is_recovered_by_the_hour_or_the_day() -> None:
    told = dict(zcl("GCS21b", {(0x0705, 0x0216): 0, (0x0705, 0x0217): 5, (0x0705, 0x0226): 1, (0x0705, 0x0227): 6}))
    assert (told["Gas/DebtRecovery1/DebtRecoveryRatePeriod"], told["Gas/DebtRecovery2/DebtRecoveryRatePeriod"]) == ("HOURLY", "DAILY")
    assert "Gas/DebtRecovery1/DebtRecoveryRatePeriod" not in dict(zcl("GCS21b", {(0x0705, 0x0216): 2}))


def test_gas_days_are_of_tiers_or_blocks_or_of_times() -> None:
    tiers = [command(0x0707, 1, day_id=day, entries=of({"start_minutes": 0, "tier_or_enable": tier})) for day, tier in ((1, 3), (2, 0))]
    assert list(leaves(calendars.gas_days([*tiers, command(0x0707, 1, day_id=3)], False))) == [
        *(("DayProfiles/DayProfile/DayName", "1"), ("DayProfiles/DayProfile/TOUTariffAction", "3")),
        *(("DayProfiles/DayProfile/DayName", "2"), ("DayProfiles/DayProfile/BlockTariff", "")),
        *(("DayProfiles/DayProfile/DayName", "3"), ("DayProfiles/DayProfile/BlockTariff", "")),
    ]
    timed = command(
        0x0707, 1, day_id=9, entries=of({"start_minutes": 61, "tier_or_enable": 1}, {"start_minutes": 1439, "tier_or_enable": 0})
    )
    above = "DayProfiles/GasNonDisablementDayProfile"
    assert list(leaves(calendars.gas_days([timed], True))) == [
        *((f"{above}/TimeStartAction[1]/StartTime", "01:01:00Z"), (f"{above}/TimeStartAction[1]/NonDisablementAction", "START")),
        *((f"{above}/TimeStartAction[2]/StartTime", "23:59:00Z"), (f"{above}/TimeStartAction[2]/NonDisablementAction", "STOP")),
        (f"{above}/GasDayName", "9"),
    ]


# -- dates


@pytest.mark.parametrize(
    ("octets_", "told"),
    [
        ("07de010101", ["2014", "1", "1", "1"]),
        ("270f0c1f07", ["9999", "12", "31", "7"]),
        ("07dd010101", ["NonSpecifiedYear", "1", "1", "1"]),
        ("2710010101", ["NonSpecifiedYear", "1", "1", "1"]),
        ("07ea0dff08", ["2026", "NonSpecifiedMonth", "NonSpecifiedDayOfMonth", "NonSpecifiedDayOfWeek"]),
        ("07ea00fe00", ["2026", "NonSpecifiedMonth", "LastDayOfMonth", "NonSpecifiedDayOfWeek"]),
        ("07ea0cfd06", ["2026", "12", "SecondLastDayOfMonth", "6"]),
        ("07ea", None),
    ],
)
def test_a_date_has_its_wildcards(octets_: str, told: list[str] | None) -> None:
    """IEC 62056-6-2 4.1.6.1; the schema takes years from 2014."""
    found = [value or path.rpartition("/")[2] for path, value in leaves(calendars.date("D", bytes.fromhex(octets_)))]
    assert found == (told or [])


@pytest.mark.parametrize(
    ("octets_", "told"),
    [
        ("72010101", ["2014", "1", "1", "1"]),
        ("fe0c1f07", ["2154", "12", "31", "7"]),
        ("71010101", ["NonSpecifiedYear", "1", "1", "1"]),
        ("ff000000", ["NonSpecifiedYear", "NonSpecifiedMonth", "GasNonSpecifiedDayOfMonth", "NonSpecifiedDayOfWeek"]),
        ("7e0d2008", ["2026", "NonSpecifiedMonth", "GasNonSpecifiedDayOfMonth", "NonSpecifiedDayOfWeek"]),
        ("7e0101", None),
    ],
)
def test_a_gas_date_has_its_wildcards(octets_: str, told: list[str] | None) -> None:
    """ZCL dates: years from 1900, FF any."""
    found = [value or path.rpartition("/")[2] for path, value in leaves(calendars.gas_date("D", bytes.fromhex(octets_)))]
    assert found == (told or [])


def test_a_non_disablement_calendar_starts_and_stops() -> None:
    schedule = rows(
        *(
            row(
                num(1),
                flag(True),
                raw(b""),
                num(script),
                raw("01020300"),
                num(0),
                bit("0100000"),
                bit("1"),
                raw("ffff0102ff"),
                raw("07ea0304ff"),
            )
            for script in (32, 33, 34)
        )
    )
    told = list(leaves(calendars.non_disablement(rows(row(num(4), raw("07ea0102ff"), num(4))), schedule)))
    named = [value for path, value in told if path.endswith("NonDisablementScript")]
    assert named == ["START", "STOP"]
    assert [value for path, value in told if path.endswith(("StartDate", "EndDate"))][:2] == ["65535-01-02Z", "2026-03-04Z"]
    assert [value for path, value in told if path.endswith("SpecialDayID")] == ["1", "1", "1"]
    assert told[0][0].startswith("NonDisablementCalendar/ElectricitySpecialDays/SpecialDay[4]/")


@pytest.mark.parametrize(
    ("selector", "secondary", "told"),
    [(101, False, "Block"), (199, False, "Block"), (100, False, "TOU"), (200, False, "TOU"), (150, True, "TOU")],
)
def test_a_tariff_switches_to_a_block_from_101_to_199(selector: int, secondary: bool, told: str) -> None:
    days = rows(row(num(1), rows(row(raw("01020300"), raw(b""), num(selector)))))
    found = list(leaves(calendars.switching_table(days, None, None, secondary)))
    assert found[2] == (f"TariffSwitchingTable/DayProfiles/DayProfile/ProfileSchedule/{told}TariffAction", str(selector % 100))


def test_event_settings_are_of_one_phase_or_of_three() -> None:
    """Event 8xnn is bit nn from the end (MMC schema)."""
    for party in ("supplier", "network"):
        none = list(leaves(settings.event_groups("S", party, "0" * 256)))
        every = list(leaves(settings.event_groups("S", party, "1" * 256)))
        assert {value for _, value in none} == {"Disable"}
        assert {value for _, value in every} == {"Enable"}
        groups = {path.split("/")[1] for path, _ in none}, {path.split("/")[1] for path, _ in every}
        if party == "network":
            assert not any(one.endswith("PolyPhase") for one in groups[0])
            assert not any(one.endswith("SinglePhase") for one in groups[1])
        path = none[0][0]
        single = int(path.rpartition("/")[2][1:], 16) & 0xFF
        mask = "".join("1" if 255 - place == single else "0" for place in range(256))
        assert dict(leaves(settings.event_groups("S", party, mask))).get(path, "Enable") == "Enable"
        assert settings.event_groups("S", party, "1" * 255) == settings.event_groups("S", party, None) == ()


# -- alerts


def told_of(content: contents.Content, code: int = 0x8F0A) -> list[tuple[str, str]]:
    return list(leaves(alerts.payload(contents.Alert(code, datetime(2026, 3, 4, tzinfo=UTC), content), ())))


@pytest.mark.parametrize(
    ("issue", "word"),
    [
        (0, "Other"),
        (1, "Error Non Volatile Memory"),
        (5, "Error Unexpected Hardware Reset"),
        (8, "Error Measurement Fault"),
        (9, "Unspecified Smart Meter Operational Integrity Error"),
    ],
)
def test_an_integrity_issue_has_its_words(issue: int, word: str) -> None:
    assert told_of(contents.Integrity(issue)) == [("Payload/SmartMeterIntegrityIssueWarningDeviceAlert/Warning", word)]
    assert told_of(contents.Integrity(10)) == told_of(contents.Integrity(-1)) == []


def test_limits_of_a_controller_have_number_direction_and_level() -> None:
    start, end = (bytes.fromhex(f"07ea03{day:02x}ff050607008000ff") for day in (4, 5))
    above = "Payload/LimitAPCLevelCommandProcessedDeviceAlert"
    assert told_of(contents.LimitStarted(0x23, end, start, 101)) == [
        *((f"{above}/APCLimitPeriodStart", "2026-03-04T05:06:07Z"), (f"{above}/APCLimitPeriodEnd", "2026-03-05T05:06:07Z")),
        *((f"{above}/AuxiliaryControllerN", "3"), (f"{above}/ResultingLevel", "100"), (f"{above}/InputFromControlledLoad", "")),
    ]
    assert told_of(contents.LimitEnded(0x15, 99))[:2] == [
        *(
            ("Payload/LimitAPCLevelEndedDeviceAlert/AuxiliaryControllerN", "5"),
            ("Payload/LimitAPCLevelEndedDeviceAlert/ResultingLevel", "99"),
        ),
    ]
    assert told_of(contents.LimitStarted(0x13, bytes(12), start, 5)) == []
    assert told_of(contents.Outage(start, bytes(12))) == told_of(contents.Outage(bytes(12), end)) == []
    assert len(told_of(contents.Outage(start, end))) == 2


def test_numbers_of_an_alert_are_told_in_hexadecimal_of_their_width() -> None:
    above = "Payload/FutureDatedCommandOutcomeDeviceAlert"
    told = dict(told_of(contents.DelayedDlms(0x19, 7, 3, bytes(range(6)), 2)))
    assert told[f"{above}/COSEMFutureDatedAlert/FutureDatedCommandMessageCode"] == "0019"
    assert told[f"{above}/COSEMFutureDatedAlert/DLMSCOSEMFDInstructionIdentification/ClassId"] == "0003"
    assert told[f"{above}/COSEMFutureDatedAlert/DLMSCOSEMFDInstructionIdentification/AttributeId"] == "02"
    told = dict(told_of(contents.DelayedGbz(0x6B, 7, 0x700, 1, 2)))
    place = f"{above}/GBZFutureDatedAlert/GBZFDInstructionIdentification"
    assert [told[f"{place}/{name}"] for name in ("ExtendedHeaderClusterID", "FrameControl", "CommandIdentifier")] == ["0700", "01", "02"]
    assert dict(told_of(contents.NotSupported(0x19, 8)))["Payload/CommandNotSupportedbyDevice/MessageCodeofCommandReceived"] == "0019"
    updated = dict(told_of(contents.Operational('{"outputState": 100, "inputState": 0}' + " " * 2000)))
    assert updated["Payload/OperationalUpdateDeviceAlert/OutputState"] == "100"
    assert len(updated["Payload/OperationalUpdateDeviceAlert/StateAndAssociatedInformation"]) == 1200
    assert "Payload/OperationalUpdateDeviceAlert/InputState" not in dict(told_of(contents.Operational('{"inputState": 101}')))


def test_content_that_the_schema_lacks_is_named() -> None:
    def lacking(content: contents.Content) -> str | None:
        return alerts.without_place(contents.Alert(1, None, content))

    assert lacking(contents.Unnamed("x")) == "x"
    assert lacking(LogBackup(())) == "the GPF's device log (GCS62)"
    assert "PPMID" in (lacking(ActivationReport(b"", 0)) or "")
    assert lacking(contents.Nothing()) is None


# -- reading


def test_a_value_of_another_kind_is_none() -> None:
    assert (number(num(5)), number(raw("05")), number(flag(True)), number(None)) == (5, None, None, None)
    assert (octets(raw("05")), octets(num(5)), boolean(flag(True)), boolean(flag(False)), boolean(num(1))) == (
        b"\x05",
        None,
        True,
        False,
        None,
    )
    assert (text(Value("visible-string", "a", b"")), text(Value("utf8-string", "b", b"")), text(raw(b"c")), text(num(1))) == (
        "a",
        "b",
        "c",
        None,
    )
    assert (bits(bit("101.1")), bits(Value("visible-string", "101", b"")), bits(None)) == ("101", None, None)
    nested = row(num(1), row(num(2), num(3)))
    assert (at(nested, 1, 0), at(nested, 1, 2), at(nested, -1), at(nested, 0, 0), at(None, 0)) == (num(2), None, None, None, None)
    assert Typed(0x20, 1).value == 1
    assert Component(0, 0, b"", None, 0, 0, 0, b"", 0).profile_wide
