"""Certificates in Commands: whatever they are, the Device answers a status, keeps nothing that breaks a profile, and goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_emu.crypto.certificates import key_id_of
from firmware_emu.crypto.certificates import parse_certificate as read_certificate
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Cell, parse_certificate
from firmware_emu.device.joins import add
from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.gbcs.asn1_types import StatusCode, TrustAnchorCell, TrustAnchorReplacement
from tests.crypto.odd_certificates import SHA384, SIGN, Odd, device, extension, hardware, other_keys, sequence, subject, tlv
from tests.device.credential_updates import DS, KA, der, outcome, replacements, update
from tests.device.device_rig import ACB, COS, ESME, GSME, SECOND_SUPPLIER, SUPPLIER, Rig

SECOND = b"\x00" + SECOND_SUPPLIER.octets


def issued(pki: Keystore, odd: Odd) -> bytes:
    """The certificate as the issuing authority of the Device's own root signs it: its path is sound, whatever it says."""
    authority = pki.authority(RemotePartyRole.ISSUING_AUTHORITY)
    odd.issuer = authority.subject.public_bytes()
    odd.authority = tlv(0x80, key_id_of(authority)) if odd.authority is not None else None
    key = pki.authority_key(authority)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return odd.der(key)


def odd(**fields: object) -> Odd:
    return Odd(**{"subject": subject(identifier=SECOND), **fields})  # type: ignore[arg-type]


BREACHES: dict[str, Callable[[], Odd]] = {
    "a P-384 key": lambda: odd(key=other_keys()["P-384"]),
    "an RSA key": lambda: odd(key=other_keys()["RSA"]),
    "an Ed25519 key": lambda: odd(key=other_keys()["Ed25519"]),
    "SHA-384": lambda: odd(algorithm=SHA384),
    "a leaf that is an authority": lambda: odd(more=extension("551d13", bytes.fromhex("30030101ff"), critical=True)),
    "an unknown critical extension": lambda: odd(more=extension("2b0601040186861f01", b"\x05\x00", critical=True)),
    "a critical extended usage": lambda: odd(more=extension("551d25", sequence(bytes.fromhex("06082b06010505070302")), critical=True)),
    "name constraints": lambda: odd(more=extension("551d1e", sequence(), critical=True)),
    "no policies": lambda: odd(policy=None),
    "two usages": lambda: odd(usage=bytes.fromhex("03020388")),
    "an EUI of ones": lambda: odd(subject=subject(identifier=b"\x00" + b"\xff" * 8)),
    "the Device's own EUI": lambda: odd(subject=subject(identifier=b"\x00" + ESME.octets)),
    "the broker's EUI": lambda: odd(subject=subject(identifier=b"\x00" + ACB.octets)),
}


def change(rig: Rig, pki: Keystore, octets: bytes, counter: int = 1) -> StatusCode:
    item = (TrustAnchorReplacement(octets, TrustAnchorCell(2, DS)),)
    answer = rig.ask(0x0107, update(pki, 7, counter, item, role=5), counter, originator=COS, signed=True)
    return outcome(answer).replacements[0].status


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_of_the_profile_in_a_sound_path_is_a_status_and_nothing_is_kept(esme: Rig, pki: Keystore, breach: str) -> None:
    assert change(esme, pki, issued(pki, BREACHES[breach]())) is StatusCode.BAD_CERTIFICATE
    assert esme.device.credentials.party(RemotePartyRole.SUPPLIER) == SUPPLIER
    assert not [record for record in esme.records if record.event == "crashed"]
    esme.ask(0x0050, b"\xd9", 1, signed=True)
    assert esme.executor.executed == [1]


def test_the_same_certificate_without_a_breach_is_taken(esme: Rig, pki: Keystore) -> None:
    assert change(esme, pki, issued(pki, odd())) is StatusCode.SUCCESS
    assert esme.device.credentials.party(RemotePartyRole.SUPPLIER) == SECOND_SUPPLIER


def test_a_certificate_of_another_use_than_the_cells_is_not_taken(esme: Rig, pki: Keystore) -> None:
    assert change(esme, pki, der(pki.certificate(SECOND_SUPPLIER, KA))) is StatusCode.BAD_CERTIFICATE
    assert esme.device.credentials.party(RemotePartyRole.SUPPLIER) == SUPPLIER


