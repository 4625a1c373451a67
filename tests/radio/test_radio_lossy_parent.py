"""A parent and its sleepy child over a link that loses one frame in five."""

from __future__ import annotations

import asyncio

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from hil.radio.air.air import Air, Link
from hil.radio.nodes.node import StackNode
from hil.radio.stack.status import Status
from tests.radio.radio_bench import EXTENDED_PAN, HUB, LINK_KEY, METER, OTHER_KEY, Coordinator

MESSAGES = 60
JOINS = 40


class Home:
    def __init__(self, clock: Clock, seed: int) -> None:
        self.air = Air(clock, seed)
        self.hub = Coordinator(self.air)
        self.heard: list[bytes] = []
        self.meter = StackNode(self.air, METER)
        self.meter.add_endpoint(SimpleDescriptor(1, 0x0501, (0x0702,), (0x000A,)))
        self.meter.receiver = lambda _, frame: self.heard.append(frame.payload)

    async def join(self) -> None:
        self.hub.form()
        self.hub.permit(METER)
        assert await self.meter.join(LINK_KEY, extended_pan_id=EXTENDED_PAN, sleepy=True) == HUB


async def test_what_a_parent_holds_for_a_sleepy_child_is_held_until_the_child_has_it(clock: Clock) -> None:
    """The poll's acknowledgement may be lost: then the child does not listen when the frame goes out, and asks again."""
    home = Home(clock, seed=3)

    await home.join()
    await home.air.clock.sleep(1)  # until the parent has heard that it is on the network, it keeps nothing for it
    home.hub.stack.import_link_key(0, METER, OTHER_KEY)
    await home.meter.import_link_key(HUB, OTHER_KEY)
    home.air.default = Link(loss=0.2)
    sent: list[bytes] = []
    for number in range(MESSAGES):
        payload = number.to_bytes(2, "big")
        task = asyncio.create_task(home.hub.send(METER, payload))
        await home.air.clock.sleep(0.05)
        await home.meter.send(HUB, ApsFrame(0x0702, b"poll", 1, 1))
        assert await task is Status.SUCCESS
        sent.append(payload)
        await home.air.clock.sleep(9)
    assert home.heard == sent


async def test_a_repeated_association_request_leaves_the_device_a_child(clock: Clock) -> None:
    """Its first acknowledgement is lost, so the request is repeated: a Device that associated also gets the network key."""
    home = Home(clock, seed=3)

    home.hub.form()
    home.air.default = Link(loss=0.2)
    without_key = 0
    for _ in range(JOINS):
        home.hub.permit(METER)
        try:
            await home.meter.join(LINK_KEY, extended_pan_id=EXTENDED_PAN, sleepy=True)
            await home.meter.leave()
        except RadioError as refused:
            without_key += refused.status == Status.NO_NETWORK_KEY_RECEIVED.name
        await home.air.clock.sleep(12)
    assert without_key <= JOINS // 10
