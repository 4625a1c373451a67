"""Lists of GBZ components: gas tariff and prices, calendars, snapshots, event settings (RTDS GCS01, GCS05, GCS15, GCS16, GCS20)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import pack

from firmware_emu.gbcs.cosem_time import encode_utc_seconds
from firmware_emu.gbcs.gbz import Component
from hil.dcc.duis.request import Node, RequestError
from hil.dcc.transform.source import NEVER_AFTER, Source

_PRICE, _METERING, _PREPAYMENT, _CALENDAR, _DEVICE_MANAGEMENT = 0x0700, 0x0702, 0x0705, 0x0707, 0x0708
_PUBLISH = 0x09
_REQUEST = 0x01
_CURRENCIES = {"GBP": 826, "ECB": 978}
_TRAILING_DIGIT = 0x50
_NO_BLOCK_MODE = 0xFF
_DIVISOR = 1000
_TARIFF = 1
_DELIVERED, _FRIENDLY_CREDIT = 0, 3
_DAILY, _CALENDAR_END, _CHANGES = 0x00000001, 0x00000002, 0x00006008
"""Causes of a snapshot: every day; end of a billing period; change of tariff, tenancy and mode (RTDS GCS16, GCS15c, GCS15b)."""
_DAYS_KEPT, _BILLS_KEPT = 31, 12
_WAN_ALERT, _HAN_ALERT, _LOGGED, _ALARM = 0x08, 0x10, 0x03, 0x40


def _created(source: Source) -> int:
    return encode_utc_seconds(source.context.created)


def _publish(cluster: int, command: int, octets: bytes) -> Component:
    return Component(cluster, _PUBLISH, 0, command, octets)


def gas_date(node: Node, path: str) -> bytes:
    """A ZCL date: year less 1900, month, day, weekday; FF for what is not specified."""

    def part(element: str, name: str, base: int = 0) -> int:
        found = node.find(f"{path}/{element}/{name}")
        if found is None:
            return 0xFF
        if not base <= (read := found.integer()) < base + 0xFF:
            raise RequestError(found.name, found.line, f"read {read}, expected {base} to {base + 0xFE}")
        return read - base

    return bytes(
        (
            part("GasYearWithWildcards", "SpecifiedYear", 1900),
            part("GasMonthWithWildcards", "SpecifiedMonth"),
            part("GasDayOfMonthWithWildcards", "SpecifiedDayOfMonth"),
            part("GasDayOfWeekWithWildcards", "SpecifiedDayOfWeek"),
        )
    )


def _calendar(source: Source, kind: int, days: list[tuple[int, list[tuple[int, int]]]], base: Node, seasons_at: str) -> list[Component]:
    """Calendar, day profiles, week profiles, seasons and special days; the calendar's id is its creation time."""
    created = _created(source)
    start = source.activation_seconds(NEVER_AFTER)
    weeks, seasons = base.nodes("WeekProfiles/WeekProfile"), base.nodes(f"{seasons_at}/Season")
    head = pack("<III", 0, created, created)
    counts = bytes((len(seasons), len(weeks), len(days)))
    components = [_publish(_CALENDAR, 0x00, head + pack("<IBBB", start, kind, 0, 0) + counts)]
    for name, entries in days:
        octets = b"".join(pack("<HB", minutes, action) for minutes, action in entries)
        components.append(_publish(_CALENDAR, 0x01, head + bytes((name, len(entries), 0, 1, kind)) + octets))
    for week in weeks:
        named = sorted(week.nodes("ReferencedDayName"), key=lambda node: node.attribute("index"))
        components.append(_publish(_CALENDAR, 0x02, head + bytes((week.integer("WeekName"), *(day.integer() for day in named)))))
    octets = b"".join(gas_date(season, "SeasonStartDate") + bytes((season.integer("ReferencedWeekName"),)) for season in seasons)
    components.append(_publish(_CALENDAR, 0x03, head + b"\x00\x01" + octets))
    return components


def _special_days(source: Source, kind: int, nodes: list[Node]) -> Component:
    created = _created(source)
    octets = b"".join(gas_date(node, "Date") + bytes((node.integer("ReferencedDayName"),)) for node in nodes)
    head = pack("<IIII", 0, created, created, source.activation_seconds(NEVER_AFTER))
    return _publish(_CALENDAR, 0x04, head + bytes((kind, len(nodes), 0, 1)) + octets)


def gas_tariff(source: Source) -> list[Component]:
    """Calendar, tariff, block thresholds where the prices are of blocks, prices."""
    elements = source.body.node("GasTariffElements")
    table = elements.node("SwitchingTable")
    days = [
        (day.integer("DayName"), [(0, day.integer("TOUTariffAction") if day.has("TOUTariffAction") else 0)])
        for day in table.nodes("DayProfiles/DayProfile")
    ]
    components = _calendar(source, _DELIVERED, days, table, "Seasons")
    components.append(_special_days(source, _DELIVERED, elements.nodes("SpecialDays/SpecialDay")))
    prices = source.body.node("PriceElements/GasPriceElements")
    thresholds = sorted(elements.nodes("ThresholdMatrix/BlockThreshold"), key=lambda node: node.attribute("index"))
    components.append(_tariff_information(source, prices, len(thresholds)))
    if prices.has("BlockTariff"):
        head = pack("<IIII", 0, _created(source), source.activation_seconds(NEVER_AFTER), _TARIFF)
        octets = b"".join(node.integer().to_bytes(6, "little") for node in thresholds)
        components.append(_publish(_PRICE, 0x06, head + bytes((0, 1, 1, len(thresholds))) + octets))
    components.append(_price_matrix(source, prices))
    return components


