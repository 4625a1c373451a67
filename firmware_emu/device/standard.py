"""The use cases that every GBCS Device answers in the same way: credentials, joining, firmware activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_emu.device import firmware, joins, own_keys, provide_credentials, update_credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware_emu.device.future import FutureAction
    from firmware_emu.device.pipeline import GbcsDevice, Handler

STANDARD_HANDLERS: dict[int, Handler] = {
    0x0008: provide_credentials.handle,
    0x011B: provide_credentials.handle,
    0x000A: own_keys.issue,
    0x000B: own_keys.update,
    0x000C: own_keys.provide,
    0x000D: joins.join,
    0x00AB: joins.join,
    0x000E: joins.join,
    0x00AF: joins.join,
    0x000F: joins.unjoin,
    0x0010: joins.unjoin,
    0x0013: joins.read,
    0x0012: firmware.activate,
    **dict.fromkeys((*range(0x0100, 0x010A), 0x0125, 0x0126), update_credentials.handle),
}

STANDARD_DUE: dict[str, Callable[[GbcsDevice, FutureAction], None]] = {
    firmware.KIND: firmware.execute_due,
    update_credentials.KIND: update_credentials.execute_due,
}
"""What future-dated actions of these use cases do when they fall due."""
