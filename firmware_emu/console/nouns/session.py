"""``session``: what was said so far, and what to make of it."""

from __future__ import annotations

from firmware_emu.console.declare import Noun, verb
from firmware_emu.console.result import Result


class Session(Noun):
    """What was said at this console."""

    name = "session"
    about = "what was said so far: show it, save it as a test"

    @verb()
    async def show(self) -> Result:
        """Show what was said and what came of it."""
        rows = [(said.call.line, "ok" if said.result.ok else "bad", said.result.said) for said in self.bench.said]
        return Result(f"{len(rows)} calls", columns=("line", "verdict", "result"), rows=rows)
