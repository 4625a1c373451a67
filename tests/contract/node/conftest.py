"""Both kinds of node."""

from __future__ import annotations

import pytest

from tests.contract.node.node_bench import NodeBench


@pytest.fixture(params=["stack", "ezsp"])
def bench(request: pytest.FixtureRequest) -> NodeBench:
    return NodeBench(request.param)
