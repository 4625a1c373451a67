"""The values in an answer, by the names of its fields."""

from __future__ import annotations

from collections.abc import Iterator

from firmware_emu.gbcs.tree import Node
from hil.dcc.outcome import Outcome

_FRAMING = frozenset({"tag", "length", "count", "type", "header"})


def readings(outcome: Outcome) -> dict[str, object]:
    """Name to value of what was decrypted, or else of all that was answered; a name that comes again gets a number."""
    if outcome.parsed is None:
        return {}
    content = outcome.parsed.content
    opened = [node for top in content for node in _opened(top)]
    found: dict[str, object] = {}
    for top in opened or content:
        for name, value in _leaves(top):
            key, number = name, 2
            while key in found:
                key, number = f"{name} {number}", number + 1
            found[key] = value
    return found


def _opened(node: Node) -> Iterator[Node]:
    yield from node.decrypted
    for child in node.children:
        yield from _opened(child)


def _leaves(node: Node) -> Iterator[tuple[str, str]]:
    if node.children:
        for child in node.children:
            yield from _leaves(child)
    elif node.value and not _FRAMING & set(node.field.split()):
        yield node.field, f"{node.value} ({node.meaning})" if node.meaning else node.value
