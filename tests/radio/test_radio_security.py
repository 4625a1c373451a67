"""The stack lets none of these through: replays, duplicates, keys in the clear, frames for a Device that has begun afresh."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import ProtectionError, RadioError
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from hil.radio.air.air import Air
from hil.radio.air.frames import ApsCommand, ApsKind, ApsPdu, NwkPdu
from hil.radio.nodes.node import StackNode
from hil.radio.stack.aps import DUPLICATE_S
from hil.radio.stack.nwk import KeyId
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import LAST_COUNTER
from tests.radio.radio_bench import EXTENDED_PAN, HUB, LINK_KEY, METER, OTHER_KEY, Coordinator


class Home:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.air = Air(self.clock, 1)
        self.hub = Coordinator(self.air)
        self.meter = self.node()

    def node(self) -> StackNode:
        node = StackNode(self.air, METER, channels=(15,))
        node.add_endpoint(SimpleDescriptor(1, 0x0501))
        return node

    async def join(self, node: StackNode | None = None, *, sleepy: bool = False) -> None:
        if not self.hub.stack.running:
            self.hub.form()
        self.hub.permit(METER)
        await (node or self.meter).join(LINK_KEY, extended_pan_id=EXTENDED_PAN, sleepy=sleepy)
        await asyncio.sleep(1)

    @property
    def counted(self) -> dict[str, int]:
        return self.hub.stack.nwk.mac.counters


def data(counter: int, payload: bytes, *, ack: bool = False) -> ApsPdu:
    return ApsPdu(
        ApsKind.DATA, counter, ack_request=ack, destination_endpoint=1, cluster=0x0702, profile=0x0109, source_endpoint=1, payload=payload
    )


async def test_an_aps_frame_repeated_in_a_fresh_nwk_frame_is_refused_by_its_counter(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    octets = home.meter.stack.aps.seal(data(200, b"once"), LINK_KEY, KeyId.LINK)
    for _ in range(2):
        home.meter.stack.nwk.send(0, octets)
        await asyncio.sleep(0.1)
    assert home.hub.payloads == [b"once"]
    assert home.counted["aps_frame_counter_failure"] == 1


async def test_a_nwk_frame_that_comes_again_under_a_new_mac_sequence_is_refused_by_its_counter(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    nwk = home.meter.stack.nwk
    octets = nwk._seal(NwkPdu(0, nwk.tokens.short, 30, 200, False, True, payload=data(200, b"once").encode()))
    for _ in range(2):
        nwk.mac.send(octets, 0)
        await asyncio.sleep(2 * DUPLICATE_S)  # the APS layer has forgotten it by then
    assert home.hub.payloads == [b"once"]
    assert home.counted["nwk_counter_failure"] == 1


async def test_a_retransmission_is_acknowledged_again_and_not_delivered_again(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    before = home.counted["tx_unicast"]
    for _ in range(3):
        home.meter.stack.nwk.send(0, data(200, b"once", ack=True).encode())
        await asyncio.sleep(0.1)
    assert home.hub.payloads == [b"once"]
    assert home.counted["aps_duplicate"] == 2
    assert home.counted["tx_unicast"] == before + 3


async def test_a_network_key_in_the_clear_is_not_taken(clock: Clock) -> None:
    home = Home(clock)
    home.hub.form()
    home.hub.permit(METER, OTHER_KEY)
    joining = asyncio.ensure_future(home.meter.join(LINK_KEY))
    await asyncio.sleep(1)
    child = home.hub.stack.tokens.children[METER]
    payload = bytes([ApsCommand.TRANSPORT_KEY, 1]) + bytes(16) + b"\x00" + METER.zigbee + HUB.zigbee
    home.hub.stack.nwk.send(child.short, ApsPdu(ApsKind.COMMAND, 1, addressed=False, payload=payload).encode(), secured=False)
    with pytest.raises(RadioError) as refused:
        await joining
    assert refused.value.status == "NO_NETWORK_KEY_RECEIVED"


async def test_data_without_network_security_is_dropped(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    home.meter.stack.nwk.send(0, data(200, b"in the clear").encode(), secured=False)
    await asyncio.sleep(0.1)
    assert home.hub.payloads == []
    assert home.counted["aps_unsecured"] == 1


async def test_what_was_held_for_a_device_is_dropped_when_it_joins_afresh(clock: Clock) -> None:
    home = Home(clock)
    heard: list[ApsFrame] = []

    await home.join(sleepy=True)
    await asyncio.sleep(60)
    sending = asyncio.ensure_future(home.hub.send(METER, b"for the old one"))
    await asyncio.sleep(0.1)
    home.meter.power(False)
    fresh = home.node()
    fresh.receiver = lambda sender, frame: heard.append(frame)
    await home.join(fresh, sleepy=True)
    assert sending.done()
    assert sending.result() is Status.DELIVERY_FAILED
    assert heard == []


async def test_a_message_under_a_key_the_other_side_does_not_hold_is_counted_and_fails(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    await home.meter.import_link_key(HUB, OTHER_KEY)
    with pytest.raises(RadioError) as failed:
        await home.meter.send(HUB, ApsFrame(0x0702, b"x", 1, 1))
    assert failed.value.status == "DELIVERY_FAILED"
    assert home.counted["aps_decryption_failure"] == 3
    assert home.hub.payloads == []


@pytest.mark.parametrize("layer", ["nwk", "aps"])
async def test_a_frame_counter_at_its_end_fails_what_is_sent_and_is_never_used(clock: Clock, layer: str) -> None:
    home = Home(clock)
    await home.join()
    await home.meter.import_link_key(HUB, OTHER_KEY)
    home.hub.stack.tokens.link_keys[0] = (METER, OTHER_KEY)
    part = home.meter.stack.nwk if layer == "nwk" else home.meter.stack.aps
    part._counter = LAST_COUNTER  # as a backup that was restored may say
    with pytest.raises(RadioError):
        await home.meter.send(HUB, ApsFrame(0x0702, b"x", 1, 1))
    assert home.meter.stack.nwk.mac.counters[f"{layer}_counter_end"] >= 1
    assert home.hub.payloads == []


async def test_the_last_frame_counter_is_sent_and_what_is_stored_stays_in_four_octets(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    home.meter.stack.nwk._counter = LAST_COUNTER - 1
    assert home.meter.stack.nwk.next_counter() == LAST_COUNTER - 1
    assert home.meter.stack.tokens.nwk_counter == LAST_COUNTER
    with pytest.raises(ProtectionError, match="at its end"):
        home.meter.stack.nwk.next_counter()
