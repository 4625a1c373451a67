"""``session``: what was said so far, and what to make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from firmware_emu.console.core import Noun
from firmware_emu.console.declare import WordError, WordKind, verb
from firmware_emu.console.manual import manual
from firmware_emu.console.result import Result, count
from firmware_emu.console.saving import as_test

FileName = Annotated[str, WordKind("a file name such as test_join.py")]
Topic = Annotated[str, WordKind("a noun, a verb or a plain word", str, "topics")]


class SessionNoun(Noun):
    """The lines said at this console, and the console itself."""

    name = "session"
    about = "what was said so far: show it, save it as a test; help"

    @verb(looks=True)
    async def show(self) -> Result:
        """Show what was said and what came of it."""
        rows = [(said.call.line, "ok" if said.result.ok else "bad", said.result.said) for said in self.bench.said]
        return Result(count(len(rows), "call"), columns=("line", "verdict", "result"), rows=rows)

    @verb(looks=True)
    async def save(self, file: FileName) -> Result:
        """Save the session as a pytest test that opens the same board with the same seed and says the same."""
        path = Path(file)
        if path.suffix != ".py" or not path.stem.startswith("test_"):
            raise WordError(f"file: read {file!r}, expected a name such as test_join.py: pytest finds no other")
        acts = [said for said in self.bench.said if not said.call.verb.looks]
        if not acts:
            raise WordError("session save: nothing was done yet; say something first")
        _write(path, as_test(self.bench, acts, path.stem))
        return Result(f"{path}: {len(acts)} calls; run it with `pytest {path}`", {"calls": len(acts)})

    @verb(plain="help", looks=True)
    async def help(self, *topic: Topic) -> Result:
        """Show the manual: all words in short, or the section of a noun, a verb or a plain word."""
        return manual(self.bench, topic)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise WordError(f"file: {path} cannot be written: {wrong.strerror}") from None
