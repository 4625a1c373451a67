from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from tests.device.device_rig import NOW, PARTIES, Recorder, Rig


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    directory: Path = tmp_path_factory.mktemp("pki") / "keys"
    return make_pki(directory, devices=DEFAULT_DEVICES)


@pytest.fixture
def make_rig(pki: Keystore) -> Callable[..., Rig]:
    def make(device_type: DeviceType = DeviceType.ESME, parties: dict[RemotePartyRole, Eui64] | None = None) -> Rig:
        eui64 = next(entity for entity, kind in DEFAULT_DEVICES.items() if kind is device_type)
        store = MemoryStore()
        credentials = Credentials.from_keystore(store, pki, eui64, device_type, PARTIES if parties is None else parties)
        executor = Recorder()
        trace = Trace(lambda: NOW)
        device = GbcsDevice(eui64, device_type, credentials, store, lambda: NOW, trace, STANDARD, executor)
        rig = Rig(device, pki, executor, store)
        device.now = lambda: rig.now
        trace.subscribe(rig.records.append)
        return rig

    return make


@pytest.fixture
def esme(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig()
