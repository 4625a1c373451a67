"""A bench whose electricity meter can be read over the whole chain, for tests that lay faults or breakpoints on what passes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firmware_emu.console import Bench, BlockingBench


@pytest.fixture(scope="module")
def bench() -> Iterator[BlockingBench]:
    with Bench.open("simulated", seed=7) as bench:
        bench.hub.form()
        assert bench.esme.add()
        yield bench


@pytest.fixture(autouse=True)
def cleared(bench: BlockingBench) -> Iterator[None]:
    """Faults and breakpoints of a test are gone before the next."""
    yield
    bench.say("fault clear; break clear")
