"""ZDO of a coordinator, whole: tables as they are, energy scans, and a channel change that moves everybody."""

from __future__ import annotations

import asyncio
import contextlib
import struct

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.han.base import SimpleDescriptor
from hil.radio.air.air import Air
from hil.radio.air.frames import ApsKind, ApsPdu, DeliveryMode
from hil.radio.nodes.node import StackNode
from hil.radio.stack import zdo
from hil.radio.stack.status import Status
from hil.radio.stack.trust import KeyStatus
from tests.radio.radio_bench import DISPLAY, HUB, LINK_KEY, METER, OTHER_KEY, Coordinator


class Home:
    """A coordinator, a router and a sleepy end device on one air."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.air = Air(self.clock, 1)

    async def build(self) -> None:
        self.hub = Coordinator(self.air)
        self.hub.form(15)
        self.meter, self.display = StackNode(self.air, METER), StackNode(self.air, DISPLAY)
        self.meter.add_endpoint(SimpleDescriptor(1, 0x0500, (0x0702,)))
        for node, key, sleepy in ((self.meter, LINK_KEY, False), (self.display, OTHER_KEY, True)):
            self.hub.permit(node.eui64, key)
            await node.join(key, sleepy=sleepy)
        await self.clock.sleep(1)

    async def ask(self, cluster: int, payload: bytes, destination: int | None = None) -> bytes:
        """Octets after the sequence in the answer to a request of the coordinator."""
        stack = self.hub.stack
        before = len(self.hub.received)
        short = stack.tokens.short if destination is None else destination
        stack.send_zdo(short, cluster, bytes([77]) + payload)
        for _ in range(200):
            await self.clock.sleep(0.05)
            for one in self.hub.received[before:]:
                if one.pdu.cluster == cluster | zdo.ANSWER:
                    return one.pdu.payload[1:]
        raise AssertionError("no answer")


async def test_row_17_a_coordinator_tells_its_neighbours_and_children_routes_and_bindings_to_itself(clock: Clock) -> None:
    home = Home(clock)

    await home.build()
    lqi, routes, bindings = (
        await home.ask(zdo.MGMT_LQI, b"\x00"),
        await home.ask(zdo.MGMT_RTG, b"\x00"),
        await home.ask(zdo.MGMT_BIND, b"\x00"),
    )
    status, total, start, count = lqi[:4]
    assert (status, total, start, count) == (0, 2, 0, 2)
    entries = [lqi[4 + 22 * at : 26 + 22 * at] for at in range(count)]
    told = {entry[8:16]: entry for entry in entries}
    assert set(told) == {METER.zigbee, DISPLAY.zigbee}
    assert told[DISPLAY.zigbee][18] & 3 == 2, "an end device"
    assert told[DISPLAY.zigbee][18] >> 2 & 3 == 0, "asleep"
    assert told[METER.zigbee][18] & 3 == 1, "a router"
    assert all(entry[:8] == home.hub.stack.tokens.extended_pan.zigbee for entry in entries)
    assert routes[0] == bindings[0] == 0


async def test_a_device_takes_and_drops_a_binding_and_a_coordinator_refuses_one_by_default(clock: Clock) -> None:
    home = Home(clock)

    await home.build()
    short = home.meter.stack.tokens.short
    binding = METER.zigbee + b"\x01" + struct.pack("<HB", 0x0702, 3) + HUB.zigbee + b"\x01"
    bound = await home.ask(zdo.BIND, binding, short)
    listed = await home.ask(zdo.MGMT_BIND, b"\x00", short)
    gone = await home.ask(zdo.UNBIND, binding, short)
    own = HUB.zigbee + b"\x01" + struct.pack("<HB", 0x000A, 3) + METER.zigbee + b"\x01"
    refused = await home.ask(zdo.BIND, own)
    home.hub.stack.binds = True  # as a host sets it by its policy
    assert await home.ask(zdo.BIND, own) != refused
    assert bound == gone == b"\x00"
    assert listed[1] == 1
    assert refused == bytes([zdo.NOT_AUTHORIZED])


async def test_an_energy_scan_is_answered_by_z_stack_and_not_by_ember(clock: Clock) -> None:
    home = Home(clock)
    request = (0x07FFF800).to_bytes(4, "little") + b"\x02\x01"

    await home.build()
    home.air.set_energy(20, -40)
    ember = await home.ask(zdo.MGMT_NWK_UPDATE, request)
    home.hub.stack.rules = zdo.Z_STACK
    z_stack = await home.ask(zdo.MGMT_NWK_UPDATE, request)
    assert ember == bytes([zdo.NOT_SUPPORTED])
    assert (z_stack[0], z_stack[9]) == (0, 16)
    assert z_stack[10 + 9] > max(z_stack[10 + at] for at in range(16) if at != 9), "channel 20 is the loud one"


@pytest.mark.parametrize("destination", [0xFFFF, 0xFFFC])
async def test_a_channel_change_that_is_broadcast_moves_the_network_and_its_devices_follow(clock: Clock, destination: int) -> None:
    home = Home(clock)

    await home.build()
    stack = home.hub.stack
    pdu = ApsPdu(
        ApsKind.DATA,
        stack.aps.next_sequence(),
        DeliveryMode.BROADCAST,
        cluster=zdo.MGMT_NWK_UPDATE,
        payload=b"\x01" + (1 << 25).to_bytes(4, "little") + bytes([zdo.CHANGE_CHANNEL, 1]),
    )
    sent: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
    assert stack.aps.send(destination, pdu, sent.set_result) is Status.SUCCESS
    assert await sent is Status.SUCCESS
    await home.clock.sleep(2)
    answered = await home.hub.send(METER, b"hello")
    channel, followed, statuses, answered = stack.tokens.channel, home.meter.stack.tokens.channel, home.hub.statuses, answered
    assert channel == followed == 25
    assert Status.CHANNEL_CHANGED in statuses
    assert answered is Status.SUCCESS


@pytest.mark.parametrize("allowed", [True, False])
async def test_the_trust_centre_gives_two_devices_one_link_key_when_its_policy_says_so(clock: Clock, allowed: bool) -> None:
    home = Home(clock)
    await home.build()
    home.hub.stack.trust.application_keys = allowed
    with contextlib.nullcontext() if allowed else pytest.raises(RadioError, match="gave no link key"):
        await home.meter.request_link_key(DISPLAY)
    await home.display.poll()
    await clock.sleep(2)
    one, other = home.meter.stack.link_key(DISPLAY), home.display.stack.link_key(METER)
    assert one == other
    assert (one is not None) == allowed
    told = KeyStatus.TC_APP_KEY_SENT_TO_REQUESTER if allowed else KeyStatus.TC_REJECTED_APP_KEY_REQUEST
    assert [status for _, status in home.hub.keys_told] == [told]
