"""Sentences of faults and breakpoints: a table of patterns, read into values. What can be typed, completed and explained is that table.

``han drop 20% to gsme``: fixed words and values in their order, then qualifiers in any order.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

from firmware_emu.errors import CommsHubError, nearest
from firmware_emu.gbcs import use_cases
from firmware_emu.zse import clusters

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_ORDINAL = re.compile(r"(\d+)(st|nd|rd|th)")
_PIECE = re.compile(r"\[[^]]*\]|\S+")

Value = float | int | str


class SentenceError(CommsHubError):
    """A word that does not belong where it stands. ``word`` is it, ``expected`` what may stand there; ``known`` are all the words that
    may."""

    def __init__(self, sentence: str, position: int, word: str, expected: str, known: Sequence[str] = ()) -> None:
        where = f"word {position} is {word!r}" if word else f"it ends after {position - 1} words"
        super().__init__(f"fault {sentence!r}: {where}: expected {expected}{nearest(word, known) if word else ''}")
        self.word = word
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Slot:
    """A value in its place: ``name`` is the word in capitals."""

    name: str
    optional: bool


Part = str | Slot


@dataclass(frozen=True, slots=True)
class Qualifier:
    """``[to DEVICE]``, ``[on the ORDINAL CLUSTER frame]``: a part that may be left out; its first word begins it, and is its name."""

    parts: tuple[Part, ...]

    @property
    def word(self) -> str:
        return str(self.parts[0])


@dataclass(frozen=True, slots=True)
class Pattern:
    """One row of the table. ``parts`` in their order, then ``qualifiers`` in any."""

    text: str
    says: str
    area: str
    kind: str
    parts: tuple[Part, ...]
    qualifiers: tuple[Qualifier, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Values among the parts."""
        return tuple(part for part in self.parts if isinstance(part, Slot))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that was read: times in seconds, shares 0..1, volts.

    ``values`` are those of the parts, by the word in capitals; ``qualifiers`` the first value of each by its first word, further ones by
    the word in capitals.
    """

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


def pattern_of(text: str, says: str, area: str = "", kind: str = "") -> Pattern:
    """A pattern as it is written in the table; area and kind are its first two fixed words where they are not said."""
    parts: list[Part] = []
    qualifiers: list[Qualifier] = []
    for piece in _PIECE.findall(text):
        words = piece.strip("[]").split()
        if piece.startswith("[") and words[0].islower():
            qualifiers.append(Qualifier(tuple(_part(word) for word in words)))
        else:
            parts += [_part(word, optional=piece.startswith("[")) for word in words]
    fixed = [part for part in parts if isinstance(part, str)]
    return Pattern(text, says, area or fixed[0], kind or fixed[1], tuple(parts), tuple(qualifiers))


def _part(word: str, *, optional: bool = False) -> Part:
    return Slot(word, optional) if word.isupper() and word not in PARTS else word


PARTS: tuple[str, ...] = ("MAC",)
"""Fixed words that are written in capitals."""


def _table(name: str) -> tuple[Pattern, ...]:
    rows = tomllib.loads(resources.files("hil.faults").joinpath("grammar.toml").read_text(encoding="utf-8"))[name]
    return tuple(pattern_of(row["pattern"], row["says"], row.get("area", ""), row.get("kind", "")) for row in rows)


FAULT_PATTERNS: tuple[Pattern, ...] = _table("fault")
STOP_PATTERNS: tuple[Pattern, ...] = _table("stop")
"""Sentences of breakpoints: what is to be met, without what is to happen."""
HOOK_PATTERNS: tuple[Pattern, ...] = tuple(pattern for pattern in STOP_PATTERNS if pattern.area != "wan")
"""Those of hooks."""
LINES: Mapping[str, str] = {"ac-lost": "AC LO", "host-present": "MT_PR"}
"""Words for the lines that the host's end drives, and their symbols."""
ENDS: Mapping[str, tuple[str, ...]] = {"wan": ("hub", "dcc"), "tty": ("hub", "dongle")}
MESSAGES: tuple[str, ...] = ("response", "command", "alert", "message")
"""Kinds of GBCS messages; ``message`` is any."""
PROTECTED: tuple[str, ...] = ("MAC", "signature", "counter")
CLUSTERS: Mapping[str, int] = {cluster.name.replace(" ", ""): cluster.id for cluster in clusters.ALL}
"""Clusters by their names in one word."""
EXPECTS: Mapping[str, str] = {
    "PERCENT": "a share as 20%",
    "DURATION": "a time as 40ms, 5s, 30m, 2h or 1d",
    "ORDINAL": "1st, 2nd, 3rd ...",
    "VOLTS": "volts as 9V or 10.5V",
    "BITS": "a number of bits as 2bits",
    "CODE": "a service request (4.1.1), a use case (ECS17b), a message code in hex (0033), or any",
    "CLUSTER": "a cluster as Tunneling, Price or 0704",
}
_UNITS = {"%": "PERCENT", "V": "VOLTS", "bits": "BITS", "bit": "BITS"}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(%|V|bits?)")

