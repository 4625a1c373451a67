"""A firmware image that a Device of the coverage check holds, received and verified, so that it can be activated."""

from __future__ import annotations

import hashlib
import struct

from firmware_emu.crypto import primitives
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.device import firmware
from firmware_emu.device.pipeline import GbcsDevice

IMAGE = b"an image of the bench: a Device holds it, received and verified\n"
_VERSION = 0x01000001


def image_hash() -> bytes:
    """Manufacturer image hash of the image."""
    return hashlib.sha256(IMAGE).digest()


def give(device: GbcsDevice, keystore: Keystore) -> None:
    """Let the Device receive the image, signed by the party that may sign its images; one that knows no such party gets none."""
    party = device.credentials.party(firmware.authorising_role(device.device_type))
    if party is None or not keystore.has_private_key(party, KeyUsage.DIGITAL_SIGNATURE):
        return
    signature = primitives.sign(keystore.private_key(party, KeyUsage.DIGITAL_SIGNATURE), IMAGE)
    size = 60 + len(IMAGE) + 66
    header = struct.pack("<IHHHHHIH32sIHH", 0x0BEEF11E, 0x0100, 60, 0x0004, 0, 0, _VERSION, 2, bytes(32), size, 0, 0xFFFF)
    firmware.receive_image(device, header + IMAGE + b"\x00\x40" + signature)
