"""Contract of every WanLink: the same tests on the link in memory and on TCP with mutual TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.pki import make_pki
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import WanError
from firmware_emu.ids import Eui64
from firmware_emu.wan.base import WanFrame, WanKind, WanLink
from firmware_emu.wan.channel import Hello
from firmware_emu.wan.tcp import TcpWanLink, TcpWanServer
from firmware_emu.wan.tls import files_of
from firmware_emu.wan.virtual import memory_pair

CHF = Eui64.parse("00db1234567890a2")
GPF = Eui64.parse("00db1234567890a3")
HELLO = WanFrame(WanKind.HELLO, 7, Hello(CHF, GPF, 1).encode())
Ends = tuple[WanLink, WanLink]


@pytest.fixture(params=["memory", "tcp"])
async def ends(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ends]:
    """The hub's end and the DCC's end, not connected."""
    if request.param == "memory":
        yield memory_pair(Clock())
        return
    make_pki(tmp_path / "pki", organisations={}, devices={CHF: DeviceType.CHF})
    server = TcpWanServer("127.0.0.1", 0, files_of(tmp_path / "pki" / "tls", "dcc"))
    await server.start()
    yield TcpWanLink.client("127.0.0.1", server.port, files_of(tmp_path / "pki" / "tls", str(CHF))), server.link(CHF)
    await server.close()


async def connect(ends: Ends) -> None:
    """Both ends up and the HELLO, which tells the DCC which hub it is, through."""
    hub, dcc = ends

    async def greet() -> None:
        await hub.connect()
        await hub.send(HELLO)

    await asyncio.gather(greet(), dcc.connect())
    assert await dcc.receive() == HELLO


async def test_frames_arrive_in_order_and_unchanged_in_both_directions(ends: Ends) -> None:
    await connect(ends)
    hub, dcc = ends
    for sequence in range(1, 20):
        await hub.send(WanFrame(WanKind.MESSAGE, sequence, bytes([sequence]) * sequence * 100))
        await dcc.send(WanFrame(WanKind.ACKNOWLEDGE, sequence))
    for sequence in range(1, 20):
        assert await dcc.receive() == WanFrame(WanKind.MESSAGE, sequence, bytes([sequence]) * sequence * 100)
        assert await hub.receive() == WanFrame(WanKind.ACKNOWLEDGE, sequence)


async def test_every_call_on_a_link_that_is_down_raises_wan_error(ends: Ends) -> None:
    for link in ends:
        assert not link.connected
        with pytest.raises(WanError):
            await link.send(HELLO)
        with pytest.raises(WanError):
            await link.receive()


@pytest.mark.parametrize("closing", [0, 1])
async def test_closing_one_end_ends_the_wait_of_the_other(ends: Ends, closing: int) -> None:
    await connect(ends)
    waiting = asyncio.create_task(ends[1 - closing].receive())
    await asyncio.sleep(0)
    await ends[closing].close()
    with pytest.raises(WanError):
        await waiting
    assert not ends[0].connected
    assert not ends[1].connected


async def test_a_link_connects_again_after_it_was_closed(ends: Ends) -> None:
    for _ in range(3):
        await connect(ends)
        await ends[0].close()
        with pytest.raises(WanError):
            await ends[1].receive()
