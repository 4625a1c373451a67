"""A home that lives by itself on the wall clock: somebody switches it on, lets its Devices try to join, and nobody waits half an hour.

What no Device does by itself is done here as an installer would: each Device that is on no network is told to join again and again,
and the sleepy gas meter is woken as soon as the hub keeps something for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, WanError
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.base import PassingLink, WanLink
from hil.bench.home import Home
from hil.devices.base.han_device import HanDevice
from hil.devices.gsme.gsme import Gsme

KNOCK_S = 0.25
"""Period at which the hub tries to reach a DCC that does not listen. The bench's own figure."""
TRY_AGAIN_S = 1.0
"""Pause of the installer between two rounds. The bench's own figure."""
LOOK_S = 0.5
"""Period at which the mailbox of the gas meter is looked at. The bench's own figure."""
WAKE_BLIND_S = 5.0
"""Period at which the gas meter is woken where its hub's mailbox cannot be seen. The bench's own figure."""


class PatientLink(PassingLink):
    """A hub's link whose ``connect`` goes on until a DCC listens, so that one that is started is met at once.

    The stored channel above would wait longer after each failure, up to a minute: fit for a DCC that is never away for long.
    """

    def __init__(self, link: WanLink, clock: Clock, trace: Trace, every_s: float = KNOCK_S) -> None:
        super().__init__(link)
        self._clock = clock
        self._trace = trace
        self._every_s = every_s

    async def connect(self) -> None:
        told = ""
        while True:
            try:
                await self._link.connect()
                return
            except WanError as error:
                if str(error) != told:
                    told = str(error)
                    self._trace.emit("wan", "hub", "waiting", reason=told)
                await self._clock.sleep(self._every_s)


class Household:
    """Lives in a :class:`Home` that was brought up."""

    def __init__(self, home: Home) -> None:
        self.home = home
        home.trace.subscribe(self._displays)

    def _displays(self, record: Record) -> None:
        """Print a meter's own display after a Command, or when the gas meter falls asleep: to compare with what was read."""
        if record.area != "device" or record.event not in ("executed", "asleep"):
            return
        meter = next((device for device in self.home.devices.values() if device.name == record.source), None)
        tell = self.home.trace.emit
        if meter is not None and (record.event == "asleep") is meter.sleepy and (shown := meter.display()):
            values: dict[str, Any] = {name.replace(", ", "_").replace(" ", "_").lower(): value for name, value in shown.items()}
            tell("device", meter.name, "display", **values)

    async def run(self, over: Callable[[], bool]) -> None:
        """Supply on; until ``over()``, or the hub ends by itself. Raises what the hub ended with."""
        home = self.home
        await home.host.power_up()
        chores: list[Coroutine[None, None, None]] = [self._install()]
        chores += [wake_when_kept(home, device) for device in home.devices.values() if isinstance(device, Gsme)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(chore) for chore in chores]
            while not over() and home.hub_trouble is None:
                await home.clock.sleep(0.1)
            for task in tasks:
                task.cancel()
        if home.hub_trouble is not None:
            raise home.hub_trouble

    async def _install(self) -> None:
        """Round after round, one Device after the other: each that is on no network tries to join.

        Where the hub can be seen, only those that its log lists: the others would scan in vain.
        """
        told: dict[str, str] = {}
        while True:
            for device in self.home.devices.values():
                if device.powered and not device.node.joined and self._may_join(device):
                    try:
                        await device.join()
                    except CommsHubError as refused:
                        if told.get(device.name) != str(refused):
                            told[device.name] = str(refused)
                            self.home.trace.emit("han", device.name, "not joined", reason=str(refused))
            await self.home.clock.sleep(TRY_AGAIN_S)

    def _may_join(self, device: HanDevice) -> bool:
        hub = self.home.hub
        return hub is None or any(entry.device == device.eui64 for entry in hub.status.device_log)


async def wake_when_kept(home: Home, gsme: Gsme) -> None:
    """Wake the meter when its mailbox holds something, and once more, so that the GPF has what the Commands changed; until cancelled."""
    while True:
        await home.clock.sleep(LOOK_S if home.hub is not None else WAKE_BLIND_S)
        if not gsme.node.joined or gsme.coordinator is None:
            continue
        if home.hub is None or home.hub.status.mailbox.get(gsme.eui64):
            await gsme.wake()
            await gsme.wake()
