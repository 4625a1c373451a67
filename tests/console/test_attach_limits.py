"""A console's socket has one owner, answers what it cannot read, and keeps nothing for a console that does not read."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import cast

import pytest

from firmware_emu.console.attach import _UNREAD, _VISITS, console_socket
from firmware_emu.console.core import Core
from firmware_emu.ownership import OwnedElsewhere
from firmware_emu.trace import Latest, Trace


class Board:
    name = "bare"


class BareCore:
    """As much of a core as the socket asks for."""

    def __init__(self) -> None:
        self.trace = Trace(lambda: 0.0)
        self.board = Board()
        self.watching = None

    def state(self) -> str:
        return "here"


def core() -> Core:
    return cast("Core", BareCore())


async def test_a_word_that_is_no_text_is_answered(tmp_path: Path) -> None:
    async with console_socket(core(), tmp_path / "s"):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b'{"id": 1, "say": 5}\n{"id": 2, "state": ""}\n')
        first = json.loads(await reader.readline())  # were it not answered, the second would be the first
        assert first["id"] == 1
        assert "expected text" in first["error"]
        assert json.loads(await reader.readline())["text"] == "here"
        writer.close()


@pytest.mark.parametrize(
    "word",
    [
        b'{"id": [1], "state": ""}',
        b'{"id": 1e999, "state": ""}',
        b'{"id": null, "say": 5}',
        b'{"id": 1, "interrupt": [1]}',
        b'{"id": 1, "state": "", "width": "wide"}',
        b'{"id": 1, "state": "", "width": 1e999}',
        b"[" * 60_000,
    ],
)
async def test_what_no_console_of_ours_says_ends_that_console_alone(word: bytes, tmp_path: Path) -> None:
    hub, told = core(), list[dict[str, object]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with console_socket(hub, tmp_path / "s"):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(word + b"\n")
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b'{"id": 1, "state": ""}\n')
        assert json.loads(await reader.readline())["text"] == "here"
        writer.close()
    assert told == []


async def test_a_second_hub_does_not_take_the_socket_of_the_first(tmp_path: Path) -> None:
    async with console_socket(core(), tmp_path / "s"):
        with pytest.raises(OwnedElsewhere):
            await console_socket(core(), tmp_path / "s").__aenter__()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b'{"id": 1, "state": ""}\n')
        assert json.loads(await reader.readline())["text"] == "here"
        writer.close()


async def test_a_console_that_never_reads_costs_no_more_than_its_buffer(tmp_path: Path) -> None:
    hub = core()
    async with console_socket(hub, tmp_path / "s"):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s", limit=1024)
        writer.write(b'{"id": 1, "state": ""}\n')
        await reader.readline()
        visits = [one for one in asyncio.all_tasks() if "_visit" in str(one.get_coro())]
        assert visits
        for number in range(3_000):
            hub.trace.emit("wan", "hub", "lost", reason=f"{number} " + "x" * 900)
            if number % 100 == 0:
                await asyncio.sleep(0)
        unread = max(one._transport.get_write_buffer_size() for one in _writers(visits))
        assert unread <= _UNREAD + 8192
        writer.close()


def _writers(visits: list[asyncio.Task[object]]) -> list[asyncio.StreamWriter]:
    found = []
    for one in visits:
        frame = one.get_stack()[0]
        found.append(frame.f_locals["writer"] if "writer" in frame.f_locals else frame.f_locals["self"]._writer)
    return found


async def test_more_consoles_than_the_limit_are_told_so(tmp_path: Path) -> None:
    async with console_socket(core(), tmp_path / "s"):
        opened = [await asyncio.open_unix_connection(tmp_path / "s") for _ in range(_VISITS)]
        for reader, writer in opened:
            writer.write(b'{"id": 1, "state": ""}\n')
            await reader.readline()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        assert "attached already" in json.loads(await reader.readline())["error"]
        for _, one in [*opened, (reader, writer)]:
            one.close()


def test_the_latest_records_are_kept_and_no_more() -> None:
    trace, latest = Trace(lambda: 0.0), Latest(100)
    trace.subscribe(latest)
    for number in range(1_000):
        trace.emit("hub", "hub", "lost", number=number)
    assert len(latest.records) <= 110
    assert latest.records[-1].detail["number"] == 999


async def test_two_consoles_made_at_once_leave_the_process_its_mask(tmp_path: Path) -> None:
    async def made(name: str) -> None:
        async with console_socket(core(), tmp_path / name):
            await asyncio.sleep(0)

    before = os.umask(0o022)
    try:
        await asyncio.gather(made("a"), made("b"))
    finally:
        after = os.umask(before)
    assert after == 0o022


async def test_a_console_is_for_its_user_alone_from_its_making_on(tmp_path: Path) -> None:
    async with console_socket(core(), tmp_path / "s") as path:
        assert path.stat().st_mode & 0o777 == 0o600
