"""The manual is the help: ``manual.md``, cut at its headings. A section is named as a noun and a verb, ``### time go``.

Under each verb's heading stands its usage in code marks; a test holds it against the declaration, so they cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from rich.markdown import Markdown

from firmware_emu.console.declare import Verb, WordError
from firmware_emu.console.result import Result
from firmware_emu.errors import nearest

if TYPE_CHECKING:
    from firmware_emu.console.core import Core

_HEADING = re.compile(r"^(##+) (.+)$", re.MULTILINE)
_CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@cache
def text() -> str:
    """The whole manual."""
    return resources.files("firmware_emu.console").joinpath("manual.md").read_text("utf-8")


@cache
def sections() -> dict[str, str]:
    """Title to text, of every heading of the third level; the usage is the first line."""
    return {title: body for marks, title, body in _parts() if marks == "###"}


@cache
def chapters() -> dict[str, str]:
    """Title to introduction, of every heading of the second level."""
    return {title: body for marks, title, body in _parts() if marks == "##"}


def _parts() -> list[tuple[str, str, str]]:
    found = list(_HEADING.finditer(text()))
    ends = [one.start() for one in found[1:]] + [len(text())]
    return [(one[1], one[2].strip(), text()[one.end() : end].strip()) for one, end in zip(found, ends, strict=True)]


def usage_line(title: str, verb: Verb) -> str:
    """Usage line that the manual must print under a verb's heading."""
    noun = title.rpartition(" ")[0]
    noun = "DEVICE" if noun == "device" else noun
    forms = [f"{noun} {verb.name}", *([verb.plain] if verb.plain else [])]
    return ", ".join(f"`{' '.join(part for part in (form, verb.usage) if part)}`" for form in forms)


def manual(bench: Core, topic: Sequence[str]) -> Result:
    """The manual in short, or the sections of a topic. Raises WordError for one that it does not have."""
    if not topic:
        rows = [(name, noun.about, ", ".join(noun.verbs())) for name, noun in sorted(bench.nouns.items())]
        plain = ", ".join(sorted(bench.plain))
        return Result(
            f"NOUN VERB VALUES..., NAME=VALUE, `;` between calls. Plain words: {plain}. At the prompt also: python, attach, exit. "
            "`help WORD` tells more.",
            columns=("noun", "", "verbs"),
            rows=rows,
        )
    found = _found(bench, [word.lower() for word in topic])
    if not found:
        known = nearest(topic[-1], _words(bench, topic))
        raise WordError(f"help: read {' '.join(topic)!r}, expected a noun, a verb or a plain word{known}; `help` lists them")
    pages = "\n\n".join(f"### {title}\n\n{body}" for title, body in found)
    return Result("", picture=Markdown(pages, code_theme="ansi_dark"), raw=pages)


def _found(bench: Core, topic: list[str]) -> list[tuple[str, str]]:
    if topic[0] in bench.plain:
        return [_section(bench.plain[topic[0]][1])]
    if topic[0] in bench.nouns:
        verbs = bench.nouns[topic[0]].verbs()
        return [_section(verb) for name, verb in verbs.items() if len(topic) < 2 or topic[1] == name]
    return [(topic[0], sections()[topic[0]])] if topic[0] in sections() else []


def _words(bench: Core, topic: Sequence[str]) -> list[str]:
    """Words that could have stood last: verbs behind a noun, else what begins a call."""
    known = bench.nouns.get(topic[0])
    return list(known.verbs()) if known is not None and len(topic) > 1 else [*bench.nouns, *bench.plain, *sections()]


def _section(verb: Verb) -> tuple[str, str]:
    """The manual's section of a verb; of a noun that a further package brings, what its declaration says."""
    made = f"{usage_line(verb.section, verb)}\n\n{verb.summary}"
    return verb.section, sections().get(verb.section, made)


def examples() -> list[str]:
    """The Python programs that the manual shows."""
    return _CODE.findall(text())
