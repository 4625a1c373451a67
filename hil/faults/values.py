"""Faults of frames as values that compose: each takes octets and gives what arrives of them, and how much later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

Arrival = tuple[float, bytes]
"""Seconds after the frame would have arrived, and its octets."""


class FrameFault(Protocol):
    """A fault of a frame. ``share`` (0..1) is the share of frames that it applies to; the caller draws."""

    @property
    def share(self) -> float: ...

    @property
    def verb(self) -> str:
        """Verb of the trace for the change to the frame."""
        ...

    def apply(self, octets: bytes, draw: Random) -> tuple[Arrival, ...]:
        """Arrivals of one frame that the fault applies to."""
        ...


@dataclass(frozen=True, slots=True)
class Drop:
    """The frame is lost."""

    share: float = 1.0
    verb: str = "dropped"

    def apply(self, octets: bytes, draw: Random) -> tuple[Arrival, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Delay:
    """The frame arrives ``seconds`` later."""

    seconds: float
    share: float = 1.0
    verb: str = "delayed"

    def apply(self, octets: bytes, draw: Random) -> tuple[Arrival, ...]:
        return ((self.seconds, octets),)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The frame arrives twice."""

    share: float = 1.0
    verb: str = "duplicated"

    def apply(self, octets: bytes, draw: Random) -> tuple[Arrival, ...]:
        return ((0.0, octets), (0.0, octets))


@dataclass(frozen=True, slots=True)
class Corrupt:
    """``bits`` bits of the frame are flipped, each another one."""

    bits: int = 1
    share: float = 1.0
    verb: str = "corrupted"

    def apply(self, octets: bytes, draw: Random) -> tuple[Arrival, ...]:
        damaged = bytearray(octets)
        for bit in draw.sample(range(8 * len(octets)), min(self.bits, 8 * len(octets))):
            damaged[bit // 8] ^= 1 << bit % 8
        return ((0.0, bytes(damaged)),)


@dataclass(frozen=True, slots=True)
class Reorder:
    """The frame is held for a time drawn from 0 to ``seconds``, so that later ones may overtake it."""

    seconds: float
    share: float = 1.0
    verb: str = "held back"

    def apply(self, octets: bytes, draw: Random) -> tuple[Arrival, ...]:
        return ((draw.uniform(0, self.seconds), octets),)


def in_turn(faults: Sequence[FrameFault], octets: bytes, draw: Random) -> tuple[Arrival, ...]:
    """Arrivals after each of ``faults`` in turn, each on the result of the one before it."""
    arrivals: tuple[Arrival, ...] = ((0.0, octets),)
    for fault in faults:
        arrivals = tuple((late + more, octets) for late, before in arrivals for more, octets in fault.apply(before, draw))
    return arrivals


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a fault works, in seconds from when it was added: from ``begin_s`` on, for ``last_s`` (None: until it is cleared),
    and again every ``every_s``. ``nth`` (from 1): on that one frame or write only."""

    begin_s: float = 0.0
    last_s: float | None = None
    every_s: float | None = None
    nth: int | None = None

    def works(self, elapsed_s: float) -> bool:
        """True while it works, that long after it was added."""
        since = elapsed_s - self.begin_s
        if since < 0:
            return False
        if self.every_s is not None:
            since %= self.every_s
        return self.last_s is None or since < self.last_s


@dataclass(frozen=True, slots=True)
class TornWrite:
    """The hub dies at the ``nth`` commit to its NVM; ``kept`` (0..1) of its octets got on the medium, None: it had not begun."""

    nth: int
    kept: float | None = 0.5


@dataclass(frozen=True, slots=True)
class BrownOut:
    """The supply gives each of ``(volts, seconds)`` in turn, then what it gave before; 0 V is switched off."""

    profile: tuple[tuple[float, float], ...]
