"""A hub over a real radio library, and dongles that are plugged and pulled."""

from __future__ import annotations

from pathlib import Path

from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.han.base import NetworkSettings
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.ids import Eui64
from hil.devices.esme.esme import Esme
from hil.radio.dongles import virtual_dongle
from hil.radio.nodes.node import StackNode
from hil.radio.port.dongle_server import DongleServer
from tests.hub.hub_bench import ACB, CODES, ESME, GPF, NETWORK_OPERATOR, SUPPLIER, WAN_PROVIDER, Bench, add_device, codes

STRANGER = NetworkSettings(Eui64.parse("dddddddddddddddd"), 11, 0x1A62, bytes(range(16)))


PARTIES = {
    RemotePartyRole.ACCESS_CONTROL_BROKER: ACB,
    RemotePartyRole.SUPPLIER: SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR: NETWORK_OPERATOR,
    RemotePartyRole.WAN_PROVIDER: WAN_PROVIDER,
}


class CustodyBench(Bench):
    """A hub over a real radio library, and dongles that are plugged and pulled."""

    family = "ezsp"

    async def plug(self, dongle: DongleServer, folder: Path) -> None:
        self.radio = self.host(str(await dongle.serve_pty()), folder)  # type: ignore[assignment]

    def host(self, path: str, folder: Path) -> ZigpyRadio:
        return ZigpyRadio(path, kind=self.family, clock=self.clock, trace=self.trace, backups=folder / "backups")

    def dongle(self, eui64: Eui64) -> DongleServer:
        return virtual_dongle(self.family, self.air, eui64, 13, None, self.clock)

    async def with_strangers_network(self, folder: Path) -> DongleServer:
        dongle = self.dongle(GPF)
        radio = self.host(str(await dongle.serve_pty()), folder)
        await radio.start()
        await radio.form(STRANGER)
        await radio.stop()
        return dongle

    async def with_a_meter(self, folder: Path) -> tuple[DongleServer, Esme]:
        """A hub that has formed its network on a dongle, and a meter that has joined it."""
        dongle = self.dongle(GPF)
        await self.plug(dongle, folder)
        await self.power_on()
        await self.wait_for(lambda: self.hub.status.network, 60)
        assert codes(await self.ask(add_device(self, ESME))) == [0, 0, 0]
        esme = Esme(ESME, CODES[ESME], self.keystore, StackNode(self.air, ESME), self.clock, self.trace, PARTIES)
        await esme.start()
        await esme.join()
        await self.wait_for(lambda: self.hub.status.tunnels == (ESME,))
        return dongle, esme

    def joins(self) -> int:
        """Times that the meter has joined."""
        return len([one for one in self.records if one.event == "joined" and one.target == str(ESME)])