def test_a_policy_of_another_environment_and_a_changed_issuer_lead_to_no_trust_anchor(esme: Rig, pki: Keystore) -> None:
    assert change(esme, pki, issued(pki, odd(policy="06032a0304"))) is StatusCode.NO_TRUST_ANCHOR
    good = issued(pki, odd())
    authority = pki.authority(RemotePartyRole.ISSUING_AUTHORITY)
    octets = der(authority)
    item = (TrustAnchorReplacement(good, TrustAnchorCell(2, DS)),)
    payload = update(pki, 7, 2, item, role=5, path=(octets[:-1] + bytes([octets[-1] ^ 1]),))
    found = outcome(esme.ask(0x0107, payload, 2, originator=COS, signed=True))
    assert found.replacements[0].status is StatusCode.NO_TRUST_ANCHOR


def test_one_cell_may_fail_and_the_others_are_kept(esme: Rig, pki: Keystore) -> None:
    items = list(replacements(pki, SECOND_SUPPLIER, 2))
    unsigned_by_ours = odd(usage=bytes.fromhex("03020308")).der()
    items[1] = TrustAnchorReplacement(unsigned_by_ours, TrustAnchorCell(2, KA))
    found = outcome(esme.ask(0x0107, update(pki, 7, 1, tuple(items), role=5), 1, originator=COS, signed=True))
    assert [part.status.value for part in found.replacements] == [0, 10, 0]


def test_a_device_whose_cell_holds_a_key_of_another_curve_refuses_and_does_not_raise(esme: Rig, pki: Keystore) -> None:
    octets = issued(pki, Odd(key=other_keys()["P-384"]))
    cell = Cell(RemotePartyRole.SUPPLIER, DS)
    esme.store.put(f"{esme.device.prefix}anchor/{cell.key}", octets)
    assert esme.device.receive(esme.command(0x0050, b"\xd9", 1, signed=True)) is not None
    assert esme.refusals() == ["signature"]


@pytest.mark.parametrize("key", ["P-384", "RSA", "Ed25519"])
def test_a_new_certificate_for_the_device_itself_of_another_kind_is_a_code(esme: Rig, key: str) -> None:
    sent = device(SIGN, key=other_keys()[key], more=hardware(ESME.octets)).der()
    answer = esme.ask(0x000B, sent, 1, signed=True)
    assert answer.payload == bytes.fromhex("020101")


def test_a_usage_that_is_neither_is_code_3_before_any_signature_is_looked_at(esme: Rig) -> None:
    sent = device(bytes.fromhex("03020640"), more=hardware(ESME.octets)).der()
    assert esme.ask(0x000B, sent, 1, signed=True).payload == bytes.fromhex("020103")


def test_a_partner_with_a_certificate_of_another_kind_is_join_code_11(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(DeviceType.GSME)
    for made in (device(bytes.fromhex("03020308"), key=other_keys()["P-384"]), device(SIGN)):
        assert add(rig.device, ESME, DeviceType.PPMID.value, 3, made.der()) == 11
    assert rig.device.eui64 == GSME


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_changed_octets_get_an_answer_and_never_a_crash(make_rig: Callable[..., Rig], pki: Keystore, data: st.DataObject) -> None:
    rig = make_rig()
    payload = bytearray(update(pki, 7, 1, replacements(pki, SECOND_SUPPLIER, 2), role=5))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    rig.device.receive(rig.command(0x0107, bytes(payload), 1, originator=COS, signed=True))
    crashed = [record.detail["reason"] for record in rig.records if record.event == "crashed"]
    assert all(":" in str(reason) for reason in crashed), crashed
    rig.device.receive(rig.command(0x0052, b"\x00", 1, originator=rig.device.credentials.party(RemotePartyRole.SUPPLIER) or SUPPLIER))


def test_a_name_that_is_no_text_is_told_where_a_certificate_is_read(pki: Keystore) -> None:
    authority = pki.authority(RemotePartyRole.ISSUING_AUTHORITY)
    name = bytes(str(authority.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value), "utf-8")
    spoilt = der(authority).replace(name, b"\xff" * len(name))
    with pytest.raises(DecodeError, match=r"not an X\.509 certificate"):
        read_certificate(spoilt)
    with pytest.raises(ProtectionError, match="no DER certificate"):
        parse_certificate(spoilt)
