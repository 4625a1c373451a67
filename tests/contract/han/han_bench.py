"""A coordinator and a Device on one HAN, virtual or real, opened and closed inside one event loop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.han.base import ApsFrame, HanEvent, HanEventKind, HanNode, NetworkSettings, SimpleDescriptor
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from hil.radio.air.air import Air
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.joiner import EzspNode
from hil.radio.nodes.node import StackNode
from hil.radio.znp.server import ZnpServer

HUB = Eui64.parse("00db1234567890a0")
METER = Eui64.parse("00db1234567890a1")
STRANGER = Eui64.parse("00db1234567890ff")
LINK_KEY = bytes.fromhex("66B6900981E1EE3CA4206B6B861C02BB")
"""Hash of install code 83FED3407A939723A5C639B26916D505 (reference zigbee-han 5)."""
METERING, TUNNEL, KEYS, TIME = 0x0702, 0x0704, 0x0800, 0x000A
HUB_ENDPOINT, METER_ENDPOINT = 3, 7
HUB_DONGLE, METER_DONGLE, HUB_FAMILY = "CHUB_RADIO", "CHUB_JOINER", "CHUB_RADIO_KIND"


class Home:
    """One HAN. ``kind``: stack (Device on the simulated stack), ezsp (Device behind a second virtual dongle), real (two dongles),
    znp (the hub's dongle is a virtual ZNP, the Device on the simulated stack)."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self._meter_servers: list[NcpServer] = []
        self.family = os.environ.get(HUB_FAMILY, "ezsp") if kind == "real" else "znp" if kind == "znp" else "ezsp"
        self.real = kind == "real"
        self.clock = Clock(warp=not self.real)
        self.trace = Trace(self.clock.now)
        self.records: list[Record] = []
        self.trace.subscribe(self.records.append)
        self.events: asyncio.Queue[HanEvent] = asyncio.Queue()
        self.at_hub: asyncio.Queue[tuple[Eui64, ApsFrame]] = asyncio.Queue()
        self.at_meter: asyncio.Queue[tuple[Eui64, ApsFrame]] = asyncio.Queue()
        self.settings = NetworkSettings(HUB, channel=15)
        self._folder = folder
        self._path = os.environ.get(HUB_DONGLE, "")
        self.server: NcpServer | ZnpServer
        self.radio: ZigpyRadio
        self.node: HanNode

    @property
    def meter(self) -> Eui64:
        return self.node.eui64

    async def open(self) -> None:
        if not self.real:
            self.air = Air(self.clock)
            tokens = self._folder / "hub.json"
            self.server = ZnpServer(self.air, HUB, tokens) if self.family == "znp" else NcpServer(self.air, HUB, tokens=tokens)
            self._path = str(await self.server.serve_pty())
        self.radio = await self.start_radio()
        self.node = await self.new_node(METER)

    async def start_radio(self) -> ZigpyRadio:
        """Another radio object on the hub's dongle, as after a restart of the program."""
        radio = ZigpyRadio(self._path, clock=self.clock, trace=self.trace, kind=self.family)
        radio.receiver = lambda source, frame: self.at_hub.put_nowait((source, frame))
        radio.add_endpoint(SimpleDescriptor(HUB_ENDPOINT, 0x0508, servers=(TIME, TUNNEL, KEYS), clients=(TUNNEL, METERING)))
        await radio.start(self.events.put_nowait)
        return radio

    async def new_node(self, eui64: Eui64) -> HanNode:
        node: HanNode
        descriptor = SimpleDescriptor(METER_ENDPOINT, 0x0501, servers=(METERING, TUNNEL), clients=(TIME, KEYS))
        if self.kind in ("stack", "znp"):
            node = StackNode(self.air, eui64)
            node.add_endpoint(descriptor)
        else:
            path = os.environ.get(METER_DONGLE, "")
            if not self.real:
                self.meter_server = NcpServer(self.air, eui64, tokens=self._folder / f"{eui64}.json")
                self._meter_servers.append(self.meter_server)
                path = str(await self.meter_server.serve_pty())
            dongle = EzspNode(path, clock=self.clock)
            dongle.add_endpoint(descriptor)
            await dongle.start()
            node = dongle
        node.receiver = lambda source, frame: self.at_meter.put_nowait((source, frame))
        return node

    async def close(self) -> None:
        if isinstance(self.node, EzspNode):
            await self.node.stop()
        await self.radio.stop()
        if not self.real:
            for server in (self.server, *self._meter_servers):
                await server.close()

    async def form(self) -> None:
        self.settings = await self.radio.form(self.settings)

    async def join(self, *, sleepy: bool = False) -> None:
        """Form, permit, join; the joined event is taken off the queue."""
        await self.form()
        await self.radio.permit(self.meter, LINK_KEY, 120)
        await self.node.join(LINK_KEY, sleepy=sleepy)
        assert await self.event(HanEventKind.JOINED) == self.meter

    async def share(self, key: bytes) -> None:
        """Both ends hold a new link key."""
        await self.radio.import_link_key(self.meter, key)
        await self.node.import_link_key(self.radio.eui64, key)

    async def event(self, kind: HanEventKind, within_s: float = 60) -> Eui64:
        """The Device of the next event of that kind."""
        async with asyncio.timeout(within_s):
            while (event := await self.events.get()).kind is not kind:
                pass
        return event.device

    async def meter_got(self) -> tuple[Eui64, ApsFrame]:
        """The next frame at the meter: who sent it, and what."""
        async with asyncio.timeout(60):
            return await self.at_meter.get()

    async def hub_got(self) -> tuple[Eui64, ApsFrame]:
        """The next frame at the hub."""
        async with asyncio.timeout(60):
            return await self.at_hub.get()

    async def to_meter(self, payload: bytes, *, secured: bool = True) -> None:
        await self.radio.send(self.meter, ApsFrame(METERING, payload, HUB_ENDPOINT, METER_ENDPOINT, secured=secured))

    async def to_hub(self, payload: bytes, *, secured: bool = True) -> None:
        await self.node.send(self.radio.eui64, ApsFrame(TUNNEL, payload, METER_ENDPOINT, HUB_ENDPOINT, secured=secured))


def require(kind: str) -> None:
    """Skip where the dongles of a real bench are not named."""
    if kind == "real":
        for variable in (HUB_DONGLE, METER_DONGLE):
            if variable not in os.environ:
                pytest.skip(f"needs a USB dongle: {variable} names none (EmberZNet NCP 7.4, as /dev/serial/by-id/...)")
