"""SMETS data of electricity responses (shapes: RTDS, reference dlms-responses.csv)."""

from __future__ import annotations

from collections.abc import Callable

from ...message.dlms import Value
from .electricity_logs import indexed
from .reading import Answer, at, boolean, elements, number, octets, text
from .tree import Content, Element, group, leaf, moment, seconds, written

_UNCHANGED = ("Unchanged", "Locked")


def _register(name: str, value: int | None, unit: str | None) -> Content:
    if value is None:
        return ()
    energy = {"Wh": "ActiveEnergyUnit", "varh": "ReactiveEnergyUnit"}
    return group(name, leaf("Value", value), leaf(energy[unit], unit) if unit else ())


def import_registers(answer: Answer) -> Content:
    block = at(answer.opened[0]) if answer.opened else None
    return group(
        "Electricity",
        _register("ActiveImportRegister", number(at(block, 0)), "Wh"),
        _register("ReactiveImportRegister", number(at(block, 2)), "varh"),
        _register("SecondaryActiveImportRegister", number(at(block, 4)), "Wh"),
    )


def import_tou(answer: Answer) -> Content:
    block = at(answer.opened[0]) if answer.opened else None
    first = at(block, 0)
    twin = first is not None and first.kind == "array"
    primary = elements(at(block, 0)) if twin else elements(block)
    second = elements(at(block, 1)) if twin else ()
    registers = group("TariffTOURegisterCollection", indexed("TOUPrimaryRegisterValue", primary), indexed("TOUSecondRegisterValue", second))
    return group("Electricity", registers)


def import_blocks(answer: Answer) -> Content:
    block = elements(answer.opened[0]) if answer.opened else ()
    tables = [elements(part) for part in block]
    half = len(tables) // 2
    return group(
        "TariffBlockTOURegisterCollection",
        *(
            group(
                "TariffBlock",
                indexed("RegisterMatrixTOUValue", tables[row]),
                indexed("CounterMatrixTOUValue", tables[half + row]) if half + row < len(tables) else (),
                index=row + 1,
            )
            for row in range(min(half, 4))
        ),
    )


def export_registers(answer: Answer) -> Content:
    return (
        *_register("ActiveExportRegister", answer.number(0), "Wh"),
        *_register("ReactiveExportRegister", answer.number(2), "varh"),
    )


_PREPAY_ORDER = (
    ("EmergencyCreditBalance", 0),
    ("AccumulatedDebtRegister", 1),
    ("PaymentDebtRegister", 2),
    ("TimeDebtRegister1", 3),
    ("TimeDebtRegister2", 4),
    ("MeterBalance", 5),
)


def prepay_values(answer: Answer) -> Content:
    block = answer.opened[0] if answer.opened else None
    return tuple(element for name, place in _PREPAY_ORDER for element in leaf(name, number(at(block, place))))


def _demand(name: str, answer: Answer, base: int, reset: int) -> Content:
    return group(
        name,
        leaf("Value", answer.number(base)),
        leaf("CaptureTime", moment(answer.octets(base + 2))),
        leaf("LastResetDateTime", moment(answer.octets(reset))),
    )


def maximum_demand_export(answer: Answer) -> Content:
    return _demand("MaxDemandActiveEnergyExport", answer, 1, 0)


def _clock(data: Value | None) -> str | None:
    found = octets(data)
    return None if found is None or len(found) != 4 else f"{found[0]:02d}:{found[1]:02d}:{found[2]:02d}Z"


def maximum_demand_import(answer: Answer) -> Content:
    schedule = answer.item(8)
    start, end = _clock(at(schedule, 0, 4)), _clock(at(schedule, 1, 4))
    period = group("MaxDemandConfigurableTimePeriod", leaf("StartTime", start), leaf("EndTime", end)) if start and end else ()
    return (
        *_demand("MaxDemandConfigurableTimeActivePowerImport", answer, 5, 1),
        *_demand("MaxDemandActiveEnergyImport", answer, 2, 0),
        *period,
    )


