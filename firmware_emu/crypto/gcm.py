"""AES-128-GCM with 12-octet tags, and the single-step key derivation in front of it.

Source: reference gbcs-messages 2.2 to 2.4; check values gbcs-vectors.json ``aes_gcm``. What goes into ``other_info``, IV and additional
data is the business of ``gbcs.protect``.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from firmware_emu.errors import ProtectionError

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
