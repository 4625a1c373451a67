"""Event and security logs of a Device, and which entry and alert an event code leads to (``events.csv``).

Reference gbcs-spec-notes 16: logs are circular; event, security and power event logs hold 100 entries.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.store import Store

DEPTH = 100
"""Entries of every log here (SMETS 5.7.5.16, 5.7.5.25, 5.7.5.31; reference smets 2)."""


class LogName(Enum):
    """The logs an event can be written to."""

    EVENT = "event"
    SECURITY = "security"
    POWER = "power"
    ALCS = "alcs"


class AlertKind(Enum):
    """Protection of an alert: critical ones are signed, the others carry a MAC (reference gbcs-spec-notes 7.2)."""

    SIGNED = "signed"
    MAC = "mac"


@dataclass(frozen=True, slots=True)
class EventRoute:
    """Route of an event: ``log`` entries, and the alert with its parties. Empty ``parties``: as the profile says."""

    code: int
    logs: tuple[LogName, ...]
    alert: AlertKind | None
    parties: tuple[RemotePartyRole, ...]


@cache
def _routes() -> dict[tuple[int, str], EventRoute]:
    text = resources.files("firmware_emu.device").joinpath("events.csv").read_text(encoding="utf-8")
    routes = {}
    for row in csv.DictReader(text.splitlines()):
        code = int(row["code"], 16)
        parties = () if row["party"] in ("", "profile") else tuple(RemotePartyRole[name] for name in row["party"].split())
        routes[code, row["device"]] = EventRoute(
            code,
            tuple(LogName(name) for name in row["log"].split()),
            AlertKind(row["alert"]) if row["alert"] else None,
            parties,
        )
    return routes


def route(code: int, device_type: DeviceType) -> EventRoute:
    """The route of ``code`` on this type of Device.

    A code without a row of its own follows the ESME row; one without any row follows its block: 0x8Fxx signed alert
    and security log, others MACed alert and event log (inferred from the rows there are).
    """
    routes = _routes()
    found = routes.get((code, device_type.name)) or routes.get((code, DeviceType.ESME.name))
    if found is not None:
        return found
    if code >> 8 == 0x8F:
        return EventRoute(code, (LogName.SECURITY,), AlertKind.SIGNED, ())
    return EventRoute(code, (LogName.EVENT,), AlertKind.MAC, ())


@cache
def configurable_events() -> tuple[int, ...]:
    """The non-critical codes (80xx, 81xx), which alone can be configured (reference gbcs-spec-notes 16), rising."""
    return tuple(sorted({code for code, _ in _routes() if code >> 8 in (0x80, 0x81)}))


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry: bench ``time`` (seconds since 2000, UTC), event ``code``, ``other`` information octets."""

    time: int
    code: int
    other: bytes = b""


class EventLog:
    """One circular log in the Device's store, oldest entry overwritten."""

    def __init__(self, store: Store, prefix: str, name: LogName, depth: int = DEPTH) -> None:
        self._store = store
        self._prefix = f"{prefix}log/{name.value}/"
        self._depth = depth

    def add(self, entry: LogEntry) -> None:
        """Append ``entry``."""
        written = self._written()
        octets = entry.time.to_bytes(4, "big") + entry.code.to_bytes(2, "big") + entry.other
        with self._store.transaction():
            self._store.put(f"{self._prefix}slot/{written % self._depth:04d}", octets)
            self._store.put(self._prefix + "written", (written + 1).to_bytes(8, "big"))

    def entries(self, start: int = 0, end: int = 0xFFFFFFFF) -> list[LogEntry]:
        """Entries with ``start`` <= time <= ``end``, oldest first."""
        written = self._written()
        found = []
        for number in range(max(0, written - self._depth), written):
            octets = self._store.get(f"{self._prefix}slot/{number % self._depth:04d}")
            if octets is not None:
                entry = LogEntry(int.from_bytes(octets[:4], "big"), int.from_bytes(octets[4:6], "big"), octets[6:])
                if start <= entry.time <= end:
                    found.append(entry)
        return found

    def after(self, number: int) -> tuple[list[tuple[int, LogEntry]], int]:
        """The entries still held of those written after the first ``number``, each with its own number, and the number of the newest."""
        written = self._written()
        found = []
        for place in range(max(number, written - self._depth), written):
            octets = self._store.get(f"{self._prefix}slot/{place % self._depth:04d}")
            if octets is not None:
                found.append((place + 1, LogEntry(int.from_bytes(octets[:4], "big"), int.from_bytes(octets[4:6], "big"), octets[6:])))
        return found, written

    def clear(self) -> None:
        """Forget all entries (only the event and ALCS logs may be cleared; the caller logs 0x8F52)."""
        with self._store.transaction():
            for key in self._store.keys(self._prefix + "slot/"):
                self._store.delete(key)

    def _written(self) -> int:
        octets = self._store.get(self._prefix + "written")
        return 0 if octets is None else int.from_bytes(octets, "big")
