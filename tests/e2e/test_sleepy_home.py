"""A home in which every Device's radio sleeps between polls of the hub: they join, and every Command is executed once."""

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
from hil.radio.nodes.node import StackNode
from tests.e2e.home_of_six import ANSWER_S, HomeOfSix, board_of_six

ASKED = (("esme", "4.1.1"), ("gsme", "4.1.1"), ("hcalcs", "11.2"), ("esme", "11.2"))


@pytest.fixture(params=["ezsp", "znp"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Board:
    board_of_six(tmp_path)
    file = tmp_path / "six.toml"
    file.write_text(file.read_text().replace("[[device]]", "[[device]]\nsleepy = true"))
    return load_board(str(file), (f"radio.kind={request.param}",))


@pytest.fixture
def clock(board: Board, follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=board.clock.start, warp=True))


async def test_devices_whose_radios_all_sleep_join_and_execute_every_command_once(board: Board, clock: Clock, tmp_path: Path) -> None:
    records: list[Record] = []
    trace = Trace(clock.now)
    trace.subscribe(records.append)
    outcomes: list[Outcome] = []
    async with open_station(board, clock, trace, tmp_path) as station:
        home = HomeOfSix(station)
        await home.bring_up()
        await home.join()
        await home.commission()
        nodes = [device.node for device in station.devices.values()]
        assert [node.sleepy for node in nodes if isinstance(node, StackNode)] == [True] * len(nodes)
        await clock.sleep(600)  # until each has gone to sleep
        for name, variant in ASKED:
            target = home.eui(name)
            outcomes.append(await station.ask(home.user_for(target), variant, target, wait_s=ANSWER_S))
    assert {one.why for one in outcomes if not one.ok} == set()
    sent = {str(Message.decode(one.octets).header.identifier) for made in outcomes for one in made.messages if one.name == "command"}
    executed = Counter(one.message for one in records if (one.area, one.event) == ("device", "executed"))
    assert {executed[one] for one in sent} == {1}
