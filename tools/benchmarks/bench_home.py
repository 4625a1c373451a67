"""A virtual day of one home, and how long a request takes over the whole chain."""

import logging
import tempfile
import time
from pathlib import Path
from statistics import median

import click

from benchmarks.timing import Timing, report
from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Record, Trace
from hil.bench.station import Station, open_station
from hil.journeys.demo import HomeJourney, need
from hil.journeys.steps import Steps
from hil.journeys.strategy import State

HOUR_S = 3600.0
PUSHES_A_DAY = 48
DAY_BUDGET_S, REQUEST_BUDGET_MS = 2.0, 30.0


async def _day(station: Station, journey: HomeJourney, records: list[Record]) -> tuple[float, float, int]:
    """A day with two commands in it: real seconds, seconds of the processor, and how often the gas meter woke to push."""
    seen, began, worked = len(records), time.perf_counter(), time.process_time()
    await station.clock.sleep(8 * HOUR_S)
    need(await journey.ask("4.1.1", journey.esme.eui64))
    await station.clock.sleep(10 * HOUR_S)
    need(await journey.ask("7.4", journey.esme.eui64))
    await station.clock.sleep(6 * HOUR_S)
    taken, worked = time.perf_counter() - began, time.process_time() - worked
    return taken, worked, sum(record.source == journey.gsme.name and record.event == "awake" for record in records[seen:])


async def _request(journey: HomeJourney) -> float:
    """Real milliseconds from request to response."""
    began = time.perf_counter()
    need(await journey.ask("4.1.1", journey.esme.eui64))
    return 1000 * (time.perf_counter() - began)


async def measure(clock: Clock, board: Board, folder: Path, days: int, requests: int) -> list[Timing]:
    """A home is installed and commissioned, lives ``days``, and answers ``requests``. Raises StepFailed where it does not."""
    records: list[Record] = []
    trace = Trace(clock.now)
    trace.subscribe(records.append)
    began = time.perf_counter()
    async with open_station(board, clock, trace, folder) as station:
        journey = HomeJourney(station, Steps(records, on_step=lambda step: None, on_begin=lambda name: None), records)
        await journey.reach(State.PAIRED)
        installed = time.perf_counter() - began
        lived = [await _day(station, journey, records) for _ in range(days)]
        await _request(journey)
        asked = [await _request(journey) for _ in range(requests)]
    day, worked, pushes = (median(column) for column in zip(*lived, strict=True))
    milliseconds = median(asked)
    day_budget, request_budget = f"under {DAY_BUDGET_S:g}", f"under {REQUEST_BUDGET_MS:g}"
    return [
        Timing("supply on to a home commissioned", installed, "s"),
        Timing("a virtual day of one home", day, "s", budget=day_budget, met=day < DAY_BUDGET_S),
        Timing("processor time in it", worked, "s", "a virtual day of one home", worked / day),
        Timing("wake-ups of the gas meter in a day", pushes, "", budget=f"at least {PUSHES_A_DAY}", met=pushes >= PUSHES_A_DAY),
        Timing("request to response, whole chain, warm", milliseconds, "ms", budget=request_budget, met=milliseconds < REQUEST_BUDGET_MS),
    ]


@click.command()
@click.option("--board", "board_name", default="simulated", show_default=True, help="Board name or path of a .toml file.")
@click.option("--days", type=click.IntRange(1), default=3, show_default=True, help="Virtual days, of which the median is told.")
@click.option("--requests", type=click.IntRange(3), default=50, show_default=True, help="Requests, of which the median is told.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def benchmark(board_name: str, days: int, requests: int, as_json: bool) -> None:
    """A virtual day of one home: 48 pushes of gas, keep-alives, two commands; and a request to its response.

    Real time of this process, everything virtual, the trace recorded as in any run.
    """
    logging.disable(logging.CRITICAL)  # what the parts remark is in the trace
    board = load_board(board_name)
    clock = Clock(start=board.clock.start, warp=board.warp, speed=board.clock.speed)
    with tempfile.TemporaryDirectory() as folder:
        timings = clock.run(measure(clock, board, Path(folder), days, requests))
    report(timings, as_json, {"board": board.name, "days": days, "requests": requests})
