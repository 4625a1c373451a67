"""CS03A1/A2/B/C, CS04AC/B and CS07: which other Devices this one talks to over the HAN (reference gbcs-behaviour 6)."""

from __future__ import annotations

from firmware_emu.crypto.certificate_profile import CertificateProfile
from firmware_emu.crypto.certificates import entity_of, usage_of
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.device import asn1_io
from firmware_emu.device.credentials import sound_certificate
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.gbcs.asn1_types import DeviceLogEntry, JoinCommand, ReadDeviceLogResponse
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64

CAPACITY = 16
"""Devices the log holds. Profile-supplied: one maker's ESME holds 7 and 4 (HW), a GPF's figure is not established."""
_METHODS = {0x000D: (0, 1), 0x00AB: (0, 1), 0x000E: (2,), 0x00AF: (3,)}
"""Message code to the joinMethodAndRole values it may carry."""
_JOINED, _NOT_JOINED, _UNJOINED, _NOT_UNJOINED = 0x8F49, 0x8F48, 0x8F4B, 0x8F4A
_PAIR = {DeviceType.GSME, DeviceType.PPMID}


def entries(device: GbcsDevice) -> list[DeviceLogEntry]:
    """The Device's log, sorted by entity id."""
    prefix = device.prefix + "joined/"
    found = []
    for key in device.store.keys(prefix):
        octets = device.store.get(key)
        if octets is not None:
            found.append(DeviceLogEntry(Eui64.parse(key.removeprefix(prefix)), octets[0]))
    return found


def is_joined(device: GbcsDevice, other: Eui64) -> bool:
    """True if ``other`` stands in the Device's log."""
    return device.store.get(f"{device.prefix}joined/{other}") is not None


def method_of(device: GbcsDevice, other: Eui64) -> int | None:
    """The methodAndRole by which ``other`` was joined (0 A initiator, 1 A responder, 2 B, 3 C); None if it is not in the log."""
    octets = device.store.get(f"{device.prefix}joined/{other}")
    return None if octets is None else octets[1]


def add(device: GbcsDevice, other: Eui64, other_type: int, method: int, certificate: bytes | None = None) -> int:
    """Put a Device into the log; returns the join response code (0 success). Raises nothing for a refused entry."""
    name = f"{device.prefix}joined/{other}"
    present = device.store.get(name)
    if present is not None and present[0] != other_type:
        return 3
    if present is None and len(device.store.keys(device.prefix + "joined/")) >= CAPACITY:
        return 4
    if {device.device_type.value, other_type} == {kind.value for kind in _PAIR}:
        try:
            partner = sound_certificate(certificate or b"", CertificateProfile.DEVICE)
            if entity_of(partner) != other or usage_of(partner) is not KeyUsage.KEY_AGREEMENT:
                return 11
        except (ProtectionError, KeystoreError):
            return 11
        device.credentials.set_partner(other, partner)
    device.store.put(name, bytes((other_type, method)))
    device.joins_changed = True
    return 0


def join(device: GbcsDevice, message: Message) -> bytes:
    """CS03x: add the other Device to the log; the answer is one response code."""
    command = asn1_io.read(message, JoinCommand)
    if command.method not in range(4):
        result = 2
    elif command.method not in _METHODS[message.message_code]:
        result = 1
    elif command.other_device == device.eui64 or command.other_type not in {kind.value for kind in DeviceType}:
        result = 2
    else:
        result = add(device, command.other_device, command.other_type, command.method, command.certificate)
    if result:
        device.note_failure(f"join response code {result}")
    device.log(_NOT_JOINED if result else _JOINED, command.other_device.octets)
    if not result:
        device.trace.emit("device", device.name, "paired", target=str(command.other_device), method=command.method)
    return asn1_io.code(result)


def unjoin(device: GbcsDevice, message: Message) -> bytes:
    """CS04AC and CS04B: take the other Device out of the log; 1 if it is not there or was joined by another method."""
    other = asn1_io.read(message, Eui64)
    name = f"{device.prefix}joined/{other}"
    present = device.store.get(name)
    by_method_b = message.message_code == 0x0010
    if present is None or (present[1] == 2) != by_method_b:
        device.note_failure(f"{other} is not in the log by this method")
        device.log(_NOT_UNJOINED, other.octets)
        return asn1_io.code(1)
    device.store.delete(name)
    device.joins_changed = True
    device.credentials.set_partner(other, None)
    device.log(_UNJOINED, other.octets)
    device.trace.emit("device", device.name, "unpaired", target=str(other))
    return asn1_io.code(0)


def read(device: GbcsDevice, message: Message) -> bytes:
    """CS07: the log."""
    asn1_io.read(message, type(None))
    return asn1_io.write("ReadDeviceLogResponse", ReadDeviceLogResponse(0, tuple(entries(device))))
