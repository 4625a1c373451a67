"""One partition of a fleet: some homes with a DCC and a warp clock of their own, played to the end in one process."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeVar

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError
from firmware_emu.trace import Trace
from hil.fleet.phases import Phase, far_phases_of, phases_of
from hil.fleet.remote import FarEstate, FarSide, open_far_estate
from hil.scenarios.estate import Dwelling, Estate, Plan, open_estate

_AT_ONCE = 8
"""Homes of a partition that are in a phase at the same time. Own figure."""
_LEAST = 5
"""Homes of the smallest partition, as long as there are so many: each has a DCC and parties of its own. Own figure."""
_SUPPLIERS = 5
"""Suppliers that share the homes of each partition, by the homes' numbers. Own figure."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Homes ``first`` to ``first + homes - 1`` of a fleet, in what they are to play."""

    scenario: str
    board: str
    seed: int
    first: int
    homes: int
    far: FarSide | None = None
    """Place of their DCC, if it is not one of the partition's own; the homes are then those of one supplier."""
    supplier: int = 0


@dataclass(frozen=True, slots=True)
class HomeResult:
    """End of one home. ``problem`` is empty where every phase passed; ``phase`` is the last one that it was in; ``bench_s`` has the bench
    seconds of each phase."""

    home: int
    phase: str
    problem: str = ""
    bench_s: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """End of a partition: its homes, and what it cost: processor seconds, real seconds, and the most memory of its process in MB."""

    first: int
    homes: tuple[HomeResult, ...]
    processor_s: float
    real_s: float
    memory_mb: float
    process: int
    asked: int = 0
    """Requests to a DCC elsewhere."""
    repeated: int = 0
    """Responses of it that came again as they were."""
    doubled: tuple[str, ...] = ()
    """Requests to which different Responses came."""
    far: str = ""
    """Words of `chub fleet run` that name the DCC elsewhere."""


def shared_out(homes: int, size: int, workers: int) -> Iterator[range]:
    """The numbers of the homes of each partition: ``size`` of them, and less towards the end, so that no worker is idle for long while
    another plays the last one."""
    first = 1
    while first <= homes:
        left = homes + 1 - first
        share = left if workers == 1 else max(_LEAST, -(-left // (2 * workers)))
        block = range(first, first + min(size, share, left))
        yield block
        first = block.stop


def play(partition: Partition, done: Callable[[int], None] = lambda home: None) -> PartitionResult:
    """Play a partition; ``done`` is told the number of each home that has come to its end. Raises UnknownFleetScenario, BoardError."""
    if partition.far is not None:
        return _play_far(partition, partition.far, done)
    phases, board = phases_of(partition.scenario), load_board(partition.board)
    clock = Clock(start=board.clock.start, warp=True)
    processor, real = time.process_time(), time.monotonic()
    gc.freeze()  # what is there already is none of its litter: to look through it takes as long as to install three homes
    plan = Plan(partition.homes, _SUPPLIERS, first=partition.first)

    async def whole() -> tuple[HomeResult, ...]:
        with TemporaryDirectory(prefix="chub-fleet-") as folder:
            async with open_estate(board, plan, clock, Trace(clock.now), Path(folder)) as estate:
                return await _play(estate, partition, phases, done)

    try:
        homes = clock.run(whole())
        gc.collect()  # its homes are full of circles, and the next partition's would come on top of them
    finally:
        gc.unfreeze()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return PartitionResult(partition.first, homes, time.process_time() - processor, time.monotonic() - real, round(memory, 1), os.getpid())


def _play_far(partition: Partition, far: FarSide, done: Callable[[int], None]) -> PartitionResult:
    """The same before a DCC elsewhere, in real time."""
    phases = far_phases_of(partition.scenario)
    clock = Clock()
    processor, real = time.process_time(), time.monotonic()

    async def whole() -> tuple[tuple[HomeResult, ...], FarEstate]:
        numbers = range(partition.first, partition.first + partition.homes)
        async with open_far_estate(far, partition.supplier, numbers, clock, Trace(clock.now), partition.seed) as estate:
            return await _play(estate, partition, phases, done, estate.turn if far.most else None), estate

    homes, estate = clock.run(whole())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return PartitionResult(
        partition.first,
        homes,
        time.process_time() - processor,
        time.monotonic() - real,
        round(memory, 1),
        os.getpid(),
        estate.user.asked,
        estate.user.repeated(),
        tuple(estate.user.doubled()),
        far.words(),
    )


E = TypeVar("E", Estate, FarEstate)


async def _play(
    estate: E,
    partition: Partition,
    phases: tuple[Phase[E], ...],
    done: Callable[[int], None],
    turn: Callable[[Dwelling], AbstractContextManager[None]] | None = None,
) -> tuple[HomeResult, ...]:
    """Each phase in all homes before the next begins; with ``turn`` each home by itself, from its first phase to its last."""
    numbered = dict(zip(range(partition.first, partition.first + partition.homes), estate.dwellings, strict=True))
    found = {number: HomeResult(number, phases[0].name) for number in numbered}
    randoms = {number: Random(f"{partition.seed}/{number}") for number in numbered}
    at_once = _AT_ONCE if partition.far is None or not partition.far.most else min(_AT_ONCE, partition.far.most)
    gate = asyncio.Semaphore(at_once)

    async def one(number: int, home: Dwelling, phase: Phase[E]) -> None:
        began, problem = estate.clock.now(), ""
        try:
            await phase.play(estate, home, randoms[number])
        except (CommsHubError, TimeoutError) as wrong:
            problem = str(wrong) or f"{type(wrong).__name__}: nothing came in time"
        times = {**found[number].bench_s, phase.name: round(estate.clock.now() - began, 3)}
        found[number] = HomeResult(number, phase.name, problem, times)
        if problem or phase is phases[-1]:
            done(number)

    async def some(number: int, home: Dwelling, those: tuple[Phase[E], ...]) -> None:
        async with gate:
            with nullcontext() if turn is None else turn(home):
                for phase in those:
                    if not found[number].problem:
                        await one(number, home, phase)

    for those in [(phase,) for phase in phases] if turn is None else [phases]:
        async with asyncio.TaskGroup() as group:
            for number, home in numbered.items():
                if not found[number].problem:
                    group.create_task(some(number, home, those))
    return tuple(found.values())
