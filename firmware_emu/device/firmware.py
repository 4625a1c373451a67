"""Firmware images of a Device: receipt with its check, and activation (reference gbcs-spec-notes 11).

CS06 activates; a PPMID runs what it has verified by itself, since its distribution and activation are one service, and tells (CS09).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import timedelta

from firmware_emu.clock import EPOCH
from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import public_key_of
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device import alerting, asn1_io
from firmware_emu.device.credentials import Cell
from firmware_emu.device.future import FutureAction
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.profile import standard_profile
from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.gbcs.asn1_types import (
    NEVER,
    ActivateFirmwareAlert,
    ActivateFirmwareCommand,
    ActivateFirmwareOutcome,
    FirmwareActivationAlert,
)
from firmware_emu.gbcs.axdr import OctetString
from firmware_emu.gbcs.envelope import Message

KIND = "firmware"
SUCCESS, NO_IMAGE, HASH_MISMATCH, ACTIVATION_FAILURE = range(4)
_VERIFIED, _NOT_VERIFIED, _CHANGED = 0x8F72, 0x8F1C, 0x8F43
_DONE, _NOT_DONE, _ALERT_CODE = 0x8F66, 0x8F67, 0x00CA
_BY_ITSELF, _BY_ITSELF_CODE = 0x8F8B, 0x012B
_RUNS, _DOES_NOT_RUN = 0, 1
_HEADER = struct.Struct("<IHHHHHIH32sIHH")
_IDENTIFIER = 0x0BEEF11E
_SIGNED = bytes((0, primitives.SIGNATURE_LENGTH))
"""Between image and signature: force-replace octet, length of the signature."""


@dataclass(frozen=True, slots=True)
class OtaImage:
    """A firmware file: ``version`` of the OTA header, ``image`` (what the hash is made of), ``signature`` of the image."""

    version: int
    hardware: tuple[int, int]
    image: bytes
    signature: bytes

    @property
    def hash(self) -> bytes:
        """Manufacturer image hash: SHA-256 of the image without header and signature."""
        return hashlib.sha256(self.image).digest()

    @classmethod
    def decode(cls, data: bytes) -> OtaImage:
        """Read an OTA file: header of 60 octets, image, force-replace octet, 0x40, 64-octet signature. Raises DecodeError."""
        if len(data) < _HEADER.size + 66:
            raise DecodeError(0, "OTA file", f"{len(data)} octets, expected at least {_HEADER.size + 66}")
        identifier, _, _, _, _, _, version, _, _, size, lowest, highest = _HEADER.unpack_from(data)
        if identifier != _IDENTIFIER:
            raise DecodeError(0, "OTA file identifier", f"read {identifier:08x}, expected {_IDENTIFIER:08x}")
        if size != len(data):
            raise DecodeError(52, "total image size", f"read {size}, the file has {len(data)} octets")
        if data[-65] != 0x40:
            raise DecodeError(len(data) - 65, "signature length", f"read {data[-65]:02x}, expected 40")
        return cls(version, (lowest, highest), data[_HEADER.size : -66], data[-64:])

    @classmethod
    def with_room_to_sign(cls, data: bytes) -> bytes:
        """A file that ends with its image (DUIS template of 11.4), with room for the signature after it; a signed one as it is."""
        if len(data) < _HEADER.size or data[-66:-64] == _SIGNED:
            return data
        fields = list(_HEADER.unpack_from(data))
        if fields[9] != len(data):
            return data
        room = _SIGNED + bytes(primitives.SIGNATURE_LENGTH)
        fields[9] += len(room)
        return _HEADER.pack(*fields) + data[_HEADER.size :] + room


def authorising_role(device_type: DeviceType) -> RemotePartyRole:
    """Role whose signature an image carries: the supplier's unless the profile names another (``image_signature``)."""
    return standard_profile().image_signature.get(device_type, RemotePartyRole.SUPPLIER)


def running_version(device: GbcsDevice) -> bytes:
    """Version of the image that runs, 4 octets."""
    return device.store.get(device.prefix + "firmware/running") or bytes(4)


def set_running_version(device: GbcsDevice, version: bytes) -> None:
    """Factory setting of the running version, unless an activation has changed it since."""
    if device.store.get(device.prefix + "firmware/running") is None:
        device.store.put(device.prefix + "firmware/running", version)


