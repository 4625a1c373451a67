"""One record per hop, and the bus that everything reports to.

The REPL line, the log, the report and the sequence diagram are views of the same records. A record never holds a
key, an install code or a plaintext secret: callers pass identifiers, codes and protected bytes only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Record:
    """Event at one hop.

    ``time`` is bench time in seconds since 2000-01-01T00:00:00Z; ``area`` one of dcc, wan, hub, han, device, ichis,
    power, nvm, bench; ``source`` and ``target`` say who (``esme 00db...``, ``chf``, ``gateway``); ``event`` is a verb
    (sent, received, refused, verified, executed, joined ...); ``message`` is the message identifier that ties the hops
    of one message together; ``data`` are the octets at this hop; ``detail`` holds named scalars.
    """

    number: int
    time: float
    area: str
    source: str
    event: str
    target: str | None = None
    message: str | None = None
    data: bytes | None = None
    detail: Mapping[str, Scalar] = field(default_factory=dict)

    def as_json(self) -> str:
        """One line of JSON; octets as hex."""
        out: dict[str, Scalar | dict[str, Scalar]] = {
            "number": self.number,
            "time": round(self.time, 6),
            "area": self.area,
            "source": self.source,
            "event": self.event,
        }
        if self.target is not None:
            out["target"] = self.target
        if self.message is not None:
            out["message"] = self.message
        if self.data is not None:
            out["data"] = self.data.hex()
        if self.detail:
            out["detail"] = dict(self.detail)
        return json.dumps(out)


class Trace:
    """The bus. ``emit`` makes a record and hands it to every subscriber in order."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._number = 0
        self._subscribers: list[Callable[[Record], None]] = []

    def subscribe(self, subscriber: Callable[[Record], None]) -> Callable[[], None]:
        """Call ``subscriber`` with each record from now on; returns the function that ends it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    @property
    def heard(self) -> bool:
        """True if somebody takes the records: what is dear to say may be left unsaid otherwise."""
        return bool(self._subscribers)

    def emit(
        self,
        area: str,
        source: str,
        event: str,
        *,
        target: str | None = None,
        message: str | None = None,
        data: bytes | None = None,
        **detail: Scalar,
    ) -> None:
        """Record one hop at the present bench time."""
        self._number += 1
        if not self._subscribers:
            return
        record = Record(self._number, self._now(), area, source, event, target, message, data, detail)
        for subscriber in tuple(self._subscribers):
            subscriber(record)


class JsonLines:
    """A sink: one JSON object a line, flushed at each record so that a killed run keeps its trace."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8")

    def __call__(self, record: Record) -> None:
        self._file.write(record.as_json() + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Latest:
    """A subscriber that keeps the latest ``most`` records in a list, so that a process that runs for months does not grow."""

    def __init__(self, most: int = 50_000) -> None:
        self.records: list[Record] = []
        self._most = most

    def __call__(self, record: Record) -> None:
        self.records.append(record)
        if len(self.records) > self._most + self._most // 10:
            del self.records[: -self._most]
