"""A ladder (sequence) diagram from trace records, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from firmware_emu.trace import Record

_COLUMN = 150
_ROW = 22
_TOP = 44
_LEFT = 90


@dataclass(frozen=True, slots=True)
class Ladder:
    """``text`` is an ``<svg>`` element; ``shown`` of ``total`` arrows are in it."""

    text: str
    shown: int
    total: int


def arrows(records: Sequence[Record]) -> list[Record]:
    """The records that are arrows: something went from a source to another target."""
    return [record for record in records if record.target is not None and record.target != record.source]


def _label(record: Record) -> str:
    what = record.detail.get("use_case") or record.detail.get("what") or ""
    return f"{record.event} {what}".strip()


def draw_ladder(records: Sequence[Record], *, began: float, limit: int = 120) -> Ladder:
    """Arrows of ``records`` in time order; ``began`` is the bench time that counts as zero."""
    every = arrows(records)
    chosen = every[:limit]
    names: list[str] = []
    for record in chosen:
        for name in (record.source, record.target or ""):
            if name not in names:
                names.append(name)
    x = {name: _LEFT + _COLUMN // 2 + i * _COLUMN for i, name in enumerate(names)}
    width = _LEFT + _COLUMN * max(1, len(names))
    height = _TOP + _ROW * (len(chosen) + 1)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" class="ladder" role="img" aria-label="message ladder">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#00587c"/></marker>'
        '<marker id="no" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#b3261e"/></marker></defs>',
    ]
    for name, at in x.items():
        out.append(f'<text x="{at}" y="18" text-anchor="middle" class="who">{escape(name)}</text>')
        out.append(f'<line x1="{at}" y1="26" x2="{at}" y2="{height}" stroke="#cccccc"/>')
    for row, record in enumerate(chosen):
        y = _TOP + _ROW * (row + 1)
        start, end = x[record.source], x[record.target or ""]
        refused = record.event in {"refused", "lost", "failed", "dropped"}
        colour, head = ("#b3261e", "no") if refused else ("#00587c", "head")
        out.append(f'<text x="4" y="{y}" class="when">{record.time - began:.3f} s</text>')
        out.append(f'<line x1="{start}" y1="{y}" x2="{end}" y2="{y}" stroke="{colour}" marker-end="url(#{head})"/>')
        out.append(f'<text x="{(start + end) / 2}" y="{y - 4}" text-anchor="middle" class="what">{escape(_label(record))}</text>')
    out.append("</svg>")
    return Ladder("\n".join(out), len(chosen), len(every))
