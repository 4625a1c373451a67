"""One worker of the search: a process that besieges one layer for a time and says in lines of JSON what it found.

Nothing of the project is imported before :func:`main` knows whether coverage is to guide: atheris instruments what it sees imported.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.attacks.siege.search import Find

SAY_S = 1.0
CLIMB_MIB = 48.0
"""Growth of a worker from its second quarter to its last that counts as a climb: above what full caches of certificates take."""
LEAST_SAMPLES = 16
_MIB = 1 << 20


def resident() -> int:
    """Octets of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Worker:
    """Counts, tells, and looks at its own memory."""

    def __init__(self, layer: str, seed: str, seconds: float) -> None:
        self._layer = layer
        self._seed = seed
        self._began = self._told = 0.0
        self._seconds = seconds
        self._known: set[str] = set()
        self.trials = 0
        self.memory: list[int] = []
        self._out = os.fdopen(os.dup(1), "w", buffering=1)

    def begin(self) -> None:
        """Its time begins: what it needs is imported and made."""
        self._began = self._told = time.monotonic()

    @property
    def over(self) -> bool:
        """True when its time is over, and one trial at least is done."""
        return self.trials > 0 and time.monotonic() - self._began >= self._seconds

    def count(self, find: Find | None) -> None:
        """One trial more."""
        self.trials += 1
        if find is not None and find.broken not in self._known:
            self._known.add(find.broken)
            self.tell(find=asdict(find), test=find.as_test())
        if time.monotonic() - self._told >= SAY_S:
            self._told = time.monotonic()
            self.memory.append(resident())
            self.tell()

    def tell(self, **more: object) -> None:
        """One line."""
        print(json.dumps({"layer": self._layer, "trials": self.trials, "mib": round(resident() / _MIB, 1), **more}), file=self._out)

    def climb(self) -> str | None:
        """A sentence where its memory climbed, None where it did not or too little was seen of it."""
        quarter = len(self.memory) // 4
        if len(self.memory) < LEAST_SAMPLES:
            return None
        early, late = (sum(part) / len(part) / _MIB for part in (self.memory[quarter : 2 * quarter], self.memory[-quarter:]))
        return f"memory climbs from {early:.0f} to {late:.0f} MiB" if late - early > CLIMB_MIB else None


def by_grammar(worker: Worker, layer: str, seed: str, folder: Path) -> None:
    """Changes drawn from the seed."""
    from hil.attacks.siege.search import Find
    from hil.attacks.siege.siege import Siege

    siege = Siege(folder)
    siege.layer(layer)
    worker.begin()
    for _, find in siege.run([layer], seed, lambda _: worker.over):
        worker.count(find)
    if (broken := worker.climb()) is not None:
        worker.tell(find=asdict(Find(layer, seed, broken, ())), test="")


def by_coverage(worker: Worker, layer: str, seed: str, folder: Path, seconds: float) -> None:
    """Changes grown by what they cover; libFuzzer ends the process when the time is over."""
    import atheris

    with atheris.instrument_imports(include=["firmware_emu", "hil"]):
        from hil.attacks.siege.search import GUIDED, trial
        from hil.attacks.siege.siege import Siege
    besieged = Siege(folder).layer(layer)

    def one(octets: bytes) -> None:
        worker.count(trial(layer, besieged, GUIDED + octets.hex()))

    worker.begin()
    corpus = folder / "corpus" / layer
    corpus.mkdir(parents=True, exist_ok=True)
    number = int.from_bytes(seed.encode()[-3:], "big") or 1
    options = [
        f"-max_total_time={max(1, int(seconds))}",
        f"-seed={number}",
        "-max_len=20",
        "-len_control=0",
        "-rss_limit_mb=0",
        "-timeout=600",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def main() -> None:
    """Arguments come from :mod:`hil.attacks.siege.crew`."""
    reader = argparse.ArgumentParser()
    for name in ("layer", "seed", "folder"):
        reader.add_argument(name)
    reader.add_argument("seconds", type=float)
    reader.add_argument("--guided", action="store_true")
    given = reader.parse_args()
    folder = Path(given.folder)
    tempfile.tempdir = str(folder)
    worker = Worker(given.layer, given.seed, given.seconds)
    with contextlib.suppress(KeyboardInterrupt):
        if given.guided:
            by_coverage(worker, given.layer, given.seed, folder, given.seconds)
        else:
            by_grammar(worker, given.layer, given.seed, folder)
    worker.tell()


if __name__ == "__main__":
    main()
