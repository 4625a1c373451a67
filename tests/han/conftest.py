from __future__ import annotations

import pytest

from tests.han.memory_wire import Wire


@pytest.fixture
def wire() -> Wire:
    return Wire()
