"""A node's way into a network and back, step by step: whom it picks, how long it waits, and what it keeps of the network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import pytest

from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import Beacon
from hil.radio.stack import joining
from hil.radio.stack.joining import JoinFailure
from hil.radio.stack.mac import Poll
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Tokens
from tests.radio.radio_bench import DISPLAY, EXTENDED_PAN, HUB, LINK_KEY, METER, OTHER_KEY

OTHER_NETWORK = Eui64(bytes(range(8)))
KEY, OLD_KEY = b"n" * 16, b"o" * 16
STRONG = Link(lqi=255, rssi=-40)


def beacon(source: int = 0x1111, pan: int = 0x1A62, **facts: Any) -> Beacon:
    return Beacon(pan, source, **{"permit": True, "extended_pan": EXTENDED_PAN, "coordinator": False, "depth": 1, "update_id": 3, **facts})


class Joiner:
    """A stack as the steps see it, with a MAC whose air is a table of beacons by channel; ``did`` keeps each step."""

    def __init__(self, node_type: int = 0) -> None:
        self.tokens = Tokens(METER, node_type=node_type, extended_pan=EXTENDED_PAN, channel=15, pan=0x1A62)
        self.beacons: dict[int, list[tuple[Beacon, Link]]] = {}
        self.did: list[tuple[Any, ...]] = []
        self.at: list[float] = []
        self.took_request = True
        self.on_request: Callable[[], None] = lambda: None
        """Called when the parent was asked."""
        self.on_poll: Callable[[int], None] = lambda count: None
        self.polls = 0
        self.association: asyncio.Future[tuple[int, int]] | None = None
        self.network_key: asyncio.Future[tuple[bytes, int, Eui64]] = asyncio.get_running_loop().create_future()
        self.mac = SimpleNamespace(
            channel=None,
            rx_on=node_type not in (0, 4),
            pan=0xFFFF,
            short=0xFFFE,
            on_beacon=None,
            start=self._start,
            stop=lambda: self._do("off"),
            request_beacons=self._request_beacons,
            request_association=self._request_association,
            poll=self._poll,
        )
        self.nwk = SimpleNamespace(mac=self.mac, send=self._send, stop=lambda: self._do("network off"))
        self.aps = SimpleNamespace(stop=lambda: self._do("messages off"))

    def _do(self, *facts: Any) -> None:
        self.did.append(facts)
        self.at.append(asyncio.get_running_loop().time())

    def _start(self, channel: int, *, rx_on: bool) -> None:
        self.mac.channel, self.mac.rx_on = channel, rx_on
        self._do("on", channel, rx_on)

    def _request_beacons(self, channel: int) -> None:
        self._do("beacons?", channel)
        for one, link in self.beacons.get(channel, ()):
            asyncio.get_running_loop().call_later(0.001, self.mac.on_beacon, one, link)

    def _request_association(self, pan: int, parent: int, capability: int, done: Callable[[bool], None]) -> None:
        self._do("associate", pan, parent, capability)
        asyncio.get_running_loop().call_soon(done, self.took_request)
        self.on_request()

    def _poll(self, parent: int, done: Callable[[Poll], None], *, long: bool) -> None:
        self._do("poll", parent, long)
        self.polls += 1
        self.on_poll(self.polls)
        asyncio.get_running_loop().call_soon(done, Poll.NO_DATA)

    def _send(self, destination: int, payload: bytes, **how: Any) -> None:
        self._do("send", destination, payload.hex(), how)
        self.on_request()

    def answers(self, short: int = 0x7777, status: int = 0) -> None:
        """The parent's answer to an association or rejoin request."""
        if self.association is not None and not self.association.done():
            if not status:
                self.mac.short = short
            self.association.set_result((short, status))

    def gives_key(self, centre: Eui64 = HUB) -> None:
        if not self.network_key.done():
            self.network_key.set_result((KEY, 5, centre))

    def done(self, what: str) -> list[tuple[Any, ...]]:
        return [facts[1:] for facts in self.did if facts[0] == what]

    def times(self, what: str) -> list[float]:
        return [at for at, facts in zip(self.at, self.did, strict=True) if facts[0] == what]


async def failure(step: Awaitable[Any]) -> Status:
    with pytest.raises(JoinFailure) as failed:
        await step
    assert str(failed.value) == failed.value.status.name
    return failed.value.status


async def spent(step: Awaitable[Any]) -> float:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await step
    return loop.time() - begun


