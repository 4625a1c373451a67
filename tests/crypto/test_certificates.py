from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import (
    NEVER_EXPIRES,
    Issuer,
    Validity,
    authority_certificate,
    certificate_request,
    check_path,
    device_certificate,
    entity_of,
    key_id_from,
    key_id_of,
    organisation_certificate,
    organisational_unit,
    public_key_of,
    role_of,
    usage_of,
)
from firmware_emu.crypto.roles import NO_ENTITY, XML_SIGNING_USER, KeyUsage, RemotePartyRole
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.ids import Eui64

VALID = Validity(datetime(2015, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
WITHIN = datetime(2020, 6, 1, tzinfo=UTC)
SUPPLIER = Eui64.parse("90b3d51f30010000")
METER = Eui64.parse("00db1234567890a0")
KEY = primitives.generate()


def _authority(name: str, role: RemotePartyRole | None, issuer: Issuer | None) -> Issuer:
    key = primitives.generate()
    return Issuer(authority_certificate(name, role, key, issuer, VALID), key)


ROOT = _authority("ROOT", RemotePartyRole.ROOT, None)
ISSUING = _authority("ISSUING", RemotePartyRole.ISSUING_AUTHORITY, ROOT)


def _organisation(usage: KeyUsage = KeyUsage.DIGITAL_SIGNATURE, unit: int = RemotePartyRole.SUPPLIER) -> x509.Certificate:
    return organisation_certificate(SUPPLIER, unit, usage, KEY.public_key(), ISSUING, VALID)


def _profile(cert: x509.Certificate) -> dict[str, object]:
    """Features that the published and our certificates must have in common."""
    return {
        "subject": [(attribute.oid, attribute._type) for attribute in cert.subject if attribute.oid != x509.NameOID.COMMON_NAME],
        "extensions": {(extension.oid, extension.critical) for extension in cert.extensions},
        "policies": [policy.policy_identifier for policy in cert.extensions.get_extension_for_class(x509.CertificatePolicies).value],
        "signature": cert.signature_algorithm_oid,
        "version": cert.version,
        "key_id_octets": len(key_id_of(cert)),
        "serial_bits_fit": cert.serial_number.bit_length() <= 128,
    }


@pytest.mark.parametrize(
    ("name", "usage"), [("90b3d51f30010000-ds", KeyUsage.DIGITAL_SIGNATURE), ("90b3d51f30020000-ka", KeyUsage.KEY_AGREEMENT)]
)
def test_an_organisation_certificate_has_the_profile_of_the_published_ones(rtds: Path, name: str, usage: KeyUsage) -> None:
    published = x509.load_pem_x509_certificate((rtds / f"keys/{name}.pem").read_bytes())
    ours = _organisation(usage)
    theirs = _profile(published)
    assert {**_profile(ours), "subject": set(_profile(ours)["subject"])} == {**theirs, "subject": set(theirs["subject"])}  # type: ignore[call-overload]
    assert ours.extensions.get_extension_for_class(x509.KeyUsage) == published.extensions.get_extension_for_class(x509.KeyUsage)


def test_a_device_certificate_has_the_profile_of_the_published_ones(rtds: Path) -> None:
    published = x509.load_pem_x509_certificate((rtds / "keys/00db1234567890a0-ka.pem").read_bytes())
    ours = device_certificate(METER, KeyUsage.KEY_AGREEMENT, KEY.public_key(), ISSUING, Validity(VALID.start, NEVER_EXPIRES))
    assert _profile(ours) == _profile(published)
    for kind in (x509.KeyUsage, x509.SubjectAlternativeName):
        assert ours.extensions.get_extension_for_class(kind) == published.extensions.get_extension_for_class(kind)
    assert ours.not_valid_after_utc == published.not_valid_after_utc


def test_every_published_certificate_is_read(rtds: Path) -> None:
    for path in sorted((rtds / "keys").glob("*.pem")):
        cert = x509.load_pem_x509_certificate(path.read_bytes())
        entity, _, kind = path.stem.partition("-")
        if path.stem != "90b3d51f30000007-ka":  # published under a name that is not its own
            assert str(entity_of(cert)) == entity
        assert usage_of(cert) is (KeyUsage.DIGITAL_SIGNATURE if kind == "ds" else KeyUsage.KEY_AGREEMENT)
        assert (role_of(cert) is None) == entity.startswith("00db")
        assert key_id_of(cert) == key_id_from(public_key_of(cert))


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=8, max_size=8), st.sampled_from(list(RemotePartyRole)), st.sampled_from(list(KeyUsage)[:2]))
def test_an_organisation_certificate_says_who_what_and_what_for(octets: bytes, role: RemotePartyRole, usage: KeyUsage) -> None:
    cert = organisation_certificate(Eui64(octets), role, usage, KEY.public_key(), ISSUING, VALID)
    assert (entity_of(cert), role_of(cert), usage_of(cert)) == (Eui64(octets), role, usage)
    assert cert.subject.rfc4514_string().endswith(f"OU={role:02X}")


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=8, max_size=8), st.sampled_from(list(KeyUsage)[:2]))
def test_a_device_certificate_says_who_and_what_for_and_has_no_subject(octets: bytes, usage: KeyUsage) -> None:
    cert = device_certificate(Eui64(octets), usage, KEY.public_key(), ISSUING, VALID)
    assert (entity_of(cert), role_of(cert), usage_of(cert)) == (Eui64(octets), None, usage)
    assert len(list(cert.subject)) == 0


