"""``trace``: what was recorded, and the four ways to look at it."""

from __future__ import annotations

from firmware_emu.console.declare import Device, Noun, WordError, verb
from firmware_emu.console.records import Filter, line
from firmware_emu.console.result import Result

LAST = 20


class Trace(Noun):
    """The records of this run."""

    name = "trace"
    about = "what was recorded: show, watch, why, explain, ladder"

    @verb()
    async def show(self, count: int = LAST, area: str | None = None, device: Device | None = None, message: str = "") -> Result:
        """Show the last records, all or those of an area, a Device, a message."""
        chosen = self.filter(area, device, message)
        found = [record for record in self.bench.records if chosen(record)][-count:]
        return Result("", columns=("record",), rows=[(line(record).plain,) for record in found], raw=found)

    def filter(self, area: str | None, device: str | None, message: str, event: str | None = None) -> Filter:
        """The filter of those words. Raises WordError for an area that is none."""
        areas = frozenset(area.split(",")) if area else frozenset()
        unknown = areas - set(AREAS)
        if unknown:
            raise WordError(f"area: read {', '.join(sorted(unknown))!r}, expected one or more of {', '.join(AREAS)}")
        eui = next((str(row.eui) for row in self.bench.board.device if row.name == device), device)
        return Filter(areas, (eui,) if eui else (), message, frozenset(event.split(",")) if event else frozenset())


AREAS = ("dcc", "wan", "hub", "han", "device", "ichis", "power", "nvm", "fault", "bench")
