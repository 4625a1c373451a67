"""GBZ payloads out of component lists (``gbz.toml``): one line a component, ZCL fields from the request (little-endian).

Functions that make several components stand in :mod:`.gbz_lists`; they are found by name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from firmware_emu.errors import IdentifierError
from firmware_emu.gbcs.cosem_time import encode_utc_seconds
from firmware_emu.gbcs.gbz import Component, numbered
from hil.dcc.transform import gbz_lists
from hil.dcc.transform.source import NEVER_AFTER, Source

_UNSIGNED = {"u8": 1, "u16": 2, "u24": 3, "u32": 4, "u48": 6}
_PAYMENT_CONFIGURATION = 0x0097
_DEBT_SUSPENDED, _DEBT_IN_EMERGENCY = 0x0400, 0x0800
_DEBT_PERIODS = {"HOURLY": 0, "DAILY": 1}
_PERIODS = {
    "Daily": (1, 0x21),
    "Weekly": (1, 0x22),
    "Monthly": (1, 0x23),
    "Quarterly": (3, 0x23),
    "SixMonthly": (6, 0x23),
    "Yearly": (12, 0x23),
}
_METER_LOGS, _COPY = ("GSMEEvent", "GSMESecurity"), 3
_SUPPLY_STATES = {"Locked": 0, "Unchanged": 3}


@cache
def _lists() -> dict[str, list[str]]:
    raw: dict[str, list[str]] = tomllib.loads((files(__package__) / "gbz.toml").read_text(encoding="utf-8"))["components"]
    return raw


def knows(use_case: str) -> bool:
    """True if the use case has a component list."""
    return use_case in _lists()


def payload(source: Source) -> bytes:
    """The GBZ command of a use case. Raises TransformError, RequestError, IdentifierError (a value that its type cannot hold)."""
    components = [component for line in _lists()[source.use_case] for component in _expand(source, line)]
    return numbered(tuple(components)).encode()


def _expand(source: Source, line: str) -> list[Component]:
    head, _, fields = line.partition(" = ")
    words = head.split()
    if words[0] == "each":
        return gbz_lists.LISTS[words[1]](source)
    if words[0] == "read":
        octets = b"".join(int(word, 16).to_bytes(2, "little") for word in words[2:])
        return [Component(int(words[1], 16), 0, 0, 0, octets)]
    start = None
    if "from" in words:
        start = source.activation_seconds() if words[-1] == "when" else source.seconds(source.period[0])
    octets = b"".join(field(source, text.strip()) for text in fields.split(","))
    return [Component(int(words[0], 16), int(words[1], 16), 0, int(words[2], 16), octets, start)]


def number(kind: str, value: int) -> bytes:
    """A ZCL number. Raises IdentifierError outside its range."""
    size = _UNSIGNED.get(kind)
    try:
        return value.to_bytes(size or int(kind[1:]) // 8, "little", signed=size is None)
    except OverflowError:
        raise IdentifierError(f"a ZCL {kind}", value, f"a number of {kind[1:]} bits") from None


def string(text: str) -> bytes:
    """A ZCL character string with its length octet."""
    octets = text.encode("ascii", "strict")
    return bytes((len(octets),)) + octets


def field(source: Source, text: str) -> bytes:
    """The octets of one field expression."""
    kind, _, operand = text.partition(" ")
    if kind in _UNSIGNED or kind in ("i32",):
        literal = operand[:1].isdecimal()
        return number(kind, int(operand, 0) if literal else source.body.integer(operand))
    return _FIELDS[kind](source, operand)


def _payment_configuration(source: Source, _: str) -> bytes:
    """Debt is suspended while disabled (bit 10), and taken from emergency credit (bit 11) (RTDS GCS03)."""
    value = _PAYMENT_CONFIGURATION
    value |= _DEBT_SUSPENDED if source.body.boolean("Prepayment/SuspendDebtDisabled") else 0
    value |= 0 if source.body.boolean("Prepayment/SuspendDebtEmergency") else _DEBT_IN_EMERGENCY
    return number("u16", value)


def _samples(source: Source, seconds: str) -> bytes:
    """Number of samples of so many seconds that the period holds, and one more."""
    start, end = (source.body.moment(path) for path in source.period)
    intervals = max(0, int((end - start).total_seconds()) // int(seconds))
    return number("u16", min(intervals + 1, 0xFFFF))


def _periodicity(source: Source) -> tuple[int, int]:
    return _PERIODS[source.body.text("GasBillingCalendar/Periodicity")]


def _scaled(source: Source, operand: str) -> bytes:
    factor, path = operand.split()
    return number("u32", source.body.scaled(path, int(factor)))


def _log(source: Source, operand: str) -> bytes:
    """Control and id of an event log; the GPF's copies of the gas meter's logs are 6 and 7 (reference gbcs-text 4)."""
    copy = source.body.text("LogToRead") in _METER_LOGS
    return number("u8", int(operand, 0) + (_COPY if copy else 0))


_FIELDS: dict[str, Callable[[Source, str], bytes]] = {
    "text": lambda source, operand: string(source.body.text(operand)),
    "empty": lambda *_: b"\0",
    "created": lambda source, _: number("u32", encode_utc_seconds(source.context.created)),
    "log": _log,
    "when": lambda source, _: number("u32", source.activation_seconds()),
    "when_after": lambda source, _: number("u32", source.activation_seconds(NEVER_AFTER)),
    "start": lambda source, _: number("u32", source.seconds(source.period[0])),
    "end": lambda source, _: number("u32", source.seconds(source.period[1])),
    "time": lambda source, operand: number("u32", source.seconds(operand)),
    "scaled": _scaled,
    "samples": _samples,
    "flow_rate": lambda source, operand: number("u16", source.body.scaled(operand, 10000)),
    "payment_configuration": _payment_configuration,
    "recovery_period": lambda source, operand: number("u8", _DEBT_PERIODS[source.body.text(f"{operand}/DebtRecoveryRatePeriod")]),
    "supply_state": lambda source, operand: number("u8", _SUPPLY_STATES[source.body.text(operand)]),
    "billing_period": lambda source, _: number("u24", _periodicity(source)[0]),
    "billing_period_type": lambda source, _: number("u8", _periodicity(source)[1]),
    "customer_identification_number": lambda source, _: string(source.customer_identification_number()),
}
