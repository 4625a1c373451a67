"""The hub at a dongle that is not its own: refused in one sentence and untouched; its own network brought to the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.errors import NotAvailable
from firmware_emu.han.base import NetworkSettings
from firmware_emu.han.custody import Custody
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import Eui64
from hil.devices.esme.esme import Esme
from hil.radio.air.air import Air
from hil.radio.dongles import virtual_dongle
from hil.radio.nodes.node import StackNode
from hil.radio.port.dongle_server import DongleServer
from tests.hub.hub_bench import ACB, CODES, ESME, GPF, NETWORK_OPERATOR, SUPPLIER, WAN_PROVIDER, Bench, add_device, codes

STRANGER = NetworkSettings(Eui64.parse("dddddddddddddddd"), 11, 0x1A62, bytes(range(16)))
NEXT_DONGLE = Eui64.parse("00db1234567890c7")
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


@pytest.fixture
async def bench(family: str, hub_keystore: Keystore, clock: Clock, tmp_path: Path) -> AsyncIterator[CustodyBench]:
    bench = CustodyBench(hub_keystore, clock)
    bench.family = family
    async with bench.running(powered=False):
        bench.air = Air(clock, seed=7)
        bench.store = SqliteStore(tmp_path / "nvm")
        yield bench


@pytest.mark.parametrize("family", ["ezsp", "znp"])
async def test_a_strangers_network_is_refused_saved_and_left_untouched(family: str, bench: CustodyBench, tmp_path: Path) -> None:
    dongle = await bench.with_strangers_network(tmp_path)
    await bench.plug(dongle, tmp_path)
    with pytest.raises(NotAvailable) as refused:
        await bench.power_on()
    said = str(refused.value)
    assert "it holds the network dddddddddddddddd on PAN 1A62, channel 11" in said
    assert "--take-over" in said
    assert "--restore" in said
    assert len(said.splitlines()) == 1
    assert len(list((tmp_path / "backups").glob("*.json"))) == 1
    tokens = dongle.ncp.stack.tokens
    assert (tokens.pan, tokens.extended_pan, tokens.network_key) == (0x1A62, STRANGER.extended_pan_id, STRANGER.network_key)
    assert not dongle.ncp.stack.running
    await dongle.close()


@pytest.mark.parametrize("family", ["ezsp", "znp"])
async def test_a_strangers_network_is_taken_over_when_told_to_after_a_backup(family: str, bench: CustodyBench, tmp_path: Path) -> None:
    dongle = await bench.with_strangers_network(tmp_path)
    await bench.plug(dongle, tmp_path)
    bench.config = replace(bench.config, custody=Custody.TAKE_OVER)
    await bench.power_on()
    await bench.wait_for(lambda: bench.hub.status.network, 60)
    assert dongle.ncp.stack.tokens.extended_pan == GPF
    assert len(list((tmp_path / "backups").glob("*dddddddddddddddd*.json"))) == 1
    await bench.cut()
    await dongle.close()


@pytest.mark.parametrize("family", ["ezsp", "znp"])
async def test_a_swapped_dongle_is_refused_and_after_restore_its_devices_are_still_joined(
    family: str, bench: CustodyBench, tmp_path: Path
) -> None:
    first = bench.dongle(GPF)
    await bench.plug(first, tmp_path)
    await bench.power_on()
    await bench.wait_for(lambda: bench.hub.status.network, 60)
    assert codes(await bench.ask(add_device(bench, ESME))) == [0, 0, 0]
    esme = Esme(ESME, CODES[ESME], bench.keystore, StackNode(bench.air, ESME), bench.clock, bench.trace, PARTIES)
    await esme.start()
    await esme.join()
    await bench.wait_for(lambda: bench.hub.status.tunnels == (ESME,))
    before = first.ncp.stack.tokens.network_key
    await bench.cut()
    await first.close()

    second = bench.dongle(NEXT_DONGLE)
    await bench.plug(second, tmp_path)
    with pytest.raises(NotAvailable, match=f"it is the dongle {NEXT_DONGLE}, and this hub's network was on {GPF}"):
        await bench.power_on()
    assert second.ncp.stack.tokens.network_key is None
    bench.config = replace(bench.config, custody=Custody.RESTORE)
    await bench.plug(second, tmp_path)
    joins = len([one for one in bench.records if one.event == "joined" and one.target == str(ESME)])
    await bench.power_on()
    await bench.wait_for(lambda: bench.hub.status.tunnels == (ESME,), 1800)
    assert second.eui64 == GPF
    assert second.ncp.stack.tokens.network_key == before
    assert len([one for one in bench.records if one.event == "joined" and one.target == str(ESME)]) == joins
    await bench.cut()
    await esme.stop()
    await second.close()
    await asyncio.sleep(0)
