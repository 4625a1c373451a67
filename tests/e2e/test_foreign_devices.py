"""Devices whose firmware runs in another process, on the open air in warp time: a whole home with nothing of them here but labels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from firmware_emu.board import AirTable, load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import Steps
from hil.journeys.strategy import State
from tests.patience import PATIENCE_S

ELSEWHERE = """
import asyncio, sys
from firmware_emu.trace import Trace
from hil.bench.neighbours import Neighbours
from hil.radio.open_air.remote_air import visit

async def main():
    neighbours = Neighbours(air, clock, Trace(clock.now), sys.argv[3].split(","), cbke=True)
    gone = asyncio.Event()
    air.on_lost = gone.set
    await neighbours.start()
    await gone.wait()

clock, air = visit(sys.argv[1], int(sys.argv[2]))
clock.run(main())
"""


@pytest.mark.parametrize("kind", ["ezsp", "znp"])
def test_all_devices_of_a_home_join_and_are_commissioned_from_another_process(kind: str, tmp_path: Path) -> None:
    board = load_board("simulated", (f"radio.kind={kind}", "clock.mode=warp"))
    rows = tuple(row.model_copy(update={"node": "socket:127.0.0.1:0"}) for row in board.device)
    board = board.model_copy(update={"device": rows, "air": AirTable()})
    clock = Clock(start=board.clock.start, warp=True)
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)

    async def main() -> list[str]:
        async with open_station(board, clock, trace, tmp_path) as station:
            host, _, port = station.open_air[0].rpartition(":")
            names = ",".join(row.name for row in rows)
            process = subprocess.Popen([sys.executable, "-c", ELSEWHERE, host, port, names], stderr=subprocess.PIPE, text=True)
            try:
                journey = HomeJourney(station, Steps(records, lambda _: None, lambda _: None), records)
                await journey.reach(State.PAIRED)
                await journey.use()
                return [journey.status(row.eui) for row in rows] + [
                    step.verdict for step in journey.steps.done if step.name.startswith("4.1.1")
                ]
            finally:
                process.kill()
                process.communicate(timeout=PATIENCE_S)

    assert clock.run(main()) == ["Commissioned", "Commissioned", "Commissioned", "InstalledNotCommissioned", "skip"]
