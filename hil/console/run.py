"""``run``: this run, its folder and report, and how it differs from others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from firmware_emu.console.core import Core, Noun
from firmware_emu.console.declare import Device, Switch, WordError, WordKind, verb
from firmware_emu.console.records import of_message, read_trace
from firmware_emu.console.result import Result, count
from firmware_emu.trace import Record, Scalar
from hil.bench.lanes import lanes, supply_plots
from hil.bench.station import Station
from hil.console.diff import compare
from hil.console.ladder_text import LadderText
from hil.report.ladder import arrows
from hil.report.verdict import Run as Report
from hil.report.verdict import Step
from hil.report.write import write_html, write_junit

LADDER_LAST = 40

RunFolderName = Annotated[str, WordKind("a run's folder, as `run list` shows them, or its trace.jsonl", str, "runs")]
Message = Annotated[str, WordKind("a message identifier or a part of it", str, "messages")]


class RunNoun(Noun):
    """The run that this session is, and those before."""

    name = "run"
    about = "this run: ladder, report, folder; how two runs differ"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        bench.offers["runs"] = lambda _: [path.name for path in self._folders()]

    @verb(looks=True)
    async def show(self) -> Result:
        """Tell where this run is kept, its board, its seed and how long its trace is."""
        return Result(
            str(self.bench.station.folder),
            {"board": self.bench.board.name, "seed": self.bench.seed, "records": len(self.bench.records), "calls": len(self.bench.said)},
        )

    @verb(looks=True)
    async def list_(self) -> Result:
        """Show the runs that are kept, newest last."""
        found = self._folders()
        return Result(f"{len(found)} runs in {self._base()}", columns=("run",), rows=[(path.name,) for path in found])

    @verb(plain="ladder", looks=True)
    async def ladder(
        self, message: Message | None = None, last: int = LADDER_LAST, device: Device | None = None, keep_alives: Switch = False
    ) -> Result:
        """Draw a sequence: the hops of one message, or the last hops of all; keep-alives only where they are asked for."""
        records: list[Record] = self.bench.records
        if message is not None:
            records = of_message(records, message)
            if not records:
                raise WordError(f"message: read {message!r}, expected a part of the identifier of a message in this trace")
        eui = next((str(row.eui) for row in self.bench.board.device if row.name == device), device)
        named = lanes(self.bench.board)
        found = [arrow for arrow in arrows(records, named) if device is None or named.get(str(eui)) in (arrow.source, arrow.target)]
        folded = 0 if keep_alives else sum(arrow.keep_alive for arrow in found)
        found = [arrow for arrow in found if keep_alives or not arrow.keep_alive]
        quiet = f", {count(folded, 'keep-alive')} left out (keep_alives=on)" if folded else ""
        shown = found[-last:]
        began = shown[0].time if shown else 0.0
        left_out = f", the last {len(shown)} of {len(found)}" if len(shown) < len(found) else ""
        return Result(
            f"{count(len(shown), 'hop')}{left_out}{quiet}",
            {},
            picture=LadderText(shown, list(named.values()), began),
            raw=shown,
            columns=("time", "from", "to", "what"),
            rows=[(round(arrow.time - began, 3), arrow.source, arrow.target, arrow.text) for arrow in shown],
        )

    @verb(plain="diff", looks=True)
    async def diff(self, before: RunFolderName, after: RunFolderName | None = None) -> Result:
        """Compare two runs message by message, or one with this; counters and times do not count."""
        now = self.bench.records if after is None else read_trace(self._folder(after))
        found = compare(read_trace(self._folder(before)), now)
        rows = [(one.kind, one.name, one.what) for one in found]
        said = f"{len(found)} messages differ" if found else "the same messages went the same ways"
        return Result(said, columns=("", "message", "what"), rows=rows, ok=not found, raw=found)

    @verb(looks=True)
    async def report(self) -> Result:
        """Write report.html and junit.xml of the session so far into the run's folder."""
        folder, board, records = self.bench.station.folder, self.bench.board, self.bench.records
        steps = [
            Step(
                said.call.line,
                "pass" if said.result.ok else "fail",
                0.0,
                {},
                "" if said.result.ok else said.result.said,
                (said.first, said.last),
            )
            for said in self.bench.said
            if not said.call.verb.looks
        ]
        station = self.bench.station
        plots, notes = [], [f"seed {self.bench.seed}"]
        if isinstance(station, Station):
            plots, notes = supply_plots(records, station.jig.waveform()), [*notes, *station.profile_notes()]
        facts: dict[str, Scalar] = {"board": board.name, "seed": self.bench.seed}
        run = Report("A session at the console", facts, steps, records, plots, notes, lanes(board))
        write_html(run, folder / "report.html")
        write_junit(run, folder / "junit.xml")
        return Result(str(folder / "report.html"), {"steps": len(steps), "verdict": run.verdict})

    @staticmethod
    def _base() -> Path:
        return Path(os.environ.get("CHUB_RUNS", "runs"))

    def _folders(self) -> list[Path]:
        return sorted(path.parent for path in self._base().glob("*/trace.jsonl"))

    def _folder(self, name: str) -> Path:
        path = Path(name)
        return path if path.exists() or path.is_absolute() else self._base() / name