def gas_prices(source: Source) -> list[Component]:
    """Tariff and prices."""
    prices = source.body.node("PriceElements/GasPriceElements")
    thresholds = prices.integer("BlockTariff/NumberOfThresholds") if prices.has("BlockTariff") else 0
    return [_tariff_information(source, prices, thresholds), _price_matrix(source, prices)]


def _tariff_information(source: Source, prices: Node, thresholds: int) -> Component:
    block = prices.has("BlockTariff")
    scheme, tiers, steps = (0x10, 0, thresholds) if block else (0x00, len(prices.nodes("TOUTariff/TOUPrice")), 0)
    octets = pack("<IIII", 0, _created(source), _TARIFF, source.activation_seconds())
    octets += bytes((scheme, 0, tiers, steps, 0)) + pack("<HB", _CURRENCIES[prices.text("CurrencyUnits")], _TRAILING_DIGIT)
    octets += pack("<IB", prices.integer("StandingCharge"), _NO_BLOCK_MODE)
    return _publish(_PRICE, 0x04, octets + (1).to_bytes(3, "little") + _DIVISOR.to_bytes(3, "little"))


def _price_matrix(source: Source, prices: Node) -> Component:
    head = pack("<IIII", 0, _created(source), source.activation_seconds(NEVER_AFTER), _TARIFF)
    block = prices.has("BlockTariff")
    nodes = prices.nodes("BlockTariff/BlockPrice" if block else "TOUTariff/TOUPrice")
    entries = sorted((node.attribute("index") - (1 if block else 0), node.integer()) for node in nodes)
    octets = b"".join(pack("<BI", index, price) for index, price in entries)
    return _publish(_PRICE, 0x05, head + bytes((0, 1, 0 if block else 1)) + octets)


def non_disablement_calendar(source: Source) -> list[Component]:
    """The friendly credit calendar: action 1 starts, 0 stops a period in which supply is not disabled."""
    base = source.body.node("UpdatePrepayConfigGas/GasNonDisablementCalendar")
    days = []
    for day in base.nodes("DayProfiles/GasNonDisablementDayProfile"):
        entries = []
        for entry in day.nodes("TimeStartAction"):
            at = entry.clock("StartTime")
            entries.append((at.hour * 60 + at.minute, 1 if entry.text("NonDisablementAction") == "START" else 0))
        days.append((day.integer("GasDayName"), entries))
    components = _calendar(source, _FRIENDLY_CREDIT, days, base, "SeasonProfiles")
    return [*components, _special_days(source, _FRIENDLY_CREDIT, base.nodes("SpecialDays/SpecialDay"))]


def _snapshots(source: Source, cluster: int, command: int, count: int, cause: int) -> Iterable[Component]:
    start, end = (source.seconds(path) for path in source.period)
    for offset in range(count):
        yield Component(cluster, _REQUEST, 0, command, pack("<IIBI", start, end, offset, cause))


def change_snapshots(source: Source) -> list[Component]:
    """Prepayment, then metering snapshots at changes of mode or tariff."""
    prepayment = _snapshots(source, _PREPAYMENT, 0x07, _BILLS_KEPT, _CHANGES)
    return [*prepayment, *_snapshots(source, _METERING, 0x06, _BILLS_KEPT, _CHANGES)]


def calendar_snapshots(source: Source) -> list[Component]:
    """Metering, then prepayment snapshots at the end of billing periods."""
    metering = _snapshots(source, _METERING, 0x06, _BILLS_KEPT, _CALENDAR_END)
    return [*metering, *_snapshots(source, _PREPAYMENT, 0x07, _BILLS_KEPT, _CALENDAR_END)]


def daily_snapshots(source: Source) -> list[Component]:
    return list(_snapshots(source, _METERING, 0x06, _DAYS_KEPT, _DAILY))


def daily_prepay_snapshots(source: Source) -> list[Component]:
    return list(_snapshots(source, _PREPAYMENT, 0x07, _DAYS_KEPT, _DAILY))


def _event_configuration(event: Node) -> int:
    if not event.children():
        return _WAN_ALERT if event.text() == "Enable" else 0
    bits = (("WANAlert", _WAN_ALERT), ("HANAlert", _HAN_ALERT), ("EventLog", _LOGGED), ("Alarm", _ALARM))
    return sum(bit for name, bit in bits if event.text(name) == "Enable")


def _event_order(configuration: int) -> tuple[bool, bool, int]:
    """Those that alert over the SM WAN first, then over the HAN, then the least logged (RTDS GCS20, the one example)."""
    return not configuration & _WAN_ALERT, not configuration & _HAN_ALERT, configuration & (_LOGGED | _ALARM)


def gas_event_settings(source: Source) -> list[Component]:
    """Events by configuration: one component for each configuration that occurs."""
    groups: dict[int, list[int]] = {}
    for group in source.body.children():
        for event in group.children():
            groups.setdefault(_event_configuration(event), []).append(int(event.name[1:], 16))
    return [
        _publish(
            _DEVICE_MANAGEMENT,
            0x04,
            pack("<IIBBB", _created(source), 0, configuration, 0, len(events)) + b"".join(pack("<H", event) for event in events),
        )
        for configuration, events in sorted(groups.items(), key=lambda item: _event_order(item[0]))
    ]


LISTS: dict[str, Callable[[Source], list[Component]]] = {
    function.__name__: function
    for function in (
        *(gas_tariff, gas_prices, non_disablement_calendar, change_snapshots, calendar_snapshots),
        *(daily_snapshots, daily_prepay_snapshots, gas_event_settings),
    )
}
