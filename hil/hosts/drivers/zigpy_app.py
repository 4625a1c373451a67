"""A host of zigpy's family (bellows, zigpy-znp) on a dongle, verb by verb. Runs under the interpreter that has the library.

Argument: one JSON object {library, path, second, device, code, channel, next_channel, log}. Each line of stdout is a JSON object: {"verb",
"ok", "said"} after a verb, {"ask"} where the rig has to act first. A line on stdin ends the verb that runs: the rig sees that nothing
moves any more. It knows nothing of this project.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import sys
from collections.abc import Coroutine
from typing import Any

import zigpy.types
import zigpy.zdo.types
from zigpy.exceptions import ZigbeeException
from zigpy.types import Channels

t: Any = zigpy.types  # its constructors carry no types
zdo_t: Any = zigpy.zdo.types
OPTIONS: dict[str, Any] = json.loads(sys.argv[1])
DEVICE = t.EUI64.convert(OPTIONS["device"])
METERING, SMART_ENERGY = 0x0702, 0x0109
OPEN_S = 254  # the longest: a Device of a busy machine takes its time


def tell(**more: Any) -> None:
    print(json.dumps(more), flush=True)


def config(path: str) -> dict[str, Any]:
    return {
        "database_path": None,
        "device": {"path": path, "baudrate": 115200, "flow_control": None},
        "backup_enabled": False,
        "startup_energy_scan": False,
        "use_thread": False,
        "ota": {"enabled": False},
        "network": {"channel": OPTIONS["channel"]},
    }


if OPTIONS.get("log"):
    logging.addLevelName(5, "TRACE")  # at which zigpy-znp writes octets
    form = "%(asctime)s.%(msecs)03d %(levelname)s (MainThread) [%(name)s] %(message)s"  # as Home Assistant writes it
    logging.basicConfig(filename=OPTIONS["log"], level=1, format=form, datefmt="%Y-%m-%d %H:%M:%S")
Application: Any = importlib.import_module(f"{OPTIONS['library']}.zigbee.application").ControllerApplication


class Heard:
    """Reports of the library on Devices."""

    def __init__(self, host: Any) -> None:
        self.host = host

    def device_joined(self, device: Any) -> None:
        if device.ieee == DEVICE and not self.host.joined.done():
            self.host.joined.set_result(device)

    def device_initialized(self, device: Any) -> None:
        if device.ieee == DEVICE and not self.host.initialised.done():
            self.host.initialised.set_result(device)


class ZigpyHost(Application):  # type: ignore[misc]
    """The library's own application, with what was heard kept."""

    def __init__(self, path: str) -> None:
        super().__init__(config(path))
        self.packets: asyncio.Queue[Any] = asyncio.Queue()
        self.joined: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.initialised: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.add_listener(Heard(self))

    def packet_received(self, packet: Any) -> None:
        self.packets.put_nowait(packet)
        super().packet_received(packet)


