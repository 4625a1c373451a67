"""Phases of the homes of a fleet, each played in all homes of a partition before the next begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.firmware import OtaImage
from firmware_emu.errors import CommsHubError, one_of
from hil.dcc.base.services import UserRole
from hil.dcc.duis.document import Content
from hil.dcc.own_services.firmware import VERIFIED
from hil.devices.esme.esme import Esme
from hil.fleet.remote import FarEstate
from hil.journeys.steps import expect
from hil.scenarios.district import NEW_VERSION, image_for, version_of
from hil.scenarios.estate import Dwelling, Estate
from hil.scenarios.household import TAMPER, credentials_of
from hil.scenarios.load import READS

_OUTAGE_S = 240.0
"""Longer than the three minutes after which the DCC tells an outage (AD1) and hub and meter tell theirs (8F36)."""
_RESTORED_S = 600.0
_READS_A_HOME = 10
_IMAGE_S = 2 * 86400.0
"""Within which a meter must have its image: half of the DCC's own five days would be no campaign any more. Own figure."""

E_contra = TypeVar("E_contra", contravariant=True)
"""The estate that a home is of, with a DCC of its own or before one elsewhere."""


@dataclass(frozen=True, slots=True)
class Phase(Generic[E_contra]):
    """One phase of a home. ``play`` raises CommsHubError where the home does not do what it must; the home is left out from then on."""

    name: str
    play: Callable[[E_contra, Dwelling, Random], Awaitable[None]]


class UnknownFleetScenario(CommsHubError):
    """No scenario of a fleet has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no scenario {name!r} for a fleet: expected {one_of(name, known)}")


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


async def _storm(estate: Estate, home: Dwelling, random: Random) -> None:
    """The meter tells the same over and over: as many reach its supplier as the rule lets through."""
    meter, settings, user = _meter(home), estate.dcc.settings, estate.user(home)
    threshold, one_in, code = int(settings.storm_threshold), int(settings.storm_one_in), f"{TAMPER:04X}"
    told = threshold + random.randint(1, 3) * one_in
    for _ in range(told):
        meter.events.tell(TAMPER)
        await estate.clock.sleep(0.5)

    def states() -> list[str]:
        return [one.state for one in estate.dcc.alerts.records(meter.eui64) if one.code == code]

    await estate.until("the storm's alerts at the DCC", lambda: len(states()) == told, _RESTORED_S)
    passed = threshold + (told - threshold) // one_in
    reached = sum(one.code == code and one.device == meter.eui64 for one in user.inbox)
    expect(reached == passed, f"of {told} alerts {reached} reached the supplier, expected {passed}")


async def _image(estate: Estate, home: Dwelling, random: Random) -> None:
    """11.1 for this home's meter, its receipt of an image that it has verified, then 11.3: it runs."""
    row = home.rows["ESME"]
    estate.dcc.inventory.certify(DeviceType.ESME, row.manufacturer, row.model, f"{NEW_VERSION:08X}")
    image = image_for(estate.keystore, estate.user(home).eui64)
    body: dict[str, Content] = {"FirmwareImage": image, "FirmwareVersion": f"{NEW_VERSION:08X}", "DeviceIDList": row.eui.duis}
    outcome = await estate.ask(home, "11.1", None, body)
    expect(outcome.ok, f"11.1: {outcome.why}")
    request = outcome.request
    await estate.until(
        "the meter's receipt", lambda: any(one.state == VERIFIED for one in estate.dcc.firmware.targets(request)), _IMAGE_S, 60.0
    )
    expect(version_of(home) != NEW_VERSION, "the image runs without 11.3")
    outcome = await estate.ask(home, "11.3", row.eui, {"FirmwareHash": OtaImage.decode(image).hash})
    expect(outcome.ok, f"11.3: {outcome.why}")
    expect(version_of(home) == NEW_VERSION, "the new firmware does not run after 11.3")


