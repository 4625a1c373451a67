"""Contract of every Device's radio, whatever stands behind it."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, HanEventKind, SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.devices.base.han_device import RejoiningNode
from hil.radio.nodes.node import StackNode
from tests.contract.node.node_bench import DEVICE, HUB, LINK_KEY, NodeBench

OTHER_KEY = bytes(range(16))
PARTNER, PARTNER_KEY = Eui64.parse("0011223344556688"), bytes(range(16, 32))
STRANGER = Eui64.parse("00112233445566ff")


def frame(payload: bytes, *, secured: bool = True) -> ApsFrame:
    return ApsFrame(0x0702, payload, 1, 1, secured)


@pytest.mark.requirement("CH-02")
@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_node_joins_with_its_permitted_key_and_the_hub_is_told(bench: NodeBench, sleepy: bool) -> None:
    await bench.join(sleepy=sleepy)
    assert bench.node.joined
    assert bench.node.eui64 == DEVICE
    assert [(event.kind, event.device) for event in bench.events] == [(HanEventKind.JOINED, DEVICE)]


@pytest.mark.parametrize("sleepy", [False, True])
@pytest.mark.parametrize("size", [1, 60, 300, 1250])
async def test_payloads_cross_both_ways_with_and_without_link_key(bench: NodeBench, sleepy: bool, size: int) -> None:
    payload = bytes(number & 0xFF for number in range(size))

    await bench.join(sleepy=sleepy)
    for secured in (True, False):
        await bench.node.send(HUB, frame(payload, secured=secured))
        await bench.radio.send(DEVICE, frame(payload, secured=secured))
        await bench.clock.sleep(1)
    wanted = [(payload, True), (payload, False)]
    assert [(got.payload, got.secured) for sender, got in bench.at_hub if sender == DEVICE] == wanted
    assert [(got.payload, got.secured) for sender, got in bench.at_node if sender == HUB] == wanted


async def test_a_node_that_is_not_permitted_is_refused(bench: NodeBench) -> None:
    await bench.radio.permit(HUB, OTHER_KEY, 120)
    with pytest.raises(RadioError):
        await bench.node.join(LINK_KEY, extended_pan_id=HUB)
    await bench.clock.sleep(1)
    assert not bench.node.joined
    assert HanEventKind.REFUSED in [event.kind for event in bench.events]
    assert HanEventKind.JOINED not in [event.kind for event in bench.events]


async def test_a_node_with_the_wrong_key_does_not_get_in(bench: NodeBench) -> None:
    await bench.radio.permit(DEVICE, OTHER_KEY, 120)
    with pytest.raises(RadioError):
        await bench.node.join(LINK_KEY, extended_pan_id=HUB)
    await bench.clock.sleep(20)
    assert not bench.node.joined
    assert HanEventKind.JOINED not in [event.kind for event in bench.events]


async def test_no_network_is_found_where_none_permits(bench: NodeBench) -> None:
    with pytest.raises(RadioError) as refused:
        await bench.node.join(LINK_KEY, extended_pan_id=HUB)
    assert refused.value.status == "NO_BEACONS"


async def test_endpoints_are_found_by_cluster_and_side_both_ways(bench: NodeBench) -> None:
    await bench.join()
    assert await bench.node.match_descriptors(HUB, 0x0019, server=True) == (1,)
    assert await bench.node.match_descriptors(HUB, 0x0704, server=True) == ()
    assert await bench.radio.match_descriptors(DEVICE, 0x0702, server=True) == (1,)


async def test_a_sleepy_node_fetches_on_poll_what_its_parent_holds(bench: NodeBench) -> None:
    await bench.join(sleepy=True)
    await bench.clock.sleep(60)
    sending = asyncio.ensure_future(bench.radio.send(DEVICE, frame(b"held")))
    await bench.clock.sleep(0.5)
    assert bench.at_node == []
    await bench.node.poll()
    await sending
    await bench.clock.sleep(0.1)
    assert [got.payload for _, got in bench.at_node] == [b"held"]


async def test_a_new_link_key_takes_over_on_both_sides(bench: NodeBench) -> None:
    await bench.join()
    await bench.node.import_link_key(HUB, OTHER_KEY)
    await bench.radio.import_link_key(DEVICE, OTHER_KEY)
    await bench.node.send(HUB, frame(b"up"))
    await bench.radio.send(DEVICE, frame(b"down"))
    await bench.clock.sleep(0.1)
    assert [got.payload for _, got in bench.at_hub] == [b"up"]
    assert [got.payload for _, got in bench.at_node] == [b"down"]


@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_node_goes_on_after_a_power_cut_without_joining_again(bench: NodeBench, sleepy: bool) -> None:
    await bench.join(sleepy=sleepy)
    await bench.node.import_link_key(HUB, OTHER_KEY)
    await bench.radio.import_link_key(DEVICE, OTHER_KEY)
    await bench.radio.forbid()
    bench.node.power(False)
    await bench.clock.sleep(10)
    assert not bench.node.joined
    with pytest.raises(RadioError):
        await bench.node.send(HUB, frame(b"without power"))
    bench.node.power(True)
    assert await bench.node.resume()
    await bench.node.send(HUB, frame(b"after"))
    await bench.clock.sleep(0.1)  # the dongle has acknowledged it; its host is told a moment later
    assert [got.payload for _, got in bench.at_hub] == [b"after"]


@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_node_that_missed_a_new_network_key_comes_back_by_its_link_key(bench: NodeBench, sleepy: bool) -> None:
    await bench.join(sleepy=sleepy)
    bench.node.power(False)
    await bench.clock.sleep(1)
    await bench.radio.give_network_key(OTHER_KEY)
    await bench.clock.sleep(10)
    await bench.radio.switch_network_key()
    await bench.clock.sleep(1)
    bench.node.power(True)
    assert isinstance(bench.node, RejoiningNode)
    assert await bench.node.rejoin() == HUB
    await bench.node.send(HUB, frame(b"after"))
    await bench.radio.send(DEVICE, frame(b"down"))
    await bench.clock.sleep(0.1)
    assert [got.payload for _, got in bench.at_hub] == [b"after"]
    assert [got.payload for _, got in bench.at_node] == [b"down"]


async def test_a_node_without_a_network_has_nothing_to_resume(bench: NodeBench) -> None:
    assert not await bench.node.resume()


async def test_a_removed_node_is_off_the_network_and_the_hub_is_told(bench: NodeBench) -> None:
    await bench.join()
    await bench.radio.remove(DEVICE)
    await bench.clock.sleep(2)
    assert not bench.node.joined
    assert HanEventKind.LEFT in [event.kind for event in bench.events]


async def test_a_node_leaves(bench: NodeBench) -> None:
    await bench.join()
    await bench.node.leave()
    await bench.clock.sleep(2)
    assert not bench.node.joined
    assert HanEventKind.LEFT in [event.kind for event in bench.events]
    with pytest.raises(RadioError):
        await bench.node.send(HUB, frame(b"gone"))


async def test_the_trust_centre_gives_two_nodes_a_link_key_of_their_own_and_none_to_a_stranger(bench: NodeBench) -> None:
    await bench.join()
    other = StackNode(bench.air, PARTNER)
    other.add_endpoint(SimpleDescriptor(1, 0x0502, (), (0x0702,)))
    heard: list[tuple[Eui64, ApsFrame]] = []
    other.receiver = lambda sender, frame: heard.append((sender, frame))
    await bench.radio.permit(PARTNER, PARTNER_KEY, 120)
    await other.join(PARTNER_KEY, extended_pan_id=HUB)
    await bench.clock.sleep(1)
    for device, node, key in ((DEVICE, bench.node, LINK_KEY), (PARTNER, other, PARTNER_KEY)):
        await bench.radio.import_link_key(device, key)
        await node.import_link_key(HUB, key)
    with pytest.raises(RadioError):
        await bench.node.send(PARTNER, ApsFrame(0x0702, b"too early", 1, 1))

    await bench.node.request_link_key(PARTNER)
    await bench.node.send(PARTNER, ApsFrame(0x0702, b"there", 1, 1))
    await other.send(DEVICE, ApsFrame(0x0702, b"and back", 1, 1))
    await bench.clock.sleep(1)
    with pytest.raises(RadioError):
        await bench.node.request_link_key(STRANGER)

    assert [(sender, frame.payload, frame.secured) for sender, frame in heard] == [(DEVICE, b"there", True)]
    assert [(sender, frame.payload, frame.secured) for sender, frame in bench.at_node] == [(PARTNER, b"and back", True)]