@pytest.mark.parametrize(("exponent", "seconds"), [(0, 0.03072), (1, 0.04608), (2, 0.0768), (3, 0.13824), (5, 0.50688), (14, 251.67360)])
def test_a_scan_stays_on_a_channel_for_so_many_base_superframes(exponent: int, seconds: float) -> None:
    """IEEE 802.15.4-2006 7.1.11.1: aBaseSuperframeDuration, 960 symbols of 16 us, times 2 to the power of n and one more."""
    assert joining.scan_s(exponent) == pytest.approx(seconds)


@pytest.mark.parametrize(("home", "after"), [(None, ("off",)), (15, ("on", 15, False))])
async def test_a_scan_hears_each_network_once_on_each_channel_and_goes_back(clock: Any, home: int | None, after: tuple[Any, ...]) -> None:
    node = Joiner()
    node.mac.channel = home
    weak = Link(lqi=10)
    node.beacons = {11: [(beacon(1), STRONG), (beacon(1), weak), (beacon(2), weak), (beacon(1, 0x1A63), weak)], 12: [(beacon(1), weak)]}
    found: list[joining.FoundNetwork] = []

    async def look() -> None:
        found.extend(await joining.scan(node, (11, 12, 13), 3))  # type: ignore[arg-type]

    assert await spent(look()) == pytest.approx(3 * 0.13824)
    assert [(one.channel, one.beacon.pan, one.beacon.source, one.link) for one in found] == [
        (11, 0x1A62, 1, STRONG),
        (11, 0x1A62, 2, weak),
        (11, 0x1A63, 1, weak),
        (12, 0x1A62, 1, weak),
    ]
    assert node.done("beacons?") == [(11,), (12,), (13,)]
    assert node.did[-1] == after
    assert node.mac.on_beacon is None


BETTER = (Link(lqi=255, rssi=-50), beacon(1, depth=1))


@pytest.mark.parametrize(
    ("link", "worse"),
    [
        (Link(lqi=30, rssi=-50), beacon(2, depth=0)),
        (Link(lqi=255, rssi=-50), beacon(2, depth=2)),
        (Link(lqi=240, rssi=-40), beacon(2, depth=1)),
        (Link(lqi=255, rssi=-51), beacon(2, depth=1)),
    ],
    ids=["link cost", "depth", "quality", "strength"],
)
@pytest.mark.parametrize("first", [0, 1])
async def test_a_parent_is_picked_by_link_cost_then_depth_then_strength(clock: Any, link: Link, worse: Beacon, first: int) -> None:
    node = Joiner()
    heard = [(BETTER[1], BETTER[0]), (worse, link)]
    node.beacons[11] = heard[first:] + heard[:first]
    node.took_request = False
    assert await failure(joining.join(node, 2, (11,), None, None)) is Status.JOIN_FAILED  # type: ignore[arg-type]
    assert node.done("associate") == [(0x1A62, 1, 0x8E)]


@pytest.mark.parametrize(
    ("node_type", "wanted", "pan", "facts", "asks"),
    [
        (2, None, None, {}, True),
        (2, EXTENDED_PAN, None, {}, True),
        (2, EXTENDED_PAN, 0x1A62, {}, True),
        (2, OTHER_NETWORK, None, {}, False),
        (2, None, 0x1A63, {}, False),
        (2, None, None, {"permit": False}, False),
        (2, None, None, {"router_capacity": False}, False),
        (2, None, None, {"end_device_capacity": False}, True),
        (3, None, None, {"router_capacity": False}, True),
        (3, None, None, {"end_device_capacity": False}, False),
        (4, None, None, {"router_capacity": False}, True),
        (4, None, None, {"end_device_capacity": False}, False),
    ],
)
async def test_a_network_is_asked_that_is_wanted_open_and_has_room_for_such_a_node(
    clock: Any, node_type: int, wanted: Eui64 | None, pan: int | None, facts: dict[str, Any], asks: bool
) -> None:
    node = Joiner()
    node.took_request = False
    node.beacons[11] = [(beacon(**facts), STRONG)]
    status = await failure(joining.join(node, node_type, (11,), wanted, pan))  # type: ignore[arg-type]
    assert status is (Status.JOIN_FAILED if asks else Status.NO_BEACONS)
    assert len(node.done("associate")) == asks


