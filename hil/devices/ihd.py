"""An in-home display: a Type 2 Device. It has no GBCS keys, joins the HAN and reads what it is allowed to read.

Not modelled: its display.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.han.base import HanNode, SimpleDescriptor
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.devices.base.han_device import HanDevice
from hil.devices.base.reader import HanReader


class Ihd(HanDevice):
    """An IHD on the HAN. ``reader`` reads as its display would."""

    device_type: ClassVar[DeviceType] = DeviceType.TYPE_2
    descriptors: ClassVar[tuple[SimpleDescriptor, ...]] = (
        SimpleDescriptor(
            0x61,
            0x0502,
            servers=(0x0000, 0x0800),
            clients=(0x0800, 0x000A, 0x0025, 0x0700, 0x0702, 0x0703, 0x0705, 0x0707),
        ),
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
    ) -> None:
        super().__init__(eui64, install_code, keystore, node, clock, trace, parties)
        self.reader = HanReader(self.zcl)
