"""Reference responses whose values are their places, so that an element of MMC tells where its value was taken from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from hil.parse_correlate import Parsed
from hil.parse_correlate.message.dlms import NUMBER_KINDS, Value
from hil.parse_correlate.message.zcl import Typed, ZclCommand, ZclField, ZclValue
from hil.parse_correlate.parse.mmc import configuration, electricity, electricity_logs, gas, hub
from hil.parse_correlate.parse.mmc.reading import Answer, answer_of
from hil.parse_correlate.parse.mmc.tree import Element, written

CONTENTS = {**configuration.CONTENTS, **electricity.CONTENTS, **electricity_logs.CONTENTS, **gas.CONTENTS, **hub.CONTENTS}
ITEM, OPENED = 1000, 100_000
"""Data item ``i`` holds the numbers from ``i * ITEM``, a decrypted one those from ``OPENED + i * ITEM``, in the order of its parts."""
_SCALES = {0x0301: 2, 0x0302: 1000, 0x0303: 0x20, 0x0306: 0x10, 0x0B12: 3, 0x0B13: 100}
"""Multipliers, divisors and trailing digits (ZSE price and metering clusters) of which no two are the same."""
_MASK = 32
"""Bits of a channel mask or of event settings, which keep their value: single bits of them have tests of their own."""
_INDEXED = re.compile(r"(.*)\[(\d+)\]")


def _octets(size: int, number: int) -> bytes:
    """A date-time or date of the right size that ``number`` tells, else its digits; the hour of a time is the code of such a digit then."""
    month, day = 1 + number % 12, 1 + number % 28
    match size:
        case 12:
            return bytes((0x07, 0xE4, month, day, 0xFF, number // 60 % 24, number % 60, 0, 0, 0x80, 0x00, 0x00))
        case 5:
            return bytes((0x07, 0xE4, month, day, 1 + number % 7))
        case 1 | 2:
            return (48 + number % 70).to_bytes(size, "big")
        case _:
            return f"{number:0{size}d}".encode()[-size:] if size else b""


def _numbered(value: Value, numbers: Iterator[int]) -> Value:
    if value.values:
        return replace(value, content=tuple(_numbered(one, numbers) for one in value.values))
    number = next(numbers)
    if value.kind in NUMBER_KINDS:
        return replace(value, content=number)
    if isinstance(value.content, bytes):
        return replace(value, content=_octets(len(value.content), number))
    if value.kind == "boolean":
        return replace(value, content=255 if (number + number // ITEM) % 2 else 0)
    if value.kind == "bit-string" and isinstance(value.content, str):
        if len(value.content) >= _MASK:
            return value
        return replace(value, content="".join("01"[place == number % len(value.content)] for place in range(len(value.content))))
    return replace(value, content=f"text {number}") if isinstance(value.content, str) else value


def _of_zcl(field: ZclField, numbers: Iterator[int]) -> ZclValue:
    match field.value:
        case tuple() as rows:
            return tuple(_row(row, numbers) for row in rows)
        case bytes() if field.kind == "d":
            number = next(numbers)
            return bytes((120, 1 + number % 12, 1 + number % 28, 1 + number % 7))
        case bytes() as octets:
            return _octets(len(octets), next(numbers))
        case int():
            return next(numbers)
        case other:
            return other


def _row(row: tuple[ZclField, ...], numbers: Iterator[int]) -> tuple[ZclField, ...]:
    named = {field.name: field.value for field in row}
    identifier, typed = named.get("attribute"), named.get("value")
    if isinstance(identifier, int) and isinstance(typed, Typed):
        held = _SCALES.get(identifier, identifier) if isinstance(typed.value, int) else f"text {identifier:04x}".encode()
        return tuple(replace(field, value=Typed(typed.type_id, held)) if field.name == "value" else field for field in row)
    return tuple(replace(field, value=_of_zcl(field, numbers)) for field in row)


def numbered(parsed: Parsed) -> Answer:
    """The response as an answer with other values: numbers are places, ZCL attributes their own identifiers; fields of the ZCL command
    ``c`` count from ``c * ITEM``."""
    answer = answer_of(parsed)
    items = tuple(None if one is None else _numbered(one, count(place * ITEM)) for place, one in enumerate(answer.items))
    opened = tuple(_numbered(one, count(OPENED + place * ITEM)) for place, one in enumerate(answer.opened))
    commands = [
        ZclCommand(one.cluster, one.command, one.name, _row(one.fields, count(place * ITEM))) for place, one in enumerate(answer.commands)
    ]
    attributes = {(one.cluster, identifier): value for one in commands for identifier, value in one.attributes().items()}
    return Answer(parsed, items, opened, tuple(commands), attributes)


def leaves(elements: tuple[Element, ...], above: str = "") -> Iterator[tuple[str, str]]:
    """Every element without children by its path, with its text; attributes that number it stand in brackets."""
    for element in elements:
        numbers = ",".join(element.attributes.values())
        path = f"{above}/{element.name}{f'[{numbers}]' if numbers else ''}".removeprefix("/")
        if element.children:
            yield from leaves(element.children, path)
        else:
            yield path, "" if element.text is None else written(element.text)


def shown(elements: tuple[Element, ...]) -> list[tuple[str, str]]:
    """The leaves, told shortly: a path that occurs again and again twice, elements that count on as ``name[1..48]`` from value to value."""
    found: list[tuple[str, str]] = []
    seen: dict[str, int] = {}
    for path, text in leaves(elements):
        seen[path] = seen.get(path, 0) + 1
        if seen[path] <= 2:
            found.append((path, text))
    runs: list[tuple[str, list[str]]] = []
    for path, text in found:
        if runs and _follows(runs[-1], path, text):
            runs[-1][1].append(text)
        else:
            runs.append((path, [text]))
    return [_told(path, texts) for path, texts in runs]


def _follows(run: tuple[str, list[str]], path: str, text: str) -> bool:
    first, one = _INDEXED.fullmatch(run[0]), _INDEXED.fullmatch(path)
    if first is None or one is None or first[1] != one[1] or not (text.isdecimal() and run[1][-1].isdecimal()):
        return False
    return int(one[2]) == int(first[2]) + len(run[1]) and int(text) == int(run[1][-1]) + 1


def _told(path: str, texts: list[str]) -> tuple[str, str]:
    found = _INDEXED.fullmatch(path)
    if found is None or len(texts) == 1:
        return path, texts[0]
    return f"{found[1]}[{found[2]}..{int(found[2]) + len(texts) - 1}]", f"{texts[0]}..{texts[-1]}"
