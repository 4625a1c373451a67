"""ASN.1 payloads of responses and alerts as named values (reference gbcs-messages 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, TypeAlias

from ..errors import DecodeError
from . import der
from .der import Item
from .envelope import Entity
from .moments import generalized_time

DIGITAL_SIGNATURE, KEY_AGREEMENT, KEY_CERT_SIGN = "0780", "0308", "0204"
"""Key usages: the octets of their bit-strings in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A trust anchor cell: role number, key usage, cell usage (0 management, 1 prepayment top-up)."""

    role: int
    usage: str
    top_up: int


@dataclass(frozen=True, slots=True)
class CounterChange:
    """A counter that a credentials update changed, with the floor of prepayment top-ups if that changed too."""

    role: int
    floor: int
    top_up_floor: int | None


@dataclass(frozen=True, slots=True)
class Replacement:
    """Outcome for one cell; identifiers of subject and key before and after."""

    cell: Cell
    status: int
    party: Entity
    key: bytes
    new_party: Entity
    new_key: bytes


@dataclass(frozen=True, slots=True)
class CredentialsOutcome:
    """Outcome of a credentials update."""

    counter: int
    mode: int
    changes: tuple[CounterChange, ...]
    replacements: tuple[Replacement, ...]


@dataclass(frozen=True, slots=True)
class CredentialsUpdated:
    """The response: the outcome, None where the update is to be executed later."""

    outcome: CredentialsOutcome | None


@dataclass(frozen=True, slots=True)
class HeldCell:
    """A cell that a Device holds: whose certificate, and the identifier of its key."""

    usage: str
    top_up: int
    party: Entity
    key: bytes


@dataclass(frozen=True, slots=True)
class RoleDetails:
    """Credentials that a Device holds of one role; status alone where that is no success."""

    role: int
    status: int
    counter: int | None
    cells: tuple[HeldCell, ...]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of a device log."""

    device: Entity
    device_type: int


@dataclass(frozen=True, slots=True)
class DeviceLog:
    """The device log, None where it could not be read."""

    code: int
    entries: tuple[LogEntry, ...] | None


@dataclass(frozen=True, slots=True)
class RestoredLog:
    """Entries with the join response code of each."""

    outcomes: tuple[tuple[LogEntry, int], ...]


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The Device's time after setting it; status 0 reliable, 1 invalid, 2 unreliable."""

    at: datetime | None
    code: int


@dataclass(frozen=True, slots=True)
class Activated:
    """A firmware activation: code 0 success, 1 no image, 2 hash mismatch, 3 activation failure."""

    code: int
    version: bytes


@dataclass(frozen=True, slots=True)
class Version:
    """A firmware version; code 0 success, 1 failure."""

    version: bytes
    code: int


@dataclass(frozen=True, slots=True)
class DelayedUpdate:
    """An alert: a credentials update that was to be executed later."""

    outcome: CredentialsOutcome


@dataclass(frozen=True, slots=True)
class DelayedActivation:
    """An alert: a firmware activation that was to be executed later."""

    counter: int
    outcome: Activated


@dataclass(frozen=True, slots=True)
class LogBackup:
    """An alert: the GPF's device log."""

    entries: tuple[LogEntry, ...]


@dataclass(frozen=True, slots=True)
class ImageTransfer:
    """An alert: an image sent to a Device; code 0 success, 1 discarded, 2 hardware mismatch, 3 transfer failure."""

    device: Entity
    version: bytes
    code: int


@dataclass(frozen=True, slots=True)
class ActivationReport:
    """An alert: a PPMID's activation."""

    version: bytes
    code: int


Asn1Value: TypeAlias = (
    "CredentialsUpdated | tuple[RoleDetails, ...] | DeviceLog | RestoredLog | ClockSet | Activated | Version | int | bytes | None"
)
Asn1Content: TypeAlias = "DelayedUpdate | DelayedActivation | LogBackup | ImageTransfer | ActivationReport"


@dataclass(frozen=True, slots=True)
class Asn1Response:
    """``value`` by message code: bytes is a certificate or certification request (DER), a number a status, None accepted for later."""

    items: tuple[Item, ...]
    value: Asn1Value


