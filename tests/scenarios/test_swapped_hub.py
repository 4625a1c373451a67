"""Trouble between a Device's way to the hub that took over and its own key with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import aes_mmo
from firmware_emu.trace import Record, Trace
from hil.scenarios.estate import Plan, open_estate

HOUR_S = 3600.0


@pytest.fixture
def board() -> Board:
    return load_board("simulated")


@pytest.fixture
def clock(board: Board, follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=board.clock.start, warp=True))


async def test_a_meter_that_loses_its_mains_before_it_has_a_key_with_the_new_hub_gets_one_when_it_is_back(
    board: Board, clock: Clock, tmp_path: Path
) -> None:
    trace = Trace(clock.now)

    async with open_estate(board, Plan(1, spare_hub=True), clock, trace, tmp_path) as estate:
        await estate.install()
        home = estate.dwellings[0]
        meter, old = home.devices["ESME"], home.board.hub
        home.supply(False)
        await estate.replace_hub(home)
        new = home.board.hub
        cuts: list[Record] = []

        def cut_at_once(record: Record) -> None:
            if record.event == "rejoined" and record.source == meter.name and not cuts:
                cuts.append(record)
                meter.power(False)

        trace.subscribe(cut_at_once)
        outcome = await estate.ask(home, "8.12.1", new.chf, {"OldCHFID": old.chf})
        assert outcome.ok, outcome.why
        await estate.until("the cut", lambda: bool(cuts), 2 * HOUR_S, 5)
        await clock.sleep(2 * HOUR_S)
        assert home.hub is not None
        (entry,) = home.hub.status.device_log
        copy = estate.dcc.device_log_copy.copy(old.chf)
        assert copy is not None
        assert entry.key_hash == copy.entries[meter.eui64], "still the one that was restored"
        assert meter.coordinator == new.gpf
        assert meter.key_borrowed
        meter.power(True)
        await estate.until("a key of its own", lambda: not meter.key_borrowed, HOUR_S)
        await clock.sleep(60)
        (entry,) = home.hub.status.device_log
        assert entry.key_hash not in (copy.entries[meter.eui64], aes_mmo(copy.entries[meter.eui64]))
        assert (await estate.ask(home, "7.2", meter.eui64)).ok
