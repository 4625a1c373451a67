"""SMETS data of electricity logs and profiles (shapes: RTDS, reference dlms-responses.csv)."""

from __future__ import annotations

from collections.abc import Callable

from ...message.dlms import Value
from .reading import Answer, at, elements, number
from .tree import Content, Element, group, leaf, seconds


def indexed(name: str, values: tuple[Value, ...]) -> Content:
    """Numbers with their place from 1."""
    return tuple(element for index, value in enumerate(values, 1) for element in leaf(name, number(value), index=index))


def _stamp(data: Value | None) -> Content:
    """A time stamp in seconds since 2000."""
    count = number(data)
    return () if count is None else leaf("Timestamp", seconds(count))


def _prepayment_entry(name: str, values: tuple[Value, ...], stamp: Value | None) -> Content:
    names = (
        *("AccumulatedDebtRegister", "EmergencyCreditBalance", "MeterBalance"),
        *("PaymentDebtRegister", "TimeDebtRegisters1", "TimeDebtRegisters2"),
    )
    inner = (leaf(child, number(value)) for child, value in zip(names, values, strict=False))
    return group(name, *inner, _stamp(stamp))


def _consumption_parts(entry: Value) -> tuple[list[int | None], list[tuple[Value, ...]], list[Value]]:
    """An entry's plain numbers before its tables, its tables, and the numbers after them."""
    before: list[int | None] = []
    tables: list[tuple[Value, ...]] = []
    after: list[Value] = []
    for value in elements(entry)[1:]:
        if value.kind == "array":
            tables.append(elements(value))
        elif tables:
            after.append(value)
        else:
            before.append(number(value))
    return before, tables, after


def _tables(tables: list[tuple[Value, ...]], tou: str, secondary: str, secondary_first: bool) -> Content:
    second = next((table for table in tables[1:2] if len(table) == 4), None)
    blocks = tables[2:] if second is not None else tables[1:]
    parts = indexed(tou, tables[0] if tables else ())
    named = tuple(
        element for row, table in enumerate(blocks[:4], 1) for element in indexed(f"TariffTOUBlock{row}RegisterMatrixValue", table)
    )
    other = indexed(secondary, second or ())
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
            indexed("TariffTOURegisterMatrixValue", tables[0] if tables else ()),
            *(indexed(f"TariffTOUBlock{row}RegisterMatrixValue", table) for row, table in enumerate(blocks[:4], 1)),
            leaf("SecondaryActiveImportRegisterConsumption", before[1] if len(before) > 1 else None),
            indexed("SecondaryTariffTOURegisterMatrixValue", second or ()),
            _stamp(at(entry, 0)),
        )
        if after:
            prepayment += _prepayment_entry("LogEntryPrepaymentData", tuple(after), at(entry, 0))
    return group("Electricity", consumption, prepayment)


def _billing_entry(name: str, entry: Value) -> Content:
    before, tables, _ = _consumption_parts(entry)
    second = next((table for table in tables[1:2] if len(table) == 4), None)
    blocks = tables[2:] if second is not None else tables[1:]
    return group(
        name,
        _stamp(at(entry, 0)),
        leaf("ActiveImportRegisterValueConsumption", before[0] if before else None),
        leaf("SecondaryActiveImportRegisterValueConsumption", before[1] if len(before) > 1 else None),
        indexed("TariffTOURegisterMatrixValue", tables[0] if tables else ()),
        indexed("SecondaryTariffTOURegisterMatrixValue", second or ()),
        *(indexed(f"TariffTOUBlock{row}RegisterMatrixValue", table) for row, table in enumerate(blocks[:4], 1)),
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


def billing_alert(opened: tuple[Value, ...]) -> Content:
    """The billing entry that alert 0061 carries."""
    entry = opened[0] if opened else None
    return _billing_entry("ESMEBillingDataLogEntry", entry) if entry is not None else ()


def _amounts(name: str) -> Callable[[Answer], Content]:
    def read(answer: Answer) -> Content:
        entries = (group("LogEntry", leaf("Amount", number(at(entry, 1))), _stamp(at(entry, 0))) for entry in elements(answer.item(0)))
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
    entries = (group("LogEntry", leaf("Value", number(at(entry, 1))), _stamp(at(entry, 0))) for entry in elements(answer.item(base + 4)))
    profile = group("AvgRMSVoltageProfileDataLog", *entries, leaf("MeasurementPeriod", answer.number(base + 5)))
    return (
        *group("AvgRMSOverVoltageCounter", leaf("Value", answer.number(base + 2))),  # SMETS 5.7.5: 32.36, read second
        *group("AvgRMSUnderVoltageCounter", leaf("Value", answer.number(base))),
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


def daily_consumption(answer: Answer) -> Content:
    log = elements(answer.opened[0]) if answer.opened else ()
    return group("Electricity", *(group("LogEntry", leaf("Value", number(at(entry, 1))), _stamp(at(entry, 0))) for entry in log))


CONTENTS: dict[str, Callable[[Answer], Content]] = {
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
    "ECS66": daily_consumption,
}