def test_an_xml_signing_certificate_has_its_unit_and_no_role() -> None:
    cert = _organisation(unit=XML_SIGNING_USER)
    assert (organisational_unit(cert), role_of(cert), entity_of(cert)) == (0x87, None, SUPPLIER)


def test_an_authority_names_no_entity() -> None:
    assert entity_of(ROOT.certificate) == NO_ENTITY
    assert usage_of(ROOT.certificate) is KeyUsage.KEY_CERT_SIGN
    assert role_of(ISSUING.certificate) is RemotePartyRole.ISSUING_AUTHORITY
    assert repr(ROOT).startswith("Issuer(certificate ")


def _plain(subject: x509.Name, *extensions: x509.ExtensionType) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ISSUING.certificate.subject)
        .public_key(KEY.public_key())
        .serial_number(77)
        .not_valid_before(VALID.start)
        .not_valid_after(VALID.end)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(ISSUING.key, SHA256())


def test_a_certificate_that_does_not_say_enough_is_refused_with_a_sentence() -> None:
    nobody = _plain(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")]))
    with pytest.raises(KeystoreError, match=r"CN=nobody \(serial 4d\).* names no EUI-64"):
        entity_of(nobody)
    with pytest.raises(KeystoreError, match="states no key usage"):
        usage_of(nobody)
    both = x509.KeyUsage(True, False, False, False, True, False, False, False, False)
    with pytest.raises(KeystoreError, match="digital_signature and key_agreement"):
        usage_of(_plain(x509.Name([]), both))


def test_a_path_to_the_root_holds_and_is_returned() -> None:
    cert = _organisation()
    assert check_path(cert, [ISSUING.certificate], WITHIN, anchors=[ROOT.certificate]) == (cert, ISSUING.certificate, ROOT.certificate)
    assert check_path(cert, [ISSUING.certificate], None) == (cert, ISSUING.certificate)


def test_a_root_that_only_came_along_is_not_trusted() -> None:
    stranger = _authority("ROOT", RemotePartyRole.ROOT, None)
    between = _authority("ISSUING", RemotePartyRole.ISSUING_AUTHORITY, stranger)
    cert = organisation_certificate(SUPPLIER, 2, KeyUsage.DIGITAL_SIGNATURE, KEY.public_key(), between, VALID)
    with pytest.raises(ProtectionError, match=r"not trusted|not signed"):
        check_path(cert, [between.certificate, stranger.certificate], WITHIN, anchors=[ROOT.certificate])


def test_a_missing_issuer_is_named() -> None:
    with pytest.raises(ProtectionError, match="'CN=ISSUING,OU=07', whose certificate is not at hand"):
        check_path(_organisation(), [ROOT.certificate], WITHIN)


def test_a_forged_signature_breaks_the_path() -> None:
    cert = _organisation()
    octets = bytearray(cert.public_bytes(Encoding.DER))
    octets[-1] ^= 1
    with pytest.raises(ProtectionError, match="not signed by"):
        check_path(x509.load_der_x509_certificate(bytes(octets)), [ISSUING.certificate], WITHIN)


@pytest.mark.parametrize("at", [datetime(2014, 12, 31, tzinfo=UTC), datetime(2040, 1, 2, tzinfo=UTC)])
def test_a_certificate_out_of_its_dates_is_refused_unless_dates_are_not_checked(at: datetime) -> None:
    with pytest.raises(ProtectionError, match="is valid 2015-01-01 to 2040-01-01"):
        check_path(_organisation(), [ISSUING.certificate], at)
    check_path(_organisation(), [ISSUING.certificate], None)


def test_an_organisation_cannot_issue_certificates() -> None:
    impostor = Issuer(_organisation(), KEY)
    cert = organisation_certificate(METER, 2, KeyUsage.DIGITAL_SIGNATURE, primitives.generate().public_key(), impostor, VALID)
    with pytest.raises(ProtectionError):
        check_path(cert, [_organisation(), ISSUING.certificate], WITHIN, anchors=[ROOT.certificate])


def test_a_key_usage_alone_makes_no_authority() -> None:
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    for extensions in ((usage,), (x509.BasicConstraints(ca=True, path_length=None),)):
        posing = Issuer(_plain(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "posing")]), *extensions), KEY)
        cert = organisation_certificate(SUPPLIER, 2, KeyUsage.DIGITAL_SIGNATURE, primitives.generate().public_key(), posing, VALID)
        with pytest.raises(ProtectionError, match="is not at hand"):
            check_path(cert, [posing.certificate, ISSUING.certificate], WITHIN)


def test_an_issuing_authority_cannot_make_another() -> None:
    below = _authority("BELOW", RemotePartyRole.ISSUING_AUTHORITY, ISSUING)
    cert = organisation_certificate(SUPPLIER, 2, KeyUsage.DIGITAL_SIGNATURE, KEY.public_key(), below, VALID)
    with pytest.raises(ProtectionError, match="allows 0 authorities below it"):
        check_path(cert, [below.certificate, ISSUING.certificate], WITHIN, anchors=[ROOT.certificate])


def test_a_request_is_signed_and_names_the_device() -> None:
    request = certificate_request(METER, KeyUsage.DIGITAL_SIGNATURE, KEY)
    assert request.is_signature_valid
    assert METER.octets in request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.public_bytes()
    assert len(list(request.subject)) == 0
    organisation = certificate_request(SUPPLIER, KeyUsage.KEY_AGREEMENT, KEY, RemotePartyRole.SUPPLIER)
    assert "OU=02" in organisation.subject.rfc4514_string()
