"""A prepayment interface Device: mains powered, joined by the hub's tunnel, reads meters over the HAN once they know it.

Not modelled: its display and keypad; the HAN-only PECS requests to an ESME.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device import asn1_io, firmware
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.store import Store
from firmware_emu.gbcs.asn1_types import FirmwareVersionResponse
from firmware_emu.gbcs.envelope import Message
from firmware_emu.han.base import HanNode, SimpleDescriptor
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.devices.gbcs_device import TunnelServerDevice
from hil.devices.reader import HanReader

_READ_FIRMWARE = 0x0129
FIRMWARE_VERSION = bytes.fromhex("01000000")


def read_firmware(device: GbcsDevice, message: Message) -> bytes:
    """CS08: the version that runs."""
    asn1_io.read(message, type(None))
    return asn1_io.write("FirmwareVersionResponse", FirmwareVersionResponse(firmware.running_version(device), 0))


class Ppmid(TunnelServerDevice):
    """A PPMID on the HAN. ``reader`` reads the mirror and the ESME as its display would."""

    device_type: ClassVar[DeviceType] = DeviceType.PPMID
    descriptors: ClassVar[tuple[SimpleDescriptor, ...]] = (
        SimpleDescriptor(
            0x41, 0x0506, servers=(0x0000, 0x0800, 0x0704),
            clients=(0x0800, 0x000A, 0x0025, 0x0019, 0x0700, 0x0702, 0x0703, 0x0705, 0x0707, 0x0708, 0x0709),
        ),
    )

    def __init__(
        self, eui64: Eui64, install_code: InstallCode, keystore: Keystore, node: HanNode, clock: Clock, trace: Trace,
        parties: Mapping[RemotePartyRole, Eui64] | None = None, *, store: Store | None = None,
    ) -> None:
        super().__init__(eui64, install_code, keystore, node, clock, trace, parties, store=store)
        firmware.set_running_version(self.gbcs, FIRMWARE_VERSION)
        self.gbcs.handlers[_READ_FIRMWARE] = read_firmware
        self.reader = HanReader(self.zcl)
