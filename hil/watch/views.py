"""Shapes of the page: hops of the ladder, the map of the HAN, the supply, out of the records of a bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from firmware_emu.clock import EPOCH
from firmware_emu.console.records import BAD, line
from firmware_emu.trace import Record
from hil.bench.lanes import lanes_of
from hil.report.ladder import arrows

KEPT = 20_000
"""Records kept; the oldest go (own limit, that of the self-service page)."""
_GONE = frozenset({"left", "removed"})
_CAME = frozenset({"joined", "rejoined", "established", "commissioned"})
_LINE_LEVELS = frozenset({"high", "low"})


@dataclass
class _Member:
    """One Device on the map. ``heard``: bench time of its last frame."""

    name: str
    eui: str
    type: str
    joined: bool = False
    asleep: bool = False
    heard: float | None = None


@dataclass
class BenchView:
    """State of a bench, built up from its records in their order."""

    board: Mapping[str, Any]
    records: list[Record] = field(default_factory=list)
    volts: list[tuple[float, float]] = field(default_factory=list)
    """Bench seconds since 2000 and volts at the hub's pins."""
    lines: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """Every change of a line of the connector: bench seconds and level, by the line's name."""
    links: set[tuple[str, str]] = field(default_factory=set)
    """EUI-64s of Devices that talked to each other, past the hub."""
    displays: dict[str, Mapping[str, object]] = field(default_factory=dict)
    """Values that each meter's own display showed last, by its name: registers and balance of a run that is over."""
    powered: bool | None = None

    def __post_init__(self) -> None:
        self.lanes = lanes_of(self.board)
        devices = self.board["device"]
        self.members = {one["eui"]: _Member(one["name"], one["eui"], one["type"]) for one in devices}

    @property
    def last(self) -> int:
        """Number of the newest record, 0 without one."""
        return self.records[-1].number if self.records else 0

    def take(self, records: Sequence[Record]) -> None:
        """The records that came."""
        for record in records:
            self._member(record)
            self._supply(record)
        self.records += records
        del self.records[:-KEPT]
        del self.volts[:-KEPT]

    def _member(self, record: Record) -> None:
        member = self.members.get(record.source.rpartition(" ")[2])
        if member is not None:
            if record.area == "han" and record.event in ("sent", "received"):
                member.heard, member.joined = record.time, True
            if record.event in ("asleep", "awake"):
                member.asleep = record.event == "asleep"
        if record.area == "device" and record.event == "display":
            self.displays[record.source] = record.detail
        other = self.members.get(record.target or "")
        if member is not None and other is not None and record.area == "han" and record.event in ("sent", "received"):
            self.links.add((min(member.eui, other.eui), max(member.eui, other.eui)))
        for one in (member, other):
            if one is not None and record.area == "han" and record.event in _CAME | _GONE:
                one.joined = record.event in _CAME

    def _supply(self, record: Record) -> None:
        if record.area != "ichis":
            return
        at_pins = record.detail.get("at_pins")
        if isinstance(at_pins, (int, float)):
            self.volts.append((record.time, float(at_pins)))
        if record.event in ("powered", "unpowered"):
            self.powered = record.event == "powered"
        what = record.detail.get("what")
        if record.event == "drove" and isinstance(what, str):
            name, _, level = what.rpartition(" ")
            changes = self.lines.setdefault(name, []) if level in _LINE_LEVELS else None
            if changes is not None and (not changes or changes[-1][1] != level):
                changes.append((record.time, level))
                del changes[:-KEPT]

    def hops(self, behind: int) -> list[dict[str, object]]:
        """The hops of records behind a number, as the ladder draws them; a record that leads nowhere is a hop of its own lane."""
        new = [record for record in self.records if record.number > behind]
        drawn = {arrow.number: arrow for arrow in arrows(new, self.lanes)}
        found: list[dict[str, object]] = []
        for record in new:
            arrow = drawn.get(record.number)
            if arrow is None and record.event not in BAD:
                continue
            when = EPOCH + timedelta(seconds=record.time)
            source, target = self._ends(record) if arrow is None else (arrow.source, arrow.target)
            found.append(
                {
                    "number": record.number,
                    "date": f"{when:%Y-%m-%d}",
                    "time": f"{when:%H:%M:%S}.{when.microsecond // 1000:03d}",
                    "area": record.area,
                    "from": source,
                    "to": target,
                    "text": arrow.text.removeprefix("sent ") if arrow is not None else f"{record.event} by {record.source}",
                    "bad": record.event in BAD,
                    "keep_alive": arrow is not None and arrow.keep_alive,
                    "line": line(record).plain,
                }
            )
        return found

    def _ends(self, record: Record) -> tuple[str, str]:
        """The lanes of a record that is no hop: those between which a fault acted, or its own lane twice."""
        told = [self.lanes.get(str(record.detail.get(word))) for word in ("sender", "receiver")]
        if told[0] is not None and told[1] is not None:
            return told[0], told[1]
        lane = self.lanes.get(record.source) or self.lanes.get(record.source.rpartition(" ")[2]) or record.source
        return lane, lane

    def as_json(self, behind: int) -> dict[str, object]:
        """Everything that changes, for a page that has the records up to ``behind``."""
        now = self.records[-1].time if self.records else 0.0
        return {
            "last": self.last,
            "now": now,
            "hops": self.hops(behind),
            "lanes": list(dict.fromkeys(self.lanes.values())),
            "members": [
                {
                    "name": one.name,
                    "eui": one.eui,
                    "type": one.type,
                    "state": "asleep" if one.joined and one.asleep else "on the HAN" if one.joined else "not on the HAN",
                    "heard": "never" if one.heard is None else f"{now - one.heard:.1f} s",
                }
                for one in self.members.values()
            ],
            "links": sorted(
                [self.members[one].name, self.members[other].name]
                for one, other in self.links
                if self.members[one].joined and self.members[other].joined
            ),
            "displays": self.displays,
            "volts": self.volts,
            "lines": self.lines,
            "powered": self.powered,
        }
