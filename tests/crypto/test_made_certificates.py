"""Certificates that are made, and implicit ones, field by field: flags, criticality, dates at their limits, the rules of CBKE."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import (
    Issuer,
    Validity,
    authority_certificate,
    certificate_request,
    check_dates,
    check_path,
    device_certificate,
    entity_of,
    key_id_of,
    name_of,
    organisation_certificate,
    organisational_unit,
    role_of,
    usage_of,
)
from firmware_emu.crypto.ecqv import (
    CbkeCredentials,
    ImplicitAuthority,
    ImplicitCertificate,
    curve_of,
    extract_public_key,
    issue,
)
from firmware_emu.crypto.implicit_profile import lint_implicit
from firmware_emu.crypto.roles import XML_SIGNING_DCC, XML_SIGNING_USER, CellUsage, DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.ids import Eui64

VALID = Validity(datetime(2015, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
SECOND = timedelta(seconds=1)
SUPPLIER, METER = Eui64.parse("90b3d51f30010000"), Eui64.parse("00db1234567890a0")
KEY = primitives.generate()


def authority(name: str, role: int | None, issuer: Issuer | None) -> Issuer:
    key = primitives.generate()
    return Issuer(authority_certificate(name, role, key, issuer, VALID), key)


ROOT = authority("ROOT", RemotePartyRole.ROOT, None)
ISSUING = authority("ISSUING", RemotePartyRole.ISSUING_AUTHORITY, ROOT)
LEAF = organisation_certificate(SUPPLIER, RemotePartyRole.SUPPLIER, KeyUsage.DIGITAL_SIGNATURE, KEY.public_key(), ISSUING, VALID)
DEVICE = device_certificate(METER, KeyUsage.KEY_AGREEMENT, KEY.public_key(), ISSUING, VALID)


def flags(cert: x509.Certificate) -> set[str]:
    """Uses that the key usage allows."""
    usage = cert.extensions.get_extension_for_class(x509.KeyUsage).value
    named = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
    )
    found = {one for one in named if getattr(usage, one)}
    return found | ({one for one in ("encipher_only", "decipher_only") if getattr(usage, one)} if usage.key_agreement else set())


def critical(cert: x509.Certificate) -> dict[str, bool]:
    return {str(one.oid._name): one.critical for one in cert.extensions}


def test_a_made_certificate_allows_one_use_and_marks_what_is_critical() -> None:
    """SMKI profiles (reference smki-profiles): key usage, policies and a Device's name are critical, key identifiers are not."""
    assert (flags(LEAF), flags(DEVICE)) == ({"digital_signature"}, {"key_agreement"})
    assert "key_cert_sign" in flags(ISSUING.certificate)
    assert not flags(ISSUING.certificate) & {
        "digital_signature",
        "key_agreement",
        "key_encipherment",
        "data_encipherment",
        "content_commitment",
    }
    leaf = {"keyUsage": True, "certificatePolicies": True, "subjectKeyIdentifier": False, "authorityKeyIdentifier": False}
    assert critical(LEAF) == leaf
    assert critical(DEVICE) == {**leaf, "subjectAltName": True}
    assert critical(ISSUING.certificate) == {**leaf, "basicConstraints": True}
    constraints = [one.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value for one in (ROOT, ISSUING)]
    assert [(one.ca, one.path_length) for one in constraints] == [(True, 1), (True, 0)]
    assert (usage_of(LEAF), usage_of(DEVICE), usage_of(ROOT.certificate)) == (
        *(KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT, KeyUsage.KEY_CERT_SIGN),
    )


def test_a_serial_number_has_sixteen_octets_and_a_key_identifier_eight() -> None:
    made = [organisation_certificate(SUPPLIER, 2, KeyUsage.KEY_AGREEMENT, KEY.public_key(), ISSUING, VALID) for _ in range(20)]
    assert len({one.serial_number for one in made}) == 20
    assert max(one.serial_number.bit_length() for one in made) in range(118, 128)
    assert {len(key_id_of(one)) for one in made} == {8}
    assert {key_id_of(one)[0] >> 4 for one in made} == {4}, "method 2 of RFC 5280 4.2.1.2: 0100 and 60 bits"


def test_a_certificate_request_asks_for_one_critical_use() -> None:
    device, organisation = (
        certificate_request(METER, KeyUsage.KEY_AGREEMENT, KEY),
        certificate_request(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE, KEY, 2),
    )
    assert [(str(one.oid._name), one.critical) for one in device.extensions] == [("keyUsage", True), ("subjectAltName", True)]
    assert [(str(one.oid._name), one.critical) for one in organisation.extensions] == [("keyUsage", True)]
    assert (len(device.subject), len(organisation.subject)) == (0, 2)


def test_first_and_last_instant_are_within_a_validity() -> None:
    for at, held in ((VALID.start, True), (VALID.end, True), (VALID.start - SECOND, False), (VALID.end + SECOND, False)):
        if held:
            check_dates(LEAF, at)
        else:
            with pytest.raises(ProtectionError, match="is valid 2015-01-01 to 2040-01-01, not at"):
                check_dates(LEAF, at)
    check_dates(LEAF, None)


