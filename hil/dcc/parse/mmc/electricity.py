"""SMETS data of electricity responses (shapes: RTDS, reference dlms-responses.csv)."""

from __future__ import annotations

from collections.abc import Callable

from firmware_emu.gbcs.axdr import Array, Data
from hil.dcc.parse.mmc.reading import Answer, at, boolean, elements, number, octets, text
from hil.dcc.parse.mmc.tree import Element, group, leaf, moment, seconds, written

Content = tuple[Element, ...]
_UNCHANGED = ("Unchanged", "Locked")


def _register(name: str, value: int | None, unit: str | None) -> Content:
    if value is None:
        return ()
    energy = {"Wh": "ActiveEnergyUnit", "varh": "ReactiveEnergyUnit"}
    return group(name, leaf("Value", value), leaf(energy[unit], unit) if unit else ())


def _indexed(name: str, values: tuple[Data, ...]) -> Content:
    return tuple(element for index, value in enumerate(values, 1) for element in leaf(name, number(value), index=index))


def _stamp(data: Data | None) -> Content:
    """A time stamp in seconds since 2000."""
    count = number(data)
    return () if count is None else leaf("Timestamp", seconds(count))


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
    twin = isinstance(at(block, 0), Array)
    primary = elements(at(block, 0)) if twin else elements(block)
    second = elements(at(block, 1)) if twin else ()
    registers = group(
        "TariffTOURegisterCollection", _indexed("TOUPrimaryRegisterValue", primary), _indexed("TOUSecondRegisterValue", second)
    )
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
                _indexed("RegisterMatrixTOUValue", tables[row]),
                _indexed("CounterMatrixTOUValue", tables[half + row]) if half + row < len(tables) else (),
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


def _prepayment_entry(name: str, values: tuple[Data, ...], stamp: Data | None) -> Content:
    names = (
        *("AccumulatedDebtRegister", "EmergencyCreditBalance", "MeterBalance"),
        *("PaymentDebtRegister", "TimeDebtRegisters1", "TimeDebtRegisters2"),
    )
    inner = (leaf(child, number(value)) for child, value in zip(names, values, strict=False))
    return group(name, *inner, _stamp(stamp))


def _consumption_parts(entry: Data) -> tuple[list[int | None], list[tuple[Data, ...]], list[Data]]:
    """An entry's plain numbers before its tables, its tables, and the numbers after them."""
    before: list[int | None] = []
    tables: list[tuple[Data, ...]] = []
    after: list[Data] = []
    for value in elements(entry)[1:]:
        if isinstance(value, Array):
            tables.append(elements(value))
        elif tables:
            after.append(value)
        else:
            before.append(number(value))
    return before, tables, after


def _tables(tables: list[tuple[Data, ...]], tou: str, secondary: str, secondary_first: bool) -> Content:
    second = next((table for table in tables[1:2] if len(table) == 4), None)
    blocks = tables[2:] if second is not None else tables[1:]
    parts = _indexed(tou, tables[0] if tables else ())
    named = tuple(
        element for row, table in enumerate(blocks[:4], 1) for element in _indexed(f"TariffTOUBlock{row}RegisterMatrixValue", table)
    )
    other = _indexed(secondary, second or ())
    return (*other, *parts, *named) if secondary_first else (*parts, *named, *other)


def change_log(answer: Answer) -> Content:
    """4.4.2: consumption and tariff registers, and prepayment data, of each change."""
    log = elements(answer.opened[0]) if answer.opened else ()
    consumption: list[Element] = []
    prepayment: list[Element] = []
    for entry in log:
        before, tables, after = _consumption_parts(entry)
        second = next((table for table in tables[1:2] if len(table) == 4), None)
        blocks = tables[2:] if second is not None else tables[1:]
        consumption += group(
            "LogEntryConsumptionAndTariffRegistersData",
            leaf("ActiveImportRegisterConsumption", before[0] if before else None),
            _indexed("TariffTOURegisterMatrixValue", tables[0] if tables else ()),
            *(_indexed(f"TariffTOUBlock{row}RegisterMatrixValue", table) for row, table in enumerate(blocks[:4], 1)),
            leaf("SecondaryActiveImportRegisterConsumption", before[1] if len(before) > 1 else None),
            _indexed("SecondaryTariffTOURegisterMatrixValue", second or ()),
            _stamp(at(entry, 0)),
        )
        if after:
            prepayment += _prepayment_entry("LogEntryPrepaymentData", tuple(after), at(entry, 0))
    return group("Electricity", consumption, prepayment)


def _billing_entry(name: str, entry: Data) -> Content:
    before, tables, _ = _consumption_parts(entry)
    second = next((table for table in tables[1:2] if len(table) == 4), None)
    blocks = tables[2:] if second is not None else tables[1:]
    return group(
        name,
        _stamp(at(entry, 0)),
        leaf("ActiveImportRegisterValueConsumption", before[0] if before else None),
        leaf("SecondaryActiveImportRegisterValueConsumption", before[1] if len(before) > 1 else None),
        _indexed("TariffTOURegisterMatrixValue", tables[0] if tables else ()),
        _indexed("SecondaryTariffTOURegisterMatrixValue", second or ()),
        *(_indexed(f"TariffTOUBlock{row}RegisterMatrixValue", table) for row, table in enumerate(blocks[:4], 1)),
    )


