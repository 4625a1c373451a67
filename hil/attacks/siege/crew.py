"""A crew of workers: one process a layer and a slice of time, so many at once, by coverage and by grammar in turn."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Timer
from typing import Final, Literal

from firmware_emu.errors import NotAvailable
from hil.attacks.siege.search import Find, Mutation
from hil.attacks.siege.siege import LAYERS, SLOW, Siege

Guide = Literal["both", "coverage", "grammar"]
LONGEST_SLICE_S: Final = 300.0
SHORTEST_SLICE_S: Final = 2.0
"""A worker needs some seconds to begin, which do not count: a shorter slice would be little else."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One worker's share: a layer, a seed, a time, and what guides it."""

    layer: str
    seed: str
    seconds: float
    guided: bool


@dataclass(slots=True)
class TrialTally:
    """Results of the trials of one layer."""

    coverage: int = 0
    grammar: int = 0
    seconds: float = 0.0
    mib: float = 0.0
    finds: int = 0

    @property
    def trials(self) -> int:
        """All of them."""
        return self.coverage + self.grammar


@dataclass
class Crew:
    """A search of ``seconds`` by ``jobs`` workers, whatever else the machine does meanwhile: a worker that has not begun by then does not,
    and one that is at it is ended. ``folder`` holds the keys, and the inputs that coverage has grown."""

    folder: Path
    layers: Sequence[str]
    seed: int
    seconds: float
    jobs: int
    guide: Guide = "both"
    tallies: dict[str, TrialTally] = field(default_factory=dict)
    _over: Event = field(default_factory=Event)
    _running: set[subprocess.Popen[str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Raises NotAvailable for a layer that is none, and for coverage without atheris."""
        siege = Siege(self.folder)
        self.layers = self.layers or tuple(LAYERS)
        for name in self.layers:
            siege.layer(name)  # it makes the keys, once for all workers
        if self.guide == "coverage" and not coverage_guides():
            raise NotAvailable("a search guided by coverage", "it needs atheris: install commshub[fuzz], or search by grammar")
        self.tallies = {name: TrialTally() for name in self.layers}

    def slices(self) -> list[Slice]:
        """The shares in order: each layer in turn, and again until all have had each guide. Where both are to guide, every second layer
        begins with coverage, so that a search that the machine cuts short has had some of both.
        """
        guided = self.guide != "grammar" and coverage_guides()
        ways = (False, True) if guided and self.guide == "both" else (guided,)
        rounds = len(self.layers) * len(ways)
        length = min(LONGEST_SLICE_S, max(SHORTEST_SLICE_S, self.seconds * self.jobs / rounds))
        count = max(1, round(self.seconds * self.jobs / length))
        return [
            Slice(layer, f"{self.seed}/{number}", length, way and layer not in SLOW)
            for number in range(count)
            for turn, place in [divmod(number, len(self.layers))]
            for layer, way in [(self.layers[place], ways[(turn + place + 1) % len(ways)])]
        ]

    def run(self) -> Iterator[Find | None]:
        """Finds, each kind once, and None whenever a worker has said how far it is. Ended early by :meth:`stop`."""
        said: SimpleQueue[Find | int | None] = SimpleQueue()
        known: set[tuple[str, str]] = set()
        slices = self.slices()
        with ThreadPoolExecutor(self.jobs) as pool:
            for one in slices:
                pool.submit(self._work, one, said)
            left = len(slices)
            ending = Timer(self.seconds, self.stop)
            ending.start()
            try:
                while left:
                    heard = said.get()
                    if isinstance(heard, int):
                        left -= 1
                    elif heard is None:
                        yield None
                    elif (heard.layer, _kind(heard.broken)) not in known:
                        known.add((heard.layer, _kind(heard.broken)))
                        self.tallies[heard.layer].finds += 1
                        yield heard
            finally:
                ending.cancel()
                self.stop()

    def stop(self) -> None:
        """End all workers."""
        self._over.set()
        for process in tuple(self._running):
            process.terminate()

    def _work(self, one: Slice, said: SimpleQueue[Find | int | None]) -> None:
        try:
            if not self._over.is_set():
                self._besiege(one, said)
        finally:
            said.put(0)

    def _besiege(self, one: Slice, said: SimpleQueue[Find | int | None]) -> None:
        command = [sys.executable, "-m", "hil.attacks.siege.worker", one.layer, one.seed, str(self.folder), str(one.seconds)]
        log = self.folder / f"{one.layer}-{one.seed.replace('/', '-')}.log"
        began = time.monotonic()
        with log.open("w") as trouble:
            process = subprocess.Popen(
                command + ["--guided"] * one.guided, stdout=subprocess.PIPE, stderr=trouble, text=True, cwd=self.folder
            )
            self._running.add(process)
            if self._over.is_set():  # meanwhile
                process.terminate()
            tally, trials = self.tallies[one.layer], 0
            assert process.stdout is not None
            for line in process.stdout:
                heard = json.loads(line)
                more, trials = heard["trials"] - trials, heard["trials"]
                if one.guided:
                    tally.coverage += more
                else:
                    tally.grammar += more
                tally.mib = max(tally.mib, heard["mib"])
                found = heard.get("find")
                said.put(None if found is None else Find(**{**found, "changes": tuple(Mutation(**change) for change in found["changes"])}))
            code = process.wait()
            self._running.discard(process)
        tally.seconds += time.monotonic() - began
        if code and not self._over.is_set():
            last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            said.put(Find(one.layer, one.seed, f"the worker ended with {code}: {last[:200]}", ()))


def coverage_guides() -> bool:
    """True if atheris is installed."""
    return find_spec("atheris") is not None


def _kind(broken: str) -> str:
    """A find without its numbers: the same fault is told once."""
    return "".join(one for one in broken if not one.isdigit())[:60]
