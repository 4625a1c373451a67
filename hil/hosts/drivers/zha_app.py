"""ZHA, Home Assistant's gateway, on a dongle, verb by verb. Runs under the interpreter that has it; see zigpy_app for what it says."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Any

below: Any = importlib.import_module("zigpy_app")  # beside this file: the verbs that go through zigpy are the same
OPTIONS: dict[str, Any] = below.OPTIONS
gateways: Any = importlib.import_module("zha.application.gateway")
helpers: Any = importlib.import_module("zha.application.helpers")


class ZhaSession(below.ZigpySession):  # type: ignore[misc]
    """zigpy's verbs on the application that a gateway of ZHA has opened."""

    async def open(self) -> None:
        kind = {"bellows": "ezsp", "zigpy_znp": "znp"}[OPTIONS["library"]]
        coordinator = helpers.CoordinatorConfiguration(path=OPTIONS["path"], baudrate=115200, flow_control=None, radio_type=kind)
        zigpy_config = {
            "database_path": str(Path(OPTIONS["folder"]) / "zha.db"),
            "backup_enabled": False,
            "startup_energy_scan": False,
            "ota": {"enabled": False},
            "network": {"channel": OPTIONS["channel"]},
        }
        configuration = helpers.ZHAConfiguration(
            coordinator_configuration=coordinator, quirks_configuration=helpers.QuirksConfiguration(enabled=False)
        )
        self.gateway = await gateways.Gateway.async_from_config(helpers.ZHAData(config=configuration, zigpy_config=zigpy_config))
        await self.gateway.async_initialize()
        self.host = self.gateway.application_controller
        self.host.packets = asyncio.Queue()
        self.host.joined = asyncio.get_running_loop().create_future()
        self.host.initialised = asyncio.get_running_loop().create_future()
        self.host.add_listener(below.Heard(self.host))
        taken = self.host.packet_received

        def packet_received(packet: Any) -> None:
            self.host.packets.put_nowait(packet)
            taken(packet)

        self.host.packet_received = packet_received

    async def start(self) -> str:
        await self.open()
        return str(self.host.state.node_info.version or "started")

    async def form(self) -> str:
        return f"channel {self.host.state.network_info.channel}"

    async def restart(self) -> str:
        pan = self.host.state.network_info.pan_id
        await self.gateway.shutdown()
        await self.open()
        assert self.host.state.network_info.pan_id == pan, "another PAN than before"
        return f"PAN {pan}"

    async def energy_scan(self) -> str:
        found = await self.gateway.energy_scan(channels=below.t.Channels.ALL_CHANNELS, duration_exp=2, count=1)
        assert len(found) == 16, f"{len(found)} channels"
        return f"{len(found)} channels"

    async def stop(self) -> str:
        for work in self.background:
            work.cancel()
        await self.gateway.shutdown()
        return "stopped"


if __name__ == "__main__":
    asyncio.run(below.run(ZhaSession))
