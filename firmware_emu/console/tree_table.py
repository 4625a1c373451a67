"""The explanation of a message as a coloured tree, a line a field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from firmware_emu.gbcs.explain import Tree, TreeNode

OCTETS_SHOWN = (6, 14)
"""Longer fields show their first octets (on a console below :data:`WIDE`, and from it on) and how many there are; ``--json`` has all."""
WIDE = 150
_VERDICTS = (("valid", "bold green"), ("invalid", "bold red"), ("unchecked", "yellow"), ("does not open", "bold red"))


def lines(nodes: Sequence[TreeNode], guides: str = "", *, decrypted: bool = False) -> Iterator[tuple[TreeNode, str, bool]]:
    """Every node with the guides of its branch in front of its name, and whether it stands in a plaintext."""
    for number, node in enumerate(nodes):
        last = number + 1 == len(nodes)
        yield node, guides + ("└─ " if last else "├─ "), decrypted
        inner = guides + ("   " if last else "│  ")
        yield from lines(node.children, inner, decrypted=decrypted)
        yield from lines(node.decrypted, inner, decrypted=True)


def _octets(node: TreeNode, shown: int) -> str:
    octets = node.octets
    if len(octets) <= shown:
        return octets.hex(" ")
    return f"{octets[:shown].hex(' ')} … ({len(octets)})"


def _value(node: TreeNode) -> str:
    """The value, left out where it only repeats the octets."""
    return "" if node.value == node.octets.hex() and len(node.octets) > 2 else node.value


def _style(meaning: str) -> str:
    return next((style for word, style in _VERDICTS if meaning.startswith(word)), "green")


def show(console: Console, tree: Tree) -> None:
    """Print the table of :func:`table` in the console's width."""
    console.print(table(tree, console.width))


def table(tree: Tree, width: int) -> Table:
    """Offset, octets, field, value and meaning, clause; in less than :data:`WIDE` columns the last three share one."""
    wide = width >= WIDE
    shown = Table(box=None, pad_edge=False, title=Text(tree.title, style="bold"), title_justify="left")
    shown.add_column("offset", justify="right", style="dim", no_wrap=True)
    shown.add_column("octets", style="cyan", no_wrap=True)
    for name in ("field", "value and meaning", "clause") if wide else ("field, value, meaning, clause",):
        shown.add_column(name, no_wrap=name == "field")
    for node, guides, decrypted in lines(tree.nodes):
        field = Text.assemble((guides, "dim"), (node.field, "magenta" if decrypted else "bold"))
        value = _value(node)
        said = Text.assemble((value, "yellow"), "  " if value and node.meaning else "", (node.meaning, _style(node.meaning)))
        clause = Text(node.clause.removeprefix("reference "), "dim")
        parts = (field, said, clause) if wide else (Text("  ").join(part for part in (field, said, clause) if part),)
        shown.add_row(str(node.offset), Text(_octets(node, OCTETS_SHOWN[wide])), *parts)
    return shown


class TreeTable:
    """The explanation as wide as the console that shows it."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield table(self._tree, options.max_width)
