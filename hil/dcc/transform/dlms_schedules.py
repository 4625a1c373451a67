"""Values of DLMS schedules: non-disablement, auxiliary switches and controllers, maximum demand (RTDS ECS08, ECS37, ECS46c, ECS46d)."""

from __future__ import annotations

from collections.abc import Callable

from firmware_emu.gbcs.dlms import Array, BitString, Boolean, Data, LongUnsigned, OctetString, Structure, Unsigned, parse_obis
from hil.dcc.duis.request import Node
from hil.dcc.transform.dlms_tariff import clock_octets, date_octets, day_octets
from hil.dcc.transform.source import Source

_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SUPPLY_SCRIPTS = parse_obis("0-0:10.0.106.255")
_SWITCH_SCRIPTS = parse_obis("0-0:10.0.103.255")
_DEMAND_SCRIPTS = bytes.fromhex("00000a8064ff")
_ANY_DATE = b"\xff" * 5
_NO_WINDOW = 0xFFFF
_SCHEDULED = 0x80
_OUTPUT, _INPUT = 0x1000, 0x2000
_START_SUPPLY, _STOP_SUPPLY = 32, 33


def _entry(number: int, scripts: bytes, selector: int, at: bytes, days: str, special: str, start: bytes, end: bytes) -> Data:
    """One entry of a schedule object (class 10)."""
    return Structure(
        (
            LongUnsigned(number),
            Boolean(True),
            OctetString(scripts),
            LongUnsigned(selector),
            OctetString(at),
            LongUnsigned(_NO_WINDOW),
            BitString.of(days),
            BitString.of(special),
            OctetString(start),
            OctetString(end),
        )
    )


def _weekdays(schedule: Node) -> str:
    named = {node.text("DayOfWeekID") for node in schedule.nodes("DaysOfWeekApplicability/DayOfWeekApplicability")}
    return "".join("1" if day in named else "0" for day in _WEEK)


def _special(source: Source, chosen: set[int], defined: int) -> str:
    """A bit for each special day that the request defines. Raises TransformError for a schedule that names another one."""
    if strangers := sorted(number for number in chosen if not 1 <= number <= defined):
        raise source.fail(f"a schedule names special day {strangers[0]}, expected one of the {defined} that the request defines")
    return "".join("1" if number in chosen else "0" for number in range(1, defined + 1))


def _numbered_days(days: list[tuple[int, bytes]]) -> Data:
    return Array(tuple(Structure((LongUnsigned(number), OctetString(date), Unsigned(number))) for number, date in days))


_PREPAY = "UpdatePrepayConfigElectricity/ElectricityNonDisablementCalendar"


def prepay_special_days(source: Source, _: str) -> Data:
    """Special days of the non-disablement calendar."""
    nodes = source.body.nodes(f"{_PREPAY}/ElectricitySpecialDays/SpecialDay")
    return _numbered_days([(node.attribute("index"), date_octets(node, "Date")) for node in nodes])


def prepay_schedule(source: Source, _: str) -> Data:
    """The non-disablement schedule: script 32 starts, 33 stops a period in which supply is not disabled."""
    defined = len(source.body.nodes(f"{_PREPAY}/ElectricitySpecialDays/SpecialDay"))
    entries = []
    for number, schedule in enumerate(source.body.nodes(f"{_PREPAY}/ElectricityNonDisablementSchedule"), 1):
        chosen = {node.integer("SpecialDayID") for node in schedule.nodes("SpecialDaysApplicability/SpecialDayApplicability")}
        entries.append(
            _entry(
                number,
                _SUPPLY_SCRIPTS,
                _START_SUPPLY if schedule.text("NonDisablementScript") == "START" else _STOP_SUPPLY,
                clock_octets(schedule.clock("ScheduleDatesAndTime/SwitchTime")),
                _weekdays(schedule),
                _special(source, chosen, defined),
                day_octets(schedule, "ScheduleDatesAndTime/StartDate"),
                day_octets(schedule, "ScheduleDatesAndTime/EndDate"),
            )
        )
    return Array(tuple(entries))


