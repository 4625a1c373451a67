"""Readers of single DLMS values: what the request asks and what the value says, both as plain values to compare."""

from __future__ import annotations

from collections.abc import Callable

from ..message.dlms import Value, obis_text
from ..request import Node
from . import said_dlms as said
from .asked import clock, electricity_date, indexed, instant, plain_date
from .comparison import Meaning, Unreadable

Both = tuple[Meaning, Meaning]
Reader = Callable[[Value, Node, str], Both]

_SCRIPT_TABLE = "0-0:10.0.100.255"
_WEEKDAYS = {"Monday": 0, "Tuesday": 1, "Wednesday": 2, "Thursday": 3, "Friday": 4, "Saturday": 5, "Sunday": 6}


def _object(data: Value) -> str:
    return obis_text(said.octets(data, 6))


def seasons(data: Value, body: Node, path: str) -> Both:
    stated: list[Meaning] = []
    for season in said.array(data):
        name, start, week = said.structure(season, 3)
        stated.append({"name": said.text(name), "start": said.season_start(start), "week": said.octets(week, 1)[0]})
    requested: list[Meaning] = [
        {
            "name": node.text("SeasonName"),
            "start": electricity_date(node.node("SeasonStartDate")),
            "week": node.integer("ReferencedWeekName"),
        }
        for node in body.nodes(f"{path}/Season")
    ]
    return requested, stated


def weeks(data: Value, body: Node, path: str) -> Both:
    stated: list[Meaning] = []
    for week in said.array(data):
        name, *days = said.structure(week, 8)
        stated.append({"week": said.octets(name, 1)[0], "days": [said.number(day, "unsigned") for day in days]})
    requested: list[Meaning] = [
        {"week": node.integer("WeekName"), "days": [day.integer() for day in indexed(node.nodes("ReferencedDayName"))]}
        for node in body.nodes(f"{path}/WeekProfile")
    ]
    return requested, stated


def _stated_days(data: Value) -> list[Meaning]:
    stated: list[Meaning] = []
    for day in said.array(data):
        name, switches = said.structure(day, 2)
        entries: list[Meaning] = []
        for switch in said.array(switches):
            at, table, selector = said.structure(switch, 3)
            entries.append({"at": said.clock(at), "table": _object(table), "register": said.number(selector, "long-unsigned")})
        stated.append({"day": said.number(name, "unsigned"), "switches": entries})
    return stated


def _requested_days(body: Node, path: str, register: Callable[[Node], int]) -> list[Meaning]:
    return [
        {
            "day": node.integer("DayName"),
            "switches": [
                {"at": clock(entry, "StartTime"), "table": _SCRIPT_TABLE, "register": register(entry)}
                for entry in node.nodes("ProfileSchedule")
            ],
        }
        for node in body.nodes(f"{path}/DayProfile")
    ]


def _register(entry: Node) -> int:
    return entry.integer("TOUTariffAction") if entry.has("TOUTariffAction") else 100 + entry.integer("BlockTariffAction")


def days(data: Value, body: Node, path: str) -> Both:
    return _requested_days(body, path, _register), _stated_days(data)


def second_element_days(data: Value, body: Node, path: str) -> Both:
    return _requested_days(body, path, lambda entry: 200 + entry.integer("TOUTariffAction")), _stated_days(data)


def _stated_special_days(data: Value) -> list[Meaning]:
    stated: list[Meaning] = []
    for entry in said.array(data):
        number, date, day = said.structure(entry, 3)
        stated.append({"number": said.number(number, "long-unsigned"), "date": said.date(date), "day": said.number(day, "unsigned")})
    return stated


def special_days(data: Value, body: Node, path: str) -> Both:
    nodes = body.nodes(f"{path}/SpecialDay")
    requested: list[Meaning] = [
        {"number": number, "date": electricity_date(node.node("Date")), "day": node.integer("ReferencedDayName")}
        for number, node in enumerate(nodes, 1)
    ]
    return requested, _stated_special_days(data)


