"""One bench for the tests that only look or say little: the HAN formed, the electricity meter commissioned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_emu.console import Bench, BlockingBench


@pytest.fixture(autouse=True, scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs of these tests go into a folder of their own."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHUB_RUNS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def home(runs: Path) -> Iterator[BlockingBench]:
    """A bench with an ESME, seed 7. Tests add to its trace and its time, and leave it as it is otherwise."""
    with Bench.open("simulated", seed=7) as bench:
        bench.hub.form()
        assert bench.esme.add()
        yield bench
