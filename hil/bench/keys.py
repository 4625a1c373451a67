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
    named = {
        "supplier": (RemotePartyRole.SUPPLIER, parties.supplier),
        "gas-supplier": (RemotePartyRole.SUPPLIER, parties.gas_supplier),
        "second-supplier": (RemotePartyRole.SUPPLIER, parties.other_supplier),
        "network-operator": (RemotePartyRole.NETWORK_OPERATOR, parties.network_operator),
        "access-control-broker": (RemotePartyRole.ACCESS_CONTROL_BROKER, parties.access_control_broker),
        "wan-provider": (RemotePartyRole.WAN_PROVIDER, parties.wan_provider),
        "transitional-cos": (RemotePartyRole.TRANSITIONAL_COS, parties.cos_party),
        "recovery": (RemotePartyRole.RECOVERY, parties.recovery),
        "other-user": (RemotePartyRole.OTHER, parties.other_user),
        "export-supplier": (RemotePartyRole.SUPPLIER, parties.export_supplier),
        "gas-transporter": (RemotePartyRole.NETWORK_OPERATOR, parties.gas_transporter),
        "load-controller": (RemotePartyRole.LOAD_CONTROLLER, parties.load_controller),
        "registered-supplier-agent": (RemotePartyRole.OTHER, parties.registered_supplier_agent),
    }
    found: dict[Eui64, str] = {}
    for name, (_, eui) in named.items():
        if eui is not None:
            found.setdefault(eui, name)
    return {name: (named[name][0], eui) for eui, name in found.items()}


def devices(board: Board) -> dict[Eui64, DeviceType]:
    """Every Device of the board, the hub's two included."""
    return {
        board.hub.chf: DeviceType.CHF,
        board.hub.gpf: DeviceType.GPF,
        **{device.eui: device_type(device.type) for device in board.device},
        **{one.eui: DeviceType[one.type] for one in board.listed},
    }


def state_folder() -> Path:
    """Folder of generated things that outlive a run (``XDG_STATE_HOME``)."""
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "commshub"


def pki_folder(board: Board) -> Path:
    """The folder of the board's keys. Without ``pki`` in the board: a test PKI for exactly these identities, made at first use."""
    return Path(board.pki) if board.pki is not None else made_pki(board.name, organisations(board), devices(board))


def adopted_pki(board: Board, keys: Path) -> Path:
    """The folder of the board's keys whose organisations are those of ``keys`` (PEM folder or DCC Boxed's JSON), where these hold them:
    the published test keystore has no Device's private keys, so the Devices' are made, at first use. Raises KeystoreError."""
    return made_pki(board.name, organisations(board), devices(board), Keystore.load(keys))


def made_pki(
    name: str,
    parties: Mapping[str, tuple[RemotePartyRole, Eui64]],
    everyone: Mapping[Eui64, DeviceType],
    adopted: Keystore | None = None,
) -> Path:
    """The folder of a test PKI for exactly these identities, made at first use; parties that ``adopted`` holds come from there."""
    named = [f"{name} {eui}" for name, (_, eui) in parties.items()]
    identities = sorted([*named, *(f"{eui} {kind.name}" for eui, kind in everyone.items())])
    if adopted is not None:
        identities += adopted.fingerprints(eui for _, eui in parties.values())
    folder = state_folder() / "pki" / f"{name}-{hashlib.sha256(' '.join(identities).encode()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        store = make_pki(made / "pki", organisations=parties, devices=everyone)
        if adopted is not None:
            for _, eui in parties.values():
                store.adopt(eui, adopted)
                for file in (made / "pki").glob(f"{eui}-xml.*"):
                    file.unlink()  # the keystore knows best who signs XML with what
            store.save(made / "pki")
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
