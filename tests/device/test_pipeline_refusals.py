from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device.event_log import LogName
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.profile import CommandCheck, standard_profile
from firmware_emu.device.standard import STANDARD
from firmware_emu.gbcs.axdr import OctetString
from firmware_emu.gbcs.dlms import (
    AccessOutcome,
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    DataNotification,
    LongUnsigned,
    Null,
    Specification,
    invoke_id,
)
from firmware_emu.gbcs.envelope import Message, OtherInformation
from firmware_emu.gbcs.use_cases import catalogue
from firmware_emu.ids import CraFlag
from tests.device.device_rig import ACB, COS, GSME, NETWORK_OPERATOR, SECOND_SUPPLIER, SUPPLIER, Rig

READ = AccessRequest(0x20000001, (Specification(Choice.GET, 1, bytes(6), 2),), (Null(),)).encode()
OPEN = AccessRequest(0x20000001, (Specification(Choice.ACTION, 9, bytes.fromhex("00000a006aff"), 1),), (LongUnsigned(0x34),)).encode()
READ_CODE, OPEN_CODE = 0x0052, 0x0050
PROTECTED_CODE = 0x0044
"""A non-critical update that is protected against replay."""


def alert_code(data: bytes) -> int:
    body = DataNotification.decode(Message.decode(data).payload).body
    code = body[0]  # type: ignore[index]
    assert isinstance(code, LongUnsigned)
    return code.value


def refused(rig: Rig, data: bytes, step: str, event: int | None) -> None:
    """Nothing is executed or answered; the step is recorded; the alert (or none) is a valid one of the Device."""
    before = len(rig.executor.executed)
    answers = rig.device.receive(data)
    assert rig.refusals()[-1] == step
    assert len(rig.executor.executed) == before
    assert all(Message.decode(answer).header.cra is CraFlag.ALERT for answer in answers)
    assert [alert_code(answer) for answer in answers] == ([] if event is None else [event])
    for answer in answers:
        rig.check(Message.decode(answer))


def test_a_command_of_a_known_party_is_executed_and_answered_under_its_own_counter(esme: Rig) -> None:
    response = esme.ask(READ_CODE, READ, 7)
    assert (response.header.counter, response.header.recipient, response.signature) == (7, SUPPLIER, b"")
    assert response.mac is not None
    assert esme.executor.executed == [7]


@pytest.mark.requirement("CH-17")
def test_a_critical_command_is_executed_and_its_response_signed_without_mac(esme: Rig) -> None:
    response = esme.ask(OPEN_CODE, OPEN, 7, signed=True)
    assert response.signature
    assert response.mac is None


@pytest.mark.requirement("CH-20")
def test_octets_that_are_no_message_are_discarded_with_alert_8f1e_and_a_security_log_entry(esme: Rig) -> None:
    refused(esme, b"\xdd\x00\x00", "well-formed", 0x8F1E)
    assert [entry.code for entry in esme.device.logs[LogName.SECURITY].entries()] == [0x8F1E]


def test_a_pre_command_is_no_message_for_a_device(esme: Rig) -> None:
    message = Message.decode(esme.command(OPEN_CODE, OPEN, 1, signed=True))
    refused(esme, replace(message, signature=None, mac=None).encode(), "well-formed", 0x8F1E)


@pytest.mark.requirement("CH-20")
def test_a_command_for_another_device_is_discarded_with_alert_8f3e(esme: Rig) -> None:
    refused(esme, esme.command(READ_CODE, READ, 1, recipient=GSME), "addressed", 0x8F3E)


@pytest.mark.parametrize("cra", [CraFlag.RESPONSE, CraFlag.ALERT])
def test_a_response_or_alert_sent_to_a_device_is_discarded(esme: Rig, cra: CraFlag) -> None:
    refused(esme, esme.command(READ_CODE, READ, 1, cra=cra), "addressed", 0x8F3E)


def test_a_message_code_of_another_type_of_device_is_told_by_ecs100_with_code_and_counter(esme: Rig) -> None:
    refused(esme, esme.command(0x0081, READ, 9), "supported", 0x8F85)
    alert = Message.decode(esme.device.receive(esme.command(0x0081, READ, 10))[0])
    assert alert.message_code == 0x0120
    assert alert.header.recipient == SUPPLIER
    assert bytes.fromhex("0081000000000000000a") in alert.payload


def test_ecs100_to_the_acb_names_the_user_as_supplementary_party(esme: Rig) -> None:
    other = OtherInformation(0x0081, SECOND_SUPPLIER, 5)
    alert = Message.decode(esme.device.receive(esme.command(0x0081, READ, 9, originator=ACB, other=other))[0])
    assert (alert.header.recipient, alert.header.other.supplementary_party) == (ACB, SECOND_SUPPLIER)


