"""Mutual TLS of the SM WAN: files by path, and a test authority that issues them.

The transport security between a CSP and a hub is not published (reference gbcs-messages 14): TLS 1.3 with P-256
certificates on both sides is this bench's own choice. A hub's certificate carries its CHF EUI-64 as common name, so that
one hub cannot speak for another. The private keys are files of mode 0600 in a folder of mode 0700.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firmware_emu.errors import KeystoreError
from firmware_emu.ids import Eui64

DCC_NAME = "dcc"
"""Common name and DNS name of the DCC's certificate."""

_VALID_FROM = datetime(2000, 1, 1, tzinfo=UTC)
_VALID_TO = datetime(2099, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files: own ``certificate`` and ``key``, and the ``authority`` that the far end's must come from."""

    certificate: Path
    key: Path
    authority: Path

    def client_context(self) -> ssl.SSLContext:
        """For the hub. The far end must show a certificate for :data:`DCC_NAME`. Raises KeystoreError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return self._load(context)

    def server_context(self) -> ssl.SSLContext:
        """For the DCC. A hub without a certificate of the authority is refused. Raises KeystoreError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        return self._load(context)

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        for path in (self.certificate, self.key, self.authority):
            if not path.is_file():
                raise KeystoreError(str(path), "no such file: make the WAN certificates first (wan.tls.issue_tls)")
        try:
            context.load_cert_chain(self.certificate, self.key)
            context.load_verify_locations(self.authority)
        except ssl.SSLError as error:
            problem = f"not usable with {self.key.name} and {self.authority.name}: {error.reason}"
            raise KeystoreError(str(self.certificate), problem) from error
        return context


def files_of(directory: Path, name: str) -> TlsFiles:
    """Where :func:`issue_tls` puts the files of ``name`` (``dcc`` or a CHF EUI-64 in hex)."""
    return TlsFiles(directory / f"{name}.pem", directory / f"{name}.key", directory / "authority.pem")


def issue_tls(directory: Path, hubs: Iterable[Eui64]) -> dict[str, TlsFiles]:
    """Make a test authority (once per directory), the DCC's files and those of each hub; returns them by common name.

    Existing files are kept, so that a second call adds hubs.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    authority_key_path, authority_path = directory / "authority.key", directory / "authority.pem"
    if authority_path.exists():
        loaded = serialization.load_pem_private_key(authority_key_path.read_bytes(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise KeystoreError(str(authority_key_path), "not an elliptic curve key: remove the folder and issue again")
        authority_key = loaded
        authority = x509.load_pem_x509_certificate(authority_path.read_bytes())
    else:
        authority_key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench SM WAN test authority")])
        authority = _certificate(name, authority_key.public_key(), name, authority_key, ca=True)
        _write(authority_key_path, authority_path, authority_key, authority)
    issued: dict[str, TlsFiles] = {}
    for common_name in (DCC_NAME, *(str(hub) for hub in hubs)):
        files = issued[common_name] = files_of(directory, common_name)
        if files.certificate.exists():
            continue
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        _write(files.key, files.certificate, key, _certificate(subject, key.public_key(), authority.subject, authority_key, ca=False))
    return issued


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey, *, ca: bool,
) -> x509.Certificate:
    common_name = str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
        .serial_number(x509.random_serial_number()).not_valid_before(_VALID_FROM).not_valid_after(_VALID_TO)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
            ), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not ca:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _write(key_path: Path, certificate_path: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_path.touch(mode=0o600)
    key_path.write_bytes(pem)
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