def numbered_days(data: Value, body: Node, operand: str) -> Both:
    path, attribute = operand.split()
    requested: list[Meaning] = [
        {"number": node.attribute(attribute), "date": electricity_date(node), "day": node.attribute(attribute)} for node in body.nodes(path)
    ]
    return requested, _stated_special_days(data)


_PREPAY = "UpdatePrepayConfigElectricity/ElectricityNonDisablementCalendar"


def prepay_special_days(data: Value, body: Node, _: str) -> Both:
    requested: list[Meaning] = [
        {"number": node.attribute("index"), "date": electricity_date(node.node("Date")), "day": node.attribute("index")}
        for node in body.nodes(f"{_PREPAY}/ElectricitySpecialDays/SpecialDay")
    ]
    return requested, _stated_special_days(data)


def thresholds(data: Value, body: Node, index: str) -> Both:
    for column in body.nodes("ElecTariffElements/ThresholdMatrix/Thresholds"):
        if column.attribute("index") == int(index):
            asked = [node.integer() for node in indexed(column.nodes("BlockThreshold"))]
            return asked, said.numbers(data, "double-long-unsigned")
    return None, said.numbers(data, "double-long-unsigned")


def currency(data: Value, body: Node, path: str) -> Both:
    return body.text(path), "GBP" if said.boolean(data) else "ECB"


def _charge(data: Value) -> tuple[Meaning, dict[int | None, int]]:
    unit, element, table = said.structure(data, 3)
    commodity, price = (said.number(part, "integer") for part in said.structure(unit, 2))
    class_id, name, attribute = said.structure(element, 3)
    amounts: dict[int | None, int] = {}
    order: list[Meaning] = []
    for entry in said.array(table):
        index, amount = said.structure(entry, 2)
        octets = said.octets(index)
        if len(octets) > 1:
            raise Unreadable("an index of at most one octet", octets.hex())
        key = octets[0] if octets else None
        order.append(key)
        amounts[key] = said.number(amount, "long")
    measured: list[Meaning] = [said.number(class_id, "long-unsigned"), _object(name), said.number(attribute, "integer")]
    return {"unit scale": commodity, "price scale": price, "measured": measured, "order": order}, amounts


def _single(data: Value) -> Meaning:
    frame, amounts = _charge(data)
    return {"frame": frame, "amount": [amounts.get(None)]}


def _single_asked(scale: int, amount: int) -> Meaning:
    frame: Meaning = {"unit scale": 0, "price scale": scale, "measured": [0, "0-0:0.0.0.0", 0], "order": [None]}
    return {"frame": frame, "amount": [amount]}


def standing_charge(data: Value, body: Node, path: str) -> Both:
    table = body.node(path)
    return _single_asked(table.integer("StandingChargeScale"), table.integer("StandingCharge")), _single(data)


def recovery_rate(data: Value, body: Node, path: str) -> Both:
    node = body.node(path)
    return _single_asked(node.integer("DebtRecoveryRatePriceScale"), node.integer("DebtRecoveryRate")), _single(data)


def _table(data: Value, scale: int, measured: str, asked: dict[int, int], order: list[int]) -> Both:
    frame, amounts = _charge(data)
    stated = {str(index): amounts.get(index) for index in order}
    every: list[Meaning] = list(order)
    requested_frame: Meaning = {"unit scale": 3, "price scale": scale, "measured": [3, measured, 2], "order": every}
    requested: Meaning = {"frame": requested_frame, **{str(index): asked.get(index, 0) for index in order}}
    return requested, {"frame": frame, **stated}


def prices(data: Value, body: Node, path: str) -> Both:
    table = body.node(path)
    asked: dict[int, int] = {}
    for name in ("BlockTariff", "TOUTariff", "HybridTariff"):
        for node in table.nodes(f"{name}/TOUPrice"):
            asked[node.attribute("index")] = node.integer()
        for column in table.nodes(f"{name}/BlockPrices"):
            for node in column.nodes("BlockPrice"):
                asked[(9 + node.attribute("index")) * 16 + column.attribute("index")] = node.integer()
    order = [*range(1, 49), *(row * 16 + column for row in (10, 11, 12, 13) for column in range(1, 9))]
    return _table(data, table.integer("PriceScale"), "1-0:1.8.0.255", asked, order)


