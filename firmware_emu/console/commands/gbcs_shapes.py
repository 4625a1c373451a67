"""A-XDR values from text or JSON, by the shapes of the access lists: ``structure[2](octet-string(8),enum)``.

A number of elements or octets in a shape is what the reference set shows, not a limit. A value may name its own type as
``{"long-unsigned": 5}``, and has to where a shape is cut short (``..``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firmware_emu.console.commands.gbcs_literals import moment, number, octets
from firmware_emu.errors import IdentifierError
from firmware_emu.gbcs.axdr import (
    KINDS,
    Array,
    BitString,
    Boolean,
    Data,
    Null,
    OctetString,
    Structure,
    Utf8String,
    VisibleString,
)
from firmware_emu.gbcs.cosem_time import NEVER, NOW, encode_date_time

_DATE_TIMES = {"now": NOW, "never": NEVER}
_ENDINGS = "[(,)"


@dataclass(frozen=True, slots=True)
class Shape:
    """A type with the shapes of its elements; ``size`` is the number in its parentheses or brackets."""

    type_name: str
    size: int | None = None
    elements: tuple[Shape, ...] = ()


def parse(text: str) -> Shape:
    """The shape a text says."""
    shape, rest = _parse(text)
    assert not rest, text
    return shape


def _parse(text: str) -> tuple[Shape, str]:
    end = min((text.index(mark) for mark in _ENDINGS if mark in text), default=len(text))
    name, text = text[:end], text[end:]
    size: int | None = None
    elements: list[Shape] = []
    if text[:1] == "[":
        digits, _, text = text[1:].partition("]")
        size = int(digits)
    if text[:1] == "(":
        if text[1:2].isdigit():
            digits, _, text = text[1:].partition(")")
            return Shape(name, int(digits)), text
        while text[:1] in ("(", ","):
            element, text = _parse(text[1:])
            elements.append(element)
        text = text[1:]
    return Shape(name, size, tuple(elements)), text


def read(name: str, shape: str, given: Any) -> Data:
    """The value of a data item. Raises IdentifierError naming ``name``."""
    return _read(name, parse(shape), given)


def _read(name: str, shape: Shape, given: Any) -> Data:
    if isinstance(given, dict) and len(given) == 1 and (named := next(iter(given))) in KINDS:
        inner = shape if shape.type_name == named else Shape(named)
        return _read(name, inner, given[named])
    kind = KINDS.get(shape.type_name)
    if kind is None:
        raise IdentifierError(name, given, 'a value that names its type, as {"long-unsigned": 5}')
    if kind in (Array, Structure):
        return _sequence(name, shape, given)
    text = str(given)
    if kind is Null:
        return Null()
    if kind is Boolean:
        if text.lower() not in ("true", "false"):
            raise IdentifierError(name, given, "true or false")
        return Boolean(text.lower() == "true")
    if kind is BitString:
        if set(text) - {"0", "1"}:
            raise IdentifierError(name, given, "a text of 0 and 1")
        return BitString.of(text)
    if kind is OctetString:
        return OctetString(_octets(shape, text))
    if kind in (VisibleString, Utf8String):
        return VisibleString(text) if kind is VisibleString else Utf8String(text)
    if hasattr(kind, "signed"):
        return kind(number(name, given))  # type: ignore[call-arg]  # the numbers
    return kind(octets(text))  # type: ignore[call-arg]  # what is left holds octets


def _octets(shape: Shape, text: str) -> bytes:
    if shape.size == 12 and text in _DATE_TIMES:
        return _DATE_TIMES[text]
    return encode_date_time(moment(text)) if shape.size == 12 and "T" in text else octets(text)


def _sequence(name: str, shape: Shape, given: Any) -> Data:
    if not isinstance(given, list):
        raise IdentifierError(name, given, f"a JSON list for {shape.type_name}")
    if shape.type_name == Array.type_name:
        element = shape.elements[0] if shape.elements else Shape("")
        return Array(tuple(_read(f"{name}[{place}]", element, item) for place, item in enumerate(given)))
    if shape.size is not None and len(given) != shape.size:
        raise IdentifierError(name, given, f"{shape.size} elements")
    kinds = [*shape.elements, *(Shape("") for _ in given)]
    return Structure(tuple(_read(f"{name}[{place}]", kinds[place], item) for place, item in enumerate(given)))
