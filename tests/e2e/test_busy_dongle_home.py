"""A home whose hub's dongle refuses a fifth of what needs room in it: its Devices join, and every Command is executed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.gbcs.envelope import Message
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.dcc.base.results import Outcome
from hil.radio.port.faults import NcpFaults
from tests.e2e.home_of_six import ANSWER_S, HomeOfSix, board_of_six

ASKED = (("esme", "4.1.1"), ("esme", "7.4"), ("gsme", "4.1.1"), ("ppmid", "11.2"), ("esme", "11.2"), ("hcalcs", "11.2"))


@pytest.fixture(params=["ezsp", "znp"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Board:
    board_of_six(tmp_path)
    return load_board(str(tmp_path / "six.toml"), (f"radio.kind={request.param}",))


@pytest.fixture
def clock(board: Board, follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=board.clock.start, warp=True))


@pytest.mark.requirement("CH-33")
async def test_a_home_on_a_busy_dongle_comes_up_and_executes_every_command_once(board: Board, clock: Clock, tmp_path: Path) -> None:
    records: list[Record] = []
    trace = Trace(clock.now)
    trace.subscribe(records.append)
    outcomes: list[Outcome] = []
    async with open_station(board, clock, trace, tmp_path) as station:
        home = HomeOfSix(station)
        await home.bring_up()
        assert station.ncp is not None
        station.ncp.faults = NcpFaults(busy=0.2, seed=5)
        await home.join()
        await home.commission()
        for name, variant in ASKED:
            target = home.eui(name)
            outcomes.append(await station.ask(home.user_for(target), variant, target, wait_s=ANSWER_S))
        refusals = station.ncp.ncp.crowd.refusals
    assert {one.why for one in outcomes if not one.ok} == set()
    sent = {str(Message.decode(one.octets).header.identifier) for made in outcomes for one in made.messages if one.name == "command"}
    executed = Counter(one.message for one in records if (one.area, one.event) == ("device", "executed"))
    assert {executed[one] for one in sent} == {1}
    assert sum(refusals.values()) > 20
    assert len(refusals) > 2
