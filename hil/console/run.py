"""``run``: this run's folder, and others."""

from __future__ import annotations

from firmware_emu.console.declare import verb
from firmware_emu.console.result import Result
from hil.console.rig import RigNoun


class Run(RigNoun):
    """The run that this session is."""

    name = "run"
    about = "this run's folder, its report, and how it differs from another"

    @verb()
    async def show(self) -> Result:
        """Tell where this run is kept, its seed and how long its trace is."""
        return Result(str(self.station.folder), {"seed": self.bench.seed, "records": len(self.bench.records)})
