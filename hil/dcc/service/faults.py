"""Faults at the boundary to the users, as sentences: numbered, seeded, counted, cleared. A client has to bear them.

Each fault draws from a stream of its own, fixed by its number and its sentence: the same run gives the same faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, nearest
from firmware_emu.gbcs.explain import fields_of
from firmware_emu.trace import Trace
from hil.dcc.base.services import response_codes
from hil.dcc.duis import VARIANTS

PATTERNS: tuple[tuple[str, str, str], ...] = (
    ("delayed", "duis response delayed DURATION [PERCENT] [of VARIANT]", "the Response goes to its user's address that much later"),
    ("twice", "duis response twice [PERCENT] [of VARIANT]", "the Response goes to its user's address two times"),
    (
        "overtakes",
        "duis acknowledgement after the response [of VARIANT]",
        "the acknowledgement is held back until the Response has been taken, for a minute at most",
    ),
    ("down", "receive endpoint down DURATION", "no receiving service can be reached, from now on for that long"),
    ("schema", "schema VERSION only", "a request with another schemaVersion is refused, and answers carry this one"),
    ("lie", "pre-command wrong in FIELD [PERCENT] [of VARIANT]", "one bit of that field is wrong in what the user gets to sign"),
    ("code", "CODE for PERCENT of VARIANT", "so many requests are refused with that code and go no further"),
)
"""Kind, sentence and what it does. Words in capitals are values; [ ... ] may be left out."""
_VALUES = {
    "DURATION": r"\d+(?:\.\d+)?(?:ms|s|m|h|d)",
    "PERCENT": r"\d+(?:\.\d+)?%",
    "VARIANT": r"\d+\.\d+(?:\.\d+)?",
    "VERSION": r"\d+\.\d+",
    "FIELD": r"\S+",
    "CODE": r"E\d+",
}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class BoundarySentenceError(CommsHubError):
    """A sentence that is none of :data:`PATTERNS`."""

    def __init__(self, sentence: str, expected: str) -> None:
        super().__init__(f"fault {sentence!r}: expected {expected}")


def _compiled(pattern: str) -> re.Pattern[str]:
    optional = re.sub(r" \[([^]]*)\]", r"(?: \1)?", pattern)
    return re.compile(re.sub(r"\b[A-Z]{4,}\b", lambda word: f"(?P<{word[0]}>{_VALUES[word[0]]})", optional))


_GRAMMAR = tuple((kind, _compiled(pattern)) for kind, pattern, _ in PATTERNS)


@dataclass
class BoundaryFault:
    """A fault in force; ``effects`` counts what it did. ``began`` is bench time."""

    number: int
    sentence: str
    kind: str
    values: dict[str, str]
    draw: Callable[[], float]
    began: float
    effects: int = 0

    @property
    def seconds(self) -> float:
        """The sentence's duration."""
        number, unit = re.fullmatch(r"([\d.]+)(\D+)", self.values["DURATION"]).groups()  # type: ignore[union-attr]
        return float(number) * _SECONDS[unit]

    def meets(self, variant: str) -> bool:
        """True if it applies to a request of that variant; draws where it is for a share of them."""
        if self.values.get("VARIANT", variant) != variant:
            return False
        return "PERCENT" not in self.values or 100 * self.draw() < float(self.values["PERCENT"].rstrip("%"))


