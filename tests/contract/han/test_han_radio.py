"""Contract of every coordinator's radio and every Device's radio: the same tests on virtual and on real dongles."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, HanEventKind, NetworkSettings
from firmware_emu.han.inter_pan import InterPanFrame, InterPanSender
from firmware_emu.ids import Eui64
from hil.radio.nodes.node import StackNode
from tests.contract.han.han_bench import (
    HUB_ENDPOINT,
    KEYS,
    LINK_KEY,
    METER_ENDPOINT,
    METERING,
    STRANGER,
    TUNNEL,
    Home,
)

KEY, OTHER_KEY = bytes(range(16)), bytes(range(16, 32))


@pytest.mark.requirement("CH-02")
@pytest.mark.requirement("CH-33")
async def test_a_network_is_formed_with_the_extended_pan_and_channel_asked_for(home: Home) -> None:
    formed = await home.radio.form(NetworkSettings(home.radio.eui64, channel=20, pan_id=0x1234, network_key=KEY))
    assert (formed.extended_pan_id, formed.channel, formed.pan_id) == (home.radio.eui64, 20, 0x1234)
    assert formed.network_key == KEY
    assert KEY.hex() not in repr(formed)


@pytest.mark.requirement("CH-02")
async def test_a_device_with_the_right_install_code_joins_and_is_told_of(home: Home) -> None:
    await home.form()
    await home.radio.permit(home.meter, LINK_KEY, 120)
    assert await home.node.join(LINK_KEY, extended_pan_id=home.settings.extended_pan_id) == home.radio.eui64
    assert await home.event(HanEventKind.JOINED) == home.meter
    assert home.node.joined


async def test_after_forming_again_over_a_network_each_frame_still_arrives_once(home: Home) -> None:
    await home.form()
    await home.join()
    await home.to_hub(b"once", secured=False)
    await home.clock.sleep(5)
    assert [home.at_hub.get_nowait()[1].payload for _ in range(home.at_hub.qsize())] == [b"once"]


async def test_a_device_with_a_wrong_install_code_does_not_join(home: Home) -> None:
    await home.form()
    await home.radio.permit(home.meter, LINK_KEY, 120)
    with pytest.raises(RadioError):
        await home.node.join(OTHER_KEY)
    await home.clock.sleep(5)
    assert not home.node.joined
    assert all(home.events.get_nowait().kind is not HanEventKind.JOINED for _ in range(home.events.qsize()))
    await home.node.join(LINK_KEY)
    assert await home.event(HanEventKind.JOINED) == home.meter


@pytest.mark.parametrize("key", [LINK_KEY, b"ZigBeeAlliance09"])
async def test_an_unlisted_device_is_refused_even_with_the_well_known_key(home: Home, key: bytes) -> None:
    await home.form()
    await home.radio.permit(STRANGER, LINK_KEY, 120)
    with pytest.raises(RadioError):
        await home.node.join(key)
    if home.family == "ezsp":  # Z-Stack refuses without a word to its host
        assert await home.event(HanEventKind.REFUSED) == home.meter
    assert not home.node.joined


async def test_nobody_joins_while_joining_is_closed(home: Home) -> None:
    await home.form()
    with pytest.raises(RadioError):
        await home.node.join(LINK_KEY)
    await home.radio.permit(home.meter, LINK_KEY, 120)
    await home.radio.forbid()
    with pytest.raises(RadioError):
        await home.node.join(LINK_KEY)


@pytest.mark.parametrize(("wait_s", "joins"), [(1000, True), (3590, True), (3700, False)])
async def test_a_join_window_of_an_hour_stays_open_for_an_hour(home: Home, wait_s: int, joins: bool) -> None:
    if home.real:
        pytest.skip("takes an hour of real time on a real dongle")
    await home.form()
    await home.radio.permit(home.meter, LINK_KEY, 3600)
    await home.clock.sleep(wait_s)
    if joins:
        await home.node.join(LINK_KEY)
    else:
        with pytest.raises(RadioError):
            await home.node.join(LINK_KEY)


@pytest.mark.requirement("CH-03")
@pytest.mark.parametrize("secured", [False, True])
@pytest.mark.parametrize("length", [1, 65, 66, 82, 83, 1250])
async def test_messages_of_every_length_pass_both_ways_unaltered(home: Home, length: int, secured: bool) -> None:
    await home.join()
    await home.share(KEY)
    payload = bytes(n % 251 for n in range(length))
    await home.to_meter(payload, secured=secured)
    source, frame = await home.meter_got()
    assert (source, frame.payload, frame.secured, frame.cluster) == (home.radio.eui64, payload, secured, METERING)
    assert (frame.source_endpoint, frame.destination_endpoint) == (HUB_ENDPOINT, METER_ENDPOINT)
    await home.to_hub(payload, secured=secured)
    source, frame = await home.hub_got()
    assert (source, frame.payload, frame.secured, frame.cluster) == (home.meter, payload, secured, TUNNEL)
    assert frame.lqi is not None


async def test_many_messages_at_once_all_arrive_once(home: Home) -> None:
    await home.join()
    await home.share(KEY)
    texts = [bytes([n]) * (1 + 7 * n) for n in range(24)]
    await asyncio.gather(*(home.to_meter(text) for text in texts), *(home.to_hub(text) for text in texts))
    await home.clock.sleep(2)
    for queue in (home.at_meter, home.at_hub):
        assert sorted(queue.get_nowait()[1].payload for _ in range(queue.qsize())) == sorted(texts)


async def test_endpoints_are_found_by_cluster_and_side(home: Home) -> None:
    await home.join()
    assert await home.radio.match_descriptors(home.meter, METERING, server=True) == (METER_ENDPOINT,)
    assert await home.radio.match_descriptors(home.meter, METERING, server=False) == ()
    assert await home.node.match_descriptors(home.radio.eui64, KEYS, server=True) == (HUB_ENDPOINT,)


async def test_a_broadcast_reaches_the_device(home: Home) -> None:
    await home.join()
    await home.radio.broadcast(ApsFrame(METERING, b"to all", HUB_ENDPOINT, 0xFF, secured=False))
    source, frame = await home.meter_got()
    assert (source, frame.payload) == (home.radio.eui64, b"to all")


async def test_a_secured_message_needs_the_same_link_key_at_both_ends(home: Home) -> None:
    await home.join()
    await home.share(KEY)
    await home.radio.import_link_key(home.meter, OTHER_KEY)
    with pytest.raises(RadioError):
        await home.to_meter(b"unreadable")
    await home.node.import_link_key(home.radio.eui64, OTHER_KEY)
    await home.to_meter(b"readable")
    assert (await home.meter_got())[1].payload == b"readable"
    assert home.at_meter.empty()


async def test_a_sleepy_device_gets_its_messages_when_it_asks(home: Home) -> None:
    await home.join(sleepy=True)
    await home.share(KEY)
    await home.clock.sleep(60)
    sending = asyncio.ensure_future(home.to_meter(b"wake up"))
    await home.clock.sleep(1)
    assert home.at_meter.empty()
    await home.node.poll()
    await sending
    assert (await home.meter_got())[1].payload == b"wake up"
    await home.to_hub(bytes(1250))
    assert len((await home.hub_got())[1].payload) == 1250


async def test_a_message_to_nobody_is_an_error_that_names_the_device(home: Home) -> None:
    await home.form()
    with pytest.raises(RadioError, match=str(STRANGER)):
        await home.radio.send(STRANGER, ApsFrame(METERING, b"", HUB_ENDPOINT, 1))


async def test_the_network_its_devices_and_keys_outlive_a_restart_of_the_program(home: Home) -> None:
    await home.join()
    await home.share(KEY)
    await home.to_meter(b"before")
    await home.radio.stop()
    home.radio = await home.start_radio()
    assert await home.radio.resume() == home.settings
    await home.to_hub(b"after")
    assert (await home.hub_got())[0] == home.meter
    await home.to_meter(bytes(200))
    assert [(await home.meter_got())[1].payload for _ in range(2)] == [b"before", bytes(200)]


async def test_a_dongle_without_a_network_says_so(home: Home) -> None:
    if home.real:
        pytest.skip("a real dongle may remember a network")
    assert await home.radio.resume() is None
    with pytest.raises(RadioError, match="form or resume"):
        await home.radio.broadcast(ApsFrame(METERING, b"", HUB_ENDPOINT, 0xFF, secured=False))


async def test_a_device_goes_on_with_its_network_after_a_power_cut(home: Home) -> None:
    await home.join()
    await home.share(KEY)
    home.node.power(False)
    await home.clock.sleep(10)
    home.node.power(True)
    assert await home.node.resume()
    await home.to_hub(b"back again")
    assert (await home.hub_got())[1].payload == b"back again"


async def test_a_removed_device_is_off_the_network_and_its_key_is_forgotten(home: Home) -> None:
    await home.join()
    await home.share(KEY)
    await home.radio.remove(home.meter)
    assert await home.event(HanEventKind.LEFT) == home.meter
    await home.clock.sleep(1)
    assert not home.node.joined
    with pytest.raises(RadioError):
        await home.to_meter(b"gone")


async def test_a_new_network_forgets_the_old_one(home: Home) -> None:
    await home.join()
    old = home.settings
    home.settings = NetworkSettings(Eui64.parse("00db1234567890b0"), channel=old.channel)
    await home.form()
    assert (home.settings.extended_pan_id, home.settings.network_key != old.network_key) == (Eui64.parse("00db1234567890b0"), True)
    with pytest.raises(RadioError):
        await home.to_meter(b"to the old one")


@pytest.mark.parametrize("off_s", [0.0, 20.0])
async def test_a_dongle_that_resets_is_opened_again_and_goes_on(home: Home, off_s: float) -> None:
    if home.real:
        pytest.skip("needs a dongle whose supply the bench switches")
    await home.join()
    await home.share(KEY)
    home.server.power(False)
    await home.clock.sleep(off_s)
    home.server.power(True)
    assert await home.event(HanEventKind.RESET) == home.radio.eui64
    await home.to_meter(b"once more")
    assert (await home.meter_got())[1].payload == b"once more"


async def test_a_rejoin_without_security_moves_nobody_and_is_not_told_until_the_device_announces_itself(home: Home) -> None:
    await home.join()
    await home.share(KEY)
    home.radio.trust_centre_join(0x4242, home.meter, update=3, decision=0)
    await home.to_hub(b"here all the time")
    assert (await home.hub_got())[0] == home.meter
    await home.to_meter(b"where it was")
    assert (await home.meter_got())[1].payload == b"where it was"
    assert home.events.empty()


async def test_an_address_that_went_stale_is_sought_on_the_air_and_found_again(home: Home) -> None:
    if home.real:
        pytest.skip("needs a dongle whose tables the bench changes")
    await home.join()
    for _ in range(2):
        home.radio._book.learn(home.meter, 0x4242)
        home.server.ncp.stack.nwk.learn(0x4242, home.meter)
        with pytest.raises(RadioError):
            await home.to_meter(b"lost", secured=False)
        await home.to_meter(b"found", secured=False)
        assert (await home.meter_got())[1].payload == b"found"
        await home.clock.sleep(301)


async def test_a_dongle_that_stays_away_is_an_error_that_says_what_to_do(home: Home) -> None:
    if home.real:
        pytest.skip("needs a dongle whose supply the bench switches")
    await home.join()
    home.server.power(False)
    with pytest.raises(RadioError):
        await home.to_meter(b"lost")
    with pytest.raises(RadioError, match="plug it in"):
        await home.to_meter(b"lost")


@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_new_network_key_reaches_every_device_and_outlives_a_restart(home: Home, sleepy: bool) -> None:
    await home.join(sleepy=sleepy)
    await home.share(KEY)
    await home.radio.give_network_key(OTHER_KEY)
    await home.clock.sleep(1)
    await home.node.poll()
    assert (await home.radio.switch_network_key()).network_key == OTHER_KEY
    await home.clock.sleep(1)
    await home.node.poll()
    await home.to_meter(b"under the new key")
    assert (await home.meter_got())[1].payload == b"under the new key"
    await home.radio.stop()
    home.radio = await home.start_radio()
    settings = await home.radio.resume()
    assert settings is not None
    assert settings.network_key == OTHER_KEY
    await home.to_hub(b"still there")
    assert (await home.hub_got())[1].payload == b"still there"


async def test_a_device_of_no_network_talks_to_the_hub_in_frames_of_no_network(home: Home) -> None:
    if not isinstance(home.node, StackNode):
        pytest.skip("needs a Device's radio that sends frames of its own making")
    await home.form()
    at_hub: asyncio.Queue[tuple[InterPanSender, InterPanFrame]] = asyncio.Queue()
    at_terminal: asyncio.Queue[tuple[InterPanSender, InterPanFrame]] = asyncio.Queue()
    if home.family != "ezsp":
        pytest.skip("needs firmware that passes inter-PAN frames: Z-Stack 3 does not")
    home.radio.inter_pan_receiver = lambda sender, frame: at_hub.put_nowait((sender, frame))
    home.node.inter_pan_receiver = lambda sender, frame: at_terminal.put_nowait((sender, frame))
    (found,) = await home.node.beacons()
    home.node.listen_inter_pan(found.channel)
    asked, answered = InterPanFrame(KEYS, b"initiate" * 10), InterPanFrame(KEYS, b"response")
    await home.node.send_inter_pan(home.radio.eui64, found.beacon.pan, asked)
    assert await at_hub.get() == (InterPanSender(home.meter, 0xFFFF), asked)
    await home.radio.send_inter_pan(home.meter, 0xFFFF, answered)
    assert await at_terminal.get() == (InterPanSender(home.radio.eui64, found.beacon.pan), answered)
    with pytest.raises(RadioError):
        await home.radio.send_inter_pan(STRANGER, 0xFFFF, answered)