def receive_image(device: GbcsDevice, data: bytes) -> bool:
    """Check a distributed image's signature: keep it (alert 8F72) or discard the whole file (alert 8F1C). Whether it was kept.

    One pending image is held; a later one replaces it. A PPMID runs it at once, and says so, or that it does not, by CS09.
    """
    try:
        image = OtaImage.decode(data)
        certificate = device.credentials.anchor(Cell(authorising_role(device.device_type), KeyUsage.DIGITAL_SIGNATURE))
        if certificate is None:
            raise ProtectionError("no certificate of the authorising party is held")
        primitives.verify(public_key_of(certificate), image.signature, image.image)
    except (DecodeError, ProtectionError) as problem:
        device.trace.emit("device", device.name, "image discarded", reason=str(problem))
        _receipt(device, _NOT_VERIFIED, hashlib.sha256(data[_HEADER.size : -66]).digest())
        return False
    with device.store.transaction():
        device.store.put(device.prefix + "firmware/pending", image.hash + image.version.to_bytes(4, "big"))
    device.trace.emit("device", device.name, "image verified", version=f"{image.version:08x}", hash=image.hash.hex())
    _receipt(device, _VERIFIED, image.hash)
    return True


def _receipt(device: GbcsDevice, event: int, image_hash: bytes) -> None:
    if device.device_type is DeviceType.GSME:
        payload = alerting.gbz_alert(event, device.now(), b"\x09\x20" + image_hash)
        device.raise_alert(event, payload=payload, message_code=0x00CF)
    elif device.device_type is DeviceType.ESME:
        device.raise_alert(event, (OctetString(image_hash),), message_code=0x00CE)
    else:
        device.log(event)
    if device.device_type is DeviceType.PPMID:
        _by_itself(device, event, image_hash)


def _by_itself(device: GbcsDevice, event: int, image_hash: bytes) -> None:
    """A PPMID activates what it has verified, and raises CS09 with the version that runs now."""
    done = event == _VERIFIED and _activate(device, image_hash).code == SUCCESS
    at = EPOCH + timedelta(seconds=int(device.now()))
    alert = FirmwareActivationAlert(_BY_ITSELF, at, running_version(device), _RUNS if done else _DOES_NOT_RUN)
    device.trace.emit("device", device.name, "activated" if done else "not activated", version=running_version(device).hex())
    device.raise_alert(_BY_ITSELF, payload=asn1_io.write("FirmwareActivationAlert", alert), message_code=_BY_ITSELF_CODE)


def activate(device: GbcsDevice, message: Message) -> bytes:
    """CS06: compare the held image's hash with the Command's and run it, now or later."""
    command = asn1_io.read(message, ActivateFirmwareCommand)
    if command.execution == NEVER:
        device.future.cancel(KIND, "activation")
        return asn1_io.write("NoContent", None)
    if command.execution is not None:
        due = (command.execution - EPOCH).total_seconds()
        header = message.header
        device.future.put(FutureAction(due, KIND, "activation", 0x0012, header.originator, header.counter, command.image_hash))
        return asn1_io.write("NoContent", None)
    outcome = _activate(device, command.image_hash)
    if outcome.code:
        device.note_failure(f"activation response code {outcome.code}")
    return asn1_io.write("ActivateFirmwareOutcome", outcome)


def execute_due(device: GbcsDevice, action: FutureAction) -> None:
    """A future-dated activation falls due: do it and raise alert 00CA to the party that sent the Command."""
    outcome = _activate(device, action.data)
    event = _NOT_DONE if outcome.code else _DONE
    alert = ActivateFirmwareAlert(event, EPOCH + timedelta(seconds=int(device.now())), action.counter, outcome)
    payload = asn1_io.write("ActivateFirmwareAlert", alert)
    device.raise_alert(event, payload=payload, message_code=_ALERT_CODE, recipient=action.originator)


def _activate(device: GbcsDevice, image_hash: bytes) -> ActivateFirmwareOutcome:
    pending = device.store.get(device.prefix + "firmware/pending")
    if pending is None:
        return ActivateFirmwareOutcome(NO_IMAGE, running_version(device))
    if pending[:32] != image_hash:
        return ActivateFirmwareOutcome(HASH_MISMATCH, running_version(device))
    device.store.put(device.prefix + "firmware/running", pending[32:36])
    device.store.delete(device.prefix + "firmware/pending")
    device.log(_CHANGED)
    return ActivateFirmwareOutcome(SUCCESS, pending[32:36])
