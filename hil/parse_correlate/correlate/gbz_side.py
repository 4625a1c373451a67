"""GBZ pre-commands: every component, read by the layout of its ZCL command, against its meaning."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

from ..errors import DecodeError
from ..message.gbz import Component
from ..message.zcl import ZclCommand, ZclField, ZclValue, read_zcl
from ..request import CANCELLATION, Node
from .asked import activation, day, gas_date, indexed, instant
from .comparison import Comparison, Known, Meaning

_START_OF_COUNT = datetime(2000, 1, 1, tzinfo=UTC)
_NEVER, _NEVER_AFTER = 0xFFFFFFFF, 0xFFFFFFFE


def _seconds(count: int) -> str:
    return instant(_START_OF_COUNT + timedelta(seconds=count))


def _activation(count: int, never: int = _NEVER) -> str:
    return "now" if count == 0 else "never" if count == never else _seconds(count)


@cache
def _meanings() -> dict[str, list[str]]:
    table: dict[str, list[str]] = tomllib.loads((files(__package__) / "gbz_meanings.toml").read_text(encoding="utf-8"))
    return table


def covers(message_code: int) -> bool:
    """True if the meaning of this message code is known here."""
    return f"{message_code:04x}" in _meanings()


@dataclass(slots=True)
class Reading:
    """The components of one message under comparison. ``created`` is the creation time, once one was seen that ``known`` allows."""

    body: Node
    comparison: Comparison
    known: Known
    created: int | None = None
    number: int = 0

    def same_creation(self, name: str, value: ZclValue) -> None:
        """Every creation time of a message is the same, and is the one that is known."""
        if self.created is None and isinstance(value, int) and 0 < value < _NEVER_AFTER:
            wanted, slack = self.known.created, self.known.created_within
            stated = _START_OF_COUNT + timedelta(seconds=value)
            if wanted is not None and not wanted.replace(microsecond=0) - slack <= stated <= wanted + slack:
                around = f", give or take {slack.total_seconds():g} s" if slack else ""
                self.comparison.add(name, instant(wanted) + around, instant(stated))
                return
            self.created = value
        self.comparison.equal(name, self.created, value if isinstance(value, int) else None)


def compare(gbz: tuple[Component, ...], message_code: int, body: Node, comparison: Comparison, known: Known) -> None:
    """Compare a GBZ payload with the body of the service request."""
    reading = Reading(body, comparison, known)
    components = list(gbz)
    for line in _lines(f"{message_code:04x}"):
        if line.startswith("many "):
            components = _MANY[line.removeprefix("many ")](components, reading)
        elif not components:
            comparison.add(line.partition(":")[0], "this component", "nothing")
        else:
            _compare_component(line, components.pop(0), reading)
    if reading.created is not None and known.created is None:
        comparison.open("creation time", _seconds(reading.created), "no creation time was given")
    for component in components:
        comparison.add(f"component {component.sequence}", "nothing", f"cluster {component.cluster:04x} command {component.command:02x}")


def _lines(key: str) -> list[str]:
    return [inner for line in _meanings()[key] for inner in (_lines(line.removeprefix("also ")) if line.startswith("also ") else [line])]


def _frame(place: str, component: Component, reading: Reading) -> ZclCommand | None:
    """Compare all but the payload, and read the payload."""
    words = place.split()
    found = f"{component.cluster:04x} {component.frame_control:02x} {component.command:02x}"
    name = f"component {reading.number}"
    reading.comparison.equal(f"{name} command", " ".join(words[:3]), found)
    reading.comparison.equal(f"{name} sequence number", reading.number, component.sequence)
    reading.number += 1
    at = component.starts
    if "from" in words:
        reading.comparison.equal(f"{name} ExecutionDateTime", activation(reading.body), None if at is None else _activation(at))
    elif at is not None:
        reading.comparison.add(f"{name} from date time", "none", str(at))
    if component.encrypted:
        reading.comparison.add(name, "a plain component", "an encrypted one")
        return None
    try:
        command = read_zcl(component, component.payload, component.offset)
    except DecodeError as trouble:
        reading.comparison.add(name, "a payload of its layout", str(trouble))
        return None
    if command is None:
        reading.comparison.add(name, "a known command", found)
    return command


def _compare_component(line: str, component: Component, reading: Reading) -> None:
    place, _, fields = line.partition(": ")
    prefix = f"component {reading.number}"
    command = _frame(place, component, reading)
    if command is None:
        return
    wanted = dict(field.split("=", 1) for field in re.findall(r"(\w+=\S+)", fields))
    if list(wanted) != [field.name for field in command.fields]:
        reading.comparison.add(prefix, ", ".join(wanted), ", ".join(field.name for field in command.fields))
        return
    for field in command.fields:
        _compare_field(f"{prefix} {field.name}", wanted[field.name], field, reading)


def _compare_field(name: str, meaning: str, field: ZclField, reading: Reading) -> None:
    body, equal, value = reading.body, reading.comparison.equal, field.value
    kind, _, operand = meaning.partition(":")
    if meaning == "created":
        reading.same_creation(name, value)
    elif meaning == "when":
        assert isinstance(value, int)
        equal(f"{name} (ExecutionDateTime)", activation(body), _activation(value))
    elif meaning == "none":
        equal(name, b"", value if isinstance(value, bytes) else None)
    elif kind == "time":
        assert isinstance(value, int)
        equal(f"{name} ({operand})", instant(body.moment(operand)), _seconds(value))
    elif kind == "scaled":
        factor, _, path = operand.partition(":")
        equal(f"{name} ({path})", body.scaled(path, int(factor)), value if isinstance(value, int) else None)
    elif kind == "is":
        path, _, pairs = operand.partition(":")
        numbers = {word: int(number) for word, number in (pair.split("=") for pair in pairs.split(","))}
        equal(f"{name} ({path})", body.one_of(path, numbers), value if isinstance(value, int) else None)
    elif meaning == "suspension":
        equal(name, _suspension(body), value if isinstance(value, int) else None)
    elif re.fullmatch(r"-?(0x)?[0-9a-f]+", meaning):
        equal(name, int(meaning, 0), value if isinstance(value, int) else None)
    else:
        equal(f"{name} ({meaning})", body.integer(meaning), value if isinstance(value, int) else None)


def _suspension(body: Node) -> int:
    """Payment control configuration in prepayment mode (reference gbcs-messages 7A: 0497, 0097, 0C97, 0897)."""
    disabled, emergency = (body.boolean(f"Prepayment/SuspendDebt{name}") for name in ("Disabled", "Emergency"))
    return {(True, False): 0x0C97, (False, True): 0x0097, (True, True): 0x0497, (False, False): 0x0897}[disabled, emergency]


# -- calendars and tariffs


def _values(fields: tuple[ZclField, ...], reading: Reading, name: str) -> dict[str, Meaning]:
    """Fields as plain values; creation times are compared on the way, groups become lists."""
    plain: dict[str, Meaning] = {}
    for field in fields:
        value = field.value
        if field.name in ("issuer_event_id", "calendar_id"):
            reading.same_creation(f"{name} {field.name}", value)
        elif isinstance(value, tuple):
            plain[field.name] = [_values(group, reading, name) for group in value]
        elif field.kind == "d" and isinstance(value, bytes):
            year, month, date, weekday = value
            any_ = 0xFF
            plain[field.name] = day(
                None if year == any_ else 1900 + year,
                None if month == any_ else month,
                None if date == any_ else date,
                None if weekday == any_ else weekday,
            )
        elif isinstance(value, int | bytes):
            plain[field.name] = value
    return plain


def _compare_plain(place: str, requested: dict[str, Meaning], components: list[Component], reading: Reading) -> None:
    name = f"component {reading.number}"
    if not components:
        reading.comparison.add(name, place, "nothing")
        return
    command = _frame(place, components.pop(0), reading)
    if command is not None:
        reading.comparison.equal(name, requested, _values(command.fields, reading, name))


def _when(reading: Reading, never: int) -> int:
    if not reading.body.has("ExecutionDateTime"):
        return 0
    moment = reading.body.moment("ExecutionDateTime")
    return never if moment == CANCELLATION else int((moment - _START_OF_COUNT).total_seconds())


def _calendar(
    components: list[Component],
    reading: Reading,
    kind: int,
    day_profiles: list[tuple[int, list[tuple[int, int]]]],
    base: Node,
    season_path: str,
    special_nodes: list[Node],
) -> None:
    week_nodes, season_nodes = base.nodes("WeekProfiles/WeekProfile"), base.nodes(f"{season_path}/Season")
    start = _when(reading, _NEVER_AFTER)
    head: dict[str, Meaning] = {"provider_id": 0}
    once: dict[str, Meaning] = {"command_index": 0, "total_commands": 1}
    calendar: dict[str, Meaning] = {
        **head,
        "start_time": start,
        "calendar_type": kind,
        "time_reference": 0,
        "calendar_name": b"",
        "number_of_seasons": len(season_nodes),
        "number_of_week_profiles": len(week_nodes),
        "number_of_day_profiles": len(day_profiles),
    }
    _compare_plain("0707 09 00", calendar, components, reading)
    for name, switches in day_profiles:
        entries: list[Meaning] = [{"start_minutes": minutes, "tier_or_enable": action} for minutes, action in switches]
        profile: dict[str, Meaning] = {**head, "day_id": name, "total_entries": len(switches), **once, "calendar_type": kind}
        _compare_plain("0707 09 01", {**profile, "entries": entries}, components, reading)
    for node in week_nodes:
        days: list[Meaning] = [{"day_id": entry.integer()} for entry in indexed(node.nodes("ReferencedDayName"))]
        _compare_plain("0707 09 02", {**head, "week_id": node.integer("WeekName"), "days": days}, components, reading)
    seasons: list[Meaning] = [
        {"season_start": gas_date(node.node("SeasonStartDate")), "week_id": node.integer("ReferencedWeekName")} for node in season_nodes
    ]
    _compare_plain("0707 09 03", {**head, **once, "entries": seasons}, components, reading)
    special: list[Meaning] = [{"date": gas_date(node.node("Date")), "day_id": node.integer("ReferencedDayName")} for node in special_nodes]
    tail: dict[str, Meaning] = {"start_time": start, "calendar_type": kind, "total_special_days": len(special), **once}
    _compare_plain("0707 09 04", {**head, **tail, "entries": special}, components, reading)


def _friendly_credit_calendar(components: list[Component], reading: Reading) -> list[Component]:
    base = reading.body.node("UpdatePrepayConfigGas/GasNonDisablementCalendar")
    profiles = []
    for node in base.nodes("DayProfiles/GasNonDisablementDayProfile"):
        switches = []
        for entry in node.nodes("TimeStartAction"):
            at = entry.clock("StartTime")
            switches.append((60 * at.hour + at.minute, entry.one_of("NonDisablementAction", {"START": 1, "STOP": 0})))
        profiles.append((node.integer("GasDayName"), switches))
    _calendar(components, reading, 3, profiles, base, "SeasonProfiles", base.nodes("SpecialDays/SpecialDay"))
    return components


def _tariff(components: list[Component], reading: Reading) -> list[Component]:
    elements = reading.body.node("GasTariffElements")
    table = elements.node("SwitchingTable")
    profiles = []
    for node in table.nodes("DayProfiles/DayProfile"):
        tier = 0 if node.has("BlockTariff") else node.integer("TOUTariffAction")
        profiles.append((node.integer("DayName"), [(0, tier)]))
    _calendar(components, reading, 0, profiles, table, "Seasons", elements.nodes("SpecialDays/SpecialDay"))
    thresholds = [node.integer() for node in indexed(elements.nodes("ThresholdMatrix/BlockThreshold"))]
    prices = reading.body.node("PriceElements/GasPriceElements")
    _tariff_information(components, reading, prices, len(thresholds))
    if prices.has("BlockTariff"):
        blocks: list[Meaning] = [{"block_threshold": value} for value in thresholds]
        entry: Meaning = {"tier_threshold_count": len(thresholds), "thresholds": blocks}
        head: dict[str, Meaning] = {"provider_id": 0, "start_time": _when(reading, _NEVER_AFTER), "tariff_id": 1}
        tail: dict[str, Meaning] = {"command_index": 0, "total_commands": 1, "sub_payload_control": 1, "entries": [entry]}
        _compare_plain("0700 09 06", {**head, **tail}, components, reading)
    _price_matrix(components, reading, prices)
    return components


def _prices(components: list[Component], reading: Reading) -> list[Component]:
    prices = reading.body.node("PriceElements/GasPriceElements")
    _tariff_information(components, reading, prices, prices.integer("BlockTariff/NumberOfThresholds") if prices.has("BlockTariff") else 0)
    _price_matrix(components, reading, prices)
    return components


def _tariff_information(components: list[Component], reading: Reading, prices: Node, thresholds: int) -> None:
    block = prices.has("BlockTariff")
    requested: dict[str, Meaning] = {
        "provider_id": 0,
        "tariff_id": 1,
        "start_time": _when(reading, _NEVER),
        "tariff_type_scheme": 16 if block else 0,
        "tariff_label": b"",
        "price_tiers": 0 if block else len(prices.nodes("TOUTariff/TOUPrice")),
        "block_thresholds": thresholds if block else 0,
        "unit_of_measure": 0,
        "currency": prices.one_of("CurrencyUnits", {"GBP": 826, "ECB": 978}),
        "price_trailing_digit": 0x50,
        "standing_charge": prices.integer("StandingCharge"),
        "tier_block_mode": 255,
        "threshold_multiplier": 1,
        "threshold_divisor": 1000,
    }
    _compare_plain("0700 09 04", requested, components, reading)


def _price_matrix(components: list[Component], reading: Reading, prices: Node) -> None:
    block = prices.has("BlockTariff")
    nodes = indexed(prices.nodes("BlockTariff/BlockPrice") if block else prices.nodes("TOUTariff/TOUPrice"))
    entries: list[Meaning] = [{"tier_block_id": node.attribute("index") - int(block), "price": node.integer()} for node in nodes]
    requested: dict[str, Meaning] = {
        "provider_id": 0,
        "start_time": _when(reading, _NEVER_AFTER),
        "tariff_id": 1,
        "command_index": 0,
        "total_commands": 1,
        "sub_payload_control": 0 if block else 1,
        "entries": entries,
    }
    _compare_plain("0700 09 05", requested, components, reading)


_MANY: dict[str, Callable[[list[Component], Reading], list[Component]]] = {
    "friendly_credit_calendar": _friendly_credit_calendar,
    "tariff": _tariff,
    "prices": _prices,
}
