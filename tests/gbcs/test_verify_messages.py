"""Verdicts over messages protected with keys of our own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.gbcs import protect, verify
from firmware_emu.gbcs.build import alert_message, build_command, respond
from firmware_emu.gbcs.dlms import (
    AccessOutcome,
    AccessResponse,
    AccessResult,
    Choice,
    Null,
    Protected,
    ProtectionParameters,
    Structure,
    Unsigned,
    invoke_id,
)
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.explain import explain
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.use_cases import by_name
from firmware_emu.gbcs.verify import ProtectionState
from firmware_emu.ids import CraFlag, Eui64
from tests.gbcs.gbcs_strategies import BROKER, HUB, METER, SUPPLIER

DS = KeyUsage.DIGITAL_SIGNATURE


def _arm(pki: Keystore, counter: int = 1000) -> Message:
    header = GroupingHeader(CraFlag.COMMAND, counter, SUPPLIER, METER, OtherInformation(0x0051))
    signed = protect.with_signature(build_command(by_name("ECS44"), header), pki.private_key(SUPPLIER, DS))
    return protect.with_mac(signed, pki.shared_secret(BROKER, METER))


def test_a_command_is_macced_by_the_broker_and_signed_by_the_user(pki: Keystore) -> None:
    verdict = verify.check(_arm(pki).encode(), pki)
    assert (verdict.mac.state, verdict.signature.state, verdict.ok) == (ProtectionState.VALID, ProtectionState.VALID, True)


def test_a_response_is_between_the_device_and_the_recipient(pki: Keystore) -> None:
    response = AccessResponse(invoke_id(1), (Null(),), (AccessOutcome(Choice.ACTION, AccessResult.SUCCESS),))
    answer = protect.with_mac(respond(_arm(pki), response.encode()), pki.shared_secret(METER, SUPPLIER))
    assert verify.check(answer.encode(), pki).ok
    wrong = protect.with_mac(answer, pki.shared_secret(METER, BROKER))
    verdict = verify.check(wrong.encode(), pki)
    assert verdict.mac.state is ProtectionState.INVALID
    assert str(BROKER) in verdict.mac.would_hold


def test_a_message_without_protection_is_not_ok(pki: Keystore) -> None:
    header = GroupingHeader(CraFlag.COMMAND, 1, SUPPLIER, METER, OtherInformation(0x0051))
    verdict = verify.check(build_command(by_name("ECS44"), header).encode(), pki)
    assert (verdict.mac.state, verdict.signature.state, verdict.ok) == (ProtectionState.ABSENT, ProtectionState.ABSENT, False)


def test_a_signed_command_whose_mac_cannot_be_checked_is_not_ok(pki: Keystore) -> None:
    verdict = verify.check(_arm(pki).encode(), pki.subset(SUPPLIER, METER, BROKER, private=[SUPPLIER]))
    assert (verdict.mac.state, verdict.signature.state, verdict.ok) == (ProtectionState.UNCHECKED, ProtectionState.VALID, False)


def test_keys_that_are_not_held_leave_a_check_undone_with_the_reason(pki: Keystore) -> None:
    stranger = Eui64.parse("00db1234567800ff")
    alert = replace(alert_message(0x1001, 1, stranger, SUPPLIER, b"\x01\x09\x00\x81\x0e\x1c\x37\x4a\x80"), mac=bytes(12))
    verdict = verify.check(alert.encode(), pki)
    assert verdict.mac.state is ProtectionState.UNCHECKED
    assert str(stranger) in verdict.mac.reason
    assert not verdict.ok


@pytest.mark.parametrize(
    ("mistake", "wanted"),
    [("range with DF", "DF tag"), ("range with length", "signature length"), ("key", str(BROKER)), ("halves", "exchanged")],
)
def test_a_signature_made_the_wrong_way_is_told(pki: Keystore, mistake: str, wanted: str) -> None:
    message = replace(_arm(pki), mac=None)
    key, octets = pki.private_key(SUPPLIER, DS), message.signed_bytes
    if mistake == "range with DF":
        octets = b"\xdf" + octets
    elif mistake == "range with length":
        octets += b"\x40"
    elif mistake == "key":
        key = pki.private_key(BROKER, DS)
    signature = protect.primitives.sign(key, octets)
    if mistake == "halves":
        signature = signature[32:] + signature[:32]
    verdict = verify.check(replace(message, signature=signature).encode(), pki)
    assert verdict.signature.state is ProtectionState.INVALID
    assert wanted in verdict.signature.would_hold


def test_a_mac_that_nothing_explains_says_so_by_saying_nothing(pki: Keystore) -> None:
    verdict = verify.check(replace(_arm(pki), mac=bytes(12)).encode(), pki)
    assert (verdict.mac.state, verdict.mac.would_hold) == (ProtectionState.INVALID, "")


@pytest.mark.parametrize("party", [None, SUPPLIER])
def test_protected_attributes_open_for_their_reader_alone(pki: Keystore, party: Eui64 | None) -> None:
    recipient = SUPPLIER if party is None else BROKER
    other = OtherInformation(0x0034) if party is None else OtherInformation(0x0034, party, 1004, 2002)
    counter = 77 if party is None else 2002
    plaintext = Structure((Unsigned(7),)).encode()
    sealed = protect.encrypt(plaintext, pki.shared_secret(METER, SUPPLIER), originator=METER, counter=counter, recipient=SUPPLIER)
    data = Protected(ProtectionParameters(77, METER, recipient), sealed).data()
    payload = AccessResponse(invoke_id(77), (data,), (AccessOutcome(Choice.ACTION, AccessResult.SUCCESS),)).encode()
    message = Message(GroupingHeader(CraFlag.RESPONSE, 77, METER, recipient, other), payload)
    message = protect.with_mac(message, pki.shared_secret(METER, recipient))
    verdict = verify.check(message.encode(), pki)
    assert verdict.ok
    assert verdict.encrypted[0].values == Structure((Unsigned(7),))
    assert "Unsigned" not in repr(verdict.encrypted[0])
    tree = explain(message.encode(), pki)
    assert any("unsigned 7" in part.value for _, node in tree.walk() for top in node.decrypted for _, part in top.walk())
    without = verify.check(message.encode(), pki.subset(METER, SUPPLIER, BROKER, private=[BROKER]))
    assert without.encrypted[0].plaintext is None
    assert without.encrypted[0].problem


def test_a_ciphertext_that_does_not_open_makes_the_verdict_bad(pki: Keystore) -> None:
    component = Component(0x0702, 0x18, 0, 1, b"\x31\0\0\0\0" + bytes(30), None, True)
    header = GroupingHeader(CraFlag.RESPONSE, 5, HUB, SUPPLIER, OtherInformation(0x0074))
    message = protect.with_mac(Message(header, Gbz((component,)).encode()), pki.shared_secret(HUB, SUPPLIER))
    verdict = verify.check(message.encode(), pki)
    assert verdict.mac.state is ProtectionState.VALID
    assert not verdict.ok
