"""Air with time in it: how long frames take, who listens, what collides, what a channel's noise and a home's rooms do."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air import phy, rooms
from hil.radio.air.air import NOISE_DBM, SENSITIVITY_DBM, Air, Link, error_rate
from hil.radio.air.frames import MacKind, MacPdu
from hil.radio.air.timed_air import TimedAir
from hil.radio.nodes.node import StackNode
from hil.radio.stack.status import Status
from tests.radio.radio_bench import DISPLAY, EXTENDED_PAN, HUB, LINK_KEY, METER, Coordinator, Pcap


class Home:
    def __init__(self, clock: Clock, seed: int = 1, devices: tuple[Eui64, ...] = (METER,), *, timed: bool = True) -> None:
        self.clock = clock
        self.air = TimedAir(self.clock, seed) if timed else Air(self.clock, seed)
        self.pcap = Pcap(self.air)
        self.hub = Coordinator(self.air)
        self.nodes = [StackNode(self.air, device, channels=(15,)) for device in devices]
        for node in self.nodes:
            node.add_endpoint(SimpleDescriptor(1, 0x0501, (0x0702,), ()))

    async def join(self, channel: int = 15) -> None:
        self.hub.form(channel)
        for node in self.nodes:
            self.hub.permit(node.eui64)
            await node.join(LINK_KEY, extended_pan_id=EXTENDED_PAN)
            await asyncio.sleep(1)


def payload(node: StackNode, text: bytes) -> ApsFrame:
    return ApsFrame(0x0702, text, 1, 1)


@pytest.mark.parametrize("timed", [False, True])
async def test_a_frame_is_on_the_air_as_long_as_its_octets_take_and_then_acknowledged(clock: Clock, timed: bool) -> None:
    home = Home(clock, timed=timed)
    await home.join()
    home.pcap.frames.clear()
    await home.nodes[0].send(HUB, payload(home.nodes[0], bytes(40)))
    data, ack = home.pcap.frames[:2]
    assert MacPdu.decode(ack.octets).kind is MacKind.ACK
    # each has the time at which it begins: 4 + 1 + 1 + 2 octets beside the MPDU, 32 us each, 192 us between
    expected = (len(data.octets) + 8) * 32e-6 + 192e-6
    assert ack.time - data.time == pytest.approx(expected, abs=2e-6)


def test_the_same_messages_take_longer_below_one_gigahertz() -> None:
    taken = []
    for channel in (15, phy.sub_ghz(28, 3)):
        home = Home(Clock(warp=True))
        home.nodes[0]._channels = (channel,)

        async def main(home: Home = home, channel: int = channel) -> float:
            await home.join(channel)
            began = home.clock.now()
            for _ in range(20):
                await home.nodes[0].send(HUB, payload(home.nodes[0], bytes(60)))
            assert home.hub.payloads == [bytes(60)] * 20
            assert {frame.channel for frame in home.pcap.frames} == {channel}
            return home.clock.now() - began

        taken.append(home.clock.run(main()))
    assert 2.2 < taken[1] / taken[0] < 3.5


def test_nodes_that_hear_each_other_take_turns_and_hidden_ones_collide() -> None:
    lost = []
    for hidden in (False, True):
        home = Home(Clock(warp=True), devices=(METER, DISPLAY))

        async def main(home: Home = home, hidden: bool = hidden) -> int:
            await home.join()
            if hidden:
                home.air.set_link(METER, DISPLAY, Link(loss=1.0))
            before = home.air.collisions  # type: ignore[attr-defined]

            async def talk(node: StackNode) -> None:
                for _ in range(30):
                    await node.send(HUB, payload(node, bytes(60)))

            await asyncio.gather(*(talk(node) for node in home.nodes))
            assert len(home.hub.payloads) == 60
            collided: int = home.air.collisions - before  # type: ignore[attr-defined]
            return collided

        lost.append(home.clock.run(main()))
    assert lost[1] > 2 * max(1, lost[0])


async def test_a_channel_that_is_never_clear_lets_nobody_send(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    home.air.set_energy(15, -60)
    assert await home.hub.send(METER, b"into the noise") is Status.DELIVERY_FAILED
    assert isinstance(home.air, TimedAir)
    assert home.air.no_access > 0
    home.air.set_energy(15, NOISE_DBM)
    assert await home.hub.send(METER, b"now") is Status.SUCCESS


async def test_noise_on_the_channel_costs_the_weak_link_and_not_the_strong_one(clock: Clock) -> None:
    home = Home(clock, devices=(METER, DISPLAY), timed=False)
    await home.join()
    home.air.set_link(HUB, METER, Link.at(-85))
    home.air.set_link(HUB, DISPLAY, Link.at(-50))
    home.air.set_link(METER, DISPLAY, rooms.FAR)  # else the hub would go that way
    home.air.set_energy(15, -80)
    assert await home.hub.send(METER, b"weak") is Status.DELIVERY_FAILED
    assert await home.hub.send(DISPLAY, b"strong") is Status.SUCCESS


@given(st.integers(-130, 0), st.integers(0, 40))
def test_a_stronger_link_never_loses_more(rssi: int, stronger: int) -> None:
    weak, strong = Link.at(rssi), Link.at(rssi + stronger)
    assert 0.0 <= strong.loss <= weak.loss <= 1.0
    assert 0 <= weak.lqi <= strong.lqi <= 255
    assert error_rate(0) == 0.5
    assert (Link.at(SENSITIVITY_DBM - 20).loss, Link.at(SENSITIVITY_DBM + 20).loss) == (1.0, 0.0)


@given(st.integers(0, 255))
def test_channel_and_page_are_told_apart_as_ezsp_has_them(channel: int) -> None:
    page, number = phy.page_of(channel)
    assert phy.known(channel) == (channel in range(11, 27) or (page >= 28 and number < phy.PAGES[page]))
    if phy.known(channel):
        mask = 1 << number | (page << 27 if page else 0)
        assert phy.in_mask(mask) == (channel,)
        if page:
            assert phy.sub_ghz(page, number) == channel
    else:
        with pytest.raises(ValueError, match="is none"):
            phy.sub_ghz(page, number)


def test_the_same_seed_gives_the_same_collisions() -> None:
    def run(seed: int) -> list[tuple[float, bytes]]:
        home = Home(Clock(warp=True), seed, (METER, DISPLAY))

        async def main() -> None:
            await home.join()
            home.air.set_link(METER, DISPLAY, Link(loss=1.0))
            await asyncio.gather(*(node.send(HUB, payload(node, bytes(60))) for node in home.nodes for _ in range(5)))

        home.clock.run(main())
        began = home.pcap.frames[0].time
        return [(frame.time - began, frame.octets) for frame in home.pcap.frames]

    assert [octets for _, octets in run(3)] == [octets for _, octets in run(3)]
    assert run(3) != run(4)


BOARD = """
name = "long_house"
extends = "simulated"

