"""A hub, a meter and the frames between them."""

from __future__ import annotations

import asyncio

from firmware_emu.clock import Clock
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link
from hil.radio.nodes.node import StackNode
from tests.radio.radio_bench import EXTENDED_PAN, HUB, LINK_KEY, METER, Coordinator, Pcap


class Home:
    """A hub's stack, a meter and the frames between them."""

    def __init__(self, clock: Clock, seed: int = 1, link: Link | None = None) -> None:
        self.clock = clock
        self.air = Air(self.clock, seed, link)
        self.pcap = Pcap(self.air)
        self.hub = Coordinator(self.air)
        self.meter = StackNode(self.air, METER)
        self.meter.add_endpoint(SimpleDescriptor(1, 0x0501, (0x0702, 0x0800), (0x000A,)))
        self.heard: list[tuple[Eui64, ApsFrame]] = []
        self.meter.receiver = lambda sender, frame: self.heard.append((sender, frame))

    async def join(self, *, sleepy: bool = False) -> None:
        if not self.hub.stack.running:
            self.hub.form()
        self.hub.permit(METER)
        assert await self.meter.join(LINK_KEY, extended_pan_id=EXTENDED_PAN, sleepy=sleepy) == HUB
        await asyncio.sleep(1)


def frame(payload: bytes, *, secured: bool = True) -> ApsFrame:
    return ApsFrame(0x0702, payload, 1, 1, secured)
