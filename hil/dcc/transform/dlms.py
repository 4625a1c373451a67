"""DLMS payloads out of access lists (``dlms.toml``): one line an access, values from the request.

Functions that make whole values stand in :mod:`.dlms_tariff`, :mod:`.dlms_schedules` and :mod:`.dlms_values`; they are found by name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from firmware_emu.gbcs.cosem_time import encode_date_time
from firmware_emu.gbcs.dlms import (
    EVENT_LOG_CLOCK,
    AccessRequest,
    Array,
    Boolean,
    Choice,
    Data,
    DoubleLong,
    DoubleLongUnsigned,
    Enum,
    Integer,
    Long,
    LongUnsigned,
    Null,
    OctetString,
    ProtectedAttribute,
    ProtectionParameters,
    Specification,
    Structure,
    Unsigned,
    VisibleString,
    invoke_id,
    parse_obis,
    protected_request,
    range_selection,
)
from hil.dcc.transform import dlms_schedules, dlms_tariff, dlms_values
from hil.dcc.transform.source import Source

ValueFunction = Callable[[Source, str], Data]
Access = tuple[Specification, Data]

_NUMBERS: dict[str, Callable[[int], Data]] = {
    "u8": Unsigned,
    "u16": LongUnsigned,
    "u32": DoubleLongUnsigned,
    "i8": Integer,
    "i16": Long,
    "i32": DoubleLong,
    "enum": Enum,
}
_FUNCTIONS: dict[str, ValueFunction] = {**dlms_values.FUNCTIONS, **dlms_tariff.FUNCTIONS, **dlms_schedules.FUNCTIONS}
_LISTS: dict[str, Callable[[Source], list[Access]]] = {**dlms_values.LISTS, **dlms_tariff.LISTS}
_obis = cache(parse_obis)
_SIMPLE = {"get": Choice.GET, "set": Choice.SET, "action": Choice.ACTION}


@dataclass(frozen=True, slots=True)
class _Line:
    verb: str
    operands: tuple[str, ...]
    value: str | None


@cache
def _lists() -> dict[str, tuple[_Line, ...]]:
    raw = tomllib.loads((files(__package__) / "dlms.toml").read_text(encoding="utf-8"))["access"]
    lists: dict[str, tuple[_Line, ...]] = {}
    for name, lines in raw.items():
        parsed = []
        for text in lines:
            access, _, value = text.partition(" = ")
            verb, *operands = access.split()
            parsed.append(_Line(verb, tuple(operands), value.strip() or None))
        lists[name] = tuple(parsed)
    return lists


def knows(use_case: str) -> bool:
    """True if the use case has an access list."""
    return use_case in _lists()


def payload(source: Source) -> bytes:
    """The access request of a use case. Raises TransformError, RequestError, IdentifierError (a value that its type cannot hold)."""
    accesses = _accesses(source, source.use_case)
    specifications = tuple(specification for specification, _ in accesses)
    return AccessRequest(invoke_id(source.header.counter), specifications, tuple(data for _, data in accesses)).encode()


def _accesses(source: Source, name: str) -> list[Access]:
    return [access for line in _lists()[name] for access in _expand(source, line)]


def _expand(source: Source, line: _Line) -> list[Access]:
    if line.verb == "each":
        name = line.operands[0]
        return _LISTS[name](source) if name in _LISTS else _accesses(source, name)
    if line.verb == "protect":
        specification = Specification(Choice.ACTION, 30, _obis(line.operands[0]), 1)
        return [(specification, _protected(source, line.value or ""))]
    class_id, obis, attribute = int(line.operands[0]), _obis(line.operands[1]), int(line.operands[2])
    if line.verb == "range":
        start, end = source.period
        selection = range_selection(
            1, EVENT_LOG_CLOCK, 2, DoubleLongUnsigned(source.seconds(start)), DoubleLongUnsigned(source.seconds(end))
        )
        return [(Specification(Choice.GET_WITH_SELECTION, class_id, obis, attribute, 1, selection), Null())]
    data = Null() if line.value is None else value(source, line.value)
    return [(Specification(_SIMPLE[line.verb], class_id, obis, attribute), data)]


def _protected(source: Source, text: str) -> Data:
    attributes = []
    for part in text.split(","):
        class_id, obis, attribute, *restricted = part.split()
        period = tuple(OctetString(source.date_time(path)) for path in source.period) if restricted else None
        restriction = None if period is None else (period[0], period[1])
        attributes.append(ProtectedAttribute(int(class_id), _obis(obis), int(attribute), 0, restriction))
    parameters = ProtectionParameters(source.header.counter, source.reader, source.header.recipient)
    return protected_request(tuple(attributes), parameters)


def value(source: Source, text: str) -> Data:
    """The data of one value expression."""
    if text[0] in "{[":
        parts = tuple(value(source, part.strip()) for part in text[1:-1].split(";"))
        return Structure(parts) if text[0] == "{" else Array(parts)
    kind, _, operand = text.partition(" ")
    if kind in _NUMBERS:
        return _NUMBERS[kind](_number(source, operand))
    return _LEAVES[kind](source, operand) if kind in _LEAVES else _FUNCTIONS[kind](source, operand)


def _number(source: Source, operand: str) -> int:
    return int(operand) if re.fullmatch(r"-?\d+", operand) else source.body.integer(operand)


def _is(source: Source, operand: str) -> Data:
    path, _, wanted = operand.partition("=")
    return Boolean(source.body.text(path).strip() == wanted)


_LEAVES: dict[str, ValueFunction] = {
    "bool": lambda _, operand: Boolean(operand == "true"),
    "is": _is,
    "text": lambda source, operand: OctetString(source.body.text(operand).encode("ascii", "strict")),
    "visible": lambda source, operand: VisibleString(source.body.text(operand)),
    "octets": lambda source, operand: OctetString(source.body.octets(operand) if operand else b""),
    "eui": lambda source, operand: OctetString(source.body.eui(operand).octets),
    "when": lambda source, _: OctetString(source.activation()),
    "date_time": lambda source, operand: OctetString(encode_date_time(source.body.moment(operand))),
}
