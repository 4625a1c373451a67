"""The loop-back: the latency of a supply from the command that switches it off to the edge of a line that its output holds.

A plug in the hub's place joins the supply to Device Present, so that the line is low for as long as the output gives volts.
"""

from __future__ import annotations

import asyncio
import statistics

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from ichis.connector import Level
from ichis.jig import Lines, Supply
from ichis.measuring.latency import OffLatency

TIMES = 50
_LINE = "CH_PR"
_WATCH_S = 2.0
_RISES_S = 5.0


async def measure_off_latency(supply: Supply, lines: Lines, clock: Clock, times: int = TIMES) -> OffLatency:
    """Switch on and off so many times. The plug is in the socket, the supply set. Raises JigError where the line does not follow."""
    found, answered = [], []
    for number in range(1, times + 1):
        await supply.output(True)
        until = clock.now() + _RISES_S
        while await lines.read(_LINE) is not Level.LOW:
            if clock.now() > until:
                raise JigError(f"loop-back {number} of {times}: the supply is on and Device Present is not low: is the plug in the socket?")
            await clock.sleep(0.01)
        watching = asyncio.create_task(lines.watch(_LINE, _WATCH_S))
        await asyncio.sleep(0)
        began = clock.now()
        try:
            await supply.output(False)
        finally:
            answered.append(clock.now() - began)
            seen = await watching
        edge = next((when for when, level in seen if level is Level.HIGH and when >= began), None)
        if edge is None:
            raise JigError(f"loop-back {number} of {times}: the supply went off and Device Present stayed low: is it a hub in the socket?")
        found.append(edge - began)
    half = lines.resolution_s
    return OffLatency(
        times, max(0.0, min(found) - half), statistics.fmean(found), max(found) + half, statistics.pstdev(found), max(answered)
    )
