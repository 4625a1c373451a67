"""MAC, signature and encryption of GBCS messages with explicit keys (reference gbcs-messages 2).

``z`` is always the 32-octet ECDH shared secret of the two key agreement keys concerned; which two they are is the caller's business
(:mod:`firmware_emu.gbcs.verify` knows the rule).
"""

from __future__ import annotations

from dataclasses import replace

from firmware_emu.crypto import primitives
from firmware_emu.errors import ProtectionError
from firmware_emu.gbcs.envelope import GroupingHeader, Message
from firmware_emu.ids import Eui64

KDF_ALGORITHM = bytes.fromhex("60857406080300")
"""First part of OtherInfo: the algorithm identifier (reference gbcs-messages 2.3)."""
MAC_AAD_PREFIX = bytes.fromhex("110000000000")
"""Security control and five empty strings; not the wire octets before DF (reference gbcs-messages 2.2)."""
ENCRYPTION_USE = 4
"""The u octet of a payload encryption key; 1, 2 and 3 are the CRA flags."""
ENCRYPTED_HEADER = bytes.fromhex("3100000000")
"""Security control 31 (authenticated encryption, suite 1) and the invocation counter, before every ciphertext."""
ENCRYPTION_AAD = b"\x31"
_IV_TAIL = bytes(4)


def other_info(originator: Eui64, use: int, counter: int, recipient: Eui64) -> bytes:
    """The 33 octets of OtherInfo of the key derivation (reference gbcs-messages 2.3)."""
    return b"".join((KDF_ALGORITHM, originator.octets, bytes((9, use)), counter.to_bytes(8, "big"), recipient.octets))


def mac_other_info(header: GroupingHeader) -> bytes:
    """OtherInfo of a message's MAC key: originator, counter and recipient of the header, never the supplementary ones."""
    return other_info(header.originator, header.cra, header.counter, header.recipient)


def mac_of(message: Message, z: bytes) -> bytes:
    """The 12-octet MAC over the general-signing block."""
    header = message.header
    key = primitives.derive_key(z, mac_other_info(header))
    return primitives.tag(key, header.originator.octets + _IV_TAIL, MAC_AAD_PREFIX + message.signing_block)


def with_mac(message: Message, z: bytes) -> Message:
    """The message with its MAC, replacing one it may have had."""
    return replace(message, mac=mac_of(message, z))


def check_mac(message: Message, z: bytes) -> None:
    """Raises ProtectionError where there is no MAC or it does not hold."""
    if message.mac is None:
        raise ProtectionError("the message carries no MAC")
    header = message.header
    key = primitives.derive_key(z, mac_other_info(header))
    primitives.check_tag(key, header.originator.octets + _IV_TAIL, MAC_AAD_PREFIX + message.signing_block, message.mac)


def with_signature(message: Message, key: primitives.PrivateKey) -> Message:
    """The message signed (64 octets r || s); a MAC it had is dropped, since it would no longer hold."""
    return replace(message, signature=primitives.sign(key, message.signed_bytes), mac=None)


def check_signature(message: Message, key: primitives.PublicKey) -> None:
    """Raises ProtectionError where there is no signature or it does not hold."""
    if not message.signature:
        raise ProtectionError("the message carries no signature")
    primitives.verify(key, message.signature, message.signed_bytes)


def encrypt(plaintext: bytes, z: bytes, *, originator: Eui64, counter: int, recipient: Eui64) -> bytes:
    """``31 00000000 || ciphertext || tag(12)`` (reference gbcs-messages 2.4).

    ``originator`` is the device that speaks; ``recipient`` the party that may read; ``counter`` the supplementary originator counter
    where the message has one, else the header's counter.
    """
    key = primitives.derive_key(z, other_info(originator, ENCRYPTION_USE, counter, recipient))
    return ENCRYPTED_HEADER + primitives.encrypt(key, originator.octets + _IV_TAIL, ENCRYPTION_AAD, plaintext)


def decrypt(octets: bytes, z: bytes, *, originator: Eui64, counter: int, recipient: Eui64) -> bytes:
    """Open what :func:`encrypt` made. Raises ProtectionError."""
    if octets[:5] != ENCRYPTED_HEADER or len(octets) < len(ENCRYPTED_HEADER) + 12:
        raise ProtectionError(f"{len(octets)} octets that do not start with {ENCRYPTED_HEADER.hex()} and end with a 12-octet tag")
    key = primitives.derive_key(z, other_info(originator, ENCRYPTION_USE, counter, recipient))
    return primitives.decrypt(key, originator.octets + _IV_TAIL, ENCRYPTION_AAD, octets[5:])