def load_limit(answer: Answer) -> Content:
    state = boolean(answer.item(0))
    return (
        *leaf("LoadLimitCounterValue", answer.number(1)),
        *leaf("LoadLimitPowerThreshold", answer.number(3)),
        *leaf("LoadLimitPeriod", answer.number(4)),
        *leaf("LoadLimitRestorationPeriod", answer.number(5)),
        *leaf("LoadLimitSupplyState", None if state is None else "Disable" if state else "Unchanged"),
    )


def active_power(answer: Answer) -> Content:
    block = answer.item(0)
    return (
        *group("ActivePowerImport", leaf("Value", number(at(block, 0))), leaf("Unit", "W")),
        *leaf("PrimaryActivePowerImportValue", number(at(block, 2))),
    )


def meter_balance(answer: Answer) -> Content:
    return leaf("MeterBalance", answer.number(0))


def voltage_settings(answer: Answer) -> Content:
    names = ("RMSExtremeOverVoltage", "RMSExtremeUnderVoltage", "RMSVoltageSag", "RMSVoltageSwell")
    settings: list[Element] = []
    for place, name in enumerate(names):
        settings += leaf(f"{name}MeasurementPeriod", answer.number(2 * place + 1))
        settings += leaf(f"{name}Threshold", answer.number(2 * place))

    def average(over: int, under: int) -> Content:
        return (
            *leaf("AverageRMSOverVoltageThreshold", answer.number(over)),
            *leaf("AverageRMSUnderVoltageThreshold", answer.number(under)),
        )

    if len(answer.items) > 10:
        places = ((8, 9), (11, 10), (13, 12))
        average_settings = tuple(
            element
            for phase, (over, under) in enumerate(places, 1)
            for element in group("PolyPhaseVoltageSettings", leaf("Phase", phase), group("PhaseVoltageSettings", average(over, under)))
        )
    else:
        average_settings = group("SinglePhaseVoltageSettings", average(8, 9))
    return (*average_settings, *group("RMSVoltageSettings", settings))


def randomisation(answer: Answer) -> Content:
    names = ("RandomisedOffset", "RandomisedOffsetNumber", "RandomisedOffsetLimit")
    return tuple(element for place, name in enumerate(names) for element in leaf(name, answer.number(place)))


def _date_part(value: int, any_: int) -> int | None:
    return None if value == any_ else value


def billing_calendar(answer: Answer) -> Content:
    """The periodicity follows from how many dates there are and which parts they leave open."""
    entries = elements(answer.item(0))
    at_time = _clock(at(answer.item(0), 0, 0))
    dates = [found for entry in entries if (found := octets(at(entry, 1))) is not None and len(found) == 5]
    if at_time is None or not dates:
        return ()
    first = dates[0]
    month, day, weekday = (_date_part(part, 0xFF) for part in first[2:5])
    if month is not None and day is not None:
        name = {1: "Yearly", 2: "SixMonthly", 4: "Quarterly"}.get(len(dates))
        if name is None:
            return ()
        period = group(name, leaf("DayOfMonth", day), leaf("BillingPeriodStartMonth", month))
    elif day is not None:
        period = leaf("Monthly", day)
    else:
        period = leaf("Weekly", weekday) if weekday is not None else group("Daily")
    return group("BillingCalendar", group("ElectricityBillingCalendar", leaf("BillingTime", at_time), period))