FAULT_WORDS: tuple[str, ...] = tuple(
    sorted(
        {part for pattern in FAULT_PATTERNS for part in pattern.parts if isinstance(part, str)}
        | {part for pattern in FAULT_PATTERNS for one in pattern.qualifiers for part in one.parts if isinstance(part, str)}
        | set(LINES)
    )
)
"""Every fixed word of a sentence."""


def codes(use_case: use_cases.UseCase) -> list[str]:
    """The words for a use case's messages: its name, its service requests, its message code."""
    code = [] if use_case.code is None else [f"{use_case.code:04x}"]
    return [use_case.name.lower(), *use_case.service_references, *code]


def _words_for(name: str, area: str, devices: Sequence[str]) -> tuple[str, ...]:
    """The words a slot takes, none where it takes a quantity."""
    match name:
        case "DEVICE":
            return (*devices, "hub")
        case "NAME":
            return tuple(devices)
        case "TARGET":
            return (*devices, "chf", "gpf")
        case "LINE":
            return tuple(LINES)
        case "END":
            return ENDS[area]
        case "KIND":
            return MESSAGES
        case "PART":
            return PROTECTED
        case _:
            return ()


def _value(name: str, word: str, area: str, devices: Sequence[str]) -> Value | None:
    """Value of ``word`` in a slot of that name; None where it does not fit."""
    match name:
        case "DURATION":
            found = _DURATION.fullmatch(word)
            return None if found is None else float(found[1]) * _SECONDS[found[2]]
        case "ORDINAL":
            found = _ORDINAL.fullmatch(word)
            return None if found is None or int(found[1]) < 1 else int(found[1])
        case "CLUSTER":
            return _cluster(word)
        case "CODE":
            known = word == "any" or any(word.lower() in codes(one) for one in use_cases.catalogue().values())
            return word.lower() if known else None
        case "PERCENT" | "VOLTS" | "BITS":
            found = _QUANTITY.fullmatch(word)
            if found is None or _UNITS[found[2]] != name:
                return None
            number = float(found[1])
            if name == "PERCENT":
                return number / 100 if 0 <= number <= 100 else None
            return number if name == "VOLTS" else int(number)
    return word if word in _words_for(name, area, devices) else None


def _cluster(word: str) -> int | None:
    named = {name.lower(): number for name, number in CLUSTERS.items()}.get(word.lower())
    if named is not None or not re.fullmatch(r"(0x)?[0-9a-fA-F]{4}", word):
        return named
    return int(word, 16)


