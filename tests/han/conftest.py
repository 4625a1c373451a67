from __future__ import annotations

import pytest
from memory_wire import Wire

from firmware_emu.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(warp=True)


@pytest.fixture
def wire() -> Wire:
    return Wire()
