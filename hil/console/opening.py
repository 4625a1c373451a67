"""Opens the station of a board for the console: with a run's folder, a capture, and a DCC that knows the board."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.console.core import Core
from firmware_emu.trace import Record, Trace
from hil.bench.dcc_board import certify, list_hub
from hil.bench.home import Home
from hil.bench.run_folder import RunFolder
from hil.bench.station import Station, open_station
from hil.console.fault import FaultNoun
from hil.faults import Faults


def console_of(home: Home, seed: int, records: list[Record], faults: Faults) -> Core:
    """A console for a home that is open already, with the faults that are set on it."""
    core = Core(home.board, home.clock, home.trace, seed, home, records)
    noun = core.nouns["fault"]
    assert isinstance(noun, FaultNoun)
    noun.adopt(faults)
    return core


@contextlib.asynccontextmanager
async def open_bench(board: Board, clock: Clock, trace: Trace, seed: int) -> AsyncIterator[Station]:
    """A station whose run is kept in a folder of its own, at its end with the keys that open its capture; nothing has power yet.

    Raises NotAvailable, KeystoreError, BoardError.
    """
    run = RunFolder("console", board, seed)
    leave = trace.subscribe(run)
    try:
        async with open_station(board, clock, trace, run.path, seed=seed) as station:
            list_hub(station.dcc, board)
            for row in board.device:
                certify(station.dcc, row)
            with run.capture(station.air):
                try:
                    yield station
                finally:
                    run.export_keys(station.han_keys())
    finally:
        leave()
        run.close()
