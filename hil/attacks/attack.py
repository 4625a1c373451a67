"""An attack as a value, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.attacks.arena import Arena


class Outcome(StrEnum):
    """What the target does with a hostile message."""

    REFUSED = "refused"
    """It says why, in its trace: the record of the security log of whoever watches the bench."""
    ANSWERED = "answered with a status"
    """It answers with the status that the specification asks for; nothing was done."""
    SILENCE = "silence"
    """It drops the message; at most a counter of its radio tells."""
    LINK_ENDED = "link ended"
    """The link it came by is ended and made anew."""
    NOT_TAKEN = "not taken"
    """The sender is told by its own layer that nobody took it."""
    REPEATED = "taken for a repeat"
    """Acknowledged again, and not handed on."""


@dataclass(frozen=True, slots=True)
class Attack:
    """``name`` is its own among all; ``how`` says what is sent; ``expects`` are the outcomes it may have, ``act`` sends it.

    ``act`` returns how many messages it sent, and may tell the arena of statuses that the attacker itself was given.
    """

    name: str
    layer: str
    target: str
    how: str
    expects: frozenset[Outcome]
    act: Callable[[Arena], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class AttackResult:
    """``outcomes``: what the target did; ``evidence``: its own words, each once; ``wrong``: what did not hold, in sentences."""

    name: str
    layer: str
    target: str
    how: str
    sent: int
    outcomes: tuple[str, ...]
    evidence: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Nothing was executed, lost or ended by it, and the outcome is one that was expected."""
        return not self.wrong


def expects(*outcomes: Outcome) -> frozenset[Outcome]:
    return frozenset(outcomes)


def named(attacks: Iterable[Attack], names: tuple[str, ...]) -> tuple[Attack, ...]:
    """Those whose name is, or begins with, one of ``names``; all where none is given."""
    found = tuple(attacks)
    return tuple(one for one in found if any(one.name == name or one.name.startswith(f"{name}/") for name in names)) if names else found
