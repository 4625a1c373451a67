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
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from firmware_emu.board import load_board
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
PROCESSES = 2


@dataclass
class Proof:
    """Outcome of a proof. ``killed_at``: requests that had their answer when a process was killed, None where none was."""

    report: FleetReport
    killed_at: int | None = None
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Figures and verdict."""
        told = self.report.as_json()
        verdict = "pass" if self.report.passed and not self.problems else "fail"
        return {**told, "verdict": verdict, "dcc_processes": PROCESSES, "killed_at": self.killed_at, "store": self.problems}


def prove(board: str, homes: int, reads: int, inbox_port: int, seed: int, *, kill: bool) -> Proof:
    """Play it. Raises NotAvailable where PostgreSQL is not here or a DCC does not start."""
    fleet = FarFleet(board, homes, PROCESSES, inbox_port)
    with own_database() as url, tempfile.TemporaryDirectory(prefix="chub-fleet-") as place:
        keys, store = Path(place) / "keys", Path(url)
        make_keys(keys, fleet, store)
        with contextlib.ExitStack() as stack:
            ups = [stack.enter_context(_up(board, keys, url, Path(place) / f"dcc-{index}.log")) for index in range(PROCESSES)]
            hubs = tuple(str(urls["SM WAN"]) for _, urls in ups)
            web = tuple(str(urls["DUIS"]).partition("/{")[0] for _, urls in ups)
            far = FarSide(keys, hubs, web, reads=reads)
            blocks = [(index, fleet.block(index)) for index in range(PROCESSES)]
            parts = [Partition("install", board, seed, one.start, len(one), far, index) for index, one in blocks if len(one)]
            watched = DccStore(store, owner=False)
            stack.callback(watched.close)
            killer = _Killer(watched, ups[0][0], homes * (reads + 2) // 2) if kill else None
            with killer or contextlib.nullcontext():
                played = play_all(parts, Workers(len(parts), None, 0, seed))
            found = tuple(played.results)
            report = FleetReport("install", board, seed, played.workers, merged(found, homes), found, played.real_s)
            problems = list(_wrong(watched))
            if killer is not None and killer.killed_at is None:
                problems.append("no process of the DCC was killed: the fleet was done before")
            return Proof(report, None if killer is None else killer.killed_at, problems)


def _wrong(store: DccStore) -> Iterator[str]:
    """Lost and doubled requests, as the store shows them."""
    requests = Requests(store, lambda: 0.0)
    for one in requests.in_state(*OPEN):
        yield f"request {one.name} has no end: {one.state}"
    answers = Counter(one.request for one in PushOutbox(store, lambda: 0.0).all() if one.kind == "h")
    yield from (f"request {name} has {count} answers" for name, count in answers.items() if count > 1)


@contextlib.contextmanager
def _up(board: str, keys: Path, url: str, log: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """One process of the DCC, and the addresses that it told."""
    load_board(board)
    words = ["dcc", "up", "--board", board, "--keys", str(keys), "--store", url, "--port", "0", "--gap", "0", "--json"]
    chub = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
    with log.open("w") as file:
        program = subprocess.Popen([*chub, *words], stdout=subprocess.PIPE, stderr=file, text=True, env=os.environ)
    try:
        assert program.stdout is not None
        line = program.stdout.readline()
        if not line:
            said = (log.read_text().strip().splitlines() or ["it said nothing"])[-1]
            raise NotAvailable("a process of the DCC", said)
        yield program, json.loads(line)
    finally:
        program.terminate()
        program.wait()


class _Killer:
    """Kills a process once so many requests have their answer."""

    def __init__(self, store: DccStore, program: subprocess.Popen[str], after: int) -> None:
        self._outbox, self._program, self._after = PushOutbox(store, lambda: 0.0), program, after
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.killed_at: int | None = None

    def _run(self) -> None:
        while not self._over.wait(_LOOK_S):
            answered = len(self._outbox.all(state=MessageState.DELIVERED.value))
            if answered >= self._after:
                self._program.send_signal(signal.SIGKILL)
                self.killed_at = answered
                return

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
