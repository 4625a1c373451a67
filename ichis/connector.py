"""The 20 pins: name, direction as seen from host and hub, polarity, pull-up, and what an open or shorted contact reads as."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import Enum
from importlib import resources

from firmware_emu.errors import JigError, one_of


class Direction(Enum):
    """Driver of a pin, as one end sees it."""

    POWER = "power"
    INPUT = "input"
    OUTPUT = "output"
    NOT_CONNECTED = "not connected"


class Level(Enum):
    """A logic level on a contact."""

    LOW = "low"
    HIGH = "high"
    FLOATING = "floating"


_OTHER_END = {
    Direction.POWER: Direction.POWER,
    Direction.INPUT: Direction.OUTPUT,
    Direction.OUTPUT: Direction.INPUT,
    Direction.NOT_CONNECTED: Direction.NOT_CONNECTED,
}


@dataclass(frozen=True, slots=True)
class Pin:
    """One contact. ``host`` is the direction at the meter or hot shoe; ``active`` is None for power, data and reserved pins."""

    number: int
    name: str
    symbol: str
    host: Direction
    active: Level | None
    pull_up: bool
    meaning: str

    @property
    def hub(self) -> Direction:
        """The direction at the hub: the mirror of the host's (inferred, reference ichis 1)."""
        return _OTHER_END[self.host]

    @property
    def reads_open(self) -> Level:
        """Level that the listening end reads when the contact is broken."""
        return Level.HIGH if self.pull_up else Level.FLOATING

    @property
    def open_means_active(self) -> bool:
        """True if a broken contact looks like the active state: so AC Lost, which is fail-safe for outages."""
        return self.active is not None and self.reads_open is self.active

    def level(self, active: bool) -> Level:
        """The level that says ``active``. Raises JigError for a pin that has no such meaning."""
        if self.active is None:
            raise JigError(f"pin {self.number} ({self.symbol}) has no active level: it is {self.host.value}, {self.meaning}")
        return self.active if active else (Level.HIGH if self.active is Level.LOW else Level.LOW)


def _load() -> tuple[Pin, ...]:
    table = tomllib.loads(resources.files("ichis").joinpath("connector.toml").read_text(encoding="utf-8"))
    return tuple(
        Pin(
            row["number"],
            row["name"],
            row["symbol"],
            Direction(row["direction"]),
            None if row["active"] == "none" else Level(row["active"]),
            row["pull_up"],
            row["meaning"],
        )
        for row in table["pin"]
    )


PINS = _load()

SIGNALS = {pin.symbol: pin for pin in PINS if pin.active is not None}
"""The presence and AC Lost lines by the symbol of the meter's side."""


def signal(symbol: str) -> Pin:
    """The line of that symbol. Raises JigError naming the ones there are."""
    try:
        return SIGNALS[symbol]
    except KeyError:
        raise JigError(f"{symbol!r} is not a line of the connector: expected {one_of(symbol, SIGNALS)}") from None
