"""A process that besieges one layer after the other, each for a time, and says in lines of JSON what it found.

It reads the slices from its input, and forks a child for each: what is imported and made is so once, and a child that dies is a find.
Nothing of the project is imported before :func:`main` knows whether coverage is to guide: atheris instruments what it sees imported.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.attacks.siege.search import BesiegedLayer, Find
    from hil.attacks.siege.siege import Siege

SAY_S = 1.0
CLIMB_MIB = 48.0
"""Growth of a worker from its second quarter to its last that counts as a climb: above what full caches of certificates take."""
LEAST_SAMPLES = 16
_MIB = 1 << 20
_ENDING = (signal.SIGTERM, signal.SIGINT)


def resident() -> int:
    """Octets of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Worker:
    """Tries one layer for a time, counts, tells, and looks at its own memory."""

    def __init__(self, name: str, layer: BesiegedLayer, seed: str, seconds: float) -> None:
        self._name = name
        self._layer = layer
        self.seed = seed
        self._seconds = seconds
        self._began = self._told = time.monotonic()
        self._known: set[tuple[str, str]] = set()
        self._shrinking: Find | None = None
        self.trials = 0
        self.memory: list[int] = []

    def heed(self) -> None:
        """When it is told to end it tells its count first, and a find that it has not shrunk yet as it is."""
        for number in _ENDING:
            signal.signal(number, self._ended)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)

    def _ended(self, number: int, frame: FrameType | None) -> None:
        self.tell(self._shrinking)
        os._exit(0)

    @property
    def over(self) -> bool:
        """True when its time is over, and one trial at least is done."""
        return self.trials > 0 and time.monotonic() - self._began >= self._seconds

    def make(self, seed: str) -> None:
        """One trial; of each kind of find the first is shrunk and told."""
        from hil.attacks.siege.search import shrunk, tried

        find = tried(self._name, self._layer, seed)
        self.trials += 1
        if find is not None and find.kind not in self._known:
            self._known.add(find.kind)
            self._shrinking = find
            smallest = shrunk(self._layer, find)
            self._shrinking = None
            self.tell(smallest)
        if time.monotonic() - self._told >= SAY_S:
            self._told = time.monotonic()
            self.memory.append(resident())
            self.tell()

    def tell(self, find: Find | None = None) -> None:
        """One line."""
        _say(trials=self.trials, mib=round(resident() / _MIB, 1), find=None if find is None else asdict(find))

    def climb(self) -> str | None:
        """A sentence where its memory climbed, None where it did not or too little was seen of it."""
        quarter = len(self.memory) // 4
        if len(self.memory) < LEAST_SAMPLES:
            return None
        early, late = (sum(part) / len(part) / _MIB for part in (self.memory[quarter : 2 * quarter], self.memory[-quarter:]))
        return f"memory climbs from {early:.0f} to {late:.0f} MiB" if late - early > CLIMB_MIB else None

    def end(self) -> None:
        """The last count, with the climb of its memory as a find."""
        from hil.attacks.siege.search import Find

        broken = self.climb()
        self.tell(None if broken is None else Find(self._name, self.seed, broken, ()))


def _say(**what: object) -> None:
    """One line in one call of the system: a signal that comes meanwhile finds it whole."""
    os.write(1, json.dumps(what).encode() + b"\n")


def by_grammar(worker: Worker) -> None:
    """Changes drawn from the seed."""
    while not worker.over:
        worker.make(f"{worker.seed}/{worker.trials}")
    worker.end()


def by_coverage(worker: Worker, corpus: Path) -> None:
    """Changes grown by what they cover."""
    import atheris

    from hil.attacks.siege.search import GUIDED

    def one(octets: bytes) -> None:
        worker.make(GUIDED + octets.hex())
        if worker.over:  # libFuzzer's own end would lose what was counted since the last line
            worker.end()
            os._exit(0)

    corpus.mkdir(parents=True, exist_ok=True)
    number = int.from_bytes(worker.seed.encode()[-3:], "big") or 1
    its_own = [f"-handle_{name}=0" for name in ("term", "int", "xfsz")]  # the worker ends it, and full media are told to Python
    options = [*its_own, f"-seed={number}", "-max_len=20", "-len_control=0", "-rss_limit_mb=0", "-timeout=600"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    worker.heed()  # whatever the library does with signals
    atheris.Fuzz()


def besiege(siege: Siege, name: str, seed: str, seconds: float, corpus: Path | None) -> None:
    """One slice, in a process of its own. Ends the process."""
    code = 1
    try:
        worker = Worker(name, siege.layer(name), seed, seconds)
        worker.heed()
        if corpus is None:
            by_grammar(worker)
        else:
            by_coverage(worker, corpus / name)
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def serve(siege: Siege, corpus: Path | None) -> None:
    """Slices from the input until its end: each in a child, and its exit code when it is over."""
    working = ending = False

    def ended(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        ending = True
        if not working:
            raise SystemExit

    for number in _ENDING:
        signal.signal(number, ended)
    _say(ready=True)
    for line in sys.stdin:
        one = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        working = True
        child = os.fork()
        if child == 0:
            besiege(siege, one["layer"], one["seed"], one["seconds"], corpus)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        _say(ended=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        working = False
        if ending:
            return


def main() -> None:
    """Arguments and input come from :mod:`hil.attacks.siege.crew`."""
    reader = argparse.ArgumentParser()
    reader.add_argument("folder", type=Path)
    reader.add_argument("--guided", action="store_true")
    given = reader.parse_args()
    tempfile.tempdir = str(given.folder)
    if given.guided:
        import atheris

        with atheris.instrument_imports(include=["firmware_emu", "hil"]):
            from hil.attacks.siege.siege import Siege
    else:
        from hil.attacks.siege.siege import Siege
    serve(Siege(given.folder), given.folder / "corpus" if given.guided else None)


if __name__ == "__main__":
    main()
