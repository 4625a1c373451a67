"""The same bench for every kind of node: a hub's radio on a virtual dongle, and a node bound to the stack or behind a dongle."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Self

from firmware_emu.clock import Clock
from firmware_emu.han.base import ApsFrame, HanEvent, HanNode, NetworkSettings, SimpleDescriptor
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.radio.air.air import Air
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.joiner import EzspNode
from hil.radio.nodes.node import StackNode

HUB = Eui64.parse("00db1234567890a0")


DEVICE = Eui64.parse("0011223344556677")


LINK_KEY = bytes.fromhex("66B6900981E1EE3CA4206B6B861C02BB")


@dataclass
class NodeBench:
    """A hub's radio and one node, on a warp clock."""

    kind: str
    clock: Clock
    events: list[HanEvent] = field(default_factory=list)
    at_hub: list[tuple[Eui64, ApsFrame]] = field(default_factory=list)
    at_node: list[tuple[Eui64, ApsFrame]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """The hub's network is formed, and the node is there; in the end both are closed."""
        air = self.air = Air(self.clock, 1)
        dongles = [NcpServer(air, HUB, 13, None, self.clock)]
        self.radio = ZigpyRadio(str(await dongles[0].serve_pty()), clock=self.clock, trace=Trace(self.clock.now))
        self.radio.add_endpoint(SimpleDescriptor(1, 0x0508, (0x000A, 0x0019), (0x0704,)))
        self.radio.receiver = lambda sender, frame: self.at_hub.append((sender, frame))
        await self.radio.start(self.events.append)
        await self.radio.form(NetworkSettings(HUB, channel=15))
        self.node: HanNode
        if self.kind == "stack":
            self.node = StackNode(air, DEVICE)
        else:
            dongles.append(NcpServer(air, DEVICE, 13, None, self.clock))
            self.node = EzspNode(str(await dongles[1].serve_pty()), clock=self.clock)
        self.node.add_endpoint(SimpleDescriptor(1, 0x0501, (0x0702,), (0x000A,)))
        self.node.receiver = lambda sender, frame: self.at_node.append((sender, frame))
        try:
            yield self
        finally:
            if isinstance(self.node, EzspNode):
                await self.node.stop()
            await self.radio.stop()
            for dongle in dongles:
                await dongle.close()

    async def join(self, *, sleepy: bool = False) -> None:
        """Permit, join, and let announcements settle."""
        await self.radio.permit(DEVICE, LINK_KEY, 120)
        assert await self.node.join(LINK_KEY, extended_pan_id=HUB, sleepy=sleepy) == HUB
        await self.clock.sleep(1)
