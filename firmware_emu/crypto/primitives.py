"""The cryptographic primitives of GBCS: ECDSA and key agreement on NIST P-256, key derivation, AES-128-GCM.

Source: reference gbcs-messages 2.1 to 2.4; check values gbcs-vectors.json. What goes into ``other_info``, IV and additional data is the
business of ``gbcs.protect``.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM
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


TAG_LENGTH: Final = 12
_FIRST_ROUND: Final = b"\x00\x00\x00\x01"


def derive_key(z: bytes, other_info: bytes) -> bytes:
    """The first 16 octets of SHA-256(00000001 || Z || other_info) (reference gbcs-messages 2.3)."""
    return hashlib.sha256(_FIRST_ROUND + z + other_info).digest()[:16]


def tag(key: bytes, iv: bytes, aad: bytes, length: int = TAG_LENGTH) -> bytes:
    """The leftmost ``length`` octets (at most 16) of the GCM tag over no plaintext: a GBCS MAC. ``iv`` has 12 octets."""
    return AESGCM(key).encrypt(iv, b"", aad)[:length]


def check_tag(key: bytes, iv: bytes, aad: bytes, expected: bytes, length: int = TAG_LENGTH) -> None:
    """Check a MAC of ``length`` octets. Raises ProtectionError."""
    if len(expected) != length:
        raise ProtectionError(f"a MAC of {len(expected)} octets: expected {length}")
    if not compare_digest(tag(key, iv, aad, length), expected):
        raise ProtectionError("the MAC does not hold for these octets and this shared secret")


def encrypt(key: bytes, iv: bytes, aad: bytes, plaintext: bytes) -> bytes:
    """ciphertext || 12-octet tag (reference gbcs-messages 2.4)."""
    return AESGCM(key).encrypt(iv, plaintext, aad)[: len(plaintext) + TAG_LENGTH]


def decrypt(key: bytes, iv: bytes, aad: bytes, ciphertext: bytes) -> bytes:
    """The plaintext of ciphertext || 12-octet tag. Raises ProtectionError: too short, or the tag does not hold."""
    if len(ciphertext) < TAG_LENGTH:
        raise ProtectionError(f"{len(ciphertext)} encrypted octets: expected a ciphertext and its {TAG_LENGTH}-octet tag")
    text, expected = ciphertext[:-TAG_LENGTH], ciphertext[-TAG_LENGTH:]
    decryptor = Cipher(AES(key), GCM(iv, expected, min_tag_length=TAG_LENGTH)).decryptor()
    decryptor.authenticate_additional_data(aad)
    try:
        return decryptor.update(text) + decryptor.finalize()
    except InvalidTag as wrong:
        raise ProtectionError("the encrypted octets do not hold: their tag does not fit this shared secret") from wrong
