"""The client of the guide does a critical request from end to end, as written, with its own signer."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.envelope import Message
from hil.dcc.service.app import make_app
from hil.ssi.server import PageServer
from tests.dcc.far_end import ESME, SUPPLIER, FarEnd
from tests.dcc.service.duis_client import Client

GUIDE = Path(__file__).resolve().parents[3] / "hil" / "dcc" / "service" / "guide" / "client.md"


def program() -> str:
    found = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock())


def test_the_client_has_sixty_lines() -> None:
    assert len([line for line in program().splitlines() if line.strip()]) <= 60


async def test_the_client_disables_a_supply(clock: Clock, keystore: Keystore, keys: Path, tmp_path: Path) -> None:
    far_end = FarEnd(keystore, clock)
    await far_end.in_service()
    client = Client(far_end, network=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client.addresses.set(None, f"http://127.0.0.1:{port}/smartdcc/duis")
    server = PageServer(make_app(client.exchange, lambda request: None), "127.0.0.1", 0)
    url = await server.start()
    script = tmp_path / "client.py"
    script.write_text(program(), encoding="utf-8")
    told = await asyncio.create_subprocess_exec(
        sys.executable, str(script), f"{url}/api/v1", str(keys), SUPPLIER.duis, ESME.duis, str(port), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await told.communicate()
    acknowledged, response = out.decode().splitlines()
    matches, code, payload = response.split()
    assert (acknowledged, matches, code) == ("I99", "True", "I0")
    assert Message.decode(base64.b64decode(payload)).header.originator == ESME
    await client.exchange.pusher.close()
    await server.close()
    await far_end.close()
