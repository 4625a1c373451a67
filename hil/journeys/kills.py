"""Hub, home or DCC killed (SIGKILL) again and again while requests come, each a process of its own on the wall clock, and started again.

An instant is a number of hops in the traces of all processes, drawn by the seed: a machine that is slow reaches it later, a process may
die while it starts. Held at the end: each request that the DCC has taken has one end, and its user was told it once; the meter has
executed no critical Command twice, and none out of order; no Command has another's identifier; both stores open whole, nothing waits in
them. A hub that dies before it has heard that the Device took a Command hands it over again: GBCS protects critical Commands against
replay, a reading is then executed again, and the DCC tells its second Response to nobody.

The end of a request is its Response. Where the home is killed, which is a power cut of hub and meter at once, it may be none: the meter
keeps its counters, its records and its unsent answers in a file, but a Command that it has in hand is gone with its memory, and is
refused as a replay if it comes again (reference gbcs-spec-notes 6.2 step 8). No source has a meter keep it; what its user is owed then is
the DCC Alert N13 (reference dcc-alert-codes.csv). A machine so slow that the DCC's wait ends first gives N12 or N13, and the Response late.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from typing import Final, TypeVar

import httpx
from lxml import etree

from firmware_emu.board import Board
from firmware_emu.cli import main
from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import Eui64
from hil.bench import dcc_board
from hil.bench.far_end import BenchKeys
from hil.dcc.base.profile import profile
from hil.dcc.base.requests import ANSWERED, Requests, RequestState, StoredRequest
from hil.dcc.base.store import DccStore, database_url
from hil.dcc.duis import ServiceRequest, new_request, write_request
from hil.dcc.duis.document import Content
from hil.dcc.duis.request import CommandVariant
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.parties.users import User
from hil.dcc.service.exchange import SERVED
from hil.dcc.service.outbox import OutboxMessage, PushOutbox
from hil.journeys.steps import StepFailed

T = TypeVar("T")
ASKED: Final = (("4.1.1", True), ("7.2", True), ("8.9", False), ("7.4", True))
"""Variant of the load, in turn, and True where it is for the meter, False for the hub."""
AT_ONCE: Final = 4
"""Requests under way at once."""
HOPS: Final = {"hub": (1, 60), "home": (1, 160), "dcc": (1, 60)}
"""From one kill of a victim to the next: from the middle of a start to about two requests and their Responses; a meter joins anew first."""
LOOK_S: Final = 0.1
PATIENCE_S: Final = 600.0
"""So long without a hop or an answer is the end of the patience. The bench's own figure, for a machine that is much slower."""
PRATTLE: Final = frozenset({("han", "sent"), ("han", "received")})
"""Hops of the HAN by itself, keep-alives above all: they go on for ever, and are no sign that something comes of what is waited for."""
NO_ANSWER: Final = ("N12", "N13")
"""DCC Alerts that tell a user that no Response came (reference dcc-alert-codes.csv)."""
PROCESSES: Final = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__, "hil.bench.home", "hil.commands.dcc", "hil.commands.run"])
"""A life begins in a process that has its modules already: what is tried is the life, not the interpreter's start."""


def _live(words: Sequence[str], out: Path) -> None:
    """One life: ``chub`` with these words, in a process of its own."""
    with out.open("ab") as file:
        out.chmod(0o600)  # a DCC says there the tokens of its page
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["chub", *words]
    main()


@dataclass(frozen=True, slots=True)
class KillsResult:
    """End of so many kills. ``wrong``: what did not hold, in sentences."""

    victim: str
    kills: int
    requests: int
    answered: int
    told_none: int
    """Requests whose user was told at the deadline that no Response came (N12, N13), and got none later."""
    executed: int
    again: int
    """Readings that the meter has executed again, because the hub had died with the first."""
    hops: int
    seconds: float
    wrong: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass
