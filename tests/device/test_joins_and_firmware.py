from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.clock import EPOCH
from firmware_emu.crypto import primitives
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.device import firmware
from firmware_emu.device.event_log import LogName
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import ActivateFirmwareAlert, ActivateFirmwareCommand, ActivateFirmwareOutcome, JoinCommand
from firmware_emu.gbcs.asn1_types import ReadDeviceLogResponse as Log
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64
from tests.device.device_rig import ACB, ESME, GSME, NOW, PPMID, SUPPLIER, Rig

IHD = Eui64.parse("00db1234567890b0")


def join(method: int, other: Eui64, kind: int, certificate: bytes | None = None) -> bytes:
    return Asn1Payload("JoinCommand", JoinCommand(method, other, kind, certificate)).encode()


def code_of(message: Message) -> int:
    return message.payload[2]


def log(rig: Rig, counter: int) -> list[tuple[Eui64, int]]:
    response = rig.ask(0x0013, bytes.fromhex("0500"), counter)
    value = Asn1Payload.decode(response.payload, 0x0013, CraFlag.RESPONSE).value
    assert isinstance(value, Log)
    return [(entry.device_id, entry.device_type) for entry in value.entries or ()]


@pytest.mark.requirement("CH-30")
@pytest.mark.requirement("SVC-8.7-T1")
def test_a_joined_device_stands_in_the_log_until_it_is_unjoined(esme: Rig) -> None:
    assert code_of(esme.ask(0x000D, join(0, PPMID, 5), 1, signed=True)) == 0
    assert code_of(esme.ask(0x000E, join(2, IHD, 6), 2)) == 0
    assert log(esme, 3) == [(PPMID, 5), (IHD, 6)]
    assert code_of(esme.ask(0x000F, b"\x04\x08" + PPMID.octets, 4, signed=True)) == 0
    assert code_of(esme.ask(0x0010, b"\x04\x08" + IHD.octets, 5)) == 0
    assert log(esme, 6) == []
    codes = [entry.code for entry in esme.device.logs[LogName.SECURITY].entries()]
    assert codes == [0x8F49, 0x8F49, 0x8F4B, 0x8F4B]


@pytest.mark.parametrize(
    ("code", "payload", "signed", "expected"),
    [(0x000D, join(2, PPMID, 5), True, 1), (0x000D, join(9, PPMID, 5), True, 2), (0x000E, join(2, ESME, 6), False, 2)],
)
def test_a_join_that_does_not_fit_is_refused_with_its_code(esme: Rig, code: int, payload: bytes, signed: bool, expected: int) -> None:
    assert code_of(esme.ask(code, payload, 1, signed=signed)) == expected
    assert log(esme, 2) == []


def test_a_device_in_the_log_under_another_type_clashes_and_a_full_log_says_so(esme: Rig) -> None:
    esme.ask(0x000E, join(2, IHD, 6), 1)
    assert code_of(esme.ask(0x000E, join(2, IHD, 5), 2)) == 3
    for number in range(15):
        esme.ask(0x000E, join(2, Eui64(number.to_bytes(8, "big")), 6), 10 + number)
    assert code_of(esme.ask(0x000E, join(2, Eui64.parse("00db123456789fff"), 6), 100)) == 4


def test_an_unjoin_of_a_stranger_or_by_the_wrong_method_is_not_done(esme: Rig) -> None:
    esme.ask(0x000E, join(2, IHD, 6), 1)
    assert code_of(esme.ask(0x000F, b"\x04\x08" + IHD.octets, 2, signed=True)) == 1
    assert code_of(esme.ask(0x0010, b"\x04\x08" + PPMID.octets, 3)) == 1


def test_a_gas_meter_takes_a_ppmids_own_commands_once_it_holds_its_certificate(make_rig: Callable[..., Rig], pki: Keystore) -> None:
    gsme = make_rig(DeviceType.GSME)
    assert code_of(gsme.ask(0x00AF, join(3, PPMID, 5), 1, signed=True)) == 11
    certificate = pki.certificate(PPMID, KeyUsage.KEY_AGREEMENT).public_bytes(Encoding.DER)
    assert code_of(gsme.ask(0x00AF, join(3, PPMID, 5, certificate), 2, signed=True)) == 0
    message = Message(GroupingHeader(CraFlag.COMMAND, 7, PPMID, GSME, OtherInformation(0x0090)), b"\x01\x09\x00")
    data = replace(message, mac=protect.mac_of(message, pki.shared_secret(PPMID, GSME))).encode()
    response = Message.decode(gsme.device.receive(data)[0])
    assert response.header.recipient == PPMID
    gsme.check(response)
    gsme.device.receive(data)
    assert gsme.refusals() == ["counter"]


