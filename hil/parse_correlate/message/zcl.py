"""ZCL payloads inside GBZ components, by the layouts of ``zcl_commands.csv`` (reference gbcs-messages 7A).

A layout is a row of ``name:kind`` with kinds ``u``, ``i``, ``b``, ``e`` and a width in octets (little-endian numbers: unsigned, signed,
bitmap, enumeration), ``t`` a time in seconds since 2000, ``d`` a date of 4 octets, ``s`` a string behind its length, ``x`` whatever is
left, ``a`` attribute id, ``z`` status, ``v`` attribute value with its type (absent after a status that is not success). Behind ``*``
stands what is repeated to the end, behind ``[n]`` what is repeated n times or as often as the field n says.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeAlias

from .envelope import Octets
from .gbz import Component

ZclValue: TypeAlias = "int | bytes | Typed | tuple[tuple[ZclField, ...], ...] | None"
_SERVER_TO_CLIENT, _CLUSTER_COMMAND = 0x08, 0x03
_STRINGS = frozenset((0x41, 0x42))
_SIGNED = frozenset(range(0x28, 0x30))
_WIDTHS = {
    0x10: 1,
    **{0x18 + extra: 1 + extra for extra in range(8)},
    **{0x20 + extra: 1 + extra for extra in range(8)},
    **{0x28 + extra: 1 + extra for extra in range(8)},
    0x30: 1,
    0x31: 2,
    0xE0: 4,
    0xE1: 4,
    0xE2: 4,
    0xF0: 8,
}


@dataclass(frozen=True, slots=True)
class Typed:
    """An attribute value with its ZCL data type."""

    type_id: int
    value: int | bytes


@dataclass(frozen=True, slots=True)
class ZclField:
    """One field. ``kind`` is its letter, ``group`` for repetitions."""

    name: str
    kind: str
    value: ZclValue


@dataclass(frozen=True, slots=True)
class ZclCommand:
    """A payload read by its layout."""

    cluster: int
    command: int
    name: str
    fields: tuple[ZclField, ...]

    def field(self, name: str) -> ZclField | None:
        return next((field for field in self.fields if field.name == name), None)

    def number(self, name: str) -> int | None:
        """A numeric field."""
        found = self.field(name)
        return found.value if found is not None and isinstance(found.value, int) else None

    def attributes(self) -> dict[int, int | bytes]:
        """Attribute values by identifier, of a response that carries them."""
        found: dict[int, int | bytes] = {}
        field = self.field("attributes")
        for row in field.value if field is not None and isinstance(field.value, tuple) else ():
            values = {item.name: item.value for item in row}
            identifier, value = values.get("attribute"), values.get("value")
            if isinstance(identifier, int) and isinstance(value, Typed):
                found[identifier] = value.value
        return found

    def rows(self, name: str) -> list[dict[str, int | bytes]]:
        """A repeated group, each row by field name."""
        found = self.field(name)
        if found is None or not isinstance(found.value, tuple):
            return []
        return [{item.name: item.value for item in row if isinstance(item.value, int | bytes)} for row in found.value]


@dataclass(frozen=True, slots=True)
class _Layout:
    name: str
    kind: str
    width: int = 0
    count: str = ""
    items: tuple[_Layout, ...] = ()


_TOKEN = re.compile(r"(\w+)(?::([a-z])(\d?)|(\*|\[\w+\])\()|(\))")


def _parse(text: str) -> tuple[_Layout, ...]:
    stack: list[tuple[str, str, list[_Layout]]] = [("", "", [])]
    for name, kind, width, count, closing in _TOKEN.findall(text):
        if closing:
            owner, repeated, items = stack.pop()
            stack[-1][2].append(_Layout(owner, "group", 0, repeated, tuple(items)))
        elif count:
            stack.append((name, count.strip("[]"), []))
        else:
            stack[-1][2].append(_Layout(name, kind, int(width or 0)))
    return tuple(stack[0][2])


@cache
def _layouts() -> dict[tuple[str, str, int], tuple[str, tuple[_Layout, ...]]]:
    text = (files(__package__) / "zcl_commands.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {(row["cluster"], row["server"], int(row["command"], 16)): (row["name"], _parse(row["fields"])) for row in rows}


def read_zcl(component: Component, payload: bytes, base: int = 0) -> ZclCommand | None:
    """A component's payload by its layout; None where no layout is known. Raises DecodeError."""
    if component.frame_control & _CLUSTER_COMMAND == 0:
        key = ("", "c", component.command)
    else:
        side = "s" if component.frame_control & _SERVER_TO_CLIENT else "c"
        key = (f"{component.cluster:04x}", side, component.command)
    found = _layouts().get(key)
    if found is None:
        return None
    source = Octets(payload, base)
    fields = _fields(source, found[1])
    source.end(found[0])
    return ZclCommand(component.cluster, component.command, found[0], fields)


def _fields(source: Octets, layouts: tuple[_Layout, ...]) -> tuple[ZclField, ...]:
    found: list[ZclField] = []
    for layout in layouts:
        if layout.kind == "group":
            found.append(ZclField(layout.name, "group", _group(source, layout, found)))
        elif layout.kind == "v":
            if found and found[-1].value == 0:
                found.append(ZclField(layout.name, "v", _typed(source, layout.name)))
        else:
            found.append(ZclField(layout.name, layout.kind, _single(source, layout)))
    return tuple(found)


def _group(source: Octets, layout: _Layout, before: list[ZclField]) -> tuple[tuple[ZclField, ...], ...]:
    rows: list[tuple[ZclField, ...]] = []
    if layout.count == "*":
        while source.left:
            rows.append(_fields(source, layout.items))
        return tuple(rows)
    if layout.count.isdecimal():
        count = int(layout.count)
    else:
        named = next(field.value for field in before if field.name == layout.count)
        count = named if isinstance(named, int) else 0
    for _ in range(count):
        rows.append(_fields(source, layout.items))
    return tuple(rows)


def _single(source: Octets, layout: _Layout) -> int | bytes | None:
    match layout.kind:
        case "s":
            return _string(source, layout.name)
        case "d":
            return source.take(4, layout.name)
        case "x":
            return source.take(source.left, layout.name)
        case kind:
            width = {"t": 4, "a": 2, "z": 1}.get(kind, layout.width)
            return int.from_bytes(source.take(width, layout.name), "little", signed=kind == "i")


def _string(source: Octets, place: str) -> bytes | None:
    """A string behind its length; None where the length FF says that there is no value."""
    size = source.number(1, f"{place} length")
    return None if size == 0xFF else source.take(size, place)


def _typed(source: Octets, place: str) -> Typed:
    type_id = source.number(1, f"{place} type")
    if type_id in _STRINGS:
        return Typed(type_id, _string(source, place) or b"")
    width = _WIDTHS.get(type_id)
    if width is None:
        source.fail(f"{place} type", f"read {type_id:02x}, expected a ZCL data type with a known width")
    return Typed(type_id, int.from_bytes(source.take(width, place), "little", signed=type_id in _SIGNED))
