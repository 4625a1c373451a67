"""Readings of the contacts, the same from either end of the connector: volts, ripple, ohms by pin number."""

from __future__ import annotations

from typing import Protocol

from firmware_emu.errors import BoardError
from ichis.conformance.check import Value
from ichis.jig import Probes
from ichis.measuring.reading import Reading, highest, lowest


class _Probing(Protocol):
    @property
    def probes(self) -> Probes: ...


class Probed(Protocol):
    """A bench with a multimeter on the connector."""

    @property
    def jig(self) -> _Probing: ...


async def volts(bench: Probed, of: Value | None) -> Reading:
    """Volts of a contact to Common."""
    return await bench.jig.probes.volts(pin(of))


async def highest_volts(bench: Probed, of: Value | None) -> Reading:
    """Highest volts of some contacts."""
    return highest([await bench.jig.probes.volts(pin(one)) for one in listed(of)])


async def ripple(bench: Probed, of: Value | None) -> Reading:
    """Volts peak to peak on a contact."""
    return await bench.jig.probes.ripple(pin(of))


async def ohms(bench: Probed, of: Value | None) -> Reading:
    """Highest resistance of the pairs."""
    return highest([await bench.jig.probes.ohms(*_pair(pair)) for pair in listed(of)])


async def lowest_ohms(bench: Probed, of: Value | None) -> Reading:
    """Lowest resistance from any pin of ``from`` to any pin of ``to``."""
    if not isinstance(of, dict):
        raise BoardError("conformance checks", str(of), "expected a table with from and to")
    pairs = {tuple(sorted((pin(one), pin(other)))) for one in listed(of["from"]) for other in listed(of["to"]) if one != other}
    return lowest([await bench.jig.probes.ohms(one, other) for one, other in sorted(pairs)])


def listed(of: Value | None) -> list[Value]:
    """A value as a list."""
    return of if isinstance(of, list) else [] if of is None else [of]


def pin(of: Value | None) -> int:
    """The number of a pin. Raises BoardError."""
    if isinstance(of, bool) or not isinstance(of, int):
        raise BoardError("conformance checks", str(of), "expected the number of a pin")
    return of


def _pair(of: Value) -> tuple[int, int]:
    one, other = listed(of)
    return pin(one), pin(other)
