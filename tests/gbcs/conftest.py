"""The official messages and a generated PKI for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import make_pki
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from tests.gbcs.gbcs_strategies import BROKER, HUB, METER, SUPPLIER

settings.register_profile("gbcs", deadline=None, max_examples=50)
settings.load_profile("gbcs")
"""The first example compiles the ASN.1 schema or reads the layouts, which a deadline per example would count against it."""


@pytest.fixture(scope="session")
def messages(rtds: Path) -> dict[str, bytes]:
    """Every message of the Reference Test Data Set by file name."""
    return {file.name: bytes.fromhex(file.read_text().strip()) for file in sorted((rtds / "4.5.0").rglob("*.HEX"))}


@pytest.fixture(scope="session")
def rtds_keys(rtds: Path) -> Keystore:
    """The published test keys."""
    return Keystore.load(rtds / "keys")


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    """A generated PKI with a broker, a supplier, a meter and a hub."""
    organisations = {
        "broker": (RemotePartyRole.ACCESS_CONTROL_BROKER, BROKER),
        "supplier": (RemotePartyRole.SUPPLIER, SUPPLIER),
    }
    devices = {METER: DeviceType.ESME, HUB: DeviceType.CHF}
    return make_pki(tmp_path_factory.mktemp("pki"), organisations=organisations, devices=devices)
