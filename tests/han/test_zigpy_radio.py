from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import subprocess
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.ecqv import ImplicitAuthority, issue
from firmware_emu.errors import CommsHubError, NotAvailable, RadioError
from firmware_emu.gbcs import gbt
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.base import NetworkSettings, SimpleDescriptor
from firmware_emu.han.capture import CaptureWriter, KeyFile
from firmware_emu.han.key_establishment import KeyEstablishmentServer, establish
from firmware_emu.han.mailbox import MailboxClient
from firmware_emu.han.tunnel import TunnelClient, TunnelServer
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.ids import Eui64
from firmware_emu.ownership import OwnedElsewhere
from firmware_emu.trace import Record, Trace
from firmware_emu.zse.clusters.time import MASTER, SUPERSEDING, TIME
from firmware_emu.zse.tunneling import Get, GetResponse, Put, decode_mailbox, encode_mailbox
from hil.radio.air.air import Air
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.node import StackNode

HUB, METER = Eui64.parse("00db1234567890a0"), Eui64.parse("00db1234567890a1")
LINK_KEY = bytes.fromhex("66B6900981E1EE3CA4206B6B861C02BB")
KE, TUNNEL = 0x0800, 0x0704


class Bench:
    """A virtual dongle and a radio object on it, on the warp clock."""

    def __init__(self, clock: Clock, version: int) -> None:
        self.clock = clock
        self.trace = Trace(self.clock.now)
        self.records: list[Record] = []
        self.trace.subscribe(self.records.append)
        self._version = version

    def radio(self, path: str, **options: float) -> ZigpyRadio:
        return ZigpyRadio(path, clock=self.clock, trace=self.trace, **options)  # type: ignore[arg-type]

    async def plug_in(self) -> None:
        self.air = Air(self.clock)
        self.server = NcpServer(self.air, HUB, version=self._version)
        self.path = str(await self.server.serve_pty())


@pytest.fixture
def version() -> int:
    return 13


@pytest.fixture
async def bench(clock: Clock, version: int) -> AsyncIterator[Bench]:
    bench = Bench(clock, version)
    await bench.plug_in()
    yield bench
    await bench.server.close()


def sentence(error: CommsHubError) -> str:
    text = str(error)
    assert "\n" not in text
    assert len(text) < 200
    return text


async def test_a_dongle_that_is_not_there_is_named_with_what_to_do(bench: Bench) -> None:
    with pytest.raises(NotAvailable) as caught:
        await bench.radio("/dev/serial/by-id/usb-none").start()
    assert "usb-none" in sentence(caught.value)
    assert "plug it in" in str(caught.value)


async def test_a_tcp_dongle_that_nobody_serves_is_named_with_what_to_do(bench: Bench) -> None:
    with pytest.raises(NotAvailable, match="check host, port"):
        await bench.radio("socket://127.0.0.1:1").start()


async def test_a_port_without_ezsp_behind_it_says_what_firmware_is_wanted(bench: Bench) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        with pytest.raises(RadioError, match="EZSP 13") as caught:
            await bench.radio(os.ttyname(slave)).start()
        assert "does not answer EZSP" in sentence(caught.value)
    finally:
        os.close(master)
        os.close(slave)


