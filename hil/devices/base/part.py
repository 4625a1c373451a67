"""The Device as its parts see it, so that a part depends on no Device type."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import ClassVar, Protocol

from firmware_emu.clock import Clock
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.store import Store
from firmware_emu.han.base import HanNode
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace


class DevicePart(Protocol):
    """Everything that a part may use of a Device with GBCS: its identity, its memory, its radio, its clock and its way to the hub."""

    device_type: ClassVar[DeviceType]
    eui64: Eui64
    name: str
    trace: Trace
    clock: Clock
    store: Store
    gbcs: GbcsDevice
    node: HanNode
    zcl: ZclPort
    coordinator: Eui64 | None

    def now(self) -> float:
        """The Device's own time, seconds since 2000."""
        ...

    def send(self, message: bytes) -> None:
        """Put a message of this Device on its way to the hub."""
        ...

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run ``work`` beside the Device; it ends with the Device's power."""
        ...
