"""``fault``: what goes wrong, as sentences."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Annotated, cast

from firmware_emu.console.core import Core
from firmware_emu.console.declare import WordError, WordKind, verb
from firmware_emu.console.result import Result, count
from hil.console.rig import RigNoun
from hil.faults import HOOK_PATTERNS, Faults, Hook, SentenceError, next_in, next_words

Words = Annotated[str, WordKind("a fault as a sentence", str, "faults")]


def _function(text: str) -> Hook:
    """The function of ``FILE.py:NAME``. Raises WordError."""
    file, _, name = text.rpartition(":")
    if not Path(file).is_file():
        raise WordError(f"do: read {text!r}, expected FILE.py:FUNCTION with a file that is there")
    try:
        found = runpy.run_path(file).get(name)
    except Exception as wrong:  # code of a user
        raise WordError(f"do: {file}: {type(wrong).__name__}: {wrong}") from None
    if not callable(found):
        raise WordError(f"do: {file} has no function {name!r}")
    return cast("Hook", found)


Function = Annotated[Hook, WordKind("a Python function: FILE.py:NAME", _function)]
HookWords = Annotated[str, WordKind("what it is called with, as a sentence", str, "hooks")]


class FaultNoun(RigNoun):
    """Faults that are in force on this bench."""

    name = "fault"
    about = "what goes wrong: add, list, clear"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        self._faults: Faults | None = None
        devices = [row.name for row in bench.board.device]
        bench.offers["faults"] = lambda given: next_in(given, devices)
        bench.offers["hooks"] = lambda given: next_words(given[1:], devices, HOOK_PATTERNS)

    @property
    def faults(self) -> Faults:
        """The bench's faults, drawn from its seed."""
        if self._faults is None:
            self._faults = Faults(self.home, self.bench.seed)
        return self._faults

    def adopt(self, faults: Faults) -> None:
        """Use these faults, which the maker of the home has set already."""
        self._faults = faults

    async def close(self) -> None:
        """The faults are saved with the run, and end."""
        if self._faults is not None:
            self._faults.save(self.home.folder)
            await self._faults.close()

    @verb()
    async def add(self, *sentence: Words) -> Result:
        """Let something go wrong, as ``fault add han drop 20% to gsme``."""
        try:
            made = self.faults.add(" ".join(sentence))
        except SentenceError as wrong:
            raise WordError(str(wrong)) from None
        return Result(f"fault {made.number}: {made.sentence}", {"number": made.number}, raw=made)

    @verb()
    async def hook(self, do: Function, *which: HookWords) -> Result:
        """Call a Python function with each message or frame of a kind: ``fault hook late.py:late response 4.1.1 from esme``."""
        try:
            made = self.faults.hook(do, " ".join(which))
        except SentenceError as wrong:
            raise WordError(str(wrong).replace("fault ", "hook ", 1)) from None
        return Result(f"fault {made.number}: {getattr(do, '__name__', 'hook')} on {made.sentence}", {"number": made.number}, raw=made)

    @verb(looks=True)
    async def list(self) -> Result:
        """Show the faults in force and how often each has acted."""
        rows = [(one.number, one.sentence, one.effects) for one in self.faults.list()]
        return Result(count(len(rows), "fault"), columns=("number", "fault", "acted"), rows=rows)

    @verb()
    async def clear(self, number: int | None = None) -> Result:
        """End one fault by its number, or all."""
        self.faults.clear(number)
        return Result("all faults cleared" if number is None else f"fault {number} cleared")
