"""Refusals of the page: bodies without end, half heads, keys that are no text, months that are none; and no formula leaves it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_emu.ids import Eui64
from firmware_emu.wan.tls import TlsFiles
from hil.dcc.base.months import Month, MonthError
from hil.ssi import server as server_module
from hil.ssi.page import COOKIE
from hil.ssi.pages import _cell
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
