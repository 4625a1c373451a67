"""Values of DLMS tariff and price commands: switching tables, special days, thresholds, prices (RTDS ECS01a to ECS01d)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time

from firmware_emu.gbcs.dlms import (
    Array,
    Boolean,
    Choice,
    Data,
    DoubleLongUnsigned,
    Integer,
    Long,
    LongUnsigned,
    OctetString,
    Specification,
    Structure,
    Unsigned,
    parse_obis,
)
from hil.dcc.duis.request import UNSPECIFIED_YEAR, Node
from hil.dcc.transform.source import Source

_SCRIPTS = parse_obis("0-0:10.0.100.255")
_ACTIVE_IMPORT = parse_obis("1-0:1.8.0.255")
_SECONDARY_IMPORT = parse_obis("1-20:1.8.0.255")
_NO_OBJECT = bytes(6)
_TOU_PRICES = 48
_BLOCKS, _MATRIX_COLUMNS = 4, 8
_BLOCK_SCRIPT, _SECONDARY_SCRIPT = 100, 200
"""Script selectors: a time-of-use register n, block registers 100 + n, secondary element registers 200 + n."""


def clock_octets(moment: time) -> bytes:
    """A COSEM time: hour, minute, second, hundredths 0."""
    return bytes((moment.hour, moment.minute, moment.second, 0))


def date_octets(node: Node, path: str) -> bytes:
    """A COSEM date of a date with wildcards: FF for what is not specified, FE for the last day of a month, FD for the one before."""
    date = node.node(path) if path else node
    year = date.integer("Year/SpecifiedYear") if date.has("Year/SpecifiedYear") else 0xFFFF
    month = date.integer("Month/SpecifiedMonth") if date.has("Month/SpecifiedMonth") else 0xFF
    if date.has("DayOfMonth/SpecifiedDayOfMonth"):
        day = date.integer("DayOfMonth/SpecifiedDayOfMonth")
    else:
        day = 0xFE if date.has("DayOfMonth/LastDayOfMonth") else 0xFD if date.has("DayOfMonth/SecondLastDayOfMonth") else 0xFF
    weekday = date.integer("DayOfWeek/SpecifiedDayOfWeek") if date.has("DayOfWeek/SpecifiedDayOfWeek") else 0xFF
    return year.to_bytes(2, "big") + bytes((month, day, weekday))


def day_octets(node: Node, path: str) -> bytes:
    """A COSEM date of an ``xs:date``; the year 65535 stands for any year."""
    year, month, day = node.day(path)
    return min(year, UNSPECIFIED_YEAR).to_bytes(2, "big") + bytes((month, day, 0xFF))


def seasons(source: Source, path: str) -> Data:
    """Season profiles: name, start, week."""
    return Array(
        tuple(
            Structure(
                (
                    OctetString(season.text("SeasonName").encode("ascii", "strict")),
                    OctetString(date_octets(season, "SeasonStartDate") + bytes.fromhex("000000008000ff")),
                    OctetString(bytes((season.integer("ReferencedWeekName"),))),
                )
            )
            for season in source.body.nodes(f"{path}/Season")
        )
    )


def weeks(source: Source, path: str) -> Data:
    """Week profiles: name, day names from Monday to Sunday."""
    profiles = []
    for week in source.body.nodes(f"{path}/WeekProfile"):
        days = sorted(week.nodes("ReferencedDayName"), key=lambda day: day.attribute("index"))
        name = OctetString(bytes((week.integer("WeekName"),)))
        profiles.append(Structure((name, *(Unsigned(day.integer()) for day in days))))
    return Array(tuple(profiles))


def _days(source: Source, path: str, selector: Callable[[Node], int]) -> Data:
    profiles = []
    for day in source.body.nodes(f"{path}/DayProfile"):
        switches = tuple(
            Structure((OctetString(clock_octets(entry.clock("StartTime"))), OctetString(_SCRIPTS), LongUnsigned(selector(entry))))
            for entry in day.nodes("ProfileSchedule")
        )
        profiles.append(Structure((Unsigned(day.integer("DayName")), Array(switches))))
    return Array(tuple(profiles))


def days(source: Source, path: str) -> Data:
    """Day profiles of the primary element."""
    return _days(
        source,
        path,
        lambda entry: (
            entry.integer("TOUTariffAction") if entry.has("TOUTariffAction") else _BLOCK_SCRIPT + entry.integer("BlockTariffAction")
        ),
    )


def secondary_days(source: Source, path: str) -> Data:
    """Day profiles of the secondary element."""
    return _days(source, path, lambda entry: _SECONDARY_SCRIPT + entry.integer("TOUTariffAction"))


def special_days(source: Source, path: str) -> Data:
    """Special days: number from 1, date, day name."""
    return Array(
        tuple(
            Structure((LongUnsigned(number), OctetString(date_octets(day, "Date")), Unsigned(day.integer("ReferencedDayName"))))
            for number, day in enumerate(source.body.nodes(f"{path}/SpecialDay"), 1)
        )
    )


def block_thresholds(source: Source) -> list[tuple[Specification, Data]]:
    """One register monitor a column of the threshold matrix."""
    accesses: list[tuple[Specification, Data]] = []
    columns = {node.attribute("index"): node for node in source.body.nodes("ElecTariffElements/ThresholdMatrix/Thresholds")}
    for index in range(1, _MATRIX_COLUMNS + 1):
        if index not in columns:
            raise source.fail(f"the threshold matrix lacks Thresholds with index {index}")
        thresholds = sorted(columns[index].nodes("BlockThreshold"), key=lambda node: node.attribute("index"))
        place = Specification(Choice.SET, 21, parse_obis(f"0-0:16.1.{10 + index}.255"), 2)
        accesses.append((place, Array(tuple(DoubleLongUnsigned(node.integer()) for node in thresholds))))
    return accesses


def pounds(source: Source, path: str) -> Data:
    """The currency: true for pounds, false for euro."""
    return Boolean(source.body.text(path) == "GBP")


def _charge_table(unit: tuple[int, int], element: tuple[int, bytes, int], entries: tuple[Data, ...]) -> Data:
    scale = Structure((Integer(unit[0]), Integer(unit[1])))
    commodity = Structure((LongUnsigned(element[0]), OctetString(element[1]), Integer(element[2])))
    return Structure((scale, commodity, Array(entries)))


def _price(index: int, amount: int) -> Data:
    return Structure((OctetString(bytes((index,))), Long(amount)))


def single_charge(scale: int, amount: int) -> Data:
    """A unit charge with one entry that has no index: standing charge, debt recovery rate."""
    return _charge_table((0, scale), (0, _NO_OBJECT, 0), (Structure((OctetString(b""), Long(amount))),))


def prices(source: Source) -> list[tuple[Specification, Data]]:
    """Standing charge, then the table of 48 time-of-use prices (01 to 30) and 4 blocks of 8 (A1 to D8); what is not given is 0."""
    table = source.body.node("PriceElements/ElectricityPriceElements")
    kind = next((name for name in ("BlockTariff", "TOUTariff", "HybridTariff") if table.has(name)), None)
    if kind is None:
        raise source.fail("ElectricityPriceElements lack BlockTariff, TOUTariff or HybridTariff")
    amounts = {node.attribute("index"): node.integer() for node in table.nodes(f"{kind}/TOUPrice")}
    for column in table.nodes(f"{kind}/BlockPrices"):
        for node in column.nodes("BlockPrice"):
            amounts[0x90 + 0x10 * node.attribute("index") + column.attribute("index")] = node.integer()
    indexes = [*range(1, _TOU_PRICES + 1)]
    indexes += [0x90 + 0x10 * block + column for block in range(1, _BLOCKS + 1) for column in range(1, _MATRIX_COLUMNS + 1)]
    entries = tuple(_price(index, amounts.get(index, 0)) for index in indexes)
    standing = single_charge(table.integer("StandingChargeScale"), table.integer("StandingCharge"))
    return [
        (Specification(Choice.SET, 113, parse_obis("0-0:19.20.4.255"), 6), standing),
        (
            Specification(Choice.SET, 113, parse_obis("0-0:19.20.0.255"), 6),
            _charge_table((3, table.integer("PriceScale")), (3, _ACTIVE_IMPORT, 2), entries),
        ),
    ]


def secondary_prices(source: Source, _: str) -> Data:
    """The four prices of the secondary element; what is not given is 0."""
    table = source.body.node("PriceElements")
    amounts = {node.attribute("index"): node.integer() for node in table.nodes("ElectricityPriceElement")}
    entries = tuple(_price(index, amounts.get(index, 0)) for index in range(1, 5))
    return _charge_table((3, table.integer("PriceScale")), (3, _SECONDARY_IMPORT, 2), entries)


FUNCTIONS: dict[str, Callable[[Source, str], Data]] = {
    "seasons": seasons,
    "weeks": weeks,
    "days": days,
    "secondary_days": secondary_days,
    "special_days": special_days,
    "pounds": pounds,
    "secondary_prices": secondary_prices,
}
LISTS: dict[str, Callable[[Source], list[tuple[Specification, Data]]]] = {
    "block_thresholds": block_thresholds,
    "prices": prices,
}
