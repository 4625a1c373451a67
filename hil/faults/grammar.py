"""Sentences of faults: a table of patterns, read into values. What can be typed, completed and explained is the same table.

``han drop 20% to gsme``: an area, a kind, values in their places, then qualifiers in any order.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from firmware_emu.errors import CommsHubError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_ORDINAL = re.compile(r"(\d+)(st|nd|rd|th)")
_PIECE = re.compile(r"\[[^]]*\]|\S+")

Value = float | int | str


class SentenceError(CommsHubError):
    """A word that does not belong where it stands. ``word`` is it, ``expected`` what may stand there."""

    def __init__(self, sentence: str, position: int, word: str, expected: str) -> None:
        where = f"word {position} is {word!r}" if word else f"it ends after {position - 1} words"
        super().__init__(f"fault {sentence!r}: {where}: expected {expected}")
        self.word = word
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Slot:
    """A value in its place: ``name`` is the word in capitals."""

    name: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Qualifier:
    """``[to DEVICE]``: ``word`` begins it, ``value`` is its slot, ``tail`` a word that must follow."""

    word: str
    value: str
    tail: str | None
    optional: bool


@dataclass(frozen=True, slots=True)
class Pattern:
    """One row of the table. ``head`` are its fixed words; a slot may stand between them (``line LINE stuck``)."""

    text: str
    says: str
    head: tuple[str | Slot, ...]
    slots: tuple[Slot, ...]
    qualifiers: tuple[Qualifier, ...]

    @property
    def area(self) -> str:
        return str(self.head[0])

    @property
    def kind(self) -> str:
        return str(self.head[-1])


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that was read: times in seconds, shares 0..1, volts."""

    text: str
    area: str
    kind: str
    values: Mapping[str, Value]
    qualifiers: Mapping[str, Value]

    def number(self, name: str, otherwise: float) -> float:
        """The value of that name, of the sentence or its qualifiers."""
        found = self.values.get(name, self.qualifiers.get(name, otherwise))
        return float(found)

    def word(self, name: str) -> str | None:
        found = self.qualifiers.get(name, self.values.get(name))
        return None if found is None else str(found)


def _pattern(text: str, says: str) -> Pattern:
    head: list[str | Slot] = []
    slots: list[Slot] = []
    qualifiers: list[Qualifier] = []
    pieces = _PIECE.findall(text)
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        words = piece.strip("[]").split()
        if piece.startswith("[") and len(words) > 1:
            qualifiers.append(Qualifier(words[0], words[1], words[2] if len(words) > 2 else None, True))
        elif words[0].isupper():
            (slots if fixed(head) == 2 else head).append(Slot(words[0], piece.startswith("[")))
        elif fixed(head) == 2:  # a qualifier that must be there: "at ORDINAL write"
            qualifiers.append(Qualifier(words[0], pieces[at + 1], pieces[at + 2], False))
            at += 2
        else:
            head.append(words[0])
        at += 1
    return Pattern(text, says, tuple(head), tuple(slots), tuple(qualifiers))


def fixed(head: Iterable[str | Slot]) -> int:
    """Number of fixed words in a head."""
    return sum(isinstance(part, str) for part in head)


def _table() -> tuple[Pattern, ...]:
    rows = tomllib.loads(resources.files("hil.faults").joinpath("grammar.toml").read_text(encoding="utf-8"))["fault"]
    return tuple(_pattern(row["pattern"], row["says"]) for row in rows)


FAULT_PATTERNS: tuple[Pattern, ...] = _table()
LINES: Mapping[str, str] = {"ac-lost": "AC LO", "host-present": "MT_PR"}
"""Words for the lines that the host's end drives, and their symbols."""
ENDS: Mapping[str, tuple[str, ...]] = {"wan": ("hub", "dcc"), "tty": ("hub", "dongle")}
EXPECTS: Mapping[str, str] = {
    "PERCENT": "a share as 20%",
    "DURATION": "a time as 40ms, 5s, 30m, 2h or 1d",
    "ORDINAL": "1st, 2nd, 3rd ...",
    "VOLTS": "volts as 9V or 10.5V",
    "BITS": "a number of bits as 2bits",
}
_UNITS = {"%": "PERCENT", "V": "VOLTS", "bits": "BITS", "bit": "BITS"}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(%|V|bits?)")

FAULT_WORDS: tuple[str, ...] = tuple(
    sorted(
        {str(part) for pattern in FAULT_PATTERNS for part in pattern.head if isinstance(part, str)}
        | {word for pattern in FAULT_PATTERNS for q in pattern.qualifiers for word in (q.word, q.tail) if word is not None}
        | set(LINES)
    )
)
"""Every fixed word of a sentence."""


def _expects(name: str, area: str, devices: Sequence[str]) -> str:
    if name in EXPECTS:
        return EXPECTS[name]
    return "one of " + ", ".join(_words_for(name, area, devices))


def _words_for(name: str, area: str, devices: Sequence[str]) -> tuple[str, ...]:
    """The words a slot takes, none where it takes a quantity."""
    match name:
        case "DEVICE":
            return (*devices, "hub")
        case "LINE":
            return tuple(LINES)
        case "END":
            return ENDS[area]
        case _:
            return ()


