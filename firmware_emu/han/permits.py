"""Permits to join, each until its time: each Device with its own link key, nobody with the well-known one (reference ezsp-ncp 3)."""

from __future__ import annotations

import asyncio

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError
from firmware_emu.han.dongle import Dongle
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised

STEP_S = 240
"""One permit lasts 254 s at most (a ZDO octet), and a dongle forgets a transient key after 300 s: both are renewed before."""
_LEAD_S = 10


class Permits:
    """Join windows of one radio. ``dongle`` is the one in force, None while it is away."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[Eui64, tuple[bytes, float]] = {}
        self._task: asyncio.Task[None] | None = None
        self.dongle: Dongle | None = None

    @property
    def open(self) -> bool:
        """True if any window is noted."""
        return bool(self._windows)

    def add(self, device: Eui64, link_key: bytes, seconds: float) -> None:
        """Take note of a window; :meth:`renew` opens it."""
        self._windows[device] = (link_key, self._clock.now() + seconds)

    def drop(self, device: Eui64) -> None:
        """The Device may join no longer; takes effect with the next renewal."""
        self._windows.pop(device, None)

    async def renew(self) -> None:
        """Tell the dongle every window that is open, and keep doing so until the last has ended. Raises RadioError."""
        now = self._clock.now()
        self._windows = {device: window for device, window in self._windows.items() if window[1] > now}
        for device, (link_key, until) in tuple(self._windows.items()):
            if self.dongle is not None:
                await self.dongle.permit_device(device, link_key, max(1, min(STEP_S, int(until - now))))
        if self._windows and (self._task is None or self._task.done()):
            self._task = supervised(self._keep(), "the renewal of permits to join")

    async def close(self) -> None:
        """End every window and close joining. Raises RadioError."""
        self._windows.clear()
        self.stop()
        await self._shut_the_door()

    def stop(self) -> None:
        """No more renewals."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _keep(self) -> None:
        while self._windows:
            first = min(until for _, until in self._windows.values())
            await self._clock.sleep(max(0.0, min(STEP_S - _LEAD_S, first - self._clock.now())))
            if self.dongle is None:
                return
            try:
                await self.dongle.forget_permits()
                await self.renew()
                if not self._windows:
                    await self._shut_the_door()
            except CommsHubError:
                return  # the dongle went away; its recovery renews what is open

    async def _shut_the_door(self) -> None:
        if self.dongle is not None:
            await self.dongle.close_joining()
