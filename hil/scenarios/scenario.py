"""A scenario: a name, its point, the homes it needs, and the steps that show it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from firmware_emu.errors import CommsHubError, one_of
from firmware_emu.trace import Record
from hil.journeys.steps import Steps
from hil.scenarios.estate import Estate, Plan


@dataclass(frozen=True, slots=True)
class Stage:
    """An open estate whose homes have power, the steps to report, and the growing trace."""

    estate: Estate
    steps: Steps
    records: Sequence[Record]

    def noted(self, area: str, event: str, since: int = 0) -> list[Record]:
        """Trace records from number ``since`` on."""
        return [record for record in self.records[since:] if record.area == area and record.event == event]


Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """``play`` runs on an estate as ``plan`` says. Raises StepFailed where a step does not show what it must."""

    name: str
    title: str
    plan: Plan
    play: Play


class UnknownScenario(CommsHubError):
    """No scenario has this name."""

    def __init__(self, name: str, known: Mapping[str, Scenario]) -> None:
        super().__init__(f"no scenario {name!r}: expected {one_of(name, known)}")
