"""Two conformance runs side by side: which verdicts and measurements moved."""

from __future__ import annotations

from dataclasses import dataclass

from hil.report.conformance import CheckRow, RunRecord
from hil.report.measurements import figure

_MOVED = 0.02


@dataclass(frozen=True, slots=True)
class Moved:
    """One check that differs. ``what`` is verdict, value, limit, or only in one run."""

    id: str
    round: int
    what: str
    before: str
    after: str

    def as_json(self) -> dict[str, str | int]:
        return {"id": self.id, "round": self.round, "what": self.what, "before": self.before, "after": self.after}


def compare(before: RunRecord, after: RunRecord, threshold: float = _MOVED) -> list[Moved]:
    """Changes from ``before`` to ``after``; a measurement counts when it moved by more than ``threshold`` of its size."""
    one, other = _rows(before), _rows(after)
    found: list[Moved] = []
    for key in dict.fromkeys((*one, *other)):
        old, new = one.get(key), other.get(key)
        if old is None or new is None:
            there = "not there" if old is None else old["verdict"]
            found.append(Moved(*key, "only in one run", there, "not there" if new is None else new["verdict"]))
            continue
        if old["verdict"] != new["verdict"]:
            found.append(Moved(*key, "verdict", old["verdict"], new["verdict"]))
        if old["limit"] != new["limit"]:
            found.append(Moved(*key, "limit", old["limit"], new["limit"]))
        if _differ(old["value"], new["value"], threshold):
            found.append(Moved(*key, "value", _text(old), _text(new)))
    return found


def facts_moved(before: RunRecord, after: RunRecord) -> dict[str, tuple[str, str]]:
    """Facts of the bench that differ."""
    names = dict.fromkeys((*before["facts"], *after["facts"]))
    return {
        name: (before["facts"].get(name, ""), after["facts"].get(name, ""))
        for name in names
        if before["facts"].get(name) != after["facts"].get(name)
    }


def _rows(record: RunRecord) -> dict[tuple[str, int], CheckRow]:
    return {(row["id"], row["round"]): row for row in record["checks"]}


def _differ(old: float | None, new: float | None, threshold: float) -> bool:
    if old is None or new is None:
        return old is not new
    return abs(new - old) > threshold * max(abs(old), abs(new), 1e-6)


def _text(row: CheckRow) -> str:
    return figure(row["value"], row["unit"], 6) or "nothing"
