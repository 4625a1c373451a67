"""A Device's radio on the stack, step by step: addresses it asks for, answers it waits for, polls, and what it makes of each state."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.han import inter_pan
from firmware_emu.han.base import ApsFrame
from firmware_emu.han.inter_pan import InterPanFrame
from firmware_emu.ids import Eui64
from hil.radio.air import phy
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import ApsKind, ApsPdu, DeliveryMode, FragmentHeader, MacPdu
from hil.radio.nodes.node import StackNode
from hil.radio.stack import joining
from hil.radio.stack.aps import IncomingApdu
from hil.radio.stack.mac import Poll
from hil.radio.stack.status import Status
from tests.radio.radio_bench import DISPLAY, EXTENDED_PAN, HUB, LINK_KEY, METER, OTHER_KEY, refused

NEAR = 0x1111
KEY = b"n" * 16
HEARD = Link(rssi=-60, lqi=99)


class Rig:
    """A node on a network, whose ZDO frames are kept as (to, cluster, octets), and whose polls end as they are told."""

    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch, node_type: int = 2) -> None:
        self.node = StackNode(Air(clock, 1), METER, channels=(15,))
        stack = self.node.stack
        tokens = stack.tokens
        tokens.node_type, tokens.network_key, tokens.channel, tokens.short, tokens.tc_eui64 = node_type, KEY, 15, 0x7777, HUB
        tokens.tc_link_key, tokens.parent_short, tokens.extended_pan = LINK_KEY, NEAR, EXTENDED_PAN
        assert stack.initialise() is Status.SUCCESS
        self.asked: list[tuple[int, int, bytes]] = []
        self.polled_at: list[float] = []
        self.polls: list[Poll] = []
        self.heard: list[tuple[Eui64, ApsFrame]] = []
        self.node.receiver = lambda device, frame: self.heard.append((device, frame))
        monkeypatch.setattr(type(stack), "send_zdo", lambda _, to, cluster, octets, done=None: self.asked.append((to, cluster, octets)))
        monkeypatch.setattr(joining, "poll", self._poll)

    async def _poll(self, stack: Any, parent: int) -> Poll:
        assert parent == NEAR
        self.polled_at.append(asyncio.get_running_loop().time())
        return self.polls.pop(0) if self.polls else Poll.NO_DATA

    def hear(self, payload: bytes, *, source: int = NEAR, device: Eui64 | None = HUB, **facts: Any) -> None:
        told = {"destination_endpoint": 1, "cluster": 0x0702, "profile": 0x0109, "source_endpoint": 3, "secured": True, **facts}
        pdu = ApsPdu(ApsKind.DATA, 9, payload=payload, **told)
        self.node.incoming(IncomingApdu(source, device, pdu, False, HEARD))

    def answer(self, cluster: int, payload: bytes) -> None:
        self.hear(payload, cluster=cluster, profile=0, destination_endpoint=0, source_endpoint=0, secured=False)


@pytest.fixture
async def rig(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(clock, monkeypatch)


@pytest.mark.parametrize("server", [True, False])
async def test_endpoints_are_asked_for_and_the_answer_of_that_request_is_taken(rig: Rig, server: bool) -> None:
    rig.node.stack.nwk.learn(NEAR, HUB)
    asking = asyncio.ensure_future(rig.node.match_descriptors(HUB, 0x0702, server=server))
    await asyncio.sleep(0)
    ((to, cluster, octets),) = rig.asked
    sequence = octets[0]
    lists = "01020700" if server else "00010207"
    assert (to, cluster, octets[1:].hex()) == (NEAR, 0x0006, "11110901" + lists)
    for wrong_cluster, wrong_sequence in ((0x8006, sequence + 1 & 0xFF), (0x8005, sequence)):
        rig.answer(wrong_cluster, bytes([wrong_sequence]) + b"\x00\x11\x11\x01\x09")
    rig.answer(0x8006, b"")
    rig.answer(0x8006, bytes([sequence]) + b"\x00\x11\x11\x02\x01\x07")
    assert await asking == (1, 7)


@pytest.mark.parametrize(
    ("octets", "text"), [(None, "no answer to ZDO request 0x0006 from 0x1111 within 3 s"), (b"\x00\x11", "cannot be read")]
)
async def test_endpoints_that_are_not_told_in_three_seconds_or_not_well_are_an_error(rig: Rig, octets: bytes | None, text: str) -> None:
    rig.node.stack.nwk.learn(NEAR, HUB)
    asking = asyncio.ensure_future(refused(rig.node.match_descriptors(HUB, 0x0702, server=True)))
    begun = asyncio.get_running_loop().time()
    await asyncio.sleep(0)
    if octets is not None:
        rig.answer(0x8006, rig.asked[0][2][:1] + octets)
    assert text in (await asking)[0]
    assert asyncio.get_running_loop().time() - begun == pytest.approx(3 if octets is None else 0)


@pytest.mark.parametrize("found", [True, False])
async def test_an_address_that_is_not_known_is_asked_of_all_that_listen(rig: Rig, found: bool) -> None:
    sending = asyncio.ensure_future(refused(rig.node.send(DISPLAY, ApsFrame(0x0702, b"x", 1, 1))))
    await asyncio.sleep(0)
    ((to, cluster, octets),) = rig.asked
    assert (to, cluster, octets[1:]) == (0xFFFD, 0x0000, DISPLAY.zigbee + b"\x00\x00")
    if found:
        rig.node.stack.nwk.learn(0x2222, DISPLAY)
    rig.answer(0x8000, octets[:1] + (b"\x00" if found else b"\x81") + DISPLAY.zigbee + b"\x22\x22")
    text, status = await sending
    assert status == ("APS_ENCRYPTION_ERROR" if found else "ID_DISCOVERY_FAILED"), "no link key is held with it"
    assert (f"cluster 0x0702 to {DISPLAY}" if found else "is not on the network") in text


async def test_a_stranger_is_asked_for_its_address_once_and_heard_in_order(rig: Rig) -> None:
    for payload in (b"one", b"two"):
        rig.hear(payload, source=0x2222, device=None)
    rig.hear(b"other", source=0x3333, device=None)
    assert [(to, cluster, octets[1:]) for to, cluster, octets in rig.asked] == [
        (0x2222, 0x0001, b"\x22\x22\x00\x00"),
        (0x3333, 0x0001, b"\x33\x33\x00\x00"),
    ]
    for cluster, device, short in ((0x8001, DISPLAY, 0x2222), (0x0013, HUB, 0x3333)):
        rig.node.stack.nwk.learn(short, device)
        rig.answer(cluster, b"\x01")
    await asyncio.sleep(0)
    assert [(device, frame.payload) for device, frame in rig.heard] == [(DISPLAY, b"one"), (DISPLAY, b"two"), (HUB, b"other")]


async def test_a_message_is_handed_up_with_all_that_came_with_it_and_pieces_as_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    acknowledged: list[tuple[int, FragmentHeader | None]] = []
    monkeypatch.setattr(type(rig.node.stack.aps), "acknowledge", lambda _, to, pdu: acknowledged.append((to, pdu.block)))
    rig.hear(b"whole")
    pieces = [FragmentHeader(True, 2), FragmentHeader(False, 1)]
    for block, payload in zip(pieces, (b"in ", b"two"), strict=True):
        rig.hear(payload, block=block)
    await asyncio.sleep(0)
    assert rig.heard == [(HUB, ApsFrame(0x0702, payload, 3, 1, True, 0x0109, 99, -60)) for payload in (b"whole", b"in two")]
    assert acknowledged == [(NEAR, block) for block in pieces]


async def test_a_node_without_power_or_network_says_so(rig: Rig, clock: Clock) -> None:
    rig.node.stack.nwk.learn(NEAR, HUB)
    asking = asyncio.ensure_future(refused(rig.node.match_descriptors(HUB, 0x0702, server=True)))
    await asyncio.sleep(0)
    for _ in range(2):
        rig.node.power(False)
    assert await asking == (f"{METER} lost power", "NETWORK_DOWN")
    for call in (
        rig.node.poll(),
        rig.node.broadcast(ApsFrame(0x0702, b"x", 1, 1)),
        rig.node.resume(),
        rig.node.join(LINK_KEY),
        rig.node.beacons(),
    ):
        assert await refused(call) == (f"{METER} has no power: power(True) first", "NETWORK_DOWN")
    rig.node.power(True)
    assert await refused(rig.node.poll()) == (f"{METER} is on no network", "NETWORK_DOWN")
    rig.node.stack.running = rig.node.stack.busy = True
    assert await refused(rig.node.poll()) == (f"{METER} is on no network", "NETWORK_DOWN"), "on its way to one is not there yet"
    rig.node.stack.busy = False
    assert "is on a network already: leave it first" in (await refused(rig.node.join(LINK_KEY)))[0]


@pytest.mark.parametrize(("mask", "channel"), [(1 << 20, 20), (1 << 20 | 1 << 21, 15), (0, 15), (28 << 27 | 1 << 5, phy.sub_ghz(28, 5))])
@pytest.mark.parametrize("running", [True, False])
async def test_a_node_moves_to_the_one_channel_that_is_named(rig: Rig, mask: int, channel: int, running: bool) -> None:
    rig.node.stack.running = running
    rig.node.move(mask)
    expected = channel if running else 15
    assert (rig.node.stack.tokens.channel, rig.node.stack.nwk.mac.channel) == (expected, expected)


async def test_a_link_key_goes_to_its_partners_place_or_the_first_free_one(rig: Rig) -> None:
    table = rig.node.stack.tokens.link_keys
    table[1] = (HUB, KEY)
    await rig.node.import_link_key(DISPLAY, OTHER_KEY)
    await rig.node.import_link_key(HUB, LINK_KEY)
    assert table == {0: (DISPLAY, OTHER_KEY), 1: (HUB, LINK_KEY)}


@pytest.mark.parametrize(("told", "seconds"), [(0x01, 2.0), (0x11, 10.0)])
async def test_a_link_key_that_was_asked_for_is_waited_for_ten_seconds(rig: Rig, told: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    loop.call_later(1.0, rig.node.key_told, HUB, 0x01)
    loop.call_later(2.0, rig.node.key_told, DISPLAY, told)
    if told == 0x01:
        await rig.node.request_link_key(DISPLAY)
    else:
        assert await refused(rig.node.request_link_key(DISPLAY)) == (f"the trust centre gave no link key with {DISPLAY}", "TIMEOUT")
    assert loop.time() - begun == pytest.approx(seconds)
    rig.node.stack.tokens.tc_link_key = None
    assert (await refused(rig.node.request_link_key(DISPLAY)))[1] == "NOT_FOUND"


async def test_a_sleepy_node_polls_at_intervals_that_double_to_a_second_and_at_once_after_data(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(clock, monkeypatch, node_type=4)
    rig.polls = [Poll.NO_DATA] * 3 + [Poll.DATA]
    begun = asyncio.get_running_loop().time()
    rig.hear(b"x", source=0x2222, device=None)
    await clock.sleep(60)
    waits = [0.01, 0.02, 0.04, 0.08, 0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0, 1.0]
    assert [at - begun for at in rig.polled_at] == pytest.approx([sum(waits[: count + 1]) for count in range(len(waits))])
    assert begun + sum(waits[:4]) + 5 <= rig.polled_at[-1] < begun + sum(waits[:4]) + 6, "awake for five seconds from the last data"


async def test_a_poll_by_hand_takes_all_that_is_there_and_fails_where_the_parent_is_silent(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(clock, monkeypatch, node_type=4)
    for ended in (Poll.NO_DATA, Poll.MISSED):
        rig.polls, rig.polled_at = [Poll.DATA, Poll.DATA, ended], []
        await rig.node.poll()
        assert len(rig.polled_at) == 3
    rig.polls = [Poll.NO_ACK]
    assert await refused(rig.node.poll()) == (f"the parent of {METER} does not answer", "MAC_NO_ACK_RECEIVED")


async def test_a_router_never_polls(rig: Rig, clock: Clock) -> None:
    await rig.node.poll()
    rig.hear(b"x", source=0x2222, device=None)
    await clock.sleep(10)
    assert rig.polled_at == []


@pytest.mark.parametrize(("status", "left"), [(Status.NETWORK_DOWN, 1), (Status.NETWORK_UP, 0), (Status.CHANNEL_CHANGED, 0)])
async def test_a_network_that_is_gone_is_told(rig: Rig, status: Status, left: int) -> None:
    gone: list[None] = []
    rig.node.on_left = lambda: gone.append(None)
    rig.node.stack_status(status)
    assert len(gone) == left


async def test_a_step_that_does_not_end_is_given_up_after_its_time_and_the_node_is_off(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.node.stack.power_off()
    monkeypatch.setattr(type(rig.node.stack), "join", lambda *_: Status.SUCCESS)
    begun = asyncio.get_running_loop().time()
    asyncio.get_running_loop().call_later(1, rig.node.stack_status, Status.CHANNEL_CHANGED)
    assert (await refused(rig.node.join(LINK_KEY, timeout_s=7.0)))[0] == f"{METER} did not join within 7 s"
    assert asyncio.get_running_loop().time() - begun == pytest.approx(7)
    monkeypatch.setattr(type(rig.node.stack), "rejoin", lambda *_, **__: Status.SUCCESS)
    rig.node.stack.tokens.node_type = 4
    begun = asyncio.get_running_loop().time()
    rig.node.stack.tokens.network_key = KEY
    assert "did not rejoin within" in (await refused(rig.node.resume()))[0]
    # a parent that is silent, one more that is, and a scan of the channel it was on and of its own
    assert asyncio.get_running_loop().time() - begun == pytest.approx(2 * 3 + 1 + 2 * 0.13824)


@pytest.mark.parametrize(("channels", "sleepy", "kind"), [((15,), False, 2), ((15,), True, 4), ((0x85,), False, 3), ((0x85, 15), False, 2)])
async def test_a_node_joins_as_what_it_is(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, channels: tuple[int, ...], sleepy: bool, kind: int
) -> None:
    rig.node.stack.power_off()
    asked: list[tuple[Any, ...]] = []

    def join(_: Any, *facts: Any) -> Status:
        asked.append(facts)
        return Status.INVALID_CALL

    monkeypatch.setattr(type(rig.node.stack), "join", join)
    rig.node._channels = channels
    rig.node.stack.tokens.link_keys[0] = (HUB, KEY)
    assert await refused(rig.node.join(OTHER_KEY, extended_pan_id=EXTENDED_PAN, sleepy=sleepy)) == (
        f"{METER} cannot join the network",
        "INVALID_CALL",
    )
    assert asked == [(kind, channels, EXTENDED_PAN, None)]
    assert (rig.node.stack.tokens.tc_link_key, rig.node.stack.tokens.link_keys) == (OTHER_KEY, {})


@pytest.mark.parametrize("secured", [True, False])
async def test_a_message_goes_out_as_it_was_given(rig: Rig, monkeypatch: pytest.MonkeyPatch, secured: bool) -> None:
    sent: list[tuple[int, ApsPdu]] = []

    async def whole(_: Any, to: int, pdu: ApsPdu, before: Any) -> Status:
        sent.append((to, pdu))
        return Status.SUCCESS

    def broadcast(_: Any, to: int, pdu: ApsPdu, done: Any) -> Status:
        sent.append((to, pdu))
        return Status.SUCCESS

    monkeypatch.setattr(type(rig.node.stack.aps), "send_whole", whole)
    monkeypatch.setattr(type(rig.node.stack.aps), "send", broadcast)
    rig.node.stack.nwk.learn(NEAR, HUB)
    frame = ApsFrame(0x0702, b"x", 3, 2, secured=secured, profile=0x0104)
    await rig.node.send(HUB, frame)
    await rig.node.broadcast(frame)
    for (to, pdu), (target, delivery, ack, sealed) in zip(
        sent, [(NEAR, DeliveryMode.UNICAST, True, secured), (0xFFFF, DeliveryMode.BROADCAST, False, False)], strict=True
    ):
        assert (to, pdu.delivery, pdu.ack_request, pdu.secured) == (target, delivery, ack, sealed)
        assert (pdu.cluster, pdu.profile, pdu.source_endpoint, pdu.destination_endpoint, pdu.payload) == (0x0702, 0x0104, 3, 2, b"x")


@pytest.mark.parametrize(("channels", "scanned"), [((20, 25), (20, 25)), (None, (15,))])
async def test_beacons_are_looked_for_on_the_channels_named_else_on_the_nodes_own(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, channels: tuple[int, ...] | None, scanned: tuple[int, ...]
) -> None:
    asked: list[tuple[Any, ...]] = []

    async def scan(_: Any, *facts: Any) -> list[joining.FoundNetwork]:
        asked.append(facts)
        return []

    monkeypatch.setattr(joining, "scan", scan)
    assert await rig.node.beacons(channels) == []
    assert asked == [(scanned, 3)]


@pytest.mark.parametrize(("profile", "endpoint", "handed_up"), [(0, 0, False), (0, 1, True), (0x0109, 0, True)])
async def test_only_what_is_for_the_zdo_is_kept_from_the_receiver(rig: Rig, profile: int, endpoint: int, handed_up: bool) -> None:
    rig.hear(b"\x01", profile=profile, destination_endpoint=endpoint)
    await asyncio.sleep(0)
    assert len(rig.heard) == handed_up


async def test_a_node_that_loses_power_on_its_way_to_a_network_fails_at_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def rejoin(_: Any, **facts: Any) -> Status:
        asked.append(facts)
        return Status.SUCCESS

    monkeypatch.setattr(type(rig.node.stack), "rejoin", rejoin)
    coming = asyncio.ensure_future(refused(rig.node.rejoin()))
    await asyncio.sleep(0)
    rig.node.power(False)
    assert await coming == (f"{METER} cannot rejoin the network", "NETWORK_DOWN")
    assert asked == [{"secured": False, "channels": (15,)}]


async def test_a_frame_of_no_network_goes_to_who_listens_for_it(rig: Rig) -> None:
    told: list[tuple[Any, ...]] = []
    frame = InterPanFrame(0x0800, b"x")
    octets = inter_pan.encode(frame, HUB, 0xFFFF, METER, 0xFFFF)
    rig.node.inter_pan(MacPdu.decode(octets), HEARD)
    rig.node.inter_pan_receiver = lambda sender, received: told.append((sender.eui64, received.cluster, received.payload))
    rig.node.inter_pan(MacPdu.decode(octets), HEARD)
    rig.node.inter_pan(MacPdu.decode(octets[:-4]), HEARD)
    rig.node.inter_pan(MacPdu.decode(octets[:23]), HEARD)
    await asyncio.sleep(0)
    assert told[0] == (HUB, 0x0800, b"x")
    assert rig.node.stack.nwk.mac.counters["aps_bad_frame"] >= 1
