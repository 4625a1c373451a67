"""SMETS data of gas responses (shapes: RTDS, reference gbz-responses.csv, gbcs-messages 7A)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal

from ...message.zcl import ZclCommand
from .reading import Answer
from .tree import Content, Element, group, leaf, seconds, written

_PRICE, _METERING, _PREPAYMENT, _EVENTS = 0x0700, 0x0702, 0x0705, 0x0709
_MULTIPLIER, _DIVISOR = 0x0301, 0x0302
_VOLUME_DIVISOR = 1000
_PUBLISH_SNAPSHOT, _SAMPLES = 0x06, 0x07
_PUBLISH_PREPAY_SNAPSHOT, _TOP_UPS, _DEBTS = 0x01, 0x05, 0x06


def _decimal(value: int | None, divisor: int | None, multiplier: int | None = 1) -> str | None:
    """A reading with its divisor applied, in plain decimal notation."""
    if value is None or not divisor:
        return None
    return format(Decimal(value) * (multiplier or 1) / Decimal(divisor), "f")


def _volume(answer: Answer, value: int | None) -> str | None:
    multiplier, divisor = (answer.attribute(_METERING, identifier) for identifier in (_MULTIPLIER, _DIVISOR))
    return _decimal(value, divisor or _VOLUME_DIVISOR, multiplier or 1)


def _indexed(name: str, values: Iterable[str | None]) -> Content:
    return tuple(element for index, value in enumerate(values, 1) for element in leaf(name, value, index=index))


def consumption(answer: Answer) -> Content:
    value = _volume(answer, answer.attribute(_METERING, 0x0000))
    register = group("ConsumptionRegister", leaf("Value", value), leaf("Unit", "m3")) if value is not None else ()
    return group("Gas", register)


def tou_registers(answer: Answer) -> Content:
    values = (_volume(answer, answer.attribute(_METERING, 0x0100 + 2 * tier)) for tier in range(4))
    return group("Gas", group("TariffTOURegisterMatrix", _indexed("TOURegisterMatrixValue", values)))


def block_counters(answer: Answer) -> Content:
    values = (_volume(answer, answer.attribute(_METERING, 0x0700 + block)) for block in range(4))
    return group("ImportBlockCounters", _indexed("TariffBlockCounterValue", values))


def prepay_values(answer: Answer) -> Content:
    names = (
        ("EmergencyCreditBalance", 0x0002),
        ("AccumulatedDebtRegister", 0x0005),
        ("PaymentDebtRegister", 0x0231),
        ("TimeDebtRegister1", 0x0211),
        ("TimeDebtRegister2", 0x0221),
        ("MeterBalance", 0x0001),
    )
    return tuple(element for name, identifier in names for element in leaf(name, answer.attribute(_PREPAYMENT, identifier)))


def _counters(zcl: ZclCommand, field: str, item: str) -> list[str | None]:
    values = [row.get(item) for row in zcl.rows(field)]
    return [_decimal(value, _VOLUME_DIVISOR) if isinstance(value, int) else None for value in values]


def _summation(zcl: ZclCommand) -> str | None:
    return _decimal(zcl.number("current_summation"), _VOLUME_DIVISOR)


def _time(zcl: ZclCommand) -> Content:
    count = zcl.number("snapshot_time")
    return () if count is None else leaf("Timestamp", seconds(count))


def _prepayment(name: str, zcl: ZclCommand) -> Content:
    fields = (
        ("AccumulatedDebtRegister", "accumulated_debt"),
        ("EmergencyCreditBalance", "emergency_credit_balance"),
        ("MeterBalance", "meter_balance"),
        ("PaymentDebtRegister", "payment_debt"),
        ("TimeDebtRegisters1", "time_debt_1"),
        ("TimeDebtRegisters2", "time_debt_2"),
    )
    return group(name, *(leaf(child, zcl.number(field)) for child, field in fields), _time(zcl))


def change_log(answer: Answer) -> Content:
    metering = (
        group(
            "LogEntryConsumptionRegister",
            leaf("ConsumptionRegister", _summation(zcl)),
            _time(zcl),
            _indexed("TariffTOURegisterMatrixValue", _counters(zcl, "tier_summations", "summation")),
            _indexed("BlockRegisterMatrixValue", _counters(zcl, "block_counters", "counter")),
        )
        for zcl in answer.all(_METERING, _PUBLISH_SNAPSHOT)
    )
    prepayment = (_prepayment("LogEntryPrepaymentData", zcl) for zcl in answer.all(_PREPAYMENT, _PUBLISH_PREPAY_SNAPSHOT))
    return group("Gas", *metering, *prepayment)


def billing_entry(zcl: ZclCommand) -> Content:
    """One metering snapshot as a billing entry (also in alert 008B)."""
    return group(
        "GSMEBillingDataLogEntry",
        _time(zcl),
        leaf("ActiveImportRegisterValueConsumption", _summation(zcl)),
        _indexed("BlockRegisterMatrixValue", _counters(zcl, "block_counters", "counter")),
        _indexed("TariffTOURegisterMatrixValue", _counters(zcl, "tier_summations", "summation")),
    )


def billing_log(answer: Answer) -> Content:
    metering = (billing_entry(zcl) for zcl in answer.all(_METERING, _PUBLISH_SNAPSHOT))
    prepayment = (_prepayment("GSMEBillingPrepaymentDataLogEntry", zcl) for zcl in answer.all(_PREPAYMENT, _PUBLISH_PREPAY_SNAPSHOT))
    return group("Gas", *metering, *prepayment)


def _amounts(name: str, command: int, amount: str, time: str) -> Callable[[Answer], Content]:
    def read(answer: Answer) -> Content:
        entries: list[Element] = []
        for zcl in answer.all(_PREPAYMENT, command):
            for row in zcl.rows("entries"):
                value, count = row.get(amount), row.get(time)
                if isinstance(value, int) and isinstance(count, int):
                    entries += group("LogEntry", leaf("Amount", value), leaf("Timestamp", seconds(count)))
        return group(name, entries)

    return read


def daily_read_log(answer: Answer) -> Content:
    return tuple(
        element
        for zcl in answer.all(_METERING, _PUBLISH_SNAPSHOT)
        for element in group(
            "LogEntry",
            _time(zcl),
            group(
                "Gas",
                leaf("GasActiveImportRegisterConsumption", _summation(zcl)),
                _indexed("TariffBlockCounterMatrix", _counters(zcl, "block_counters", "counter")),
                _indexed("TariffTOURegisterMatrix", _counters(zcl, "tier_summations", "summation")),
            ),
        )
    )


def prepay_daily_log(answer: Answer) -> Content:
    return group("Gas", *(_prepayment("LogEntry", zcl) for zcl in answer.all(_PREPAYMENT, _PUBLISH_PREPAY_SNAPSHOT)))


def _samples(answer: Answer, step: timedelta | None) -> list[tuple[str | None, Content]]:
    """Values with their time stamps, counted from the start time in steps."""
    found: list[tuple[str | None, Content]] = []
    for zcl in answer.all(_METERING, _SAMPLES):
        start, interval = zcl.number("start_time"), zcl.number("sample_request_interval")
        if start is None or interval is None:
            continue
        width = step or timedelta(seconds=interval)
        for place, row in enumerate(zcl.rows("samples")):
            value = row.get("sample")
            if isinstance(value, int):
                found.append((_decimal(value, _VOLUME_DIVISOR), leaf("Timestamp", seconds(start) + place * width)))
    return found


def profile(answer: Answer) -> Content:
    return tuple(
        element
        for value, stamp in _samples(answer, None)
        for element in group("LogEntry", stamp, group("Gas", leaf("PrimaryValue", value)))
    )


def network_data(answer: Answer) -> Content:
    entries = (group("LogEntry", leaf("Value", value), stamp) for value, stamp in _samples(answer, None))
    return group("Gas", group("NetworkDataLog", *entries))


def daily_consumption(answer: Answer) -> Content:
    entries = (group("LogEntry", leaf("Value", value), stamp) for value, stamp in _samples(answer, timedelta(days=1)))
    return group("Gas", *entries)


def conversion(answer: Answer) -> Content:
    def scaled(value: int, digits: int) -> str | None:
        number, trailing = answer.attribute(_PRICE, value), answer.attribute(_PRICE, digits)
        return _decimal(number, 10 ** (trailing >> 4)) if trailing is not None else None

    flow = answer.attribute(_METERING, 0x0B10)
    multiplier, divisor = answer.attribute(_METERING, 0x0B12), answer.attribute(_METERING, 0x0B13)
    return (
        *leaf("CalorificValue", scaled(0x0304, 0x0306)),
        *leaf("ConversionFactor", scaled(0x0302, 0x0303)),
        *leaf("UncontrolledGasFlowRate", _decimal(flow, divisor or 1, multiplier)),
        *leaf("FlowStabilisationPeriod", answer.attribute(_METERING, 0x0B14)),
        *leaf("FlowMeasurementPeriod", answer.attribute(_METERING, 0x0B15)),
    )


def billing_calendar(answer: Answer) -> Content:
    zcl = answer.first(_PRICE, 0x09)
    if zcl is None:
        return ()
    start, duration, kind = (zcl.number(name) for name in ("start_time", "duration", "duration_type"))
    months = {1: "Monthly", 3: "Quarterly", 6: "SixMonthly", 12: "Yearly"}
    unit = None if kind is None else kind & 0x0F
    name = {1: "Daily", 2: "Weekly"}.get(unit or 0) or (months.get(duration or 0) if unit == 3 else None)
    if start is None or name is None:
        return ()
    return group("BillingCalendar", group("GasBillingCalendar", leaf("BillingPeriodStart", seconds(start)), leaf("Periodicity", name)))


def identity(answer: Answer) -> Content:
    states = {0: "Locked", 3: "Unchanged"}
    maker, model = answer.string(0x0000, 0x0004), answer.string(0x0000, 0x0005)
    tamper, depletion = answer.attribute(_METERING, 0x0607), answer.attribute(_METERING, 0x0608)
    model_text = None if model is None else model[:8].decode("ascii", "replace")
    eui = model[8:16] if model is not None and len(model) == 16 else None
    return (
        *leaf("DeviceIdentifier", None if eui is None else eui.hex("-").upper()),
        *leaf("ModelType", model_text),
        *leaf("ManufacturerIdentifier", None if maker is None else maker.decode("ascii", "replace")),
        *group(
            "Gas",
            leaf("SupplyTamperState", states.get(tamper if tamper is not None else -1)),
            leaf("SupplyDepletionState", states.get(depletion if depletion is not None else -1)),
        ),
    )


def payment_mode(answer: Answer) -> Content:
    configuration = answer.attribute(_PREPAYMENT, 0x0000)
    if configuration is None:
        return ()
    prepayment = bool(configuration & 0x0002)
    return (
        *leaf("PaymentMode", "Prepayment" if prepayment else "Credit"),
        *leaf("SuspendDebtEmergency", not configuration & 0x0800),
        *leaf("SuspendDebtDisabled", bool(configuration & 0x0400)),
    )


def mprn(answer: Answer) -> Content:
    found = answer.string(_METERING, 0x0307)
    return group("Gas", leaf("MPRN", None if found is None else found.decode("ascii", "replace")))


def supply_state(answer: Answer) -> Content:
    state, battery = answer.attribute(_METERING, 0x0014), answer.attribute(_METERING, 0x0205)
    name = {0: "Disabled", 1: "Armed", 2: "Enabled"}.get(state if state is not None else -1)
    remaining = group("Gas", leaf("RemainingBatteryCapacity", battery)) if battery is not None else ()
    return (*leaf("SupplyState", name), *remaining)


def firmware(answer: Answer) -> Content:
    found = answer.string(_METERING, 0x0206)
    return leaf("FirmwareVersion", None if found is None else written(found))


def meter_balance(answer: Answer) -> Content:
    prepayment = answer.attribute(_PREPAYMENT, 0x0001)
    return (
        *leaf("MeterBalance", answer.attribute(_METERING, 0x0A00)),
        *(group("Gas", leaf("MeterBalancePrepaymentMode", prepayment)) if prepayment is not None else ()),
    )


def event_log(answer: Answer) -> Content:
    entries: list[Element] = []
    for zcl in answer.all(_EVENTS, 0x01):
        for row in zcl.rows("entries"):
            code, count, data = row.get("event_id"), row.get("time"), row.get("data")
            if isinstance(code, int) and isinstance(count, int):
                other = leaf("OtherInformation", data if isinstance(data, bytes) and data else None)
                entries += group("LogEntry", leaf("Timestamp", seconds(count)), leaf("LogCode", f"{code:04X}"), other)
    return group("Log", entries)


CONTENTS: dict[str, Callable[[Answer], Content]] = {
    "CS10a": event_log,
    "CS10b": event_log,
    "GCS13a": consumption,
    "GCS13b": block_counters,
    "GCS13c": tou_registers,
    "GCS14": prepay_values,
    "GCS15b": change_log,
    "GCS15c": billing_log,
    "GCS15d": _amounts("PaymentBasedDebtRepayment", _DEBTS, "amount_collected", "collection_time"),
    "GCS15e": _amounts("PrepaymentCredits", _TOP_UPS, "amount", "time"),
    "GCS16a": daily_read_log,
    "GCS16b": prepay_daily_log,
    "GCS17": profile,
    "GCS18": network_data,
    "GCS21a": conversion,
    "GCS21d": billing_calendar,
    "GCS21e": identity,
    "GCS21j": payment_mode,
    "GCS21k": billing_calendar,
    "GCS21m": identity,
    "GCS33": supply_state,
    "GCS38": firmware,
    "GCS46": mprn,
    "GCS60": meter_balance,
    "GCS60a": meter_balance,
    "GCS61": daily_consumption,
}
