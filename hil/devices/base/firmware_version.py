"""The firmware version that a Device of the rig leaves the factory with, and the Command that reads it off a Device without DLMS or GBZ."""

from __future__ import annotations

from firmware_emu.device import asn1_io, firmware
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.gbcs.asn1_types import FirmwareVersionResponse
from firmware_emu.gbcs.envelope import Message

FIRMWARE_VERSION = bytes.fromhex("01000000")
READ_FIRMWARE = 0x0129
"""Message code of CS08."""


def read_firmware(device: GbcsDevice, message: Message) -> bytes:
    """CS08: the version that runs."""
    asn1_io.read(message, type(None))
    return asn1_io.write("FirmwareVersionResponse", FirmwareVersionResponse(firmware.running_version(device), 0))