@pytest.mark.requirement("CH-17", "CH-19", "CH-20")
def test_a_critical_command_signed_by_another_supplier_is_refused_for_want_of_authority(esme: Rig) -> None:
    refused(esme, esme.command(OPEN_CODE, OPEN, 1, originator=SECOND_SUPPLIER, signed=True), "authority", 0x8F30)


@pytest.mark.requirement("CH-17")
def test_a_critical_command_in_the_suppliers_name_signed_by_another_supplier_is_refused(esme: Rig) -> None:
    refused(esme, esme.command(OPEN_CODE, OPEN, 1, signed=True, signer=SECOND_SUPPLIER), "signature", 0x8F3D)


@pytest.mark.requirement("CH-17")
def test_a_critical_command_without_a_signature_is_refused(esme: Rig) -> None:
    refused(esme, esme.command(OPEN_CODE, OPEN, 1), "signature", 0x8F3D)


@pytest.mark.requirement("CH-17", "CH-20")
def test_a_network_operator_may_not_open_the_load_switch(esme: Rig) -> None:
    refused(esme, esme.command(OPEN_CODE, OPEN, 1, originator=NETWORK_OPERATOR, signed=True), "authority", 0x8F30)


def test_the_acb_may_not_send_a_critical_command_on_behalf_of_a_user(esme: Rig) -> None:
    other = OtherInformation(OPEN_CODE, SUPPLIER, 5)
    refused(esme, esme.command(OPEN_CODE, OPEN, 1, originator=ACB, signed=True, other=other), "authority", 0x8F30)


def test_the_acb_may_read_on_behalf_of_a_user_that_the_device_does_not_know(esme: Rig) -> None:
    other = OtherInformation(READ_CODE, SECOND_SUPPLIER, 5)
    response = esme.ask(READ_CODE, READ, 1, originator=ACB, other=other)
    assert response.header.recipient == ACB
    assert response.header.other == other


def test_a_replayed_command_is_discarded_without_an_answer(esme: Rig) -> None:
    command = esme.command(PROTECTED_CODE, READ, 7)
    esme.device.receive(command)
    refused(esme, command, "counter", None)
    refused(esme, esme.command(PROTECTED_CODE, READ, 6), "counter", None)


def test_a_read_may_come_again_or_late_and_moves_no_counter(esme: Rig) -> None:
    for counter in (9, 9, 4):
        esme.ask(READ_CODE, READ, counter)
    esme.ask(PROTECTED_CODE, READ, 2)
    assert esme.executor.executed == [9, 9, 4, 2]


def test_each_code_of_the_table_of_rights_that_may_come_again_is_a_use_case(esme: Rig) -> None:
    assert standard_profile().replayable_codes <= {use_case.code for use_case in catalogue().values()}
    assert not standard_profile().replayable_codes & standard_profile().top_up_codes


def test_a_replay_is_still_discarded_after_a_power_cut(esme: Rig) -> None:
    command = esme.command(PROTECTED_CODE, READ, 7)
    esme.device.receive(command)
    esme.restarted()
    refused(esme, command, "counter", None)


def test_the_counter_is_stored_before_execution_so_a_crash_opens_no_replay(esme: Rig) -> None:
    command = esme.command(PROTECTED_CODE, READ, 7)
    esme.executor.crash = RuntimeError("power fails here")
    esme.device.receive(command)
    esme.executor.crash = None
    esme.restarted()
    refused(esme, command, "counter", None)


def test_parties_of_different_roles_have_counters_of_their_own(esme: Rig) -> None:
    esme.ask(READ_CODE, READ, 1000)
    esme.ask(0x0028, READ, 5, originator=NETWORK_OPERATOR)
    assert esme.executor.executed == [1000, 5]


def test_top_ups_have_a_counter_apart_from_the_suppliers_commands(esme: Rig) -> None:
    esme.ask(0x0007, READ, 3 << 32)
    esme.ask(PROTECTED_CODE, READ, 10)
    esme.ask(0x0007, READ, 2 << 32)
    assert esme.device.credentials.counter(RemotePartyRole.SUPPLIER, top_up=True) == 3 << 32


@pytest.mark.requirement("CH-16")
def test_a_flipped_bit_anywhere_in_a_macced_command_is_refused(esme: Rig) -> None:
    good = esme.command(READ_CODE, READ, 7)
    for bit in range(0, len(good) * 8, 7):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        assert not any(Message.decode(answer).header.cra is CraFlag.RESPONSE for answer in esme.device.receive(bytes(bad)))
    assert esme.executor.executed == []
    esme.ask(READ_CODE, READ, 7)


