"""The hub's side of the connector: its inputs and its outputs. Whoever runs the hub listens."""

from __future__ import annotations

from collections.abc import Callable

from ichis.connector import Level, Pin, signal
from ichis.jig import DataLink

Hears = Callable[[bool], None]


class HubSide:
    """The hub's end of the connector."""

    def __init__(self, data: DataLink | None = None) -> None:
        self.powered = False
        self.ac_lost = False
        self.host_present = False
        self.data = data
        self.space = False
        """The transmit contact (pin 8) is held at logic 0."""
        self._power: list[Hears] = []
        self._ac_lost: list[Hears] = []
        self._host_present: list[Hears] = []
        self._device_present = False
        self._on_drive: Callable[[Pin, Level], None] | None = None

    def connect(self, on_drive: Callable[[Pin, Level], None]) -> None:
        """The jig tells where levels that the hub drives go."""
        self._on_drive = on_drive

    def listen(
        self, *, power: Hears | None = None, ac_lost: Hears | None = None, host_present: Hears | None = None, first: bool = False
    ) -> None:
        """Tell these from now on what changes, in the order in which they came; ``first``: before those that listen already.

        ``power(True)``: there is enough supply to run; False: the hub has stopped.
        """
        for one, heard in ((power, self._power), (ac_lost, self._ac_lost), (host_present, self._host_present)):
            if one is not None:
                heard.insert(0 if first else len(heard), one)

    def drive_device_present(self, active: bool) -> None:
        """Pin 5, which the hub pulls low when it is there."""
        self._device_present = active
        if self._on_drive is not None:
            pin = signal("CH_PR")
            self._on_drive(pin, pin.level(active))

    def hold_space(self, on: bool) -> None:
        """Hold the hub's transmit contact (pin 8) at logic 0, or let it idle."""
        self.space = on

    def see(self, pin: Pin, level: Level) -> None:
        """A line that the hub listens to changed its level."""
        active = level is pin.active
        if pin.symbol == "AC LO" and active is not self.ac_lost:
            self.ac_lost = active
            _tell(self._ac_lost, active)
        elif pin.symbol == "MT_PR" and active is not self.host_present:
            self.host_present = active
            _tell(self._host_present, active)

    def feed(self, powered: bool) -> None:
        """The supply rose above the recovery threshold, or fell below the brown-out threshold."""
        if powered is not self.powered:
            self.powered = powered
            _tell(self._power, powered)


def _tell(heard: list[Hears], value: bool) -> None:
    for one in tuple(heard):
        one(value)
