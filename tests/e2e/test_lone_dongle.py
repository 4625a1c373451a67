"""A hub on a dongle of another process that is not the one which its board describes."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError
from firmware_emu.trace import Trace
from hil.bench.station import open_station
from tests.inventory.mocked_bus import chub_ncp


def test_a_dongle_with_another_address_than_the_gas_proxys_is_refused_before_the_start(tmp_path: Path) -> None:
    with chub_ncp("--tcp", "127.0.0.1:0") as (port, _):
        board = load_board("dongle_efr32", (f"radio.path={port}",))
        clock = Clock()

        async def main() -> None:
            async with open_station(board, clock, Trace(clock.now), tmp_path):
                raise AssertionError("it must not come up")

        with pytest.raises(BoardError, match='write gpf = "00db1234567890a0"'):
            clock.run(main())