[hub]
room = "hall"

[rooms.hall]
kitchen = -60

[rooms.kitchen]
garage = -70

[[device]]
name = "esme"
type = "ESME"
eui = "02-E5-3E-00-00-00-00-01"
install_code = "0102030405060708090A0B0C0D0E0F10"
room = "kitchen"

[[device]]
name = "gsme"
type = "GSME"
eui = "02-65-3E-00-00-00-00-01"
install_code = "1112131415161718191A1B1C1D1E1F20"
room = "garage"
"""


async def test_a_meter_in_a_far_room_joins_through_the_one_between(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "long_house.toml").write_text(BOARD, encoding="utf-8")
    board = load_board(str(tmp_path / "long_house.toml"))
    home = Home(clock)
    rooms.lay(board, home.air)
    esme, gsme = (StackNode(home.air, row.eui, channels=(15,)) for row in board.device)
    hub = Coordinator(home.air, board.hub.gpf)

    hub.form()
    for node, sleepy in ((esme, False), (gsme, True)):
        hub.permit(node.eui64)
        if sleepy:
            esme.stack.permit(60)
        await node.join(LINK_KEY, sleepy=sleepy)
        await asyncio.sleep(1)
    assert gsme.stack.tokens.parent_short == esme.stack.tokens.short
    assert home.air.link(board.hub.gpf, gsme.eui64).loss == 1.0
    for _ in range(3):
        await gsme.send(board.hub.gpf, payload(gsme, b"from the garage"))
    assert hub.payloads == [b"from the garage"] * 3
    strengths = [message.link.rssi for message in hub.received if message.pdu.profile]
    assert statistics.fmean(strengths) == -60


def test_a_room_that_is_on_no_map_is_told_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "long_house.toml").write_text(BOARD.replace('room = "garage"', 'room = "attic"'), encoding="utf-8")
    board = load_board(str(tmp_path / "long_house.toml"))
    with pytest.raises(BoardError, match=r"'attic' is no room of .* garage, hall, kitchen"):
        rooms.lay(board, Air(Clock(warp=True)))
