"""A sequence as text: the lanes of the report's ladder diagram, one arrow a line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from hil.report.ladder import Arrow

_WHEN = 11
_NARROWEST, _WIDEST = 12, 44


class LadderText:
    """Arrows in the columns of their lanes; refused ones are red and end in a cross."""

    def __init__(self, arrows: Sequence[Arrow], names: Sequence[str], began: float) -> None:
        used = {lane for arrow in arrows for lane in (arrow.source, arrow.target)}
        self.names = [name for name in dict.fromkeys(names) if name in used]
        self._arrows = arrows
        self._began = began

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.names:
            return
        width = max(_NARROWEST, min(_WIDEST, (options.max_width - _WHEN - 1) // len(self.names)))
        places = {name: _WHEN + width // 2 + number * width for number, name in enumerate(self.names)}
        yield self._heading(width, places)
        for arrow in self._arrows:
            yield self._row(arrow, places)

    def _heading(self, width: int, places: dict[str, int]) -> Text:
        row = [" "] * (max(places.values()) + width)
        for name, at in places.items():
            shown = name[: width - 1]
            row[at - len(shown) // 2 : at - len(shown) // 2 + len(shown)] = shown
        return Text("".join(row).rstrip(), "bold", no_wrap=True)

    def _row(self, arrow: Arrow, places: dict[str, int]) -> Text:
        row = list(f"{arrow.time - self._began:9.3f} s".ljust(max(places.values()) + 1))
        for at in places.values():
            row[at] = "│"
        start, end = places[arrow.source], places[arrow.target]
        left, right = min(start, end) + 1, max(start, end)
        room = right - left - 2
        said = arrow.text.removeprefix("sent ")
        said = said if len(said) <= room else f"{said[: room - 1]}…"
        row[left:right] = f"{said.center(room, '─')}".center(right - left, "─")
        row[right - 1 if end > start else left] = ("✗" if arrow.refused else "▶") if end > start else ("✗" if arrow.refused else "◀")
        text = Text("".join(row), no_wrap=True)
        text.stylize("dim", 0, _WHEN)
        text.stylize("bold red" if arrow.refused else "cyan", left, right)
        return text
