"""SMETS data of tariff, prepayment, auxiliary control and event configuration responses."""

from __future__ import annotations

import json
from collections.abc import Callable

from ...message.dlms import Value
from . import calendars
from .hub import operating_channel
from .reading import Answer, at, bits, boolean, elements, number, octets, text
from .settings import event_groups
from .tree import Content, Element, group, leaf, seconds

_PRICE, _METERING, _PREPAYMENT, _CALENDAR = 0x0700, 0x0702, 0x0705, 0x0707
_PERIODS = {3600: "HOURLY", 86400: "DAILY"}
_GAS_PERIODS = {0: "HOURLY", 1: "DAILY"}


def _table(charge: Value | None) -> dict[int, int]:
    """Prices of a charge table by index."""
    found: dict[int, int] = {}
    for entry in elements(at(charge, 2)):
        index, amount = octets(at(entry, 0)), number(at(entry, 1))
        if amount is not None:
            found[index[0] if index else 0] = amount
    return found


def _scale(charge: Value | None) -> int | None:
    return number(at(charge, 0, 1))


def primary_tariff(answer: Answer) -> Content:
    standing, prices = answer.item(15), answer.item(16)
    table = _table(prices)
    pounds = boolean(answer.item(14))
    blocks = (
        group(
            "TariffBlockPrices",
            *(leaf("BlockPrice", table.get(0x90 + 16 * row + column), index=row) for row in range(1, 5)),
            index=column,
        )
        for column in range(1, 9)
    )
    tiers = (leaf("TariffTOUPrice", table.get(index), index=index) for index in range(1, 49))
    thresholds = (
        group(
            "ElecTariffThresholds",
            *(leaf("BlockThreshold", number(value), index=place) for place, value in enumerate(elements(answer.item(5 + column)), 1)),
            index=column,
        )
        for column in range(1, 9)
    )
    return group(
        "Electricity",
        leaf("PrimaryActiveTariffPrice", answer.number(0)),
        leaf("CurrencyUnitsLabel", None if pounds is None else "GBP" if pounds else "ECB"),
        leaf("StandingCharge", _table(standing).get(0)),
        leaf("StandingChargeScale", _scale(standing)),
        leaf("PriceScale", _scale(prices)),
        group("TariffBlockPriceMatrix", *blocks),
        group("TariffTOUPriceMatrix", *tiers),
        calendars.switching_table(answer.item(4), answer.item(3), answer.item(2), False),
        calendars.tariff_special_days(answer.item(5)),
        group("TariffThresholdMatrix", *thresholds),
    )


def secondary_tariff(answer: Answer) -> Content:
    prices = answer.item(0)
    table = _table(prices)
    return (
        *leaf("SecondaryActiveTariffPrice", answer.number(1)),
        *leaf("PriceScale", _scale(prices)),
        *group("TariffTOUPriceMatrix", *(leaf("TariffTOUPrice", table.get(index), index=index) for index in range(1, 5))),
        *calendars.switching_table(answer.item(6), answer.item(5), answer.item(4), True),
        *calendars.tariff_special_days(answer.item(3)),
    )


def gas_tariff(answer: Answer) -> Content:
    def price(identifier: int) -> int | None:
        return answer.attribute(_PRICE, identifier)

    currency = {826: "GBP", 978: "ECB"}.get(price(0x0616) or 0)
    thresholds = (leaf("BlockThreshold", price(0x0100 + place), index=place + 1) for place in range(3))
    block = bool(price(0x0615))
    prices = [price(identifier) for identifier in (0x0400, 0x0401, 0x0402, 0x0403)]
    tiers = [price(identifier) for identifier in (0x0410, 0x0420, 0x0430, 0x0440)]
    table = group(
        "TariffSwitchingTable",
        calendars.gas_days(answer.all(_CALENDAR, 0x01), False),
        calendars.gas_weeks(answer.all(_CALENDAR, 0x02), "ReferencedDay"),
        calendars.gas_seasons("Seasons", answer.all(_CALENDAR, 0x03)),
    )
    published = answer.first(_PRICE, 0x00)
    return group(
        "Gas",
        leaf("PrimaryActiveTariffPrice", published.number("price") if published is not None else None),
        leaf("CurrencyUnitsLabel", currency),
        leaf("StandingCharge", price(0x0301)),
        table,
        calendars.gas_special_days("TariffSwitchingTableSpecialDays", answer.all(_CALENDAR, 0x04), "ReferencedDay"),
        group("TariffThresholds", *thresholds),
        group("TOUTariff", *(leaf("TariffTOUPrice", value, index=place) for place, value in enumerate(tiers, 1))) if not block else (),
        group("BlockTariff", *(leaf("BlockPrice", value, index=place) for place, value in enumerate(prices, 1))) if block else (),
    )