@dataclass
class BoundaryFaults:
    """The faults of one DCC's web service. ``draws`` gives for a name the stream of numbers from 0 to 1 of the fault of that name."""

    clock: Clock
    trace: Trace
    draws: Callable[[str], Callable[[], float]]
    _active: dict[int, BoundaryFault] = field(default_factory=dict)
    _last: int = 0

    def add(self, sentence: str) -> int:
        """Lay a fault on; its number. Raises BoundarySentenceError."""
        kind, values = read_sentence(sentence)
        self._last += 1
        draw = self.draws(f"{self._last}:{sentence}")
        self._active[self._last] = BoundaryFault(self._last, sentence, kind, values, draw, self.clock.now())
        return self._last

    def clear(self, number: int | None = None) -> None:
        """End one fault, or all. Raises BoundarySentenceError where there is none of that number."""
        if number is None:
            self._active.clear()
        elif self._active.pop(number, None) is None:
            raise BoundarySentenceError(
                str(number), f"the number of a fault in force: {', '.join(map(str, self._active)) or 'there is none'}"
            )

    def all(self) -> tuple[BoundaryFault, ...]:
        """The faults in force."""
        return tuple(self._active.values())

    def _met(self, kind: str, variant: str) -> BoundaryFault | None:
        return next((one for one in self._active.values() if one.kind == kind and one.meets(variant)), None)

    def _did(self, fault: BoundaryFault, what: str, request: str | None = None) -> None:
        fault.effects += 1
        self.trace.emit("bench", f"fault {fault.number}", what, message=request, sentence=fault.sentence)

    # Where it is asked

    def later_s(self, variant: str, request: str) -> float:
        """Seconds by which a Response is late."""
        if (fault := self._met("delayed", variant)) is None:
            return 0.0
        self._did(fault, "delayed", request)
        return fault.seconds

    def twice(self, variant: str, request: str) -> bool:
        """True for a Response that goes out two times."""
        if (fault := self._met("twice", variant)) is None:
            return False
        self._did(fault, "doubled", request)
        return True

    def overtakes(self, variant: str, request: str) -> bool:
        """True for a request whose Response is to come before its acknowledgement."""
        if (fault := self._met("overtakes", variant)) is None:
            return False
        self._did(fault, "held back", request)
        return True

    def unreachable(self) -> str | None:
        """Reason why no receiving service can be reached, None where it can."""
        for fault in self._active.values():
            if fault.kind == "down" and self.clock.now() - fault.began < fault.seconds:
                self._did(fault, "cut off")
                return f"fault {fault.number}: {fault.sentence}"
        return None

    def schema(self) -> str | None:
        """The only schemaVersion there is, None where all are taken."""
        return next((one.values["VERSION"] for one in self._active.values() if one.kind == "schema"), None)

    def other_schema(self, version: str, request: str) -> str | None:
        """The only schemaVersion there is, where ``version`` is another."""
        fault = next((one for one in self._active.values() if one.kind == "schema" and one.values["VERSION"] != version), None)
        if fault is None:
            return None
        self._did(fault, "refused", request)
        return fault.values["VERSION"]

    def code(self, variant: str, request: str) -> str | None:
        """The code with which a request is refused, None where it goes on."""
        if (fault := self._met("code", variant)) is None:
            return None
        self._did(fault, "refused", request)
        return fault.values["CODE"]

    def pre_command(self, octets: bytes, variant: str, request: str) -> bytes:
        """The pre-command as the user gets it to sign."""
        for fault in self._active.values():
            if fault.kind == "lie" and fault.meets(variant):
                name = fault.values["FIELD"].lower()
                at = next((offset + size - 1 for path, offset, size in fields_of(octets) if name in path.lower()), None)
                if at is not None:
                    self._did(fault, "wrong", request)
                    octets = octets[:at] + bytes((octets[at] ^ 1,)) + octets[at + 1 :]
        return octets


def read_sentence(sentence: str) -> tuple[str, dict[str, str]]:
    """Kind and values of a sentence. Raises BoundarySentenceError."""
    words = " ".join(sentence.split())
    for kind, grammar in _GRAMMAR:
        if (found := grammar.fullmatch(words)) is None:
            continue
        values = {name: value for name, value in found.groupdict().items() if value is not None}
        if values.get("VARIANT", "7.2") not in VARIANTS:
            raise BoundarySentenceError(
                sentence,
                f"a service reference variant of DUIS 5.4 in place of {values['VARIANT']}, as 7.2{nearest(values['VARIANT'], VARIANTS)}",
            )
        if values.get("CODE", "E20") not in response_codes():
            raise BoundarySentenceError(
                sentence, f"a response code of DUIS 5.4 in place of {values['CODE']}, as E20{nearest(values['CODE'], response_codes())}"
            )
        return kind, values
    known = [pattern for _, pattern, _ in PATTERNS]
    raise BoundarySentenceError(sentence, "; or ".join(known) + nearest(words, known))
