from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from firmware_emu.errors import KeystoreError, WanError
from firmware_emu.ids import Eui64
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.channel import Hello
from firmware_emu.wan.tcp import TcpHubLink, TcpWanLink, TcpWanServer
from firmware_emu.wan.tls import TlsFiles, files_of
from tests.patience import PATIENCE_S
from tests.wan.wan_pki import issue_tls

HUBS = [Eui64(bytes([0, 0xDB, 0, 0, 0, 0, 0, number])) for number in (1, 2, 3)]


def hello(hub: Eui64) -> WanFrame:
    return WanFrame(WanKind.HELLO, 1, Hello(hub, hub, 0).encode())


async def test_one_server_serves_many_hubs_each_on_its_own_link(tmp_path: Path) -> None:
    files = issue_tls(tmp_path, HUBS)
    came: asyncio.Queue[TcpHubLink] = asyncio.Queue()
    server = TcpWanServer("127.0.0.1", 0, files["dcc"], came.put_nowait)
    await server.start()
    links = [TcpWanLink.client("127.0.0.1", server.port, files[str(hub)]) for hub in HUBS]
    for hub, link in zip(HUBS, links, strict=True):
        await link.connect()
        await link.send(hello(hub))
        await link.send(WanFrame(WanKind.MESSAGE, 1, hub.octets))
    seen = set()
    for _ in HUBS:
        far = await came.get()
        seen.add(far.chf)
        await far.connect()
        assert await far.receive() == hello(far.chf)
        assert (await far.receive()).body == far.chf.octets
    assert seen == set(HUBS)
    await server.close()


async def test_a_hub_that_says_hello_with_another_hubs_identity_is_refused(tmp_path: Path) -> None:
    files = issue_tls(tmp_path, HUBS)
    came: asyncio.Queue[TcpHubLink] = asyncio.Queue()
    server = TcpWanServer("127.0.0.1", 0, files["dcc"], came.put_nowait)
    await server.start()
    link = TcpWanLink.client("127.0.0.1", server.port, files[str(HUBS[0])])
    await link.connect()
    await link.send(hello(HUBS[1]))
    ended, taken = asyncio.create_task(link.receive()), asyncio.create_task(came.get())
    await asyncio.wait([ended, taken], return_when=asyncio.FIRST_COMPLETED)
    assert not taken.done(), "the DCC took the hub for another"
    taken.cancel()
    with pytest.raises(WanError):
        await ended
    assert server.refused == [f"the certificate of {HUBS[0]} said HELLO as {HUBS[1]}: expected its own CHF EUI-64"]
    await server.close()


@pytest.mark.parametrize("wrong", ["hub", "dcc"])
async def test_a_certificate_of_another_authority_gets_no_connection(tmp_path: Path, wrong: str) -> None:
    ours, theirs = issue_tls(tmp_path / "ours", HUBS), issue_tls(tmp_path / "theirs", HUBS)
    mixed = {name: (theirs if (name == "dcc") == (wrong == "dcc") else ours)[name] for name in ours}
    mixed = {name: TlsFiles(ours[name].authority, files.certificate, files.key) for name, files in mixed.items()}
    server = TcpWanServer("127.0.0.1", 0, mixed["dcc"])
    await server.start()
    link = TcpWanLink.client("127.0.0.1", server.port, mixed[str(HUBS[0])])

    async def greet() -> None:  # with TLS 1.3 a refused client certificate shows at the first octets after the handshake
        await link.connect()
        await link.send(hello(HUBS[0]))
        await link.receive()

    with pytest.raises(WanError):
        await greet()
    assert not server.link(HUBS[0]).connected
    await server.close()


async def test_nobody_listening_is_told_with_the_address() -> None:

    with pytest.raises(WanError, match=r"cannot reach the DCC at 127\.0\.0\.1:1"):
        await TcpWanLink("127.0.0.1", 1, ssl.create_default_context()).connect()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeystoreError, match=r"authority\.pem: no such file"):
        files_of(tmp_path, "dcc")


async def test_a_newer_connection_of_a_hub_takes_the_place_of_the_older(tmp_path: Path) -> None:
    files = issue_tls(tmp_path, HUBS[:1])
    server = TcpWanServer("127.0.0.1", 0, files["dcc"])
    await server.start()
    far = server.link(HUBS[0])
    first, second = (TcpWanLink.client("127.0.0.1", server.port, files[str(HUBS[0])]) for _ in range(2))
    await first.connect()
    await first.send(hello(HUBS[0]))
    await far.connect()
    assert await far.receive() == hello(HUBS[0])
    waiting = asyncio.create_task(far.receive())
    await second.connect()
    await second.send(hello(HUBS[0]))
    with pytest.raises(WanError):
        await waiting
    await far.connect()
    assert await far.receive() == hello(HUBS[0])
    await server.close()


async def test_more_unfinished_handshakes_than_the_limit_are_ended_and_a_hub_gets_in_when_one_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware_emu.handshakes.MOST_BEGUN", 2)
    monkeypatch.setattr("firmware_emu.handshakes._MOMENT_S", 0.0)
    files = issue_tls(tmp_path, HUBS[:1])
    server = TcpWanServer("127.0.0.1", 0, files["dcc"])
    await server.start()
    idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    assert await reader.read() == b""
    writer.close()
    assert server.refused[-1] == "127.0.0.1: 2 others have not finished their handshake yet"
    for _, one in idle:
        one.close()
    while len(server.refused) < 3:  # noqa: ASYNC110 - the server tells nobody; each of the two has ended without TLS
        await asyncio.sleep(0)
    link, far = TcpWanLink.client("127.0.0.1", server.port, files[str(HUBS[0])]), server.link(HUBS[0])
    await link.connect()
    await link.send(hello(HUBS[0]))
    await far.connect()
    assert await far.receive() == hello(HUBS[0])
    await link.close()
    await server.close()


async def test_a_crowd_of_honest_hubs_gets_in_though_only_one_may_be_at_its_handshake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a process of the DCC dies and all its hubs come to another one."""
    monkeypatch.setattr("firmware_emu.handshakes.MOST_BEGUN", 1)
    monkeypatch.setattr("firmware_emu.handshakes._MOMENT_S", PATIENCE_S)
    files = issue_tls(tmp_path, HUBS)
    server = TcpWanServer("127.0.0.1", 0, files["dcc"])
    await server.start()

    async def comes(chf: Eui64) -> None:
        link = TcpWanLink.client("127.0.0.1", server.port, files[str(chf)])
        await link.connect()
        await link.send(hello(chf))
        await server.link(chf).connect()
        await link.close()

    await asyncio.gather(*map(comes, HUBS))
    assert server.refused == []
    await server.close()
