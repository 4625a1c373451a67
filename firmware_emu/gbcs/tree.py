"""The shape of an explanation: nodes that between them hold every octet of a message exactly once, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One field.

    ``octets`` are its own octets, without those of its ``children``: a group may have none. ``offset`` is where they start.
    ``value`` is what they say, ``meaning`` what that stands for, ``clause`` where it is defined. ``decrypted`` explains the plaintext of a
    ciphertext, at the offsets of the ciphertext; it adds no octets to the message.
    """

    offset: int
    octets: bytes
    field: str
    value: str = ""
    meaning: str = ""
    clause: str = ""
    children: tuple[TreeNode, ...] = ()
    decrypted: tuple[TreeNode, ...] = ()

    @property
    def length(self) -> int:
        """Octets of this node and everything below it."""
        return len(self.octets) + sum(child.length for child in self.children)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, TreeNode]]:
        """This node and those below it with their depth, in the order of their octets."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)

    def as_json(self) -> dict[str, Json]:
        """For ``--json``: octets in hexadecimal, empty texts left out."""
        fields: dict[str, Json] = {"offset": self.offset, "length": self.length, "octets": self.octets.hex(), "field": self.field}
        for name, text in (("value", self.value), ("meaning", self.meaning), ("clause", self.clause)):
            if text:
                fields[name] = text
        if self.children:
            fields["children"] = [child.as_json() for child in self.children]
        if self.decrypted:
            fields["decrypted"] = [child.as_json() for child in self.decrypted]
        return fields


@dataclass(frozen=True, slots=True)
class Tree:
    """The explanation of one message."""

    title: str
    nodes: tuple[TreeNode, ...]

    def walk(self) -> Iterator[tuple[int, TreeNode]]:
        """Every node with its depth, in the order of the message; decrypted nodes are reached through their ciphertext."""
        for node in self.nodes:
            yield from node.walk()

    def as_json(self) -> dict[str, Json]:
        return {"title": self.title, "nodes": [node.as_json() for node in self.nodes]}


class Cursor:
    """Hands out the octets of a message, or of a decrypted part of it, one node after the other."""

    __slots__ = ("base", "octets", "position")

    def __init__(self, octets: bytes, base: int = 0) -> None:
        self.octets = octets
        self.base = base
        self.position = 0

    @property
    def offset(self) -> int:
        return self.base + self.position

    @property
    def remaining(self) -> int:
        return len(self.octets) - self.position

    def node(self, count: int, field: str, value: str | None = None, meaning: str = "", clause: str = "") -> TreeNode:
        """The next ``count`` octets as a node; without a ``value`` it shows them in hexadecimal."""
        start = self.position
        self.position += count
        octets = self.octets[start : self.position]
        return TreeNode(self.base + start, octets, field, octets.hex() if value is None else value, meaning, clause)

    def sized(self, field: str) -> TreeNode:
        """The length that comes next, as a node."""
        first = self.octets[self.position]
        count = 1 if first < 0x80 else first & 0x7F
        start = self.position + (first >= 0x80)
        value = int.from_bytes(self.octets[start : start + count], "big")
        return self.node(count + (first >= 0x80), field, str(value))
