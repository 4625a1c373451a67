"""Certificates of the SMKI profile: reading who they speak for, making them, checking a path.

Profile (reference dcc-side 7 and the published test certificates): EC P-256, ecdsa-with-SHA256. An organisation's subject holds OU, the
role in two hexadecimal digits, and uniqueIdentifier (2.5.4.45), a bit string of the 8 octets of its EUI-64. A Device's subject is empty;
its EUI-64 stands in a critical subjectAltName, hardwareModuleName. An authority's subject is OU and CN. One critical key usage each,
critical certificate policies, key identifiers of 8 octets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from firmware_emu.crypto.primitives import PrivateKey, PublicKey
from firmware_emu.crypto.roles import NO_ENTITY, KeyUsage, RemotePartyRole
from firmware_emu.errors import DecodeError, KeystoreError, ProtectionError
from firmware_emu.ids import Eui64

UNREADABLE: Final = (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""Exceptions of the library at octets that it reads as no certificate, or as one with a broken extension."""
ORGANISATION_POLICY: Final = x509.ObjectIdentifier("1.2.826.0.1.8641679.1.2.1.4")
"""Policy of organisation test certificates (reference dcc-side 7). The policies of production profiles are not established."""

DEVICE_POLICY: Final = x509.ObjectIdentifier("1.2.826.0.1.1800000.1.2.1.4")
"""Policy of the device certificates published with the RTDS keys."""

HARDWARE_MODULE_NAME: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4")
_HARDWARE_TYPE: Final = bytes.fromhex("060d2a863a0001848fb90f01020201")  # 1.2.826.0.1.8641679.1.2.2.1, as in the RTDS keys

NEVER_EXPIRES: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""End of a Device certificate (RTDS keys)."""


@dataclass(frozen=True, slots=True)
class Validity:
    """First and last instant of a certificate, aware UTC, both included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority that signs: its certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    def __repr__(self) -> str:
        return f"Issuer({name_of(self.certificate)})"


def parse_certificate(octets: bytes) -> x509.Certificate:
    """Read a certificate from DER and look into all of its fields. Raises DecodeError where it is none or is malformed."""
    try:
        certificate = x509.load_der_x509_certificate(octets)
        # Each is parsed at its first use, which is to be here.
        certificate.subject, certificate.issuer, certificate.extensions  # noqa: B018
        certificate.not_valid_before_utc, certificate.not_valid_after_utc  # noqa: B018
    except UNREADABLE as wrong:
        raise DecodeError(0, "certificate", f"{len(octets)} octets are not an X.509 certificate in DER ({wrong})") from wrong
    return certificate


def name_of(cert: x509.Certificate) -> str:
    """Name of a certificate for a sentence: its subject, or its EUI-64, and its serial number."""
    subject = cert.subject.rfc4514_string()
    if not subject:
        found = _hardware_serial(cert)
        subject = found.hex() if found is not None else "empty subject"
    return f"certificate {subject} (serial {cert.serial_number:x})"


def _hardware_serial(cert: x509.Certificate) -> bytes | None:
    """hwSerialNum of hardwareModuleName: the last element of SEQUENCE { hwType OID, hwSerialNum OCTET STRING }."""
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    for other in names.get_values_for_type(x509.OtherName):
        value = other.value
        if other.type_id != HARDWARE_MODULE_NAME or len(value) < 4 or value[0] != 0x30 or value[1] != len(value) - 2 or value[2] != 0x06:
            continue
        serial = value[4 + value[3] :]
        if len(serial) >= 2 and serial[0] == 0x04 and serial[1] == len(serial) - 2:
            return serial[2:]
    return None


def _is_authority(cert: x509.Certificate) -> bool:
    try:
        return cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def entity_of(cert: x509.Certificate) -> Eui64:
    """The EUI-64 a certificate speaks for; NO_ENTITY for an authority's. Raises KeystoreError where there is none."""
    identifiers = cert.subject.get_attributes_for_oid(NameOID.X500_UNIQUE_IDENTIFIER)
    if identifiers:
        value = identifiers[0].value
        octets = value if isinstance(value, bytes) else value.encode()
        if len(octets) == 9 and octets[0] == 0:  # a bit string's first octet counts its unused bits
            return Eui64(octets[1:])
        raise KeystoreError(name_of(cert), f"uniqueIdentifier is {octets.hex()}: expected a bit string of 8 octets, the EUI-64")
    serial = _hardware_serial(cert)
    if serial is not None:
        if len(serial) != 8:
            raise KeystoreError(name_of(cert), f"hardwareModuleName holds {serial.hex()}: expected 8 octets, the EUI-64")
        return Eui64(serial)
    if _is_authority(cert):
        return NO_ENTITY
    raise KeystoreError(name_of(cert), "names no EUI-64: expected uniqueIdentifier in the subject, or hardwareModuleName in subjectAltName")


