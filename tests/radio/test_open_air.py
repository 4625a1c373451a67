"""The open air: programs of third parties, in C and in Python, on the simulated air in warp time; and our own radios from elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, MacFrame
from hil.radio.open_air import server
from hil.radio.open_air.messages import fcs
from hil.radio.open_air.server import OpenAir
from tests.patience import PATIENCE_S
from tests.radio.radio_bench import LINK_KEY, METER, Coordinator

EXAMPLES = Path(__file__).parents[2] / "tools" / "examples" / "open_air"
NODE = Eui64.parse("0011223344556699")

ELSEWHERE = """
import asyncio, sys
from firmware_emu.ids import Eui64
from hil.radio.nodes.node import StackNode
from hil.radio.open_air.remote_air import visit

async def main():
    node = StackNode(air, Eui64.parse(sys.argv[3]))
    centre = await node.join(bytes.fromhex(sys.argv[4]), sleepy=sys.argv[5] == "sleepy")
    print(centre, node.joined, flush=True)
    began = clock.now()
    await asyncio.sleep(3600)
    node.power(False)
    await asyncio.sleep(60)
    node.power(True)
    print(await node.resume(), round(clock.now() - began), flush=True)
    node.power(False)

clock, air = visit(sys.argv[1], int(sys.argv[2]))
clock.run(main())
"""


def warp() -> Clock:
    return Clock(start=datetime(2026, 1, 5, tzinfo=UTC), warp=True)


async def until_ended(clock: Clock, process: subprocess.Popen[str]) -> str:
    """The output of a program on the air: bench time goes on as it works, and the loop is never kept from it."""
    while process.poll() is None:
        await clock.sleep(0.5)
    out, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    return out


def on_an_open_air(work: Callable[[Clock, Coordinator, OpenAir, int], Coroutine[object, object, str]]) -> tuple[str, list[MacFrame]]:
    clock = warp()

    async def main() -> tuple[str, list[MacFrame]]:
        air = Air(clock, 7)
        frames: list[MacFrame] = []
        air.capture(frames.append)
        coordinator = Coordinator(air)
        coordinator.form(15)
        coordinator.permit(METER, LINK_KEY, 254)
        open_air = OpenAir(air, clock)
        port = await open_air.serve("127.0.0.1", 0)
        try:
            return await work(clock, coordinator, open_air, port), frames
        finally:
            await open_air.close()

    return clock.run(main())


def started(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is here: apt-get install gcc")
    made = tmp_path_factory.mktemp("node") / "node"
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-O1", "-o", str(made), str(EXAMPLES / "node.c")], check=True)
    return made


def test_a_node_in_c_scans_and_associates_in_warp_time_and_twice_in_the_same(compiled: Path) -> None:
    async def work(clock: Clock, coordinator: Coordinator, open_air: OpenAir, port: int) -> str:
        process = started(str(compiled), "127.0.0.1", str(port), str(NODE))
        await open_air.visited(NODE)
        return await until_ended(clock, process)

    first, frames = on_an_open_air(work)
    assert "hears PAN" in first
    assert "on channel 15" in first
    assert "associated as" in first
    assert any(frame.octets[0] & 7 == 2 for frame in frames), "its acknowledgements are on the air"
    assert on_an_open_air(work)[0] == first


def test_a_node_in_python_hears_the_beacon_of_the_network_and_none_elsewhere() -> None:
    async def work(clock: Clock, coordinator: Coordinator, open_air: OpenAir, port: int) -> str:
        process = started(sys.executable, str(EXAMPLES / "node.py"), "127.0.0.1", str(port), str(NODE))
        await open_air.visited(NODE)
        return await until_ended(clock, process)

    told, _ = on_an_open_air(work)
    beacons = [line for line in told.splitlines() if line.startswith("channel")]
    assert len(beacons) == 1
    assert beacons[0].startswith("channel 15: PAN")
    assert beacons[0].endswith("lets devices in")


@pytest.mark.parametrize("kind", ["router", "sleepy"])
def test_a_device_in_another_process_joins_whole_and_time_goes_on_for_both_when_its_radio_is_off(kind: str) -> None:
    async def work(clock: Clock, coordinator: Coordinator, open_air: OpenAir, port: int) -> str:
        began = clock.now()
        process = started(sys.executable, "-c", ELSEWHERE, "127.0.0.1", str(port), str(METER), LINK_KEY.hex(), kind)
        await open_air.visited(METER)
        told = await until_ended(clock, process)
        assert clock.now() - began >= 3660
        assert (METER, 1) in [(device, update) for device, update, _ in coordinator.joins]
        return told

    told, _ = on_an_open_air(work)
    assert told.split() == ["00db1234567890a0", "True", "True", "3660"]


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"\x00\x00D", "length"),
        (b"\x01\x00R", "J"),
        (b"\x0a\x00J\x02" + bytes(8), "version"),
        (b"\x0a\x00J\x01" + bytes(8) + struct.pack("<H", 9) + b"D" + bytes(8) + struct.pack("<H", 9) + b"D" + bytes(8), "once"),
        (b"\x0a\x00J\x01" + bytes(8) + b"\x08\x00T\x0f" + b"\x03\x08\x01\x07\x00\x00", "FCS"),
    ],
)
def test_a_node_that_breaks_the_rules_is_dropped_with_the_reason_and_bench_time_goes_on(
    octets: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(clock: Clock, coordinator: Coordinator, open_air: OpenAir, port: int) -> str:
        with clock.hold("the test's own socket"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(octets)
            await until_closed(reader)
            writer.close()
        await clock.sleep(60)
        return ""

    on_an_open_air(work)
    assert why in caplog.text


def test_a_node_that_asks_for_the_same_time_again_is_dropped_and_does_not_stop_bench_time(caplog: pytest.LogCaptureFixture) -> None:
    async def work(clock: Clock, coordinator: Coordinator, open_air: OpenAir, port: int) -> str:
        with clock.hold("the test's own socket"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x0a\x00J\x01" + bytes(8))
            for kind in (b"W", b"A"):
                (length,) = struct.unpack("<H", await reader.readexactly(2))
                assert (await reader.readexactly(length))[:1] == kind
                writer.write(struct.pack("<HcQ", 9, b"D", 1))
            await until_closed(reader)
            writer.close()
        await clock.sleep(60)
        return ""

    on_an_open_air(work)
    assert "expected a later one" in caplog.text


async def until_closed(reader: asyncio.StreamReader) -> None:
    with_reset: Awaitable[bytes] = reader.read()
    try:
        await with_reset
    except ConnectionResetError:
        return


def test_the_frame_check_sequence_is_that_of_the_standard() -> None:
    assert fcs(b"123456789") == bytes.fromhex("8921")


async def test_one_node_more_than_the_limit_is_dropped_while_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_VISITORS", 2)
    clock = Clock()
    house = OpenAir(Air(clock, seed=1), clock)
    port = await house.serve("127.0.0.1", 0)
    *_, (reader, _) = nodes = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    assert len(house.visitors) == 2
    for _, writer in nodes:
        writer.close()
    await house.close()


async def test_a_node_that_never_says_who_it_is_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENT_S", 0.05)
    clock = Clock()
    house = OpenAir(Air(clock, seed=1), clock)
    port = await house.serve("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    assert not house.visitors
    await house.close()
