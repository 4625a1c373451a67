"""Times as medians of rounds, beside each other and held against a budget. Real time: these are what somebody waits for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Timing:
    """One median. ``beside`` names what it is compared with, ``ratio`` is this over that one; ``met`` is None without a budget."""

    name: str
    value: float
    unit: str
    beside: str = ""
    ratio: float | None = None
    budget: str = ""
    met: bool | None = None


def report(timings: Sequence[Timing], as_json: bool, context: Mapping[str, object]) -> None:
    """Print the timings; ``context`` says what was measured on."""
    if as_json:
        told = [{key: value for key, value in vars(one).items() if value not in ("", None)} for one in timings]
        print(json.dumps({**context, "timings": told}, indent=1))
        return
    title = ", ".join(f"{key} {value}" for key, value in context.items())
    table = Table("what", "median", "", "beside", "ratio", "budget", "", title=title)
    for one in timings:
        verdict = "" if one.met is None else "[green]met[/]" if one.met else "[red]not met[/]"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        value = f"{one.value:,.0f}" if one.value >= 1000 else f"{one.value:.3g}"
        table.add_row(one.name, value, one.unit, one.beside, ratio, one.budget, verdict)
    Console(width=None if Console().is_terminal else 180).print(table)
