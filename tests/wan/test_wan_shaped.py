"""A link that is shaped: frames held at a gate, lost, doubled, late, and what a cut leaves of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import WanError
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.virtual import MemoryWan, MemoryWanLink, ShapedLink, SmWanSite, memory_pair

ONE, TWO = WanFrame(WanKind.MESSAGE, 1, b"one"), WanFrame(WanKind.MESSAGE, 2, b"two")


@pytest.mark.parametrize(
    ("site", "way"),
    [
        (SmWanSite(), "cellular"),
        (SmWanSite(dual_mode=True, neighbour=True), "cellular"),
        (SmWanSite(dual_mode=True, signal=False, neighbour=True), "mesh"),
        (SmWanSite(dual_mode=True, signal=False), "no dual mode hub with power and signal is nearby"),
        (SmWanSite(signal=False, neighbour=True), "a single mode hub has no other way"),
        (SmWanSite(signal=False), "a single mode hub has no other way"),
    ],
)
def test_a_hub_is_reached_by_its_cellular_signal_or_by_the_mesh_of_a_dual_mode_neighbour(site: SmWanSite, way: str) -> None:
    """Consultation [327, 335]."""
    if way in ("cellular", "mesh"):
        assert site.way == way
    else:
        with pytest.raises(WanError, match=way):
            _ = site.way


async def joined(clock: Clock) -> tuple[ShapedLink, MemoryWanLink]:
    """A shaped end of a hub and the plain one of the DCC, connected."""
    hub, dcc = memory_pair(clock)
    shaped = ShapedLink(hub)
    await asyncio.gather(shaped.connect(), dcc.connect())
    return shaped, dcc


async def next_of(link: ShapedLink | MemoryWanLink) -> WanFrame | None:
    """The frame that is there, None if none is."""
    try:
        async with asyncio.timeout(2):
            return await link.receive()
    except TimeoutError:
        return None


async def test_without_a_gate_and_a_shape_frames_pass_as_they_are(clock: Clock) -> None:
    hub, dcc = await joined(clock)
    assert hub.connected
    await hub.send(ONE)
    await dcc.send(TWO)
    assert [await next_of(dcc), await next_of(hub), await next_of(dcc), await next_of(hub)] == [ONE, TWO, None, None]
    await hub.close()
    assert not hub.connected


@pytest.mark.parametrize(
    ("delays", "at_once", "later"), [((), 0, 0), ((0.0,), 1, 0), ((0.0, 0.0), 2, 0), ((5.0,), 0, 1), ((0.0, 5.0), 1, 1)]
)
async def test_of_a_frame_arrives_what_its_shape_gives_either_way(
    clock: Clock, delays: tuple[float, ...], at_once: int, later: int
) -> None:
    hub, dcc = await joined(clock)
    asked: list[str] = []

    def shape(to: str, frame: WanFrame) -> Sequence[tuple[float, WanFrame]]:
        asked.append(to)
        return tuple((late_s, frame) for late_s in delays)

    hub.shape = shape
    for sender, receiver, frame in ((hub, dcc, ONE), (dcc, hub, TWO)):
        await sender.send(frame)
        first = [await next_of(receiver) for _ in range(at_once + 1)]
        assert first == [frame] * at_once + [None]
        await clock.sleep(6)
        assert [await next_of(receiver) for _ in range(later + 1)] == [frame] * later + [None]
    assert asked == ["dcc", "hub"]
    await hub.close()


async def test_a_gate_gives_other_frames_in_place_of_one_before_they_are_shaped(clock: Clock) -> None:
    hub, dcc = await joined(clock)
    shaped: list[WanFrame] = []

    async def gate(to: str, frame: WanFrame) -> Sequence[WanFrame]:
        return (TWO, frame)

    def shape(to: str, frame: WanFrame) -> Sequence[tuple[float, WanFrame]]:
        shaped.append(frame)
        return ((0.0, frame),)

    hub.gate, hub.shape = gate, shape
    await hub.send(ONE)
    assert [await next_of(dcc) for _ in range(3)] == [TWO, ONE, None]
    assert shaped == [TWO, ONE]
    await hub.close()


async def test_a_shape_that_breaks_the_connection_closes_it_for_both_ends(clock: Clock) -> None:
    hub, dcc = await joined(clock)

    def shape(to: str, frame: WanFrame) -> Sequence[tuple[float, WanFrame]]:
        raise WanError("a record does not verify")

    hub.shape = shape
    with pytest.raises(WanError, match="does not verify"):
        await hub.send(ONE)
    assert not hub.connected
    with pytest.raises(WanError, match="closed"):
        await dcc.receive()
    await hub.close()


async def test_a_cut_ends_both_ends_and_loses_what_is_late(clock: Clock) -> None:
    hub, dcc = await joined(clock)
    hub.shape = lambda to, frame: ((5.0, frame),)
    await hub.send(ONE)
    await dcc.send(TWO)
    await clock.sleep(1)
    await hub.cut("the mast is down")
    with pytest.raises(WanError, match="the mast is down"):
        await hub.receive()
    with pytest.raises(WanError, match="closed"):
        await dcc.receive()
    hub.shape = None
    await asyncio.gather(hub.connect(), dcc.connect())
    await clock.sleep(6)
    assert [await next_of(dcc), await next_of(hub)] == [None, None], "they belong to the connection before"
    await hub.send(ONE)
    assert await next_of(dcc) == ONE
    await hub.cut("again")
    await hub.cut("it is down already")
    with pytest.raises(WanError, match="again"):
        await hub.receive()
    await hub.close()


def test_a_frame_takes_as_long_as_its_way_and_each_fifth_over_the_mesh_a_hop_more(clock: Clock) -> None:
    """The module's own figures: 0.6 s over the cellular network, 0.9 s between two hubs."""
    cellular, mesh = SmWanSite(), SmWanSite(dual_mode=True, signal=False, neighbour=True)
    assert [MemoryWan(clock, 0.1, site).delay_s() for site in (None, cellular)] == pytest.approx([0.1, 0.7])
    wan = MemoryWan(clock, 0.1, mesh)
    assert [wan.delay_s() for _ in range(10)] == pytest.approx(([1.6] * 4 + [2.5]) * 2)
    wan.site = SmWanSite(signal=False)
    with pytest.raises(WanError, match="no cellular signal"):
        wan.delay_s()


async def test_without_coverage_no_connection_is_made(clock: Clock) -> None:
    hub, dcc = memory_pair(clock)
    shaped = ShapedLink(hub)
    with pytest.raises(WanError, match="not connected"):
        await shaped.receive()
    shaped.coverage = False
    with pytest.raises(WanError, match="no SM WAN coverage"):
        await shaped.connect()
    assert not shaped.connected
    shaped.coverage = True
    await asyncio.gather(shaped.connect(), dcc.connect())
    assert shaped.connected
    await shaped.close()
