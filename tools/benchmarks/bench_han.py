"""Cost of the virtual HAN: an EZSP command beside a bare pty echo, joins, frames on the air."""

import asyncio
import logging
import os
import tempfile
import time
import tty
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import bellows.ezsp
import click

from benchmarks.timing import Timing, report
from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import make_pki
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.joining import join_han
from firmware_emu.han.base import ApsFrame, NetworkSettings, SimpleDescriptor
from firmware_emu.han.key_establishment import KeyEstablishmentServer
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.radio.air.air import Air
from hil.radio.ncp import ash
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.node import StackNode

HUB = Eui64.parse("00db1234567890a0")
CODE = InstallCode(bytes(range(16)))
KEY_ESTABLISHMENT = 0x0800
ENDPOINT = SimpleDescriptor(1, 0x0501, servers=(KEY_ESTABLISHMENT,), clients=(KEY_ESTABLISHMENT,))
EXCHANGES = 200
FRAMES = 200
ECHO = "bare pty echo"
COMMAND = "EZSP nop, octets alone"
BELLOWS = "EZSP nop through bellows"
Exchange = Callable[[], Awaitable[object]]


def _pty() -> tuple[int, int]:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    os.set_blocking(slave, False)
    return master, slave


def bare_echo(octets: bytes) -> Exchange:
    """A terminal whose far end sends back what comes, both ends on the running loop."""
    loop, (master, slave) = asyncio.get_running_loop(), _pty()
    answered: list[asyncio.Future[bytes]] = []
    loop.add_reader(master, lambda: os.write(master, os.read(master, 4096)))
    loop.add_reader(slave, lambda: answered.pop().set_result(os.read(slave, 4096)))

    async def exchange() -> None:
        answered.append(loop.create_future())
        os.write(slave, octets)
        if await answered[0] != octets:
            raise AssertionError("the terminal did not echo")

    return exchange


class BareHost:
    """A host that writes frames made beforehand and only counts the flags of what comes back: what it costs is the dongle's."""

    NOP = bytes((2, 0, 1, 5, 0))

    def __init__(self, path: Path) -> None:
        self._port = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._port)
        os.set_blocking(self._port, False)
        turns = range(8)
        self._nops = [ash.frame(turn << 4 | turn, ash.randomise(self.NOP)) for turn in turns]
        self._acks = [ash.frame(0x80 | (turn + 1) % 8) for turn in turns]
        self._turn = 0
        self._octets = b""
        self._ended: asyncio.Future[bytes] | None = None
        asyncio.get_running_loop().add_reader(self._port, self._arrived)
        self._flags = 1

    def _arrived(self) -> None:
        self._octets += os.read(self._port, 4096)
        if self._octets.count(ash.FLAG) >= self._flags and self._ended is not None:
            self._ended.set_result(self._octets)

    async def _exchange(self, octets: bytes, flags: int) -> bytes:
        self._octets, self._flags = b"", flags
        self._ended = asyncio.get_running_loop().create_future()
        os.write(self._port, octets)
        answer = await self._ended
        self._ended = None
        return answer

    async def _command(self, octets: bytes) -> bytes:
        """Acknowledgement and answer, which is acknowledged in turn."""
        answer = await self._exchange(octets, 2)
        os.write(self._port, self._acks[self._turn])
        self._turn = (self._turn + 1) % 8
        return answer

    async def start(self) -> None:
        """Reset and agree on version 13. Raises AssertionError where the answer to a nop is not one."""
        await self._exchange(b"\x1a" + ash.frame(0xC0), 1)
        for payload in (bytes((0, 0, 0, 13)), self.NOP):
            answer = await self._command(ash.frame(self._turn << 4 | self._turn, ash.randomise(payload)))
        reply = ash.unstuff(answer.split(bytes([ash.FLAG]))[1])
        if reply is None or ash.randomise(reply[1:])[3:5] != self.NOP[3:5]:
            raise AssertionError("the dongle did not answer a nop")

    async def nop(self) -> None:
        """One command to its end."""
        await self._command(self._nops[self._turn])


async def _time_of(exchange: Exchange) -> float:
    """Median of real microseconds."""
    taken = []
    for _ in range(EXCHANGES):
        began = time.perf_counter()
        await exchange()
        taken.append(time.perf_counter() - began)
    return 1e6 * median(taken)


