"""Faults of instruments as sentences: ``off ignored``, ``probe 3s late at 12th``, ``supply resets from 40th``.

A sentence says who (supply, probe, load, relay; the instrument it is given to if left out), what, and when: ``at Nth`` once, ``from Nth``
from then on, else always. What is counted is what the fault concerns: commands of that kind, or readings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from firmware_emu.errors import BoardError, one_of

WHO = {"supply": "supply", "probe": "meter", "probes": "meter", "meter": "meter", "load": "load", "relay": "relay"}


class Concerns(Enum):
    """Events that a fault counts."""

    OFF = "commands to switch off"
    ON = "commands to switch on"
    SETTING = "commands that set a value"
    READING = "readings"
    LINE = "lines of any kind"


class Misbehaviour(Enum):
    """Misbehaviour of an instrument: its words, and what they count."""

    OFF_IGNORED = ("off ignored", Concerns.OFF)
    """Tells that it is off, and is not."""
    ON_IGNORED = ("on ignored", Concerns.ON)
    SET_IGNORED = ("set ignored", Concerns.SETTING)
    OFF_LATE = ("off {}s late", Concerns.OFF)
    """Tells that it is off, and is so only then."""
    LATE = ("{}s late", Concerns.READING)
    NO_ANSWER = ("no answer", Concerns.READING)
    TWICE = ("answers twice", Concerns.READING)
    GARBAGE = ("garbage", Concerns.READING)
    HALF = ("half an answer", Concerns.READING)
    HANGS = ("hangs", Concerns.READING)
    """Gives its last reading again, whatever it is asked to read."""
    OVERLOAD = ("overload", Concerns.READING)
    HIGH = ("reads {}% high", Concerns.READING)
    WRONG_CONTACT = ("wrong contact", Concerns.READING)
    ERROR = ("error queued", Concerns.READING)
    UNASKED = ("unasked line", Concerns.READING)
    """Says a figure that nobody asked for before it answers."""
    RESETS = ("resets", Concerns.LINE)
    """Starts again: output off, settings gone."""
    GONE = ("gone", Concerns.LINE)
    """Never answers again."""

    @property
    def words(self) -> str:
        """The words, with a place for a figure where there is one."""
        return self.value[0]

    @property
    def concerns(self) -> Concerns:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class InstrumentFault:
    """One misbehaviour of one kind of instrument (None: whichever it is given to), at the ``number``-th only (``once``) or from it on."""

    what: Misbehaviour
    who: str | None = None
    amount: float = 0.0
    number: int = 1
    once: bool = False

    def strikes(self, count: int) -> bool:
        """True if the ``count``-th of what it concerns goes wrong."""
        return count == self.number if self.once else count >= self.number


_FIGURE = r"(\d+(?:\.\d+)?) ?"
_WHEN = r"(?: (at|from) (\d+)(?:st|nd|rd|th))?"


def read_fault(sentence: str) -> InstrumentFault:
    """A sentence read. Raises BoardError with the sentences that there are."""
    text = " ".join(sentence.lower().split())
    who = next((word for word in WHO if text.startswith(word + " ")), None)
    rest = text if who is None else text[len(who) + 1 :]
    for what in Misbehaviour:
        found = re.fullmatch(re.escape(what.words).replace(r"\{\}", _FIGURE) + _WHEN, rest)
        if found is not None:
            groups = list(found.groups())
            amount = float(groups.pop(0)) if "{}" in what.words else 0.0
            return InstrumentFault(what, None if who is None else WHO[who], amount, int(groups[1] or 1), groups[0] == "at")
    known = [what.words.replace("{}", "3") for what in Misbehaviour]
    told = f"[supply|probe|load|relay] and {one_of(rest, known)}"
    raise BoardError("faults", sentence, f"no instrument does this: expected, before [at|from] 12th, {told}")