@dataclass(slots=True)
class _Reading:
    """One pattern held against words: how far it came, and what it expected there; ``sentence`` where it came to the end."""

    pattern: Pattern
    words: Sequence[str]
    devices: Sequence[str]
    at: int = 0
    expects: list[Part] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    qualifiers: dict[str, Value] = field(default_factory=dict)
    whole: bool = False

    def read(self) -> None:
        """Hold all of it against the words."""
        for part in self.pattern.parts:
            if not self._take(part, self.values) and not (isinstance(part, Slot) and part.optional):
                return
        left = {one.word: one for one in self.pattern.qualifiers}
        while self.at < len(self.words) and self.words[self.at] in left:
            if not self._qualifier(left.pop(self.words[self.at])):
                return
        if self.qualifiers:
            self.expects = []  # a value that could have stood before them cannot stand behind them
        self.expects += left
        self.whole = self.at == len(self.words)

    def _qualifier(self, one: Qualifier) -> bool:
        for part in one.parts:
            if isinstance(part, Slot) and one.word not in self.qualifiers:
                found: dict[str, Value] = {}
                if not self._take(part, found):
                    return False
                self.qualifiers[one.word] = found[part.name]
            elif not self._take(part, self.qualifiers):
                return False
        return True

    def _take(self, part: Part, into: dict[str, Value]) -> bool:
        """Take the word that stands next, if it is of this part."""
        word = self.words[self.at] if self.at < len(self.words) else None
        if word is not None and isinstance(part, Slot):
            value = _value(part.name, word, self.pattern.area, self.devices)
            if value is not None:
                into[part.name] = value
        if word is not None and (word == part if isinstance(part, str) else part.name in into):
            self.at += 1
            self.expects = []
            return True
        self.expects.append(part)
        return False


def _readings(words: Sequence[str], devices: Sequence[str], patterns: Sequence[Pattern]) -> list[_Reading]:
    readings = [_Reading(pattern, words, devices) for pattern in patterns]
    for one in readings:
        one.read()
    return readings


def read_sentence(text: str, devices: Sequence[str], patterns: Sequence[Pattern] = FAULT_PATTERNS) -> Sentence:
    """Read a sentence; ``devices`` are the names of the board's Devices. Raises SentenceError naming the word."""
    words = text.split()
    readings = _readings(words, devices, patterns)
    found = next((one for one in readings if one.whole), None)
    if found is not None:
        return Sentence(text, found.pattern.area, found.pattern.kind, found.values, found.qualifiers)
    far = max(one.at for one in readings)
    furthest = [one for one in readings if one.at == far]
    known = next_words(words[:far], devices, [one.pattern for one in furthest])
    raise SentenceError(text, far + 1, words[far] if far < len(words) else "", _told(furthest, devices) or "nothing more", known)


def _told(readings: Sequence[_Reading], devices: Sequence[str]) -> str:
    """Parts that the readings expected where they ended, in words."""
    heads: dict[str, None] = {}
    others: dict[str, None] = {}
    for one in readings:
        qualifiers = {qualifier.word for qualifier in one.pattern.qualifiers}
        for part in one.expects:
            if isinstance(part, str):
                (others if part in qualifiers else heads)[part] = None
            else:
                words = _words_for(part.name, one.pattern.area, devices)
                others[EXPECTS.get(part.name, f"one of {', '.join(words)}")] = None
    fixed = f"one of {', '.join(heads)}" if len(heads) > 1 else "".join(heads)
    return " or ".join([*([fixed] if fixed else []), *others])


def next_words(words: Sequence[str], devices: Sequence[str], patterns: Sequence[Pattern] = FAULT_PATTERNS) -> list[str]:
    """Words that may follow ``words`` (whole ones), for completion: words, and values by their name in capitals."""
    return list(dict.fromkeys(_offers(words, devices, patterns)))


def _offers(words: Sequence[str], devices: Sequence[str], patterns: Sequence[Pattern]) -> Iterator[str]:
    for one in _readings(words, devices, patterns):
        if one.at < len(words):
            continue
        for part in one.expects:
            if isinstance(part, str):
                yield part
            elif part.name == "CLUSTER":
                yield from CLUSTERS
            else:
                yield from _words_for(part.name, one.pattern.area, devices) or (part.name,)