async def test_a_port_that_another_program_holds_says_so(bench: Bench) -> None:
    with open(bench.path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as pyserial does for any program
        with pytest.raises(NotAvailable, match="another program"):
            await bench.radio(bench.path).start()
    first = bench.radio(bench.path)
    await first.start()
    with pytest.raises(OwnedElsewhere, match=f"process {os.getpid()} has it"):
        await bench.radio(bench.path).start()
    await first.stop()
    second = bench.radio(bench.path)
    await second.start()
    await second.stop()


async def test_a_stop_that_is_cancelled_while_its_tasks_end_gives_the_dongle_back(bench: Bench) -> None:
    radio = bench.radio(bench.path)
    await radio.start()
    stop = asyncio.ensure_future(radio.stop())
    await asyncio.sleep(0)
    stop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stop
    second = bench.radio(bench.path)
    await second.start()
    await second.stop()


@pytest.mark.skipif(os.geteuid() == 0, reason="needs an ordinary user: root may open every port")
async def test_a_port_that_the_user_may_not_open_says_so(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "port").touch(mode=0)
    with pytest.raises(NotAvailable, match="dialout"):
        await bench.radio(str(tmp_path / "port")).start()


def test_other_radio_kinds_and_flow_controls_are_refused_with_what_there_is(clock: Clock) -> None:
    trace = Trace(clock.now)
    with pytest.raises(NotAvailable, match="expected one of ezsp, znp"):
        ZigpyRadio("x", clock=clock, trace=trace, kind="deconz")
    with pytest.raises(NotAvailable, match="software, hardware or none"):
        ZigpyRadio("x", clock=clock, trace=trace, flow_control="rts")


@pytest.mark.parametrize("version", [13, 14, 18])
async def test_every_supported_ezsp_version_forms_a_network_and_newer_ones_are_warned_of(bench: Bench, version: int) -> None:
    radio = bench.radio(bench.path)
    await radio.start()
    await radio.form(NetworkSettings(HUB, channel=11))
    await radio.stop()
    warned = [record for record in bench.records if record.event == "warned"]
    assert bool(warned) is (version > 13)


async def test_an_idle_day_leaves_the_dongle_alone_but_for_the_watchdog(bench: Bench) -> None:
    commands: list[bytes] = []

    receive = bench.server.ncp.receive

    def counted(frame: bytes) -> None:
        commands.append(frame)
        receive(frame)

    bench.server.ncp.receive = counted  # type: ignore[method-assign]
    radio = bench.radio(bench.path)
    await radio.start()
    await radio.form(NetworkSettings(HUB))
    commands.clear()
    await bench.clock.sleep(86_400)
    await radio.stop()
    assert len(commands) <= 24


async def test_no_key_reaches_a_trace_or_a_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    network_key, new_key = bytes(range(16)), bytes(range(32, 48))
    caplog.set_level(logging.DEBUG)

    radio = bench.radio(bench.path)
    await radio.start()
    await radio.form(NetworkSettings(HUB, network_key=network_key))
    await radio.permit(METER, LINK_KEY, 60)
    await radio.import_link_key(METER, new_key)
    await radio.stop()
    told = caplog.text.lower() + "".join(record.as_json() for record in bench.records)
    for key in (network_key, LINK_KEY, new_key):
        for spelling in (key.hex(), key.hex(":"), repr(key)[2:-1].lower()):
            assert spelling not in told


@pytest.mark.requirement("CH-02")
@pytest.mark.requirement("CH-03")
@pytest.mark.requirement("CH-35")
async def test_a_gas_meter_joins_establishes_its_key_and_exchanges_messages_over_the_air(bench: Bench, tmp_path: Path) -> None:
    capture, keys = CaptureWriter(tmp_path / "han.pcapng"), KeyFile(tmp_path)
    keys.add(LINK_KEY, "install code")
    authority = ImplicitAuthority.generate(Eui64.parse("1112131415161718"))
    commands = [bytes([n]) * 1200 for n in range(3)]
    held, answered = list(commands), list[bytes]()

    bench.air.capture(capture)
    radio = bench.radio(bench.path)
    hub = ZclPort(radio, bench.clock, trace=bench.trace, source="chf")
    hub.add_endpoint(SimpleDescriptor(3, 0x0508, servers=(TIME.id, KE, TUNNEL)))
    await radio.start()
    await radio.form(NetworkSettings(HUB, channel=25))
    node = StackNode(bench.air, METER)
    meter = ZclPort(node, bench.clock)
    meter.add_endpoint(SimpleDescriptor(1, 0x0501, clients=(TIME.id, KE, TUNNEL)))

    done: asyncio.Queue[Eui64] = asyncio.Queue()

    async def established(partner: Eui64, key: bytes) -> None:
        keys.add(key, "key establishment")
        done.put_nowait(partner)

    KeyEstablishmentServer(hub, issue(authority, HUB), established)
    hub.serve(3, TIME.id, None, attributes=Attributes(TIME, {"time": lambda: int(bench.clock.now()), 1: MASTER | SUPERSEDING}))
    answers: list[asyncio.Future[None]] = []

    def received(partner: Eui64, data: bytes) -> None:
        match decode_mailbox(data):
            case Get():
                message = held.pop(0) if held else b""
                item = encode_mailbox(GetResponse(len(held), message))
                answers.append(asyncio.ensure_future(server.transfer(partner, item)))
            case Put(message):
                answered.append(message)

    server = TunnelServer(hub, 3, lambda partner: partner == METER, received, blocks=gbt)

    await radio.permit(METER, LINK_KEY, 120)
    assert await node.join(LINK_KEY, sleepy=True) == HUB
    await node.import_link_key(HUB, await establish(meter, HUB, issue(authority, METER)))
    assert await done.get() == METER
    endpoint = await meter.find_endpoint(HUB, TIME.id)
    read = await meter.read_attributes(HUB, endpoint, TIME.id, [0, 1])
    assert read == {0: pytest.approx(bench.clock.now(), abs=5), 1: 9}
    tunnel = TunnelClient(meter, HUB, blocks=gbt)
    await tunnel.open()
    mailbox = MailboxClient(tunnel)
    assert await mailbox.fetch() == commands
    await mailbox.put(b"response" * 100)
    assert answered == [b"response" * 100]
    named = {str(record.detail["command"]) for record in bench.records if record.source == "chf"}
    assert {"InitiateKeyEstablishmentRequest", "READ_ATTRIBUTES", "RequestTunnel", "TransferDataServer"} <= named
    await radio.stop()
    if shutil.which("tshark") is None:
        return  # what follows is an independent judge's opinion of the same run

    def tshark(*arguments: str) -> list[str]:
        return subprocess.run(
            ["tshark", "-r", tmp_path / "han.pcapng", *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "WIRESHARK_CONFIG_DIR": str(tmp_path)},
        ).stdout.splitlines()

    assert tshark("-Y", "_ws.malformed") == []
    number = ("-T", "fields", "-e", "frame.number")
    (transport_key,) = tshark("-Y", "zbee_aps.cmd.id == 0x05", *number)  # the install code opens it, and gives the network key
    assert all(int(one) < int(transport_key) for one in tshark("-Y", '_ws.expert.message contains "Encrypted"', *number))
    open_clusters = "!(zbee_aps.cluster == 0x0800) && !zbee_aps.security && zbee_aps.type == 0"
    assert tshark("-Y", f"zbee_aps.profile == 0x0109 && {open_clusters}") == []
    assert len(tshark("-Y", "zbee_zcl_se.ke.cmd.srv_rx.id == 2 || zbee_zcl_se.ke.cmd.srv_tx.id == 2")) == 2
    assert len(tshark("-Y", "zbee_zcl_se.tun.cmd.srv_tx.id == 1")) == len(commands)


def test_an_endpoint_that_is_registered_again_takes_the_place_of_the_first() -> None:
    clock = Clock(warp=True)
    radio = ZigpyRadio("/dev/null", clock=clock, trace=Trace(clock.now))
    for _ in range(2):
        radio.add_endpoint(SimpleDescriptor(1, 0x0500))
    radio.add_endpoint(SimpleDescriptor(2, 0x0500))
    assert [one.endpoint for one in radio.endpoints] == [1, 2]
