"""Phases of the homes of a fleet, each played in all homes of a partition before the next begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random

from firmware_emu.errors import CommsHubError
from hil.journeys.steps import expect
from hil.scenarios.estate import Dwelling, Estate
from hil.scenarios.load import READS

_OUTAGE_S = 240.0
"""Longer than the three minutes after which the DCC tells an outage (AD1) and hub and meter tell theirs (8F36)."""
_RESTORED_S = 600.0
_READS_A_HOME = 10

Play = Callable[[Estate, Dwelling, Random], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a home. ``play`` raises CommsHubError where the home does not do what it must; the home is left out from then on."""

    name: str
    play: Play


class UnknownFleetScenario(CommsHubError):
    """No scenario of a fleet has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no scenario {name!r} for a fleet: expected one of {', '.join(SCENARIOS)}")


async def _install(estate: Estate, home: Dwelling, random: Random) -> None:
    await estate.install_home(home)


async def _read(estate: Estate, home: Dwelling, random: Random) -> None:
    await _ask(estate, home, "4.1.1")


async def _reads(estate: Estate, home: Dwelling, random: Random) -> None:
    for _ in range(_READS_A_HOME):
        await _ask(estate, home, random.choice(READS))


async def _ask(estate: Estate, home: Dwelling, variant: str) -> None:
    outcome = await estate.ask(home, variant, home.rows["ESME"].eui)
    expect(outcome.ok, f"{variant}: {outcome.why}")


async def _outage(estate: Estate, home: Dwelling, random: Random) -> None:
    chf = home.board.hub.chf
    await home.mains_lost()
    await estate.clock.sleep(_OUTAGE_S)
    expect(_told(estate, home, "AD1") == 1, f"the DCC told the outage of {chf} {_told(estate, home, 'AD1')} times, expected once")


async def _restored(estate: Estate, home: Dwelling, random: Random) -> None:
    await home.mains_restored()
    await estate.until("the hub's and the meter's alert 8F36", lambda: _told(estate, home, "8F36") == 2, _RESTORED_S)


def _told(estate: Estate, home: Dwelling, code: str) -> int:
    """Events of that code which the DCC has of the hub and the meter of one home."""
    own = (home.board.hub.chf, home.rows["ESME"].eui)
    return len({record.told for eui in own for record in estate.dcc.alerts.records(eui) if record.code == code})


INSTALL, READ = Phase("installed", _install), Phase("read", _read)
SCENARIOS: Mapping[str, tuple[Phase, ...]] = {
    "install": (INSTALL, READ),
    "load": (INSTALL, Phase(f"{_READS_A_HOME} reads", _reads)),
    "power-cut": (INSTALL, Phase("mains away, told by the DCC", _outage), Phase("mains back, told by both", _restored), READ),
}
"""By the name that ``chub fleet run`` takes."""


def phases_of(scenario: str) -> tuple[Phase, ...]:
    """The phases of a scenario. Raises UnknownFleetScenario."""
    if scenario not in SCENARIOS:
        raise UnknownFleetScenario(scenario)
    return SCENARIOS[scenario]
