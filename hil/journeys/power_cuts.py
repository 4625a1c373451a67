"""The demo's journey with the hub dying at one write to its NVM, once for each write there is, cleanly and with the write torn.

Held after each death, before the hub boots: what is on the medium is what was durable before the write, octet for octet (so counters,
keys, device log, mailbox and stored alerts are right). Held at the journey's end: every step of it, no counter of the hub used twice, no
message executed twice that is protected against replay, the device log as the DCC has it, nothing left waiting.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.device.profile import may_come_again, standard_profile
from firmware_emu.errors import CommsHubError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.hub.power import LOST_AT
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Record, Trace
from hil.bench.medium import Torn
from hil.bench.station import Station, open_station
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import StepFailed, Steps

TRIES, PAUSE_S = 6, 30.0
"""An installer whose Device does not get in tries again: how often, and after how many seconds. The bench's own figures."""
KEPT = (None, 0.0, 0.5, 0.9)
"""Fraction of the write that gets on the medium: None is a cut before it begins. A torn write draws one of the others."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One death: at the ``write``-th commit of the journey, ``kept`` (0..1) of it written, None: before it."""

    write: int
    kept: float | None


@dataclass(frozen=True, slots=True)
class CutResult:
    """Outcome of a cut. ``recovery_s``: bench seconds from the boot after it until HAN and SM WAN are up again; None: never.

    ``happened``: False where the journey makes fewer writes. ``wrong``: what did not hold, in sentences.
    """

    write: int
    kept: float | None
    happened: bool
    recovery_s: float | None
    wrong: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class PatientJourney(HomeJourney):
    """The demo's journey, by people who try again when a hub was away."""

    def told_of_outage(self, long: bool) -> set[str]:
        """A hub that died before it had marked the start can prove no length: it tells of a short outage, and had no last gasp."""
        marked = any(key.endswith(LOST_AT) for key in durable(self.station.folder / "hub.sqlite"))
        return super().told_of_outage(long and marked)

    async def refuse_stranger(self) -> None:
        try:
            await super().refuse_stranger()
        except StepFailed:  # the hub was dead while the stranger knocked
            await self.station.clock.sleep(PAUSE_S)
            await super().refuse_stranger()

    async def gas_pushes(self) -> None:
        await super().gas_pushes()
        await self.station.clock.sleep(PAUSE_S)
        await super().gas_pushes()  # a hub that died while the first came gets it with the second

    async def join(self, name: str) -> None:
        device = self.station.device(name)
        for left in reversed(range(TRIES)):
            try:
                await super().join(name)
                return
            except CommsHubError:
                if not left:
                    raise
                await self.station.clock.sleep(PAUSE_S)
                if device.node.joined:
                    await device.node.leave()


