"""Rates measured side by side: every piece of work once a round, rounds repeated, medians taken, ratios taken within a round.

Rates are per second of processor time of this process, so that a busy machine does not count; ratios of one round see the same machine.
"""

import gc
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

Work = Callable[[], int]
"""Does its work once and says how many items it handled."""
SHORTEST_S = 0.05
"""Processor time that one measurement takes at least: short work is repeated."""


@dataclass(frozen=True)
class Figure:
    """One rate. ``beside`` names the figure it is compared with, ``ratio`` is this rate over that one; ``met`` is None without a budget."""

    name: str
    per_second: float
    beside: str = ""
    ratio: float | None = None
    budget: str = ""
    met: bool | None = None


def rates(works: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Items per second of every work in every round."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            gc.collect()
            found[name].append(_rate(work))
    return found


def _rate(work: Work) -> float:
    items = 0
    began = time.process_time()
    while True:
        items += work()
        taken = time.process_time() - began
        if taken >= SHORTEST_S:
            return items / taken


def figure(
    name: str, found: Mapping[str, list[float]], *, beside: str = "", at_least_ratio: float = 0, at_least: float = 0, budget: str = ""
) -> Figure:
    """The figure of a work, held against a budget: a ratio to the work ``beside`` it, a rate, or both."""
    rate = median(found[name])
    ratio = median(own / other for own, other in zip(found[name], found[beside], strict=True)) if beside else None
    met = None
    if at_least_ratio or at_least:
        met = (ratio or 0) >= at_least_ratio and rate >= at_least
    return Figure(name, rate, beside, ratio, budget, met)


def report(figures: list[Figure], as_json: bool, context: Mapping[str, object]) -> None:
    """Print the figures; ``context`` says what was measured on."""
    if as_json:
        told = [{key: value for key, value in vars(one).items() if value not in ("", None)} for one in figures]
        print(json.dumps({**context, "figures": told}, indent=1))
        return
    title = ", ".join(f"{key} {value}" for key, value in context.items())
    table = Table("what", "per second", "µs each", "beside", "ratio", "budget", "", title=title)
    for one in figures:
        verdict = "" if one.met is None else "[green]met[/]" if one.met else "[red]not met[/]"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        table.add_row(one.name, f"{one.per_second:,.0f}", f"{1e6 / one.per_second:.1f}", one.beside, ratio, one.budget, verdict)
    Console(width=None if Console().is_terminal else 180).print(table)
