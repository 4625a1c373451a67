"""AES-MMO-128, the hash of ZigBee, and what ZigBee derives with it: keyed hash, install code link key, transport and load key.

Source: reference cbke 5 and zigbee-han 5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from firmware_emu.crypto import libcrypto
from firmware_emu.ids import InstallCode

BLOCK: Final = 16
_SHORT_BITS: Final = 1 << 16
_INNER: Final = bytes(octet ^ 0x36 for octet in range(256))
_OUTER: Final = bytes(octet ^ 0x5C for octet in range(256))


def _padding(length: int) -> bytes:
    bits = length * 8
    tail = bits.to_bytes(2, "big") if bits < _SHORT_BITS else bits.to_bytes(4, "big") + b"\x00\x00"
    zeros = -(length + 1 + len(tail)) % BLOCK
    return b"\x80" + bytes(zeros) + tail


def aes_mmo(data: bytes) -> bytes:
    """Hash ``data`` to 16 octets. From 8192 octets on the length takes 32 bits (recalled from ZigBee, no vector at hand)."""
    padded = data + _padding(len(data))
    seal, state = _aes(), bytes(BLOCK)
    for start in range(0, len(padded), BLOCK):
        block = padded[start : start + BLOCK]
        state = (int.from_bytes(seal(state, block), "big") ^ int.from_bytes(block, "big")).to_bytes(BLOCK, "big")
    return state


@cache
def _aes() -> Callable[[bytes, bytes], bytes]:
    """AES-128 of one block, by the machine's libcrypto where there is one."""
    return libcrypto.aes() or aes_here


def aes_here(key: bytes, block: bytes) -> bytes:
    """The same without libcrypto."""
    return Cipher(AES(key), ECB()).encryptor().update(block)


def keyed_hash(key: bytes, data: bytes) -> bytes:
    """HMAC over AES-MMO with a 16-octet key: 16 octets."""
    return aes_mmo(key.translate(_OUTER) + aes_mmo(key.translate(_INNER) + data))


def install_code_link_key(code: InstallCode) -> bytes:
    """The link key a Device joins with: the hash of its install code with CRC, 18 octets."""
    return aes_mmo(code.with_crc)


def transport_key(link_key: bytes) -> bytes:
    """The key that protects a Transport-Key command of the Trust Centre carrying a network key."""
    return keyed_hash(link_key, b"\x00")


def load_key(link_key: bytes) -> bytes:
    """The key that protects a Transport-Key command of the Trust Centre carrying a link key."""
    return keyed_hash(link_key, b"\x02")
