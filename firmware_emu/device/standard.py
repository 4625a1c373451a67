"""The use cases that every GBCS Device answers in the same way: credentials, joining, firmware activation."""

from __future__ import annotations

from firmware_emu.device import firmware, joins, own_keys, provide_credentials, update_credentials
from firmware_emu.device.pipeline import Due, Handler, UseCases

_HANDLERS: dict[int, Handler] = {
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

_DUE: dict[str, Due] = {
    firmware.KIND: firmware.execute_due,
    update_credentials.KIND: update_credentials.execute_due,
}

STANDARD = UseCases(_HANDLERS, _DUE)
