"""The HAN in memory: who hears whom, and what each thing that is off, unknown or elsewhere makes of a message, a join and a return."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import aes_mmo
from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, HanEvent, HanEventKind, NetworkSettings, SimpleDescriptor
from firmware_emu.han.inter_pan import InterPanFrame, InterPanSender
from firmware_emu.ids import Eui64
from hil.radio.air.phy import GFSK, sub_ghz
from hil.radio.nodes.memory_han import DualBandRadio, Han, MemoryNode, MemoryRadio, Port
from tests.radio.radio_bench import DISPLAY, HUB, LINK_KEY, METER, OTHER_KEY

PAN = Eui64.parse("00db1234567890a1")
FRAME = ApsFrame(0x0702, b"hello", 1, 2)


class Home:
    """A hub on its network and a meter that has joined it."""

    def __init__(self, radio: type[MemoryRadio] = MemoryRadio) -> None:
        self.han = Han()
        self.hub = radio(self.han, HUB)
        self.meter = MemoryNode(self.han, METER)
        self.events: list[HanEvent] = []
        self.heard: list[tuple[Eui64, bytes]] = []
        for port in (self.hub, self.meter):
            port.receiver = lambda sender, frame: self.heard.append((sender, frame.payload))

    async def up(self) -> None:
        await self.hub.start(self.events.append)
        await self.hub.form(NetworkSettings(PAN, channel=15))

    async def join(self) -> None:
        await self.up()
        await self.hub.permit(METER, LINK_KEY, 60)
        assert await self.meter.join(LINK_KEY) == HUB
        await asyncio.sleep(0)

    async def told(self) -> list[tuple[HanEventKind, Eui64]]:
        await asyncio.sleep(0)
        events, self.events[:] = list(self.events), []
        return [(one.kind, one.device) for one in events]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("", ""),
        ("the other is off", "does not acknowledge"),
        ("this one is off", "does not acknowledge"),
        ("the other left", "does not acknowledge"),
        ("this one left", "does not acknowledge"),
        ("another key", "no common link key"),
        ("no key", "no common link key"),
    ],
)
async def test_a_message_arrives_where_both_are_on_on_the_network_and_share_the_key(clock: Clock, broken: str, said: str) -> None:
    home = Home()
    await home.join()
    match broken:
        case "the other is off":
            home.meter.power(False)
        case "this one is off":
            home.hub.on = False
        case "the other left":
            await home.meter.leave()
        case "this one left":
            home.hub.on_network = False
        case "another key":
            await home.meter.import_link_key(HUB, OTHER_KEY)
        case "no key":
            home.meter.link_keys.clear()
            home.hub.link_keys.clear()
    if said:
        with pytest.raises(RadioError, match=said):
            await home.hub.send(METER, FRAME)
        assert not home.heard
        return
    began = clock.now()
    await home.hub.send(METER, FRAME)
    await asyncio.sleep(0)
    assert home.heard == [(HUB, b"hello")]
    assert clock.now() - began == pytest.approx(0.01)
    with pytest.raises(RadioError, match="does not acknowledge"):
        await home.hub.send(DISPLAY, FRAME)


async def test_a_sleepy_node_gets_its_messages_when_it_asks(clock: Clock) -> None:
    home = Home()
    await home.join()
    home.meter.awake = False
    await home.hub.send(METER, FRAME)
    await home.hub.broadcast(FRAME)
    await asyncio.sleep(0)
    assert not home.heard
    await home.meter.poll()
    await home.meter.poll()
    assert home.heard == [(HUB, b"hello")], "a broadcast is not kept"
    home.meter.awake = True
    await home.hub.broadcast(FRAME)
    await asyncio.sleep(0)
    assert home.heard == [(HUB, b"hello")] * 2
    home.meter.on = False
    await home.hub.broadcast(FRAME)
    await asyncio.sleep(0)
    assert len(home.heard) == 2


async def test_endpoints_are_found_by_the_side_of_their_clusters(clock: Clock) -> None:
    home = Home()
    await home.join()
    home.meter.add_endpoint(SimpleDescriptor(1, 0x0500, (0x0702,), (0x0704,)))
    home.meter.add_endpoint(SimpleDescriptor(2, 0x0500, (0x0704,), ()))
    assert await home.hub.match_descriptors(METER, 0x0704, server=True) == (2,)
    assert await home.hub.match_descriptors(METER, 0x0704, server=False) == (1,)
    for name in ("on", "on_network"):
        home.meter.on, home.meter.on_network = True, True
        setattr(home.meter, name, False)
        with pytest.raises(RadioError, match="does not answer"):
            await home.hub.match_descriptors(METER, 0x0704, server=True)
    with pytest.raises(RadioError, match="does not answer"):
        await home.hub.match_descriptors(DISPLAY, 0x0704, server=True)


async def test_frames_of_no_network_go_to_an_eui64_and_tell_the_pan_of_their_sender(clock: Clock) -> None:
    home, told = Home(), list[InterPanSender]()
    await home.join()
    terminal = Port(home.han, DISPLAY)
    terminal.inter_pan_receiver = home.hub.inter_pan_receiver = home.meter.inter_pan_receiver = lambda sender, frame: told.append(sender)
    frame = InterPanFrame(0x0800, b"x")
    await terminal.send_inter_pan(HUB, 0xFFFF, frame)
    await home.hub.send_inter_pan(DISPLAY, 0xFFFF, frame)
    await asyncio.sleep(0)
    assert told == [InterPanSender(DISPLAY, 0xFFFF), InterPanSender(HUB, 0x1234)]
    for destination, off in ((0x1234, None), (METER, home.meter), (METER, home.hub), (Eui64(bytes(8)), None)):
        if off is not None:
            off.on = False
        with pytest.raises(RadioError, match="no acknowledgement of an inter-PAN frame"):
            await home.hub.send_inter_pan(destination, 0xFFFF, frame)
        home.meter.on = home.hub.on = True


@pytest.mark.parametrize(
    ("after_s", "key", "let_in"), [(59.7, LINK_KEY, True), (60.1, LINK_KEY, False), (0.0, OTHER_KEY, False), (None, LINK_KEY, False)]
)
async def test_a_device_joins_by_its_key_while_it_is_permitted(clock: Clock, after_s: float | None, key: bytes, let_in: bool) -> None:
    home = Home()
    await home.up()
    if after_s is not None:
        await home.hub.permit(METER, LINK_KEY, 60)
        await clock.sleep(after_s)
    if let_in:
        assert await home.meter.join(key) == HUB
        assert await home.told() == [(HanEventKind.JOINED, METER)]
        assert home.meter.joined
        assert (home.meter.centre, home.meter.extended_pan_id) == (HUB, PAN)
        assert home.hub.link_keys[METER] == home.meter.link_keys[HUB] == LINK_KEY
    else:
        with pytest.raises(RadioError, match="no transport key"):
            await home.meter.join(key)
        assert await home.told() == [(HanEventKind.REFUSED, METER)]
        assert not home.meter.joined


async def test_where_no_hub_is_there_is_no_beacon(clock: Clock) -> None:
    home = Home()
    assert await home.meter.beacons() == []
    with pytest.raises(RadioError, match="no beacon"):
        await home.meter.join(LINK_KEY)
    with pytest.raises(RadioError, match="was on no network"):
        await home.meter.rejoin()
    await home.join()
    (one,) = await home.meter.beacons()
    beacon = one.beacon
    assert (one.channel, beacon.pan, beacon.source, beacon.permit, beacon.extended_pan, beacon.coordinator) == (
        15,
        0x1234,
        0,
        True,
        PAN,
        True,
    )
    await home.hub.forbid()
    assert not (await home.meter.beacons())[0].beacon.permit
    for name in ("on", "on_network"):
        setattr(home.hub, name, False)
        assert await home.meter.beacons() == []
        with pytest.raises(RadioError, match="no beacon"):
            await home.meter.rejoin()
        with pytest.raises(RadioError, match="no beacon"):
            await home.meter.join(LINK_KEY)
        setattr(home.hub, name, True)
    home.meter.extended_pan_id = Eui64(bytes(8))
    with pytest.raises(RadioError, match="no beacon"):
        await home.meter.rejoin()


async def test_a_device_comes_back_by_its_link_key_and_to_another_hub_by_its_hash(clock: Clock) -> None:
    home = Home()
    await home.join()
    await home.told()
    assert await home.meter.rejoin() == HUB
    assert await home.told() == [(HanEventKind.REJOINED, METER)]
    assert await home.meter.resume()
    assert await home.told() == [(HanEventKind.REJOINED, METER)]
    home.hub.link_keys.clear()
    home.hub.permitted.clear()
    with pytest.raises(RadioError, match="no transport key"):
        await home.meter.rejoin()
    assert await home.told() == [(HanEventKind.REFUSED, METER)]
    new = MemoryRadio(home.han, DISPLAY)
    await new.start(home.events.append)
    await new.form(NetworkSettings(PAN, channel=15))
    assert await home.meter.resume()
    assert not await home.told(), "it is another's network"
    await new.permit(METER, LINK_KEY, 60)
    with pytest.raises(RadioError, match="no transport key"):
        await home.meter.rejoin()
    await new.permit(METER, aes_mmo(LINK_KEY), 60)
    assert await home.meter.rejoin() == DISPLAY
    assert home.meter.link_keys == {DISPLAY: aes_mmo(LINK_KEY)}
    await new.permit(METER, OTHER_KEY, 10)
    assert new.admits(METER, OTHER_KEY)
    await clock.sleep(10.1)
    assert not new.admits(METER, OTHER_KEY)
    assert new.admits(METER, aes_mmo(LINK_KEY))


async def test_a_hub_remembers_its_network_and_forms_another_with_a_key_of_its_own(clock: Clock) -> None:
    home = Home()
    assert await home.hub.resume() is None
    assert not home.hub.on_network
    began = clock.now()
    await home.join()
    first = home.hub.network
    assert first is not None
    assert (first.pan_id, first.network_key) == (0x1234, b"\x01" * 16)
    assert clock.now() - began == pytest.approx(0.4), "starting, forming and joining take their tenths"
    await home.hub.stop()
    home.hub.tell(HanEventKind.JOINED, METER)
    home.events.clear()
    assert await home.told() == []
    await home.hub.start(home.events.append)
    assert await home.hub.resume() == first
    again = await home.hub.form(NetworkSettings(PAN, channel=15))
    assert again.network_key == b"\x02" * 16
    assert not home.hub.link_keys
    given = await home.hub.form(NetworkSettings(PAN, channel=15, network_key=b"k" * 16))
    assert given.network_key == b"k" * 16
    await home.hub.permit(METER, LINK_KEY, 60)
    await home.hub.remove(METER)
    assert not home.meter.joined
    assert METER not in home.hub.permitted
    home.meter.power(False)
    for device in (METER, DISPLAY):
        with pytest.raises(RadioError, match="does not answer"):
            await home.hub.remove(device)


async def test_two_devices_get_a_link_key_where_the_hub_knows_both_and_all_are_there(clock: Clock) -> None:
    home = Home()
    await home.join()
    display = MemoryNode(home.han, DISPLAY)
    await home.hub.permit(DISPLAY, OTHER_KEY, 60)
    await display.join(OTHER_KEY)
    await home.meter.request_link_key(DISPLAY)
    assert home.meter.link_keys[DISPLAY] == display.link_keys[METER] == aes_mmo(METER.octets + DISPLAY.octets)
    for one, name in ((home.hub, "on"), (display, "on"), (display, "on_network"), (home.meter, "on"), (home.meter, "on_network")):
        setattr(one, name, False)
        with pytest.raises(RadioError, match="gave no link key"):
            await home.meter.request_link_key(DISPLAY)
        setattr(one, name, True)
    del home.hub.link_keys[DISPLAY]
    with pytest.raises(RadioError, match="gave no link key"):
        await home.meter.request_link_key(DISPLAY)


async def test_a_node_below_1_ghz_meets_a_hub_on_its_channel_there(clock: Clock) -> None:
    home = Home(DualBandRadio)
    hub = home.hub
    assert isinstance(hub, DualBandRadio)
    await home.up()
    await hub.permit(METER, LINK_KEY, 600)
    home.meter.sub_ghz = sub_ghz(28, 5)
    with pytest.raises(RadioError, match="no beacon"):
        await home.meter.join(LINK_KEY)
    await hub.start_sub_ghz(29, 3)
    assert await home.meter.join(LINK_KEY) == HUB
    assert home.meter.sub_ghz == sub_ghz(29, 3), "its scan finds the channel"
    assert await hub.on_sub_ghz() == {METER}
    await hub.send(METER, FRAME)
    await home.meter.send(HUB, FRAME)
    total, shares = await hub.sub_ghz_duty_cycle()
    for _ in range(499):
        await hub.send(METER, FRAME)
    total, shares = await hub.sub_ghz_duty_cycle()
    assert shares == {METER: round(10_000 * 500 * GFSK.air_s(len(FRAME.payload) + 45) / 3600)}
    assert total == shares[METER]
    await clock.sleep(3601)
    assert await hub.sub_ghz_duty_cycle() == (0, {})
    home.meter.move(28 << 27 | 1 << 5)
    with pytest.raises(RadioError, match="does not acknowledge"):
        await hub.send(METER, FRAME)
    hub.energy[28, 5] = -60
    began = clock.now()
    assert await hub.sub_ghz_energy(28 << 27 | 0b100001) == {(28, 0): -95, (28, 5): -60}
    assert clock.now() - began == pytest.approx(1)
