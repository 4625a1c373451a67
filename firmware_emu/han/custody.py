"""Owner of the network that a dongle holds: told before anything in the dongle is changed; and backups of it.

A backup is JSON in the open coordinator backup format (zigpy/open-coordinator-backup), which zigpy and zigbee-herdsman read too. It
holds keys: files are written with mode 0600 and never over one another.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Protocol, runtime_checkable

from firmware_emu.errors import NotAvailable
from firmware_emu.han.base import NetworkSettings
from firmware_emu.ids import Eui64

FORMAT = "zigpy/open-coordinator-backup"
COUNTER_LEAP = 1 << 24
"""Frames by which the counters of a restored network go ahead: half a year at one a second since the backup; a counter has 2^32."""

Backup = Mapping[str, object]


class Custody(Enum):
    """Conduct of a hub at a dongle that holds something else than it remembers."""

    REFUSE = "refuse"
    TAKE_OVER = "take-over"
    """Save a backup of what is there and form the hub's own network."""
    RESTORE = "restore"
    """Save a backup of what is there and write the hub's own network into the dongle, as it was on the one before."""


@dataclass(frozen=True, slots=True)
class DongleContent:
    """Content of a dongle. ``network`` None: nothing. ``coordinator`` False: it joined a network of somebody else."""

    dongle: Eui64
    network: NetworkSettings | None = None
    coordinator: bool = True


@runtime_checkable
class CustodyRadio(Protocol):
    """A radio that can be looked at before it is used, and whose network can be saved and written."""

    async def held(self) -> DongleContent:
        """The dongle's content, without sending anything over the air of its own accord. Raises RadioError."""
        ...

    async def silence(self) -> None:
        """Leave the dongle as it was found: its network is down until a host starts it."""
        ...

    async def backup(self) -> Backup:
        """The network of the dongle. Raises RadioError."""
        ...

    async def save_backup(self) -> Path:
        """:meth:`backup` in a file of its own; where. Raises RadioError or NotAvailable."""
        ...

    async def restore(self, backup: Backup) -> NetworkSettings:
        """Write ``backup`` into the dongle in place of what it holds and start it. Raises RadioError."""
        ...


def differences(held: DongleContent, dongle: Eui64 | None, own: NetworkSettings | None, wanted: Eui64) -> tuple[str, ...]:
    """Differences from what the hub remembers, in words; nothing where the dongle is the hub's own or is empty.

    ``dongle`` and ``own``: the dongle and the network that the hub remembers (None: none). ``wanted``: its extended PAN id now. A
    network of that id that the hub does not remember is its own of an earlier life. A key or a channel that differs on the same
    network of the same dongle is a change that the hub did not see through, so it is no stranger's.
    """
    found: list[str] = []
    if dongle is not None and held.dongle != dongle:
        found.append(f"it is the dongle {held.dongle}, and this hub's network was on {dongle}")
    network = held.network
    if network is None:
        return tuple(found)
    if not held.coordinator:
        found.append(f"it has joined the network {network.extended_pan_id} of another coordinator")
    elif network.extended_pan_id not in {wanted, own.extended_pan_id if own is not None else wanted}:
        found.append(f"it holds the network {network.extended_pan_id} on {_place(network)}, and this hub's is {wanted}")
    elif own is not None and own.pan_id is not None and own.pan_id != network.pan_id:
        found.append(f"its network is on {_place(network)}, and this hub's is on {_place(own)}")
    elif own is not None and found and own.network_key != network.network_key:
        found.append("its network key is another one than this hub's")
    return tuple(found)


def compose(dongle: Eui64, network: NetworkSettings, link_keys: Mapping[Eui64, bytes]) -> Backup:
    """The backup of a network that is known from elsewhere than from its dongle, which was ``dongle``. Keys must be in it.

    Raises NotAvailable where PAN id or network key are not known.
    """
    if network.pan_id is None or network.network_key is None:
        raise NotAvailable("the hub's own network", "its PAN id or its network key is not known: use --take-over")
    return {
        "metadata": {"version": 1, "format": FORMAT, "source": "commshub", "internal": {}},
        "stack_specific": {},
        "coordinator_ieee": dongle.octets.hex(),
        "pan_id": f"{network.pan_id:04x}",
        "extended_pan_id": network.extended_pan_id.octets.hex(),
        "nwk_update_id": network.update_id,
        "security_level": 5,
        "channel": network.channel,
        "channel_mask": [network.channel],
        "network_key": {
            "key": network.network_key.hex(),
            "sequence_number": network.key_sequence,
            "frame_counter": network.frame_counter,
        },
        "devices": [
            {
                "ieee_address": device.octets.hex(),
                "nwk_address": None,
                "is_child": False,
                "link_key": {"key": key.hex(), "tx_counter": network.frame_counter, "rx_counter": 0},
            }
            for device, key in link_keys.items()
        ],
    }


def _place(network: NetworkSettings) -> str:
    pan = "a PAN that is not known" if network.pan_id is None else f"PAN {network.pan_id:04X}"
    return f"{pan}, channel {network.channel}"


def write_backup(backup: Backup, folder: Path) -> Path:
    """Into a file of its own in ``folder``, named after dongle and network. Raises NotAvailable."""
    network = f"{backup.get('coordinator_ieee', 'dongle')}-{backup.get('extended_pan_id', 'network')}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = folder / f"{network}-{number}.json"
            if not path.exists():
                break
        write_file(backup, path)
    except OSError as error:
        raise NotAvailable(f"a backup in {folder}", f"{error.strerror}: name a folder that can be written to") from None
    return path


def write_file(backup: Backup, path: Path) -> None:
    """Write ``path`` (mode 0600), which must not be there. Raises NotAvailable."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise NotAvailable(f"a backup in {path}", f"{error.strerror}: name a file that is not there yet") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(backup, file, indent=2)
        file.write("\n")


def read_file(path: Path) -> Backup:
    """A backup. Raises NotAvailable for a file that is none."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotAvailable(f"the backup {path}", f"{error.strerror}: name a file that `chub hub backup` or another host wrote") from None
    except ValueError as error:
        raise NotAvailable(f"the backup {path}", f"it is no JSON ({error}), expected the open coordinator backup format") from None
    metadata = read.get("metadata") if isinstance(read, dict) else None
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise NotAvailable(f"the backup {path}", f'its metadata does not say format "{FORMAT}": name a coordinator backup')
    backup: Backup = read
    return backup
