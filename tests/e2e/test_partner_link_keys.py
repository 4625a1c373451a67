"""Type 2 Devices read the electricity meter itself, under the link key that the hub's trust centre gave both of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.trace import Trace
from hil.bench.station import open_station
from hil.devices.ihd import Ihd
from tests.e2e.home_of_six import HomeOfSix, board_of_six


@pytest.fixture(params=["ezsp", "znp"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Board:
    board_of_six(tmp_path)
    return load_board(str(tmp_path / "six.toml"), (f"radio.kind={request.param}",))


@pytest.fixture
def clock(board: Board, follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=board.clock.start, warp=True))


@pytest.mark.requirement("CH-33")
async def test_a_display_reads_the_meter_once_it_is_joined_to_it_and_not_before(board: Board, clock: Clock, tmp_path: Path) -> None:
    async with open_station(board, clock, Trace(clock.now), tmp_path) as station:
        home = HomeOfSix(station)
        await home.bring_up()
        await home.join()
        displays, esme = [station.devices[name] for name in ("ihd", "cad")], home.eui("esme")
        for device in displays:
            assert isinstance(device, Ihd)
            with pytest.raises(RadioError):
                await device.reader.metering(esme)
        await home.commission()
        await clock.sleep(120)
        for device in displays:
            assert isinstance(device, Ihd)
            assert (await device.reader.metering(esme)).unit == 0
