"""``trace``: what was recorded, and the ways to look at it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from rich.console import Console, ConsoleOptions, RenderResult

from firmware_emu.console.core import Core, Noun
from firmware_emu.console.declare import Device, Switch, WordError, WordKind, verb
from firmware_emu.console.layers import LayerKnowledge, explain_any, layers
from firmware_emu.console.octets import Octets, octets_of, record_of
from firmware_emu.console.records import Filter, hop, line, of_message, quiet, read_trace
from firmware_emu.console.result import Result, count
from firmware_emu.console.tree_table import TreeTable
from firmware_emu.console.tree_table import brief as tree_brief
from firmware_emu.console.why import first_difference, told, why
from firmware_emu.errors import DecodeError, NotAvailable, one_of
from firmware_emu.trace import Record
from firmware_emu.zse import clusters

LAST = 20
OFFERED = 20
AREAS = ("dcc", "wan", "hub", "han", "device", "ichis", "power", "nvm", "fault", "bench")

Area = Annotated[str, WordKind(f"one or more of {', '.join(AREAS)}, with commas", str, AREAS)]
Watched = Annotated[str, WordKind(f"one or more of {', '.join(AREAS)}, or all, quiet, off", str, (*AREAS, "all", "quiet", "off"))]
Message = Annotated[str, WordKind("a message identifier or a part of it, or @NUMBER of a record", str, "messages")]
GoodRun = Annotated[str, WordKind("the folder of a good run of the same seed", str, "runs")]
LayerName = Annotated[str, WordKind("a layer", str, "layers")]


class TraceNoun(Noun):
    """The records of this run."""

    name = "trace"
    about = "what was recorded: show, watch, why, explain"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        bench.offers["layers"] = lambda _: [layer.name for layer in layers()]
        bench.offers["messages"] = lambda _: list(dict.fromkeys(one.message for one in reversed(bench.records) if one.message))[:OFFERED]
        bench.offers["octets"] = lambda _: [f"@{one.number}" for one in reversed(bench.records) if one.data is not None][:OFFERED]

    @verb(looks=True)
    async def show(self, last: int = LAST, area: Area | None = None, device: Device | None = None, message: str = "") -> Result:
        """Show the last records: all, or those of areas, of a Device, of a message."""
        chosen = self._filter(area, device, message)
        found = [record for record in self.bench.records if chosen(record)][-last:]
        return Result(
            count(len(found), "record"),
            columns=("record",),
            rows=[(line(record).plain,) for record in found],
            picture=_Lines(found),
            raw=found,
        )

    @verb(plain="watch", looks=True)
    async def watch(
        self,
        area: Watched = "all",
        device: Device | None = None,
        message: str = "",
        event: str | None = None,
    ) -> Result:
        """Show records as they come: all, those of areas, of a Device, of a message; ``quiet`` is what went wrong, ``off`` none."""
        if area == "off":
            self.bench.watching = None
            return Result("nothing is watched")
        if area == "quiet":
            self.bench.watching = quiet
            return Result("watching what goes wrong, joins and alerts")
        self.bench.watching = self._filter(None if area == "all" else area, device, message, event)
        words = [word for word in (area, device, message, event) if word]
        return Result(f"watching {', '.join(words)}")

    @verb(plain="explain", looks=True)
    async def explain(self, *octets: Octets, as_: LayerName | None = None, cluster: int | None = None, brief: Switch = False) -> Result:
        """Explain octets of any layer field by field; say what they were taken for, or read them ``as=LAYER``; ``brief`` in one line."""
        data, where, record = octets_of(self.bench, octets)
        told = None if record is None else record.detail.get("cluster")
        if isinstance(told, str):
            cluster, as_ = cluster if cluster is not None else clusters.named(told), as_ or "zcl"
        names = [layer.name for layer in layers()]
        if as_ is not None and as_ not in names:
            raise WordError(f"as: read {as_!r}, expected {one_of(as_, names)}")
        station = self.bench.station
        known = LayerKnowledge(station.keystore, tuple(station.han_keys().values()), self.bench.board.radio.ezsp_version, cluster)
        try:
            found = explain_any(data, known, as_)
        except DecodeError as wrong:
            return Result(f"{where}: {wrong}", ok=False)
        values: dict[str, object] = {"layer": found.layer.name, "octets": len(data)}
        said = f"{where}: read as {found.layer.name}, {found.layer.about}"
        if as_ is None and found.others:
            said += f"; could also be {', '.join(found.others)} (as={found.others[0]})"
        if record is not None:
            said += f"; {hop(record)}"
        if found.fault is not None:
            said += f"; {found.fault}"
        if brief:
            return Result(f"{where}: {tree_brief(found.tree)}", values, ok=found.fault is None, raw=found.tree)
        return Result(said, values, ok=found.fault is None, picture=TreeTable(found.tree), raw=found.tree)

    @verb(plain="why", looks=True)
    async def why(self, message: Message | None = None, *, good: GoodRun | None = None) -> Result:
        """Tell why a message, or the last that did not arrive, was refused or lost; beside a ``good`` run, where the two part."""
        records, keystore = self.bench.records, self.bench.station.keystore
        if message is not None and message.startswith("@"):
            reason = why(records, keystore, record=record_of(self.bench, message))
        else:
            if message is not None and not of_message(records, message):
                raise WordError(f"message: read {message!r}, expected a part of the identifier of a message in this trace")
            reason = why(records, keystore, message=message)
        done = told(reason)
        if good is None:
            return done
        try:
            parts = first_difference(reason, read_trace(Path(good)))
        except NotAvailable as missing:
            raise WordError(f"good: {missing}") from None
        return replace(done, values={**done.values, "first difference": parts or "none"})

    # ---

    def _filter(self, area: str | None, device: str | None, message: str, event: str | None = None) -> Filter:
        areas = frozenset(area.split(",")) if area else frozenset()
        unknown = areas - set(AREAS)
        if unknown:
            raise WordError(f"area: read {', '.join(sorted(unknown))!r}, expected one or more of {', '.join(AREAS)}")
        eui = next((str(row.eui) for row in self.bench.board.device if row.name == device), device)
        return Filter(areas, (eui,) if eui else (), message, frozenset(event.split(",")) if event else frozenset())


class _Lines:
    """Records, a coloured line each."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for record in self._records:
            yield line(record)