async def round_trips(clock: Clock, rounds: int) -> list[Timing]:
    """An EZSP command and an echo of as many octets, one after the other on one loop."""
    air = Air(clock, 1)
    servers = [NcpServer(air, Eui64.parse(f"00db1234567890{number:02x}"), clock=clock) for number in range(2)]
    host = BareHost(await servers[0].serve_pty())
    await host.start()
    ezsp = bellows.ezsp.EZSP({"path": str(await servers[1].serve_pty()), "baudrate": 115200, "flow_control": None})
    await ezsp.connect(use_thread=False)
    exchanges = {ECHO: bare_echo(ash.frame(0x25, ash.randomise(host.NOP))), COMMAND: host.nop, BELLOWS: ezsp.nop}
    found: dict[str, list[float]] = {name: [] for name in exchanges}
    for _ in range(rounds):
        for name, exchange in exchanges.items():
            found[name].append(await _time_of(exchange))
    await ezsp.disconnect()
    for server in servers:
        await server.close()

    def beside(name: str) -> float:
        return median(own / other for own, other in zip(found[name], found[ECHO], strict=True))

    return [
        Timing(ECHO, median(found[ECHO]), "µs"),
        Timing(COMMAND, median(found[COMMAND]), "µs", ECHO, beside(COMMAND), "at most 3", beside(COMMAND) <= 3),
        Timing(BELLOWS, median(found[BELLOWS]), "µs", ECHO, beside(BELLOWS)),
    ]


def _devices(count: int) -> list[Eui64]:
    return [Eui64.parse(f"02e53e00000000{number:02x}") for number in range(1, count + 1)]


async def _formed(clock: Clock, air: Air, keystore: Keystore) -> tuple[NcpServer, ZigpyRadio, ZclPort]:
    """A HAN behind a virtual dongle, whose coordinator establishes link keys."""
    ncp = NcpServer(air, HUB, clock=clock)
    radio = ZigpyRadio(str(await ncp.serve_pty()), clock=clock, trace=Trace(clock.now), watchdog_s=0)
    zcl = ZclPort(radio, clock)
    zcl.add_endpoint(ENDPOINT)
    KeyEstablishmentServer(zcl, keystore.cbke(HUB), radio.import_link_key)
    await radio.start()
    await radio.form(NetworkSettings(HUB, 20))
    return ncp, radio, zcl


async def joins_and_frames(clock: Clock, keystore: Keystore, count: int) -> list[Timing]:
    """Devices join one after another, first without and then with key establishment; then two of them talk."""
    air = Air(clock, 1)
    ncp, radio, hub = await _formed(clock, air, keystore)
    plain, whole, nodes = [], [], []
    for device in _devices(count):
        node = StackNode(air, device)
        zcl = ZclPort(node, clock)
        zcl.add_endpoint(ENDPOINT)
        await radio.permit(device, install_code_link_key(CODE), 60)
        began = time.perf_counter()
        await node.join(install_code_link_key(CODE))
        plain.append(time.perf_counter() - began)
        await node.leave()
        await radio.permit(device, install_code_link_key(CODE), 60)
        began = time.perf_counter()
        await join_han(node, zcl, CODE, keystore.cbke(device), trace=Trace(clock.now), name=str(device))
        whole.append(time.perf_counter() - began)
        nodes.append(node)
    rate, octets = await _frames(air, nodes[0], nodes[1])
    await hub.close()
    await radio.stop()
    await ncp.close()
    return [
        Timing("joins, association to network key", 60 / median(plain), "per minute"),
        Timing("joins with key establishment", 60 / median(whole), "per minute"),
        Timing("frames on the air", rate, "per second"),
        Timing("octets on the air", octets, "per second"),
    ]


async def _frames(air: Air, sender: StackNode, receiver: StackNode) -> tuple[float, float]:
    """Secured MAC frames, acknowledgements among them, and octets per second while one router sends to another."""
    sizes: list[int] = []
    await sender.broadcast(ApsFrame(0x0702, b"", 1, 1, secured=False))
    air.capture(lambda frame: sizes.append(len(frame.octets)))
    frame = ApsFrame(0x0702, bytes(60), 1, 1, secured=False)
    await sender.send(receiver.eui64, frame)
    sizes.clear()
    began = time.perf_counter()
    for _ in range(FRAMES):
        await sender.send(receiver.eui64, frame)
    taken = time.perf_counter() - began
    return len(sizes) / taken, sum(sizes) / taken


@click.command()
@click.option("--rounds", type=click.IntRange(3), default=7, show_default=True, help="How often round trips are measured.")
@click.option("--joins", type=click.IntRange(2, 40), default=8, show_default=True, help="Devices that join.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def benchmark(rounds: int, joins: int, as_json: bool) -> None:
    """EZSP command beside a bare pty echo; joins per minute; frames per second on the air.

    Real time, on a loop of its own clock. The budget counts the dongle alone: bellows, a host of somebody else's, is shown beside it.
    """
    logging.disable(logging.WARNING)  # nodes without a Green Power endpoint remark on every announcement
    wall, warp = Clock(), Clock(warp=True)
    timings = wall.run(round_trips(wall, rounds))
    with tempfile.TemporaryDirectory() as folder:
        devices = {HUB: DeviceType.CHF, **dict.fromkeys(_devices(joins), DeviceType.ESME)}
        keystore = make_pki(Path(folder) / "keys", devices=devices)
        timings += warp.run(joins_and_frames(warp, keystore, joins))
    report(timings, as_json, {"rounds": rounds, "exchanges a round": EXCHANGES, "joins": joins})