@dataclass(frozen=True, slots=True)
class Asn1Alert:
    """An alert of that notation: code, time, content."""

    items: tuple[Item, ...]
    code: int
    at: datetime | None
    content: Asn1Content


@dataclass(frozen=True, slots=True)
class Asn1Command:
    """A command: values as they stand."""

    items: tuple[Item, ...]


def _wrong(item: Item, expected: str) -> NoReturn:
    kind = der.NAMES.get(item.tag, f"tag {item.tag:02x}")
    raise DecodeError(item.offset, "ASN.1", f"read {kind} {item.text()[:40]}, expected {expected}")


def _as(item: Item, tag: int) -> Item:
    return item if item.tag == tag else _wrong(item, der.NAMES[tag])


def _integer(item: Item) -> int:
    if not item.content:
        _wrong(item, "an integer of at least one octet")
    return _as(item, der.INTEGER).number


def _octets(item: Item, size: int | None = None) -> bytes:
    found = _as(item, der.OCTET_STRING).content
    return found if size is None or len(found) == size else _wrong(item, f"{size} octets")


def _entity(item: Item) -> Entity:
    return Entity(_octets(item, 8))


def _sequence(item: Item, least: int = 0, most: int | None = None) -> tuple[Item, ...]:
    items = _as(item, der.SEQUENCE).items
    if len(items) < least or (most is not None and len(items) > most):
        _wrong(item, f"a sequence of {least} to {most} values")
    return items


def _status(item: Item) -> int:
    return _as(item, der.ENUMERATED).number


def _usage(item: Item) -> str:
    return _as(item, der.BIT_STRING).content.hex()


def _moment(item: Item) -> datetime | None:
    return generalized_time(_as(item, der.GENERALIZED_TIME).content)


def _cell(item: Item) -> Cell:
    parts = _sequence(item, 2, 3)
    return Cell(_integer(parts[0]), _usage(parts[1]), _integer(parts[2]) if len(parts) > 2 else 0)


def _outcome(item: Item) -> CredentialsOutcome:
    counter, mode, changes, replacements = _sequence(item, 4, 4)
    return CredentialsOutcome(
        _integer(counter),
        _integer(mode),
        tuple(_change(change) for change in _sequence(changes)),
        tuple(_replacement(one) for one in _sequence(replacements)),
    )


def _change(item: Item) -> CounterChange:
    parts = _sequence(item, 2, 3)
    special = _sequence(parts[2]) if len(parts) > 2 else ()
    top_up = _integer(_sequence(special[0], 2, 2)[1]) if special else None
    return CounterChange(_integer(parts[0]), _integer(parts[1]), top_up)


def _replacement(item: Item) -> Replacement:
    cell, status, party, key, new_party, new_key = _sequence(item, 6, 6)
    return Replacement(_cell(cell), _status(status), _entity(party), _octets(key, 8), _entity(new_party), _octets(new_key, 8))


def _updated(item: Item) -> CredentialsUpdated:
    parts = _sequence(item, 1, 2)
    _as(parts[0], der.NULL)
    return CredentialsUpdated(_outcome(parts[1]) if len(parts) > 1 else None)


def _role(item: Item) -> RoleDetails:
    parts = _sequence(item, 2, 4)
    cells: list[HeldCell] = []
    for held in _sequence(parts[3]) if len(parts) > 3 else ():
        fields = _sequence(held, 3, 4)
        top_up = _integer(fields[1]) if len(fields) == 4 else 0
        cells.append(HeldCell(_usage(fields[0]), top_up, _entity(fields[-2]), _octets(fields[-1], 8)))
    return RoleDetails(_integer(parts[0]), _status(parts[1]), _integer(parts[2]) if len(parts) > 2 else None, tuple(cells))


def _roles(item: Item) -> tuple[RoleDetails, ...]:
    return tuple(_role(role) for role in _sequence(item))


def _entry(item: Item) -> LogEntry:
    device, kind = _sequence(item, 2, 2)
    return LogEntry(_entity(device), _integer(kind))


