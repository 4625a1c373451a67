"""The guides: Markdown files in folders ``guide`` of the packages that the entry point group ``chub.guide`` names.

A fenced block says by its head what it is, and a test runs it: ``sh`` lines of a shell, ``chub`` lines of the prompt (``chub bad``: the
last one has a bad verdict), ``python`` a program. A title that is a file's name makes that file first; any other title says why the block
cannot run everywhere, and only its commands and options are held against the program.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import entry_points

GROUP = "chub.guide"
_BLOCK = re.compile(r'^```(\w+)(?: (bad))?(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its title if any, and its text. ``bad``: its last line has a bad verdict."""

    language: str
    title: str
    text: str
    bad: bool


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide: its name, as ``chub guide`` takes it, and its Markdown."""

    name: str
    text: str

    @property
    def title(self) -> str:
        """The first heading."""
        return self.text.partition("\n")[0].removeprefix("# ")

    def blocks(self) -> list[Block]:
        """The fenced blocks in their order."""
        return [Block(language, title, text, bool(bad)) for language, bad, title, text in _BLOCK.findall(self.text)]


def guides() -> dict[str, Guide]:
    """All guides that are installed, by name."""
    found: dict[str, Guide] = {}
    for entry in entry_points(group=GROUP):
        for path in resources.files(entry.value).joinpath("guide").iterdir():
            if path.name.endswith(".md"):
                name = path.name.removesuffix(".md")
                found[name] = Guide(name, path.read_text("utf-8"))
    return dict(sorted(found.items()))
