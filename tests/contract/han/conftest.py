from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from tests.contract.han.han_bench import Home, require


@pytest.fixture(params=["stack", "ezsp", "znp", "real"])
def closed_home(request: pytest.FixtureRequest, tmp_path: Path, follow: Callable[[Clock], Clock]) -> Home:
    """A HAN that is not open yet."""
    require(request.param)
    home = Home(request.param, tmp_path)
    follow(home.clock)
    return home


@pytest.fixture
async def home(closed_home: Home) -> AsyncIterator[Home]:
    """A HAN whose hub and Device are there."""
    await closed_home.open()
    yield closed_home
    await closed_home.close()
