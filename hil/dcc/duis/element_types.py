"""The element structure of a service request as data: names, order, how often, attributes, value types (DUIS schema 5.4).

``element_types.json`` holds what a Request can reach. It lets documents be built in schema order and be checked with errors that
name element, line and expectation, without the schema files; full validation against the schema files is
:func:`hil.dcc.duis.document.validate`. The elements of a choice are optional parts, and the choice says which exclude each other.
"""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from firmware_emu.errors import one_of


@dataclass(frozen=True, slots=True)
class Part:
    """One child element of a type: ``most`` is -1 where there is no bound."""

    name: str
    type: str
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives of which one stands at most; at least one too where it is ``needed``. Each is the names of its elements."""

    alternatives: tuple[tuple[str, ...], ...]
    needed: bool
    holding: Mapping[str, tuple[int, ...]] = field(init=False)
    """Places of the alternatives that each element stands in, by its name: the body of a request has 130 alternatives."""

    def __post_init__(self) -> None:
        holding: defaultdict[str, tuple[int, ...]] = defaultdict(tuple)
        for place, names in enumerate(self.alternatives):
            for name in names:
                holding[name] += (place,)
        object.__setattr__(self, "holding", dict(holding))

    def given(self, names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
        """The alternatives of which one of these elements is."""
        places = {place for name in names for place in self.holding.get(name, ())}
        return tuple(self.alternatives[place] for place in sorted(places))


@dataclass(frozen=True, slots=True)
class ElementType:
    """A complex type: children in order, attributes (name -> (type, required)), the type of its text if it has text, its choices."""

    parts: tuple[Part, ...] = ()
    attributes: dict[str, tuple[str, bool]] = field(default_factory=dict)
    text: str | None = None
    choices: tuple[Choice, ...] = ()
    places: Mapping[str, int] = field(init=False)
    """Place of each child in ``parts`` by its name."""
    needed: tuple[Part, ...] = field(init=False)
    """Children that must be there."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {part.name: place for place, part in reversed(tuple(enumerate(self.parts)))})
        object.__setattr__(self, "needed", tuple(part for part in self.parts if part.least))

    def part(self, name: str) -> Part | None:
        """The child of that name."""
        place = self.places.get(name)
        return None if place is None else self.parts[place]


@dataclass(frozen=True, slots=True)
class ValueType:
    """A simple type and its facets."""

    base: str
    enum: tuple[str, ...] = ()
    pattern: str | None = None
    bounds: dict[str, str] = field(default_factory=dict)


_BUILT_IN: Final = {
    "boolean": r"true|false|1|0",
    "date": r"-?\d{4,}-\d\d-\d\d(Z|[+-]\d\d:\d\d)?",
    "time": r"\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?",
    "dateTime": r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?",
    "hexBinary": r"([0-9A-Fa-f]{2})*",
    "base64Binary": r"[A-Za-z0-9+/=\s]*",
    "decimal": r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})",
}
"""Patterns with the digits of ASCII alone: no reader may take a value for one that another reader does not see."""
_WHOLE: Final = r"[+-]?\d{1,40}"
_BLANKS: Final = " \t\r\n"
"""Blanks that XML Schema leaves out around a value; Python's own ``strip`` takes more."""
_SHORT: Final = 64
"""Characters of a value that is worth remembering. Own figure."""
_RANGES: Final = {
    "short": (-(1 << 15), (1 << 15) - 1),
    "int": (-(1 << 31), (1 << 31) - 1),
    "unsignedShort": (0, (1 << 16) - 1),
    "unsignedInt": (0, (1 << 32) - 1),
    "unsignedLong": (0, (1 << 64) - 1),
    "positiveInteger": (1, None),
    "nonNegativeInteger": (0, None),
    "nonPositiveInteger": (None, 0),
    "integer": (None, None),
}


@cache
def _tables() -> tuple[dict[str, ElementType], dict[str, ValueType]]:
    raw = json.loads((files(__package__) / "element_types.json").read_text(encoding="utf-8"))
    types = {
        name: ElementType(
            tuple(Part(*part) for part in row.get("elements", ())),
            {attribute: (kind, required) for attribute, (kind, required) in row.get("attributes", {}).items()},
            row.get("base"),
            tuple(Choice(tuple(map(tuple, alternatives)), bool(needed)) for alternatives, needed in row.get("choices", ())),
        )
        for name, row in raw["types"].items()
    }
    values = {
        name: ValueType(
            row["base"],
            tuple(row.get("enum", ())),
            row.get("pattern"),
            {facet: bound for facet, bound in row.items() if facet not in ("base", "enum", "pattern")},
        )
        for name, row in raw["values"].items()
    }
    return types, values


