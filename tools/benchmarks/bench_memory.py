"""Memory of a home and a DCC over many messages: both in this process, the slope of what it holds over the later two thirds."""

import gc
import logging
import math
import os
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks.timing import Timing, report
from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.bench.station import open_station
from hil.journeys.demo import need
from hil.journeys.strategy import State, Strategy

SAMPLES = 60
LEAST_SAMPLES = 6
MOST_BETWEEN = 100
"""Requests between two samples at most, so that a measurement which ends by the clock has enough of them."""
SLOPE_BUDGET = 100.0
"""Octets a request under which there is no slope: 50,000 requests are then within 5 MB, which the allocator's own pools move."""
PAUSE_S = 1.0
"""Bench seconds between two requests: on the warp clock none would pass, and what a layer remembers for some seconds would never go."""
LARGEST = 8
"""Places of the code that are told with --where."""


def resident() -> int:
    """Octets of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def slope(samples: Sequence[tuple[int, int]]) -> float:
    """Octets a request, by least squares over the later two thirds of ``(requests, octets)``: what is filled once is full by then."""
    later = samples[len(samples) // 3 :]
    return linear_regression([count for count, _ in later], [octets for _, octets in later]).slope


async def measure(
    clock: Clock, board: Board, folder: Path, requests: int, minutes: float, where: bool
) -> tuple[list[tuple[int, int]], list[str]]:
    """``(requests so far, octets in memory)``, and where what was added lies. Raises StepFailed where a request is not answered."""
    samples, meter, found = [], board.device[0].eui, list[str]()
    until = time.monotonic() + minutes * 60
    async with open_station(board, clock, Trace(clock.now), folder) as station:
        await Strategy(station).reach(State.COMMISSIONED)
        every = min(MOST_BETWEEN, max(1, requests // SAMPLES))
        before = None
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("requests", total=requests)
            for count in range(1, requests + 1):
                need(await station.ask(station.supplier, "4.1.1", meter))
                station.supplier.inbox.clear()  # a user keeps what it likes: here nothing
                await clock.sleep(PAUSE_S)
                if count % every == 0:
                    samples.append((count, resident()))
                    progress.update(task, completed=count)
                    if time.monotonic() > until and len(samples) >= LEAST_SAMPLES:
                        break
                if where and count == requests // 3:
                    tracemalloc.start(4)
                    before = tracemalloc.take_snapshot()
        if before is not None:
            grown = tracemalloc.take_snapshot().compare_to(before, "lineno")
            found = [str(one) for one in grown[:LARGEST]]
    return samples, found


@click.command()
@click.option("--requests", type=click.IntRange(30), default=50_000, show_default=True, help="Requests to the meter, whole chain.")
@click.option("--minutes", type=float, default=math.inf, help="End after so many, with the requests that were made by then.")
@click.option("--where", is_flag=True, help="Also tell which lines hold what was added (slower).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def benchmark(requests: int, minutes: float, where: bool, as_json: bool) -> None:
    """Growth of hub, meter and DCC with the messages that pass: octets in memory over so many requests and their answers.

    One home of a hub and an electricity meter with its DCC in this process, everything virtual, on the warp clock. The user keeps no
    answer. Each request is a message down and one up at the home.
    """
    logging.disable(logging.CRITICAL)  # what the parts remark is in the trace
    board = load_board("simulated")
    board = board.model_copy(update={"device": board.device[:1]})
    clock = Clock(start=board.clock.start, warp=True)
    with tempfile.TemporaryDirectory() as folder:
        samples, found = clock.run(measure(clock, board, Path(folder), requests, minutes, where))
    grown = slope(samples)
    mib = 1 << 20
    timings = [
        Timing("in memory after the first third", samples[len(samples) // 3][1] / mib, "MiB"),
        Timing("in memory at the end", samples[-1][1] / mib, "MiB"),
        Timing("slope", grown, "octets a request", budget=f"under {SLOPE_BUDGET:g}", met=grown < SLOPE_BUDGET),
    ]
    more: dict[str, object] = {"samples": samples, "where": found} if as_json else {}
    report(timings, as_json, {"board": board.name, "requests": samples[-1][0], **more})
    if not as_json:
        for line in found:
            click.echo(line)
