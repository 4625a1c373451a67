"""A bench that runs, with its socket, to watch: a meter, a fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_emu.console import Bench, BlockingBench
from firmware_emu.console.attach import socket_in
from firmware_emu.console.bench import listening


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingBench]:
    """A home with an electricity meter that was read, seed 7."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHUB_RUNS", str(tmp_path_factory.mktemp("runs")))
        with Bench.open("simulated", seed=7) as opened:
            opened.hub.form()
            assert opened.esme.add()
            yield opened


@pytest.fixture(scope="session")
def socket(bench: BlockingBench) -> Iterator[Path]:
    with listening(bench.handle, socket_in(bench.folder)) as path:
        yield path
