"""EZSP frames of any version in words, by the tables of bellows: names of fields, statuses, enumerations and structures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import bellows.types as t
from bellows.ezsp import EZSP
from zigpy.types import Struct

from firmware_emu.errors import DecodeError
from hil.radio.ncp.ezsp import FIRST_SL_STATUS, Request, decode_frame

VERSIONS: tuple[int, ...] = tuple(EZSP._BY_VERSION)
_FINE = frozenset(
    {
        "SUCCESS",
        "OK",
        "NETWORK_UP",
        "NETWORK_OPENED",
        "NETWORK_CLOSED",
        "CHANNEL_CHANGED",
        "ZIGBEE_NETWORK_OPENED",
        "ZIGBEE_NETWORK_CLOSED",
        "ZIGBEE_CHANNEL_CHANGED",
        "MAC_NO_DATA",
    }
)
"""Statuses that tell of no failure."""
_UNSURE = frozenset(
    {
        "NOT_JOINED",
        "NOT_FOUND",
        "INDEX_OUT_OF_RANGE",
        "EMPTY",
        "OPERATION_IN_PROGRESS",
        "IN_PROGRESS",
        "KEY_NOT_AUTHORIZED",
        "LIBRARY_NOT_PRESENT",
    }
)
"""Statuses with which firmware answers a question: no failure of a command either."""
_STATUS = (t.EmberStatus, t.EzspStatus, t.sl_Status)


@dataclass(frozen=True, slots=True)
class Words:
    """A frame in words. ``kind``: command, response or callback. ``failed``: the statuses in it that tell of a failure.

    ``rest``: octets that no field takes; none where the version fits.
    """

    name: str
    kind: str
    fields: tuple[tuple[str, str], ...]
    failed: tuple[str, ...]
    rest: bytes
    sequence: int
    overflow: bool = False

    @property
    def text(self) -> str:
        """One line."""
        return ", ".join(f"{name} {value}" for name, value in self.fields)


@cache
def _by_id(version: int) -> dict[int, tuple[str, Any, Any]]:
    return {row[0]: (name, row[1], row[2]) for name, row in EZSP._BY_VERSION[version].COMMANDS.items()}


def shown(value: Any) -> str:
    """A value by its name, where its type has names; keys are not shown."""
    if isinstance(value, t.KeyData):
        return "a key, not shown"
    if isinstance(value, Struct):
        return "(" + ", ".join(f"{field.name} {shown(getattr(value, field.name))}" for field in value.fields) + ")"
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex() or "none"
    if isinstance(value, t.EUI64):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(one) for one in value) + "]"
    name = getattr(value, "name", None)
    return str(name) if name else str(value)


def no_failure(status: str) -> bool:
    """True for a status, by its name, that tells of no failure of a command."""
    return status in _FINE or status in _UNSURE


def _statuses(value: Any) -> Iterator[str]:
    if isinstance(value, _STATUS):
        yield value.name
    elif isinstance(value, Struct):
        for field in value.fields:
            yield from _statuses(getattr(value, field.name))


def words(octets: bytes, version: int, *, from_host: bool) -> Words:
    """A frame of that version in words. Raises DecodeError: an id that the version has not, fields that do not fit."""
    request = _parted(octets, version, from_host=from_host)
    row = _by_id(version).get(request.frame_id)
    if row is None:
        raise DecodeError(2, "EZSP frame id", f"read {request.frame_id:04x}, expected a command of version {version}")
    name, asked, answered = row
    schema = asked if from_host else answered
    try:
        if isinstance(schema, dict):
            values, rest = t.deserialize_dict(request.parameters, schema)
        else:
            made, rest = schema.deserialize(request.parameters)
            values = {field.name: getattr(made, field.name) for field in made.fields}
    except (ValueError, KeyError, IndexError, AssertionError) as wrong:
        raise DecodeError(len(octets), name, f"{request.parameters.hex()} does not fit the fields of version {version}: {wrong}") from wrong
    failed = () if from_host else tuple(one for value in values.values() for one in _statuses(value) if one not in _FINE | _UNSURE)
    callback = not from_host and (bool(request.control & 0x18) or name.endswith("Handler"))
    kind = "command" if from_host else "callback" if callback else "response"
    fields = tuple((field, shown(value)) for field, value in values.items() if value is not None)
    return Words(name, kind, fields, failed, bytes(rest), request.sequence, bool(request.control & 1) and not from_host)


def _parted(octets: bytes, version: int, *, from_host: bool) -> Request:
    """Sequence, id and parameters. The version command and its first answer come in the oldest form whatever the version."""
    if len(octets) == 7 and octets[1] & 0x80 and octets[2] == 0 and version != 4 and octets[3] in VERSIONS:
        return Request(octets[0], 0, octets[3:], True, octets[1])
    return decode_frame(octets, version)


def version_told(octets: bytes) -> int | None:
    """The version that an answer to ``version`` states, whichever form it has; None: it is no such answer."""
    for head in (b"\x80\x00", b"\x80\xff\x00\x00", b"\x80\x01\x00\x00"):
        if octets[1 : 1 + len(head)] == head and len(octets) == 1 + len(head) + 4 and octets[1 + len(head)] in VERSIONS:
            return octets[1 + len(head)]
    return None


def fits(frames: list[tuple[bytes, bool]], version: int) -> int:
    """Number of frames (octets, and whether they are the host's) that the version explains to the last octet."""
    found = 0
    for octets, from_host in frames:
        try:
            found += not words(octets, version, from_host=from_host).rest
        except DecodeError:
            continue
    return found


def best_version(frames: list[tuple[bytes, bool]]) -> int:
    """The version that explains most of the frames, of several the newest."""
    return max(VERSIONS, key=lambda version: (fits(frames, version), version))


def status_name(octets: bytes, kind: str, version: int) -> tuple[str, bool]:
    """Name of a status field (``st`` of Ember, ``es`` of EZSP, ``sl``) of that version, and whether it tells of no failure."""
    number = int.from_bytes(octets, "little")
    of_sl = version >= FIRST_SL_STATUS or kind == "sl"
    status = t.sl_Status(number) if of_sl else t.EzspStatus(number) if kind == "es" else t.EmberStatus(number)
    return status.name, status.name in _FINE
