"""CS02a to CS02e: who the Device knows, and the keys of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from firmware_emu.clock import EPOCH
from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import Issuer, Validity, device_certificate, entity_of, organisation_certificate
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.primitives import generate
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device.event_log import LogName
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import (
    KeyUsageCommand,
    ProvideCredentialsCommand,
    RemotePartyDetails,
    SeqChange,
    SpecialistSeq,
    StatusCode,
    TrustAnchorCell,
    TrustAnchorReplacement,
    UpdateCredentialsAlert,
)
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import check_signature
from firmware_emu.ids import CraFlag, Eui64
from tests.device.credential_updates import DS, KA, SUPPLIER_CELLS, der, outcome, replacements, update
from tests.device.device_rig import ACB, COS, GSME, NOW, SECOND_SUPPLIER, SUPPLIER, Rig


def details(rig: Rig, counter: int, *roles: int) -> dict[int, RemotePartyDetails]:
    command = ProvideCredentialsCommand(TrustAnchorCell(4, KA), roles)
    payload = Asn1Payload("ProvideCredentialsCommand", command).encode()
    response = rig.ask(0x0008, payload, counter, originator=ACB)
    value = Asn1Payload.decode(response.payload, 0x0008, CraFlag.RESPONSE).value
    assert isinstance(value, tuple)
    return {one.role: one for one in value if isinstance(one, RemotePartyDetails)}


@pytest.mark.requirement("CH-19")
@pytest.mark.requirement("SVC-6.24")
def test_a_device_tells_who_stands_in_its_cells_and_the_counter_of_each_role(esme: Rig) -> None:
    found = details(esme, 77, 0, 2, 6)
    assert found[0].current_seq_number == 0
    assert [cell.subject_unique_id for cell in found[0].cells or ()] == [Eui64(bytes(8))]
    assert [(cell.key_usage, cell.cell_usage) for cell in found[2].cells or ()] == list(SUPPLIER_CELLS)
    assert {cell.subject_unique_id for cell in found[2].cells or ()} == {SUPPLIER}
    assert (found[6].status, found[6].cells) == (StatusCode.TRUST_ANCHOR_NOT_FOUND, None)
    assert details(esme, 78, 4)[4].current_seq_number == 0, "a read moved the counter"


@pytest.mark.requirement("SVC-6.23")
@pytest.mark.requirement("CH-29")
def test_after_a_change_of_supplier_only_the_new_one_is_obeyed(esme: Rig, pki: Keystore) -> None:
    esme.ask(0x0050, b"\xd9", 5000, signed=True)
    changes = (SeqChange(2, 10, (SpecialistSeq(0, 0),)),)
    payload = update(pki, 7, 1, replacements(pki, SECOND_SUPPLIER, 2), others=changes, role=5)
    result = outcome(esme.ask(0x0107, payload, 1, originator=COS, signed=True))
    assert [part.status for part in result.replacements] == [StatusCode.SUCCESS] * 3
    assert {(part.existing_unique_id, part.replacing_unique_id) for part in result.replacements} == {(SUPPLIER, SECOND_SUPPLIER)}
    assert result.seq_changes == changes
    assert esme.device.credentials.counter(RemotePartyRole.SUPPLIER) == 10
    esme.device.receive(esme.command(0x0050, b"\xd9", 6000, signed=True))
    assert esme.refusals() == ["authority"]
    esme.ask(0x0050, b"\xd9", 11, originator=SECOND_SUPPLIER, signed=True)
    assert 0x8F70 in [entry.code for entry in esme.device.logs[LogName.SECURITY].entries()]


def test_who_stands_in_another_cell_of_the_role_is_not_obeyed_by_the_new_suppliers_signature(esme: Rig, pki: Keystore) -> None:
    signing = replacements(pki, SECOND_SUPPLIER, 2)[:1]
    result = outcome(esme.ask(0x0107, update(pki, 7, 1, signing, role=5), 1, originator=COS, signed=True))
    assert [part.status for part in result.replacements] == [StatusCode.SUCCESS]
    esme.device.receive(esme.command(0x0050, b"\xd9", 6000, signed=True, signer=SECOND_SUPPLIER))
    assert esme.refusals() == ["signature"]
    esme.ask(0x0050, b"\xd9", 6001, originator=SECOND_SUPPLIER, signed=True)


@pytest.mark.requirement("CH-18")
def test_alerts_follow_a_change_of_supplier(esme: Rig, pki: Keystore) -> None:
    def told_of_a_message_for_another() -> Eui64:
        (alert,) = esme.device.receive(esme.command(0x0050, b"\xd9", 1, recipient=GSME))
        return Message.decode(alert).header.recipient

    assert told_of_a_message_for_another() == SUPPLIER
    assert Message.decode(esme.device.alert(0x8F0C)).header.recipient == SUPPLIER
    esme.ask(0x0107, update(pki, 7, 1, replacements(pki, SECOND_SUPPLIER, 2), role=5), 1, originator=COS, signed=True)
    for code in (0x8F0C, 0x81A0):
        alert = Message.decode(esme.device.alert(code))
        assert alert.header.recipient == SECOND_SUPPLIER
        esme.check(alert)
    assert told_of_a_message_for_another() == SECOND_SUPPLIER


def test_a_replacement_survives_a_power_cut_and_is_not_undone_by_the_factory_settings(esme: Rig, pki: Keystore) -> None:
    payload = update(pki, 7, 1, replacements(pki, SECOND_SUPPLIER, 2), role=5)
    esme.ask(0x0107, payload, 1, originator=COS, signed=True)
    esme.restarted()
    assert esme.device.credentials.party(RemotePartyRole.SUPPLIER) == SECOND_SUPPLIER


def test_a_certificate_of_the_wrong_role_is_not_taken_and_the_others_stand_alone(esme: Rig, pki: Keystore) -> None:
    network_operator = Eui64.parse("90b3d51f30020000")
    wrong = TrustAnchorReplacement(der(pki.certificate(network_operator, DS)), TrustAnchorCell(2, DS))
    good = replacements(pki, SECOND_SUPPLIER, 2)[1:]
    result = outcome(esme.ask(0x0107, update(pki, 7, 1, (wrong, *good), role=5), 1, originator=COS, signed=True))
    assert [part.status for part in result.replacements] == [StatusCode.BAD_CERTIFICATE, StatusCode.SUCCESS, StatusCode.SUCCESS]
    assert [part.existing_key_id == part.replacing_key_id for part in result.replacements] == [True, False, False]
    assert esme.device.credentials.party(RemotePartyRole.SUPPLIER) == SUPPLIER


def test_a_certificate_without_a_path_to_the_root_has_no_trust_anchor(esme: Rig, pki: Keystore) -> None:
    forged_key = generate()
    issuer = Issuer(pki.authority(RemotePartyRole.ISSUING_AUTHORITY), forged_key)
    valid = Validity(datetime(2015, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
    forged = organisation_certificate(SECOND_SUPPLIER, RemotePartyRole.SUPPLIER, DS, generate().public_key(), issuer, valid)
    item = (TrustAnchorReplacement(der(forged), TrustAnchorCell(2, DS)),)
    result = outcome(esme.ask(0x0107, update(pki, 7, 1, item, role=5), 1, originator=COS, signed=True))
    assert result.replacements[0].status is StatusCode.NO_TRUST_ANCHOR


def test_a_mode_may_replace_no_other_role_than_its_own(esme: Rig, pki: Keystore) -> None:
    result = outcome(
        esme.ask(
            0x0102,
            update(pki, 2, 9, (TrustAnchorReplacement(der(pki.certificate(Eui64.parse("90b3d51f30020000"), DS)), TrustAnchorCell(3, DS)),)),
            9,
            signed=True,
        )
    )
    assert result.replacements[0].status is StatusCode.OTHER


def test_a_counter_inside_that_differs_from_the_header_replaces_nothing(esme: Rig, pki: Keystore) -> None:
    result = outcome(esme.ask(0x0107, update(pki, 7, 99, replacements(pki, SECOND_SUPPLIER, 2), role=5), 1, originator=COS, signed=True))
    assert {part.status for part in result.replacements} == {StatusCode.OTHER}


def test_a_floor_never_lowers_the_counter_of_a_party_that_stays(esme: Rig, pki: Keystore) -> None:
    result = outcome(esme.ask(0x0102, update(pki, 2, 900, replacements(pki, SUPPLIER, 2), floor=0), 900, signed=True))
    assert result.seq_changes[0].floor_seq_number == 0
    assert esme.device.credentials.counter(RemotePartyRole.SUPPLIER) == 900


@pytest.mark.requirement("SVC-6.21")
def test_a_gpf_with_the_acb_in_its_supplier_cells_is_handed_over_to_the_supplier(make_rig: Callable[..., Rig], pki: Keystore) -> None:
    parties = {
        RemotePartyRole.SUPPLIER: ACB,
        RemotePartyRole.NETWORK_OPERATOR: ACB,
        RemotePartyRole.ACCESS_CONTROL_BROKER: ACB,
    }
    gpf = make_rig(DeviceType.GPF, parties)
    gpf.device.receive(gpf.command(0x0074, b"\xd9", 1))
    assert gpf.refusals() == ["authority"]
    payload = update(pki, 2, 5, replacements(pki, SUPPLIER, 2), floor=0)
    result = outcome(gpf.ask(0x0102, payload, 5, originator=ACB, signed=True))
    assert {part.status for part in result.replacements} == {StatusCode.SUCCESS}
    gpf.ask(0x0074, b"\xd9", 1)


def test_a_future_dated_replacement_is_accepted_now_and_told_by_an_alert_when_it_is_done(esme: Rig, pki: Keystore) -> None:
    at = EPOCH + timedelta(seconds=int(NOW) + 3600)
    response = esme.ask(0x0107, update(pki, 7, 1, replacements(pki, SECOND_SUPPLIER, 2), role=5, at=at), 1, originator=COS, signed=True)
    assert response.payload == bytes.fromhex("30020500")
    assert esme.device.credentials.party(RemotePartyRole.SUPPLIER) == SUPPLIER
    assert esme.device.future.next_due() == NOW + 3600
    assert esme.device.run_due() == []
    esme.restarted()
    esme.now = NOW + 3601
    alert = Message.decode(esme.device.run_due()[0])
    esme.check(alert)
    assert (alert.message_code, alert.header.recipient) == (0x00CB, COS)
    value = Asn1Payload.decode(alert.payload, 0x00CB, CraFlag.ALERT).value
    assert isinstance(value, UpdateCredentialsAlert)
    assert value.alert_code == 0x8F66
    assert value.at == EPOCH + timedelta(seconds=int(NOW) + 3601)
    assert esme.device.credentials.party(RemotePartyRole.SUPPLIER) == SECOND_SUPPLIER


def test_a_cancelled_replacement_never_happens(esme: Rig, pki: Keystore) -> None:
    at = EPOCH + timedelta(seconds=int(NOW) + 3600)
    never = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    for counter, when in ((1, at), (2, never)):
        payload = update(pki, 7, counter, replacements(pki, SECOND_SUPPLIER, 2), role=5, at=when)
        esme.ask(0x0107, payload, counter, originator=COS, signed=True)
    assert esme.device.future.next_due() is None


@pytest.mark.requirement("SVC-6.17")
@pytest.mark.requirement("CH-29")
def test_a_new_key_pair_is_used_only_once_its_certificate_has_arrived(esme: Rig, pki: Keystore) -> None:
    payload = Asn1Payload("KeyUsageCommand", KeyUsageCommand(DS)).encode()
    request = x509.load_der_x509_csr(esme.ask(0x000A, payload, 1, signed=True).payload)
    esme.ask(0x0050, b"\xd9", 2, signed=True)
    issuing = next(one for one in pki.authorities() if "BENCH-DCA" in one.subject.rfc4514_string())
    key = request.public_key()
    assert request.is_signature_valid
    valid = Validity(datetime(2015, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    certificate = device_certificate(esme.device.eui64, DS, key, Issuer(issuing, pki.authority_key(issuing)), valid)  # type: ignore[arg-type]
    answers = esme.device.receive(esme.command(0x000B, der(certificate), 3, signed=True))
    assert Message.decode(answers[0]).payload == bytes.fromhex("020100")
    held = esme.device.credentials.own_certificate(DS)
    assert held == certificate
    assert 0x8F4D in [entry.code for entry in esme.device.logs[LogName.SECURITY].entries()]
    assert esme.device.credentials.pending_key(DS) is None
    check_signature(Message.decode(answers[0]), key)  # type: ignore[arg-type]


def test_the_published_answer_to_a_new_signing_certificate_is_signed_by_the_key_of_that_certificate(request: pytest.FixtureRequest) -> None:
    folder = request.config.getoption("--rtds") / "4.5.0" / "6.15.2_CS02d"
    if not folder.is_dir():
        pytest.skip("the reference test data are not here: --rtds names their folder")
    command, answer = (
        Message.decode(bytes.fromhex((folder / f"CS02d_6.15.2_SUCCESS_{name}_GBCS.HEX").read_text())) for name in ("PRECOMMAND", "RESPONSE")
    )
    certificate = x509.load_der_x509_certificate(command.payload)
    check_signature(answer, certificate.public_key())  # type: ignore[arg-type]


@pytest.mark.parametrize(("identity", "fresh", "expected"), [("own", False, "020104"), ("other", True, "020102"), ("own", True, "020105")])
def test_a_certificate_that_does_not_fit_the_pending_pair_is_refused(
    esme: Rig,
    pki: Keystore,
    identity: str,
    fresh: bool,
    expected: str,
) -> None:
    if fresh:
        esme.ask(0x000A, Asn1Payload("KeyUsageCommand", KeyUsageCommand(KA)).encode(), 1, signed=True)
    issuing = next(one for one in pki.authorities() if "BENCH-DCA" in one.subject.rfc4514_string())
    valid = Validity(datetime(2015, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    entity = esme.device.eui64 if identity == "own" else Eui64.parse("00db1234567890a1")
    issuer = Issuer(issuing, pki.authority_key(issuing))
    certificate = device_certificate(entity, KA, generate().public_key(), issuer, valid)
    assert esme.ask(0x000B, der(certificate), 2, signed=True).payload == bytes.fromhex(expected)


def test_a_device_gives_out_its_own_certificate(esme: Rig) -> None:
    response = esme.ask(0x000C, Asn1Payload("KeyUsageCommand", KeyUsageCommand(KA)).encode(), 1, signed=True)
    certificate = x509.load_der_x509_certificate(response.payload)
    assert entity_of(certificate) == esme.device.eui64
    assert response.signature


def test_a_key_pair_for_certificate_signing_is_not_made(esme: Rig) -> None:
    payload = Asn1Payload("KeyUsageCommand", KeyUsageCommand(KeyUsage.KEY_CERT_SIGN)).encode()
    assert esme.ask(0x000A, payload, 1, signed=True).payload == bytes.fromhex("020101")
    assert esme.ask(0x000C, payload, 2, signed=True).payload == bytes.fromhex("020101")


def test_a_device_agrees_a_secret_once_and_anew_when_its_key_is_another(esme: Rig, pki: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    held, agreed, agree = esme.device.credentials, [], primitives.agree
    monkeypatch.setattr(primitives, "agree", lambda private, public: agreed.append(private) or agree(private, public))
    secret = held.z(ACB)
    for _ in range(3):
        assert held.z(ACB) == secret
    assert len(agreed) == 1
    key = generate()
    held.set_own(KeyUsage.KEY_AGREEMENT, pki.certificate(SUPPLIER, KeyUsage.KEY_AGREEMENT), key)
    assert held.z(ACB) == agree(key, pki.public_key(ACB, KeyUsage.KEY_AGREEMENT)) != secret