def organisational_unit(cert: x509.Certificate) -> int | None:
    """The OU of the subject read as two hexadecimal digits, or None where there is no such OU."""
    for attribute in cert.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME):
        text = attribute.value if isinstance(attribute.value, str) else attribute.value.decode("latin-1")
        if len(text) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in text):
            return int(text, 16)
    return None


def role_of(cert: x509.Certificate) -> RemotePartyRole | None:
    """The remote party role of an organisation or authority; None for a Device and for a certificate that signs XML (OU 87, 89)."""
    unit = organisational_unit(cert)
    return RemotePartyRole(unit) if unit in set(RemotePartyRole) else None


def usage_of(cert: x509.Certificate) -> KeyUsage:
    """The one use a certificate allows. Raises KeystoreError where it states none, or both of signing and agreeing."""
    try:
        usage = cert.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        expected = "expected digital signature, key agreement or certificate signing"
        raise KeystoreError(name_of(cert), f"states no key usage: {expected}") from None
    allowed = [
        kind
        for kind, bit in (
            (KeyUsage.KEY_CERT_SIGN, usage.key_cert_sign),
            (KeyUsage.DIGITAL_SIGNATURE, usage.digital_signature),
            (KeyUsage.KEY_AGREEMENT, usage.key_agreement),
        )
        if bit
    ]
    if len(allowed) != 1:
        stated = " and ".join(kind.name.lower() for kind in allowed) or "none"
        raise KeystoreError(name_of(cert), f"key usage {stated}: expected one of digital signature, key agreement, certificate signing")
    return allowed[0]


def public_key_of(cert: x509.Certificate) -> PublicKey:
    """The P-256 key of a certificate. Raises KeystoreError for any other kind of key."""
    try:
        key = cert.public_key()
    except (ValueError, UnsupportedAlgorithm) as wrong:
        raise KeystoreError(name_of(cert), f"holds no usable public key: {wrong}") from wrong
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeystoreError(name_of(cert), "holds a key that is not on NIST P-256, the only curve of GBCS")
    return key


def key_id_from(key: PublicKey) -> bytes:
    """Key identifier of 8 octets: the bits 0100 and the last 60 bits of SHA-1 of the point (RFC 5280 4.2.1.2 method 2)."""
    digest = hashlib.sha1(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), usedforsecurity=False).digest()[-8:]
    return bytes([0x40 | digest[0] & 0x0F]) + digest[1:]


def key_id_of(cert: x509.Certificate) -> bytes:
    """The certificate's subject key identifier, 8 octets; computed from the key where the certificate does not state it."""
    try:
        return cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return key_id_from(public_key_of(cert))


def _key_usage(usage: KeyUsage) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=usage is KeyUsage.DIGITAL_SIGNATURE,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=usage is KeyUsage.KEY_AGREEMENT,
        key_cert_sign=usage is KeyUsage.KEY_CERT_SIGN,
        crl_sign=usage is KeyUsage.KEY_CERT_SIGN,
        encipher_only=False,
        decipher_only=False,
    )


def _hardware_module_name(entity: Eui64) -> x509.SubjectAlternativeName:
    inner = _HARDWARE_TYPE + b"\x04\x08" + entity.octets
    return x509.SubjectAlternativeName([x509.OtherName(HARDWARE_MODULE_NAME, bytes([0x30, len(inner)]) + inner)])


