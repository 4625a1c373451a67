"""Refusals of the page: bodies without end, half heads, keys that are no text, months that are none; and no formula leaves it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from firmware_emu.ids import Eui64
from firmware_emu.wan.tls import TlsFiles
from hil.dcc.base.months import Month, MonthError
from hil.ssi import server as server_module
from hil.ssi.page import COOKIE
from hil.ssi.pages import _cell
from hil.ssi.peer import PeerProtocol
from hil.ssi.server import PageServer
from hil.ssi.settings import page_settings
from tests.dcc.far_end import SUPPLIER
from tests.ssi.page_world import World
from tests.wan.wan_pki import issue_tls


async def test_a_form_key_that_is_not_ascii_is_refused_and_breaks_nothing(world: World) -> None:
    async with world.browser(SUPPLIER) as client:
        assert (await client.post("/sign-out", data={"form": "é"})).status_code == 403


@pytest.mark.parametrize("month", ["9999-12", "0001-01", "1999-12", "2026-13", "é"])
async def test_a_month_outside_bench_time_is_refused_with_what_was_expected(world: World, month: str) -> None:
    with pytest.raises(MonthError):
        Month.parse(month)
    async with world.browser(SUPPLIER) as client:
        answer = await client.get("/measures", params={"month": month})
        assert answer.status_code in (400, 403, 404)


@pytest.mark.parametrize("text", ["=cmd|x", "+1", "-1", "@x", "\t=1"])
def test_text_that_a_spreadsheet_takes_for_a_formula_leaves_as_text(text: str) -> None:
    assert _cell(text) == "'" + text
    assert _cell("12 High Street") == "12 High Street"
    assert _cell(-1) == -1


async def test_a_body_above_the_limit_is_refused_before_it_is_read(world: World) -> None:
    most = page_settings().body_octets
    async with world.browser(None) as client:
        assert (await client.post("/sign-in", content=b"x" * (most + 1))).status_code == 413

        async def endless() -> object:
            for _ in range(1_000):
                yield b"x" * 4096

        headers = {"content-type": "application/x-www-form-urlencoded"}
        assert (await client.post("/sign-in", content=endless(), headers=headers)).status_code == 413  # type: ignore[arg-type]


async def test_a_connection_that_never_sends_a_whole_request_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "page_settings", lambda: replace(page_settings(), header_s=0))
    server = PageServer(world.app, "127.0.0.1", 0)
    url = await server.start()
    try:
        port = int(url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0")
        connections = server._server.server_state.connections
        while not connections:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0)
        for _turn in range(100):  # of the loop: its time of 0 s is over at the next
            await asyncio.sleep(0)
        assert not connections
        with contextlib.suppress(ConnectionResetError):  # what it had sent was not read, so the end may come as a reset
            assert await reader.read() == b""
        writer.close()
    finally:
        await server.close()


class Wire(asyncio.Transport):
    """The other end of a connection, as its protocol sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.told = b""
        self.ended: list[str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.told += data

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended.append("closed")

    def abort(self) -> None:
        self.ended.append("aborted")

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def _answering(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without looking at the body."""
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})


@pytest.fixture
async def met() -> AsyncIterator[tuple[PeerProtocol, Wire]]:
    server = PageServer(_answering, "127.0.0.1", 0)._server
    server.config.load()
    protocol, wire = PeerProtocol(server.config, server.server_state, {}), Wire()
    protocol.connection_made(wire)
    yield protocol, wire
    protocol.connection_lost(None)  # uvicorn waits for a reader even where it is cancelled


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("before", "piece", "more", "owed"),
    [
        ((), b"GET /", b"a", "head"),
        ((HEAD + b"\r\n",), b"G", b"E", "head"),
        ((), HEAD + b"Content-Length: 10\r\n\r\n", b"x", "body"),
        ((HEAD + b"Content-Length: 10\r\n\r\n",), b"x", b"x", "body"),
        ((HEAD + b"Transfer-Encoding: chunked\r\n\r\n",), b"1\r\nx\r\n", b"1\r\nx\r\n", "body"),
    ],
)
async def test_what_was_begun_and_never_ends_is_ended_whether_it_was_answered_or_not(
    met: tuple[PeerProtocol, Wire], before: tuple[bytes, ...], piece: bytes, more: bytes, owed: str
) -> None:
    protocol, wire = met
    for one in before:
        protocol.data_received(one)
        while b"no" not in wire.told:  # noqa: ASYNC110 - the answer is said by a task of uvicorn's
            await asyncio.sleep(0)
    protocol.data_received(piece)
    assert protocol._owed == owed
    assert protocol._due is not None
    first = protocol._due.when()
    protocol.data_received(more)
    assert protocol._due.when() == first, "a little more of it is no reason to wait longer"
    protocol._over()
    protocol._over()
    assert wire.ended == ["closed", "aborted"]


async def test_who_does_not_read_its_answer_is_left(met: tuple[PeerProtocol, Wire]) -> None:
    protocol, wire = met
    protocol.data_received(HEAD + b"\r\n")
    assert protocol._due is None
    protocol.pause_writing()
    assert protocol._owed == "reading"
    protocol.resume_writing()
    assert protocol._owed is None
    protocol.pause_writing()
    protocol._over()
    assert wire.ended == ["aborted"]


HUB = Eui64.parse("00db1234567890e2")


def _as(files: TlsFiles) -> ssl.SSLContext:
    """A client that knows the server by its authority alone."""
    context = files.client_context()
    context.check_hostname = False
    return context


async def test_more_handshakes_than_the_limit_are_ended_and_a_browser_gets_in_when_one_is_gone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware_emu.handshakes.MOST_BEGUN", 2)
    monkeypatch.setattr("firmware_emu.handshakes._MOMENT_S", 0.0)
    files = issue_tls(tmp_path, [HUB])
    server = PageServer(world.app, "127.0.0.1", 0, files["dcc"].server_context())
    url = await server.start()
    port = int(url.rsplit(":", 1)[1])
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.read() == b""
    writer.close()
    assert server.refused[-1] == "127.0.0.1: 2 others have not finished their handshake yet"
    for _, one in idle:
        one.close()
    while len(server.refused) < 3:  # noqa: ASYNC110 - the server tells nobody; each of the two has ended without TLS
        await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=_as(files[str(HUB)]))
    writer.write(b"GET /sign-in HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    assert b"HTTP/1.1" in await reader.read()
    writer.close()
    await server.close()


async def test_a_handshake_that_is_never_finished_is_ended(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "page_settings", lambda: replace(page_settings(), header_s=1))
    server = PageServer(world.app, "127.0.0.1", 0, issue_tls(tmp_path, ())["dcc"].server_context())
    url = await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
    assert await reader.read() == b""
    assert "no TLS" in server.refused[-1]
    writer.close()
    await server.close()


async def test_one_more_stream_than_a_session_may_have_is_told_so_and_one_that_ends_makes_room(world: World) -> None:
    page = world.page
    session = page.accounts.sign_in(world.tokens[SUPPLIER])
    gone = asyncio.Event()

    async def open_stream() -> tuple[int, asyncio.Task[None]]:
        begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def receive() -> dict[str, object]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start" and not begun.done():
                begun.set_result(int(str(message["status"])))

        cookie = (b"cookie", f"{COOKIE}={session.key}".encode())
        scope = {"type": "http", "method": "GET", "path": "/live", "headers": [(b"host", b"test"), cookie], "query_string": b""}
        task = asyncio.create_task(world.app(scope | {"scheme": "http", "server": ("test", 80), "raw_path": b"/live"}, receive, send))  # type: ignore[arg-type]
        return await begun, task

    most = page.settings.streams_per_session
    opened = [await open_stream() for _ in range(most + 1)]
    assert [status for status, _ in opened] == [200] * most + [429]
    gone.set()
    await asyncio.gather(*(task for _, task in opened))
    assert not page.streams


async def test_a_person_who_goes_in_the_middle_of_a_form_is_no_fault_of_the_page(world: World, caplog: pytest.LogCaptureFixture) -> None:
    server = PageServer(world.app, "127.0.0.1", 0)
    url = await server.start()
    try:
        _reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100"
        writer.write(b"POST /sign-in HTTP/1.1\r\nHost: test\r\n" + form + b"\r\n\r\ntoken=")
        state = server._server.server_state
        while not state.tasks:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0)
        writer.close()
        while state.tasks:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []
    finally:
        await server.close()