@cache
def element_type(name: str) -> ElementType:
    """The complex type of that name; a simple or built-in type comes back as a type with text alone."""
    return _tables()[0].get(name) or ElementType(text=name)


@cache
def served_versions() -> tuple[Decimal, ...]:
    """The schema versions of requests that the gateway serves (``schema_versions.csv``, each with its source)."""
    table = (files(__package__) / "schema_versions.csv").read_text(encoding="utf-8")
    return tuple(Decimal(row["version"]) for row in csv.DictReader(table.splitlines()))


def wrong_version(text: str) -> str | None:
    """Why a ``schemaVersion`` is not served, in words; None where it is. It is a decimal: 5.40 is 5.4."""
    try:
        served = text.isascii() and Decimal(text.strip(_BLANKS)) in served_versions()
    except InvalidOperation:
        served = False
    return None if served else f"read {text[:20]!r}, expected a version that is served: {', '.join(map(str, served_versions()))}"


def wrong_value(kind: str, text: str) -> str | None:
    """Why ``text`` is not a value of the type ``kind``, in words; None where it is one. Of short values the last are remembered: those
    of headers come again and again."""
    return _wrong_short(kind, text) if len(text) <= _SHORT else _wrong_value(kind, text)


@lru_cache(maxsize=4096)
def _wrong_short(kind: str, text: str) -> str | None:
    return _wrong_value(kind, text)


def _wrong_value(kind: str, text: str) -> str | None:
    rule = _tables()[1].get(kind)
    if rule is None:
        return _wrong_built_in(kind, text)
    if rule.enum:
        return None if text in rule.enum else f"read {text!r}, expected {one_of(text, rule.enum)}"
    if rule.pattern and not re.fullmatch(rule.pattern, text):
        return f"read {text[:60]!r}, expected the pattern {rule.pattern[:80]}"
    return _wrong_value(rule.base, text) or _wrong_bounds(rule, text)


def _wrong_built_in(kind: str, text: str) -> str | None:
    if kind in _BUILT_IN:
        return (
            None if re.fullmatch(_BUILT_IN[kind], text.strip(_BLANKS), re.ASCII) else f"read {text[:60]!r}, expected a value of type {kind}"
        )
    if kind in _RANGES:
        low, high = _RANGES[kind]
        if not re.fullmatch(_WHOLE, text.strip(_BLANKS), re.ASCII):
            return f"read {text[:60]!r}, expected a whole number of at most 40 digits"
        number = int(text)
        if (low is not None and number < low) or (high is not None and number > high):
            return f"read {number}, expected {kind}"
    return None


def is_base64(kind: str | None) -> bool:
    """True if octets of this type are written as base64 (else as hexadecimal digits)."""
    while kind is not None and kind in _tables()[1]:
        kind = _tables()[1][kind].base
    return kind in ("base64Binary", "Certificate")


def _root_base(rule: ValueType) -> str:
    base = rule.base
    while base in _tables()[1]:
        base = _tables()[1][base].base
    return base


def _digits(text: str) -> int:
    """Digits of a decimal without zeros at its beginning and behind its last decimal place (XML Schema, totalDigits)."""
    whole, _, fraction = text.strip(_BLANKS).lstrip("+-").partition(".")
    return len((whole + fraction.rstrip("0")).lstrip("0"))


def _wrong_bounds(rule: ValueType, text: str) -> str | None:
    base = _root_base(rule)
    length = {"hexBinary": len(text.strip()) // 2, "base64Binary": len(text) * 3 // 4}.get(base, len(text))
    for facet, limit in rule.bounds.items():
        bound = Decimal(limit)  # a float would not tell 2 to the power of 63 from the number below it
        bad = (
            (facet == "minInclusive" and Decimal(text) < bound)
            or (facet == "maxInclusive" and Decimal(text) > bound)
            or (facet == "minExclusive" and Decimal(text) <= bound)
            or (facet == "maxExclusive" and Decimal(text) >= bound)
            or (facet == "minLength" and length < bound)
            or (facet == "maxLength" and length > bound)
            or (facet == "length" and length != bound)
            or (facet == "totalDigits" and _digits(text) > bound)
            or (facet == "fractionDigits" and len(text.strip().partition(".")[2]) > bound)
        )
        if bad:
            return f"read {text[:60]!r}, expected {facet} {limit}"
    return None
