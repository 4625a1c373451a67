"""Simulated Devices on the air of a virtual dongle, for a host of another maker: it interviews, binds and reads a GB meter.

With key establishment they let a host read what its security allows; without it (``cbke`` False) they join with the key that every
ZigBee 3.0 host knows, and everything goes under the network key alone and the Home Automation profile, as no GB Device does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from firmware_emu.board import DeviceTable, load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.errors import BoardError, CommsHubError
from firmware_emu.han.base import SMART_ENERGY, ApsFrame, SimpleDescriptor
from firmware_emu.hub.from_board import parties_of
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace
from hil.bench.household import TRY_AGAIN_S, WAKE_BLIND_S
from hil.bench.keys import load_keys
from hil.devices.base.han_device import HanDevice
from hil.devices.base.place import Place
from hil.devices.esme.esme import Esme
from hil.devices.kinds import kind
from hil.radio.air.air import Air
from hil.radio.nodes.node import StackNode
from hil.radio.stack.aps import IncomingApdu

HOME_AUTOMATION = 0x0104
WELL_KNOWN_KEY = b"ZigBeeAlliance09"
"""The default global trust centre link key (ZigBee PRO r21)."""


class PlainNode(StackNode):
    """A node without link keys: what comes under the network key counts as secured, and everything goes out under it alone.

    Its endpoints are of the Home Automation profile: hosts of the zigpy family drop what comes under a profile that they do not know, and
    ZigBee Smart Energy is one.
    """

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        super().add_endpoint(replace(descriptor, profile=HOME_AUTOMATION))

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        profile = HOME_AUTOMATION if frame.profile == SMART_ENERGY else frame.profile
        await super().send(destination, replace(frame, secured=False, profile=profile))

    def incoming(self, message: IncomingApdu) -> None:
        profile = SMART_ENERGY if message.pdu.profile == HOME_AUTOMATION else message.pdu.profile
        super().incoming(replace(message, pdu=replace(message.pdu, secured=True, profile=profile)))


class Neighbours:
    """Devices of the board ``simulated`` by name, each on its own radio; they try to join until they are in. Raises BoardError."""

    def __init__(self, air: Air, clock: Clock, trace: Trace, names: Sequence[str], *, cbke: bool) -> None:
        board = load_board("simulated")
        self.rows: list[DeviceTable] = [board.find(name) for name in names]
        if len(set(names)) != len(names):
            raise BoardError("--with", "device", f"{', '.join(names)}: name each Device once")
        self.clock = clock
        self.cbke = cbke
        self.devices: list[HanDevice] = []
        self._tasks: list[asyncio.Task[None]] = []
        keystore = load_keys(board)
        for row in self.rows:
            made = kind(row.type)
            node = (StackNode if cbke else PlainNode)(air, row.eui)
            place = Place(row, keystore, node, clock, trace, parties_of(board, made.device_type), None)
            self.devices.append(made.from_board(place))

    async def start(self) -> None:
        """Switch them on; from now on each tries to join, and the gas meter wakes every few seconds."""
        for device in self.devices:
            await device.start()
            self._tasks.append(supervised(self._live(device), f"the life of {device.name}", device.trace))

    async def _live(self, device: HanDevice) -> None:
        while True:
            try:
                if not device.node.joined:
                    await self._join(device)
                elif device.sleepy and self.cbke:
                    await device.wake()
                elif device.sleepy:
                    await device.node.poll()
            except CommsHubError as refused:
                device.trace.emit("han", device.name, "not joined", reason=str(refused))
            await self.clock.sleep(WAKE_BLIND_S if device.node.joined else TRY_AGAIN_S)

    async def _join(self, device: HanDevice) -> None:
        if self.cbke:
            await device.join()
        else:
            device.coordinator = await device.node.join(WELL_KNOWN_KEY, sleepy=device.sleepy)
            device.trace.emit("han", device.name, "joined", target=str(device.coordinator))
            if isinstance(device, Esme):  # as if its supplier had joined the host to it: a Device of its log may read it
                joins.add(device.gbcs, device.coordinator, DeviceType.TYPE_2.value, 2)
                device.log_may_have_changed()

    def link_key(self, row: DeviceTable) -> bytes:
        """The key that a Device joins with."""
        return install_code_link_key(row.install_code) if self.cbke else WELL_KNOWN_KEY

    async def close(self) -> None:
        """Switch them off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for device in self.devices:
            device.power(False)
            await device.stop()
