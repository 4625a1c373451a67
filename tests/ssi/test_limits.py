"""Refusals of the page: bodies without end, half heads, keys that are no text, months that are none; and no formula leaves it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from hil.dcc.base.months import Month, MonthError
from hil.ssi import peer
from hil.ssi.pages import _cell
from hil.ssi.server import PageServer
from hil.ssi.settings import page_settings
from tests.dcc.far_end import SUPPLIER
from tests.ssi.page_world import World


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
    monkeypatch.setattr(peer, "page_settings", lambda: replace(page_settings(), header_s=0))
    server = PageServer(world.app, "127.0.0.1", 0)
    url = await server.start()
    try:
        port = int(url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0")
        with contextlib.suppress(ConnectionResetError):  # what it had sent was not read, so the end may come as a reset
            assert await reader.read() == b""
        writer.close()
    finally:
        await server.close()
