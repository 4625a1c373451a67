"""The load switch of an electricity meter and the load limit that opens it (reference smets 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from firmware_emu.gbcs.axdr import Boolean, Number
from hil.devices.metering.tariff import Read

SUPPLY_ARMED = 0x8F32
ABOVE_LIMIT, LIMIT_DISABLED, LIMIT_RESTORED = 0x8F01, 0x8F33, 0x8F34


class LoadSwitch(IntEnum):
    """State of the load switch, as class 70 tells it (reference smets 4)."""

    DISABLED = 0
    ENABLED = 1
    ARMED = 2


@dataclass(frozen=True, slots=True)
class Limit:
    """What ECS28a set: watts, seconds above it, seconds until supply returns, and whether supply is disabled at all."""

    watts: int
    period: int
    restoration: int
    disables: bool

    @classmethod
    def read(cls, read: Read) -> Limit:
        """From the active attributes of the model."""

        def number(attribute: int) -> int:
            value = read(71, "0-0:17.0.0", attribute)
            return int(value) if isinstance(value, Number) else 0

        return cls(number(4), number(6), number(7), read(9000, "0-0:94.44.0.3", 2) == Boolean(True))


@dataclass
class LoadLimiter:
    """Watches import power. ``counter`` counts the times it was above the limit for the whole period; a limit of 0 W watches nothing."""

    tell: Callable[[int], None]
    move: Callable[[LoadSwitch], bool]
    counter: int = 0
    over_since: int | None = None
    tripped: bool = False
    restore_at: int | None = None

    def watch(self, now: int, power: Callable[[], int], switch: LoadSwitch, limit: Limit) -> None:
        """The state of things at ``now``: power in watts from now on, state of the load switch."""
        if self.restore_at is not None and switch is not LoadSwitch.ARMED:
            self.restore_at = None  # somebody else moved the switch meanwhile
        if self.restore_at is not None and now >= self.restore_at:
            self.restore_at = None
            if self.move(LoadSwitch.ENABLED):
                self.tell(LIMIT_RESTORED)
        if not limit.watts or power() <= limit.watts:
            self.over_since, self.tripped = None, False
            return
        if self.over_since is None:
            self.over_since = now
        if self.tripped or now - self.over_since < limit.period:
            return
        self.tripped = True
        self.counter += 1
        self.tell(ABOVE_LIMIT)
        if limit.disables and self.move(LoadSwitch.DISABLED) and self.move(LoadSwitch.ARMED):
            self.restore_at = now + limit.restoration
            self.over_since, self.tripped = None, False
            self.tell(LIMIT_DISABLED)

    def next_moment(self, limit: Limit) -> int | None:
        """When it has to look again, power unchanged."""
        if self.restore_at is not None:
            return self.restore_at
        return self.over_since + limit.period if self.over_since is not None and not self.tripped else None

    def state(self) -> dict[str, object]:
        """For the store."""
        return {"counter": self.counter, "over_since": self.over_since, "tripped": self.tripped, "restore_at": self.restore_at}

    def restore(self, state: Mapping[str, object]) -> None:
        """From the store."""
        self.counter = int(str(state["counter"]))
        self.over_since, self.restore_at = _moment(state["over_since"]), _moment(state["restore_at"])
        self.tripped = bool(state["tripped"])


def _moment(value: object) -> int | None:
    return int(str(value)) if value is not None else None
