from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from tests.devices.device_home import Home
from tests.devices.hub_in_memory import HubSide, MemoryHan


@pytest.fixture(scope="session")
def device_pki(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    directory: Path = tmp_path_factory.mktemp("pki") / "keys"
    return make_pki(directory, devices=DEFAULT_DEVICES)


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    """A warp clock that starts at a full hour of 2026."""
    return follow(Clock(start=datetime(2026, 1, 1, 10, 0, 5, tzinfo=UTC), warp=True))


@pytest.fixture
async def home(device_pki: Keystore, clock: Clock) -> Home:
    """A home for one Device."""
    han = MemoryHan(Eui64.parse("00db1234567890a2"))
    trace = Trace(clock.now)
    home = Home(device_pki, clock, han, HubSide(han, device_pki, clock), trace)
    trace.subscribe(home.records.append)
    return home
