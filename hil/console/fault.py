"""``fault``: what goes wrong, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_emu.console.core import Core
from firmware_emu.console.declare import verb
from firmware_emu.console.result import Result
from hil.console.rig import RigNoun

if TYPE_CHECKING:
    from hil.faults import Faults


class Fault(RigNoun):
    """Faults that are in force on this bench."""

    name = "fault"
    about = "what goes wrong: add, list, clear"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        self._faults: Faults | None = None

    @property
    def faults(self) -> Faults:
        """The bench's faults, drawn from its seed."""
        from hil.faults import Faults

        if self._faults is None:
            self._faults = Faults(self.station, self.bench.seed)
        return self._faults

    @verb()
    async def add(self, *sentence: str) -> Result:
        """Let something go wrong, as ``fault add han drop 20% to gsme``."""
        made = self.faults.add(" ".join(sentence))
        return Result(f"fault {made.number}: {made.sentence}", {"number": made.number}, raw=made)

    @verb()
    async def list(self) -> Result:
        """Show the faults in force and how often each has acted."""
        rows = [(one.number, one.sentence, one.count) for one in self.faults.list()]
        return Result(f"{len(rows)} faults", columns=("number", "fault", "acted"), rows=rows)

    @verb()
    async def clear(self, number: int | None = None) -> Result:
        """End one fault by its number, or all."""
        self.faults.clear(number)
        return Result("all faults cleared" if number is None else f"fault {number} cleared")
