"""A crew of workers: so many processes at once, each by coverage or by grammar, that besiege each layer for its share of the time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
GRACE_S: Final = 10.0
"""Time for a worker that is told to end to say its count, before it is killed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One worker's part of the search: its guide, its layers in order, and its end, in seconds since the search began."""

    guided: bool
    layers: tuple[str, ...]
    until: float


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
    """A search of ``seconds`` by ``jobs`` workers, whatever else the machine does meanwhile: a worker that is at it then says how far it is
    and ends. ``folder`` holds the keys, and the inputs that coverage has grown."""

    folder: Path
    layers: Sequence[str]
    seed: int
    seconds: float
    jobs: int
    guide: Guide = "both"
    tallies: dict[str, TrialTally] = field(default_factory=dict)
    _over: Event = field(default_factory=Event)
    _running: set[subprocess.Popen[str]] = field(default_factory=set)
    _began: float = 0.0

    def __post_init__(self) -> None:
        """Raises NotAvailable for a layer that is none, and for coverage without atheris."""
        siege = Siege(self.folder)
        self.layers = tuple(self.layers or LAYERS)
        for name in self.layers:
            siege.layer(name)  # it makes the keys, once for all workers
        if self.guide == "coverage" and not coverage_guides():
            raise NotAvailable("a search guided by coverage", "it needs atheris: install commshub[fuzz], or search by grammar")
        self.tallies = {name: TrialTally() for name in self.layers}

    def turns(self) -> list[list[Turn]]:
        """The turns of each worker: by grammar and by coverage side by side, one after the other where there is one worker only.
        Slow layers are besieged by grammar alone."""
        guided = self.guide != "grammar" and coverage_guides()
        quick = tuple(name for name in self.layers if name not in SLOW)
        slow = tuple(name for name in self.layers if name in SLOW)
        both = slow + quick if not guided or self.guide == "both" else slow
        ways = [(way, layers) for way, layers in ((False, both), (True, quick if guided else ())) if layers]
        workers = []
        for job in range(self.jobs):
            mine = [ways[job % len(ways)]] if self.jobs >= len(ways) else ways
            workers.append([Turn(*way, self.seconds * (place + 1) / len(mine)) for place, way in enumerate(mine)])
        return workers

    def run(self) -> Iterator[Find | None]:
        """Finds, each kind once, and None whenever a worker has said how far it is. Ended early by :meth:`stop`."""
        said: SimpleQueue[Find | int | None] = SimpleQueue()
        known: set[tuple[str, str]] = set()
        self._began = time.monotonic()
        left = self.jobs
        with ThreadPoolExecutor(self.jobs) as pool:
            for job, turns in enumerate(self.turns()):
                pool.submit(self._work, job, turns, said)
            ending = Timer(self.seconds, self.stop)
            ending.start()
            try:
                while left:
                    heard = said.get()
                    if isinstance(heard, int):
                        left -= 1
                    elif heard is None:
                        yield None
                    elif heard.kind not in known:
                        known.add(heard.kind)
                        self.tallies[heard.layer].finds += 1
                        yield heard
            finally:
                ending.cancel()
                self.stop()

    def stop(self) -> None:
        """End all workers: they say how far they are first."""
        self._over.set()
        for process in tuple(self._running):
            _end(process)

    def _work(self, job: int, turns: list[Turn], said: SimpleQueue[Find | int | None]) -> None:
        try:
            for turn in turns:
                if not self._over.is_set():
                    self._take_turn(job, turn, said)
        finally:
            said.put(0)

    def _take_turn(self, job: int, turn: Turn, said: SimpleQueue[Find | int | None]) -> None:
        command = [sys.executable, "-m", "hil.attacks.siege.worker", str(self.folder), *["--guided"] * turn.guided]
        log = self.folder / f"worker-{job}-{'coverage' if turn.guided else 'grammar'}.log"
        with log.open("w") as trouble:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=trouble,
                text=True,
                cwd=self.folder,
                start_new_session=True,  # so that a worker and its child are ended together
            )
            self._running.add(process)
            if self._over.is_set():  # meanwhile
                _end(process)
            with process:
                assert process.stdin is not None
                assert process.stdout is not None
                if process.stdout.readline():  # it is ready
                    for layer, seed, seconds in self._slices(job, turn):
                        try:
                            print(json.dumps({"layer": layer, "seed": seed, "seconds": seconds}), file=process.stdin, flush=True)
                        except BrokenPipeError:
                            break
                        if not self._heard(process, layer, seed, turn.guided, said):
                            break
                with suppress(BrokenPipeError):
                    process.stdin.close()
            self._running.discard(process)
        if process.returncode and not self._over.is_set():
            said.put(Find(turn.layers[0], str(self.seed), f"a worker ended with {process.returncode}: {_last(log)}", ()))

    def _slices(self, job: int, turn: Turn) -> Iterator[tuple[str, str, float]]:
        """Layer, seed and seconds of each slice: what is left of the turn, by weight, so that a slow machine takes from all the same."""
        left = turn.until - (time.monotonic() - self._began)
        weights = {name: len(turn.layers) - 1 if name in SLOW and len(turn.layers) > 1 else 1 for name in turn.layers}
        rounds = max(1, round(left / (LONGEST_SLICE_S * len(turn.layers))))
        shares = [(f"{self.seed}/{job}/{number}", name) for number in range(rounds) for name in turn.layers]
        for place, (seed, name) in enumerate(shares):
            left = turn.until - (time.monotonic() - self._began)
            if self._over.is_set() or left <= 0:
                return
            yield name, seed, left * weights[name] / sum(weights[other] for _, other in shares[place:])

    def _heard(self, process: subprocess.Popen[str], layer: str, seed: str, guided: bool, said: SimpleQueue[Find | int | None]) -> bool:
        """Counts and finds of a slice; False where the worker goes no further."""
        tally, counted, began = self.tallies[layer], 0, time.monotonic()
        assert process.stdout is not None
        for line in process.stdout:
            heard = json.loads(line)
            if "ended" in heard:
                tally.seconds += time.monotonic() - began
                if heard["ended"]:
                    said.put(Find(layer, seed, f"the worker ended with {heard['ended']}", ()))
                return True
            more, counted = heard["trials"] - counted, heard["trials"]
            if guided:
                tally.coverage += more
            else:
                tally.grammar += more
            tally.mib = max(tally.mib, heard["mib"])
            found = heard["find"]
            said.put(None if found is None else Find(**{**found, "changes": tuple(Mutation(**change) for change in found["changes"])}))
        return False


def coverage_guides() -> bool:
    """True if atheris is installed."""
    return find_spec("atheris") is not None


def _end(process: subprocess.Popen[str]) -> None:
    """Tell a worker and its child to end, and kill them if they do not."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    killing = Timer(GRACE_S, _kill, [process])
    killing.daemon = True
    killing.start()


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _last(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1][:200]
