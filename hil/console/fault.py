"""``fault``: what goes wrong, as sentences."""

from __future__ import annotations

from typing import Annotated

from firmware_emu.console.core import Core
from firmware_emu.console.declare import WordError, WordKind, verb
from firmware_emu.console.result import Result, count
from hil.console.rig import RigNoun
from hil.faults import Faults, SentenceError, next_words

Words = Annotated[str, WordKind("a fault as a sentence", str, "faults")]


class FaultNoun(RigNoun):
    """Faults that are in force on this bench."""

    name = "fault"
    about = "what goes wrong: add, list, clear"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        self._faults: Faults | None = None
        bench.offers["faults"] = lambda given: next_words(given, [row.name for row in bench.board.device])

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