@pytest.mark.parametrize(("node_type", "capability", "rx_on"), [(2, 0x8E, True), (3, 0x8C, True), (4, 0x80, False)])
@pytest.mark.parametrize("source", [0, 0x1111])
async def test_who_joins_keeps_address_key_and_parent(clock: Any, node_type: int, capability: int, rx_on: bool, source: int) -> None:
    node = Joiner()
    node.tokens.extended_pan, node.tokens.channel, node.tokens.pan = OTHER_NETWORK, 0, 0xFFFF
    node.beacons[20] = [(beacon(source, depth=2), STRONG)]

    def asked() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.12, node.answers)
        loop.call_later(0.30, node.gives_key)

    node.on_request = asked
    took = await spent(joining.join(node, node_type, (11, 20), EXTENDED_PAN, None))  # type: ignore[arg-type]
    tokens = node.tokens
    assert node.done("associate") == [(0x1A62, source, capability)]
    assert node.done("on")[-1] == (20, rx_on)
    assert (tokens.node_type, tokens.channel, tokens.extended_pan, tokens.pan) == (node_type, 20, EXTENDED_PAN, 0x1A62)
    assert (tokens.network_key, tokens.key_sequence, tokens.tc_eui64) == (KEY, 5, HUB)
    assert (tokens.short, tokens.depth, tokens.update_id, tokens.parent_short) == (0x7777, 3, 3, source)
    assert tokens.parent == (HUB if source == 0 else None)
    polls = node.done("poll")
    assert polls[:3] == [(source, True)] * 3, "for its EUI-64 until it has an address"
    assert set(polls[3:]) == (set() if rx_on else {(source, False)})
    assert 2 * 0.13824 + 0.30 <= took < 2 * 0.13824 + 0.40


async def test_an_association_is_waited_for_half_a_second_and_asked_for_each_twentieth(clock: Any) -> None:
    """macResponseWaitTime is 32 base superframes, 0.49 s (IEEE 802.15.4-2006 7.4.2)."""
    node = Joiner()
    node.beacons[11] = [(beacon(), STRONG)]
    assert await failure(joining.join(node, 2, (11,), None, None)) is Status.JOIN_FAILED  # type: ignore[arg-type]
    begun = node.times("associate")[0]
    assert [at - begun for at in node.times("poll")] == pytest.approx([0.05 * (count + 1) for count in range(len(node.times("poll")))])
    assert node.polls in (10, 11)
    assert node.association is None


async def test_an_association_that_is_refused_fails(clock: Any) -> None:
    node = Joiner()
    node.beacons[11] = [(beacon(), STRONG)]
    node.on_request = lambda: asyncio.get_running_loop().call_soon(node.answers, 0xFFFF, 1)  # type: ignore[assignment]
    assert await failure(joining.join(node, 2, (11,), None, None)) is Status.JOIN_FAILED  # type: ignore[arg-type]
    assert node.tokens.short == 0xFFFE


@pytest.mark.parametrize("node_type", [2, 4])
async def test_the_network_key_is_waited_for_five_seconds(clock: Any, node_type: int) -> None:
    node = Joiner()
    node.beacons[11] = [(beacon(), STRONG)]
    node.on_request = node.answers
    begun = asyncio.get_running_loop().time()
    status = await failure(joining.join(node, node_type, (11,), None, None))  # type: ignore[arg-type]
    assert status is Status.NO_NETWORK_KEY_RECEIVED
    assert asyncio.get_running_loop().time() - begun == pytest.approx(0.13824 + 5, abs=0.11)
    polls = [long for _, long in node.done("poll")]
    assert len(polls) == (0 if node_type == 2 else pytest.approx(100, abs=1))
    assert not any(polls)


REJOIN = {"command": True, "radius": 1, "source_eui": True}


@pytest.mark.parametrize("node_type", [2, 4])
async def test_a_parent_that_takes_a_node_back_is_asked_alone(clock: Any, node_type: int) -> None:
    node = Joiner(node_type)
    node.tokens.parent_short = 0x1111
    node.on_request = lambda: asyncio.get_running_loop().call_later(0.12, node.answers)  # type: ignore[assignment]
    took = await spent(joining.rejoin(node))  # type: ignore[arg-type]
    request = bytes([0x06, 0x8E if node_type == 2 else 0x80]).hex()
    assert node.done("send") == [(0x1111, request, {**REJOIN, "secured": True, "neighbour": 0x1111})]
    assert node.done("poll") == ([] if node_type == 2 else [(0x1111, False)] * 3)
    assert took == pytest.approx(0.15)
    assert node.done("beacons?") == []


