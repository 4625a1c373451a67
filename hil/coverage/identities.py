"""A generated PKI for the identities that a folder of requests names, and requests rewritten onto it.

No private key of a reference Device is published, so every party and Device gets keys of the bench's own under the same identity. What a
request carries of the reference's keys is put in their place: certificates (same entity, role, use), a prepayment token (same value, new
tag), the hash of a firmware image (that of the image the Device holds). Everything else is left as it is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import (
    Issuer,
    Validity,
    device_certificate,
    entity_of,
    parse_certificate,
    role_of,
    usage_of,
)
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_ORGANISATIONS, VALID_FROM, make_pki
from firmware_emu.crypto.roles import CellUsage, DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.errors import DecodeError, IdentifierError, KeystoreError
from firmware_emu.gbcs.utrn import ValueClass, make_utrn, read_utrn
from firmware_emu.ids import Eui64
from hil.dcc.duis import ServiceRequest

_AUTHORITIES: Final = (RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY)
_TOKEN, _HASH, _TOP_UP = "UTRN", "FirmwareHash", "TopUp"
_USES: Final = {"KeyAgreement": KeyUsage.KEY_AGREEMENT, "DigitalSigning": KeyUsage.DIGITAL_SIGNATURE}
_LONG: Final = Validity(VALID_FROM, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))


def make_identities(
    directory: Path,
    requests: Iterable[ServiceRequest],
    devices: Mapping[Eui64, DeviceType],
    organisations: Mapping[str, tuple[RemotePartyRole, Eui64]] = DEFAULT_ORGANISATIONS,
    names: Mapping[Eui64, Eui64] = MappingProxyType({}),
) -> Keystore:
    """A PKI in ``directory`` for ``organisations``, those whose certificates the requests carry (under ``names``), and ``devices``."""
    organisations = dict(organisations)
    known = {entity for _, entity in organisations.values()}
    for request in requests:
        for _, certificate in _certificates(request.body):
            role = role_of(certificate)
            if role is None or role in _AUTHORITIES:
                continue
            entity = names.get(entity_of(certificate), entity_of(certificate))
            if entity not in known:
                known.add(entity)
                organisations[f"party-{entity}"] = (role, entity)
    return make_pki(directory, organisations=organisations, devices=devices)


def _certificates(body: etree._Element) -> Iterator[tuple[etree._Element, x509.Certificate]]:
    for element in body.iter():
        if not isinstance(element.tag, str) or len(element) or not element.text or len(element.text) < 200:
            continue
        try:
            yield element, parse_certificate(base64.b64decode(element.text, validate=True))
        except (binascii.Error, DecodeError, KeystoreError):
            continue


@dataclass(frozen=True, slots=True)
class PendingKey:
    """A key pair that a Device has made and waits to be certified; the key is left out of ``repr``."""

    usage: KeyUsage
    key: primitives.PrivateKey = field(repr=False)


class Rewriter:
    """Puts what the generated PKI holds in the place of what the reference's does. ``image_hash``: of the image Devices hold;
    ``names``: identities of the reference set that are others here."""

    def __init__(self, keystore: Keystore, image_hash: bytes, names: Mapping[Eui64, Eui64] = MappingProxyType({})) -> None:
        self._names = names
        self._keystore = keystore
        self._image_hash = image_hash

    def rewrite(self, request: ServiceRequest) -> PendingKey | None:
        """Change the body of ``request`` in place. Returned is the pending key that its target must hold to take a certificate which the
        request brings it, if it does. Raises KeystoreError for an identity that the PKI does not hold."""
        body = request.body
        pending = None
        for element, certificate in list(_certificates(body)):
            if role_of(certificate) is None:
                pending = PendingKey(usage_of(certificate), primitives.generate())
                replacement = self._device_certificate(request.request_id.target, pending)
            else:
                replacement = self._organisation_certificate(certificate, etree.QName(element).localname)
            element.text = base64.b64encode(replacement.public_bytes(Encoding.DER)).decode()
        for element in body.iter():
            name = etree.QName(element).localname if isinstance(element.tag, str) else ""
            if name == _TOKEN and element.text:
                element.text = self._token(element.text.strip(), request)
            elif name == _HASH:
                element.text = self._image_hash.hex().upper()
        return pending

    def _organisation_certificate(self, certificate: x509.Certificate, element: str) -> x509.Certificate:
        """The use is what the element's name says (one template carries a signature certificate as KeyAgreementCertificate)."""
        role = role_of(certificate)
        if role is not None and role in _AUTHORITIES:
            return self._keystore.authority(role)
        cell = CellUsage.PREPAYMENT_TOP_UP if _TOP_UP in element else CellUsage.MANAGEMENT
        usage = next((usage for name, usage in _USES.items() if name in element), None) or usage_of(certificate)
        entity = entity_of(certificate)
        return self._keystore.certificate(self._names.get(entity, entity), usage, cell)

    def _device_certificate(self, device: Eui64, pending: PendingKey) -> x509.Certificate:
        issued = self._keystore.certificate(device, pending.usage).issuer
        authority = next(one for one in self._keystore.authorities() if one.subject == issued)
        issuer = Issuer(authority, self._keystore.authority_key(authority))
        return device_certificate(device, pending.usage, pending.key.public_key(), issuer, _LONG)

    def _token(self, utrn: str, request: ServiceRequest) -> str:
        """A token of the same value that the target will find authentic; one that is no token at all is left as it is."""
        identifier = request.request_id
        try:
            token = read_utrn(utrn)
            value_class = ValueClass(token.value_class)
        except (IdentifierError, ValueError):
            return utrn
        z = self._keystore.shared_secret(identifier.originator, identifier.target, CellUsage.PREPAYMENT_TOP_UP)
        return make_utrn(
            z,
            supplier=identifier.originator,
            meter=identifier.target,
            counter=identifier.counter,
            value=token.value,
            value_class=value_class,
        )
