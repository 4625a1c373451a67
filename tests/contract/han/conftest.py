from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.han.han_bench import Home, require


@pytest.fixture(params=["stack", "ezsp", "znp", "real"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """A HAN that is not open yet."""
    require(request.param)
    return Home(request.param, tmp_path)
