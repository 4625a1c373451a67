"""The hops of a live request out of the DCC's trace, for its ladder. Kept in memory while the page runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from hil.dcc.base.processing import WalkLine, states_along
from hil.report.ladder import arrows, draw_ladder

KEPT = 20_000
"""Records kept; the oldest go. The bench's own figure."""
_AREAS = frozenset({"dcc", "wan", "hub", "han", "device"})


@dataclass(frozen=True, slots=True)
class LadderHop:
    """One hop in words: seconds since the first, who, what, to whom."""

    after_s: float
    source: str
    event: str
    target: str


class Hops:
    """Subscribes to the trace; without one there are no hops, and the steps in the store have to do."""

    def __init__(self, trace: Trace | None) -> None:
        self._records: deque[Record] = deque(maxlen=KEPT)
        if trace is not None:
            trace.subscribe(self._take)

    def _take(self, record: Record) -> None:
        if record.area in _AREAS and record.message is not None:
            self._records.append(record)

    def of(self, request: str) -> list[Record]:
        """Every hop of a request: those that carry its name, or that of a message (Command, Response) which a hop ties to it. They end with
        the last that names the request: a Response that comes once more later is no part of it."""
        own = [one for one in self._records if request in (one.message, one.detail.get("request"))]
        names = {request} | {one.message for one in own if one.message is not None}
        return [one for one in self._records if one.message in names and one.number <= own[-1].number]

    def ladder(self, request: str, user: Eui64, target: str, hub: str | None, walk: Sequence[WalkLine]) -> tuple[str, list[LadderHop]]:
        """The ladder as SVG with the states that a request of this ``walk`` came to, empty where no hop is known; its hops in words."""
        found = self.of(request)
        if not found:
            return "", []
        lanes = {
            "user": "user",
            str(user): "user",
            "gateway": "DCC",
            "transform": "DCC",
            "dcc": "DCC",
            "responses": "DCC",
            "acb": "DCC",
            "inventory": "DCC",
            "CoS party": "CoS party",
            "chf": "hub",
            "gpf": "hub",
            **({} if hub is None else {hub: "hub"}),
            "esme": "Device",
            "gsme": "Device",
            "ppmid": "Device",
            "hcalcs": "Device",
        }
        lanes.setdefault(target, "Device")
        hops = [LadderHop(one.time - found[0].time, one.source, one.event, one.target or "") for one in found]
        drawn = arrows(found, lanes)
        svg = (
            draw_ladder(drawn, lanes, began=found[0].time, title=f"Ladder of request {request}", marks=_states(found, lanes, walk))
            if drawn
            else ""
        )
        return svg, hops


def _states(records: Sequence[Record], lanes: Mapping[str, str], walk: Sequence[WalkLine]) -> dict[int, str]:
    """The states that the request came to, each under the last arrow up to the record that changed it."""
    marks: dict[int, str] = {}
    for index, state in states_along([(one.source.split()[0], one.event) for one in records], walk):
        row = len(arrows(records[: index + 1], lanes)) - 1
        marks[row] = f"{marks[row]}, {state}" if row in marks else str(state)
    return marks
