"""The meanings of numbers: enumerations and bit fields, read from ``meanings.toml``, and the values that stand for none."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TypedDict

from firmware_emu.zse.declare import FieldValue
from firmware_emu.zse.zcl import DataType, ValueKind, ZclStatus

_STATUS = "status"
"""The set whose values are those of :class:`ZclStatus`."""


class _Declared(TypedDict, total=False):
    source: str
    fields: list[str]
    note: str
    form: str
    values: dict[str, str]
    parts: dict[str, str]


@dataclass(frozen=True, slots=True)
class MeaningSet:
    """One enumeration (``values``) or bit field (``parts``: mask, text, and the set its number is looked up in).

    ``note`` is said where neither is there; ``form`` names how octets are written (``date``, ``time``, ``date-time``); ``source`` says
    where the meanings are from.
    """

    name: str
    source: str
    values: Mapping[int, str] = field(default_factory=dict)
    parts: tuple[tuple[int, str, str], ...] = ()
    note: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True)
class Meanings:
    """All sets of one file, by their name and by the fields they are the meaning of."""

    sets: Mapping[str, MeaningSet]
    fields: Mapping[str, MeaningSet]

    def of(self, place: str) -> MeaningSet | None:
        """The set of a field, of its own place or of every place (``*`` for the first word); None where there is none."""
        return self.fields.get(place) or self.fields.get(f"* {place.partition(' ')[2]}")

    def describe(self, one: MeaningSet, number: int) -> str:
        """The meaning of ``number``; a number that the set does not have is told as such."""
        if one.parts:
            return self._bits(one, number)
        if one.note:
            return one.note
        return one.values.get(number) or f"no value of {one.name.replace('_', ' ')}"

    def _bits(self, one: MeaningSet, number: int) -> str:
        said, rest = [], number
        for mask, text, inner in one.parts:
            part = (number & mask) // (mask & -mask)
            rest &= ~mask
            if inner:
                said.append(f"{text} {self.describe(self.sets[inner], part)}")
            elif mask & (mask - 1):
                said.append(f"{text} {part}")
            elif part:
                said.append(text)
        if rest > 0:
            said.append(f"reserved bits {rest:x}")
        return ", ".join(said) or "none set"


def load(package: str) -> Meanings:
    """The sets of a package's ``meanings.toml``. Raises ValueError for a field that two sets claim."""
    declared: dict[str, _Declared] = tomllib.loads(files(package).joinpath("meanings.toml").read_text("utf-8"))
    sets: dict[str, MeaningSet] = {}
    fields: dict[str, MeaningSet] = {}
    for name, told in declared.items():
        values = {int(number, 0): text for number, text in told.get("values", {}).items()}
        if name == _STATUS:
            values = {one.value: one.name.lower().replace("_", " ") for one in ZclStatus}
        parts = tuple((int(mask, 0), *_inner(text)) for mask, text in told.get("parts", {}).items())
        sets[name] = MeaningSet(name, told["source"], values, parts, told.get("note", ""), told.get("form", ""))
        for place in told["fields"]:
            if place in fields:
                raise ValueError(f"{place} is a field of {fields[place].name} and of {name}")
            fields[place] = sets[name]
    return Meanings(sets, fields)


def _inner(text: str) -> tuple[str, str]:
    name, _, inner = text.partition(":")
    return name, inner


@cache
def meanings() -> Meanings:
    """The sets of ZigBee clusters."""
    return load("firmware_emu.zse.clusters")


def meaning(cluster: int, place: str, number: int) -> str:
    """Meaning of a number in a cluster's attribute (``supply_status``) or field (``ChangeSupply.status``); empty where it counts."""
    known = meanings().of(f"{cluster:04x} {place}")
    return "" if known is None else meanings().describe(known, number)


def is_invalid(kind: DataType, value: FieldValue) -> bool:
    """True for the value by which an attribute says that it has none (ZCL 2.6.2: all ones, or the most negative number)."""
    bits = 8 * kind.width
    if kind.kind is ValueKind.SIGNED:
        return value == -(1 << (bits - 1))
    if kind.kind is ValueKind.BOOLEAN:
        return value == 0xFF and not isinstance(value, bool)
    if kind.kind is ValueKind.UNSIGNED and not kind.name.startswith(("data", "bitmap")):
        return value == (1 << bits) - 1
    if kind.kind is ValueKind.FLOAT:
        return isinstance(value, float) and math.isnan(value)
    return value is None or (kind.name == "date" and value == b"\xff\xff\xff\xff")
