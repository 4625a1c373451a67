"""A HAN connected auxiliary load control switch: mains powered, GBCS Device, one switch.

It follows the auxiliary switch of the meter that it is joined with (:mod:`hil.devices.base.load_control`).
Not modelled: randomised offsets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device import firmware
from firmware_emu.device.joining import Membership
from firmware_emu.device.pipeline import UseCases
from firmware_emu.device.store import Store
from firmware_emu.han.base import HanNode, SimpleDescriptor
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.devices.base.firmware_version import FIRMWARE_VERSION, READ_FIRMWARE, read_firmware
from hil.devices.base.gbcs_device import TunnelServerDevice
from hil.devices.base.load_control import LoadSwitchClient


class Hcalcs(TunnelServerDevice):
    """An HCALCS on the HAN; ``closed`` is its switch."""

    device_type: ClassVar[DeviceType] = DeviceType.HCALCS
    descriptors: ClassVar[tuple[SimpleDescriptor, ...]] = (
        SimpleDescriptor(0x51, 0x0504, servers=(0x0000, 0x0800, 0x0704, 0x0706), clients=(0x0800, 0x0701, 0x000A, 0x0025, 0x0019, 0x0707)),
    )

    def __init__(
        self,
        eui64: Eui64,
        install_code: InstallCode,
        keystore: Keystore,
        node: HanNode,
        clock: Clock,
        trace: Trace,
        parties: Mapping[RemotePartyRole, Eui64] | None = None,
        *,
        store: Store | None = None,
    ) -> None:
        super().__init__(eui64, install_code, keystore, node, clock, trace, parties, store=store)
        firmware.set_running_version(self.gbcs, FIRMWARE_VERSION)
        self.closed = False
        self.stuck = False
        """A fault of the switch: it takes events and does not move."""
        self.load = LoadSwitchClient(self)

    def use_cases(self) -> UseCases:
        return super().use_cases().plus({READ_FIRMWARE: read_firmware})

    def move(self, *, closed: bool) -> None:
        """Close or open the switch, unless it is stuck."""
        if self.stuck:
            self.trace.emit("device", self.name, "switch stuck", closed=self.closed)
            return
        self.closed = closed
        self.trace.emit("device", self.name, "switch", closed=closed)

    async def start(self) -> None:
        await super().start()
        self.load.serve()

    async def joined(self, membership: Membership) -> None:
        await super().joined(membership)
        self.spawn(self.load.ask())
