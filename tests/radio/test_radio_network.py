"""Events in a network's life: a new network key, a swapped hub, Devices behind routers, frames of no network."""

from __future__ import annotations

import asyncio
import logging

import pytest

from firmware_emu.clock import Clock
from firmware_emu.console import Bench
from firmware_emu.crypto.aes_mmo import aes_mmo
from firmware_emu.errors import DecodeError, RadioError
from firmware_emu.han import inter_pan
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.han.inter_pan import InterPanFrame, InterPanSender
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import AirReader, MacKind, MacPdu, NwkPdu, Update
from hil.radio.nodes.node import StackNode
from hil.radio.stack.nwk import Auxiliary
from hil.radio.stack.status import Status
from hil.radio.stack.trust import Decision, Policy
from tests.radio.radio_bench import DISPLAY, EXTENDED_PAN, HUB, LINK_KEY, METER, Coordinator, Pcap

OTHER_HUB = Eui64.parse("00db1234567890b0")
NEXT_KEY = bytes(range(100, 116))
FAR = Link(loss=1.0)


class Home:
    def __init__(self, clock: Clock, seed: int = 1) -> None:
        self.clock = clock
        self.air = Air(self.clock, seed)
        self.pcap = Pcap(self.air)
        self.hub = Coordinator(self.air)
        self.heard: list[tuple[Eui64, bytes]] = []

    def node(self, eui64: Eui64) -> StackNode:
        node = StackNode(self.air, eui64, channels=(15, 20))
        node.add_endpoint(SimpleDescriptor(1, 0x0501, (0x0702, 0x0800), (0x000A,)))
        node.receiver = lambda sender, frame: self.heard.append((sender, frame.payload))
        return node

    async def join(self, node: StackNode, *, sleepy: bool = False) -> None:
        if not self.hub.stack.running:
            self.hub.form()
        self.hub.permit(node.eui64)
        assert await node.join(LINK_KEY, extended_pan_id=EXTENDED_PAN, sleepy=sleepy) == HUB
        await asyncio.sleep(1)

    async def both_ways(self, hub: Coordinator, node: StackNode) -> None:
        await node.send(hub.stack.tokens.eui64, ApsFrame(0x0702, b"up", 1, 1))
        assert await hub.send(node.eui64, b"down") is Status.SUCCESS
        await asyncio.sleep(0.1)
        assert hub.payloads[-1] == b"up"
        assert self.heard[-1] == (hub.stack.tokens.eui64, b"down")

    def key_sequences(self) -> list[int]:
        """Key sequence of each NWK secured frame on the air."""
        seen = []
        for one in self.pcap.frames:
            mac = MacPdu.decode(one.octets)
            if mac.kind is MacKind.DATA:
                npdu = NwkPdu.decode(mac.payload)
                if npdu.secured:
                    seen.append(Auxiliary.read(AirReader(npdu.payload)).key_sequence)
        return seen


