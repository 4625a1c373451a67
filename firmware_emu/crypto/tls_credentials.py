"""Certificates of the SM WAN link's mutual TLS: an authority, one server, one client a hub.

They lie in the folder ``tls`` inside a keystore's folder: ``authority.pem``, ``authority.key``, ``dcc.pem``, ``dcc.key`` for the server
and ``<eui>.pem``, ``<eui>.key`` for a hub. The common name is the file's: ``dcc`` or the EUI-64. How the real SM WAN protects its link is
not public: this TLS is the bench's own and has nothing to do with SMKI.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from firmware_emu.crypto import keystore_files as files
from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import Issuer, Validity
from firmware_emu.errors import KeystoreError, in_words
from firmware_emu.ids import Eui64

FOLDER: Final = "tls"
SERVER_NAME: Final = "dcc"
"""Name of the server's files and of its certificate: what a client passes as ``server_hostname``, whatever address it dials."""


_AUTHORITY: Final = "authority"


@dataclass(frozen=True, slots=True)
class TlsCredentials:
    """The files one end of the link needs."""

    authority: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """For the DCC's end: TLS 1.3, and the hub must show its certificate. Raises KeystoreError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        return self._loaded(context)

    def client_context(self) -> ssl.SSLContext:
        """For a hub's end: TLS 1.3; give ``server_hostname=SERVER_NAME`` with the connection. Raises KeystoreError."""
        return self._loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def _loaded(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_verify_locations(self.authority)
            context.load_cert_chain(self.certificate, self.key)
        except (ssl.SSLError, OSError) as trouble:
            raise KeystoreError(
                str(self.certificate), f"cannot be used for TLS ({in_words(trouble)}): make it again with `chub pki make --force`"
            ) from trouble
        return context


def tls_credentials(directory: Path, who: Eui64 | None) -> TlsCredentials:
    """The files of a hub (``who`` its EUI-64) or of the server (None) in the keystore folder ``directory``.

    Raises KeystoreError where one is missing.
    """
    folder = directory / FOLDER
    stem = SERVER_NAME if who is None else str(who)
    found = TlsCredentials(folder / f"{_AUTHORITY}.pem", folder / f"{stem}.pem", folder / f"{stem}.key")
    for path in (found.authority, found.certificate, found.key):
        if not path.is_file():
            raise KeystoreError(str(path), "is not here: make it with `chub pki make`, or `chub pki add` for one more hub")
    return found


def peer_entity(tls: ssl.SSLObject | ssl.SSLSocket) -> Eui64:
    """Which hub is at the other end, by its certificate. Raises KeystoreError where it names no EUI-64 (the server's does not)."""
    shown = tls.getpeercert(binary_form=True)
    if shown is None:
        raise KeystoreError("SM WAN link", "the far end showed no certificate")
    names = x509.load_der_x509_certificate(shown).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = names[0].value if names and isinstance(names[0].value, str) else ""
    try:
        return Eui64.parse(text)
    except ValueError as wrong:
        raise KeystoreError("SM WAN link", f"the far end's certificate is for {text!r}: expected a hub's EUI-64") from wrong


def hubs_of(directory: Path) -> tuple[Eui64, ...]:
    """The hubs that have credentials in the keystore folder ``directory``, sorted; none where there is no folder ``tls``."""
    stems = {path.stem for path in (directory / FOLDER).glob("*.pem")}
    return tuple(sorted(Eui64.parse(stem) for stem in stems - {_AUTHORITY, SERVER_NAME}))


def make_authority(directory: Path, valid: Validity) -> Issuer:
    """Make the TLS authority and the server's certificate in ``directory``."""
    folder = directory / FOLDER
    files.make_directory(folder)
    key = primitives.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bench SM WAN authority")])
    certificate = (
        _builder(name, name, key.public_key(), valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256())
    )
    _write(folder, _AUTHORITY, certificate, key)
    issuer = Issuer(certificate, key)
    alternatives = x509.SubjectAlternativeName(
        [x509.DNSName(SERVER_NAME), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    _issue(folder, issuer, SERVER_NAME, ExtendedKeyUsageOID.SERVER_AUTH, valid, alternatives)
    return issuer


def load_authority(directory: Path) -> Issuer:
    """The TLS authority made earlier in ``directory``. Raises KeystoreError."""
    path = directory / FOLDER / f"{_AUTHORITY}.key"
    try:
        key = load_pem_private_key(path.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(path.with_suffix(".pem").read_bytes())
    except (OSError, ValueError, TypeError) as wrong:
        raise KeystoreError(str(path), f"cannot be read with its certificate ({in_words(wrong)}): make the PKI again") from wrong
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeystoreError(str(path), "is not the key that was made here: make the PKI again")
    return Issuer(certificate, key)


def issue_hubs(directory: Path, issuer: Issuer, hubs: Iterable[Eui64], valid: Validity) -> None:
    """Make a client certificate for each hub in ``directory``."""
    for hub in hubs:
        _issue(directory / FOLDER, issuer, str(hub), ExtendedKeyUsageOID.CLIENT_AUTH, valid, None)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, valid: Validity) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid.start)
        .not_valid_after(valid.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _issue(
    folder: Path,
    issuer: Issuer,
    common_name: str,
    purpose: x509.ObjectIdentifier,
    valid: Validity,
    alternatives: x509.SubjectAlternativeName | None,
) -> None:
    key = primitives.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = (
        _builder(subject, issuer.certificate.subject, key.public_key(), valid)
        .add_extension(authority, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    _write(folder, common_name, builder.sign(issuer.key, SHA256()), key)


def _write(folder: Path, stem: str, certificate: x509.Certificate, key: primitives.PrivateKey) -> None:
    files.write_private(folder / f"{stem}.pem", files.certificate_text(certificate))
    files.write_private(folder / f"{stem}.key", files.key_text(key))
