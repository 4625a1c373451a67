"""NIST P-256: ECDSA with SHA-256 in the 64-octet form of GBCS, and the Diffie-Hellman shared secret Z.

Source: reference gbcs-messages 2.1 and 2.3. Knows nothing of messages.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from firmware_emu.errors import ProtectionError

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey

SIGNATURE_LENGTH: Final = 64
_ECDSA: Final = ec.ECDSA(SHA256(), deterministic_signing=True)
"""RFC 6979: the nonce follows from key and message, so that none can be weak or used twice."""
_ECDH: Final = ec.ECDH()
_CURVE: Final = ec.SECP256R1()


def generate() -> PrivateKey:
    """A new key pair."""
    return ec.generate_private_key(_CURVE)


def private_key_from_scalar(scalar: int) -> PrivateKey:
    """The key pair of a secret scalar. Raises ProtectionError where it is not in 1..n-1."""
    try:
        return ec.derive_private_key(scalar, _CURVE)
    except ValueError as wrong:
        raise ProtectionError("the private scalar is not between 1 and the order of P-256") from wrong


def public_key_from_point(octets: bytes) -> PublicKey:
    """A public key from x || y (64 octets), or from an encoded point (04 || x || y, or compressed). Raises ProtectionError."""
    encoded = b"\x04" + octets if len(octets) == 64 else octets
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, encoded)
    except ValueError as wrong:
        raise ProtectionError(f"{len(octets)} octets are not a point of P-256: expected x || y, 64 octets, on the curve") from wrong


def sign(key: PrivateKey, data: bytes) -> bytes:
    """Sign ``data``: r || s, 64 octets, big-endian, no DER (reference gbcs-messages 2.1)."""
    r, s = decode_dss_signature(key.sign(data, _ECDSA))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(key: PublicKey, signature: bytes, data: bytes) -> None:
    """Check r || s over ``data``. Raises ProtectionError: wrong length, or the signature does not hold."""
    if len(signature) != SIGNATURE_LENGTH:
        raise ProtectionError(f"a signature of {len(signature)} octets: expected r || s, {SIGNATURE_LENGTH} octets")
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), data, _ECDSA)
    except InvalidSignature as wrong:
        raise ProtectionError("the signature does not hold for these octets and this public key") from wrong


def agree(private: PrivateKey, public: PublicKey) -> bytes:
    """Z, the x-coordinate of the Diffie-Hellman point, 32 octets (reference gbcs-messages 2.3)."""
    return private.exchange(_ECDH, public)