async def test_a_missing_endpoint_is_told_of_once_and_a_broadcast_to_one_not_at_all(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    home = Home(clock)
    meter = home.node(METER)
    await home.join(meter)
    await meter.broadcast(ApsFrame(0x0021, b"commissioning mode", 242, 242, secured=False))
    await asyncio.sleep(1)
    assert "has no endpoint" not in caplog.text
    for endpoint in (7, 7, 9):
        assert await home.hub.send(METER, b"for nobody", endpoint=endpoint) is not Status.SUCCESS
    told = [record.getMessage() for record in caplog.records if "has no endpoint" in record.getMessage()]
    assert len(told) == 2
    assert "endpoint 7:" in told[0]
    assert "endpoint 9:" in told[1]


@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_new_network_key_is_given_out_and_taken_by_all_at_the_switch(clock: Clock, sleepy: bool) -> None:
    home = Home(clock)
    meter = home.node(METER)
    await home.join(meter, sleepy=sleepy)
    trust = home.hub.stack.trust
    assert trust.broadcast_switch() is Status.INVALID_CALL
    assert trust.broadcast_next_key(NEXT_KEY) is Status.SUCCESS
    await asyncio.sleep(5)
    assert meter.stack.tokens.alternate_key == NEXT_KEY
    await home.both_ways(home.hub, meter)
    assert set(home.key_sequences()) == {0}
    assert trust.broadcast_switch() is Status.SUCCESS
    home.pcap.frames.clear()
    await asyncio.sleep(0.1)
    await meter.poll()
    assert meter.stack.tokens.key_sequence == 1, "the command alone, before any frame under the new key"
    await home.both_ways(home.hub, meter)
    assert home.hub.stack.tokens.network_key == meter.stack.tokens.network_key == NEXT_KEY
    assert home.key_sequences()[-1] == 1
    assert home.hub.key_sequences == [1]


async def test_a_device_that_missed_the_switch_command_takes_the_key_with_the_first_frame_under_it(clock: Clock) -> None:
    home = Home(clock)
    meter = home.node(METER)
    await home.join(meter)
    assert home.hub.stack.trust.broadcast_next_key(None) is Status.SUCCESS
    await asyncio.sleep(1)
    home.air.set_link(HUB, METER, FAR)
    assert home.hub.stack.trust.broadcast_switch() is Status.SUCCESS
    await asyncio.sleep(1)
    home.air.set_link(HUB, METER, Link())
    assert meter.stack.tokens.key_sequence == 0
    await home.both_ways(home.hub, meter)
    assert meter.stack.tokens.key_sequence == 1


async def test_one_device_is_given_the_next_key_under_its_link_key_alone(clock: Clock) -> None:
    home = Home(clock)
    meter, display = home.node(METER), home.node(DISPLAY)
    await home.join(meter)
    await home.join(display)
    stack = home.hub.stack
    assert stack.trust.send_next_key(METER, stack.nwk.shorts[METER], NEXT_KEY) is Status.SUCCESS
    await asyncio.sleep(1)
    assert (meter.stack.tokens.alternate_key, display.stack.tokens.alternate_key) == (NEXT_KEY, None)


@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_device_that_slept_through_a_new_key_comes_back_by_its_link_key(clock: Clock, sleepy: bool) -> None:
    home = Home(clock)
    meter = home.node(METER)
    await home.join(meter, sleepy=sleepy)
    meter.power(False)
    trust = home.hub.stack.trust
    trust.broadcast_next_key(NEXT_KEY)
    trust.broadcast_switch()
    await asyncio.sleep(10)
    meter.power(True)
    home.hub.stack.import_link_key(0, METER, LINK_KEY)
    trust.policy = Policy.ALLOW_JOINS
    with pytest.raises(RadioError):
        await meter.rejoin()
    assert home.hub.joins[-1] == (METER, Update.UNSECURED_REJOIN, Decision.DENY_JOIN)
    trust.policy |= Policy.ALLOW_UNSECURED_REJOINS
    assert await meter.rejoin() == HUB
    assert home.hub.joins[-1] == (METER, Update.UNSECURED_REJOIN, Decision.USE_PRECONFIGURED_KEY)
    await home.both_ways(home.hub, meter)


@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_device_finds_the_hub_that_replaced_its_own_by_the_hash_of_its_link_key(clock: Clock, sleepy: bool) -> None:
    home = Home(clock)
    meter = home.node(METER)
    await home.join(meter, sleepy=sleepy)
    home.hub.stack.power_off()
    new = Coordinator(home.air, OTHER_HUB)
    new.form(20)
    new.stack.import_link_key(0, METER, LINK_KEY)
    new.stack.trust.policy = Policy.ALLOW_JOINS | Policy.ALLOW_UNSECURED_REJOINS
    with pytest.raises(RadioError):
        await Home.node(home, DISPLAY).rejoin()
    new.stack.import_link_key(0, METER, aes_mmo(LINK_KEY))
    assert await meter.rejoin() == OTHER_HUB
    assert meter.stack.link_key(OTHER_HUB) == aes_mmo(LINK_KEY)
    assert meter.stack.link_key(HUB) is None
    await home.both_ways(new, meter)


@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_device_out_of_range_of_the_hub_joins_and_talks_through_a_router(clock: Clock, sleepy: bool) -> None:
    home = Home(clock)
    display, meter = home.node(DISPLAY), home.node(METER)
    await home.join(display)
    home.air.set_link(HUB, METER, FAR)
    home.hub.permit(METER)
    assert display.stack.permit(60) is Status.SUCCESS
    assert await meter.join(LINK_KEY, sleepy=sleepy) == HUB
    assert home.hub.joins[-1] == (METER, Update.UNSECURED_JOIN, Decision.USE_PRECONFIGURED_KEY)
    assert METER in display.stack.tokens.children
    assert METER not in home.hub.stack.tokens.children
    assert meter.stack.tokens.depth == 2
    await home.both_ways(home.hub, meter)
    home.hub.stack.nwk.routes.clear()
    await home.both_ways(home.hub, meter)


async def test_a_router_does_not_let_in_whom_the_trust_centre_does_not_know(clock: Clock) -> None:
    home = Home(clock)
    display, meter = home.node(DISPLAY), home.node(METER)
    await home.join(display)
    home.air.set_link(HUB, METER, FAR)
    assert display.stack.permit(60) is Status.SUCCESS
    with pytest.raises(RadioError) as refused:
        await meter.join(LINK_KEY)
    assert refused.value.status == "NO_NETWORK_KEY_RECEIVED"
    assert home.hub.joins[-1] == (METER, Update.UNSECURED_JOIN, Decision.DENY_JOIN)
    await asyncio.sleep(30)
    assert METER not in display.stack.tokens.children


async def test_an_end_device_whose_router_is_gone_goes_on_with_another_parent(clock: Clock) -> None:
    home = Home(clock)
    display, meter = home.node(DISPLAY), home.node(METER)
    await home.join(display)
    home.air.set_link(HUB, METER, FAR)
    home.hub.permit(METER)
    display.stack.permit(60)
    await meter.join(LINK_KEY, sleepy=True)
    await asyncio.sleep(1)
    display.power(False)
    home.air.set_link(HUB, METER, Link())
    meter.power(False)
    meter.power(True)
    assert await meter.resume()
    assert meter.stack.tokens.parent_short == 0
    await home.both_ways(home.hub, meter)


async def test_frames_of_no_network_cross_both_ways(clock: Clock) -> None:
    home = Home(clock)
    home.hub.form()
    terminal = home.node(METER)
    answers: list[tuple[InterPanSender, InterPanFrame]] = []
    terminal.inter_pan_receiver = lambda sender, frame: answers.append((sender, frame))
    (found,) = await terminal.beacons()
    assert found.beacon.extended_pan == EXTENDED_PAN
    terminal.listen_inter_pan(found.channel)
    asked = InterPanFrame(0x0800, bytes(81))
    await terminal.send_inter_pan(HUB, found.beacon.pan, asked)
    (got,) = home.hub.inter_pan_frames
    assert inter_pan.decode(got.encode()) == (InterPanSender(METER, 0xFFFF), asked)
    with pytest.raises(RadioError):
        await terminal.send_inter_pan(OTHER_HUB, found.beacon.pan, asked)
    assert not terminal.joined


@pytest.mark.parametrize("destination", [METER, 0xFFFF, 0x1234])
@pytest.mark.parametrize("group", [None, 0x8001])
def test_an_inter_pan_frame_is_read_back_as_it_was_written(destination: Eui64 | int, group: int | None) -> None:
    frame = InterPanFrame(0x0700, b"payload", 0x0109, group)
    octets = inter_pan.encode(frame, HUB, 0x4321, destination, 0x1111)
    sender = InterPanSender(HUB, 0x4321, destination == 0xFFFF or group is not None)
    assert inter_pan.decode(octets) == (sender, frame)
    for length in range(len(octets) - len(frame.payload)):
        with pytest.raises(DecodeError):
            inter_pan.decode(octets[:length])


@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_concentrator_is_told_the_way_and_sends_along_it(clock: Clock, sleepy: bool) -> None:
    home = Home(clock)
    display, meter = home.node(DISPLAY), home.node(METER)
    await home.join(display)
    home.air.set_link(HUB, METER, FAR)
    home.hub.permit(METER)
    display.stack.permit(60)
    await meter.join(LINK_KEY, sleepy=sleepy)
    await asyncio.sleep(1)
    relay = display.stack.tokens.short
    home.hub.stack.nwk.routes.call_all()
    await asyncio.sleep(1)
    await meter.send(HUB, ApsFrame(0x0702, b"up", 1, 1))
    if sleepy:  # an end device leaves records to its parent
        home.hub.stack.nwk.routes.source[meter.stack.tokens.short] = (relay,)
    else:
        assert home.hub.records == [(METER, (relay,))]
    home.pcap.frames.clear()
    await home.both_ways(home.hub, meter)
    routed = []
    for one in home.pcap.frames:
        mac = MacPdu.decode(one.octets)
        if mac.kind is MacKind.DATA:
            npdu = NwkPdu.decode(mac.payload)
            if npdu.source == 0 and npdu.destination == meter.stack.tokens.short:
                routed.append(npdu.relays)
    assert set(routed) == {b"\x01\x00" + relay.to_bytes(2, "little")}


@pytest.mark.parametrize("family", ["ezsp", "znp"])
def test_a_home_on_either_family_tells_of_a_missing_endpoint_at_most_once(family: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), Bench.open("simulated", seed=7, settings=(f"radio.kind={family}",)) as bench:
        bench.hub.form()
        bench.esme.add()
    told = [record.getMessage() for record in caplog.records if "has no endpoint 242" in record.getMessage()]
    assert len(told) <= 1