def test_a_path_is_as_long_as_its_authorities_allow() -> None:
    assert check_path(LEAF, [ISSUING.certificate], None, anchors=[ROOT.certificate]) == (LEAF, ISSUING.certificate, ROOT.certificate)
    assert check_path(LEAF, [ISSUING.certificate], None) == (LEAF, ISSUING.certificate)
    third = authority("THIRD", RemotePartyRole.ISSUING_AUTHORITY, ISSUING)
    below = organisation_certificate(SUPPLIER, 2, KeyUsage.DIGITAL_SIGNATURE, KEY.public_key(), third, VALID)
    with pytest.raises(ProtectionError, match="allows 0 authorities below it, here are 1"):
        check_path(below, [third.certificate, ISSUING.certificate], None, anchors=[ROOT.certificate])


def test_entities_units_and_names_are_read_back() -> None:
    assert (entity_of(LEAF), entity_of(DEVICE)) == (SUPPLIER, METER)
    assert (role_of(LEAF), role_of(DEVICE), organisational_unit(DEVICE)) == (RemotePartyRole.SUPPLIER, None, None)
    for unit, role in (
        (XML_SIGNING_USER, None),
        (XML_SIGNING_DCC, None),
        (0x7F, RemotePartyRole.OTHER),
        (8, RemotePartyRole.LOAD_CONTROLLER),
    ):
        made = organisation_certificate(SUPPLIER, unit, KeyUsage.DIGITAL_SIGNATURE, KEY.public_key(), ISSUING, VALID)
        assert (organisational_unit(made), role_of(made)) == (unit, role)
    assert name_of(DEVICE).startswith("certificate 00db1234567890a0 (serial ")


def test_numbers_of_roles_uses_and_types_are_those_of_trust_anchor_cells() -> None:
    """Reference gbcs-behaviour 2 and gbcs-messages 6; key usage bits: RFC 5280 4.2.1.3; the OUs: SMKI."""
    assert {one.name: int(one) for one in RemotePartyRole} == {
        "ROOT": 0,
        "RECOVERY": 1,
        "SUPPLIER": 2,
        "NETWORK_OPERATOR": 3,
        "ACCESS_CONTROL_BROKER": 4,
        "TRANSITIONAL_COS": 5,
        "WAN_PROVIDER": 6,
        "ISSUING_AUTHORITY": 7,
        "LOAD_CONTROLLER": 8,
        "OTHER": 127,
    }
    assert [one.value for one in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT, KeyUsage.KEY_CERT_SIGN)] == [0, 4, 5]
    assert [one.name for one in sorted(DeviceType)] == ["GSME", "ESME", "CHF", "GPF", "HCALCS", "PPMID", "TYPE_2"]
    assert (int(min(DeviceType)), int(max(DeviceType)), [int(one) for one in CellUsage]) == (0, 6, [0, 1])
    assert (f"{XML_SIGNING_USER:02X}", f"{XML_SIGNING_DCC:02X}") == ("87", "89")


# -- implicit certificates

SUITE_2 = issue(ImplicitAuthority.generate(SUPPLIER), METER).certificate
SUITE_1 = issue(ImplicitAuthority.generate(SUPPLIER, 1), METER).certificate


def put(octets: bytes, place: int, new: bytes) -> bytes:
    return octets[:place] + new + octets[place + len(new) :]


@pytest.mark.parametrize(
    ("octets", "broken"),
    [
        (SUITE_2, []),
        (SUITE_1, ["CB-11"]),
        (SUITE_2.hex().encode(), []),
        (put(SUITE_1, 38, b"\x01\x08"), ["CB-11", "CB-10"]),
        (put(SUITE_1, 39, b"\x0a"), ["CB-11", "CB-10"]),
        (put(SUITE_2, 0, b"\x01"), ["CB-02"]),
        (put(SUITE_2, 9, b"\x0c"), ["CB-03"]),
        (put(SUITE_2, 10, b"\x09"), ["CB-03"]),
        (put(SUITE_2, 36, b"\x08"), []),
        (put(SUITE_2, 36, b"\x88"), []),
        (put(SUITE_2, 36, b"\x80"), ["CB-08"]),
        (put(SUITE_2, 36, b"\x09"), ["CB-08"]),
        (put(SUITE_2, 27, b"\xfe"), ["CB-09"]),
        (put(SUITE_2, 24, b"\xfe"), ["CB-09"]),
        (put(SUITE_2, 23, b"\xfe"), []),
        (put(SUITE_2, 28, b"\xfe"), []),
        (put(SUITE_2, 37, b"\x04"), ["CB-06"]),
        (put(SUITE_2, 37, b"\x01"), ["CB-06"]),
        (put(SUITE_1, 0, b"\x04"), ["CB-06", "CB-11"]),
        (SUITE_2[:-1], ["CB-01"]),
        (SUITE_2 + b"\0", ["CB-01"]),
        (SUITE_1[:-1], ["CB-01"]),
        (b"", ["CB-01"]),
    ],
    ids=lambda value: "certificate" if isinstance(value, bytes) else " ".join(value) or "none",  # keys are new in each process
)
def test_an_implicit_certificate_breaks_the_rules_named_and_no_other(octets: bytes, broken: list[str]) -> None:
    """Layouts: reference cbke 4."""
    assert [one.rule for one in lint_implicit(octets)] == broken


