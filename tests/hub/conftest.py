from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from tests.hub.dongle_bench import DongleBench
from tests.hub.hub_bench import START, Bench


@pytest.fixture(scope="session")
def hub_keystore(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    """A test PKI with the identities of the bench."""
    return make_pki(Path(tmp_path_factory.mktemp("hub")) / "pki", organisations=None, devices=DEFAULT_DEVICES)


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=START, warp=True))


@pytest.fixture
async def bench(hub_keystore: Keystore, clock: Clock) -> AsyncIterator[Bench]:
    """A hub that has power and its network."""
    async with Bench(hub_keystore, clock).running() as bench:
        yield bench


@pytest.fixture
async def bench_without_power(hub_keystore: Keystore, clock: Clock) -> AsyncIterator[Bench]:
    async with Bench(hub_keystore, clock).running(powered=False) as bench:
        yield bench


@pytest.fixture
async def dongle_bench(hub_keystore: Keystore, clock: Clock, tmp_path: Path) -> AsyncIterator[DongleBench]:
    """A hub whose radio is a virtual dongle, with power and its network."""
    async with DongleBench(hub_keystore, clock).running(powered=False) as bench:
        await bench.plug_in(tmp_path)
        yield bench
        await bench.cut()
        await bench.dongle.close()
