"""Both kinds of node."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from firmware_emu.clock import Clock
from tests.contract.node.node_bench import NodeBench


@pytest.fixture(params=["stack", "ezsp"])
async def bench(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[NodeBench]:
    async with NodeBench(request.param, clock).open() as bench:
        yield bench
