from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from tests.hub.hub_bench import Bench


@pytest.fixture(scope="session")
def hub_keystore(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    """A test PKI with the identities of the bench."""
    return make_pki(Path(tmp_path_factory.mktemp("hub")) / "pki", organisations=None, devices=DEFAULT_DEVICES)


@pytest.fixture
def bench(hub_keystore: Keystore) -> Bench:
    return Bench(hub_keystore)
