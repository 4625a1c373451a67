"""A second opinion: the same question to a gas meter and to its proxy, every value of the answers side by side."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from firmware_emu.console.result import Result
from hil.book.judge import Kept, values_of
from hil.book.play import OpenBench
from hil.book.rows import Book, BookStep

METER, PROXY = "gsme", "gpf"
_HEADER = re.compile(
    "(count of )?(GBCS|Business|Originator|Supplementary|Service|Timestamp)|request|took|code|why|.*(sequence|issuer event id)"
)
"""Names that tell of the message rather than of the meter."""
ABSENT = "-"


@dataclass(frozen=True, slots=True)
class EndsDifference:
    """A value that the two ends tell differently; ``-`` where one does not tell it at all."""

    line: str
    name: str
    meter: str
    proxy: str


@dataclass(frozen=True, slots=True)
class Opinions:
    """``asked`` questions, and what the two ends answered differently."""

    asked: int
    differences: tuple[EndsDifference, ...]

    def as_json(self) -> dict[str, object]:
        rows = [{"line": one.line, "name": one.name, "meter": one.meter, "proxy": one.proxy} for one in self.differences]
        return {"asked": self.asked, "differences": rows}


def compare(book: Book, told: Callable[[str], None] = lambda line: None) -> Opinions:
    """Ask both ends everything in ``pairs/gas.toml``. Raises BoardError, NotAvailable."""
    table = tomllib.loads(resources.files(__package__).joinpath("pairs", "gas.toml").read_text("utf-8"))
    steps = [BookStep(**pair) for pair in table["pair"]]
    found: list[EndsDifference] = []
    with OpenBench(book.benches[table["bench"]]) as bench:
        for line in table["before"]:
            bench.say(line)
        kept = Kept(bench.clock.datetime)
        for step in steps:
            told(step.say)
            meter, proxy = (bench.say(kept.fill(step.line.replace("{}", end))) for end in (METER, PROXY))
            found += differences(step.say, meter, proxy)
    return Opinions(len(steps), tuple(found))


def differences(line: str, meter: Result, proxy: Result) -> list[EndsDifference]:
    """Values of two answers that are not the same."""
    mine, theirs = values_of(meter), values_of(proxy)
    names = [name for name in dict.fromkeys([*mine, *theirs]) if not _HEADER.match(name)]
    return [
        EndsDifference(line, name, str(mine.get(name, ABSENT)), str(theirs.get(name, ABSENT)))
        for name in names
        if str(mine.get(name, ABSENT)) != str(theirs.get(name, ABSENT))
    ]
