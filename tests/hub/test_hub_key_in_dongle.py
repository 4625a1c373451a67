"""The hub on a dongle that establishes keys itself: its own private key is not in this process at all, and a meter gets its key."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import BoardError
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.devices.esme.esme import Esme
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import Steps
from hil.journeys.strategy import State
from hil.radio.air.air import Air
from hil.radio.ncp.ezsp import decode_frame, schemas_by_id
from hil.radio.ncp.handlers import agreement
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.node import StackNode
from hil.radio.personality import of_version, with_key_establishment
from tests.hub.custody_bench import PARTIES, CustodyBench
from tests.hub.hub_bench import CODES, ESME, GPF, add_device, codes


async def test_the_dongle_holds_the_hubs_private_key_and_agrees_the_meters_link_key(
    hub_keystore: Keystore, clock: Clock, tmp_path: Path
) -> None:
    whole = hub_keystore.cbke(GPF)
    keystore = deepcopy(hub_keystore)
    keystore.add_cbke(GPF, replace(whole, private_key=1))
    bench = CustodyBench(keystore, clock)
    async with bench.running(powered=False):
        bench.air = Air(clock, seed=7)
        bench.store = SqliteStore(tmp_path / "nvm")
        dongle = NcpServer(bench.air, GPF, clock=clock, personality=with_key_establishment(of_version(13)))
        agreement.write(dongle.ncp, whole)
        await bench.plug(dongle, tmp_path)
        await bench.power_on()
        await bench.wait_for(lambda: bench.hub.status.network, 60)
        assert codes(await bench.ask(add_device(bench, ESME))) == [0, 0, 0]
        esme = Esme(ESME, CODES[ESME], hub_keystore, StackNode(bench.air, ESME), clock, bench.trace, PARTIES)
        await esme.start()
        await esme.join()
        await bench.wait_for(lambda: bench.hub.status.tunnels == (ESME,))
        assert ESME in dict(dongle.ncp.stack.tokens.link_keys.values())
        await bench.cut()
        await esme.stop()
        await dongle.close()


async def test_a_board_has_the_keys_established_in_its_virtual_dongle(clock: Clock, tmp_path: Path) -> None:
    board = load_board("simulated", ("radio.cbke=true",))
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)
    used: list[str] = []

    async with open_station(board, clock, trace, tmp_path) as station:
        assert isinstance(station.ncp, NcpServer)
        receive = station.ncp.ncp.receive

        def noted(data: bytes) -> None:
            used.append(schemas_by_id(13)[decode_frame(data, 13).frame_id].name)
            receive(data)

        station.ncp.ncp.receive = noted  # type: ignore[method-assign]
        await HomeJourney(station, Steps(records, lambda _: None, lambda _: None), records).reach(State.JOINED)
    assert "calculateSmacs283k1" in used


@pytest.mark.parametrize("other", ["radio.kind=znp", "radio.path=/dev/ttyACM0", "radio.ezsp_version=12"])
def test_a_board_that_cannot_have_it_so_is_refused(other: str) -> None:
    with pytest.raises(BoardError, match=r"radio\.cbke"):
        load_board("simulated", ("radio.cbke=true", other))