@pytest.mark.requirement("CH-16")
def test_a_command_without_the_acbs_mac_is_refused(esme: Rig) -> None:
    refused(esme, esme.command(OPEN_CODE, OPEN, 1, signed=True, mac=False), "mac", 0x8F3D)


def test_recovery_and_transitional_cos_may_send_signed_commands_without_a_mac(esme: Rig) -> None:
    from firmware_emu.gbcs.asn1 import Asn1Payload
    from firmware_emu.gbcs.asn1_types import KeyUsage, ProvideCredentialsCommand, TrustAnchorCell

    ask = ProvideCredentialsCommand(TrustAnchorCell(5, KeyUsage.DIGITAL_SIGNATURE), (2,))
    response = esme.ask(0x0008, Asn1Payload("ProvideCredentialsCommand", ask).encode(), 1, originator=COS, signed=True, mac=False)
    assert response.signature


def test_many_refusals_in_a_row_are_an_event_of_their_own(esme: Rig) -> None:
    command = esme.command(PROTECTED_CODE, READ, 7)
    for _ in range(6):
        esme.device.receive(command)
    assert 0x8F60 in [entry.code for entry in esme.device.logs[LogName.SECURITY].entries()]


def test_a_crash_in_execution_is_recorded_and_answered_as_a_failure_of_each_item(esme: Rig) -> None:
    esme.executor.crash = RuntimeError("secret detail")
    response = esme.ask(READ_CODE, READ, 7)
    assert [result.code for result in AccessResponse.decode(response.payload).results] == [AccessResult.OTHER_REASON]
    crash = next(record for record in esme.records if record.event == "crashed")
    assert "secret" not in crash.as_json()
    assert esme.device.logs[LogName.EVENT].entries()[-1].code == 0x8155


def test_an_answer_longer_than_a_message_is_a_failure_of_each_item_and_no_crash(esme: Rig) -> None:
    longest = OctetString(bytes(65_000))
    esme.executor.answer = AccessResponse(invoke_id(7), (longest, longest), (AccessOutcome(Choice.GET, AccessResult.SUCCESS),) * 2).encode()
    response = esme.ask(READ_CODE, READ, 7)
    assert [result.code for result in AccessResponse.decode(response.payload).results] == [AccessResult.LONG_GET_OR_ACTION_ABORTED]
    told = [record for record in esme.records if record.event in ("too long", "crashed")]
    assert [record.event for record in told] == ["too long"]
    assert "130" in str(told[0].detail["reason"])
    assert esme.device.logs[LogName.EVENT].entries()[-1].code == 0x8155


@pytest.mark.requirement("CH-18")
def test_alerts_go_to_the_supplier_whose_credential_the_device_holds(esme: Rig) -> None:
    critical = Message.decode(esme.device.alert(0x8F0C))
    other = Message.decode(esme.device.alert(0x81A0))
    assert (critical.header.recipient, other.header.recipient) == (SUPPLIER, SUPPLIER)
    assert critical.signature
    assert critical.mac is None
    assert other.mac is not None
    for alert in (critical, other):
        esme.check(alert)
    assert critical.header.counter < other.header.counter


def test_own_counters_are_never_used_twice_even_across_power_cuts(esme: Rig) -> None:
    seen = [Message.decode(esme.device.alert(0x8F0C)).header.counter for _ in range(3)]
    seen += [Message.decode(esme.restarted().alert(0x8F0C)).header.counter for _ in range(3)]
    assert seen == sorted(set(seen))


def test_another_order_of_the_checks_is_a_matter_of_the_profile(esme: Rig) -> None:
    order = (
        CommandCheck.WELL_FORMED,
        CommandCheck.MAC,
        CommandCheck.SIGNATURE,
        CommandCheck.COUNTER,
        CommandCheck.AUTHORITY,
        CommandCheck.SUPPORTED,
        CommandCheck.ADDRESSED,
    )
    profile = replace(standard_profile(), order=order)
    device = esme.device
    esme.device = GbcsDevice(
        device.eui64,
        device.device_type,
        device.credentials,
        esme.store,
        device.now,
        device.trace,
        STANDARD,
        esme.executor,
        profile=profile,
    )
    esme.ask(PROTECTED_CODE, READ, 7)
    bad = bytearray(esme.command(READ_CODE, READ, 7))
    bad[-1] ^= 1
    refused(esme, bytes(bad), "mac", 0x8F3D)
    refused(esme, esme.command(PROTECTED_CODE, READ, 7), "counter", None)
