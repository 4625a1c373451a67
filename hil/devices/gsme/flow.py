"""Uncontrolled gas flow: a valve that the consumer has just opened is closed and armed again if gas flows as if a pipe were open.

After a time for the flow to settle, the flow of a measuring time is held against the threshold of GCS24 (attributes 0B10 to 0B15; the time
to settle is in tenths of a second, recalled from ZigBee). A threshold of 0 was never set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from firmware_emu.zse.clusters.metering import METERING
from hil.devices.gsme.part import GasSettings

UNCONTROLLED = 0x81BF
_HOUR_S, _LITRES = 3600, 1000


@dataclass(frozen=True, slots=True)
class FlowLimit:
    """Settings of GCS24: cubic metres an hour, seconds to settle, seconds to measure."""

    threshold: Fraction
    settling: int
    measuring: int

    @classmethod
    def read(cls, settings: GasSettings) -> FlowLimit:
        threshold, multiplier, divisor, settling, measuring = (
            settings.number(METERING.id, attribute) for attribute in (0x0B10, 0x0B12, 0x0B13, 0x0B14, 0x0B15)
        )
        return cls(Fraction(threshold * max(multiplier, 1), max(divisor, 1)), -(-settling // 10), measuring)


class FlowWatch:
    """One measurement, begun when the consumer opens the valve. ``start`` None: none is under way."""

    def __init__(self) -> None:
        self.start: int | None = None
        self.end = self.total = 0

    def begin(self, now: int, limit: FlowLimit) -> None:
        """The valve was opened at ``now``."""
        self.start, self.total = None, 0
        if limit.threshold and limit.measuring:
            self.start, self.end = now + limit.settling, now + limit.settling + limit.measuring

    def next_moment(self, now: int) -> int | None:
        """When the register has to be looked at."""
        if self.start is None:
            return None
        return self.start if now < self.start else self.end

    def passed(self, moment: int, litres: int, limit: FlowLimit) -> bool:
        """The register shows ``litres`` at ``moment``; whether that ends the measurement with too much."""
        if self.start is None:
            return False
        if moment <= self.start:
            self.total = litres
        if moment < self.end:
            return False
        flow = Fraction((litres - self.total) * _HOUR_S, _LITRES * (self.end - self.start))
        self.start = None
        return flow > limit.threshold

    def state(self) -> dict[str, int | None]:
        """For the store."""
        return {"start": self.start, "end": self.end, "total": self.total}

    def restore(self, state: Mapping[str, int | None]) -> None:
        """From the store."""
        self.start, self.end, self.total = state["start"], state["end"] or 0, state["total"] or 0
