from __future__ import annotations

import pytest

from firmware_emu.clock import Clock
from tests.han.memory_wire import Wire


@pytest.fixture
def clock() -> Clock:
    return Clock(warp=True)


@pytest.fixture
def wire() -> Wire:
    return Wire()