class _Program:
    """One process and its trace."""

    name: str
    words: Callable[[], Sequence[str]]
    folder: Path
    hops: list[dict[str, object]] = field(default_factory=list)
    process: ForkServerProcess | None = None
    progress: int = 0
    """Number of hops that are no :data:`PRATTLE`."""
    _read: int = 0

    def start(self) -> None:
        words = (*self.words(), "--trace", str(self.folder / f"{self.name}.jsonl"))
        self.process = PROCESSES.Process(target=_live, args=(words, self.folder / f"{self.name}.out"))
        self.process.start()

    def look(self) -> int:
        """Read on in its trace; how many hops are new. What a kill has cut off is no hop."""
        file = self.folder / f"{self.name}.jsonl"
        if not file.exists():
            return 0
        with file.open("rb") as lines:
            lines.seek(self._read)
            octets = lines.read()
        whole = octets.rfind(b"\n") + 1
        self._read += whole
        new = 0
        for line in octets[:whole].splitlines():
            with contextlib.suppress(ValueError):
                self.hops.append(hop := json.loads(line))
                self.progress += (hop.get("area"), hop.get("event")) not in PRATTLE
                new += 1
        return new

    async def end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is not None and process.pid is not None:
            if process.exitcode is None:
                os.kill(process.pid, how)
            await asyncio.to_thread(process.join)

    def said(self) -> str:
        return (self.folder / f"{self.name}.out").read_text(errors="replace").strip()[-400:]