def _identity(places: tuple[int | None, int | None, int, int, int | None]) -> Callable[[Answer], Content]:
    identifier, variant, model, maker, tamper = places

    def read(answer: Answer) -> Content:
        eui = answer.octets(identifier) if identifier is not None else None
        shown = [text(answer.item(place)) if place is not None else None for place in (model, maker, variant)]
        state = boolean(answer.item(tamper)) if tamper is not None else None
        meter = group(
            "Electricity", leaf("SupplyTamperState", None if state is None else _UNCHANGED[state]), leaf("MeterVariant", shown[2])
        )
        return (
            *leaf("DeviceIdentifier", None if eui is None else eui.hex("-").upper()),
            *leaf("ModelType", shown[0]),
            *leaf("ManufacturerIdentifier", shown[1]),
            *(meter if tamper is not None else ()),
        )

    return read


def power_thresholds(answer: Answer) -> Content:
    low, high = (number(at(answer.item(0), place)) for place in (0, 1))
    return (*leaf("LowMediumPowerThreshold", low), *leaf("MediumHighPowerThreshold", high))


def payment_mode(answer: Answer) -> Content:
    mode = number(at(answer.item(0), 0))
    return leaf("PaymentMode", None if mode is None else {1: "Credit", 2: "Prepayment"}.get(mode))


def mpans(answer: Answer) -> Content:
    both, export = text(answer.item(0)), text(answer.item(1))
    first = None if both is None else both[:13]
    return group(
        "Electricity", leaf("ImportMPAN", first), leaf("SecondaryImportMPAN", (both or "")[13:] or None), leaf("ExportMPAN", export)
    )


def supply_state(answer: Answer) -> Content:
    state = answer.number(0)
    return leaf("SupplyState", None if state is None else {0: "Disabled", 1: "Enabled", 2: "Armed"}.get(state))


def clock(answer: Answer) -> Content:
    status = answer.number(4)
    names = {0: "reliable", 1: "invalid", 2: "unreliable"}
    known = () if status is None else leaf_status(names.get(status, "unreliable"), status)
    return (*leaf("DeviceTime", moment(answer.octets(3))), *(group("Electricity", known) if known else ()))


def leaf_status(name: str, code: int) -> Content:
    return group("ElecClockTimeStatus", leaf("TimeStatus", name), TimeStatusCode=code)


def firmware(answer: Answer) -> Content:
    found = answer.octets(0)
    return leaf("FirmwareVersion", None if found is None else written(found))


def boost_button(answer: Answer) -> Content:
    log: list[Element] = []
    for entry in elements(answer.item(1)):
        start, end = number(at(entry, 0)), number(at(entry, 1))
        if start is not None and end is not None:
            log += group("EventLogEntry", leaf("BoostEnd", seconds(max(start, end))), leaf("BoostStart", seconds(min(start, end))))
    controls = (leaf(f"BoostFunctionControl{place}Value", boolean(answer.item(place + 1))) for place in range(1, 6))
    return (
        *log,
        *leaf("BoostFunctionAvailability", boolean(answer.item(0))),
        *(element for control in controls for element in control),
    )


CONTENTS: dict[str, Callable[[Answer], Content]] = {
    "ECS17a": export_registers,
    "ECS17b": import_registers,
    "ECS17c": active_power,
    "ECS17d": import_tou,
    "ECS17e": import_blocks,
    "ECS18a": maximum_demand_export,
    "ECS18b": maximum_demand_import,
    "ECS19": prepay_values,
    "ECS26b": voltage_settings,
    "ECS26c": randomisation,
    "ECS26d": billing_calendar,
    "ECS26e": _identity((0, 1, 2, 3, 4)),
    "ECS26f": power_thresholds,
    "ECS26i": _identity((0, None, 1, 2, None)),
    "ECS26j": payment_mode,
    "ECS26k": voltage_settings,
    "ECS26l": billing_calendar,
    "ECS26m": _identity((None, 0, 1, 2, 3)),
    "ECS26n": _identity((None, None, 0, 1, None)),
    "ECS27": load_limit,
    "ECS40": mpans,
    "ECS45": supply_state,
    "ECS52": firmware,
    "ECS61c": boost_button,
    "ECS70": clock,
    "ECS82": meter_balance,
}
