"""Publications of suppliers to a gas meter, kept as they came, so that reads bring them back: calendars, billing period, sampling.

Calendars have identifiers. A read names one of them, or FFFFFFFF for the tariff's calendar in force and FFFFFFFE for that of the
non-disablement periods (RTDS GCS21f, GCS21b).
"""

from __future__ import annotations

from firmware_emu.device.gbz_server import ZclAnswer
from firmware_emu.device.store import Store
from firmware_emu.gbcs.gbz import Component
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.declare import FieldValue
from firmware_emu.zse.zcl import ZclStatus

_IN_FORCE = {0xFFFFFFFF: 0, 0xFFFFFFFE: 3}
"""Wildcard identifier to the calendar type it stands for (reference gbcs-messages 7A: 0 delivered, 3 friendly credit)."""
_PUBLISH_CALENDAR = 0x00
_PARTS = ("calendar_type", "day", "week", "command_index")


class Published:
    """Payloads by cluster, command, calendar and part, in the meter's store."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix + "published/"

    def keep(self, part: Component, fields: dict[str, FieldValue]) -> None:
        """Keep a published payload in the place of what it replaces; a new calendar of a type is the one in force from then on."""
        calendar = fields.get("calendar")
        if part.cluster == CALENDAR.id and isinstance(calendar, int):
            index = "/".join([f"{calendar:08x}", *(f"{name}{fields[name]!r}" for name in _PARTS[1:] if name in fields)])
            if part.command == _PUBLISH_CALENDAR:
                self._store.put(f"{self._prefix}in_force/{fields['calendar_type']!r}", calendar.to_bytes(4, "big"))
        else:
            index = "/".join(repr(fields[name]) for name in _PARTS if name in fields)
        self._store.put(f"{self._prefix}{part.cluster:04x}/{part.command:02x}/{index}", part.payload)

    def latest(self, cluster: int, command: int) -> bytes | None:
        """Last publication by a command that has one payload."""
        keys = self._store.keys(f"{self._prefix}{cluster:04x}/{command:02x}/")
        return self._store.get(keys[-1]) if keys else None

    def calendar_parts(self, command: int, kind: int) -> list[bytes]:
        """The parts that a command published of the calendar of a type that is in force."""
        octets = self._store.get(f"{self._prefix}in_force/{kind}")
        return [] if octets is None else self._payloads(f"{self._prefix}{CALENDAR.id:04x}/{command:02x}/{octets.hex()}")

    def read(self, cluster: int, command: int) -> ZclStatus | list[ZclAnswer]:
        """Every payload published by a command, one answer each."""
        return self._answers(f"{self._prefix}{cluster:04x}/{command:02x}/", command)

    def read_calendar(self, command: int, calendar: int) -> ZclStatus | list[ZclAnswer]:
        """The same for one calendar."""
        kind = _IN_FORCE.get(calendar)
        if kind is not None:
            octets = self._store.get(f"{self._prefix}in_force/{kind}")
            if octets is None:
                return ZclStatus.NOT_FOUND
            calendar = int.from_bytes(octets, "big")
        return self._answers(f"{self._prefix}{CALENDAR.id:04x}/{command:02x}/{calendar:08x}", command)

    def _answers(self, prefix: str, command: int) -> ZclStatus | list[ZclAnswer]:
        return [ZclAnswer(command, payload) for payload in self._payloads(prefix)] or ZclStatus.NOT_FOUND

    def _payloads(self, prefix: str) -> list[bytes]:
        found = [self._store.get(key) for key in self._store.keys(prefix)]
        return [payload for payload in found if payload is not None]
