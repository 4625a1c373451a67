"""A Device's yes to a new certificate proves a certificate of its own that an authority has issued, and nothing else."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.ids import Eui64
from hil.dcc.duis import ServiceRequest
from tests.dcc.far_end import CHF, ESME, FarEnd


def asks(far_end: FarEnd, target: Eui64, certificate: x509.Certificate) -> ServiceRequest:
    return far_end.dcc.request(far_end.supplier, "6.15.2", target, {"DeviceCertificate": certificate.public_bytes(Encoding.DER)})


def held(far_end: FarEnd, device: Eui64) -> x509.Certificate:
    return far_end.keystore.certificate(device, KeyUsage.DIGITAL_SIGNATURE)


def self_made(like: x509.Certificate) -> x509.Certificate:
    """The same words under a key of the attacker's."""
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    end = x509.SubjectKeyIdentifier.from_public_key(own.public_key()).digest[-8:]
    named_by = bytes([0x40 | end[0] & 0x0F]) + end[1:]
    builder = x509.CertificateBuilder().subject_name(like.subject).issuer_name(like.issuer).public_key(own.public_key())
    builder = builder.serial_number(like.serial_number + 1).not_valid_before(like.not_valid_before_utc)
    builder = builder.not_valid_after(like.not_valid_after_utc)
    for extension in like.extensions:
        named = isinstance(extension.value, x509.SubjectKeyIdentifier)
        builder = builder.add_extension(x509.SubjectKeyIdentifier(named_by) if named else extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256())


def test_the_certificate_of_the_target_that_its_authority_issued_is_published(far_end: FarEnd) -> None:
    certificate = held(far_end, ESME)
    assert far_end.dcc.repository.certificate_in(asks(far_end, ESME, certificate)) == certificate


@pytest.mark.parametrize("of", [ESME, CHF])
def test_a_certificate_of_another_device_or_of_no_authority_is_not(far_end: FarEnd, of: Eui64) -> None:
    """A Device that its owner has in hand could speak for every other one else."""
    bad = held(far_end, CHF) if of == CHF else self_made(held(far_end, ESME))
    assert far_end.dcc.repository.certificate_in(asks(far_end, ESME, bad)) is None
