"""CS02c, CS02d, CS02e: a new key pair, its certificate, and the certificates a Device holds of itself (reference gbcs-behaviour 5)."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificate_profile import CertificateProfile, lint, refusals
from firmware_emu.crypto.certificates import certificate_request, entity_of, public_key_of, usage_of
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.device import asn1_io
from firmware_emu.device.credentials import parse_certificate
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.gbcs.asn1_types import KeyUsageCommand
from firmware_emu.gbcs.envelope import Message

_USAGES = (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT)
_USAGE_RULES = frozenset({"KU-01", "KU-03"})
_REPLACED = {KeyUsage.DIGITAL_SIGNATURE: (0x8F4D, 0x8F4C), KeyUsage.KEY_AGREEMENT: (0x8F4F, 0x8F4E)}
"""Events by key usage: replacement succeeded, failed."""


def issue(device: GbcsDevice, message: Message) -> bytes:
    """CS02c: make a key pair, keep it pending, return the certification request. The pair in use stays in use."""
    usage = asn1_io.read(message, KeyUsageCommand).key_usage
    if usage not in _USAGES or not isinstance(usage, KeyUsage):
        device.note_failure("invalid key usage")
        return asn1_io.code(1)
    key = primitives.generate()
    device.credentials.set_pending_key(usage, key)
    return asn1_io.write("CertificationRequest", certificate_request(device.eui64, usage, key).public_bytes(Encoding.DER))


def update(device: GbcsDevice, message: Message) -> bytes:
    """CS02d: take the certificate of the pending pair into use."""
    octets = asn1_io.read(message, bytes)
    found = refusals(lint(octets, CertificateProfile.DEVICE))
    if found:
        # The usage is judged first: the published example's certificate has another usage and, for that, a signature that is stale.
        usage_is_wrong = any(one.rule in _USAGE_RULES for one in found)
        device.note_failure("invalid key usage" if usage_is_wrong else "; ".join(map(str, found)))
        return asn1_io.code(3 if usage_is_wrong else 1)
    try:
        certificate = parse_certificate(octets)
        usage = usage_of(certificate)
        right_identity = entity_of(certificate) == device.eui64
    except (ProtectionError, KeystoreError) as problem:
        device.note_failure(str(problem))
        return asn1_io.code(1)
    pending = device.credentials.pending_key(usage)
    if not right_identity:
        failure, reason = 2, "the certificate is not this Device's"
    elif pending is None:
        failure, reason = 4, "no key pair is waiting for a certificate"
    elif public_key_of(certificate).public_numbers() != pending.public_key().public_numbers():
        failure, reason = 5, "the certificate's key is not that of the pending pair"
    else:
        device.credentials.set_own(usage, certificate, pending)
        device.credentials.set_pending_key(usage, None)
        device.log(_REPLACED[usage][0])
        return asn1_io.code(0)
    device.note_failure(reason)
    device.log(_REPLACED[usage][1])
    return asn1_io.code(failure)


def provide(device: GbcsDevice, message: Message) -> bytes:
    """CS02e: the Device's own certificate for a key usage."""
    usage = asn1_io.read(message, KeyUsageCommand).key_usage
    if usage not in _USAGES or not isinstance(usage, KeyUsage):
        device.note_failure("invalid key usage")
        return asn1_io.code(1)
    certificate = device.credentials.own_certificate(usage)
    if certificate is None:
        device.note_failure("no certificate is held")
        return asn1_io.code(2)
    return asn1_io.write("Certificate", certificate.public_bytes(Encoding.DER))
