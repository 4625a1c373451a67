"""Certificates of Devices that tests of several files need."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.ids import Eui64
from tests.dcc.far_end import FarEnd


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
