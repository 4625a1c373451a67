"""Certificates and private keys that open and prove messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key, load_pem_private_key
from cryptography.x509.oid import NameOID

from .errors import DecodeError, KeyFileError
from .message import der
from .message.envelope import Entity

SIGNING: Final = "signing"
AGREEMENT: Final = "agreement"
_BROKER = "04"
_LARGEST_FILE = 100_000
_BROKEN = (
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
    UnsupportedAlgorithm,
    ValueError,
    DecodeError,
)
"""Exceptions that reading a damaged certificate raises."""


class Keys(Protocol):
    """Source of certificates and private keys. ``usage`` is :data:`SIGNING` or :data:`AGREEMENT`."""

    def certificates(self, entity: Entity, usage: str) -> Sequence[x509.Certificate]:
        """Every certificate known of that entity."""

    def agreement_keys(self, entity: Entity) -> Sequence[ec.EllipticCurvePrivateKey]:
        """Private key agreement keys of an entity."""

    def brokers(self) -> Sequence[Entity]:
        """Access control brokers: the MAC of every command to a Device from outside its home is theirs."""


def entity_of(certificate: x509.Certificate) -> Entity | None:
    """Holder of a certificate: the unique identifier of an organisation, the hardware module name of a Device; None where it names
    neither."""
    try:
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.X500_UNIQUE_IDENTIFIER):
            value = attribute.value
            octets = value if isinstance(value, bytes) else value.encode("latin-1")
            if len(octets) >= 8:
                return Entity(octets[-8:])
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        for name in names:
            if isinstance(name, x509.OtherName):
                found = _last_octets(der.read_der(name.value))
                if found is not None and len(found) == 8:
                    return Entity(found)
    except _BROKEN:
        return None
    return None


def _last_octets(items: Sequence[der.Item]) -> bytes | None:
    if not items:
        return None
    last = items[-1]
    return last.content if last.tag == der.OCTET_STRING else _last_octets(last.items)


def usage_of(certificate: x509.Certificate) -> str | None:
    """:data:`SIGNING`, :data:`AGREEMENT`, or None for any other use."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except _BROKEN:
        return None
    return SIGNING if usage.digital_signature else AGREEMENT if usage.key_agreement else None


def role_of(certificate: x509.Certificate) -> str | None:
    """Remote party role of an organisation, two hexadecimal digits; None for a Device, whose certificate has an empty subject."""
    try:
        units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    except ValueError:
        return None
    return str(units[0].value) if units else None


class KeyFolder:
    """Certificates and P-256 private keys of a folder, PEM or DER; file names do not matter. A key belongs to the entity whose certificate
    has its public half. Files that are neither are passed over."""

    def __init__(self, certificates: Iterable[x509.Certificate] = (), private: Iterable[ec.EllipticCurvePrivateKey] = ()) -> None:
        self._certificates: dict[tuple[Entity, str], list[x509.Certificate]] = {}
        self._private: dict[Entity, list[ec.EllipticCurvePrivateKey]] = {}
        owners: dict[bytes, Entity] = {}
        for certificate in certificates:
            entity, usage, public = entity_of(certificate), usage_of(certificate), _public(certificate)
            if entity is None or usage is None or public is None:
                continue
            self._certificates.setdefault((entity, usage), []).append(certificate)
            if usage == AGREEMENT:
                owners[_point(public)] = entity
        for key in private:
            owner = owners.get(_point(key.public_key()))
            if owner is not None:
                self._private.setdefault(owner, []).append(key)

    @classmethod
    def load(cls, folder: Path) -> KeyFolder:
        """Raises KeyFileError where the folder is not there or holds nothing of use."""
        if not folder.is_dir():
            raise KeyFileError(f"{folder}: expected a folder with certificates and keys (PEM or DER)")
        certificates: list[x509.Certificate] = []
        private: list[ec.EllipticCurvePrivateKey] = []
        for file in sorted(folder.iterdir()):
            if not file.is_file() or file.stat().st_size > _LARGEST_FILE:
                continue
            octets = file.read_bytes()
            certificates += _read_certificates(octets)
            private += _read_keys(octets)
        if not certificates:
            raise KeyFileError(f"{folder}: no certificate in it, expected PEM or DER files")
        return cls(certificates, private)

    def certificates(self, entity: Entity, usage: str) -> Sequence[x509.Certificate]:
        return self._certificates.get((entity, usage), ())

    def certificates_der(self, entity: Entity, usage: str) -> list[bytes]:
        """The same, DER."""
        return [certificate.public_bytes(Encoding.DER) for certificate in self.certificates(entity, usage)]

    def agreement_keys(self, entity: Entity) -> Sequence[ec.EllipticCurvePrivateKey]:
        return self._private.get(entity, ())

    def brokers(self) -> Sequence[Entity]:
        return sorted({entity for (entity, _), found in self._certificates.items() if any(role_of(one) == _BROKER for one in found)})


def _public(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _read_certificates(octets: bytes) -> list[x509.Certificate]:
    try:
        if b"-----BEGIN CERTIFICATE" in octets:
            return x509.load_pem_x509_certificates(octets)
        return [x509.load_der_x509_certificate(octets)]
    except _BROKEN:
        return []


def _read_keys(octets: bytes) -> list[ec.EllipticCurvePrivateKey]:
    try:
        read = load_pem_private_key if b"PRIVATE KEY-----" in octets else load_der_private_key
        key = read(octets, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return []
    return [key] if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1) else []