async def _changed(estate: Estate, home: Dwelling, random: Random) -> None:
    """Another supplier is registered and asks for the meter (6.23); it can read it, the losing one no longer."""
    row, meter, losing = home.rows["ESME"], _meter(home), estate.user(home)
    gaining = estate.users[random.choice([eui for eui in estate.suppliers if eui != losing.eui64])]
    estate.dcc.register_supply(str(row.mpxn), UserRole.IS, gaining.eui64, estate.clock.now())
    wanted = credentials_of(estate.keystore, gaining.eui64, str(row.mpxn))
    outcome = await estate.dcc.send(gaining, estate.dcc.request(gaining, "6.23", meter.eui64, wanted))
    expect(outcome.ok, f"6.23: {outcome.why}")
    holds = meter.gbcs.credentials.party(RemotePartyRole.SUPPLIER)
    expect(holds == gaining.eui64, f"the meter holds {holds}, expected {gaining.eui64}")
    after = await estate.dcc.send(gaining, estate.dcc.request(gaining, "4.1.1", meter.eui64))
    expect(after.ok, f"4.1.1 of the gaining supplier: {after.why}")
    before = await estate.dcc.send(losing, estate.dcc.request(losing, "4.1.1", meter.eui64))
    expect(not before.ok, "the losing supplier still reads the meter")


def _meter(home: Dwelling) -> Esme:
    meter = home.devices["ESME"]
    assert isinstance(meter, Esme)
    return meter


def _told(estate: Estate, home: Dwelling, code: str) -> int:
    """Events of that code which the DCC has of the hub and the meter of one home."""
    own = (home.board.hub.chf, home.rows["ESME"].eui)
    return len({record.told for eui in own for record in estate.dcc.alerts.records(eui) if record.code == code})


INSTALL, READ = Phase("installed", _install), Phase("read", _read)
SCENARIOS: Mapping[str, tuple[Phase[Estate], ...]] = {
    "install": (INSTALL, READ),
    "load": (INSTALL, Phase(f"{_READS_A_HOME} reads", _reads)),
    "alert-storm": (INSTALL, Phase("a storm of alerts, throttled by the rule", _storm), READ),
    "firmware": (INSTALL, Phase("new firmware verified by the meter and run", _image), READ),
    "supplier": (INSTALL, Phase("meter with another supplier", _changed)),
    "power-cut": (INSTALL, Phase("mains away, told by the DCC", _outage), Phase("mains back, told by both", _restored), READ),
}
"""By the name that ``chub fleet run`` takes."""


async def _far_install(estate: FarEstate, home: Dwelling, random: Random) -> None:
    await estate.install_home(home)


async def _far_reads(estate: FarEstate, home: Dwelling, random: Random) -> None:
    for _ in range(estate.far.reads):
        outcome = await estate.ask(home, "4.1.1", home.rows["ESME"].eui)
        expect(outcome.ok, outcome.why)


async def _connected(estate: FarEstate, home: Dwelling, random: Random) -> None:
    await estate.connected(home)


FAR_SCENARIOS: Mapping[str, tuple[Phase[FarEstate], ...]] = {
    "connect": (Phase("connected", _connected),),
    "install": (Phase("installed", _far_install), Phase("read", _far_reads)),
}
"""Those that a fleet plays before a DCC elsewhere (``--dcc``)."""


def far_phases_of(scenario: str) -> tuple[Phase[FarEstate], ...]:
    """The phases of a scenario before a DCC elsewhere. Raises UnknownFleetScenario."""
    if scenario not in FAR_SCENARIOS:
        raise UnknownFleetScenario(scenario, FAR_SCENARIOS)
    return FAR_SCENARIOS[scenario]


def phases_of(scenario: str) -> tuple[Phase[Estate], ...]:
    """The phases of a scenario. Raises UnknownFleetScenario."""
    if scenario not in SCENARIOS:
        raise UnknownFleetScenario(scenario, SCENARIOS)
    return SCENARIOS[scenario]
