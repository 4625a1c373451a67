"""The guides: Markdown files and notebooks in folders ``guide`` of the packages that the entry point group ``chub.guide`` names.

A fenced block says by its head what it is, and a test runs it: ``sh`` lines of a shell, ``chub`` lines of the prompt (with good verdicts,
unless the title says otherwise), ``python`` a program. A title that is a file's name makes that file first; any other title says why the
block cannot run everywhere, and only its commands and options are held against the program. A notebook is run whole, cell by cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from typing import Any

GROUP = "chub.guide"
BAD = "the last line has a bad verdict"
_LINK = re.compile(r"\[([^\]]+)\]\((?:[^)\s]*/)?([a-z-]+)\.(?:md|ipynb)(?:#[^)]*)?\)")
_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its title if any, and its text."""

    language: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide: its name, as ``chub guide`` takes it, its Markdown, and the file that has it."""

    name: str
    text: str
    file: Traversable

    @property
    def title(self) -> str:
        """The first heading."""
        return self.text.partition("\n")[0].removeprefix("# ")

    def blocks(self) -> list[Block]:
        """The fenced blocks in their order."""
        return [Block(*found) for found in _BLOCK.findall(self.text)]


def in_markdown(notebook: Mapping[str, Any]) -> str:
    """A notebook as Markdown: its words, its programs as blocks, and below each what it gave, where the notebook holds that."""
    return "\n\n".join(part for cell in notebook["cells"] for part in _parts(cell)) + "\n"


def _parts(cell: Mapping[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] != "code":
        yield source
        return
    yield f"```python\n{source}\n```"
    for output in cell["outputs"]:
        data = output.get("data", {"text/plain": output.get("text", "")})
        yield (
            f"<div>\n{''.join(data['text/html'])}\n</div>"
            if "text/html" in data
            else f"```text\n{''.join(data['text/plain']).rstrip()}\n```"
        )


def guides() -> dict[str, Guide]:
    """All guides that are installed, by name."""
    found: dict[str, Guide] = {}
    for entry in entry_points(group=GROUP):
        for path in resources.files(entry.value).joinpath("guide").iterdir():
            name, _, kind = path.name.rpartition(".")
            if kind == "md":
                found[name] = Guide(name, path.read_text("utf-8"), path)
            elif kind == "ipynb":
                found[name] = Guide(name, in_markdown(json.loads(path.read_text("utf-8"))), path)
    return dict(sorted(found.items()))


def with_commands(text: str, names: Collection[str]) -> str:
    """A guide for a terminal: a link to another guide, which nobody can follow there, is the command that shows it."""
    return _LINK.sub(lambda link: f"{link[1]} (`chub guide {link[2]}`)" if link[2] in names else link[0], text)