def _organisation_name(entity: Eui64, unit: int, common_name: str | None) -> x509.Name:
    attributes: list[x509.NameAttribute[str] | x509.NameAttribute[bytes]] = []
    if common_name is not None:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    attributes.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{unit:02X}"))
    attributes.append(x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\x00" + entity.octets, _ASN1Type.BitString))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, usage: KeyUsage, policy: x509.ObjectIdentifier, valid: Validity
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number() >> 32)  # 127 bits, 16 octets
        .not_valid_before(valid.start)
        .not_valid_after(valid.end)
        .add_extension(_key_usage(usage), critical=True)
        .add_extension(x509.CertificatePolicies([x509.PolicyInformation(policy, None)]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(key_id_from(key)), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, issuer: Issuer) -> x509.Certificate:
    authority = x509.AuthorityKeyIdentifier(key_id_of(issuer.certificate), None, None)
    return builder.add_extension(authority, critical=False).sign(issuer.key, SHA256())


def organisation_certificate(
    entity: Eui64, unit: int, usage: KeyUsage, key: PublicKey, issuer: Issuer, valid: Validity, common_name: str | None = None
) -> x509.Certificate:
    """A certificate of an organisation. ``unit`` is its role (RemotePartyRole), or XML_SIGNING_USER or XML_SIGNING_DCC."""
    subject = _organisation_name(entity, unit, common_name)
    return _signed(_builder(subject, issuer.certificate.subject, key, usage, ORGANISATION_POLICY, valid), issuer)


def device_certificate(entity: Eui64, usage: KeyUsage, key: PublicKey, issuer: Issuer, valid: Validity) -> x509.Certificate:
    """A certificate of a Device: empty subject, EUI-64 as hardwareModuleName in a critical subjectAltName."""
    builder = _builder(x509.Name([]), issuer.certificate.subject, key, usage, DEVICE_POLICY, valid)
    return _signed(builder.add_extension(_hardware_module_name(entity), critical=True), issuer)


def authority_certificate(
    name: str,
    unit: int | None,
    key: PrivateKey,
    issuer: Issuer | None,
    valid: Validity,
    *,
    policy: x509.ObjectIdentifier = ORGANISATION_POLICY,
) -> x509.Certificate:
    """A certificate of an authority; ``issuer`` None makes a root, signed by itself. Device authorities have no OU (RTDS keys)."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name, _ASN1Type.PrintableString)]
    if unit is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{unit:02X}", _ASN1Type.PrintableString))
    subject = x509.Name(attributes)
    issued_by = subject if issuer is None else issuer.certificate.subject
    constraints = x509.BasicConstraints(ca=True, path_length=1 if issuer is None else 0)
    builder = _builder(subject, issued_by, key.public_key(), KeyUsage.KEY_CERT_SIGN, policy, valid)
    builder = builder.add_extension(constraints, critical=True)
    return builder.sign(key, SHA256()) if issuer is None else _signed(builder, issuer)


def certificate_request(entity: Eui64, usage: KeyUsage, key: PrivateKey, unit: int | None = None) -> x509.CertificateSigningRequest:
    """A PKCS#10 request: a Device's (empty subject) where ``unit`` is None, else an organisation's of that role.

    The extensions asked for are key usage and, for a Device, its hardwareModuleName. The public text of the CSR profile was not found:
    these are the ones of the certificate.
    """
    subject = x509.Name([]) if unit is None else _organisation_name(entity, unit, None)
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(_key_usage(usage), critical=True)
    if unit is None:
        builder = builder.add_extension(_hardware_module_name(entity), critical=True)
    return builder.sign(key, SHA256())


def check_path(
    cert: x509.Certificate,
    issuers: Iterable[x509.Certificate],
    at: datetime | None,
    *,
    anchors: Iterable[x509.Certificate] | None = None,
) -> tuple[x509.Certificate, ...]:
    """Check that ``cert`` leads by valid signatures to a trusted certificate, and return the path, ``cert`` first.

    ``anchors`` are the trusted certificates, ``issuers`` what may stand between (the path a CS02b command brings). Without ``anchors``
    each of ``issuers`` is trusted. ``at`` (aware UTC) is when the dates must hold; None leaves dates unchecked (GBCS lets a command
    switch time based checks off, reference gbcs-messages 6.1). Raises ProtectionError saying which link of the path broke. The rules of
    GBCS path validation are not public: these are names, key identifiers, key usage, signature, CA flag and dates.
    """
    between = tuple(issuers)
    trusted, at_hand = (between, between) if anchors is None else ((known := tuple(anchors)), (*known, *between))
    path = [cert]
    while True:
        last = path[-1]
        check_dates(last, at)
        if last in trusted:
            return tuple(path)
        issuer = _issuer_among(last, at_hand)
        if issuer in path:
            raise ProtectionError(f"{name_of(cert)} leads to {name_of(last)}, which is not trusted")
        below = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
        if below is not None and len(path) - 1 > below:
            raise ProtectionError(f"{name_of(issuer)} allows {below} authorities below it, here are {len(path) - 1}")
        path.append(issuer)


def check_dates(cert: x509.Certificate, at: datetime | None) -> None:
    """Check that ``at`` (aware UTC) lies within a certificate's validity; None checks nothing. Raises ProtectionError."""
    if at is not None and not cert.not_valid_before_utc <= at <= cert.not_valid_after_utc:
        span = f"{cert.not_valid_before_utc:%Y-%m-%d} to {cert.not_valid_after_utc:%Y-%m-%d}"
        raise ProtectionError(f"{name_of(cert)} is valid {span}, not at {at:%Y-%m-%d %H:%M}")


@lru_cache(maxsize=1024)
def _issuer_among(cert: x509.Certificate, candidates: tuple[x509.Certificate, ...]) -> x509.Certificate:
    """The candidate that issued it. Remembered, as :func:`_signed_by`. Raises ProtectionError."""
    named = [
        candidate for candidate in candidates if candidate.subject == cert.issuer and _is_authority(candidate) and _may_sign(candidate)
    ]
    if not named:
        raise ProtectionError(f"{name_of(cert)} was issued by {cert.issuer.rfc4514_string()!r}, whose certificate is not at hand")
    for candidate in named:
        if _authority_key_fits(cert, candidate) and _signed_by(cert, candidate):
            return candidate
    raise ProtectionError(f"{name_of(cert)} is not signed by {name_of(named[0])}, which it names as its issuer")


@lru_cache(maxsize=1024)
def _signed_by(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    """True if the signature holds. Remembered: two certificates are the same where their octets are, and these stay what they are."""
    try:
        cert.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _may_sign(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return False


def _authority_key_fits(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        stated = cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return True
    return stated is None or stated == key_id_of(issuer)
