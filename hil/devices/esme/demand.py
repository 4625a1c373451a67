"""Maximum demand of an electricity meter: the largest half hour since a reset, all day or in a window (reference smets 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_emu.gbcs.axdr import Array, Data
from hil.devices.metering.calendar import Schedule
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S

_START, _END = 1, 2
"""Scripts of the window's schedule entries (RTDS ECS37)."""


@dataclass
class Demand:
    """One maximum demand register: mean watts of the largest half hour, its end, and the last reset (seconds since 2000)."""

    watts: int = 0
    at: int = 0
    reset_at: int = 0

    def offer(self, end: int, watt_hours: int) -> None:
        """A half hour that ended at ``end``."""
        watts = watt_hours * 3600 // HALF_HOUR_S
        if watts > self.watts:
            self.watts, self.at = watts, end

    def reset(self, now: int) -> None:
        """Start anew."""
        self.watts, self.at, self.reset_at = 0, now, now

    def state(self) -> dict[str, object]:
        """For the store."""
        return {"watts": self.watts, "at": self.at, "reset_at": self.reset_at}

    def restore(self, state: Mapping[str, object]) -> None:
        """From the store."""
        self.watts, self.at, self.reset_at = (int(str(state[name])) for name in ("watts", "at", "reset_at"))


class Window:
    """The configurable daily window (ECS37); a meter without one has the whole day."""

    def __init__(self, entries: Data) -> None:
        switches = Schedule(entries, Array(())).switches
        starts = [switch.at for switch in switches if switch.selector == _START]
        ends = [switch.at for switch in switches if switch.selector == _END]
        self._span = (starts[0], ends[0]) if starts and ends and starts[0] != ends[0] else None

    def holds(self, end: int) -> bool:
        """Whether the half hour that ended at ``end`` lies in the window, which may run over midnight."""
        if self._span is None:
            return True
        first, last = self._span
        begin = (end - HALF_HOUR_S) % DAY_S
        offset, length = (begin - first) % DAY_S, (last - first) % DAY_S
        return offset + HALF_HOUR_S <= length
