"""The bench of the incident log."""

from __future__ import annotations

import pytest

from tests.sec.incidents.incident_bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
