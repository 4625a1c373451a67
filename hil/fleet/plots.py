"""Plots of a fleet's run: throughput and latency over its homes and workers, memory, and what a home costs as more are played."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from hil.fleet.partition import HomeResult, PartitionResult
from hil.report.verdict import Plot

_POINTS = 200
"""Points of a line at most; more are not seen."""
Line = list[tuple[float, float]]


def over_time(done: Sequence[tuple[float, int]]) -> Plot:
    """Homes played over real time, by all and by each worker. ``done``: real second and worker's process of each home's end."""
    lines: defaultdict[int | None, Line] = defaultdict(lambda: [(0.0, 0.0)])
    for second, process in done:
        for one in (None, process):
            lines[one].append((second, len(lines[one])))
    named = {("all" if process is None else f"worker {process}"): _thinned(line) for process, line in lines.items()}
    if len(named) == 2:
        del named["all"]
    return Plot("Throughput: homes played", "homes", named, over="real time, s")


def over_homes(phases: Sequence[str], homes: Sequence[HomeResult]) -> Plot:
    """The time that so many of a hundred homes needed at most for a phase."""
    lines = {}
    for phase in phases:
        times = sorted(home.bench_s[phase] for home in homes if phase in home.bench_s)
        if times:
            lines[phase] = _thinned([(100 * (rank + 1) / len(times), value) for rank, value in enumerate(times)])
    return Plot("Latency of each phase", "bench s", lines, over="homes that were at most so slow, %", from_zero=True)


def memory(results: Sequence[PartitionResult]) -> Plot:
    """The most memory of each worker so far; ``results`` in the order of their ends."""
    return Plot(
        "Memory of each worker", "MB", _by_worker(results, lambda one: one.memory_mb), over="homes that it has played", from_zero=True
    )


def slope(results: Sequence[PartitionResult]) -> Plot:
    """Processor seconds of a home, partition by partition."""
    lines = _by_worker(results, lambda one: one.processor_s / len(one.homes))
    return Plot("Slope: processor of a home", "s", lines, over="homes that its worker has played", from_zero=True)


def over_workers(rates: Sequence[tuple[int, float]]) -> Plot:
    """Throughput by number of workers, beside that of the first times the number."""
    count, rate = rates[0]
    even = [(float(workers), rate / count * workers) for workers, _ in rates]
    measured = [(float(workers), found) for workers, found in rates]
    return Plot(
        "Throughput over workers",
        "homes a second",
        {"measured": measured, "in proportion to the first": even},
        over="workers",
        from_zero=True,
    )


def _by_worker(results: Sequence[PartitionResult], of: Callable[[PartitionResult], float]) -> dict[str, Line]:
    played: defaultdict[int, int] = defaultdict(int)
    lines: defaultdict[str, Line] = defaultdict(list)
    for one in results:
        played[one.process] += len(one.homes)
        lines[f"worker {one.process}"].append((float(played[one.process]), of(one)))
    return dict(lines)


def _thinned(line: Line) -> Line:
    step = max(1, -(-len(line) // _POINTS))
    return [*line[:-1:step], line[-1]]
