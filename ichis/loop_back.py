"""The loop-back: the latency of a supply from the command that switches it off to the edge of a line that its output holds.

A plug in the hub's place joins the supply to Device Present, so that the line is low for as long as the output gives volts.
"""

from __future__ import annotations

import asyncio
import statistics

from firmware_emu.board import JigTable
from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from firmware_emu.trace import Trace
from ichis.bench_jig import open_jig
from ichis.connector import Level
from ichis.interop import unit_under_test
from ichis.jig import Jig, Lines, Supply
from ichis.manual import Engineer
from ichis.measuring.latency import OffLatency
from ichis.profile import InterfaceProfile
from ichis.real_hub_jig import RealHubJig

TIMES = 50
_LINE = "CH_PR"
_WATCH_S = 2.0
_PLUG_S = 0.001
"""The plug lets go of the line within this after the output went. The bench's own figure."""
_RISES_S = 5.0


def plug_is_modelled(table: JigTable) -> bool:
    """True where the plug goes into a modelled socket, so that nobody has to put it there."""
    return table.kind == "simulated" or table.hub_end is not None


async def loop_back(table: JigTable, limits: InterfaceProfile, clock: Clock, times: int = TIMES) -> OffLatency:
    """The latency of a board's supply; around a real socket the engineer is asked for the plug.

    Raises JigError, NotAvailable, BoardError.
    """
    jig: Jig
    if plug_is_modelled(table):
        jig = modelled = await open_jig(table, limits, clock, Trace(clock.now), unit_under_test("loop-back"))
        modelled.hub_side.listen(power=modelled.hub_side.drive_device_present)
    else:
        await Engineer(clock).do("Put the loop-back plug into the hub's socket")
        jig = await RealHubJig.open(table, limits, clock)
    try:
        if plug_is_modelled(table):
            await jig.mating.insert()
        await jig.supply.set_current_limit(0.1)
        await jig.supply.set_voltage(limits["supply_nominal"])
        found = await measure_off_latency(jig.supply, jig.lines, clock, times)
    finally:
        await jig.close()
    if not plug_is_modelled(table):
        await Engineer(clock).do("Take the loop-back plug out")
    return found


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
        times, max(0.0, min(found) - half - _PLUG_S), statistics.fmean(found), max(found) + half, statistics.pstdev(found), max(answered)
    )