@pytest.mark.parametrize(
    ("heard", "asked", "channels"),
    [
        ({}, [], [15, *range(11, 27)]),
        ({15: [(beacon(0x1111), STRONG)]}, [], [15]),
        ({15: [(beacon(0x2222, extended_pan=OTHER_NETWORK), STRONG)]}, [], [15, *range(11, 27)]),
        ({15: [(beacon(0x2222, permit=False), STRONG), (beacon(0x3333), Link(lqi=20))]}, [0x2222, 0x3333], [15]),
        ({20: [(beacon(0x1111), STRONG)]}, [0x1111], [15, *range(11, 27)]),
    ],
    ids=["nobody", "the same parent", "another network", "the better first", "the parent elsewhere"],
)
async def test_others_are_asked_where_the_parent_does_not_answer_for_three_seconds(
    clock: Any, heard: dict[int, list[tuple[Beacon, Link]]], asked: list[int], channels: list[int]
) -> None:
    node = Joiner(2)
    node.tokens.parent_short = 0x1111
    node.beacons = heard
    begun = asyncio.get_running_loop().time()
    assert await failure(joining.rejoin(node)) is Status.MOVE_FAILED  # type: ignore[arg-type]
    assert [to for to, *_ in node.done("send")] == [0x1111, *asked]
    assert [channel for (channel,) in node.done("beacons?")] == channels
    took = asyncio.get_running_loop().time() - begun
    assert took == pytest.approx(3 * (1 + len(asked)) + 0.13824 * len(channels), abs=0.06 * (1 + len(asked)))


@pytest.mark.parametrize("status", [0, 1])
async def test_a_node_moves_to_the_parent_that_takes_it(clock: Any, status: int) -> None:
    node = Joiner(2)
    node.tokens.parent_short, node.tokens.tc_eui64 = 0x1111, HUB
    node.beacons[25] = [(beacon(0, 0x1A63, depth=0, update_id=9), STRONG)]
    node.on_request = lambda: node.answers(status=status) if len(node.done("send")) > 1 else None
    if status:
        assert await failure(joining.rejoin(node)) is Status.MOVE_FAILED  # type: ignore[arg-type]
        return
    await joining.rejoin(node)  # type: ignore[arg-type]
    tokens = node.tokens
    assert (tokens.channel, tokens.pan, tokens.update_id, tokens.depth) == (25, 0x1A63, 9, 1)
    assert (tokens.parent_short, tokens.parent, node.mac.channel) == (0, HUB, 25)


@pytest.mark.parametrize("centre", [HUB, DISPLAY], ids=["the same", "another"])
@pytest.mark.parametrize("node_type", [2, 4])
async def test_a_trust_centre_rejoin_brings_a_new_key_and_perhaps_another_trust_centre(clock: Any, centre: Eui64, node_type: int) -> None:
    node = Joiner(node_type)
    tokens = node.tokens
    tokens.tc_eui64, tokens.tc_link_key, tokens.network_key, tokens.alternate_key = HUB, LINK_KEY, OLD_KEY, OLD_KEY
    tokens.link_keys[0] = (HUB, OTHER_KEY)
    node.beacons[12] = [(beacon(0x2222, 0x1A63, depth=2), STRONG)]

    def asked() -> None:
        node.answers()
        asyncio.get_running_loop().call_later(0.5, node.gives_key, centre)

    node.on_request = asked
    await joining.trust_centre_rejoin(node, (11, 12), (LINK_KEY, OTHER_KEY))  # type: ignore[arg-type]
    ((to, octets, how),) = node.done("send")
    assert (to, octets, how) == (0x2222, "068e" if node_type == 2 else "0680", {**REJOIN, "secured": False, "neighbour": 0x2222})
    assert attrgetter("short", "network_key", "key_sequence", "alternate_key")(tokens) == (0x7777, KEY, 5, None)
    assert (tokens.channel, tokens.pan, tokens.depth, tokens.parent_short, tokens.parent) == (12, 0x1A63, 3, 0x2222, None)
    swapped = centre is not HUB
    assert (tokens.tc_eui64, tokens.tc_link_key) == (centre, OTHER_KEY if swapped else LINK_KEY)
    assert bool(tokens.link_keys) != swapped
    assert node.done("on")[-1] == (12, node_type == 2)
    assert node.did[-2:] == [("network off",), ("messages off",)]


@pytest.mark.parametrize(("heard", "status"), [(False, Status.NO_BEACONS), (True, Status.MOVE_FAILED)])
async def test_a_trust_centre_rejoin_fails_where_nobody_is_heard_or_nobody_answers(clock: Any, heard: bool, status: Status) -> None:
    node = Joiner(2)
    node.tokens.network_key = OLD_KEY
    node.beacons[12] = [(beacon(0x2222), STRONG), (beacon(0x3333), STRONG)] if heard else []
    assert await failure(joining.trust_centre_rejoin(node, (12,), (LINK_KEY, OTHER_KEY))) is status  # type: ignore[arg-type]
    assert len(node.done("send")) == (2 if heard else 0)
    assert node.tokens.network_key == OLD_KEY