def durable(path: Path) -> dict[str, bytes]:
    """Content of a store's file as it would be found now: committed entries only."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return {str(key): bytes(value) for key, value in database.execute("SELECT key, value FROM entry")}


class _Watch:
    """Places the cut on a station and holds what must be true of it."""

    def __init__(self, station: Station, cut: Cut | None) -> None:
        self.station = station
        self.died_at: float | None = None
        self.recovered_s: float | None = None
        self._booted_at: float | None = None
        self.wrong: list[str] = []
        self._before: dict[str, bytes] = {}
        self._path = station.folder / "hub.sqlite"
        if cut is not None:
            medium = station.medium
            medium.cut_at(cut.write, cut.kept, self._cut)
            medium.on_begin = lambda: self._remember(cut.write)
            station.trace.subscribe(self._look)

    def _remember(self, write: int) -> None:
        if self.station.medium.writes == write:
            self._before = durable(self._path)

    def _cut(self, left: Torn | None) -> None:
        self.died_at = self.station.clock.now()
        self.station.hub_dies(lambda: self._boots(left))

    def _boots(self, left: Torn | None) -> None:
        if left is not None:
            left.lay()
        found = durable(self._path)
        if found != self._before:
            keys = sorted(key for key in {*found, *self._before} if found.get(key) != self._before.get(key))
            self.wrong.append(f"the medium does not hold what was durable before the write: {', '.join(keys)}")

    def _look(self, record: Record) -> None:
        hub = self.station.hub
        if self.died_at is None or self.recovered_s is not None or hub is None:
            return
        if record.area == "power" and record.event == "boot":
            self._booted_at = record.time
        if self._booted_at is None:
            return
        status = hub.status
        if status.network is not None and status.wan_connected:
            self.recovered_s = round(record.time - self._booted_at, 6)


def held_at_the_end(station: Station, records: list[Record]) -> Iterator[str]:
    """Broken promises, in sentences: the device log as the DCC has it, nothing left waiting, no counter and no execution twice."""
    if station.hub is None:
        yield f"the hub does not run: {station.hub_trouble}"
        return
    status = station.hub.status
    differences = station.dcc.device_log_copy.compare(station.board.hub.chf, {entry.device: entry.key_hash for entry in status.device_log})
    yield from (f"device log: {difference.sentence}" for difference in differences)
    if any(status.mailbox.values()):
        yield f"messages wait: {status.mailbox}"
    hub = (station.board.hub.chf, station.board.hub.gpf)
    told: dict[tuple[CraFlag, Eui64, int], bytes] = {}
    executed: set[tuple[str, str]] = set()
    for record in records:
        if record.area == "wan" and record.event == "received" and record.target == "dcc" and record.data is not None:
            header = Message.decode(record.data).header
            first = told.setdefault((header.cra, header.originator, header.counter), record.data)
            again = header.cra is CraFlag.RESPONSE and header.message_code in standard_profile().replayable_codes
            if first != record.data and not again:  # a Command without protection against replay is answered each time it comes
                yield f"counter {header.counter} of {header.originator} came with two {header.cra.name.lower()}s"
        of_hub = record.source.endswith(tuple(map(str, hub)))  # a hub's own execution is undone with its write
        if record.area == "device" and record.event == "executed" and record.message is not None and not (of_hub or may_come_again(record)):
            if (record.source, record.message) in executed:
                yield f"{record.source} executed {record.message} twice"
            executed.add((record.source, record.message))


def run_cut(board: Board, cut: Cut | None, seed: int = 1) -> tuple[CutResult, int]:
    """The journey with one cut, or with none; and how many writes the hub made."""
    clock = Clock(start=board.clock.start, warp=True)
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)

    async def main(folder: Path) -> tuple[CutResult, int]:
        async with open_station(board, clock, trace, folder, seed=seed) as station:
            watch = _Watch(station, cut)
            journey = PatientJourney(station, Steps(records, lambda _: None, lambda _: None), records)
            try:
                await journey.run()
                await clock.sleep(60)
                watch.wrong.extend(held_at_the_end(station, records))
            except (StepFailed, AssertionError) as wrong:
                watch.wrong.append(f"{type(wrong).__name__}: {wrong}")
            writes = station.medium.writes
            if cut is None:
                return CutResult(0, None, False, None, tuple(watch.wrong)), writes
            return CutResult(cut.write, cut.kept, watch.died_at is not None, watch.recovered_s, tuple(watch.wrong)), writes

    with TemporaryDirectory(prefix="chub-cut-") as folder:
        return clock.run(main(Path(folder)))


def all_cuts(writes: int, seed: int = 1) -> list[Cut]:
    """Each write twice: cut before it, and torn at a share drawn from :data:`KEPT`."""
    draw = Random(f"{seed} cuts")
    return [Cut(write, kept) for write in range(1, writes + 1) for kept in (None, draw.choice(KEPT[1:]))]


def some_cuts(writes: int, count: int, seed: int = 1) -> list[Cut]:
    """``count`` of them, drawn and put in order."""
    cuts = all_cuts(writes, seed)
    return sorted(Random(f"{seed} selection").sample(cuts, min(count, len(cuts))), key=lambda cut: (cut.write, cut.kept is not None))


def sweep(board: Board, count: int | None, seed: int = 1) -> Iterator[CutResult]:
    """Every cut of the journey, or ``count`` drawn ones. Raises CommsHubError where the journey does not pass without a cut."""
    whole, writes = run_cut(board, None, seed)
    if whole.wrong:
        raise CommsHubError(f"the journey does not pass without a cut: {'; '.join(whole.wrong)}")
    for cut in all_cuts(writes, seed) if count is None else some_cuts(writes, count, seed):
        yield run_cut(board, cut, seed)[0]


def summary(results: list[CutResult], seconds: float) -> str:
    """The line that a sweep ends with."""
    happened = [result for result in results if result.happened]
    recoveries = [result.recovery_s for result in happened if result.recovery_s is not None]
    wrong = sum(bool(result.wrong) for result in results)
    torn = sum(result.kept is not None for result in happened)
    worst = f"{max(recoveries):.2f} s" if recoveries else "none"
    return (
        f"{len(happened)} cuts, {torn} of them torn writes; {wrong} with something wrong; "
        f"worst recovery {worst} of bench time from boot to HAN and SM WAN up; {seconds:.0f} s"
    )


def timed(results: Iterator[CutResult]) -> tuple[list[CutResult], float]:
    """All results and the real seconds they took."""
    began = time.monotonic()
    return list(results), time.monotonic() - began
