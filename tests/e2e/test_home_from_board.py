"""A board's word on a home's meters: their kind, their store, their day."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, CommsHubError
from firmware_emu.hub.running import RunningHub
from firmware_emu.ownership import Held, Owner, held_places
from firmware_emu.trace import Record, Trace
from hil.bench.day import load_day
from hil.bench.home import Home
from hil.bench.keys import load_keys
from hil.bench.station import Station
from hil.devices import Esme

START = datetime(2026, 1, 5, 6, tzinfo=UTC)
BOARD = """
extends = "simulated"
name = "twin"
day = "weekday"

[[device]]
name = "esme"
type = "{type}"
variant = "twin element"
store = "file"
eui = "02-E5-3E-00-00-00-00-01"
install_code = "0102030405060708090A0B0C0D0E0F10"
mpxn = "1200012345678"
"""


def board(folder: Path, type: str = "ESME") -> Board:
    path = folder / "twin.toml"
    path.write_text(BOARD.format(type=type))
    return load_board(str(path))


def lived(board: Board, folder: Path, start: datetime, hours: int) -> Esme:
    """The home's meter after so many hours, and the home torn down."""
    clock = Clock(start=start, warp=True, grace_s=0)
    found = []

    async def main() -> None:
        home = Home(board, clock, Trace(clock.now), folder, load_keys(board), board.seed, wan=None)
        await home.bring_up()
        try:
            found.append(home.one(Esme))
            await clock.sleep(hours * 3600)
            found[0].update()
        finally:
            await home.tear_down()

    clock.run(main())
    return found[0]


def own_places() -> list[Held]:
    return [held for held in held_places() if held.process == os.getpid()]


def test_a_twin_element_meter_keeps_in_a_file_what_the_day_let_it_count(tmp_path: Path) -> None:
    load = load_day("weekday").load("esme")
    assert load is not None
    twin = board(tmp_path)
    meter = lived(twin, tmp_path, START, 3)
    assert (meter.variant.elements, meter.metering.elements) == (2, 2)
    first = sum(load(half_hour) * 1800 for half_hour in range(12, 18))
    assert meter.registers.active_import.parts == first
    again = lived(twin, tmp_path, START + timedelta(hours=6), 1)
    assert again.registers.active_import.parts == first + sum(load(half_hour) * 1800 for half_hour in (24, 25))


def test_only_an_electricity_meter_has_a_variant(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="a Device of type PPMID has no variants"):
        board(tmp_path, "PPMID")


@pytest.mark.parametrize("dies", [False, True], ids=["runs on", "ends by a fault of its own"])
def test_a_hub_that_ends_by_any_fault_is_seen_by_whoever_waits(tmp_path: Path, dies: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(start=START, warp=True, grace_s=0)
    simulated, records = load_board("simulated"), list[Record]()
    running = RunningHub.run

    async def run(hub: RunningHub) -> None:
        if not dies:
            return await running(hub)
        await clock.sleep(30)
        raise KeyError("a secret of the hub")

    monkeypatch.setattr(RunningHub, "run", run)

    async def main() -> None:
        trace = Trace(clock.now)
        trace.subscribe(records.append)
        station = Station(simulated, clock, trace, tmp_path, load_keys(simulated), simulated.seed)
        await station.bring_up()
        try:
            await station.host.power_up()
            with pytest.raises(CommsHubError, match="KeyError.*test_home_from_board" if dies else "the moon"):
                await station.until("the moon", lambda: False, timeout_s=60)
        finally:
            await station.tear_down()

    clock.run(main())
    failed = [record for record in records if record.event == "failed"]
    assert [str(record.detail["reason"]).startswith("the hub ended by a fault of its own: KeyError at test_home") for record in failed] == [
        True
    ] * dies
    assert all("secret" not in record.as_json() for record in failed)


@pytest.mark.parametrize("part", ["a Device", "the jig", "the supply", "the DCC's head end"])
def test_a_home_whose_part_fails_while_it_is_torn_down_closes_all_the_rest(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(start=START, warp=True, grace_s=0)
    simulated = load_board("simulated")
    files = [tmp_path / "hub.sqlite", tmp_path / "dcc.sqlite"]

    async def broken(on: bool = False) -> None:
        raise OSError("it fell off the bench")

    async def main() -> list[Held]:
        before = own_places()
        station = Station(simulated, clock, Trace(clock.now), tmp_path, load_keys(simulated), simulated.seed)
        await station.bring_up()
        await station.host.power_up()
        await station.until("the network", lambda: station.hub is not None and station.hub.status.network is not None)
        assert [one.what for one in own_places() if one not in before] == [f"the dongle at {station.radio_path}"]
        assert all(Owner.holder(file) for file in files)
        whose, name = {
            "a Device": (next(iter(station.devices.values())), "stop"),
            "the jig": (station.jig, "close"),
            "the supply": (station.jig.supply, "output"),
            "the DCC's head end": (station.dcc.head_end, "close"),
        }[part]
        with monkeypatch.context() as patch:
            patch.setattr(whose, name, broken)
            with pytest.raises(OSError, match="fell off"):
                await station.tear_down()
        return [one for one in own_places() if one not in before]

    assert clock.run(main()) == []
    assert [Owner.holder(file) for file in files] == [None, None]


def terminals() -> int:
    """Pseudo-terminals that this process has open."""
    return sum(Path(f"/proc/self/fd/{number}").resolve().name == "ptmx" for number in os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("wrong", ["the DCC's store is another's", "the board's day is none"])
def test_a_bench_that_cannot_be_made_leaves_nothing_open(tmp_path: Path, wrong: str) -> None:
    clock, simulated = Clock(start=START, warp=True, grace_s=0), load_board("simulated")
    file = tmp_path / "dcc.sqlite"

    async def main() -> None:
        before = terminals()
        with contextlib.ExitStack() as stack:
            if wrong.startswith("the DCC"):
                stack.callback(Owner.of_file(file, "a DCC elsewhere").release)
            board = simulated if wrong.startswith("the DCC") else simulated.model_copy(update={"day": "a day of no name"})
            with pytest.raises(CommsHubError):
                Station(board, clock, Trace(clock.now), tmp_path, load_keys(board), board.seed)
            assert terminals() == before
        assert Owner.holder(file) is None

    clock.run(main())
