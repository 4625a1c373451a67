"""The medium by itself: who hears what, when, how strongly, and what a sniffer sees."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air.air import ACK_WAIT_S, Air, Link, MacFrame
from hil.radio.air.frames import Address, MacKind, MacPdu
from hil.radio.air.phy import phy_of, sub_ghz
from hil.radio.nodes.node import StackNode
from tests.radio.radio_bench import DISPLAY, HUB, LINK_KEY, METER, Coordinator


class Ear:
    """A radio that hears all of its PAN and keeps it."""

    def __init__(self, air: Air, eui64: Eui64, short: int, channel: int | None = 15) -> None:
        self.eui64, self.short, self.channel, self.listening = eui64, short, channel, True
        self.heard: list[tuple[float, bytes, int]] = []
        self.pending = False
        air.attach(self)

    def hears(self, pan: int | None, destination: Address | None) -> bool:
        return destination in (self.short, 0xFFFF)

    def pending_for(self, source: Address | None) -> bool:
        return self.pending

    def receive(self, frame: MacPdu, link: Link) -> None:
        self.heard.append((asyncio.get_running_loop().time(), frame.payload, link.rssi))


def data(destination: int, payload: bytes = b"x", *, kind: MacKind = MacKind.DATA, ack: bool = True) -> MacPdu:
    return MacPdu(kind, 9, 1, destination, None, 5, ack, False, payload)


@pytest.fixture
def air(clock: Clock) -> Air:
    return Air(clock, 0)


async def test_a_frame_reaches_whom_it_is_for_on_its_channel_and_is_acknowledged(air: Air) -> None:
    sender, right = Ear(air, HUB, 5), Ear(air, METER, 1)
    other, deaf, elsewhere = Ear(air, DISPLAY, 2), Ear(air, DISPLAY, 1), Ear(air, DISPLAY, 1, channel=20)
    deaf.listening = False
    outcomes: list[tuple[bool, bool]] = []
    air.transmit(sender, data(1), lambda acked, pending: outcomes.append((acked, pending)))
    await asyncio.sleep(0.01)
    assert [payload for _, payload, _ in right.heard] == [b"x"]
    assert not sender.heard
    assert not other.heard
    assert not deaf.heard
    assert not elsewhere.heard
    assert outcomes == [(True, False)]


async def test_a_frame_nobody_takes_is_not_acknowledged_after_the_waiting_time(air: Air) -> None:
    sender = Ear(air, HUB, 5)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[float] = loop.create_future()
    begun = loop.time()
    air.transmit(sender, data(1), lambda acked, pending: ended.set_result(-1.0 if acked else loop.time()))
    on_air_s = phy_of(15).air_s(len(data(1).encode()))
    assert await ended - begun == pytest.approx(on_air_s + ACK_WAIT_S, abs=1e-6)


async def test_a_broadcast_reaches_all_and_is_not_acknowledged(air: Air) -> None:
    sender, one, two = Ear(air, HUB, 5), Ear(air, METER, 1), Ear(air, DISPLAY, 2)
    frames: list[MacFrame] = []
    air.capture(frames.append)
    air.transmit(sender, data(0xFFFF, ack=False))
    await asyncio.sleep(0.01)
    assert len(one.heard) == len(two.heard) == 1
    assert len(frames) == 1


async def test_links_delay_weaken_and_lose_frames_in_the_share_they_state(air: Air) -> None:
    sender, ear = Ear(air, HUB, 5), Ear(air, METER, 1)
    air.set_link(HUB, METER, Link(loss=0.25, delay_s=0.5, rssi=-80, lqi=60))
    begun = asyncio.get_running_loop().time()
    for _ in range(2000):
        air.transmit(sender, data(1, ack=False))
    await asyncio.sleep(3)
    assert 1400 < len(ear.heard) < 1600
    assert {rssi for _, _, rssi in ear.heard} == {-80}
    turn_s = phy_of(15).air_s(len(data(1, ack=False).encode())) + phy_of(15).turnaround_s
    turns = [(at - begun - 0.5 + phy_of(15).turnaround_s) / turn_s for at, _, _ in ear.heard]
    assert turns == pytest.approx([round(turn) for turn in turns])
    assert len({round(turn) for turn in turns}) == len(turns)
    air.set_link(HUB, METER, Link(loss=1.0))
    air.transmit(sender, data(1, ack=False))
    await asyncio.sleep(1)
    assert len(ear.heard) < 1600


@pytest.mark.parametrize("channel", [15, sub_ghz(28, 3)])
async def test_frames_of_one_instant_take_turns_and_arrive_when_the_capture_says_that_they_end(air: Air, channel: int) -> None:
    radios = [Ear(air, Eui64(bytes([0, 0x5D, 0, 0, 0, 0, 0, number])), number, channel) for number in range(1, 9)]
    frames: list[MacFrame] = []
    air.capture(frames.append)
    for sender in radios:
        for hearer in radios:
            if sender is not hearer:
                air.transmit(sender, data(hearer.short, bytes(range(sender.short))), lambda acked, pending: None)
    await asyncio.sleep(2)
    assert len(frames) == 2 * 8 * 7
    phy = phy_of(channel)
    for frame, after in pairwise(frames):
        assert after.time - frame.time > phy.air_s(len(frame.octets)) + phy.turnaround_s - 1e-6
    ends = [frame.time + phy.air_s(len(frame.octets)) for frame in frames if MacPdu.decode(frame.octets).kind is MacKind.DATA]
    since = air.clock.now() - asyncio.get_running_loop().time()
    assert sorted(at + since for radio in radios for at, _, _ in radio.heard) == pytest.approx(ends, abs=1e-6)


def test_loss_is_drawn_from_the_seed_link_by_link() -> None:
    def heard(seed: int, *, busy: bool) -> list[bytes]:
        out: list[bytes] = []

        async def body(air: Air) -> None:
            sender, ear, bystander = Ear(air, HUB, 5), Ear(air, METER, 1), Ear(air, DISPLAY, 2)
            air.set_link(HUB, METER, Link(loss=0.5))
            air.set_link(HUB, DISPLAY, Link(loss=0.5))
            for number in range(50):
                if busy:
                    air.transmit(sender, data(2, ack=False))
                air.transmit(sender, data(1, bytes([number]), ack=False))
            await asyncio.sleep(1)
            assert bool(bystander.heard) == busy
            out.extend(payload for _, payload, _ in ear.heard)

        clock = Clock(warp=True)
        clock.run(body(Air(clock, seed)))
        return out

    assert heard(1, busy=False) == heard(1, busy=True)
    assert heard(1, busy=False) != heard(2, busy=False)


async def test_a_sniffer_sees_frames_and_acknowledgements_with_the_pending_bit(air: Air) -> None:
    sender, parent = Ear(air, METER, 5), Ear(air, HUB, 0)
    parent.pending = True
    frames: list[MacFrame] = []
    end = air.capture(frames.append)
    outcomes: list[tuple[bool, bool]] = []
    air.transmit(sender, data(0, b"\x04", kind=MacKind.COMMAND), lambda acked, pending: outcomes.append((acked, pending)))
    await asyncio.sleep(0.01)
    assert outcomes == [(True, True)]
    assert [frame.octets.hex() for frame in frames] == ["63880901000000050004", "120009"]
    assert {frame.channel for frame in frames} == {15}
    end()
    air.transmit(sender, data(0))
    await asyncio.sleep(0.01)
    assert len(frames) == 2


def test_energy_is_the_noise_floor_unless_something_is_set() -> None:
    air = Air(Clock(warp=True))
    air.set_energy(20, -40)
    assert (air.energy(15), air.energy(20)) == (-95, -40)


async def test_captured_frames_of_one_channel_have_distinct_times_as_far_apart_as_their_octets_take(air: Air) -> None:
    frames: list[MacFrame] = []
    air.capture(frames.append)
    coordinator = Coordinator(air)
    coordinator.form(15)
    coordinator.permit(METER, LINK_KEY)
    await StackNode(air, METER).join(LINK_KEY)
    seen = [frame for frame in frames if frame.channel == 15]
    assert len(seen) > 5
    for one, following in pairwise(seen):
        assert following.time - one.time >= (len(one.octets) + 8) * 32e-6 - 1e-6
