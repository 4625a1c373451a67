"""A second opinion: the same question to a gas meter and to its proxy, every value of the answers side by side.

Two kinds of question: those that a user sends to either over the WAN, and each attribute that the meter publishes, read by a display at the
proxy over the HAN and looked up in the meter.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from firmware_emu.console.frames import attributes
from firmware_emu.console.result import Result
from firmware_emu.zse.clusters.basic import BASIC
from hil.book.judge import Kept, values_of
from hil.book.play import OpenBench
from hil.book.rows import Book, BookStep
from hil.devices.gsme.model import mirrored_attributes

METER, PROXY, READER = "gsme", "gpf", "ihd"
_HEADER = re.compile(
    "(count of )?(GBCS|Business|Originator|Supplementary|Service|Timestamp)|request|took|code|why|endpoint|log id"
    "|.*(sequence|issuer event id)"
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
    words = [pair.pop("words", ["", ""]) for pair in table["pair"]]
    steps = [BookStep(**pair) for pair in table["pair"]]
    found: list[EndsDifference] = []
    asked = 0
    with OpenBench(book.benches[table["bench"]]) as bench:
        for line in table["before"]:
            bench.say(line)
        kept = Kept(bench.clock.datetime)
        for step, ends in zip(steps, words, strict=True):
            told(step.say)
            lines = (step.line.replace("{}", end).replace("{word}", word) for end, word in zip((METER, PROXY), ends, strict=True))
            meter, proxy = (bench.say(kept.fill(line)) for line in lines)
            found += differences(step.say, meter, proxy)
            asked += 1
        for name, key in published():
            told(name)
            found += differences(name, bench.say(f"{METER} look {key}"), bench.say(f"{READER} read {name} {PROXY}"))
            asked += 1
    return Opinions(asked, tuple(found))


def published() -> list[tuple[str, str]]:
    """Name and ``CLUSTER:ATTRIBUTE`` of each attribute that a gas meter publishes at its proxy.

    Not those of Basic: what the console reads there is the hub's own, which stands at an earlier endpoint.
    """
    names = {(cluster.id, attribute.id): name for name, (cluster, attribute) in attributes().items()}
    return [(names[key], f"{key[0]:04x}:{key[1]:04x}") for key in mirrored_attributes() if key[0] != BASIC.id]


def differences(line: str, meter: Result, proxy: Result) -> list[EndsDifference]:
    """Values of two answers that are not the same."""
    mine, theirs = values_of(meter), values_of(proxy)
    names = [name for name in dict.fromkeys([*mine, *theirs]) if not _HEADER.match(name)]
    return [
        EndsDifference(line, name, str(mine.get(name, ABSENT)), str(theirs.get(name, ABSENT)))
        for name in names
        if str(mine.get(name, ABSENT)) != str(theirs.get(name, ABSENT))
    ]
