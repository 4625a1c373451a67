"""The explanation of a message as a coloured tree, in the width of the console that shows it: it wraps, and cuts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from firmware_emu.gbcs.explain import Tree, TreeNode

_WIDE = 120
_A_LINE = (8, 16)
"""Octets a line, on a console below :data:`_WIDE` columns and from there on."""
_OFFSET = 6
_VERDICTS = (("valid", "bold green"), ("invalid", "bold red"), ("unchecked", "yellow"), ("does not open", "bold red"))


def lines(nodes: Sequence[TreeNode], guides: str = "", *, decrypted: bool = False) -> Iterator[tuple[TreeNode, str, str, bool]]:
    """Every node with the guides in front of its name, those in front of the lines below it, and whether it stands in a plaintext."""
    for number, node in enumerate(nodes):
        last = number + 1 == len(nodes)
        inner = guides + ("   " if last else "│  ")
        below = inner + ("│  " if node.children or node.decrypted else "   ")
        yield node, guides + ("└─ " if last else "├─ "), below, decrypted
        yield from lines(node.children, inner, decrypted=decrypted)
        yield from lines(node.decrypted, inner, decrypted=True)


def _value(node: TreeNode) -> str:
    """The value, left out where it only repeats the octets."""
    return "" if node.value == node.octets.hex() and len(node.octets) > 2 else node.value


def _style(meaning: str) -> str:
    return next((style for word, style in _VERDICTS if meaning.startswith(word)), "green")


def _said(node: TreeNode, decrypted: bool) -> Text:
    """Field, value, meaning and clause in one text."""
    parts = (
        Text(node.field, "magenta" if decrypted else "bold"),
        Text(_value(node), "yellow"),
        Text(node.meaning, _style(node.meaning)),
        Text(node.clause.removeprefix("reference "), "dim"),
    )
    return Text("  ").join(part for part in parts if part)


def rows(console: Console, tree: Tree, width: int) -> Iterator[Text]:
    """Lines of at most ``width`` columns: offset, octets, and the tree of fields with their values, meanings and clauses."""
    a_line = _A_LINE[width >= _WIDE]
    octets_wide = 3 * a_line - 1
    room = width - _OFFSET - octets_wide - 4
    yield Text(tree.title, "bold")
    yield Text(f"{'offset':>{_OFFSET}}  {'octets':<{octets_wide}}  field, value, meaning, clause"[:width].rstrip(), "dim")
    for node, guides, below, decrypted in lines(tree.nodes):
        texts = _said(node, decrypted).wrap(console, max(room - len(below), 12))
        octets = [node.octets[at : at + a_line].hex(" ") for at in range(0, len(node.octets), a_line)]
        for number in range(max(len(texts), len(octets), 1)):
            text = texts[number] if number < len(texts) else Text()
            text.rstrip()
            line = Text.assemble(
                (f"{node.offset if number == 0 else '':>{_OFFSET}}  ", "dim"),
                (f"{octets[number] if number < len(octets) else '':<{octets_wide}}  ", "cyan"),
                (guides if number == 0 else below, "dim"),
                text,
            )
            line.rstrip()
            yield line


class TreeTable:
    """The explanation as wide as the console that shows it."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from rows(console, self._tree, options.max_width)


def brief(tree: Tree) -> str:
    """One line: what the message is, how long it is, and what of it does not hold."""
    octets = sum(node.length for node in tree.nodes)
    wrong = [f"{node.field} {node.meaning}" for _, node in tree.walk() if _style(node.meaning) == "bold red"]
    return "; ".join((f"{tree.title}, {octets} octets" if octets else tree.title, *wrong))


def show(console: Console, tree: Tree) -> None:
    """Print the explanation in the console's width."""
    console.print(TreeTable(tree))
