"""The values in an answer, by the names of its fields and with their units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hil.dcc.base.results import Outcome
from hil.parse_correlate import Field
from hil.parse_correlate.message.dlms import NUMBER_KINDS

_UNITS = {27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh", 33: "A", 35: "V", 13: "m3", 14: "m3"}
"""DLMS units that a meter of this bench answers with (Blue Book, class Register)."""
_FRAMING = frozenset({"tag", "length", "count", "long-invoke-id", "date-time", "echo", "profile", "number"})


def readings(outcome: Outcome) -> dict[str, object]:
    """Name to value of what was decrypted, or else of all that was answered; a name that comes again gets a number."""
    if outcome.parsed is None:
        return {}
    content = outcome.parsed.content
    pairs = [pair for node in content for pair in _opened(node, "")] or [pair for node in content for pair in _leaves(node, "")]
    found: dict[str, object] = {}
    for name, value in pairs:
        key, number = name, 2
        while key in found:
            key, number = f"{name} {number}", number + 1
        found[key] = value
    return found


def _opened(node: Field, owner: str) -> Iterator[tuple[str, object]]:
    """Values in the plaintexts below a node; ``owner`` is the object whose protected attributes they are."""
    owner = node.field.partition(": ")[2].partition(",")[0] or owner
    for child in node.decrypted:
        yield from _leaves(child, owner)
    for child in node.children:
        yield from _opened(child, owner)


def _leaves(node: Field, owner: str) -> Iterator[tuple[str, object]]:
    by_field = {child.field: child for child in node.children}
    if "attribute" in by_field and {"value", "status"} & set(by_field):  # a ZCL attribute record
        name = (by_field["attribute"].meaning or by_field["attribute"].value).lower()
        yield name, _number(by_field["value"]) if "value" in by_field else by_field["status"].meaning
    elif node.children:
        yield from _registers(node.children, owner)
    elif node.value and not _FRAMING & set(node.field.replace(",", "").split()):
        name = owner if node.field.startswith("element ") and owner else node.field
        yield name, f"{node.value} ({node.meaning})" if node.meaning else _number(node)


def _registers(nodes: Sequence[Field], owner: str) -> Iterator[tuple[str, object]]:
    """The nodes; a number before a scaler and a unit is a register."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop(0)
        unit = None if node.children or not waiting else _scaler_and_unit(waiting[0])
        value = _number(node)
        if unit is not None and isinstance(value, int):
            waiting.pop(0)
            scaled = value * 10 ** unit[0]
            yield f"{owner or node.field}, {_UNITS.get(unit[1], f'unit {unit[1]}')}", scaled
        else:
            yield from _leaves(node, owner)


def _scaler_and_unit(node: Field) -> tuple[int, int] | None:
    if [None if child.data is None else child.data.kind for child in node.children] != ["integer", "enum"]:
        return None
    scaler, unit = (_number(child) for child in node.children)
    return (scaler, unit) if isinstance(scaler, int) and isinstance(unit, int) else None


def _number(node: Field) -> object:
    """The number of a field; any other value as its text."""
    if node.data is not None:
        return node.data.content if node.data.kind in NUMBER_KINDS else node.value
    try:
        return int(node.value)
    except ValueError:
        return node.value
