"""Limits of the served parts of a jig: clients, levels wanted and not set yet (RFC 2217), octets unread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import pytest

from ichis import served_jig, served_lines
from ichis.connector import Level
from ichis.instrument.stand_in import Behind, StandIn
from ichis.measuring.dialect import named
from ichis.served_jig import MOST_CLIENTS, SocketStandIn, TerminalStandIn
from ichis.served_lines import ServedLines


async def _nothing(symbol: str, level: Level) -> None:
    await asyncio.Event().wait()


async def _low(symbol: str) -> Level:
    return Level.LOW


SMALL = 4096
"""Octets that the system keeps for a socket at either end: what is not read is soon the server's to keep."""


async def _port(lines: ServedLines) -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(lines.attach, "127.0.0.1", 0)
    server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    return server, int(server.sockets[0].getsockname()[1])


async def _reads_little(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that asks much and reads nothing of it before it has ended asking."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=connection, limit=1)


async def _answered(reader: asyncio.StreamReader) -> int:
    """Octets that still come until the other end has ended."""
    count = 0
    with contextlib.suppress(ConnectionError):
        while octets := await reader.read(4096):
            count += len(octets)
    return count


async def _asked(writer: asyncio.StreamWriter, octets: bytes) -> None:
    """Ask all of it and end there, so that a server without a limit ends too."""
    with contextlib.suppress(ConnectionError):
        writer.write(octets)
        await writer.drain()
        writer.write_eof()


async def test_a_second_client_is_turned_away_and_the_next_gets_in_when_the_first_has_gone() -> None:
    server, port = await _port(lines := ServedLines(_nothing, _low))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.read(1)
    second, other = await asyncio.open_connection("127.0.0.1", port)
    await _asked(other, b"")
    assert await _answered(second) == 0
    other.close()
    writer.close()
    while lines.attached:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0)
    third, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await third.read(1)
    writer.close()
    server.close()


async def test_a_client_that_wants_more_levels_than_the_jig_can_set_is_dropped() -> None:
    server, port = await _port(ServedLines(_nothing, _low))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times, answer = served_lines.MOST_WANTED, 2 * len(bytes.fromhex("fffa6c0508fff0"))
    await _asked(writer, bytes.fromhex("fffa2c0508fff0fffa2c0509fff0") * times)  # SET-CONTROL: DTR on, DTR off
    assert await _answered(reader) < times * answer
    writer.close()
    server.close()


async def test_a_client_that_never_reads_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_lines, "MOST_UNREAD", 1024)
    server, port = await _port(lines := ServedLines(_nothing, _low))
    reader, writer = await _reads_little(port)
    await reader.read(1)
    times, ask = 4096, bytes.fromhex("fffa2c0100000000fff0")  # SET-BAUDRATE 0 asks for it: each is answered with as many octets
    await _asked(writer, ask * times)
    while lines.attached:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0)
    assert await _answered(reader) < times * len(ask)
    writer.close()
    server.close()


async def _client(stand_in: SocketStandIn) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", stand_in.port, limit=1)


async def test_one_client_more_than_a_stand_in_serves_is_turned_away_and_the_next_gets_in_when_one_has_gone() -> None:
    await (stand_in := SocketStandIn(StandIn(*named("scpi-supply"), Behind()))).open()
    clients = [await _client(stand_in) for _ in range(MOST_CLIENTS)]
    for reader, writer in clients:
        writer.write(b"*IDN?\n")
        assert await reader.readexactly(1)
    one_more, other = await _client(stand_in)
    await _asked(other, b"*IDN?\n")
    assert await _answered(one_more) == 0
    clients[0][1].close()
    while stand_in.clients == MOST_CLIENTS:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0)
    reader, writer = await _client(stand_in)
    writer.write(b"*IDN?\n")
    assert await reader.readexactly(1)
    for _, one in (*clients, (one_more, other), (reader, writer)):
        one.close()
    await stand_in.close()


async def test_a_client_of_a_stand_in_that_asks_and_never_reads_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_jig, "MOST_UNREAD", 1024)
    await (stand_in := SocketStandIn(StandIn(*named("scpi-supply"), Behind()))).open()
    stand_in._served.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    reader, writer = await _reads_little(stand_in.port)
    times, ask = 2048, b"*IDN?\n"
    writer.write(ask)
    answer = len(await reader.read(1)) + len(await reader.read(1024))
    await _asked(writer, ask * times)
    while stand_in.clients:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0)
    assert await _answered(reader) < times * answer
    writer.close()
    await stand_in.close()


async def test_a_stand_in_on_a_terminal_outlives_a_client_that_asks_and_never_reads(tmp_path: Path) -> None:
    terminal = TerminalStandIn(StandIn(*named("scpi-supply"), Behind()), tmp_path / "supply")
    client = os.open(tmp_path / "supply", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    for _ in range(40):
        for _ in range(50):
            terminal._lines.put_nowait("*IDN?")
        while terminal._lines.qsize() and not terminal._task.done():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not terminal._task.done()
    with contextlib.suppress(BlockingIOError):
        while os.read(client, 4096):
            pass
    terminal._lines.put_nowait("*IDN?")
    while terminal._lines.qsize() and not terminal._task.done():  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    assert not terminal._task.done()
    os.close(client)
    await terminal.close()


async def test_a_stand_in_on_a_terminal_keeps_no_more_lines_than_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_jig, "MOST_LINES", 10)
    terminal = TerminalStandIn(StandIn(*named("scpi-supply"), Behind()), tmp_path / "supply")
    terminal._task.cancel()
    client = os.open(tmp_path / "supply", os.O_RDWR | os.O_NOCTTY)
    os.write(client, b"*IDN?\n" * 100)
    terminal._read()
    assert terminal._lines.qsize() == 10
    os.close(client)
    await terminal.close()