class ZigpySession:
    def __init__(self) -> None:
        self.host: Any = None
        self.background: list[asyncio.Task[Any]] = []
        self.backup: Any = None
        self.second_eui: Any = None

    async def start(self) -> str:
        self.host = ZigpyHost(OPTIONS["path"])
        await self.host.connect()
        return str(self.host.state.node_info.version or "connected")

    async def form(self) -> str:
        await self.host.form_network()
        await self.host.start_network()
        return f"channel {self.host.state.network_info.channel}"

    async def restart(self) -> str:
        pan = self.host.state.network_info.pan_id
        await self.host.disconnect()
        self.host = ZigpyHost(OPTIONS["path"])
        await self.host.connect()
        await self.host.start_network()
        assert self.host.state.network_info.pan_id == pan, "another PAN than before"
        return f"PAN {pan}"

    async def permit(self) -> str:
        await self.host.start_network() if self.host.state.network_info.pan_id in (None, 0xFFFE) else None
        code = bytes.fromhex(OPTIONS["code"])
        work = asyncio.ensure_future(self.host.permit_with_key(DEVICE, code, OPEN_S))
        self.background.append(work)
        await asyncio.sleep(1.0)
        if work.done():
            work.result()
        return f"open for {OPEN_S} s"

    async def join(self) -> str:
        tell(ask="join")
        device = await self.host.joined
        return f"{device.ieee} as {device.nwk}"

    async def interview(self) -> str:
        # zigpy drops the Smart Energy profile, and so never learns model and manufacturer: descriptors are what an interview gives.
        device = self.host.devices[DEVICE]
        while device.node_desc is None or not device.all_endpoints_init:  # noqa: ASYNC110  zigpy gives no event for it
            await asyncio.sleep(0.2)
        endpoints = sorted(one for one in device.endpoints if one)
        return f"endpoints {endpoints}"

    def endpoint(self) -> int:
        for number, endpoint in self.host.devices[DEVICE].endpoints.items():
            if number and METERING in endpoint.in_clusters:
                return int(number)
        raise AssertionError("no endpoint serves Metering")

    async def read(self) -> str:
        number, device = self.endpoint(), self.host.devices[DEVICE]
        while not self.host.packets.empty():
            self.host.packets.get_nowait()
        packet = t.ZigbeePacket(
            src=t.AddrModeAddress(t.AddrMode.NWK, 0),
            src_ep=1,
            dst=t.AddrModeAddress(t.AddrMode.NWK, device.nwk),
            dst_ep=number,
            tsn=99,
            profile_id=SMART_ENERGY,
            cluster_id=METERING,
            data=t.SerializableBytes(bytes([0x10, 99, 0x00, 0x00, 0x00])),
            tx_options=t.TransmitOptions.ACK | t.TransmitOptions.APS_Encryption,
            radius=0,
        )
        await self.host.send_packet(packet)
        while True:
            heard = await self.host.packets.get()
            octets = heard.data.serialize()
            if heard.cluster_id == METERING and len(octets) > 6 and octets[1] == 99:
                assert octets[5] == 0, f"status {octets[5]:02x}"
                return f"CurrentSummationDelivered {octets[6:].hex()}"

    async def bind(self) -> str:
        device = self.host.devices[DEVICE]
        target = zdo_t.MultiAddress(addrmode=3, ieee=self.host.state.node_info.ieee, endpoint=1)
        answer = await device.zdo.Bind_req(DEVICE, self.endpoint(), METERING, target)
        assert answer[0] == 0, f"status {answer[0]!r}"
        return "bound"

    async def network_map(self) -> str:
        coordinator = self.host.devices[self.host.state.node_info.ieee]
        answer = await coordinator.zdo.Mgmt_Lqi_req(0)
        assert answer[0] == 0, f"status {answer[0]!r}"
        entries = [str(one.ieee) for one in answer[1].NeighborTableList]
        assert str(DEVICE) in entries, f"the meter is not among {entries}"
        return f"{len(entries)} neighbours"

    async def energy_scan(self) -> str:
        found = await self.host.energy_scan(channels=Channels.ALL_CHANNELS, duration_exp=2, count=1)
        assert len(found) == 16, f"{len(found)} channels"
        return f"{len(found)} channels"

    async def channel_change(self) -> str:
        wanted = OPTIONS["next_channel"]
        await self.host.move_network_to_channel(wanted)
        await self.host.load_network_info()
        assert self.host.state.network_info.channel == wanted, f"on {self.host.state.network_info.channel}"
        return f"on channel {wanted}"

    async def key_change(self) -> str:
        before = self.host.state.network_info.network_key.key
        key = t.KeyData(bytes(range(1, 17)))
        if OPTIONS["library"] == "bellows":
            ezsp = self.host._ezsp
            for name, more in (("broadcastNextNetworkKey", {"key": key}), ("broadcastNetworkKeySwitch", {})):
                (status,) = await getattr(ezsp, name)(**more)
                assert int(status) == 0, f"{name}: {status!r}"
        else:
            import zigpy_znp.commands as c

            sequence = (int(self.host.state.network_info.network_key.seq) + 1) % 256
            for request in (
                c.ZDO.ExtUpdateNwkKey.Req(Dst=0xFFFF, KeySeqNum=sequence, Key=key),
                c.ZDO.ExtSwitchNwkKey.Req(Dst=0xFFFF, KeySeqNum=sequence),
            ):
                answer = await self.host._znp.request(request)
                assert int(answer.Status) == 0, f"{answer.Status!r}"
        await asyncio.sleep(0.5)
        await self.host.load_network_info()
        assert self.host.state.network_info.network_key.key == key != before, "the key is the old one"
        return "the key given out is in force"

    async def make_backup(self) -> str:
        self.backup = await self.host.backups.create_backup(load_devices=True)
        return f"{len(json.dumps(self.backup.as_open_coordinator_json()))} octets of JSON"

    async def packet_capture(self) -> str:
        other = ZigpyHost(OPTIONS["second"])
        await other.connect()
        try:
            frames = other.packet_capture(channel=int(self.host.state.network_info.channel))
            first = asyncio.ensure_future(anext(frames))
            await asyncio.sleep(1.0)
            with contextlib.suppress(Exception):
                await self.host.permit(1)
            frame = await first
            with contextlib.suppress(Exception):
                await frames.aclose()
            return f"{len(frame.data)} octets"
        finally:
            await other.disconnect()

    async def restore(self) -> str:
        assert self.backup is not None, "there is no backup"
        other = ZigpyHost(OPTIONS["second"])
        await other.connect()
        try:
            await other.backups.restore_backup(self.backup)
            await other.load_network_info()
            kept = other.state.network_info
            assert kept.network_key.key == self.backup.network_info.network_key.key, "another network key"
            assert kept.pan_id == self.backup.network_info.pan_id, "another PAN"
            self.second_eui = other.state.node_info.ieee
            return f"PAN {kept.pan_id} on {self.second_eui}"
        finally:
            await other.disconnect()

    async def eui_write(self) -> str:
        assert self.second_eui == self.backup.node_info.ieee, f"it is still {self.second_eui}"
        return f"it is {self.second_eui} now"

    async def stop(self) -> str:
        for work in self.background:
            work.cancel()
        await self.host.shutdown()
        return "stopped"


