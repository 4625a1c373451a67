"""Results of verbs: one object for the prompt, for ``--json`` and for Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from firmware_emu.clock import iso_text


@dataclass(frozen=True, slots=True)
class Result:
    """``said`` is one line; ``values`` are named facts, ``result["channel"]`` reads one; ``columns`` and ``rows`` a table.

    ``ok`` False is a verdict that is bad: the script ends with exit code 1. ``picture`` is drawn instead of the table where
    there is one; ``raw`` is the object the verb worked with (an Outcome, a Tree), for Python only.
    """

    said: str
    values: Mapping[str, object] = field(default_factory=dict)
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    ok: bool = True
    picture: RenderableType | None = None
    raw: object = None

    def __getitem__(self, name: str) -> object:
        return self.values[name]

    def __bool__(self) -> bool:
        return self.ok

    def as_json(self) -> dict[str, object]:
        """The same as plain values, for ``json.dumps(..., default=str)``."""
        out: dict[str, object] = {"ok": self.ok, "said": self.said}
        if self.values:
            out["values"] = {name: iso_text(value) if isinstance(value, datetime) else value for name, value in self.values.items()}
        if self.columns:
            out["rows"] = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return out

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = []
        if self.said:
            parts.append(Text(self.said, style="" if self.ok else "bold red"))
        if self.values:
            facts = Table(box=None, show_header=False, pad_edge=False)
            facts.add_column(style="dim", no_wrap=True)
            facts.add_column(overflow="fold")
            for name, value in self.values.items():
                facts.add_row(f"  {name}", Text(plain(value)))
            parts.append(facts)
        if self.picture is not None:
            parts.append(self.picture)
        elif self.columns:
            table = Table(*self.columns, box=None, pad_edge=False, header_style="bold")
            for row in self.rows:
                table.add_row(*(Text(plain(cell)) for cell in row))
            parts.append(table)
        return Group(*parts)

    def __repr__(self) -> str:
        return self.as_text().rstrip()

    def _repr_html_(self) -> str:
        """The same for a notebook: the text as it stands at the prompt, coloured; wider than its place, it is scrolled."""
        console = Console(width=120, record=True, highlight=False, file=StringIO(), force_jupyter=False)  # else it shows itself as well
        console.print(self)
        style = "font-family:monospace;line-height:1.3;overflow-x:auto"
        return console.export_html(inline_styles=True, code_format=f'<pre style="{style}">{{code}}</pre>')

    def as_text(self, width: int = 120) -> str:
        """The same as uncoloured text."""
        console = Console(width=width, no_color=True, highlight=False, force_terminal=False, force_jupyter=False)
        with console.capture() as capture:
            console.print(self)
        return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def count(number: int, thing: str) -> str:
    """``1 fault``, ``2 faults``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def plain(value: object) -> str:
    """A value as a person reads it: octets in hex, nothing as a dash, lists with commas."""
    if value is None or (isinstance(value, (Mapping, list, tuple, set, frozenset)) and not value):
        return "-"
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(plain(one) for one in value)
    return str(value)


WITHOUT_TERMINAL = 160
"""Columns where no terminal is near: tables of a log are read by programs."""


def columns(otherwise: int = WITHOUT_TERMINAL) -> int:
    """``COLUMNS``, or those of the terminal behind standard output, error or input: a pipe in front of it does not widen it."""
    if (told := os.environ.get("COLUMNS", "")).isdecimal() and int(told):
        return int(told)
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        try:
            if stream is not None and (found := os.get_terminal_size(stream.fileno()).columns):
                return found
        except (OSError, ValueError):
            continue
    return otherwise
