"""Dates, switching tables, schedules and event settings of MMC documents, from DLMS and ZCL values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...message.dlms import Value
from ...message.zcl import ZclCommand
from .reading import at, bits, elements, number, octets, text
from .tree import Content, Element, group, leaf

_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ANY = 0xFF
_EARLIEST_YEAR = 2014
"""The first year the schema takes."""


def date(name: str, found: bytes | None, **attributes: object) -> Content:
    """A COSEM date with wildcards; FE is the last day of a month, FD the one before."""
    if found is None or len(found) < 5:
        return ()
    year = int.from_bytes(found[:2], "big")
    days = {_ANY: "NonSpecifiedDayOfMonth", 0xFE: "LastDayOfMonth", 0xFD: "SecondLastDayOfMonth"}
    any_day = days.get(found[3])
    return group(
        name,
        group("Year", leaf("SpecifiedYear", year) if _EARLIEST_YEAR <= year <= 9999 else group("NonSpecifiedYear")),
        group("Month", leaf("SpecifiedMonth", found[2]) if 1 <= found[2] <= 12 else group("NonSpecifiedMonth")),
        group("DayOfMonth", group(any_day) if any_day else leaf("SpecifiedDayOfMonth", found[3])),
        group("DayOfWeek", leaf("SpecifiedDayOfWeek", found[4]) if 1 <= found[4] <= 7 else group("NonSpecifiedDayOfWeek")),
        **attributes,
    )


def gas_date(name: str, found: bytes | int | None) -> Content:
    """A ZCL date with wildcards."""
    if not isinstance(found, bytes) or len(found) != 4:
        return ()
    year, month, day, weekday = found
    return group(
        name,
        group("GasYearWithWildcards", leaf("SpecifiedYear", 1900 + year) if 114 <= year < _ANY else group("NonSpecifiedYear")),
        group("GasMonthWithWildcards", leaf("SpecifiedMonth", month) if 1 <= month <= 12 else group("NonSpecifiedMonth")),
        group("GasDayOfMonthWithWildcards", leaf("SpecifiedDayOfMonth", day) if 1 <= day <= 31 else group("GasNonSpecifiedDayOfMonth")),
        group("GasDayOfWeekWithWildcards", leaf("SpecifiedDayOfWeek", weekday) if 1 <= weekday <= 7 else group("NonSpecifiedDayOfWeek")),
    )


def clock(found: bytes | None) -> str | None:
    """A COSEM time."""
    return None if found is None or len(found) != 4 else f"{found[0]:02d}:{found[1]:02d}:{found[2]:02d}Z"


def _minutes(count: int) -> str:
    return f"{count // 60:02d}:{count % 60:02d}:00Z"


def switching_table(days: Value | None, weeks: Value | None, seasons: Value | None, secondary: bool) -> Content:
    """A tariff switching table from days, weeks and seasons."""
    return group(
        "TariffSwitchingTable",
        group("DayProfiles", *(_day(day, secondary) for day in elements(days))),
        group("WeekProfiles", *(_week(week) for week in elements(weeks))),
        group("Seasons", *(_season(season) for season in elements(seasons))),
    )


def _day(day: Value, secondary: bool) -> Content:
    entries: list[Element] = []
    for switch in elements(at(day, 1)):
        selector = number(at(switch, 2))
        start = clock(octets(at(switch, 0)))
        if selector is None or start is None:
            continue
        name = "BlockTariffAction" if 100 < selector < 200 and not secondary else "TOUTariffAction"
        entries += group("ProfileSchedule", leaf("StartTime", start), leaf(name, selector % 100))
    return group("DayProfile", leaf("Day", number(at(day, 0))), entries)


def _week(week: Value) -> Content:
    name, *days = elements(week)
    found = octets(name)
    named = tuple(element for index, day in enumerate(days, 1) for element in leaf("ReferencedElecDay", number(day), index=index))
    return group("WeekProfile", leaf("WeekName", found[0] if found else None), named)


def _season(season: Value) -> Content:
    week = octets(at(season, 2))
    start = date("SeasonStartDate", octets(at(season, 1)))
    return group("Season", leaf("SeasonName", text(at(season, 0))), start, leaf("ReferencedWeekName", week[0] if week else None))


def tariff_special_days(days: Value | None) -> Content:
    """Special days of a tariff."""
    entries = (group("SpecialDay", date("Date", octets(at(day, 1))), leaf("ReferencedDay", number(at(day, 2)))) for day in elements(days))
    return group("TariffSwitchingTableSpecialDays", *entries)


def special_days(name: str, item: str, days: Value | None, attribute: str) -> Content:
    """Numbered special days of a schedule."""
    entries = (date(item, octets(at(day, 1)), **{attribute: number(at(day, 0)) or 1}) for day in elements(days))
    return group(name, *entries)


def weekdays(mask: str | None) -> Content:
    """Days of the week that a schedule entry applies to."""
    named = (day for day, bit in zip(_WEEK, mask or "", strict=False) if bit == "1")
    return group("DaysOfWeekApplicability", *(group("DayOfWeekApplicability", leaf("DayOfWeekID", day)) for day in named))


def chosen(mask: str | None) -> list[int]:
    """Numbers of the special days that a schedule entry applies to."""
    return [place for place, bit in enumerate(mask or "", 1) if bit == "1"]


def schedule_times(name: str, entry: Value) -> Content:
    """Switch time, start and end date with wildcards."""
    switch = leaf("SwitchTime", clock(octets(at(entry, 4))))
    return group(name, switch, date("StartDate", octets(at(entry, 8))), date("EndDate", octets(at(entry, 9))))


def _plain_date(name: str, found: bytes | None) -> Content:
    """An ``xs:date``; any year is 65535, as requests write it."""
    if found is None or len(found) != 5:
        return ()
    return leaf(name, f"{int.from_bytes(found[:2], 'big'):04d}-{found[2]:02d}-{found[3]:02d}Z")


def non_disablement(days: Value | None, schedule: Value | None) -> Content:
    """The electricity non-disablement calendar."""
    entries: list[Element] = []
    for entry in elements(schedule):
        special = (group("SpecialDayApplicability", leaf("SpecialDayID", place)) for place in chosen(bits(at(entry, 7))))
        times = (
            *leaf("SwitchTime", clock(octets(at(entry, 4)))),
            *_plain_date("StartDate", octets(at(entry, 8))),
            *_plain_date("EndDate", octets(at(entry, 9))),
        )
        entries += group(
            "ElectricityNonDisablementSchedule",
            leaf("NonDisablementScript", {32: "START", 33: "STOP"}.get(number(at(entry, 3)) or 0)),
            group("SpecialDaysApplicability", *special),
            weekdays(bits(at(entry, 6))),
            group("ScheduleDatesAndTime", times),
        )
    return group("NonDisablementCalendar", special_days("ElectricitySpecialDays", "SpecialDay", days, "index"), entries)


def gas_days(profiles: Sequence[ZclCommand], disablement: bool) -> Content:
    """Gas day profiles: tariff tiers, or when supply is not disabled."""
    found: list[Element] = []
    for zcl in profiles:
        rows = zcl.rows("entries")
        if not disablement:
            tier = rows[0].get("tier_or_enable") if rows else None
            action = leaf("TOUTariffAction", tier) if isinstance(tier, int) and tier else group("BlockTariff")
            found += group("DayProfile", leaf("DayName", zcl.number("day_id")), action)
            continue
        actions: list[Element] = []
        for index, row in enumerate(rows, 1):
            minutes, enable = row.get("start_minutes"), row.get("tier_or_enable")
            if isinstance(minutes, int):
                name = "START" if enable else "STOP"
                actions += group("TimeStartAction", leaf("StartTime", _minutes(minutes)), leaf("NonDisablementAction", name), index=index)
        found += group("GasNonDisablementDayProfile", actions, leaf("GasDayName", zcl.number("day_id")))
    return group("DayProfiles", found)


def gas_weeks(profiles: Iterable[ZclCommand], day_name: str) -> Content:
    """Gas week profiles."""
    found: list[Element] = []
    for zcl in profiles:
        days = [row.get("day_id") for row in zcl.rows("days")]
        named = [element for index, day in enumerate(days, 1) if isinstance(day, int) for element in leaf(day_name, day, index=index)]
        found += group("WeekProfile", leaf("WeekName", zcl.number("week_id")), named)
    return group("WeekProfiles", found)


def gas_seasons(name: str, published: Iterable[ZclCommand]) -> Content:
    """Gas seasons."""
    rows = [row for zcl in published for row in zcl.rows("entries")]
    return group(name, *(group("Season", gas_date("SeasonStartDate", row.get("season_start")), _week_of(row)) for row in rows))


def _week_of(row: dict[str, int | bytes]) -> Content:
    week = row.get("week_id")
    return leaf("ReferencedWeekName", week) if isinstance(week, int) else ()


def gas_special_days(name: str, published: Iterable[ZclCommand], day_name: str) -> Content:
    """Gas special days."""
    found: list[Element] = []
    for zcl in published:
        for row in zcl.rows("entries"):
            day = row.get("day_id")
            found += group("SpecialDay", gas_date("Date", row.get("date")), leaf(day_name, day if isinstance(day, int) else None))
    return group(name, found)
