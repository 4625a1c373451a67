"""AES-CCM* frame protection of the NWK and APS layers, level 5 (ENC-MIC-32).

Auxiliary header, nonce and AAD as reference zigbee-han 5: control (level bits sent as 0), counter, source EUI-64, key sequence
for the network key; nonce = EUI-64 || counter || control with level 5; AAD = frame header + auxiliary header with level 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from firmware_emu.errors import ProtectionError
from firmware_emu.ids import Eui64
from hil.radio.air.frames import Reader

LEVEL = 5
MIC_OCTETS = 4
NWK_OVERHEAD = 14 + MIC_OCTETS
APS_OVERHEAD = 13 + MIC_OCTETS
_EXTENDED_NONCE = 0x20


class KeyId(IntEnum):
    """Key identifier of the auxiliary header's security control."""

    LINK = 0
    NETWORK = 1
    TRANSPORT = 2
    LOAD = 3


@lru_cache(maxsize=8192)
def _cipher(key: bytes) -> AESCCM:
    return AESCCM(key, tag_length=MIC_OCTETS)


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """The auxiliary header of a protected frame."""

    key_id: KeyId
    counter: int
    source: Eui64 | None
    key_sequence: int = 0

    def encode(self, level: int) -> bytes:
        control = level | self.key_id << 3 | (_EXTENDED_NONCE if self.source is not None else 0)
        out = bytes([control]) + self.counter.to_bytes(4, "little")
        if self.source is not None:
            out += self.source.zigbee
        return out + bytes([self.key_sequence]) if self.key_id is KeyId.NETWORK else out

    @classmethod
    def read(cls, read: Reader) -> Auxiliary:
        """Raises DecodeError."""
        control = read.uint(1, "security control")
        counter = read.uint(4, "frame counter")
        source = read.eui("security source") if control & _EXTENDED_NONCE else None
        key_id = KeyId(control >> 3 & 3)
        return cls(key_id, counter, source, read.uint(1, "key sequence") if key_id is KeyId.NETWORK else 0)


def _nonce(auxiliary: Auxiliary, source: Eui64) -> bytes:
    control = LEVEL | auxiliary.key_id << 3 | (_EXTENDED_NONCE if auxiliary.source is not None else 0)
    return source.zigbee + auxiliary.counter.to_bytes(4, "little") + bytes([control])


def protect(key: bytes, header: bytes, auxiliary: Auxiliary, source: Eui64, payload: bytes) -> bytes:
    """The frame's octets after ``header``: auxiliary header, ciphertext, MIC."""
    sealed = _cipher(key).encrypt(_nonce(auxiliary, source), payload, header + auxiliary.encode(LEVEL))
    return auxiliary.encode(0) + sealed


def unprotect(key: bytes, header: bytes, auxiliary: Auxiliary, source: Eui64, sealed: bytes) -> bytes:
    """The plaintext. Raises ProtectionError where the MIC does not hold."""
    try:
        return _cipher(key).decrypt(_nonce(auxiliary, source), sealed, header + auxiliary.encode(LEVEL))
    except (InvalidTag, ValueError):
        raise ProtectionError(f"the MIC of a frame from {source} does not hold under the {auxiliary.key_id.name.lower()} key") from None
