"""Registration data incidents: their own policy beside the incident log (sec2-rules RG-06 [87]).

Kinds: not received, malformed, rejected, erroneous. Before one is raised its steps are taken and recorded; the same kind from the
same provider again and again is closed only with what prevents it next time.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore
from hil.dcc.registration.files import Fuel
from hil.dcc.registration.settings import FeedSettings


class RegistrationIncidentError(CommsHubError):
    """An incident that cannot be raised or resolved yet: says what is missing."""


class FeedIncidentKind(StrEnum):
    """Trouble with a file [87 b1]."""

    NOT_RECEIVED = "not received"
    MALFORMED = "malformed"
    REJECTED = "rejected"
    ERRONEOUS = "erroneous"


@dataclass(frozen=True, slots=True)
class Handling:
    """Handling of a kind: the steps before an incident is raised, and what the DCC does with the file (``handling.toml``)."""

    steps: tuple[str, ...]
    action: str
    source: str


@cache
def handling() -> Mapping[FeedIncidentKind, Handling]:
    """The error handling of registration files, by kind [87, 389]."""
    content = tomllib.loads(resources.files("hil.dcc.registration").joinpath("handling.toml").read_text(encoding="utf-8"))
    return {FeedIncidentKind(name): Handling(tuple(row["steps"]), row["action"], row["source"]) for name, row in content.items()}


@dataclass(frozen=True, slots=True)
class RegistrationIncident:
    """One incident. ``prevention_due``: the same came before as often as the settings say, so it needs a prevention to be resolved."""

    number: int
    time: float
    provider: Eui64
    fuel: Fuel
    kind: FeedIncidentKind
    what: str
    steps: tuple[str, ...]
    state: str
    resolution: str | None
    prevention: str | None
    prevention_due: bool


class RegistrationIncidents:
    """The register of them, in the DCC's store."""

    def __init__(self, store: DccStore, now: Callable[[], float], settings: FeedSettings) -> None:
        self._store = store
        self._now = now
        self._settings = settings

    def open(self, provider: Eui64, fuel: Fuel, kind: FeedIncidentKind, what: str, steps: tuple[str, ...]) -> RegistrationIncident:
        """Raise one, after its steps. Raises RegistrationIncidentError where a step is missing [87 b3]."""
        missing = [step for step in handling()[kind].steps if step not in steps]
        if missing:
            raise RegistrationIncidentError(f"an incident '{kind}' is raised after its steps [87]; still to do: {'; '.join(missing)}")
        number = self._store.insert(
            "rdp_incidents",
            time=self._now(),
            provider=str(provider),
            fuel=fuel.value,
            kind=kind.value,
            what=what,
            steps=json.dumps(steps),
            state="open",
        )
        return self.incident(number)

    def incident(self, number: int) -> RegistrationIncident:
        """One of them. Raises RegistrationIncidentError."""
        found = next((one for one in self.incidents() if one.number == number), None)
        if found is None:
            raise RegistrationIncidentError(f"there is no registration incident {number}: ask for the list")
        return found

    def incidents(self, *, open_only: bool = False) -> tuple[RegistrationIncident, ...]:
        """All of them, oldest first."""
        rows = self._store.rows("SELECT * FROM rdp_incidents ORDER BY number")
        seen: dict[tuple[str, str, str], int] = {}
        found = []
        for row in rows:
            alike = (row["provider"], row["fuel"], row["kind"])
            seen[alike] = seen.get(alike, 0) + 1
            found.append(
                RegistrationIncident(
                    row["number"],
                    row["time"],
                    Eui64.parse(row["provider"]),
                    Fuel(row["fuel"]),
                    FeedIncidentKind(row["kind"]),
                    row["what"],
                    tuple(json.loads(row["steps"])),
                    row["state"],
                    row["resolution"],
                    row["prevention"],
                    seen[alike] >= self._settings.recurrence,
                )
            )
        return tuple(one for one in found if one.state == "open" or not open_only)

    def resolve(self, number: int, resolution: str, prevention: str | None = None) -> RegistrationIncident:
        """Resolve one [87 b2]; a repeated one needs what prevents it next time [87 b4]. Raises RegistrationIncidentError."""
        with self._store.transaction():
            incident = self.incident(number)
            if incident.state != "open":
                raise RegistrationIncidentError(f"registration incident {number} is {incident.state} already")
            if incident.prevention_due and not prevention:
                raise RegistrationIncidentError(
                    f"'{incident.kind}' came from {incident.provider} {self._settings.recurrence} times or more: say what prevents it [87]"
                )
            self._store.execute(
                "UPDATE rdp_incidents SET state = 'resolved', resolution = ?, prevention = ?, resolved = ? WHERE number = ?",
                (resolution, prevention, self._now(), number),
            )
        return self.incident(number)
