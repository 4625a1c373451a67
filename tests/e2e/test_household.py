"""A home that lives by itself: a hub that waits for its DCC, requests left in a run's folder."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.tcp import TcpWanLink, TcpWanServer
from firmware_emu.wan.tls import files_of
from hil.bench.household import PatientLink
from hil.bench.keys import pki_folder
from hil.bench.run_folder import RunFolder
from tests.patience import PATIENCE_S

BOARD = load_board("simulated")


async def test_a_patient_hub_is_met_by_a_dcc_that_starts_later_and_tells_once_that_it_waits() -> None:
    tls, chf, clock = pki_folder(BOARD) / "tls", BOARD.hub.chf, Clock()
    server = TcpWanServer("127.0.0.1", 0, files_of(tls, "dcc"))
    await server.start()
    port = server.port
    await server.close()
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)
    waiting = asyncio.Event()
    trace.subscribe(lambda record: waiting.set())
    link = PatientLink(TcpWanLink.client("127.0.0.1", port, files_of(tls, str(chf))), clock, trace, every_s=0.02)
    connecting = asyncio.create_task(link.connect())
    async with asyncio.timeout(PATIENCE_S):
        await waiting.wait()
    assert not connecting.done()
    server = TcpWanServer("127.0.0.1", port, files_of(tls, "dcc"))
    await server.start()
    async with asyncio.timeout(PATIENCE_S):
        await connecting
        await link.send(WanFrame(WanKind.HELLO, 1, chf.octets + BOARD.hub.gpf.octets + bytes(4)))
        await server.link(chf).connect()
    assert link.connected
    assert [record.event for record in records] == ["waiting"]
    await link.close()
    await server.close()


def test_requests_of_a_run_are_kept_in_order_and_install_codes_only_where_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path))
    requests = [("12.2", b"<a/>"), ("8.11", b"<sr:InstallCode>00</sr:InstallCode>"), ("7.2", b"<b/>")]
    for secrets, names in ((True, ["01_12.2.xml", "02_8.11.xml", "03_7.2.xml"]), (False, ["01_12.2.xml", "03_7.2.xml"])):
        folder = RunFolder("requests", BOARD, 1)
        folder.write_requests(requests, secrets=secrets)
        folder.close()
        files = sorted((folder.path / "requests").iterdir())
        assert [path.name for path in files] == names
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
