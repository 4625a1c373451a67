"""The fields of an implicit certificate that key establishment checks (reference cbke 4). Big-endian throughout."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64

_SUITE_2_FIXED = ((0, "type", 0x00), (9, "curve", 0x0D), (10, "hash", 0x08))
_KEY_AGREEMENT = 0x08
_SMART_ENERGY_PROFILE = b"\x01\x09"


@dataclass(frozen=True, slots=True)
class CertificateFields:
    """Who the certificate is for and who issued it (8 octets); ``public_data`` is the compressed reconstruction point."""

    subject: Eui64
    issuer: bytes
    public_data: bytes


def read_certificate(certificate: bytes, suite: int) -> CertificateFields:
    """Read and check type, curve, hash and key usage (suite 2) or the profile (suite 1). Raises DecodeError."""
    length = {1: 48, 2: 74}[suite]
    if len(certificate) != length:
        raise DecodeError(0, "certificate", f"read {len(certificate)} octets, expected {length} in suite {suite}")
    if suite == 1:
        if certificate[38:40] != _SMART_ENERGY_PROFILE:
            raise DecodeError(38, "certificate profile", f"read {certificate[38:40].hex()}, expected 0109")
        return CertificateFields(Eui64(certificate[22:30]), certificate[30:38], certificate[:22])
    for offset, name, expected in _SUITE_2_FIXED:
        if certificate[offset] != expected:
            raise DecodeError(offset, f"certificate {name}", f"read {certificate[offset]:02X}, expected {expected:02X}")
    if not certificate[36] & _KEY_AGREEMENT:
        raise DecodeError(36, "certificate key usage", f"read {certificate[36]:02X}, expected the key agreement bit 08")
    return CertificateFields(Eui64(certificate[28:36]), certificate[11:19], certificate[37:])
