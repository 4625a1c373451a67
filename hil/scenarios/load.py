"""A load on the far end: many users over many homes while links fail and the DCC is killed and begun again, and every message counted.

What is shown: no message lost, doubled or given to the wrong user; and how long requests took, in bench time and in real time.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from firmware_emu.device.profile import may_come_again
from firmware_emu.errors import CommsHubError, NotAvailable, WanError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record
from firmware_emu.wan.base import WanFrame
from hil.dcc.base.results import Outcome
from hil.dcc.duis import ServiceRequest
from hil.dcc.parties.users import User
from hil.scenarios.estate import Dwelling, Estate

READS = ("4.1.1", "4.1.2", "4.3", "4.11.1", "4.16", "6.2.4", "7.4")
"""Requests of the users to the electricity meters, in turn; the last of them reads the state of the supply."""
CRITICAL = ("7.2", "7.1")
"""Every tenth request is one of these: disable and enable supply, in two steps with correlate and signature."""
_EVERY = 10
_BETWEEN_S = 0.2
"""A user's pause between two requests. The bench's own figure."""


@dataclass(frozen=True, slots=True)
class LoadScenario:
    """``link_failures``: the chance that a frame ends its connection. ``kills``: how often the DCC dies, evenly over the run."""

    requests: int = 2000
    link_failures: float = 0.01
    kills: int = 2
    seed: int = 1


@dataclass(slots=True)
class LoadReport:
    """Outcome of a load. ``problems`` is empty where every message arrived once, where it belongs."""

    requests: int
    answered: int
    delivered: int
    executed: int
    links_failed: int
    kills: int
    asked_again: int
    """Requests whose user asked for their end after the DCC had died, or sent them anew because it knew nothing of them."""
    problems: list[str] = field(default_factory=list)
    bench_s: list[float] = field(default_factory=list)
    """From request to end, bench seconds, one a request."""
    real_s: float = 0.0

    @staticmethod
    def _percentiles(values: Sequence[float]) -> dict[str, float]:
        if len(values) < 2:
            return {}
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        return {"p50": round(cuts[49], 3), "p90": round(cuts[89], 3), "p99": round(cuts[98], 3), "max": round(max(values), 3)}

    def as_json(self) -> dict[str, object]:
        """Figures and verdict."""
        return {
            "verdict": "fail" if self.problems else "pass",
            "requests": self.requests,
            "answered": self.answered,
            "delivered": self.delivered,
            "executed": self.executed,
            "links_failed": self.links_failed,
            "kills": self.kills,
            "asked_again": self.asked_again,
            "latency_bench_s": self._percentiles(self.bench_s),
            "requests_per_real_second": round(self.requests / self.real_s, 1) if self.real_s else None,
            "real_s": round(self.real_s, 2),
            "problems": self.problems[:20],
        }


class LoadRun:
    """Carries a load out on an installed estate."""

    def __init__(self, estate: Estate, load: LoadScenario, progress: Callable[[int], None] = lambda done: None) -> None:
        self.estate, self.load = estate, load
        self._progress = progress
        self._random = random.Random(load.seed)
        self._up = asyncio.Event()
        self._up.set()
        self._generation = 0
        self._pending: set[asyncio.Task[Outcome]] = set()
        self._asked: dict[str, tuple[User, Eui64]] = {}
        self._done = 0
        self._executed: Counter[str] = Counter()
        self._report = LoadReport(load.requests, 0, 0, 0, 0, load.kills, 0)
        self._inboxes = {eui: len(user.inbox) for eui, user in estate.users.items()}

    async def run(self) -> LoadReport:
        """The whole load; its report."""
        estate, report = self.estate, self._report
        stop = estate.trace.subscribe(self._note)
        for dwelling in estate.dwellings:
            dwelling.wan.shape = self._shape
        began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                killer = group.create_task(self._kills())
                clients = [group.create_task(self._client(user, rows)) for user, rows in self._shares()]
                await asyncio.wait(clients)
                killer.cancel()
        finally:
            stop()
            for dwelling in estate.dwellings:
                dwelling.wan.shape = None
        report.real_s = time.monotonic() - began
        self._count()
        return report

    def _shares(self) -> list[tuple[User, list[tuple[Dwelling, str]]]]:
        """Requests of each user by home: each user's homes in turn."""
        users = list(self.estate.users.values())
        homes = {user.eui64: [one for one in self.estate.dwellings if self.estate.user(one) is user] for user in users}
        shares: dict[Eui64, list[tuple[Dwelling, str]]] = {user.eui64: [] for user in users}
        for number in range(self.load.requests):
            user = users[number % len(users)]
            share = shares[user.eui64]
            home = homes[user.eui64][len(share) % len(homes[user.eui64])]
            variant = CRITICAL[number // _EVERY % 2] if number % _EVERY == 0 else READS[self._random.randrange(len(READS))]
            share.append((home, variant))
        return [(user, shares[user.eui64]) for user in users]

    def _shape(self, to: str, frame: WanFrame) -> Sequence[tuple[float, WanFrame]]:
        if self._random.random() < self.load.link_failures:
            self._report.links_failed += 1
            raise WanError("the link failed")
        return ((0.0, frame),)

    def _note(self, record: Record) -> None:
        if record.area == "device" and record.event == "executed" and record.message and record.source.startswith("esme"):
            self._executed[record.message] = 1 if may_come_again(record) else self._executed[record.message] + 1

    # --- users

    async def _client(self, user: User, rows: Sequence[tuple[Dwelling, str]]) -> None:
        for dwelling, variant in rows:
            target = next(row.eui for row in dwelling.board.device if row.type == "ESME")
            began = self.estate.clock.now()
            outcome = await self._answer(user, variant, target)
            self._report.bench_s.append(self.estate.clock.now() - began)
            if outcome.parsed is not None:
                self._report.answered += 1
            else:
                self._report.problems.append(f"{variant} to {target}: {outcome.why}")
            self._done += 1
            self._progress(self._done)
            await self.estate.clock.sleep(_BETWEEN_S)

    async def _answer(self, user: User, variant: str, target: Eui64) -> Outcome:
        """Send, and if the DCC dies meanwhile, ask the next one for the end, or send anew what it has never heard of."""
        await self._up.wait()
        request = self.estate.dcc.request(user, variant, target)
        self._asked[str(request.request_id)] = (user, target)
        known = False
        while True:
            await self._up.wait()
            try:
                return await self._while_it_lives(user, request, known)
            except _Died:
                known = True
                self._report.asked_again += 1
            except NotAvailable:  # the DCC that lives now never stored it
                known = False

    async def _while_it_lives(self, user: User, request: ServiceRequest, known: bool) -> Outcome:
        dcc, generation = self.estate.dcc, self._generation
        task = asyncio.create_task(dcc.outcome(user, request.request_id) if known else dcc.send(user, request))
        self._pending.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if generation != self._generation:
                raise _Died from None
            raise
        finally:
            self._pending.discard(task)

    # --- the DCC's deaths

    async def _kills(self) -> None:
        for number in range(1, self.load.kills + 1):
            at = self.load.requests * number // (self.load.kills + 1)
            while self._done < at:
                await self.estate.clock.sleep(_BETWEEN_S)
            self._up.clear()
            self._generation += 1
            for task in tuple(self._pending):
                task.cancel()
            await self.estate.kill_dcc()
            await self.estate.clock.sleep(1.0)
            await self.estate.begin_dcc_again()
            self._up.set()

    # --- the count

    def _count(self) -> None:
        report = self._report
        seen: Counter[str] = Counter()
        for user in self.estate.users.values():
            for delivery in user.inbox[self._inboxes[user.eui64] :]:
                if delivery.request is None or delivery.octets is None:
                    continue
                asked = self._asked.get(delivery.request)
                if asked is None:
                    report.problems.append(f"{user.eui64} was given a Response to {delivery.request}, which nobody sent")
                    continue
                seen[delivery.request] += 1
                if asked[0] is not user:
                    report.problems.append(f"the Response to {delivery.request} of {asked[0].eui64} went to {user.eui64}")
                if (originator := Message.decode(delivery.octets).header.originator) != asked[1]:
                    report.problems.append(f"the Response to {delivery.request} comes from {originator}, not from {asked[1]}")
        report.delivered = sum(seen.values())
        report.executed = sum(self._executed.values())
        report.problems += [f"{name} was answered {count} times" for name, count in seen.items() if count > 1]
        report.problems += [f"{name} was never answered" for name in self._asked if not seen[name]]
        report.problems += [f"the meter executed {name} {count} times" for name, count in self._executed.items() if count > 1]
        report.problems += [f"reached nobody: {stray.kind} {stray.message}: {stray.reason}" for stray in self.estate.dcc.strays()]


class _Died(CommsHubError):
    """The DCC that was asked is dead."""

    def __init__(self) -> None:
        super().__init__("the DCC died")