def switch_special_days(source: Source, _: str) -> Data:
    """Special days of the auxiliary load switches."""
    nodes = source.body.nodes("ALCSHCALCSSpecialDays/ALCSHCALCSSpecialDay")
    return _numbered_days([(node.attribute("index"), date_octets(node, "")) for node in nodes])


def switch_schedule(source: Source, _: str) -> Data:
    """The schedule of the auxiliary load switches: selector 256 n + 1 activates, 256 n + 2 deactivates switch n."""
    defined = len(source.body.nodes("ALCSHCALCSSpecialDays/ALCSHCALCSSpecialDay"))
    entries = []
    for number, schedule in enumerate(source.body.nodes("ALCSHCALCSConnectionSchedule"), 1):
        switch = schedule.node("ActivateDeactivateSwitch")
        chosen = {node.attribute("index") for node in schedule.nodes("SpecialDaysApplicability")}
        entries.append(
            _entry(
                number,
                _SWITCH_SCRIPTS,
                (switch.attribute("index") << 8) + (1 if switch.has("ActivateSwitch") else 2),
                clock_octets(schedule.clock("ALCSScheduleDatesAndTime/SwitchTime")),
                _weekdays(schedule),
                _special(source, chosen, defined),
                date_octets(schedule, "ALCSScheduleDatesAndTime/StartDate"),
                date_octets(schedule, "ALCSScheduleDatesAndTime/EndDate"),
            )
        )
    return Array(tuple(entries))


def controller_selector(number: int, level: int, from_load: bool, scheduled: bool) -> int:
    """Script selector of an auxiliary controller: direction, controller, whether a schedule asks, level in percent."""
    return (_INPUT if from_load else _OUTPUT) + (number << 8) + (_SCHEDULED if scheduled else 0) + level


def controller_special_days(source: Source, _: str) -> Data:
    """Special days of the auxiliary controllers."""
    nodes = source.body.nodes("AuxiliaryControllerSpecialDayDefinitions/AuxiliaryControllerSpecialDayDefinition")
    return _numbered_days([(node.attribute("identifier"), date_octets(node, "")) for node in nodes])


def controller_schedule(source: Source, _: str) -> Data:
    """The calendar of the auxiliary controllers."""
    defined = len(source.body.nodes("AuxiliaryControllerSpecialDayDefinitions/AuxiliaryControllerSpecialDayDefinition"))
    entries = []
    for number, schedule in enumerate(source.body.nodes("AuxiliaryControllerSchedule"), 1):
        action = schedule.node("AuxiliaryControllerAction")
        chosen = {node.attribute("identifier") for node in schedule.nodes("SpecialDaysApplicability")}
        entries.append(
            _entry(
                number,
                _SWITCH_SCRIPTS,
                controller_selector(
                    action.attribute("auxiliaryControllerN"),
                    action.integer("CommandedStateLevel"),
                    action.has("InputFromControlledLoad"),
                    True,
                ),
                clock_octets(schedule.clock("AuxiliaryControllerSchedulePeriodAndTime/SwitchTime")),
                _weekdays(schedule),
                _special(source, chosen, defined),
                date_octets(schedule, "AuxiliaryControllerSchedulePeriodAndTime/StartDate"),
                date_octets(schedule, "AuxiliaryControllerSchedulePeriodAndTime/EndDate"),
            )
        )
    return Array(tuple(entries))


def demand_period(source: Source, _: str) -> Data:
    """The configurable period of maximum demand, every day: script 1 at its start, 2 at its end."""
    period = source.body.node("MaximumDemandTimePeriodSchedule")
    return Array(
        tuple(
            _entry(
                number,
                _DEMAND_SCRIPTS,
                number + 1,
                clock_octets(period.clock(path)),
                "1" * 7,
                "",
                bytes.fromhex("000001ffff"),
                _ANY_DATE,
            )
            for number, path in enumerate(("StartTime", "EndTime"))
        )
    )


FUNCTIONS: dict[str, Callable[[Source, str], Data]] = {
    "prepay_special_days": prepay_special_days,
    "prepay_schedule": prepay_schedule,
    "switch_special_days": switch_special_days,
    "switch_schedule": switch_schedule,
    "controller_special_days": controller_special_days,
    "controller_schedule": controller_schedule,
    "demand_period": demand_period,
}
