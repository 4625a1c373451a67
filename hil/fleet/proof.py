"""A fleet before a DCC of two processes on one PostgreSQL, of which one is killed on the way: nothing lost, nothing doubled."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from firmware_emu.errors import NotAvailable
from hil.dcc.base.requests import OPEN, Requests
from hil.dcc.base.store import DccStore
from hil.dcc.service.outbox import MessageState, PushOutbox
from hil.fleet.cluster import Workers, play_all
from hil.fleet.database import own_database
from hil.fleet.partition import Partition
from hil.fleet.remote import FarFleet, FarSide, make_keys
from hil.fleet.report import FleetReport, merged

_LOOK_S = 1.0
_END_S = 60.0
"""For a process of the DCC to end in order, before it is killed. Own figure."""
PROCESSES = 2
Said = Callable[[str], None]


@dataclass
class Proof:
    """Outcome of a proof. ``killed_at``: requests that had their answer when a process was killed, None where none was. ``dcc_s``:
    processor seconds of each process of the DCC."""

    report: FleetReport
    killed_at: int | None = None
    problems: list[str] = field(default_factory=list)
    dcc_s: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Figures and verdict."""
        told = self.report.as_json()
        verdict = "pass" if self.report.passed and not self.problems else "fail"
        found = {"dcc_processes": PROCESSES, "dcc_processor_s": self.dcc_s, "killed_at": self.killed_at, "store": self.problems}
        return {**told, "verdict": verdict, **found}


def prove(
    board: str, homes: int, reads: int, inbox_port: int, seed: int, *, kill: bool, said: Said, done: Callable[[int], None] = lambda _: None
) -> Proof:
    """Play it. ``said`` is told each step, ``done`` the number of requests that have their answer. Raises NotAvailable where PostgreSQL is
    not here or a DCC does not start."""
    fleet = FarFleet(board, homes, PROCESSES, inbox_port)
    said("PostgreSQL starts")
    with own_database() as url, tempfile.TemporaryDirectory(prefix="chub-fleet-") as place:
        keys, store = Path(place) / "keys", Path(url)
        said(f"keys of {homes} homes are made, and put into the store")
        make_keys(keys, fleet, store)
        with contextlib.ExitStack() as stack:
            said(f"{PROCESSES} processes of the DCC start")
            logs = [Path(place) / f"dcc-{index}.log" for index in range(PROCESSES)]
            ups, urls = [], []
            for log in logs:  # one after the other: the first leads
                ups.append(stack.enter_context(_up(board, keys, url, log)))
                urls.append(_addresses(ups[-1], log))
            places = [str(one["SM WAN"]).rpartition(":") for one in urls]
            hubs = tuple((host, int(port)) for host, _, port in places)
            web = tuple(str(one["DUIS"]).partition("/{")[0] for one in urls)
            far = FarSide(keys, hubs, web, reads=reads)
            blocks = [(index, fleet.block(index)) for index in range(PROCESSES)]
            parts = [Partition("install", board, seed, one.start, len(one), far, index) for index, one in blocks if len(one)]
            watched = DccStore(store, owner=False)
            stack.callback(watched.close)
            programs = [one.pid for one in ups]
            watch = _Watch(watched, programs[0] if kill else None, homes * (reads + 2) // 2, said, done)
            said(f"{len(parts)} processes of homes: installed, then {reads} reads of each")
            with watch:
                played = play_all(parts, Workers(len(parts), None, 0, seed))
            spent = [_processor_s(one) for one in (programs[1:] if kill else programs)]
            found = tuple(played.results)
            report = FleetReport("install", board, seed, played.workers, merged(found, homes), found, played.real_s)
            problems = list(_wrong(watched))
            if kill and watch.killed_at is None:
                problems.append("no process of the DCC was killed: the fleet was done before")
            return Proof(report, watch.killed_at, problems, [*([watch.killed_s] if kill else []), *spent])


def _processor_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return round((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), 2)


def _wrong(store: DccStore) -> Iterator[str]:
    """Lost and doubled requests, as the store shows them."""
    requests = Requests(store, lambda: 0.0)
    for one in requests.in_state(*OPEN):
        yield f"request {one.name} has no end: {one.state}"
    answers = PushOutbox(store, lambda: 0.0).answers()
    yield from (f"request {name} has {count} answers" for name, count in answers.items() if count > 1)


@contextlib.contextmanager
def _up(board: str, keys: Path, url: str, log: Path) -> Iterator[subprocess.Popen[str]]:
    """One process of the DCC, which tells its addresses when it is ready."""
    words = ["dcc", "up", "--board", board, "--keys", str(keys), "--store", url, "--port", "0", "--gap", "0", "--json"]
    chub = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
    with log.open("w") as file:
        program = subprocess.Popen([*chub, *words], stdout=subprocess.PIPE, stderr=file, text=True, env=os.environ)
    try:
        yield program
    finally:
        program.terminate()
        try:
            program.wait(_END_S)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def _addresses(program: subprocess.Popen[str], log: Path) -> dict[str, object]:
    """Raises NotAvailable where the process ends without."""
    assert program.stdout is not None
    line = program.stdout.readline()
    if not line:
        said = (log.read_text().strip().splitlines() or ["it said nothing"])[-1]
        raise NotAvailable("a process of the DCC", said)
    told: dict[str, object] = json.loads(line)
    return told


class _Watch:
    """Counts the requests that have their answer, and kills ``victim`` once there are so many."""

    def __init__(self, store: DccStore, victim: int | None, after: int, said: Said, done: Callable[[int], None]) -> None:
        self._outbox, self._victim, self._after, self._said, self._done = PushOutbox(store, lambda: 0.0), victim, after, said, done
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.killed_at: int | None = None
        self.killed_s = 0.0

    def _run(self) -> None:
        while not self._over.wait(_LOOK_S):
            answered = self._outbox.count(MessageState.DELIVERED, "h")
            self._done(answered)
            if self._victim is not None and self.killed_at is None and answered >= self._after:
                self.killed_s = _processor_s(self._victim)
                os.kill(self._victim, signal.SIGKILL)
                self.killed_at = answered
                self._said(f"the first process of the DCC was killed: {answered} requests had their answer")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
