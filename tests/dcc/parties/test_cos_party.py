"""The CoS Party: its own identity and keys, its own confirmation, and the change of supplier through it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage, KeyUsage, RemotePartyRole
from firmware_emu.errors import KeystoreError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import check_signature
from firmware_emu.ids import Eui64
from hil.dcc.base.results import Refusal, Verdict
from hil.dcc.base.services import UserRole
from hil.dcc.duis import ServiceRequest
from hil.dcc.parties.cos_party import CosParty
from tests.dcc.far_end import CHF, COS, ESME, MPAN, SECOND, SUPPLIER, FarEnd
from tests.dcc.messages import octets, send


def change_to(keystore: Keystore, supplier: Eui64) -> dict[str, object]:
    cells = (
        ("DigitalSigningCertificate", KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT),
        ("KeyAgreementCertificate", KeyUsage.KEY_AGREEMENT, CellUsage.MANAGEMENT),
        ("KeyAgreementTopUpCertificate", KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP),
    )
    certificates = {name: keystore.certificate(supplier, usage, cell).public_bytes(Encoding.DER) for name, usage, cell in cells}
    path = keystore.authority(RemotePartyRole.ISSUING_AUTHORITY).public_bytes(Encoding.DER)
    return {
        "SupplierFloorSeqNumber": 0,
        "SupplierPrepaymentTopUpFloorSeqNumber": 0,
        "SupplierReplacementCertificates": certificates,
        "CertificationPathCertificates": {"Certificate": path},
        "ApplyTimeBasedCPVChecks": True,
        "ImportMPxN": MPAN,
    }


@pytest.mark.requirement("COS-01")
async def test_the_cos_partys_key_is_in_no_other_keystore_of_the_dcc(far_end: FarEnd, keystore: Keystore) -> None:
    far_end.home.connect()
    cos = far_end.dcc.cos
    assert isinstance(cos, CosParty)
    with pytest.raises(KeystoreError):
        far_end.dcc.keystore.private_key(COS, KeyUsage.DIGITAL_SIGNATURE)
    assert cos._keystore.has_private_key(COS, KeyUsage.DIGITAL_SIGNATURE)
    assert not cos._keystore.has_private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE)


@pytest.mark.requirement("COS-01")
@pytest.mark.requirement("COS-02")
@pytest.mark.requirement("COS-05")
@pytest.mark.requirement("COS-06")
@pytest.mark.requirement("COS-07")
@pytest.mark.requirement("SVC-6.23")
async def test_the_gaining_suppliers_request_is_signed_by_the_cos_party_and_both_suppliers_are_told(
    far_end: FarEnd, keystore: Keystore
) -> None:
    await far_end.in_service()
    far_end.dcc.register_supply(MPAN, UserRole.IS, SECOND, far_end.clock.now())
    outcome = await send(far_end, "6.23", ESME, change_to(keystore, SECOND), user=far_end.second)
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    command = Message.decode(octets(outcome, "f"))
    assert command.header.originator == COS
    check_signature(command, keystore.public_key(COS, KeyUsage.DIGITAL_SIGNATURE))
    assert far_end.home.devices[ESME].credentials.party(RemotePartyRole.SUPPLIER) == SECOND
    assert far_end.dcc.known_parties.party(ESME, RemotePartyRole.SUPPLIER) == SECOND
    assert [delivery.code for delivery in far_end.supplier.inbox] == ["N42"]
    assert [delivery.code for delivery in far_end.second.inbox if delivery.kind == "j"] == ["N42"]
    assert (await send(far_end, "7.3", user=far_end.second)).verdict is Verdict.SUCCESS


@pytest.mark.requirement("COS-02")
@pytest.mark.requirement("COS-06")
async def test_a_supplier_to_be_takes_the_meter_over_on_its_day_and_both_are_told_when_it_is_done(
    far_end: FarEnd, keystore: Keystore
) -> None:
    await far_end.in_service()
    day = far_end.clock.datetime().replace(microsecond=0) + timedelta(days=3)
    body = {"ExecutionDateTime": day, **change_to(keystore, SECOND)}
    early = await send(far_end, "6.23", ESME, body, user=far_end.second)
    assert (early.verdict, early.response_code) == (Verdict.REFUSED, "E4")
    far_end.dcc.register_supply(MPAN, UserRole.IS, SECOND, (day - EPOCH).total_seconds())
    outcome = await send(far_end, "6.23", ESME, body, user=far_end.second)
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    assert far_end.dcc.known_parties.party(ESME, RemotePartyRole.SUPPLIER) == SUPPLIER
    assert (await send(far_end, "7.3")).ok, "until then the losing supplier goes on"
    far_end.supplier.inbox.clear()
    await far_end.clock.sleep(3 * 86400 + 10)
    device = far_end.home.devices[ESME]
    for message in device.run_due():
        far_end.home.say(message)
    await far_end.clock.sleep(5)
    assert device.credentials.party(RemotePartyRole.SUPPLIER) == SECOND
    assert far_end.dcc.known_parties.party(ESME, RemotePartyRole.SUPPLIER) == SECOND
    assert [delivery.code for delivery in far_end.supplier.inbox if delivery.kind == "j"] == ["N42"]
    assert [delivery.code for delivery in far_end.second.inbox if delivery.kind == "j"] == ["N42"]
    assert (await send(far_end, "7.3", user=far_end.second)).verdict is Verdict.SUCCESS
    assert (await send(far_end, "7.4")).response_code == "E4", "the losing supplier is no party of the meter any more"


@pytest.mark.requirement("SEC-05")
async def test_a_dcc_without_its_cos_party_changes_no_supplier(far_end: FarEnd, keystore: Keystore) -> None:
    await far_end.in_service()
    far_end.dcc.register_supply(MPAN, UserRole.IS, SECOND, far_end.clock.now())
    processing = far_end.dcc.processing
    far_end.dcc.processing = replace(processing, journey=replace(processing.journey, cos=None))
    outcome = await send(far_end, "6.23", ESME, change_to(keystore, SECOND), user=far_end.second)
    assert outcome.refusal is not None
    assert (outcome.verdict, outcome.refusal.name) == (Verdict.REFUSED, "cos-none")
    assert far_end.home.devices[ESME].credentials.party(RemotePartyRole.SUPPLIER) == SUPPLIER


@pytest.mark.requirement("COS-03")
async def test_a_supplier_who_is_not_registered_cannot_take_the_meter_over(far_end: FarEnd, keystore: Keystore) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "6.23", ESME, change_to(keystore, SECOND), user=far_end.second)
    assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E4")
    assert far_end.home.received == []


@pytest.mark.requirement("COS-04")
async def test_the_cos_party_refuses_credentials_that_are_not_the_senders(far_end: FarEnd, keystore: Keystore) -> None:
    await far_end.in_service()
    far_end.dcc.register_supply(MPAN, UserRole.IS, SECOND, far_end.clock.now())
    outcome = await send(far_end, "6.23", ESME, change_to(keystore, SUPPLIER), user=far_end.second)
    assert (outcome.verdict, outcome.hop) == (Verdict.REFUSED, "CoS party")
    assert far_end.home.received == []


@dataclass
class LosingSupplier:
    """The enduring arrangement: somebody else signs. Here one who always refuses."""

    eui: Eui64

    def confirm(self, request: ServiceRequest) -> Refusal | None:
        return Refusal(
            "losing supplier", "consent", "the losing supplier takes the CoS Party's part [147]", str(request.request_id), "ask it"
        )

    def sign(self, request: ServiceRequest, pre_command: bytes) -> Message | Refusal:
        raise AssertionError("a request that was not confirmed is not signed")


@pytest.mark.requirement("COS-08")
async def test_the_signer_can_be_another(far_end: FarEnd, keystore: Keystore) -> None:
    await far_end.in_service()
    far_end.dcc.register_supply(MPAN, UserRole.IS, SECOND, far_end.clock.now())
    journey = replace(far_end.dcc.processing.journey, cos=LosingSupplier(SUPPLIER))
    far_end.dcc.processing = replace(far_end.dcc.processing, journey=journey)
    outcome = await send(far_end, "6.23", ESME, change_to(keystore, SECOND), user=far_end.second)
    assert outcome.hop == "losing supplier"


async def test_a_supplier_takes_no_meter_of_another_by_naming_an_mpan_of_its_own(far_end: FarEnd, keystore: Keystore) -> None:
    await far_end.in_service()
    own = "1312345678222"
    far_end.dcc.register_supply(own, UserRole.IS, SECOND)
    for target in (ESME, CHF):
        outcome = await send(far_end, "6.23", target, {**change_to(keystore, SECOND), "ImportMPxN": own}, user=far_end.second)
        assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E4"), outcome.why
    assert far_end.home.received == []
    assert far_end.dcc.known_parties.party(ESME, RemotePartyRole.SUPPLIER) == SUPPLIER