def test_a_ppmid_obeys_the_acbs_signed_join_for_a_supplier(make_rig: Callable[..., Rig]) -> None:
    ppmid = make_rig(DeviceType.PPMID)
    other = OtherInformation(0x00AB, SUPPLIER, 5)
    response = ppmid.ask(0x00AB, join(1, Eui64.parse("00db1234567890a0"), 1), 1, originator=ACB, signed=True, other=other)
    assert code_of(response) == 0
    assert response.signature
    assert response.header.other.supplementary_party == SUPPLIER


# --- firmware


def ota(pki: Keystore, image: bytes, version: int = 0x02000000) -> bytes:
    size = 60 + len(image) + 66
    header = struct.pack("<IHHHHHIH32sIHH", 0x0BEEF11E, 0x0100, 60, 4, 0x10D4, 1, version, 2, bytes(32), size, 0, 0xFFFF)
    return header + image + b"\x00\x40" + primitives.sign(pki.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE), image)


def activate(image: bytes, counter: int, at: float | None = None) -> bytes:
    when = None if at is None else EPOCH + timedelta(seconds=at)
    return Asn1Payload("ActivateFirmwareCommand", ActivateFirmwareCommand(hashlib.sha256(image).digest(), counter, when)).encode()


def outcome(message: Message) -> ActivateFirmwareOutcome:
    value = Asn1Payload.decode(message.payload, 0x0012, CraFlag.RESPONSE).value
    assert isinstance(value, ActivateFirmwareOutcome)
    return value


@pytest.mark.requirement("CH-28")
def test_an_image_runs_only_after_its_signature_and_its_hash_hold(esme: Rig, pki: Keystore) -> None:
    sent: list[bytes] = []
    esme.device.outgoing = sent.append
    assert outcome(esme.ask(0x0012, activate(b"new", 1), 1, signed=True)).code == 1
    assert firmware.receive_image(esme.device, ota(pki, b"new"))
    receipt = Message.decode(sent[0])
    esme.check(receipt)
    assert receipt.message_code == 0x00CE
    assert hashlib.sha256(b"new").digest() in receipt.payload
    assert outcome(esme.ask(0x0012, activate(b"other", 2), 2, signed=True)).code == 2
    assert outcome(esme.ask(0x0012, activate(b"new", 3), 3, signed=True)) == ActivateFirmwareOutcome(0, bytes.fromhex("02000000"))
    assert 0x8F43 in [entry.code for entry in esme.device.logs[LogName.SECURITY].entries()]


def test_an_image_with_a_bad_signature_is_discarded_whole(esme: Rig, pki: Keystore) -> None:
    sent: list[bytes] = []
    esme.device.outgoing = sent.append
    bad = bytearray(ota(pki, b"new"))
    bad[-1] ^= 1
    assert not firmware.receive_image(esme.device, bytes(bad))
    assert b"\x12\x8f\x1c" in sent[0]
    assert outcome(esme.ask(0x0012, activate(b"new", 1), 1, signed=True)).code == 1


def test_a_future_activation_is_accepted_and_its_outcome_told_when_due(esme: Rig, pki: Keystore) -> None:
    firmware.receive_image(esme.device, ota(pki, b"new"))
    assert esme.ask(0x0012, activate(b"new", 1, NOW + 60), 1, signed=True).payload == bytes.fromhex("0500")
    assert firmware.running_version(esme.device) == bytes(4)
    esme.now = NOW + 61
    alert = Message.decode(esme.device.run_due()[0])
    value = Asn1Payload.decode(alert.payload, 0x00CA, CraFlag.ALERT).value
    assert isinstance(value, ActivateFirmwareAlert)
    assert (value.alert_code, value.originator_counter, value.outcome.code) == (0x8F66, 1, 0)
    assert alert.header.recipient == SUPPLIER
