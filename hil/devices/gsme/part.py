"""The gas meter as its parts see it."""

from __future__ import annotations

from typing import Protocol

from hil.devices.gsme.published import Published
from hil.devices.metering.part import MeterPart


class GasSettings(Protocol):
    """The settings of a gas meter: attributes, and what suppliers have published."""

    published: Published

    def number(self, cluster: int, attribute: int) -> int:
        """A numeric attribute as it stands."""
        ...


class GsmePart(MeterPart, Protocol):
    """Everything that a part may use of a GSME beside what every meter has."""

    def knows_gpf(self) -> bool:
        """True if this hub's GPF stands in the meter's log."""
        ...
