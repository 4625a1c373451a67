"""The world that the tests of the page look at."""

from __future__ import annotations

import pytest

from tests.dcc.far_end import clock, far_end, run
from tests.ssi.page_world import World

__all__ = ["clock", "far_end", "run"]


@pytest.fixture
def world() -> World:
    return World()
