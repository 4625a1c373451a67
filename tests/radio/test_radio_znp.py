"""The virtual ZNP under unmodified zigpy-znp."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zigpy.types as zt

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.nodes.node import StackNode
from hil.radio.znp.firmware import GLOBAL_KEY
from hil.radio.znp.server import ZnpServer
from tests.radio.radio_bench import HUB, LINK_KEY, METER

zigbee = pytest.importorskip("zigpy_znp.zigbee.application", reason="needs zigpy-znp (pip install zigpy-znp)")
commands = importlib.import_module("zigpy_znp.commands")
types = importlib.import_module("zigpy_znp.types")


def config(path: str) -> dict[str, object]:
    return {
        "database_path": None,
        "device": {"path": path, "baudrate": 115200, "flow_control": None},
        "backup_enabled": False,
        "startup_energy_scan": False,
        "network": {"channel": 15},
        "ota": {"enabled": False},
    }


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
    def __init__(self, clock: Clock, *, tokens: Path | None = None) -> None:
        self.clock = clock
        self.air = Air(self.clock, 1)
        self.dongle = ZnpServer(self.air, HUB, tokens=tokens, clock=self.clock)

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


async def test_zigpy_znp_forms_a_network_and_finds_it_again(clock: Clock) -> None:
    bench = Bench(clock)
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
            formed.pan_id,
            formed.extended_pan_id,
            formed.network_key.key,
            formed.channel,
        )
        await again.disconnect()


@pytest.mark.requirement("CH-02")
async def test_a_device_joins_by_its_link_key_talks_both_ways_is_backed_up_and_removed(clock: Clock) -> None:
    bench = Bench(clock)
    async with bench.host() as host:
        await host.form()
        permitting = asyncio.ensure_future(host.permit_with_link_key(theirs(METER), zt.KeyData(LINK_KEY), 60))
        await asyncio.sleep(1)
        meter = bench.meter()
        heard: list[ApsFrame] = []
        meter.receiver = lambda sender, frame: heard.append(frame)
        assert await meter.join(LINK_KEY) == HUB
        await asyncio.sleep(1)
        assert theirs(METER) in host.devices
        await meter.send(HUB, ApsFrame(0x0702, b"up", 1, 1, profile=0x0104))
        await asyncio.sleep(0.1)
        (packet,) = [one for one in host.packets if one.cluster_id == 0x0702]
        assert (packet.data.serialize(), packet.profile_id) == (b"up", 0x0104)
        assert zt.TransmitOptions.APS_Encryption in packet.tx_options
        await host.send_packet(
            zt.ZigbeePacket(
                src=zt.AddrModeAddress(zt.AddrMode.NWK, 0),
                src_ep=1,
                dst=packet.src,
                dst_ep=1,
                tsn=9,
                profile_id=0x0104,
                cluster_id=0x0702,
                data=zt.SerializableBytes(b"down"),
                tx_options=zt.TransmitOptions.ACK | zt.TransmitOptions.APS_Encryption,
                radius=0,
            )
        )
        assert [(frame.payload, frame.secured) for frame in heard] == [(b"down", True)]
        key = bytes(range(16))
        bench.dongle.ncp.stack.import_link_key(0, METER, key)
        await host.load_network_info(load_devices=True)
        info = host.state.network_info
        assert [(one.partner_ieee, one.key.serialize()) for one in info.key_table] == [(theirs(METER), key)]
        assert info.network_key.key.serialize() == bench.dongle.ncp.stack.tokens.network_key
        assert info.network_key.tx_counter == bench.dongle.ncp.stack.nwk.counter
        permitting.cancel()


async def test_a_device_with_the_default_key_gets_in_until_the_host_asks_for_install_codes(clock: Clock) -> None:
    bench = Bench(clock)
    async with bench.host() as host:
        await host.form()
        await host.permit(60)
        meter = bench.meter()
        assert await meter.join(GLOBAL_KEY) == HUB
        await meter.leave()
        await host._znp.request(commands.AppConfig.BDBSetJoinUsesInstallCodeKey.Req(BdbJoinUsesInstallCodeKey=True))
        with pytest.raises(RadioError, match="cannot join"):
            await meter.join(GLOBAL_KEY)


async def test_a_backup_is_restored_on_another_dongle_and_the_device_does_not_notice(clock: Clock, tmp_path: Path) -> None:
    bench = Bench(clock)
    key = bytes(range(16))

    async with bench.host() as host:
        await host.form()
        permitting = asyncio.ensure_future(host.permit_with_link_key(theirs(METER), zt.KeyData(LINK_KEY), 60))
        await asyncio.sleep(1)
        meter = bench.meter()
        await meter.join(LINK_KEY, sleepy=True)
        bench.dongle.ncp.stack.import_link_key(0, METER, key)
        await meter.import_link_key(HUB, key)
        await asyncio.sleep(1)
        permitting.cancel()
        await asyncio.sleep(1)
        await host.load_network_info(load_devices=True)
        network, node = host.state.network_info, host.state.node_info
        network.network_key = network.network_key.replace(tx_counter=network.network_key.tx_counter + 10000)
        bench.dongle.power(False)
        other = ZnpServer(bench.air, HUB, tokens=tmp_path / "other.json", clock=bench.clock)
        restored = Host(str(await other.serve_pty()))
        await restored.connect()
        await restored.write_network_info(network_info=network, node_info=node)
        await restored.disconnect()
        again = Host(restored.config["device"]["path"])
        await again.connect()
        await again.start_network()
        assert other.ncp.stack.tokens.link_keys == {0: (METER, key)}
        await meter.send(HUB, ApsFrame(0x0702, b"as if nothing had been", 1, 1, profile=0x0104))
        await asyncio.sleep(0.1)
        assert [one.data.serialize() for one in again.packets if one.cluster_id == 0x0702] == [b"as if nothing had been"]
        await again.disconnect()
        await other.close()


async def test_an_energy_scan_asked_of_the_dongle_itself_as_data_ends_in_its_notification(clock: Clock) -> None:
    bench = Bench(clock)
    bench.air.set_energy(20, -40)
    async with bench.host() as host:
        await host.form()
        request = commands.AF.DataRequestExt.Req(
            DstAddrModeAddress=types.AddrModeAddress(mode=types.AddrMode.NWK, address=types.NWK(0)),
            DstEndpoint=0,
            DstPanId=0,
            SrcEndpoint=0,
            ClusterId=types.ClusterId(0x0038),
            TSN=7,
            Options=commands.af.TransmitOptions.NONE,
            Radius=30,
            Data=types.LongBytes(bytes([7]) + (0x07FFF800).to_bytes(4, "little") + b"\x02\x01"),
        )
        told = await host._znp.request_callback_rsp(
            request=request, RspStatus=types.Status.SUCCESS, callback=commands.ZDO.MgmtNWKUpdateNotify.Callback(partial=True, Src=0x0000)
        )
    energy = dict(zip(told.ScannedChannels, told.EnergyValues, strict=True))
    assert len(energy) == 16
    assert max(energy, key=lambda channel: energy[channel]) == 20


async def test_a_written_eui64_is_told_at_once_and_the_extended_items_are_those_of_the_build(clock: Clock) -> None:
    bench = Bench(clock)
    other = Eui64.parse("00db1234567890ee")
    async with bench.host() as host:
        await host.form()
        znp = host._znp
        await znp.nvram.osal_write(types.nvids.OsalNvIds.EXTADDR, theirs(other))
        told = await znp.request(commands.SYS.GetExtAddr.Req())
        lengths = {
            item: (await znp.request(commands.SYS.NVLength.Req(SysId=types.nvids.NvSysIds.ZSTACK, ItemId=item, SubId=0))).Length
            for item in (1, 4, 6, 7)
        }
        past = await znp.request(
            commands.SYS.NVLength.Req(
                SysId=types.nvids.NvSysIds.ZSTACK, ItemId=7, SubId=bench.dongle.ncp.personality.limits["security_entries"]
            )
        )
    assert told.ExtAddr == theirs(other)
    assert lengths == {1: 12, 4: 20, 6: 24, 7: 12}
    assert past.Length == 0
