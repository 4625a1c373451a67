"""The hub's side of the connector: its inputs and its outputs. Whoever runs the hub sets the callbacks."""

from __future__ import annotations

from collections.abc import Callable

from ichis.connector import Level, Pin, signal
from ichis.jig import DataLink


def _ignore(_: bool) -> None:
    """Nobody listens."""


class HubSide:
    """The hub's end of the connector. ``on_power(True)`` means: there is enough supply to run; False: the hub has stopped."""

    def __init__(self, data: DataLink | None = None) -> None:
        self.powered = False
        self.ac_lost = False
        self.host_present = False
        self.data = data
        self.on_power: Callable[[bool], None] = _ignore
        self.on_ac_lost: Callable[[bool], None] = _ignore
        self.on_host_present: Callable[[bool], None] = _ignore
        self.on_space: Callable[[bool], None] = _ignore
        self._device_present = False
        self._on_drive: Callable[[Pin, Level], None] | None = None

    def connect(self, on_drive: Callable[[Pin, Level], None]) -> None:
        """The jig tells where levels that the hub drives go."""
        self._on_drive = on_drive

    def drive_device_present(self, active: bool) -> None:
        """Pin 5, which the hub pulls low when it is there."""
        self._device_present = active
        if self._on_drive is not None:
            pin = signal("CH_PR")
            self._on_drive(pin, pin.level(active))

    def hold_space(self, on: bool) -> None:
        """Hold the hub's transmit contact (pin 8) at logic 0, or let it idle."""
        self.on_space(on)

    def see(self, pin: Pin, level: Level) -> None:
        """A line that the hub listens to changed its level."""
        active = level is pin.active
        if pin.symbol == "AC LO" and active is not self.ac_lost:
            self.ac_lost = active
            self.on_ac_lost(active)
        elif pin.symbol == "MT_PR" and active is not self.host_present:
            self.host_present = active
            self.on_host_present(active)

    def feed(self, powered: bool) -> None:
        """The supply rose above the recovery threshold, or fell below the brown-out threshold."""
        if powered is not self.powered:
            self.powered = powered
            self.on_power(powered)
