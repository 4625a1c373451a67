"""A gas meter in the cellar, out of reach at 2.4 GHz: it stands on the band below 1 GHz of a dual-band hub, and moves with it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, CommsHubError
from firmware_emu.trace import Record, Trace
from hil.bench.station import Station, open_station
from hil.devices.gsme.gsme import Gsme
from hil.journeys.strategy import State, Strategy
from hil.radio.air.phy import SUB_GHZ, page_of, sub_ghz
from hil.radio.dongles import device_radio
from hil.radio.nodes.node import StackNode

HOUR_S = 3600.0
CELLAR_DBM = -102
NOISY_DBM = -92
"""Just noisier than the floor by the threshold of the hub's configuration; the meter is still heard over it."""
FIRST, SECOND = sub_ghz(28, 0), sub_ghz(28, 1)


def cellar(folder: Path, band: str, *settings: str, others: frozenset[str] = frozenset()) -> Board:
    """The hub in the hall with ``others``, the gas meter in the cellar; at 2.4 GHz next to nothing is heard between them."""
    path = folder / "cellar.toml"
    path.write_text(
        f'name = "cellar"\nextends = "simulated"\n[rooms.hall]\ncellar = {CELLAR_DBM}\n[hub]\nroom = "hall"\n', encoding="utf-8"
    )
    board = load_board(str(path), settings)
    (row,) = (row for row in board.device if row.type == "GSME")
    beside = tuple(one for one in board.device if one.type in others)
    return board.model_copy(update={"device": (*beside, row.model_copy(update={"room": "cellar", "band": band}))})


class Cellar:
    def __init__(self, station: Station, records: list[Record]) -> None:
        self.station, self.records = station, records
        self.strategy = Strategy(station, lambda row: row.eui)

    @property
    def meter(self) -> Gsme:
        return self.station.one(Gsme)

    @property
    def channel(self) -> int:
        assert isinstance(self.meter.node, StackNode)
        return self.meter.node.stack.tokens.channel

    async def ask(self, variant: str) -> None:
        station, hub = self.station, self.station.board.hub
        target = hub.gpf if variant.startswith("4") else hub.chf
        outcome = await station.ask(station.gas_supplier, variant, target, {}, wait_s=2 * HOUR_S)
        assert outcome.ok, outcome.why

    def codes(self) -> list[str]:
        return [one.code for one in self.station.dcc.alerts.records() if one.code.startswith("8F2")]

    def seen(self, event: str) -> list[Record]:
        return [one for one in self.records if one.event == event]


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=load_board("simulated").clock.start, warp=True))


@pytest.fixture
async def home(clock: Clock, tmp_path: Path) -> AsyncIterator[Cellar]:
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)
    async with open_station(cellar(tmp_path, "sub-GHz"), clock, trace, tmp_path) as station:
        home = Cellar(station, records)
        await home.strategy.reach(State.PAIRED)
        yield home


async def test_a_gas_meter_out_of_reach_at_2_4_ghz_is_in_service_below_1_ghz_and_follows_its_hub_to_a_quieter_channel(home: Cellar) -> None:
    station = home.station
    assert home.channel == FIRST
    await home.ask("4.1.1")
    await station.clock.sleep(HOUR_S)
    station.air.set_energy(FIRST, NOISY_DBM)
    await home.ask("6.29")
    await station.until("the move", lambda: home.channel == SECOND, 3 * HOUR_S, 5)
    await station.until("the alert", lambda: "8F26" in home.codes(), HOUR_S, 5)
    assert home.codes() == ["8F28", "8F26"]
    pushed = len(home.seen("mirrored"))
    await station.clock.sleep(HOUR_S)
    assert len(home.seen("mirrored")) > pushed
    await home.ask("4.1.1")
    assert not home.seen("rejoined"), "it moved with the hub, and had not to look for it"


async def test_a_meter_that_slept_through_a_move_finds_its_hub_on_its_own_band_alone(home: Cellar) -> None:
    station = home.station
    home.meter.power(False)
    station.air.set_energy(FIRST, NOISY_DBM)
    await home.ask("6.29")
    await station.until("the move of the hub", lambda: "8F26" in home.codes(), 3 * HOUR_S, 5)
    home.meter.power(True)
    await station.until("the meter's return", lambda: home.channel == SECOND and home.meter.node.joined, 3 * HOUR_S, 5)
    assert page_of(home.channel)[0] == 28
    await home.ask("4.1.1")


async def test_the_same_meter_at_2_4_ghz_hears_no_hub(clock: Clock, tmp_path: Path) -> None:
    async with open_station(cellar(tmp_path, "2.4 GHz"), clock, Trace(clock.now), tmp_path) as station:
        with pytest.raises(CommsHubError):
            await Strategy(station, lambda row: row.eui).reach(State.JOINED)


@pytest.mark.requirement("CH-24")
@pytest.mark.parametrize("variant", ["2.4 GHz", "2.4 GHz and sub-GHz"])
async def test_a_hub_of_one_band_reaches_meter_and_display_but_not_the_gas_meter_in_the_cellar(
    clock: Clock, tmp_path: Path, variant: str
) -> None:
    board = cellar(tmp_path, "sub-GHz", f"hub.han_variant={variant}", others=frozenset({"ESME", "IHD"}))
    async with open_station(board, clock, Trace(clock.now), tmp_path) as station:
        with contextlib.suppress(CommsHubError):  # the gas meter, which is the last
            await Strategy(station, lambda row: row.eui).reach(State.JOINED)
        joined = {name for name, device in station.devices.items() if device.node.joined}
    assert joined == ({"esme", "ihd"} if variant == "2.4 GHz" else {"esme", "ihd", "gsme"})


async def test_a_hub_whose_dongle_has_one_band_says_so_and_lets_nobody_in_below_1_ghz(clock: Clock, tmp_path: Path) -> None:
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)
    async with open_station(cellar(tmp_path, "sub-GHz", "radio.kind=znp"), clock, trace, tmp_path) as station:
        with pytest.raises(CommsHubError):
            await Strategy(station, lambda row: row.eui).reach(State.JOINED)
    assert [one for one in records if one.event == "no sub-GHz"]


async def test_a_device_behind_a_dongle_cannot_be_put_below_1_ghz(clock: Clock, tmp_path: Path) -> None:
    board = cellar(tmp_path, "sub-GHz")
    row = board.device[0].model_copy(update={"node": "virtual-dongle"})
    async with open_station(board, clock, Trace(clock.now), tmp_path) as station:
        with pytest.raises(BoardError, match=r"2\.4 GHz"):
            await device_radio(row, station.air, clock, tmp_path)
    assert FIRST & SUB_GHZ
