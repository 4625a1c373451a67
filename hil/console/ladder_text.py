"""A sequence as text: the lanes of the report's ladder diagram, one arrow a hop, in the width of the console; nothing is cut."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from firmware_emu.clock import EPOCH
from hil.report.ladder import Arrow

_WHEN = 11
_NARROWEST, _WIDEST = 6, 44


class LadderText:
    """Arrows in the columns of their lanes; refused ones are red and end in a cross.

    Words stand on their arrow where they have room, else on lines below it. A line names the date where a day begins.
    """

    def __init__(self, arrows: Sequence[Arrow], names: Sequence[str], began: float) -> None:
        used = {lane for arrow in arrows for lane in (arrow.source, arrow.target)}
        self.names = [name for name in dict.fromkeys(names) if name in used]
        self._arrows = arrows
        self._began = began

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.names:
            return
        width = max(_NARROWEST, min(_WIDEST, (options.max_width - _WHEN) // len(self.names)))
        places = {name: _WHEN + width // 2 + number * width for number, name in enumerate(self.names)}
        yield from self._heading(width)
        day = None
        for arrow in self._arrows:
            when = EPOCH + timedelta(seconds=arrow.time)
            if when.date() != day:
                day = when.date()
                yield Text(f"{day.isoformat()}, 0 s is {self._zero():%H:%M:%S} UTC", "dim")
            yield from self._rows(arrow, places, options.max_width)

    def _zero(self) -> datetime:
        return EPOCH + timedelta(seconds=self._began)

    def _heading(self, width: int) -> Iterator[Text]:
        """The names of the lanes, over as many lines as their words need."""
        folded = [textwrap.wrap(name, width - 1) for name in self.names]
        for number in range(max(len(words) for words in folded)):
            cells = (words[number] if number < len(words) else "" for words in folded)
            yield Text((" " * _WHEN + "".join(cell.center(width) for cell in cells)).rstrip(), "bold", no_wrap=True)

    def _rows(self, arrow: Arrow, places: dict[str, int], width: int) -> Iterator[Text]:
        start, end = places[arrow.source], places[arrow.target]
        left, right = min(start, end) + 1, max(start, end)
        said = arrow.text.removeprefix("sent ")
        fits = len(said) <= right - left - 4
        row = self._bars(places)
        row[:_WHEN] = f"{arrow.time - self._began:9.3f} s".ljust(_WHEN)
        row[left:right] = (said if fits else "").center(right - left, "─")
        row[right - 1 if end > start else left] = "✗" if arrow.refused else "▶" if end > start else "◀"
        style = "bold red" if arrow.refused else "cyan"
        yield self._styled(row, left, right, style)
        if fits:
            return
        room = width - _WHEN
        for part in textwrap.wrap(said, room):
            row = self._bars(places)
            at = max(_WHEN, min(left + 1, width - len(part)))
            row += " " * (at + len(part) - len(row))
            row[at : at + len(part)] = part
            yield self._styled(row, at, at + len(part), style)

    @staticmethod
    def _bars(places: dict[str, int]) -> list[str]:
        row = [" "] * (max(places.values()) + 1)
        for at in places.values():
            row[at] = "│"
        return row

    @staticmethod
    def _styled(row: list[str], left: int, right: int, style: str) -> Text:
        text = Text("".join(row).rstrip(), no_wrap=True)
        text.stylize("dim", 0, _WHEN)
        text.stylize(style, left, right)
        return text