def _debt(name: str, answer: Answer, rate: int, period: int) -> Content:
    charge = answer.item(rate)
    return group(
        name,
        leaf("DebtRecoveryRate", _table(charge).get(0)),
        leaf("DebtRecoveryRatePriceScale", _scale(charge)),
        leaf("DebtRecoveryRatePeriod", _PERIODS.get(answer.number(period) or 0)),
    )


def prepayment(answer: Answer) -> Content:
    """4.13 of an electricity meter; the order of the reads is that of ECS26a."""
    return (
        *leaf("DebtRecoveryPerPayment", answer.number(7)),
        *leaf("DebtRecoveryRateCap", answer.number(12)),
        *leaf("DisablementThreshold", number(at(answer.item(9), 0))),
        *leaf("EmergencyCreditLimit", answer.number(14)),
        *leaf("EmergencyCreditThreshold", answer.number(15)),
        *leaf("LowCreditThreshold", answer.number(11)),
        *leaf("CreditMaxCreditThreshold", answer.number(8)),
        *leaf("MaxCreditMaxMeterBalance", answer.number(10)),
        *group(
            "Electricity",
            calendars.non_disablement(answer.item(1), answer.item(16)),
            _debt("DebtRecovery1", answer, 0, 2),
            _debt("DebtRecovery2", answer, 4, 5),
        ),
    )


def gas_prepayment(answer: Answer) -> Content:
    """4.13 of a gas meter (attributes of GCS21b)."""

    def value(identifier: int) -> int | None:
        return answer.attribute(_PREPAYMENT, identifier)

    def debt(name: str, rate: int, period: int) -> Content:
        frequency = value(period)
        named = leaf("DebtRecoveryRatePeriod", None if frequency is None else _GAS_PERIODS.get(frequency))
        return group(name, leaf("DebtRecoveryRate", value(rate)), named)

    calendar = group(
        "NonDisablementCalendar",
        calendars.gas_days(answer.all(_CALENDAR, 0x01), True),
        calendars.gas_weeks(answer.all(_CALENDAR, 0x02), "ReferencedDayName"),
        calendars.gas_seasons("SeasonProfiles", answer.all(_CALENDAR, 0x03)),
        calendars.gas_special_days("SpecialDays", answer.all(_CALENDAR, 0x04), "ReferencedDayName"),
    )
    return (
        *leaf("DebtRecoveryPerPayment", value(0x0239)),
        *leaf("DebtRecoveryRateCap", value(0x0006)),
        *leaf("DisablementThreshold", value(0x0040)),
        *leaf("EmergencyCreditLimit", value(0x0010)),
        *leaf("EmergencyCreditThreshold", value(0x0011)),
        *leaf("LowCreditThreshold", value(0x0031)),
        *leaf("CreditMaxCreditThreshold", value(0x0022)),
        *leaf("MaxCreditMaxMeterBalance", value(0x0021)),
        *group("Gas", calendar, debt("DebtRecovery1", 0x0217, 0x0216), debt("DebtRecovery2", 0x0227, 0x0226)),
    )


def _switch_entry(entry: Value) -> Content:
    selector = number(at(entry, 3)) or 0
    action = group("ActivateSwitch" if selector & 0xFF == 1 else "DeactivateSwitch")
    special = (group("SpecialDaysApplicability", index=place) for place in calendars.chosen(bits(at(entry, 7))))
    return group(
        "ALCSScheduler",
        group("ActivateDeactivateSwitch", action, index=selector >> 8 & 0x0F or 1),
        *special,
        calendars.weekdays(bits(at(entry, 6))),
        calendars.schedule_times("ALCSScheduleDatesAndTime", entry),
    )


def switches(answer: Answer) -> Content:
    found: list[Element] = []
    for place in range(5):
        identity = octets(answer.item(5 + place))
        kind: Content = ()
        if identity is not None and len(identity) == 8:
            kind = group("ALCS") if identity == bytes(8) else leaf("HCALCS", identity.hex("-").upper())
        found += group(
            "AuxiliaryLoadControlSwitch",
            leaf("Description", text(answer.item(place))),
            group("TypeAndIdentifier", kind) if kind else (),
            leaf("State", boolean(answer.item(12 + place))),
            Index=place + 1,
        )
    days = calendars.special_days("ALCSHCALCSSpecialDays", "ALCSHCALCSSpecialDay", answer.item(10), "index")
    return (*found, *days, *(element for entry in elements(answer.item(11)) for element in _switch_entry(entry)))


