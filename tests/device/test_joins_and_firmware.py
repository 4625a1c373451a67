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
from firmware_emu.device import firmware, joins
from firmware_emu.device.event_log import LogName
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import (
    ActivateFirmwareAlert,
    ActivateFirmwareCommand,
    ActivateFirmwareOutcome,
    FirmwareActivationAlert,
    JoinCommand,
)
from firmware_emu.gbcs.asn1_types import ReadDeviceLogResponse as Log
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64
from tests.device.device_rig import ACB, ESME, GSME, NOW, PARTIES, PPMID, SUPPLIER, Rig

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


METHODS = {0x000D: (0, 1), 0x00AB: (0, 1), 0x000E: (2,), 0x00AF: (3,)}
"""CS03A1, CS03A2, CS03B and CS03C with the join methods and roles that each may carry: A initiator, A responder, B, C."""


@pytest.mark.parametrize("code", METHODS)
@pytest.mark.parametrize("method", range(-1, 5))
def test_a_join_is_answered_by_its_method_and_message(esme: Rig, code: int, method: int) -> None:
    """Reference gbcs-behaviour 6: 1 is a method that is not of the message, 2 an invalid value."""
    command = Message(GroupingHeader(CraFlag.COMMAND, 1, SUPPLIER, ESME, OtherInformation(code)), join(method, IHD, 6))
    answer = joins.join(esme.device, command)
    expected = 0 if method in METHODS[code] else 1 if method in range(4) else 2
    assert answer == bytes((2, 1, expected))
    entries = esme.device.logs[LogName.SECURITY].entries()
    assert [(one.code, one.other[-8:]) for one in entries] == [(0x8F48 if expected else 0x8F49, IHD.octets)]
    assert joins.is_joined(esme.device, IHD) is (expected == 0)
    assert joins.method_of(esme.device, IHD) == (None if expected else method)


@pytest.mark.parametrize(
    ("code", "method", "taken"),
    [(0x0010, 2, True), (0x0010, 0, False), (0x0010, 3, False), (0x000F, 2, False), (0x000F, 0, True), (0x000F, 3, True)],
)
def test_an_unjoin_takes_out_what_was_joined_by_its_method(esme: Rig, code: int, method: int, taken: bool) -> None:
    """CS04B is for method B, CS04AC for A and C."""
    assert joins.add(esme.device, IHD, 6, method) == 0
    command = Message(GroupingHeader(CraFlag.COMMAND, 1, SUPPLIER, ESME, OtherInformation(code)), b"\x04\x08" + IHD.octets)
    assert joins.unjoin(esme.device, command) == bytes((2, 1, 0 if taken else 1))
    assert joins.is_joined(esme.device, IHD) is not taken
    assert esme.device.logs[LogName.SECURITY].entries()[-1].code == (0x8F4B if taken else 0x8F4A)


def test_a_log_holds_sixteen_devices_and_takes_those_that_it_has_again(esme: Rig) -> None:
    others = [Eui64(number.to_bytes(8, "big")) for number in range(17)]
    assert [joins.add(esme.device, other, 6, 2) for other in others] == [0] * 16 + [4]
    assert [joins.add(esme.device, other, 6, 2) for other in others] == [0] * 16 + [4]
    assert joins.add(esme.device, others[3], 5, 2) == 3
    assert [(entry.device_id, entry.device_type) for entry in joins.entries(esme.device)] == [(other, 6) for other in others[:16]]


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


def ota(pki: Keystore, image: bytes, version: int = 0x02000000, signer: Eui64 = SUPPLIER) -> bytes:
    size = 60 + len(image) + 66
    header = struct.pack("<IHHHHHIH32sIHH", 0x0BEEF11E, 0x0100, 60, 4, 0x10D4, 1, version, 2, bytes(32), size, 0, 0xFFFF)
    return header + image + b"\x00\x40" + primitives.sign(pki.private_key(signer, KeyUsage.DIGITAL_SIGNATURE), image)


def test_a_file_that_ends_with_its_image_gets_room_for_the_signature_behind_it(pki: Keystore) -> None:
    """DUIS template of 11.4: the total of the header counts the room; a file that is signed, or whose total is wrong, stays as it is."""
    signed = ota(pki, b"an image")
    bare = signed[:52] + (68).to_bytes(4, "little") + signed[56:-66]
    room = firmware.OtaImage.with_room_to_sign(bare)
    assert room == signed[:-64] + bytes(64)
    assert firmware.OtaImage.decode(room).image == b"an image"
    for kept in (signed, room, bare + b"x", bare[:-1], bare[:59], b""):
        assert firmware.OtaImage.with_room_to_sign(kept) == kept


@pytest.mark.parametrize(("good", "runs"), [(True, 0), (False, 1)])
def test_a_ppmid_runs_what_it_has_verified_and_tells_of_it(make_rig: Callable[..., Rig], pki: Keystore, good: bool, runs: int) -> None:
    """CS09: alert 8F8B with time, version that runs now, and 0 where it runs or 1 where it does not."""
    ppmid = make_rig(DeviceType.PPMID)
    firmware.set_running_version(ppmid.device, b"\x01\0\0\0")
    file = ota(pki, b"new", signer=PARTIES[firmware.authorising_role(DeviceType.PPMID)])
    sent: list[bytes] = []
    ppmid.device.outgoing = sent.append
    assert firmware.receive_image(ppmid.device, file if good else file[:-1] + bytes((file[-1] ^ 1,))) is good
    version = b"\x02\0\0\0" if good else b"\x01\0\0\0"
    assert firmware.running_version(ppmid.device) == version
    (alert,) = map(Message.decode, sent)
    assert alert.message_code == 0x012B
    value = Asn1Payload.decode(alert.payload, 0x012B, CraFlag.ALERT).value
    assert value == FirmwareActivationAlert(0x8F8B, EPOCH + timedelta(seconds=NOW), version, runs)


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