def second_element_prices(data: Value, body: Node, path: str) -> Both:
    table = body.node(path)
    asked = {node.attribute("index"): node.integer() for node in table.nodes("ElectricityPriceElement")}
    return _table(data, table.integer("PriceScale"), "1-20:1.8.0.255", asked, [1, 2, 3, 4])


def account_mode(data: Value, _: Node, mode: str) -> Both:
    payment, status = said.structure(data, 2)
    return [int(mode), 1], [said.number(payment, "enum"), said.number(status, "enum")]


def recovery_period(data: Value, body: Node, path: str) -> Both:
    names = {3600: "HOURLY", 86400: "DAILY"}
    seconds = said.number(data, "double-long-unsigned")
    return body.text(f"{path}/DebtRecoveryRatePeriod"), names.get(seconds, f"every {seconds} s")


def balance_change(data: Value, body: Node, _: str) -> Both:
    mode = "PrepaymentMode" if body.has("PrepaymentMode") else "CreditMode"
    return body.integer(f"{mode}/AdjustMeterBalance"), said.number(data, "double-long")


def choice(data: Value, body: Node, operand: str) -> Both:
    path, on = operand.split()
    return body.text(path).strip() == on, said.boolean(data)


def billing_calendar(data: Value, body: Node, path: str) -> Both:
    calendar = body.node(path)
    stated: list[Meaning] = []
    for entry in said.array(data):
        at, date = said.structure(entry, 2)
        stated.append({"at": said.clock(at), "on": said.date(date)})
    months = next((step for name, step in (("Quarterly", 3), ("SixMonthly", 6), ("Yearly", 12)) if calendar.has(name)), 0)
    if months:
        name = next(child.name for child in calendar.children() if child.name != "BillingTime")
        first, date_of_month = calendar.integer(f"{name}/BillingPeriodStartMonth"), calendar.integer(f"{name}/DayOfMonth")
        on = [f"* {(first + step - 1) % 12 + 1} {date_of_month} *" for step in range(0, 12, months)]
    elif calendar.has("Weekly"):
        on = [f"* * * {calendar.integer('Weekly')}"]
    else:
        on = [f"* * {calendar.integer('Monthly') if calendar.has('Monthly') else '*'} *"]
    requested: list[Meaning] = [{"at": clock(calendar, "BillingTime"), "on": date} for date in on]
    return requested, stated


def daily_reset(data: Value, body: Node, _: str) -> Both:
    stated: list[Meaning] = []
    for entry in said.array(data):
        at, date = said.structure(entry, 2)
        stated.append({"at": said.clock(at), "on": said.date(date)})
    wanted: list[Meaning] = [{"at": "00:00:00", "on": "* * * *"}]
    return wanted if body.boolean("DailyTariffBlockCounterMatrixReset") else [], stated


def clock_window(data: Value, body: Node, _: str) -> Both:
    preset, start, end = said.structure(data, 3)
    asked, until = body.window("CurrentDateTime", "TolerancePeriod")
    return ["never", instant(asked), instant(until)], [said.activation(preset), said.moment(start), said.moment(end)]


def _schedule(data: Value, special: int) -> list[Meaning]:
    stated: list[Meaning] = []
    for entry in said.array(data):
        number, enabled, scripts, selector, at, window, weekdays, days_, start, end = said.structure(entry, 10)
        stated.append(
            {
                "entry": said.number(number, "long-unsigned"),
                "enabled": said.boolean(enabled),
                "scripts": _object(scripts),
                "selector": said.number(selector, "long-unsigned"),
                "at": said.clock(at),
                "window": said.number(window, "long-unsigned"),
                "weekdays": [number for number, bit in enumerate(said.bits(weekdays, 7)) if bit == "1"],
                "special days": [number for number, bit in enumerate(said.bits(days_, special), 1) if bit == "1"],
                "from": said.date(start),
                "to": said.date(end),
            }
        )
    return stated


