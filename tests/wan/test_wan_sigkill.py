"""Two real processes, TCP with mutual TLS, SIGKILL."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import WanError
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.channel import ChannelTiming, Hello, WanChannel, WanSide
from firmware_emu.wan.tcp import TcpWanLink
from firmware_emu.wan.tls import TlsFiles
from tests.wan.wan_pki import issue_tls

CHF = Eui64.parse("00db1234567890a2")


class FollowingLink(TcpWanLink):
    """A link to whichever port the DCC's present process wrote down."""

    def __init__(self, folder: Path, tls: TlsFiles) -> None:
        super().__init__("127.0.0.1", 0, tls.client_context())
        self._folder = folder

    async def connect(self) -> None:
        try:
            self._port = int((self._folder / "port").read_text())
        except OSError as error:
            raise WanError("the DCC has not started yet") from error
        await super().connect()


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock())


@pytest.mark.requirement("CH-03")
async def test_a_dcc_process_killed_again_and_again_keeps_each_message_once_and_in_order(clock: Clock, tmp_path: Path) -> None:
    files = issue_tls(tmp_path, [CHF])
    wanted = [f"message {number}".encode() for number in range(60)]
    seeded = random.Random(5)

    def never(frame: WanFrame) -> None:
        raise AssertionError(f"the DCC sent {frame.kind.name}")

    store = SqliteStore(tmp_path / "hub.db")
    hub = WanChannel(
        FollowingLink(tmp_path, files[str(CHF)]),
        store,
        clock,
        side=WanSide.HUB,
        name="dcc",
        trace=Trace(clock.now),
        hello=lambda: Hello(CHF, CHF, 0),
        on_frame=never,
        timing=ChannelTiming(first_back_off_s=0.02, longest_back_off_s=0.05),
    )
    for body in wanted:
        hub.post(WanKind.MESSAGE, body)
    running = asyncio.create_task(hub.run())
    kills = 0
    while hub.waiting():
        process = await asyncio.create_subprocess_exec(sys.executable, Path(__file__).parent / "kept_by_dcc.py", tmp_path, str(CHF))
        before = len(hub.waiting())
        target = max(0, before - seeded.randrange(5, 20))
        while len(hub.waiting()) > target and process.returncode is None:
            await clock.sleep(0.003)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        kills += 1
    running.cancel()
    assert kills >= 3
    with contextlib.closing(SqliteStore(tmp_path / "dcc.db")) as kept:
        assert [kept.get(key) for key in kept.keys("kept/")] == wanted
