"""The virtual ZNP under unmodified zigpy-znp."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zigpy.types as zt
from radio_bench import HUB, LINK_KEY, METER

from firmware_emu.clock import Clock
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air import Air
from hil.radio.node import StackNode
from hil.radio.znp.server import ZnpServer

zigbee = pytest.importorskip("zigpy_znp.zigbee.application", reason="needs zigpy-znp (pip install zigpy-znp)")


def config(path: str) -> dict[str, object]:
    return {"database_path": None, "device": {"path": path, "baudrate": 115200, "flow_control": None}, "backup_enabled": False,
            "startup_energy_scan": False, "network": {"channel": 15}, "ota": {"enabled": False}}


class Host(zigbee.ControllerApplication):  # type: ignore[misc, name-defined]
    """zigpy-znp's application, with the packets kept instead of looked up in zigpy's device table."""

    def __init__(self, path: str) -> None:
        super().__init__(config(path))
        self.packets: list[zt.ZigbeePacket] = []

    def packet_received(self, packet: zt.ZigbeePacket) -> None:
        self.packets.append(packet)
        super().packet_received(packet)

    async def form(self) -> None:
        await self.connect()
        await self.form_network()
        await self.start_network()


class Bench:
    def __init__(self, *, tokens: Path | None = None) -> None:
        self.clock = Clock(warp=True)
        self.air = Air(self.clock, 1)
        self.dongle = ZnpServer(self.air, HUB, tokens, self.clock)

    @contextlib.asynccontextmanager
    async def host(self) -> AsyncIterator[Host]:
        path = await self.dongle.serve_pty()
        host = Host(str(path))
        try:
            yield host
        finally:
            await host.disconnect()
            await self.dongle.close()

    def meter(self) -> StackNode:
        node = StackNode(self.air, METER)
        node.add_endpoint(SimpleDescriptor(1, 0x0104, (0x0702,), ()))
        return node


def theirs(eui64: Eui64) -> zt.EUI64:
    return zt.EUI64(eui64.zigbee)


def test_zigpy_znp_forms_a_network_and_finds_it_again() -> None:
    bench = Bench()

    async def main() -> None:
        async with bench.host() as host:
            await host.form()
            formed = host.state.network_info
            assert host.state.node_info.ieee == theirs(HUB)
            await host.disconnect()
            again = Host(host.config["device"]["path"])
            await again.connect()
            await again.start_network()
            resumed = again.state.network_info
            assert (resumed.pan_id, resumed.extended_pan_id, resumed.network_key.key, resumed.channel) == (
                formed.pan_id, formed.extended_pan_id, formed.network_key.key, formed.channel)
            await again.disconnect()

    bench.clock.run(main())