async def until_enough(work: Coroutine[Any, Any, str], told: asyncio.StreamReader) -> str:
    """``work``'s own end, unless the rig has seen enough of it: then TimeoutError."""
    doing, enough = asyncio.ensure_future(work), asyncio.ensure_future(told.readline())
    await asyncio.wait((doing, enough), return_when=asyncio.FIRST_COMPLETED)
    if not doing.done():
        doing.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await doing
        raise TimeoutError("nothing moved any more")
    enough.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await enough
    return doing.result()


async def run(kind: type[ZigpySession]) -> None:
    """Every verb in its turn."""
    session = kind()
    if OPTIONS.get("only") == "form":
        await session.start()
        print(await session.form())
        await session.stop()
        return
    told = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    for verb, work in (
        ("start", session.start),
        ("form", session.form),
        ("restart", session.restart),
        ("permit by install code", session.permit),
        ("join", session.join),
        ("interview", session.interview),
        ("read metering", session.read),
        ("bind", session.bind),
        ("network map", session.network_map),
        ("energy scan", session.energy_scan),
        ("channel change", session.channel_change),
        ("key change", session.key_change),
        ("backup", session.make_backup),
        ("packet capture", session.packet_capture),
        ("restore to another dongle", session.restore),
        ("EUI write", session.eui_write),
        ("stop", session.stop),
    ):
        try:
            tell(verb=verb, ok=True, said=await until_enough(work(), told))
        except (NotImplementedError, StopAsyncIteration) as absent:
            tell(verb=verb, ok=None, said=f"the library has no such function ({absent})")
        except (Exception, asyncio.CancelledError) as trouble:  # whatever goes wrong is this verb's outcome
            tell(verb=verb, ok=False, said=f"{type(trouble).__name__}: {trouble}"[:300])
            if verb in ("start", "form") and isinstance(trouble, (TimeoutError, OSError, ZigbeeException)):
                return


if __name__ == "__main__":
    asyncio.run(run(ZigpySession))
