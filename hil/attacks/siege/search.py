"""Changes drawn from a seed or read from octets, the judgement of a layer, and the shrinking of what broke an invariant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Protocol

from firmware_emu.errors import fault_named

MOST_CHANGES: Final = 4
OCTETS_A_CHANGE: Final = 5
GUIDED: Final = "x"
"""A seed that begins so is the octets of its changes, in hex, as the coverage-guided search found them."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: its kind, a place from 0 to 1, and a number of 16 bits."""

    kind: str
    place: float
    number: int


@dataclass(frozen=True, slots=True)
class Find:
    """A broken invariant, with the fewest changes that break it."""

    layer: str
    seed: str
    broken: str
    changes: tuple[Mutation, ...]

    @property
    def kind(self) -> tuple[str, str]:
        """Its layer and what broke, without the numbers: the same fault is told once."""
        return self.layer, "".join(one for one in self.broken if not one.isdigit())[:60]

    def as_test(self) -> str:
        """A test of the find, ready for ``tests/attacks``."""
        name = re.sub(r"[^a-z0-9]+", "_", f"{self.layer}_{self.seed}".lower())
        made = ", ".join(map(repr, self.changes))
        return f"def test_siege_{name}(siege: Siege) -> None:\n    assert judged(siege.layer({self.layer!r}), ({made},)) is None\n"


class BesiegedLayer(Protocol):
    """The besieged part."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of changes that can be made to it."""
        ...

    def judge(self, changes: Sequence[Mutation]) -> str | None:
        """The invariant that breaks when ``changes`` are made to the honest thing, None where all hold."""
        ...


def changes_of(octets: bytes, kinds: Sequence[str]) -> tuple[Mutation, ...]:
    """Changes written as octets, five each: kind, place, number. An end that is no whole change says nothing."""
    whole = range(0, min(len(octets) // OCTETS_A_CHANGE, MOST_CHANGES) * OCTETS_A_CHANGE, OCTETS_A_CHANGE)
    return tuple(
        Mutation(
            kinds[octets[at] % len(kinds)],
            int.from_bytes(octets[at + 1 : at + 3], "big") / 0x10000,
            int.from_bytes(octets[at + 3 : at + 5], "big"),
        )
        for at in whole
    )


def octets_of(layer: str, seed: str) -> bytes:
    """The octets that a seed stands for."""
    if seed.startswith(GUIDED):
        return bytes.fromhex(seed.removeprefix(GUIDED))
    random = Random(f"{layer}/{seed}")
    return random.randbytes(OCTETS_A_CHANGE * random.randint(1, MOST_CHANGES))


def judged(layer: BesiegedLayer, changes: Sequence[Mutation]) -> str | None:
    """The layer's judge speaks; an exception that is not declared breaks an invariant too."""
    try:
        return layer.judge(changes)
    except Exception as crash:  # whatever it is, it was not to get out: that is the find
        return f"an exception got out: {fault_named(crash)}"


def tried(name: str, layer: BesiegedLayer, seed: str) -> Find | None:
    """One trial, with all the changes that the seed stands for."""
    changes = changes_of(octets_of(name, seed), layer.kinds)
    broken = judged(layer, changes)
    return None if broken is None else Find(name, seed, broken, changes)


def shrunk(layer: BesiegedLayer, find: Find) -> Find:
    """The find with the fewest changes that still break something."""
    changes, broken = list(find.changes), find.broken
    for change in find.changes:
        fewer = [one for one in changes if one is not change]
        if fewer and (still := judged(layer, fewer)) is not None:
            changes, broken = fewer, still
    return replace(find, broken=broken, changes=tuple(changes))


def trial(name: str, layer: BesiegedLayer, seed: str) -> Find | None:
    """One trial; what breaks is shrunk."""
    find = tried(name, layer, seed)
    return None if find is None else shrunk(layer, find)


def octets_changed(octets: bytes, change: Mutation) -> bytes:
    """One octet set, a bit flipped, some dropped, one put in."""
    at = int(change.place * len(octets))
    match change.kind:
        case "set":
            return octets[:at] + bytes([change.number & 0xFF]) + octets[at + 1 :]
        case "flip":
            return octets[:at] + bytes([octets[at] ^ 1 << (change.number & 7)]) + octets[at + 1 :] if at < len(octets) else octets
        case "drop":
            return octets[:at] + octets[at + 1 + change.number % 4 :]
        case "put":
            return octets[:at] + bytes([change.number & 0xFF]) + octets[at:]
        case _:
            return octets
