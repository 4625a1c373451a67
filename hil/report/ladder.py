"""Ladder (sequence) diagrams from trace records, as SVG text: a few stable lanes, one arrow a hop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from firmware_emu.trace import Record

_COLUMN = 170
_ROW = 24
_TOP = 40
_LEFT = 76
_REFUSED = frozenset({"refused", "lost", "failed", "dropped", "not delivered"})
_KEEP_ALIVE = "KeepAlive"
_SHOWN = 44
"""Characters of an arrow's words that a drawing has room for; its title has them all."""
_ARRIVED = frozenset({"received"})
"""The far side of a hop: drawn where its sender, in another process perhaps, has not told it."""
_WORDS = ("cluster", "variant", "kind", "use_case", "command", "what", "code", "check", "reason")
"""Details that say what a hop carried, the most telling first."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """One hop between two lanes, record ``number`` of the trace; one of ``keep_alive`` asks no more than that the other is there."""

    time: float
    source: str
    target: str
    text: str
    refused: bool
    number: int = 0
    area: str = ""
    keep_alive: bool = False


def arrows(records: Sequence[Record], lanes: Mapping[str, str]) -> list[Arrow]:
    """The hops among ``records`` that lead from one lane to another."""
    found: list[Arrow] = []
    left = set[tuple[str, str, str | None]]()
    for record in records:
        if record.target is None or (record.event in _ARRIVED and record.message is None):
            continue
        source, target = _lane(record.source, lanes), _lane(record.target, lanes)
        if source is None or target is None or source == target:
            continue
        hop = (source, target, record.message)
        if record.event not in _ARRIVED or hop not in left:
            left.add(hop)
            quiet = record.detail.get("cluster") == _KEEP_ALIVE
            refused = record.event in _REFUSED
            found.append(Arrow(record.time, source, target, _text(record), refused, record.number, record.area, quiet))
    return found


def _lane(name: str, lanes: Mapping[str, str]) -> str | None:
    """The lane of a source or target: by its whole name, its identity, or its first word."""
    words = name.split()
    return next((lanes[key] for key in (name, words[-1], words[0]) if key in lanes), None)


def _text(record: Record) -> str:
    said = next((f"{record.detail[word]}" for word in _WORDS if record.detail.get(word)), "")
    command = record.detail.get("command") if record.detail.get("cluster") else None
    return " ".join(str(part) for part in (record.event, said, command) if part)


def _shortened(text: str) -> str:
    return escape(text) if len(text) <= _SHOWN else f"{escape(text[: _SHOWN - 1])}…<title>{escape(text)}</title>"


def draw_ladder(
    found: Sequence[Arrow], lanes: Mapping[str, str], *, began: float, title: str, marks: Mapping[int, str] | None = None
) -> str:
    """The arrows as an ``<svg>`` element; ``began`` is the bench time that counts as zero. ``marks`` are words that stand at the left
    under an arrow, by its number from 0."""
    used = {lane for arrow in found for lane in (arrow.source, arrow.target)}
    names = [lane for lane in dict.fromkeys(lanes.values()) if lane in used]
    x = {name: _LEFT + _COLUMN // 2 + i * _COLUMN for i, name in enumerate(names)}
    width, height = _LEFT + _COLUMN * len(names), _TOP + _ROW * (len(found) + 1)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" class="ladder" '
        f'role="img" aria-label="{escape(title)}">',
    ]
    for name, at in x.items():
        out.append(f'<text x="{at}" y="16" text-anchor="middle" class="who">{escape(name)}</text>')
        out.append(f'<line x1="{at}" y1="24" x2="{at}" y2="{height}" stroke="#cccccc"/>')
    for row, arrow in enumerate(found):
        y = _TOP + _ROW * (row + 1)
        start, end = x[arrow.source], x[arrow.target]
        colour = "#b3261e" if arrow.refused else "#00587c"
        back = -7 if end > start else 7
        out.append(f'<text x="4" y="{y}" class="when">{arrow.time - began:.3f} s</text>')
        out.append(f'<line x1="{start}" y1="{y}" x2="{end}" y2="{y}" stroke="{colour}"/>')
        out.append(f'<path d="M{end} {y}l{back} -4v8z" fill="{colour}"/>')
        out.append(f'<text x="{(start + end) / 2}" y="{y - 4}" text-anchor="middle" class="what">{_shortened(arrow.text)}</text>')
    for row, words in (marks or {}).items():
        y = _TOP + _ROW * (row + 1) + _ROW // 2
        out.append(f'<text x="4" y="{y}" class="state">{escape(words)}</text>')
    out.append("</svg>")
    return "\n".join(out)