def _log(item: Item) -> DeviceLog:
    parts = _sequence(item, 1, 2)
    return DeviceLog(_integer(parts[0]), tuple(_entry(entry) for entry in _sequence(parts[1])) if len(parts) > 1 else None)


def _restored(item: Item) -> RestoredLog:
    (outcomes,) = _sequence(item, 1, 1)
    pairs = (_sequence(outcome, 2, 2) for outcome in _sequence(outcomes))
    return RestoredLog(tuple((_entry(entry), _integer(code)) for entry, code in pairs))


def _clock(item: Item) -> ClockSet:
    at, code = _sequence(item, 2, 2)
    return ClockSet(_moment(at), _integer(code))


def _activated(item: Item) -> Activated:
    code, version = _sequence(item, 2, 2)
    return Activated(_integer(code), _octets(version, 4))


def _activation(item: Item) -> Activated | None:
    return None if item.tag == der.NULL else _activated(item)


def _version(item: Item) -> Version:
    version, code = _sequence(item, 2, 2)
    return Version(_octets(version, 4), _integer(code))


def _status_or_octets(item: Item) -> int | bytes:
    return item.octets if item.tag == der.SEQUENCE else _integer(item)


_RESPONSES: dict[int, Callable[[Item], Asn1Value]] = {
    0x0008: _roles,
    0x011B: _roles,
    **{0x0100 + mode: _updated for mode in range(10)},
    0x0125: _updated,
    0x0126: _updated,
    0x000A: _status_or_octets,
    0x000B: _integer,
    0x000C: _status_or_octets,
    0x000D: _integer,
    0x00AB: _integer,
    0x000E: _integer,
    0x00AF: _integer,
    0x000F: _integer,
    0x0010: _integer,
    0x0012: _activation,
    0x0013: _log,
    0x0129: _version,
    0x007F: _clock,
    0x008C: _restored,
}


def _backup(parts: tuple[Item, ...]) -> Asn1Content:
    return LogBackup(tuple(_entry(entry) for entry in _sequence(parts[0])))


_ALERTS: dict[int, tuple[int, Callable[[tuple[Item, ...]], Asn1Content]]] = {
    0x00CA: (2, lambda parts: DelayedActivation(_integer(parts[0]), _activated(parts[1]))),
    0x00CB: (1, lambda parts: DelayedUpdate(_outcome(parts[0]))),
    0x0124: (1, lambda parts: DelayedUpdate(_outcome(parts[0]))),
    0x00B2: (1, _backup),
    0x0128: (3, lambda parts: ImageTransfer(_entity(parts[0]), _octets(parts[1], 4), _integer(parts[2]))),
    0x012B: (2, lambda parts: ActivationReport(_octets(parts[0], 4), _integer(parts[1]))),
}
"""Message code: how many values follow code and time, and their reader."""
ALERT_CODES = frozenset(_ALERTS)
COMMAND_CODES = frozenset(_RESPONSES)


def read_asn1_command(payload: bytes, base: int = 0) -> Asn1Command:
    """Raises DecodeError."""
    return Asn1Command(der.read_der(payload, base))


def read_asn1_response(message_code: int, payload: bytes, base: int = 0) -> Asn1Response:
    """Raises DecodeError, also where the message code is none of this notation."""
    items = der.read_der(payload, base)
    reader = _RESPONSES.get(message_code)
    if reader is None or len(items) != 1:
        raise DecodeError(base, "ASN.1", f"{len(items)} values in a response {message_code:04x}, expected one of a code of this notation")
    return Asn1Response(items, reader(items[0]))


def read_asn1_alert(message_code: int, payload: bytes, base: int = 0) -> Asn1Alert:
    """Raises DecodeError."""
    items = der.read_der(payload, base)
    if message_code not in _ALERTS or len(items) != 1:
        raise DecodeError(base, "ASN.1", f"{len(items)} values in an alert {message_code:04x}, expected one of a code of this notation")
    count, reader = _ALERTS[message_code]
    parts = _sequence(items[0], 2 + count, 2 + count)
    return Asn1Alert(items, _integer(parts[0]), _moment(parts[1]), reader(parts[2:]))
