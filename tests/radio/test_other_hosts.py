"""An EZSP host that is not ours and knows nothing of bellows: zigbee-herdsman on Node.js, in a process of its own.

Its npm packages are kept outside the checkout, in ``~/.cache/commshub/herdsman-<hash of package.json>``, and are installed once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from firmware_emu.zse.zcl import ZclFrame, ZclStatus, decode_read_response
from hil.devices.esme.esme import METERING_ENDPOINT, Esme
from hil.radio.air.air import Air
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.node import StackNode
from tests.patience import PATIENCE_S

FOLDER = Path(__file__).parent / "herdsman"
CHUB = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
CODE = InstallCode.parse("83FED3407A939723A5C639B26916D505")
DONGLE = Eui64.parse("00db1234567890a0")
"""Name of the first dongle of `chub ncp`."""
HOST = Eui64.parse("00db1234567890ff")
ESME = next(device for device, kind in DEFAULT_DEVICES.items() if kind is DeviceType.ESME)
BASIC, METERING = 0x0000, 0x0702


def install(package: Path, folder: Path) -> None:
    """Run npm beside ``folder`` and move the result there in one step, so that what is there is whole. Skips with npm's reason."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        fresh = Path(beside) / "fresh"
        fresh.mkdir()
        shutil.copy(package, fresh)
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-progress", "--fetch-retries=1", "--fetch-timeout=20000"]
        try:
            done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install zigbee-herdsman within {PATIENCE_S:g} s: npm's registry is slow or not reachable")
        if done.returncode:
            reasons = [line.removeprefix("npm error ") for line in done.stderr.splitlines() if line.startswith("npm error ")]
            pytest.skip(f"npm cannot install zigbee-herdsman: {'; '.join(reasons[:2]) or 'it gave no reason'}")
        if not folder.exists():
            fresh.rename(folder)


@pytest.fixture(scope="session")
def herdsman() -> Path:
    """Folder of the installed packages; installed at first use, skipped where that cannot be done."""
    package = FOLDER / "package.json"
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "commshub"
    folder = cache / f"herdsman-{hashlib.sha256(package.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        install(package, folder)
    return folder


def command(herdsman: Path, **options: object) -> list[str]:
    return [str(herdsman / "node_modules" / "node" / "bin" / "node"), str(FOLDER / "host.js"), json.dumps(options), str(herdsman)]


def events(said: bytes) -> dict[str, Any]:
    """Reports of the host, by event; the reads in a list."""
    told: dict[str, Any] = {"reads": []}
    for line in said.decode().splitlines():
        one = json.loads(line)
        if one["event"] == "read":
            told["reads"].append(one)
        else:
            told[one["event"]] = one
    return told


def complaints(log: bytes) -> list[str]:
    """Lines that the host's log calls an error or a warning."""
    return [line for line in log.decode().splitlines() if line.startswith(("error", "warning"))]


def trouble_on_the_line(log: bytes) -> dict[str, int]:
    """Those of the host's own counters of the serial line that count trouble, and are not zero."""
    counted = {
        name.decode(): int(received)
        for name, received in re.findall(rb"uart:ash:   (.+?) *: RX=(\d+)", log)
        if name not in (b"Total frames", b"DATA frames", b"DATA bytes", b"ACK frames")
    }
    assert {"Retry frames", "NAK frames", "CRC errors"} <= set(counted), "the host did not tell its counters"
    return {name: count for name, count in counted.items() if count}


@contextmanager
def dongle(version: int) -> Iterator[str]:
    """The path of a virtual dongle that ``chub ncp`` serves in a process of its own."""
    process = subprocess.Popen([*CHUB, "ncp", "--version", str(version)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert errors == ""


@pytest.mark.needs("npm", "udevadm")  # zigbee-herdsman is a package of npm and lists ports with udevadm
@pytest.mark.requirement("CH-33")
@pytest.mark.parametrize("version", [13, 19])
def test_zigbee_herdsman_forms_permits_and_stops_on_chub_ncp_without_a_complaint(herdsman: Path, version: int, tmp_path: Path) -> None:
    code = f"0011223344556677|{CODE.with_crc.hex()}"
    with dongle(version) as path:
        done = subprocess.run(
            command(herdsman, path=path, folder=str(tmp_path), channel=20, seconds=60, code=code),
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    told = events(done.stdout)
    assert told["started"]["result"] == "reset"
    assert told["network"] == {"event": "network", "channel": 20, "pan": 0x1A62, "coordinator": f"0x{DONGLE.octets.hex()}"}
    assert list(told)[-2:] == ["permitted", "stopped"]
    assert complaints(done.stderr) == []
    assert not trouble_on_the_line(done.stderr)


async def serve_and_drive(herdsman: Path, folder: Path, esme: Esme, ncp: NcpServer) -> tuple[dict[str, Any], bytes]:
    """Run the host on the dongle; the meter joins as soon as it may. Returns what the host told, and its log."""
    path = await ncp.serve_pty()
    reads = [
        {"endpoint": 0x21, "cluster": BASIC, "attributes": [0x0004, 0x0005]},
        {"endpoint": METERING_ENDPOINT, "cluster": METERING, "attributes": [0x0000]},
        {"endpoint": METERING_ENDPOINT, "cluster": METERING, "attributes": [0x0000], "encrypted": True},
    ]
    code = f"{esme.eui64.octets.hex()}|{CODE.with_crc.hex()}"
    process = await asyncio.create_subprocess_exec(
        *command(herdsman, path=str(path), folder=str(folder), channel=20, seconds=60, code=code, reads=reads),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    log = asyncio.create_task(process.stderr.read())
    said = b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while line := await process.stdout.readline():
                said += line
                if json.loads(line)["event"] == "permitted":
                    await esme.node.join(install_code_link_key(CODE))
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        text = await log
    assert process.returncode == 0, text.decode()
    return events(said), text


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock())


@pytest.mark.needs("npm", "udevadm")  # zigbee-herdsman is a package of npm and lists ports with udevadm
@pytest.mark.requirement("CH-33")
async def test_zigbee_herdsman_lets_the_simulated_esme_join_and_reads_its_basic_and_metering_clusters(
    clock: Clock, herdsman: Path, tmp_path: Path
) -> None:
    air = Air(clock, 1)
    ncp = NcpServer(air, HOST, clock=clock)
    keystore = make_pki(tmp_path / "keys", devices={ESME: DeviceType.ESME})
    esme = Esme(ESME, CODE, keystore, StackNode(air, ESME), clock, Trace(clock.now), {})
    await esme.start()
    assert joins.add(esme.gbcs, HOST, DeviceType.TYPE_2.value, 2) == 0
    esme.log_may_have_changed()
    try:
        told, log = await serve_and_drive(herdsman, tmp_path, esme, ncp)
    finally:
        await esme.stop()
        await ncp.close()
    total = esme.registers.active_import.total
    assert told["joined"]["ieee"] == f"0x{ESME.octets.hex()}"
    assert told["endpoints"]["list"] == [0x21, METERING_ENDPOINT]
    basic, refused, metering = (ZclFrame.decode(bytes.fromhex(one["frame"])) for one in told["reads"])
    assert [record.value for record in decode_read_response(basic.payload)] == ["CHUB BENCH", "ESME"]
    assert refused.default_response is not None
    assert refused.default_response.status == ZclStatus.FAILURE, "Metering without the link key"
    (summation,) = decode_read_response(metering.payload)
    assert summation.status == ZclStatus.SUCCESS
    assert summation.value == total
    assert "stopped" in told
    assert complaints(log) == []
    assert not trouble_on_the_line(log)
