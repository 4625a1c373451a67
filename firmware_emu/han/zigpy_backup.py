"""Backups of the network of any dongle that zigpy drives, in the open coordinator backup format, and their way back."""

from __future__ import annotations

from typing import Any

import zigpy.types
from zigpy.backups import NetworkBackup
from zigpy.exceptions import CannotWriteNetworkSettings, DestructiveWriteNetworkSettings

from firmware_emu.errors import NotAvailable, RadioError
from firmware_emu.han.base import NetworkSettings
from firmware_emu.han.custody import COUNTER_LEAP, Backup
from firmware_emu.ids import Eui64

zt: Any = zigpy.types  # its classes carry no types


def settings_of(app: Any) -> NetworkSettings:
    """The network that ``app`` (a zigpy application) has read from its dongle."""
    info = app.state.network_info
    return NetworkSettings(
        Eui64.from_zigbee(info.extended_pan_id.serialize()),
        int(info.channel),
        int(info.pan_id),
        info.network_key.key.serialize(),
        int(info.network_key.seq or 0),
        int(info.network_key.tx_counter or 0),
        int(info.nwk_update_id or 0),
    )


def encode(app: Any) -> Backup:
    """Backup of what ``app`` has read from its dongle, Devices and all."""
    made: Backup = NetworkBackup(network_info=app.state.network_info, node_info=app.state.node_info).as_open_coordinator_json()
    return made


def decode(backup: Backup, *, own_eui64: bool) -> tuple[Any, Any]:
    """zigpy's network and node, the counters put ahead. ``own_eui64``: the dongle keeps its EUI-64. Raises NotAvailable."""
    try:
        read: Any = NetworkBackup.from_open_coordinator_json(dict(backup))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise NotAvailable("the backup", f"{type(error).__name__} {error}: it is no whole open coordinator backup") from None
    if not read.is_complete():
        raise NotAvailable("the backup", "EUI-64, PAN ids, channel or network key are not in it")
    info, node = read.network_info, read.node_info
    for key in (info.network_key, info.tc_link_key, *info.key_table):
        key.tx_counter = min((key.tx_counter or 0) + COUNTER_LEAP, 0xFFFFFFFF)
    if own_eui64:
        node.ieee = zt.EUI64.UNKNOWN
    return info, node


async def write(app: Any, backup: Backup, *, own_eui64: bool) -> None:
    """Into the dongle, in place of what it holds. Raises NotAvailable or RadioError; zigpy's own errors of the line pass."""
    info, node = decode(backup, own_eui64=own_eui64)
    wanted = Eui64.from_zigbee(node.ieee.serialize())
    try:
        await app.write_network_info(network_info=info, node_info=node)
    except (CannotWriteNetworkSettings, DestructiveWriteNetworkSettings):
        raise RadioError(
            f"the firmware of this dongle cannot be given the EUI-64 {wanted} of the one before: flash firmware that can, or type "
            "--own-eui, after which Devices have to rejoin"
        ) from None