def _controller_entry(entry: Value) -> Content:
    selector = number(at(entry, 3)) or 0
    feeding = group("InputFromControlledLoad") if selector >> 12 == 2 else ()
    special = (group("SpecialDaysApplicability", identifier=place) for place in calendars.chosen(bits(at(entry, 7))))
    action = group(
        "AuxiliaryControllerAction",
        leaf("CommandedStateLevel", min(selector & 0x7F, 100)),
        feeding,
        auxiliaryControllerN=selector >> 8 & 0x0F or 1,
    )
    times = calendars.schedule_times("AuxiliaryControllerSchedulePeriodAndTime", entry)
    return group("AuxiliaryControllerSchedule", action, *special, calendars.weekdays(bits(at(entry, 6))), times)


def controllers(answer: Answer) -> Content:
    described = (
        element
        for place in range(5)
        if (label := text(answer.item(place))) is not None
        for element in group("AuxiliaryControllerDescription", leaf("AuxiliaryControlDescription", label), auxiliaryControllerN=place + 1)
    )
    definitions = calendars.special_days(
        "AuxiliaryControllerSpecialDayDefinitions", "AuxiliaryControllerSpecialDayDefinition", answer.item(5), "identifier"
    )
    return (*described, *definitions, *(element for entry in elements(answer.item(6)) for element in _controller_entry(entry)))


def _controller_kind(identity: bytes | None) -> Content:
    """Eight zero octets are a switch inside the meter, an EUI-64 an HCALCS, FF a proportional controller, nothing none (RTDS ECS61e)."""
    if identity is None:
        return ()
    names = {b"": "None", b"\xff": "APC", bytes(8): "ALCS"}
    name = names.get(identity, "HCALCS")
    eui = leaf("HCALCSID", identity.hex("-").upper()) if name == "HCALCS" and len(identity) == 8 else ()
    return group("TypeAndIdentifier", leaf("AuxiliaryControllerType", name), eui)


def controller_states(answer: Answer) -> Content:
    found: list[Element] = []
    for place in range(5):
        state = text(answer.item(5 + place))
        found += group(
            "AuxiliaryControllerOperationalData",
            _controller_kind(octets(answer.item(place))),
            _state(state) if state is not None else (),
            auxiliaryControllerN=place + 1,
        )
    return tuple(found)


def _state(state: str) -> Content:
    try:
        read = json.loads(state)
    except ValueError:
        read = None
    levels = read if isinstance(read, dict) else {}

    def level(name: str) -> int | None:
        value = levels.get(name)
        return value if isinstance(value, int) and 0 <= value <= 100 else None

    return group(
        "AuxiliaryControllerStateAndAssociatedInformation",
        leaf("OutputState", level("outputState")),
        leaf("InputState", level("inputState")),
        leaf("StateAndAssociatedInformation", state),
    )


def supplier_events(answer: Answer) -> Content:
    names = ("WANAlert", "HANAlert", "Alarm", "Logging")
    parts = (event_groups(f"ElectricitySupplier{name}Settings", "supplier", bits(answer.item(place))) for place, name in enumerate(names))
    return group("ElectricitySupplierAlertEventSettings", *parts)


def network_events(answer: Answer) -> Content:
    names = ("WANAlert", "Logging")
    parts = (event_groups(f"ElectricityNetworkOperator{name}Settings", "network", bits(answer.item(p))) for p, name in enumerate(names))
    return group("ElectricityNetworkOperatorAlertEventSettings", *parts)


def channel_log(answer: Answer) -> Content:
    entries: list[Element] = []
    for entry in elements(answer.item(0)):
        count, code = number(at(entry, 0)), number(at(entry, 1))
        if count is not None:
            # RTDS DBCH02: time, code, and an octet-string; that it begins with the channel's mask is this product's choice.
            mask = (octets(at(entry, 2)) or b"")[:4]
            channel = operating_channel(f"{int.from_bytes(mask, 'big'):032b}") if len(mask) == 4 else ()
            shown = leaf("EventCode", None if code is None else f"{code:04X}")
            entries += group("LogEntry", leaf("Timestamp", seconds(count)), shown, channel)
    return tuple(entries)


def sampling(answer: Answer) -> Content:
    zcl = answer.first(_METERING, 0x0D)
    return leaf("SampleID", zcl.number("sample_id") if zcl is not None else None)


CONTENTS: dict[str, Callable[[Answer], Content]] = {
    "DBCH02": channel_log,
    "ECS24": primary_tariff,
    "ECS24b": secondary_tariff,
    "ECS25r1": supplier_events,
    "ECS25r2": network_events,
    "ECS26a": prepayment,
    "ECS61a": switches,
    "ECS61d": controllers,
    "ECS61e": controller_states,
    "GCS21b": gas_prepayment,
    "GCS21f": gas_tariff,
    "GCS31": sampling,
}
