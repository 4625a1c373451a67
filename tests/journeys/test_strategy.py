"""States of a home, the order in which they are reached, and the first failure remembered."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.device import joins
from firmware_emu.errors import RadioError
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.devices.esme.esme import Esme
from hil.journeys.strategy import NotReached, State, Strategy


def _on_a_station(tmp_path: Path, work) -> list[Record]:  # type: ignore[no-untyped-def]
    board = load_board("simulated")
    clock = Clock(start=board.clock.start, warp=True)
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)

    async def run() -> None:
        async with open_station(board, clock, trace, tmp_path) as station:
            await work(station)

    clock.run(run())
    return records


def test_a_home_goes_through_every_state_and_a_state_once_reached_costs_nothing(tmp_path: Path) -> None:
    async def work(station) -> None:  # type: ignore[no-untyped-def]
        strategy = Strategy(station)
        rows = {row.name: row for row in station.board.device}
        await strategy.reach(State.FORMED)
        assert station.formed
        assert strategy.where(rows["esme"]) is State.FORMED
        await strategy.reach(State.LISTED)
        assert {strategy.where(row) for row in rows.values()} == {State.LISTED}
        await strategy.reach(State.PAIRED)
        assert strategy.status(rows["esme"].eui) == strategy.status(rows["gsme"].eui) == "Commissioned"
        joined = {entry.device_id for entry in joins.entries(station.one(Esme).gbcs)}
        assert joined == {rows["ppmid"].eui, rows["ihd"].eui}
        asked = len(station.dcc.gateway.accepted())
        await strategy.reach(State.PAIRED)
        await strategy.reach(State.FORMED)
        assert len(station.dcc.gateway.accepted()) == asked

    _on_a_station(tmp_path, work)


def test_one_device_is_brought_into_service_from_where_it_is(tmp_path: Path) -> None:
    async def work(station) -> None:  # type: ignore[no-untyped-def]
        await Strategy(station).reach(State.FORMED)
        esme = station.board.find("esme")
        await Strategy(station).bring(esme, State.NOTIFIED)
        strategy = Strategy(station)
        assert strategy.where(esme) is State.NOTIFIED
        outcome = await strategy.bring(esme, State.COMMISSIONED)
        assert outcome is not None
        assert (outcome.variant, outcome.ok) == ("8.1.1", True)
        assert strategy.where(station.board.find("gsme")) is State.FORMED

    _on_a_station(tmp_path, work)


def test_the_first_failure_is_remembered_and_nothing_is_tried_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(station) -> None:  # type: ignore[no-untyped-def]
        strategy = Strategy(station)
        await strategy.reach(State.LISTED)

        async def deaf() -> None:
            raise RadioError("the gas meter hears nobody")

        monkeypatch.setattr(station.device("gsme"), "join", deaf)
        with pytest.raises(RadioError) as first:
            await strategy.reach(State.JOINED)
        monkeypatch.undo()
        with pytest.raises(RadioError) as again:
            await strategy.reach(State.PAIRED)
        assert again.value is first.value is strategy.failure
        assert strategy.state is State.LISTED
        assert station.device("esme").node.joined
        assert not station.device("ppmid").node.joined

    _on_a_station(tmp_path, work)


def test_a_request_that_does_not_succeed_says_which_device_is_not_in_which_state(tmp_path: Path) -> None:
    async def work(station) -> None:  # type: ignore[no-untyped-def]
        strategy = Strategy(station)  # the hub was never listed
        with pytest.raises(NotReached, match=r"esme is not listed: 8\.11: .") as failed:
            await strategy.bring(station.board.find("esme"), State.LISTED)
        assert failed.value.outcome.variant == "8.11"

    _on_a_station(tmp_path, work)


def test_a_station_that_ends_as_soon_as_it_is_open_leaves_no_work_of_a_device_unawaited(tmp_path: Path) -> None:
    async def work(station) -> None:  # type: ignore[no-untyped-def]
        assert station.one(Esme)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        _on_a_station(tmp_path, work)
        gc.collect()
    assert [str(one.message) for one in warned if "never awaited" in str(one.message)] == []