class _Bench:
    def __init__(self, board: Board, file: str, folder: Path, victim: str, clock: Clock, store: Path | None) -> None:
        (self.meter,) = board.device
        self.board = board
        self.clock = clock
        self.folder = folder
        self.store = store or folder / "dcc.sqlite"
        self.keys = BenchKeys.of(None, file)
        self.user = User(board.parties.supplier, dcc_board.ROLES["supplier"], self.keys.keystore)
        self.counter = int(profile().first_counter)
        self.ends = ANSWERED | {RequestState.UNANSWERED} if victim == "home" else ANSWERED
        self.taken: list[str] = []
        self.hops = 0
        port, self.web = _free_port(), _free_port()
        wan, state = f"127.0.0.1:{port}", folder / "home"
        self.nvm = (folder if victim == "hub" else state) / "hub.sqlite"
        up = ("dcc", "up", "--board", file, "--store", str(self.store), "--hubs", wan, "--port", str(self.web), "--gap", "0")
        dcc = _Program("dcc", lambda: (*up, "--smki-port", "0", "--page-port", "0"), folder)
        home = ("run", "home", "--board", file, "--state", str(state), *(("--no-hub",) if victim == "hub" else ("--wan", wan)))
        self.programs = {"dcc": dcc, "home": _Program("home", lambda: home, folder)}
        if victim == "hub":
            keys = str(self.keys.folder)
            hub = ("hub", "run", "--board", file, "--wan", wan, "--pki", keys, "--nvm", str(self.nvm))
            self.programs["hub"] = _Program("hub", lambda: (*hub, "--radio", self._dongle()), folder)

    def _dongle(self) -> str:
        return next(str(hop["target"]) for hop in self.programs["home"].hops if hop["event"] == "ready")

    # --- time

    def look(self) -> None:
        """Read on in the traces. Raises StepFailed where a program has ended by itself."""
        self.hops += sum(program.look() for program in self.programs.values())
        for program in self.programs.values():
            if program.process is not None and program.process.exitcode is not None:
                raise StepFailed(f"{program.name} ended by itself with {program.process.exitcode}: {program.said()}")

    async def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Look again and again. Raises StepFailed where nothing happens any more."""
        seen, since = self.progress(), time.monotonic()
        while not holds():
            await self.clock.sleep(LOOK_S)
            self.look()
            if (now := self.progress()) != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                raise StepFailed(f"nothing but keep-alives in {PATIENCE_S:g} s, and not yet {what}")

    def progress(self) -> int:
        """Hops of all programs that show that something goes on."""
        return sum(program.progress for program in self.programs.values())

    @contextlib.contextmanager
    def dcc(self) -> Iterator[DccStore]:
        store = DccStore(self.store, owner=False)
        try:
            yield store
        finally:
            store.close()

    def read(self, reading: Callable[[DccStore], T]) -> T | None:
        """From the DCC's store, beside the DCC; None where the DCC is not so far."""
        if database_url(self.store) is None and not self.store.exists():
            return None
        with contextlib.suppress(CommsHubError), self.dcc() as store:
            return reading(store)
        return None

    def status(self, eui: Eui64) -> str:
        device = self.read(lambda store: Inventory(store, self.clock.now).device(eui))
        return "" if device is None else str(device.status)

    def told(self) -> Counter[str]:
        """Number of Responses for the user, by request."""
        return Counter(one.request or "" for one in self._documents() if one.kind == "h")

    def told_none(self) -> Counter[str]:
        """Number of DCC Alerts for the user that no Response came, by request."""
        alerts = (etree.fromstring(one.xml) for one in self._documents() if one.code in NO_ANSWER)
        return Counter(alert.findtext(".//{*}CommandRequestID") or "" for alert in alerts)

    def ended(self) -> Counter[str]:
        """Ends that the user was told, by request. That no Response came is one where a killed home may have lost the Command."""
        return self.told() + self.told_none() if RequestState.UNANSWERED in self.ends else self.told()

    def _documents(self) -> tuple[OutboxMessage, ...]:
        return self.read(lambda store: PushOutbox(store, self.clock.now).all()) or ()

    def requests(self) -> dict[str, StoredRequest]:
        """Every request that the DCC has taken, by its name."""
        return {one.name: one for one in self.read(lambda store: Requests(store, self.clock.now).all()) or ()}

    # --- the user

    async def post(self, variant: str, target: Eui64, content: dict[str, Content] | None = None) -> str:
        """Post a request of the supplier, and its pre-command signed where there is one, until the DCC has taken it; its RequestID."""
        self.counter += 1
        request = new_request(variant, self.user.eui64, target, self.counter, content or {})
        answer = await self._say(self.user.sign(request))
        if "GBCSPayload" in answer:
            payload = base64.b64decode(answer["GBCSPayload"])
            await self._say(self.user.answer(request, payload, CommandVariant.SIGNED_SEND))
        return str(request.request_id)

    async def _say(self, request: ServiceRequest) -> dict[str, str]:
        place = next(one for one, variants in SERVED.items() if request.command_variant in variants)
        octets, tried = write_request(request), False
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
            while True:
                try:
                    answer = await client.post(
                        f"http://127.0.0.1:{self.web}/api/v1/{place}", content=octets, headers={"Content-Type": "application/xml"}
                    )
                except httpx.TransportError:  # it is dead, and comes back
                    tried = True
                    self.look()
                    await self.clock.sleep(LOOK_S)
                    continue
                texts = {etree.QName(one).localname: one.text or "" for one in etree.fromstring(answer.content).iter("{*}*")}
                if not texts.get("ResponseCode", "").startswith("I") and not (tried and self._known(request)):
                    raise StepFailed(f"{request.request_id} was refused: {answer.text[-400:]}")
                return texts

    def _known(self, request: ServiceRequest) -> bool:
        """True if a DCC that died had taken it before: what is posted again then is a duplicate."""
        return str(request.request_id) in self.requests()

    async def ask(self, variant: str, target: Eui64, content: dict[str, Content] | None = None) -> None:
        """The same, and wait for the Response."""
        request = await self.post(variant, target, content)
        await self.until(f"an answer to {variant}", lambda: self.told()[request] == 1)

    async def into_service(self) -> None:
        """From nothing to a commissioned meter."""
        self.programs["dcc"].start()
        self.programs["home"].start()
        if "hub" in self.programs:
            await self.until("a dongle", lambda: any(hop["event"] == "ready" for hop in self.programs["home"].hops))
            self.programs["hub"].start()
        await self.post("12.2", self.board.parties.access_control_broker, dcc_board.notification(self.meter))
        await self.until("a commissioned hub", lambda: self.status(self.board.hub.chf) == "Commissioned")
        await self.ask("8.11", self.board.hub.chf, dcc_board.addition(self.meter, 600))
        await self.until("a joined meter", lambda: self.status(self.meter.eui) == "InstalledNotCommissioned")
        now = self.clock.datetime() - timedelta(minutes=1)
        await self.ask("8.1.1", self.meter.eui, {"CurrentDateTime": now, "TolerancePeriod": 3600})

    async def load(self, over: asyncio.Event) -> None:
        """Keep so many requests under way until it is over."""
        while not over.is_set():
            ended = self.ended()
            if sum(ended[one] == 0 for one in self.taken) < AT_ONCE:
                variant, of_meter = ASKED[len(self.taken) % len(ASKED)]
                self.taken.append(await self.post(variant, self.meter.eui if of_meter else self.board.hub.chf))
            else:
                await self.clock.sleep(LOOK_S)

    # --- what must hold

    def commands(self) -> list[str]:
        """Identifiers of the Commands of the meter in the order in which they went to the hub."""
        posted = [one for one in self.requests().values() if one.target == self.meter.eui and one.sequence is not None]
        return [str(one.command_id) for one in sorted(posted, key=lambda one: one.sequence or 0)]

    def executed(self) -> list[str]:
        """Commands that the meter has executed, in order."""
        hops = self.programs["home"].hops
        return [str(hop["message"]) for hop in hops if hop["event"] == "executed" and str(hop["source"]).startswith(self.meter.name)]

    def wrong(self) -> Iterator[str]:
        """Broken promises, in sentences."""
        told, none, known, executed = self.told(), self.told_none(), self.requests(), self.executed()
        for request in self.taken:
            state = known[request].state if request in known else None
            if state not in self.ends:
                yield f"request {request} ended as {state or 'unknown'}"
            if told[request] != (state in ANSWERED):
                yield f"request {request}, {state}: its Response was told {told[request]} times"
            if none[request] != (state in (RequestState.UNANSWERED, RequestState.LATE)):
                yield f"request {request}, {state}: that no Response came was told {none[request]} times"
        critical = {one.command_id for one in known.values() if one.pre_command is not None and one.command_id is not None}
        order = {identifier: number for number, identifier in enumerate(self.commands())}
        counted = Counter(executed)
        yield from (f"the critical {one} was executed {counted[one]} times" for one in critical if counted[one] > 1)
        places = [order.get(one, -1) for one in dict.fromkeys(executed)]
        if places != sorted(places):
            yield f"the meter executed out of order: {places}"
        yield from self._stores()

    def _stores(self) -> Iterator[str]:
        try:
            hub = SqliteStore(self.nvm)
        except CommsHubError as trouble:
            yield str(trouble)
            return
        with contextlib.closing(hub):
            yield from (f"the hub still holds {key}" for key in hub.keys("hub/mailbox/") if "/next/" not in key)
            yield from (f"the hub still holds {key}" for key in hub.keys("wan/dcc/outbox/"))
        try:
            dcc = DccStore(self.store)
        except CommsHubError as trouble:
            yield str(trouble)
            return
        with contextlib.closing(dcc):
            yield from (f"the DCC still holds {key}" for key in dcc.named("headend/").keys("wan/") if "/outbox/" in key)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def _ended(programs: Sequence[_Program]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for program in programs:
            await program.end(signal.SIGTERM)


async def killed(
    board: Board,
    file: str,
    folder: Path,
    victim: str,
    kills: int,
    seed: int,
    clock: Clock,
    on_kill: Callable[[int], None],
    store: Path | None = None,
) -> KillsResult:
    """Kill the ``victim`` (hub, home or dcc) so many times. ``board``, read from ``file``, has one Device, an electricity meter. ``store``
    None: the DCC's is a file in ``folder``."""
    random, began = Random(f"kills {victim} {seed}"), time.monotonic()
    bench = _Bench(board, file, folder, victim, clock, store)
    wrong, done = list[str](), 0
    async with _ended(tuple(bench.programs.values())):
        try:
            await bench.into_service()
            over = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(bench.load(over))
                for number in range(kills):
                    instant = bench.hops + random.randint(*HOPS[victim])
                    await bench.until(f"kill {number + 1}", lambda instant=instant: bench.hops >= instant)  # type: ignore[misc]
                    await bench.programs[victim].end(signal.SIGKILL)
                    bench.programs[victim].start()
                    done = number + 1
                    on_kill(done)
                over.set()
            await bench.until("every request answered", lambda: all(bench.ended()[one] for one in bench.taken))
        except* StepFailed as failed:
            wrong += [str(one) for one in failed.exceptions]
    wrong += bench.wrong()
    return KillsResult(
        victim,
        done,
        len(bench.taken),
        sum(bench.told()[one] == 1 for one in bench.taken),
        sum(bench.told()[one] == 0 and bench.told_none()[one] == 1 for one in bench.taken),
        len(bench.executed()),
        len(bench.executed()) - len(set(bench.executed())),
        bench.hops,
        round(time.monotonic() - began, 1),
        tuple(dict.fromkeys(wrong)),
    )
