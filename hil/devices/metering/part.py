"""The meter as its parts see it, so that a part depends neither on ``Esme`` nor on ``Gsme``."""

from __future__ import annotations

from typing import Protocol

from hil.devices.base.part import DevicePart


class MeterPart(DevicePart, Protocol):
    """Everything that a part may use of its meter. A part that needs more of one kind of meter says so in a protocol of its own."""

    def update(self) -> None:
        """Bring everything that is counted up to now."""
        ...

    def tell(self, code: int) -> None:
        """One event: log, alert, notice and alarm as they were configured."""
        ...