def test_the_fields_of_an_implicit_certificate_stand_at_their_places() -> None:
    """Reference cbke 4: point, subject, issuer, attributes; type, serial, curve, hash, issuer, times, subject, use, point."""
    one = ImplicitCertificate(1, METER, SUPPLIER, bytes(range(22)), b"\x01\x09" + bytes(range(50, 58)))
    assert one.encode() == bytes(range(22)) + METER.octets + SUPPLIER.octets + b"\x01\x09" + bytes(range(50, 58))
    two = ImplicitCertificate(2, METER, SUPPLIER, bytes(range(37)), b"", 0x0102030405060708, 0x1112131415, 0x21222324, 0x88)
    written = two.encode()
    assert (
        written.hex()
        == "00" + "0102030405060708" + "0d08" + str(SUPPLIER) + "1112131415" + "21222324" + str(METER) + "88" + bytes(range(37)).hex()
    )
    assert (ImplicitCertificate.decode(one.encode(), 1), ImplicitCertificate.decode(written, 2)) == (one, two)
    assert [ImplicitCertificate(2, METER, SUPPLIER, b"", key_usage=use).may_agree_keys for use in (0x08, 0x88, 0x80, 0x00, None)] == [
        *(True, True, False, False, True),
    ]


def test_an_issued_certificate_never_ends_and_allows_both_uses() -> None:
    read = ImplicitCertificate.decode(SUITE_2, 2)
    assert (read.valid_from, read.valid_for, read.key_usage, read.subject, read.issuer) == (0, 0xFFFFFFFF, 0x88, METER, SUPPLIER)
    assert ImplicitCertificate.decode(SUITE_1, 1).attributes == b"\x01\x09" + bytes(8)
    for suite in (1, 2):
        made = issue(ImplicitAuthority.generate(SUPPLIER, suite), METER)
        assert isinstance(made, CbkeCredentials)
        assert made.suite == suite
        curve = curve_of(suite)
        assert curve.multiply(made.private_key, curve.generator) == extract_public_key(made.certificate, made.ca_public_key, suite)


def test_what_is_no_implicit_certificate_is_told_with_its_place() -> None:
    for octets, suite, told in (
        (SUITE_2[:-1], 2, (0, "certificate", "73 octets: expected 74 in suite 2")),
        (SUITE_1 + b"\0", 1, (0, "certificate", "49 octets: expected 48 in suite 1")),
        (put(SUITE_1, 38, b"\x01\x0a"), 1, (38, "profile", "010a: expected 0109, ZigBee Smart Energy")),
        (put(SUITE_2, 0, b"\x01"), 2, (0, "type", "01: expected 00 in suite 2")),
        (put(SUITE_2, 9, b"\x0e"), 2, (9, "curve", "0e: expected 0d in suite 2")),
        (put(SUITE_2, 10, b"\x07"), 2, (10, "hash", "07: expected 08 in suite 2")),
    ):
        with pytest.raises(DecodeError) as caught:
            ImplicitCertificate.decode(octets, suite)
        assert (caught.value.offset, caught.value.field, caught.value.problem) == told
    for place, suite, octets in ((37, 2, put(SUITE_2, 37, b"\x04")), (0, 1, put(SUITE_1, 0, b"\x04"))):
        with pytest.raises(DecodeError) as caught:
            extract_public_key(octets, b"\x02" + bytes(36 if suite == 2 else 21), suite)
        assert (caught.value.offset, caught.value.field) == (place, "public reconstruction point")
    for suite in (0, 3):
        with pytest.raises(DecodeError, match=f"{suite}: expected 1"):
            curve_of(suite)


# -- primitives


def test_lengths_of_macs_signatures_and_ciphertexts_are_told() -> None:
    """GBCS: MACs and tags of 12 octets, signatures of 64."""
    key, iv = bytes(16), bytes(12)
    mac = primitives.tag(key, iv, b"a")
    assert len(mac) == 12
    assert len(primitives.tag(key, iv, b"a", 16)) == 16
    primitives.check_tag(key, iv, b"a", mac)
    for wrong in (mac[:-1], mac + b"\0"):
        with pytest.raises(ProtectionError, match=f"a MAC of {len(wrong)} octets: expected 12"):
            primitives.check_tag(key, iv, b"a", wrong)
    sealed = primitives.encrypt(key, iv, b"a", b"")
    assert (len(sealed), primitives.decrypt(key, iv, b"a", sealed)) == (12, b"")
    with pytest.raises(ProtectionError, match="11 encrypted octets"):
        primitives.decrypt(key, iv, b"a", sealed[:-1])
    with pytest.raises(ProtectionError, match="a signature of 63 octets"):
        primitives.verify(KEY.public_key(), bytes(63), b"")
    assert len(primitives.sign(KEY, b"x")) == 64
