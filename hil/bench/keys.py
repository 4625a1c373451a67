"""The keys of a board: the folder it names, or a test PKI generated once outside the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from firmware_emu.board import Board
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import make_pki
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.ids import Eui64
from hil.devices.kinds import device_type


def organisations(board: Board) -> dict[str, tuple[RemotePartyRole, Eui64]]:
    """The board's parties with their remote party roles, by the names that the PKI files them under."""
    parties = board.parties
    return {
        "supplier": (RemotePartyRole.SUPPLIER, parties.supplier),
        "gas-supplier": (RemotePartyRole.SUPPLIER, parties.gas_supplier),
        "second-supplier": (RemotePartyRole.SUPPLIER, parties.other_supplier),
        "network-operator": (RemotePartyRole.NETWORK_OPERATOR, parties.network_operator),
        "access-control-broker": (RemotePartyRole.ACCESS_CONTROL_BROKER, parties.access_control_broker),
        "wan-provider": (RemotePartyRole.WAN_PROVIDER, parties.wan_provider),
        "transitional-cos": (RemotePartyRole.TRANSITIONAL_COS, parties.cos_party),
        "recovery": (RemotePartyRole.RECOVERY, parties.recovery),
        "other-user": (RemotePartyRole.OTHER, parties.other_user),
    }


def devices(board: Board) -> dict[Eui64, DeviceType]:
    """Every Device of the board, the hub's two included."""
    return {
        board.hub.chf: DeviceType.CHF,
        board.hub.gpf: DeviceType.GPF,
        **{device.eui: device_type(device.type) for device in board.device},
    }


def state_folder() -> Path:
    """Folder of generated things that outlive a run (``XDG_STATE_HOME``)."""
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "commshub"


def pki_folder(board: Board) -> Path:
    """The folder of the board's keys. Without ``pki`` in the board: a test PKI for exactly these identities, made at first use."""
    return Path(board.pki) if board.pki is not None else made_pki(board.name, organisations(board), devices(board))


def made_pki(name: str, parties: Mapping[str, tuple[RemotePartyRole, Eui64]], everyone: Mapping[Eui64, DeviceType]) -> Path:
    """The folder of a test PKI for exactly these identities, made at first use."""
    named = [f"{name} {eui}" for name, (_, eui) in parties.items()]
    identities = sorted([*named, *(f"{eui} {kind.name}" for eui, kind in everyone.items())])
    folder = state_folder() / "pki" / f"{name}-{hashlib.sha256(' '.join(identities).encode()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        make_pki(made / "pki", organisations=parties, devices=everyone)
        try:
            (made / "pki").rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process made the same one first: theirs is as good
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def load_keys(board: Board) -> Keystore:
    """The board's keystore with every private key of the bench. Raises KeystoreError."""
    return Keystore.load(pki_folder(board))