def _value(name: str, word: str, area: str, devices: Sequence[str]) -> Value | None:
    """Value of ``word`` in a slot of that name; None where it does not fit."""
    if name == "DURATION":
        found = _DURATION.fullmatch(word)
        return None if found is None else float(found[1]) * _SECONDS[found[2]]
    if name == "ORDINAL":
        found = _ORDINAL.fullmatch(word)
        return None if found is None or int(found[1]) < 1 else int(found[1])
    if name in ("PERCENT", "VOLTS", "BITS"):
        found = _QUANTITY.fullmatch(word)
        if found is None or _UNITS[found[2]] != name:
            return None
        number = float(found[1])
        if name == "PERCENT":
            return number / 100 if 0 <= number <= 100 else None
        return number if name == "VOLTS" else int(number)
    return word if word in _words_for(name, area, devices) else None


def read_sentence(text: str, devices: Sequence[str]) -> Sentence:
    """Read a sentence; ``devices`` are the names of the board's Devices. Raises SentenceError naming the word."""
    words = text.split()
    pattern, at, values = _head(text, words, devices)
    for slot in pattern.slots:
        value = None if at >= len(words) else _value(slot.name, words[at], pattern.area, devices)
        if value is not None:
            values[slot.name] = value
            at += 1
        elif not slot.optional:
            raise SentenceError(text, at + 1, words[at] if at < len(words) else "", _expects(slot.name, pattern.area, devices))
    left = {qualifier.word: qualifier for qualifier in pattern.qualifiers}
    qualifiers: dict[str, Value] = {}
    while at < len(words):
        qualifier = left.pop(words[at], None)
        if qualifier is None:
            slots = [slot.name for slot in pattern.slots if slot.name not in values and not qualifiers]
            free = [_expects(name, pattern.area, devices) for name in slots]
            raise SentenceError(text, at + 1, words[at], " or ".join([*free, *left]) or "nothing more")
        word = words[at + 1] if at + 1 < len(words) else ""
        value = _value(qualifier.value, word, pattern.area, devices)
        if value is None:
            raise SentenceError(text, at + 2, word, _expects(qualifier.value, pattern.area, devices))
        if qualifier.tail is not None and words[at + 2 : at + 3] != [qualifier.tail]:
            raise SentenceError(text, at + 3, words[at + 2] if at + 2 < len(words) else "", qualifier.tail)
        qualifiers[qualifier.word] = value
        at += 2 if qualifier.tail is None else 3
    for qualifier in left.values():
        if not qualifier.optional:
            raise SentenceError(text, at + 1, "", qualifier.word)
    return Sentence(text, pattern.area, pattern.kind, values, qualifiers)


def _head(text: str, words: Sequence[str], devices: Sequence[str]) -> tuple[Pattern, int, dict[str, Value]]:
    """The pattern whose fixed words these are, where they end, and the values between them."""
    fits, values = list(FAULT_PATTERNS), dict[str, Value]()
    at = 0
    while True:
        word = words[at] if at < len(words) else ""
        nexts = [pattern.head[at] for pattern in fits]
        slot = next((part for part in nexts if isinstance(part, Slot)), None)
        if slot is not None:
            value = _value(slot.name, word, fits[0].area, devices)
            if value is None:
                raise SentenceError(text, at + 1, word, _expects(slot.name, fits[0].area, devices))
            values[slot.name] = value
        else:
            if word not in nexts:
                raise SentenceError(text, at + 1, word, "one of " + ", ".join(dict.fromkeys(str(part) for part in nexts)))
            fits = [pattern for pattern in fits if pattern.head[at] == word]
        at += 1
        if len(fits[0].head) == at:
            return fits[0], at, values


def next_words(words: Sequence[str], devices: Sequence[str]) -> list[str]:
    """Words that may follow ``words`` (whole ones), for completion: words, and values by their name in capitals."""
    fits, at = list(FAULT_PATTERNS), 0
    while at < len(words):
        fits = [one for one in fits if len(one.head) > at and _fits(one.head[at], words[at], one.area, devices)] or fits
        if not fits or len(fits[0].head) <= at + 1:
            break
        at += 1
    if len(words) < len(fits[0].head):
        nexts = dict.fromkeys(part for one in fits for part in one.head[len(words) : len(words) + 1])
        return [word for part in nexts for word in _offers(part.name if isinstance(part, Slot) else part, fits[0].area, devices)]
    pattern, tail = fits[0], list(words[len(fits[0].head) :])
    for qualifier in pattern.qualifiers:
        if tail and tail[-1] == qualifier.word:
            return _offers(qualifier.value, pattern.area, devices)
        if qualifier.tail is not None and len(tail) > 1 and tail[-2] == qualifier.word:
            return [qualifier.tail]
    free = [qualifier.word for qualifier in pattern.qualifiers if qualifier.word not in tail]
    if any(qualifier.word in tail for qualifier in pattern.qualifiers):
        return free
    taken = sum(any(_value(slot.name, word, pattern.area, devices) is not None for slot in pattern.slots) for word in tail)
    slots = pattern.slots[taken:]
    offers = [word for slot in slots for word in _offers(slot.name, pattern.area, devices)]
    return offers[:1] if slots and not slots[0].optional else offers + free


def _fits(part: str | Slot, word: str, area: str, devices: Sequence[str]) -> bool:
    return part == word if isinstance(part, str) else _value(part.name, word, area, devices) is not None


def _offers(name: str, area: str, devices: Sequence[str]) -> list[str]:
    return list(_words_for(name, area, devices)) or [name]
