"""The SM WAN variant of a hub and where it stands: what is reached, by which way, and how long an answer takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_emu.errors import WanError
from firmware_emu.wan.virtual import CELLULAR_S, MESH_HOP_S, SmWanSite
from tests.hub.hub_bench import ESME, Bench, add_device

POLLED_S = 0.2
"""Bench seconds between two looks for an answer."""
NEIGHBOUR = SmWanSite(dual_mode=True, signal=False, neighbour=True)


async def commissioned(bench: Bench, site: SmWanSite, within_s: float = 1800) -> bool:
    """True if a hub that is powered at such a site reaches the DCC."""
    bench.wan.site = site
    await bench.power_on()
    await bench.clock.sleep(within_s)
    return bench.hub.status.commissioned


async def answer_s(bench: Bench) -> float:
    """Bench seconds from a Command at the DCC to its Response there."""
    began = bench.clock.now()
    await bench.ask(add_device(bench, ESME), within_s=30)
    return bench.clock.now() - began


@pytest.mark.requirement("CH-25")
async def test_without_a_signal_a_single_mode_hub_reaches_nobody_and_a_dual_mode_hub_goes_by_its_neighbour(
    bench_without_power: Bench,
) -> None:
    bench = bench_without_power
    assert not await commissioned(bench, replace(NEIGHBOUR, dual_mode=False))
    await bench.cut()
    assert not await commissioned(bench, replace(NEIGHBOUR, neighbour=False))
    await bench.cut()
    assert await commissioned(bench, NEIGHBOUR)
    assert (bench.wan.hub.way, bench.hub.status.network is not None) == ("mesh", True)


@pytest.mark.requirement("CH-26")
async def test_a_mesh_hub_answers_later_by_the_hop_and_is_cut_off_with_its_neighbour(bench_without_power: Bench) -> None:
    bench = bench_without_power
    assert await commissioned(bench, replace(NEIGHBOUR, signal=True))
    direct = await answer_s(bench)
    assert bench.wan.hub.way == "cellular"
    assert direct >= 2 * CELLULAR_S
    bench.wan.cut()
    bench.wan.site = NEIGHBOUR
    await bench.wait_for(lambda: bench.wan.hub.connected or None, 1800)
    assert bench.wan.hub.way == "mesh"
    assert await answer_s(bench) >= direct + 2 * MESH_HOP_S - POLLED_S
    bench.wan.site = replace(NEIGHBOUR, neighbour=False)
    bench.send(add_device(bench, ESME))
    await bench.clock.sleep(60)
    assert not bench.wan.hub.connected
    with pytest.raises(WanError, match="no dual mode hub with power and signal is nearby"):
        await bench.wan.hub.connect()
    bench.wan.site = NEIGHBOUR
    await bench.wait_for(lambda: bench.wan.hub.connected or None, 1800)