def _asked_entry(number: int, scripts: str, selector: int, node: Node, times: str, special: list[int], dates: list[str]) -> Meaning:
    weekdays = [day.one_of("DayOfWeekID", _WEEKDAYS) for day in node.nodes("DaysOfWeekApplicability/DayOfWeekApplicability")]
    return {
        "entry": number,
        "enabled": True,
        "scripts": scripts,
        "selector": selector,
        "at": clock(node, f"{times}/SwitchTime"),
        "window": 0xFFFF,
        "weekdays": sorted(set(weekdays)),
        "special days": sorted(set(special)),
        "from": dates[0],
        "to": dates[1],
    }


def prepay_schedule(data: Value, body: Node, _: str) -> Both:
    requested: list[Meaning] = []
    for number, node in enumerate(body.nodes(f"{_PREPAY}/ElectricityNonDisablementSchedule"), 1):
        special = [day.integer("SpecialDayID") for day in node.nodes("SpecialDaysApplicability/SpecialDayApplicability")]
        selector = node.one_of("NonDisablementScript", {"START": 32, "STOP": 33})
        dates = [plain_date(node, f"ScheduleDatesAndTime/{name}") for name in ("StartDate", "EndDate")]
        requested.append(_asked_entry(number, "0-0:10.0.106.255", selector, node, "ScheduleDatesAndTime", special, dates))
    return requested, _schedule(data, len(body.nodes(f"{_PREPAY}/ElectricitySpecialDays/SpecialDay")))


def switch_schedule(data: Value, body: Node, _: str) -> Both:
    requested: list[Meaning] = []
    times = "ALCSScheduleDatesAndTime"
    for number, node in enumerate(body.nodes("ALCSHCALCSConnectionSchedule"), 1):
        switch = node.node("ActivateDeactivateSwitch")
        selector = switch.attribute("index") * 256 + (2 if switch.has("DeactivateSwitch") else 1)
        special = [day.attribute("index") for day in node.nodes("SpecialDaysApplicability")]
        dates = [electricity_date(node.node(f"{times}/{name}")) for name in ("StartDate", "EndDate")]
        requested.append(_asked_entry(number, "0-0:10.0.103.255", selector, node, times, special, dates))
    return requested, _schedule(data, len(body.nodes("ALCSHCALCSSpecialDays/ALCSHCALCSSpecialDay")))


def controller_schedule(data: Value, body: Node, _: str) -> Both:
    requested: list[Meaning] = []
    times = "AuxiliaryControllerSchedulePeriodAndTime"
    for number, node in enumerate(body.nodes("AuxiliaryControllerSchedule"), 1):
        action = node.node("AuxiliaryControllerAction")
        direction = 2 if action.has("InputFromControlledLoad") else 1
        selector = direction * 4096 + action.attribute("auxiliaryControllerN") * 256 + 128 + action.integer("CommandedStateLevel")
        special = [day.attribute("identifier") for day in node.nodes("SpecialDaysApplicability")]
        dates = [electricity_date(node.node(f"{times}/{name}")) for name in ("StartDate", "EndDate")]
        requested.append(_asked_entry(number, "0-0:10.0.103.255", selector, node, times, special, dates))
    defined = body.nodes("AuxiliaryControllerSpecialDayDefinitions/AuxiliaryControllerSpecialDayDefinition")
    return requested, _schedule(data, len(defined))


READERS: dict[str, Reader] = {
    reader.__name__: reader
    for reader in (
        *(seasons, weeks, days, second_element_days, special_days, numbered_days, prepay_special_days, thresholds, currency),
        *(standing_charge, recovery_rate, prices, second_element_prices, account_mode, recovery_period),
        *(balance_change, choice, billing_calendar, daily_reset, clock_window, prepay_schedule, switch_schedule, controller_schedule),
    )
}