def billing_log(answer: Answer) -> Content:
    """4.4.3: billing data and prepayment data."""
    logs = [elements(part) for part in answer.opened]
    consumption = [element for entry in (logs[0] if logs else ()) for element in _billing_entry("ESMEBillingDataLogEntry", entry)]
    prepayment = [
        element
        for entry in (logs[1] if len(logs) > 1 else ())
        for element in _prepayment_entry("ESMEBillingPrepaymentDataLogEntry", elements(entry)[1:], at(entry, 0))
    ]
    return group("Electricity", consumption, prepayment)


def billing_alert(opened: tuple[Data, ...]) -> Content:
    """The billing entry that alert 0061 carries."""
    entry = opened[0] if opened else None
    return _billing_entry("ESMEBillingDataLogEntry", entry) if entry is not None else ()


def _amounts(name: str) -> Callable[[Answer], Content]:
    def read(answer: Answer) -> Content:
        entries = (
            group("LogEntry", leaf("Amount", number(at(entry, 1))), _stamp(at(entry, 0))) for entry in elements(answer.item(0))
        )
        return group(name, *entries)

    return read


def daily_read_log(answer: Answer) -> Content:
    entries: list[Element] = []
    for entry in elements(answer.opened[0]) if answer.opened else ():
        before, tables, _ = _consumption_parts(entry)
        inner = group(
            "Electricity",
            leaf("ElecActiveImportRegisterConsumption", before[0] if before else None),
            leaf("SecondaryActiveImportRegisterConsumption", before[1] if len(before) > 1 else None),
            _tables(tables, "TariffTOURegisterMatrixValue", "SecondaryTariffTOURegisterMatrixValue", True),
        )
        entries += group("LogEntry", _stamp(at(entry, 0)), inner)
    return tuple(entries)


def prepay_daily_log(answer: Answer) -> Content:
    log = elements(answer.opened[0]) if answer.opened else ()
    return group("Electricity", *(_prepayment_entry("LogEntry", elements(entry)[1:], at(entry, 0)) for entry in log))


def export_daily_log(answer: Answer) -> Content:
    entries: list[Element] = []
    for entry in elements(answer.item(0)):
        count = number(at(entry, 0))
        stamp = leaf("TimeStamp", None if count is None else seconds(count))
        entries += group("LogEntry", leaf("ActiveExportRegisterValue", number(at(entry, 1))), stamp)
    return tuple(entries)


def import_profile(answer: Answer) -> Content:
    log = elements(answer.opened[0]) if answer.opened else ()
    entries: list[Element] = []
    for entry in log:
        values = group("Electricity", leaf("PrimaryValue", number(at(entry, 1))), leaf("SecondaryValue", number(at(entry, 2))))
        entries += group("LogEntry", _stamp(at(entry, 0)), values)
    return tuple(entries)


def _profile(*names: str) -> Callable[[Answer], Content]:
    def read(answer: Answer) -> Content:
        return tuple(
            element
            for entry in elements(answer.item(0))
            for element in group(
                "LogEntry", *(leaf(name, number(at(entry, place))) for place, name in enumerate(names, 1)), _stamp(at(entry, 0))
            )
        )

    return read


def _voltage(answer: Answer, base: int) -> Content:
    entries = (
        group("LogEntry", leaf("Value", number(at(entry, 1))), _stamp(at(entry, 0))) for entry in elements(answer.item(base + 4))
    )
    profile = group("AvgRMSVoltageProfileDataLog", *entries, leaf("MeasurementPeriod", answer.number(base + 5)))
    return (
        *group("AvgRMSOverVoltageCounter", leaf("Value", answer.number(base))),
        *group("AvgRMSUnderVoltageCounter", leaf("Value", answer.number(base + 2))),
        *profile,
    )


def network_data(answer: Answer) -> Content:
    if len(answer.items) <= 6:
        return group("Electricity", group("SinglePhaseESME", _voltage(answer, 0)))
    phases = (
        group("PhaseVoltageOperationalData", group("VoltageOperationalData", _voltage(answer, 6 * phase)), leaf("Phase", phase + 1))
        for phase in range(3)
    )
    return group("Electricity", group("PolyPhaseESME", *phases))


def _demand(name: str, answer: Answer, base: int, reset: int) -> Content:
    return group(
        name,
        leaf("Value", answer.number(base)),
        leaf("CaptureTime", moment(answer.octets(base + 2))),
        leaf("LastResetDateTime", moment(answer.octets(reset))),
    )


def maximum_demand_export(answer: Answer) -> Content:
    return _demand("MaxDemandActiveEnergyExport", answer, 1, 0)


def _clock(data: Data | None) -> str | None:
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


def daily_consumption(answer: Answer) -> Content:
    log = elements(answer.opened[0]) if answer.opened else ()
    return group("Electricity", *(group("LogEntry", leaf("Value", number(at(entry, 1))), _stamp(at(entry, 0))) for entry in log))


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
    "ECS20a": _amounts("PaymentBasedDebtRepayment"),
    "ECS20b": change_log,
    "ECS20c": billing_log,
    "ECS20d": _amounts("PrepaymentCredits"),
    "ECS21a": daily_read_log,
    "ECS21b": prepay_daily_log,
    "ECS21c": export_daily_log,
    "ECS22a": _profile("ActiveEnergyExportedValue", "ReactiveEnergyExportedValue"),
    "ECS22b": import_profile,
    "ECS22c": _profile("ReactiveEnergyImportedValue"),
    "ECS23": network_data,
    "ECS23b": network_data,
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
    "ECS66": daily_consumption,
    "ECS70": clock,
    "ECS82": meter_balance,
}
