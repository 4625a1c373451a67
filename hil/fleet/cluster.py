"""Partitions on the workers of Dask: a local cluster made for the run, or one that is there (``--scheduler``).

Dask plays a partition again whose worker was lost, and gives one result a partition. Workers tell of each home over Dask's events.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random

import dask
from distributed import Client, LocalCluster, Security, as_completed, get_worker

from firmware_emu.errors import CommsHubError, NotAvailable, in_words
from hil.fleet.partition import Partition, PartitionResult, play

_TOPIC = "chub-fleet"
_RETRIES = 3
"""Times that a partition is begun again whose worker was lost. Dask's own default for lost workers is three as well."""
_LOOPBACK = "127.0.0.1"
_WORKERS_S = 60.0
"""For the first worker of a scheduler that is there, and for all that are made here. Own figure."""


class PartitionLost(CommsHubError):
    """A partition could not be played to its end on any worker."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Processes that play a fleet. ``scheduler`` names a cluster that is there; without it ``count`` processes are made here. ``kills``: so
    many of these are killed on the way, at instants that ``seed`` gives."""

    count: int = 1
    scheduler: str | None = None
    kills: int = 0
    seed: int = 1


@dataclass(slots=True)
class Played:
    """Results of the partitions in the order of their ends, the time they took and how many workers were lost. ``done``: real second and
    worker's process of the first end of each home."""

    results: list[PartitionResult] = field(default_factory=list)
    done: list[tuple[float, int]] = field(default_factory=list)
    real_s: float = 0.0
    lost: int = 0
    workers: int = 0
    dashboard: str = ""


def _on_worker(partition: Partition) -> PartitionResult:
    worker, process = get_worker(), os.getpid()
    for name in ("firmware_emu", "hil"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the homes' troubles stand in their results
    return play(partition, lambda home: worker.log_event(_TOPIC, {"home": home, "process": process}))


def _ready() -> int:
    """Everything is imported where this was found."""
    return os.getpid()


def play_all(
    partitions: Sequence[Partition],
    workers: Workers,
    *,
    begun: Callable[[str], None] = lambda dashboard: None,
    done: Callable[[int], None] = lambda homes: None,
) -> Played:
    """Play every partition. ``begun`` is told the address of Dask's dashboard, ``done`` how many different homes have come to their end.
    Raises NotAvailable: no scheduler there; PartitionLost."""
    played, seen = Played(), set[int]()
    homes = sum(one.homes for one in partitions)
    random = Random(f"kills/{workers.seed}")
    began = time.monotonic()
    instants = sorted(random.sample(range(1, homes), min(workers.kills, homes - 1)))

    def heard(event: tuple[float, dict[str, int]]) -> None:
        told = event[1]
        if told["home"] not in seen:
            seen.add(told["home"])
            played.done.append((time.monotonic() - began, told["process"]))
        if instants and len(seen) >= instants[0]:
            instants.pop(0)
            os.kill(told["process"], signal.SIGKILL)
        done(len(seen))

    with ExitStack() as stack:
        client = stack.enter_context(_client(workers, stack))
        _wait_for_workers(client, workers)
        there = _addresses(client)
        played.dashboard, played.workers = client.dashboard_link, len(there)
        begun(played.dashboard)
        client.run(_ready)  # so that the time of a run is that of its homes
        client.subscribe_topic(_TOPIC, heard)
        began = time.monotonic()
        futures = [client.submit(_on_worker, one, pure=False, retries=_RETRIES) for one in partitions]
        for future, result in as_completed(futures, with_results=True, raise_errors=False):
            if not isinstance(result, PartitionResult):
                raise PartitionLost(f"partition {future.key} on the workers of Dask: {_said(future)}")
            played.results.append(result)
        played.real_s = time.monotonic() - began
        played.lost = len(there - _addresses(client))
        client.unsubscribe_topic(_TOPIC)
    return played


def _addresses(client: Client) -> frozenset[str]:
    return frozenset(client.scheduler_info(n_workers=-1)["workers"])


def _wait_for_workers(client: Client, workers: Workers) -> None:
    try:
        client.wait_for_workers(1 if workers.scheduler else workers.count, timeout=_WORKERS_S)
    except TimeoutError as none:
        way = f"start one with `dask worker {workers.scheduler}`" if workers.scheduler else "see what its machine is short of"
        raise NotAvailable("a worker of Dask", f"none came within {_WORKERS_S:g} s: {way}") from none


def _said(future: object) -> str:
    trouble = getattr(future, "exception", lambda: None)()
    return f"{type(trouble).__name__}: {trouble}"


def _client(workers: Workers, stack: ExitStack) -> Client:
    if workers.scheduler is not None:
        try:
            return Client(workers.scheduler, timeout="10s")
        except (OSError, ValueError) as wrong:
            way = "start it with `dask scheduler`, and workers with `dask worker`, or leave out --scheduler for processes made here"
            raise NotAvailable(f"a Dask scheduler at {workers.scheduler}", f"{in_words(wrong)}: {way}") from wrong
    stack.enter_context(dask.config.set({"distributed.worker.profile.enabled": False}))  # it stops the worker 100 times a second
    # Whoever reaches a scheduler or a worker of Dask runs code as its user: only who has the key that is made here does.
    cluster = stack.enter_context(
        LocalCluster(
            n_workers=workers.count,
            threads_per_worker=1,
            processes=True,
            host=_LOOPBACK,
            protocol="tls",
            security=Security.temporary(),
            dashboard_address=f"{_LOOPBACK}:0",
            worker_dashboard_address=f"{_LOOPBACK}:0",
            memory_limit=0,
            silence_logs=50,
        )
    )
    return Client(cluster)
