"""Nodes on the air: joining, messages both ways, sleep, loss, power cuts, refusals."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import AirReader, MacKind, MacPdu, NwkPdu
from hil.radio.nodes.node import StackNode
from hil.radio.stack.aps import PIECE
from hil.radio.stack.nwk import Auxiliary
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import RESERVE
from hil.radio.stack.trust import Decision, Update
from tests.radio.node_home import Home, frame
from tests.radio.radio_bench import DISPLAY, EXTENDED_PAN, HUB, LINK_KEY, METER, OTHER_KEY


@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_device_joins_with_its_permitted_key_and_talks_both_ways(clock: Clock, sleepy: bool) -> None:
    home = Home(clock)
    await home.join(sleepy=sleepy)
    assert home.hub.joins == [(METER, Update.UNSECURED_JOIN, Decision.USE_PRECONFIGURED_KEY)]
    await home.meter.send(HUB, frame(b"reading"))
    await home.meter.send(HUB, frame(b"in the clear of APS", secured=False))
    assert home.hub.payloads == [b"reading", b"in the clear of APS"]
    assert [message.pdu.secured for message in home.hub.received if message.pdu.profile] == [True, False]
    assert await home.hub.send(METER, b"command") is Status.SUCCESS
    assert [(sender, got.payload, got.secured) for sender, got in home.heard] == [(HUB, b"command", True)]
    assert await home.meter.match_descriptors(HUB, 0x0019, server=True) == (1,)
    assert await home.meter.match_descriptors(HUB, 0x0704, server=False) == (1,)
    assert await home.meter.match_descriptors(HUB, 0x0704, server=True) == ()


async def test_a_device_without_a_permitted_key_is_denied_and_told_so_by_name(clock: Clock) -> None:
    home = Home(clock)
    home.hub.form()
    home.hub.permit(DISPLAY)
    with pytest.raises(RadioError) as refused:
        await home.meter.join(LINK_KEY)
    assert refused.value.status == "NO_NETWORK_KEY_RECEIVED"
    assert home.hub.joins == [(METER, Update.UNSECURED_JOIN, Decision.DENY_JOIN)]
    assert not home.meter.joined
    assert METER not in home.hub.stack.tokens.children


async def test_a_device_with_the_wrong_key_gets_nothing_it_can_open_and_is_forgotten(clock: Clock) -> None:
    home = Home(clock)
    home.hub.form()
    home.hub.permit(METER, OTHER_KEY)
    with pytest.raises(RadioError):
        await home.meter.join(LINK_KEY)
    await asyncio.sleep(20)
    assert home.hub.joins[-1] == (METER, Update.LEFT, Decision.NO_ACTION)
    assert not home.hub.stack.tokens.children


@pytest.mark.parametrize(("permitted", "wanted"), [(False, EXTENDED_PAN), (True, DISPLAY)])
async def test_a_device_finds_no_network_that_is_closed_or_another(clock: Clock, permitted: bool, wanted: Eui64) -> None:
    home = Home(clock)
    home.hub.form()
    if permitted:
        home.hub.permit(METER)
    with pytest.raises(RadioError) as refused:
        await home.meter.join(LINK_KEY, extended_pan_id=wanted)
    assert refused.value.status == "NO_BEACONS"


async def test_the_join_window_closes_by_itself(clock: Clock) -> None:
    home = Home(clock)
    home.hub.form()
    home.hub.permit(METER, seconds=30)
    await asyncio.sleep(31)
    assert home.hub.statuses[-1] is Status.NETWORK_CLOSED
    with pytest.raises(RadioError):
        await home.meter.join(LINK_KEY)


@pytest.mark.parametrize("size", [1, 65, 66, 61 * 3, 1250])
@pytest.mark.parametrize("sleepy", [False, True])
async def test_payloads_of_any_size_cross_in_fragments(clock: Clock, size: int, sleepy: bool) -> None:
    home = Home(clock)
    other = StackNode(home.air, DISPLAY)
    payload = bytes(number & 0xFF for number in range(size))
    got: list[bytes] = []
    other.add_endpoint(SimpleDescriptor(1, 0x0502))
    other.receiver = lambda sender, received: got.append(received.payload)

    await home.join()
    home.hub.permit(DISPLAY)
    await other.join(LINK_KEY, sleepy=sleepy)
    await home.meter.import_link_key(DISPLAY, OTHER_KEY)
    await other.import_link_key(METER, OTHER_KEY)
    await home.meter.send(DISPLAY, frame(payload))
    await asyncio.sleep(0.5)
    assert got == [payload]
    longest = max(len(seen.octets) for seen in home.pcap.frames)
    assert longest <= 125
    assert PIECE == 61


@pytest.mark.parametrize("loss", [0.1, 0.25])
async def test_messages_arrive_once_each_over_a_lossy_link(clock: Clock, loss: float) -> None:
    home = Home(clock, seed=7)
    await home.join()
    home.air.set_link(HUB, METER, Link(loss=loss, delay_s=0.001))
    for number in range(20):
        await home.meter.send(HUB, frame(bytes([number]) * 40))
        assert await home.hub.send(METER, bytes([number])) is Status.SUCCESS
    await asyncio.sleep(1)
    assert home.hub.payloads == [bytes([number]) * 40 for number in range(20)]
    assert [got.payload for _, got in home.heard] == [bytes([number]) for number in range(20)]


async def test_more_messages_than_the_counter_counts_arrive_in_no_time(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    for number in range(600):
        await home.meter.send(HUB, frame(number.to_bytes(2, "big")))
        if number % 3 == 0:
            await home.meter.broadcast(frame(b"to all" + number.to_bytes(2, "big")))
    await asyncio.sleep(0.1)
    payloads = home.hub.payloads
    assert [one for one in payloads if len(one) == 2] == [number.to_bytes(2, "big") for number in range(600)]
    assert len([one for one in payloads if len(one) == 8]) == 200


def test_the_same_seed_gives_the_same_frames() -> None:
    def run(seed: int) -> list[bytes]:
        home = Home(Clock(warp=True), seed)

        async def main() -> None:
            await home.join(sleepy=True)
            home.air.set_link(HUB, METER, Link(loss=0.3))
            for number in range(10):
                await home.meter.send(HUB, frame(bytes([number])))

        home.clock.run(main())
        return [seen.octets for seen in home.pcap.frames]

    assert run(3) == run(3)
    assert run(3) != run(4)


async def test_a_sleepy_device_gets_what_its_parent_holds_when_it_polls(clock: Clock) -> None:
    home = Home(clock)
    await home.join(sleepy=True)
    await asyncio.sleep(60)
    sent = len(home.pcap.frames)
    sending = asyncio.ensure_future(home.hub.send(METER, b"held"))
    await asyncio.sleep(2)
    assert home.heard == []
    assert len(home.pcap.frames) == sent
    await home.meter.poll()
    await asyncio.sleep(0)
    assert [got.payload for _, got in home.heard] == [b"held"]
    assert await sending is Status.SUCCESS


async def test_what_a_sleepy_device_does_not_fetch_in_time_is_dropped_and_the_sender_told(clock: Clock) -> None:
    home = Home(clock)
    await home.join(sleepy=True)
    await asyncio.sleep(60)
    assert await home.hub.send(METER, b"late") is Status.DELIVERY_FAILED
    await home.meter.poll()
    assert home.heard == []


async def test_nothing_happens_on_the_air_of_an_idle_home_for_a_day(clock: Clock) -> None:
    home = Home(clock)
    await home.join(sleepy=True)
    await asyncio.sleep(60)
    sent = len(home.pcap.frames)
    await asyncio.sleep(3 * 3600)
    assert len(home.pcap.frames) == sent


@pytest.mark.parametrize("sleepy", [False, True])
async def test_a_device_goes_on_after_a_power_cut_with_a_counter_that_never_repeats(clock: Clock, sleepy: bool, tmp_path: Path) -> None:
    home = Home(clock)
    home.meter = StackNode(home.air, METER, tokens=tmp_path / "meter.json")
    home.meter.add_endpoint(SimpleDescriptor(1, 0x0501))

    await home.join(sleepy=sleepy)
    await home.meter.send(HUB, frame(b"before"))
    before = home.meter.stack.nwk.counter
    home.meter.power(False)
    assert not home.meter.joined
    with pytest.raises(RadioError):
        await home.meter.send(HUB, frame(b"without power"))
    again = StackNode(home.air, METER, tokens=tmp_path / "meter.json")
    again.add_endpoint(SimpleDescriptor(1, 0x0501))
    assert await again.resume()
    assert before <= again.stack.nwk.counter <= before + RESERVE + 10
    await again.send(HUB, frame(b"after"))
    assert home.hub.payloads == [b"before", b"after"]
    if sleepy:
        assert (METER, Update.SECURED_REJOIN, Decision.NO_ACTION) in home.hub.joins


async def test_the_token_file_is_private_and_refuses_another_dongle(clock: Clock, tmp_path: Path) -> None:
    home = Home(clock)
    path = tmp_path / "meter.json"
    home.meter = StackNode(home.air, METER, tokens=path)

    await home.join()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(RadioError, match="belongs to the dongle"):
        StackNode(home.air, DISPLAY, tokens=path)
    path.write_text("not a token file")
    with pytest.raises(RadioError, match="not a token file"):
        StackNode(home.air, METER, tokens=path)


async def test_a_node_without_a_network_has_nothing_to_resume(clock: Clock) -> None:
    home = Home(clock)
    assert not await home.meter.resume()


async def test_a_removed_device_leaves_and_forgets_the_network(clock: Clock) -> None:
    home = Home(clock)
    left: list[bool] = []
    home.meter.on_left = lambda: left.append(True)

    await home.join()
    assert home.hub.stack.remove(METER, 0) is Status.SUCCESS
    await asyncio.sleep(1)
    assert left == [True]
    assert not home.meter.joined
    assert (METER, Update.LEFT, Decision.NO_ACTION) in home.hub.joins
    assert METER not in home.hub.stack.tokens.children
    assert not await home.meter.resume()


async def test_a_device_that_leaves_is_told_to_the_trust_centre(clock: Clock) -> None:
    home = Home(clock)
    await home.join(sleepy=True)
    await home.meter.leave()
    await asyncio.sleep(1)
    assert home.hub.joins[-1] == (METER, Update.LEFT, Decision.NO_ACTION)


async def test_a_parent_that_forgot_its_child_has_it_rejoin_at_the_next_poll(clock: Clock) -> None:
    home = Home(clock)
    await home.join(sleepy=True)
    await asyncio.sleep(60)
    home.hub.stack.nwk.children.forget(METER)
    await home.meter.poll()
    await asyncio.sleep(5)
    assert home.meter.joined
    assert METER in home.hub.stack.tokens.children
    await home.meter.send(HUB, frame(b"back"))
    assert home.hub.payloads == [b"back"]


async def test_an_end_device_silent_for_its_timeout_is_forgotten(clock: Clock) -> None:
    home = Home(clock)
    await home.join(sleepy=True)
    await asyncio.sleep(60)
    await asyncio.sleep(60 * 2**8 + 60)
    assert METER not in home.hub.stack.tokens.children
    assert (METER, False) in home.hub.children


async def test_a_new_link_key_replaces_the_old_one_on_both_sides(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    await home.meter.import_link_key(HUB, OTHER_KEY)
    with pytest.raises(RadioError):
        await home.meter.send(HUB, frame(b"only one side has it"))
    home.hub.stack.import_link_key(0, METER, OTHER_KEY)
    await home.meter.send(HUB, frame(b"both have it"))
    assert home.hub.payloads == [b"both have it"]


async def test_a_replayed_frame_is_counted_and_dropped(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    await home.meter.send(HUB, frame(b"once"))
    replay = [MacPdu.decode(seen.octets) for seen in home.pcap.frames]
    recorded = next(pdu for pdu in replay if pdu.kind is MacKind.DATA and pdu.destination == 0 and len(pdu.payload) > 50)
    home.air.transmit(home.meter.stack.nwk.mac, replace(recorded, sequence=recorded.sequence ^ 0x55))
    await asyncio.sleep(1)
    assert home.hub.payloads == [b"once"]
    assert home.hub.stack.nwk.mac.counters["nwk_counter_failure"] == 1


async def test_every_secured_frame_of_a_run_has_a_counter_above_the_last_of_its_sender(clock: Clock) -> None:
    home = Home(clock)
    await home.join(sleepy=True)
    for number in range(5):
        await home.meter.send(HUB, frame(bytes([number]) * 60))
    last: dict[Eui64, int] = {}
    secured = 0
    for seen in home.pcap.frames:
        pdu = MacPdu.decode(seen.octets)
        if pdu.kind is MacKind.DATA:
            npdu = NwkPdu.decode(pdu.payload)
            if npdu.secured:
                auxiliary = Auxiliary.read(AirReader(npdu.payload))
                assert auxiliary.source is not None
                assert auxiliary.counter > last.get(auxiliary.source, -1)
                last[auxiliary.source] = auxiliary.counter
                secured += 1
    assert secured > 12


async def test_neighbours_talk_directly_and_through_the_hub_when_out_of_range(clock: Clock) -> None:
    home = Home(clock)
    other = StackNode(home.air, DISPLAY)
    got: list[bytes] = []
    other.add_endpoint(SimpleDescriptor(1, 0x0502))
    other.receiver = lambda sender, received: got.append(received.payload)

    await home.join()
    home.hub.permit(DISPLAY)
    await other.join(LINK_KEY)
    await home.meter.send(DISPLAY, frame(b"directly", secured=False))
    home.air.set_link(METER, DISPLAY, Link(loss=1.0))
    await home.meter.send(DISPLAY, frame(b"through the hub", secured=False))
    await home.meter.broadcast(frame(b"to all"))
    await asyncio.sleep(1)
    assert got == [b"directly", b"through the hub", b"to all"]
    assert home.hub.stack.nwk.mac.counters["relayed"] >= 2
    assert home.hub.payloads == [b"to all"]


async def test_a_sleepy_device_receives_broadcasts_from_its_parent(clock: Clock) -> None:
    home = Home(clock)
    other = StackNode(home.air, DISPLAY)
    other.add_endpoint(SimpleDescriptor(1, 0x0502))

    await home.join(sleepy=True)
    home.hub.permit(DISPLAY)
    await other.join(LINK_KEY)
    await other.broadcast(frame(b"to all"))
    await asyncio.sleep(0.1)  # on the air, and at the parent
    await home.meter.poll()
    await asyncio.sleep(0)
    assert [got.payload for _, got in home.heard] == [b"to all"]


async def test_secrets_do_not_show_in_what_is_printed(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    shown = repr(home.meter.stack.tokens) + repr(home.hub.stack.tokens)
    for secret in (LINK_KEY, home.hub.stack.tokens.network_key or b"", home.meter.stack.tokens.network_key or b""):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
