"""A hub on a virtual dongle, with real meters on the air."""

from __future__ import annotations

from pathlib import Path

from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.gbcs.envelope import Message
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import CraFlag, Eui64
from hil.devices.esme.esme import Esme
from hil.devices.gsme.gsme import Gsme
from hil.radio.air.air import Air
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.node import StackNode
from tests.hub.hub_bench import (
    ACB,
    CODES,
    GPF,
    NETWORK_OPERATOR,
    SUPPLIER,
    WAN_PROVIDER,
    Bench,
    add_device,
    codes,
)

PARTIES = {
    RemotePartyRole.ACCESS_CONTROL_BROKER: ACB,
    RemotePartyRole.SUPPLIER: SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR: NETWORK_OPERATOR,
    RemotePartyRole.WAN_PROVIDER: WAN_PROVIDER,
}


class DongleBench(Bench):
    """The bench of the other tests, its HAN in memory replaced by a real radio library, a virtual dongle and air."""

    async def plug_in(self, folder: Path) -> None:
        self.air = Air(self.clock, seed=7)
        self.dongle = NcpServer(self.air, GPF, clock=self.clock)
        path = await self.dongle.serve_pty()
        self.radio = ZigpyRadio(str(path), clock=self.clock, trace=self.trace)  # type: ignore[assignment]
        self.store = SqliteStore(folder / "nvm")
        await self.power_on()
        await self.wait_for(lambda: self.hub.status.network, 60)

    async def ask_device(self, code: int, payload: bytes, device: Eui64, within_s: float = 60) -> Message:
        command = self.command(code, payload, recipient=device, user=None, originator=SUPPLIER)
        counter = Message.decode(command).header.counter
        self.send(command)
        return await self.wait_for(
            lambda: next((one for one in self.decoded(CraFlag.RESPONSE) if one.header.counter == counter), None), within_s
        )


async def meter(bench: DongleBench, kind: type[Esme] | type[Gsme], device: Eui64, registered: int) -> Esme | Gsme:
    assert codes(await bench.ask(add_device(bench, device, registered))) == [0, 0, 0]
    made = kind(device, CODES[device], bench.keystore, StackNode(bench.air, device), bench.clock, bench.trace, PARTIES)
    await made.start()
    await made.join()
    return made
