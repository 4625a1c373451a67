"""Dongles of one family on one air, and hosts for them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.radio.air.air import Air
from hil.radio.dongles import virtual_dongle
from hil.radio.port.dongle_server import DongleServer


class Rig:
    """Dongles of one family on one air, and hosts for them."""

    def __init__(self, family: str, folder: Path, clock: Clock) -> None:
        self.family, self.folder = family, folder
        self.clock = clock
        self.air = Air(self.clock, 1)

    def dongle(self, eui64: Eui64) -> DongleServer:
        return virtual_dongle(self.family, self.air, eui64, 13, None, self.clock)

    @contextlib.asynccontextmanager
    async def radio(self, dongle: DongleServer, *endpoints: SimpleDescriptor) -> AsyncIterator[ZigpyRadio]:
        path = str(await dongle.serve_pty())
        radio = ZigpyRadio(
            path, kind=self.family, clock=self.clock, trace=Trace(self.clock.now), watchdog_s=0, backups=self.folder / "backups"
        )
        for endpoint in endpoints:
            radio.add_endpoint(endpoint)
        try:
            await radio.start()
            yield radio
        finally:
            await radio.stop()
            await dongle.close()
            dongle.power(True)
