"""Why a MAC or signature does not hold: tries the inputs one mistakes most often, one at a time, until it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from firmware_emu.crypto import primitives
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage, KeyUsage
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.gbcs.envelope import SECURITY_HEADER, Message
from firmware_emu.gbcs.protect import MAC_AAD_PREFIX, other_info
from firmware_emu.ids import Eui64

COUNTERS_TRIED = 8
"""Distance from the header's counter, above and below, within which another counter is tried; the bound is ours."""


def why_mac_fails(message: Message, keystore: Keystore, z: bytes) -> str:
    """The one input that makes the MAC hold, in words; empty where none of those tried does. ``z`` is the secret that failed."""
    for what, attempt in _mac_attempts(message, keystore, z):
        if attempt == message.mac:
            return what
    return ""


def _mac(z: bytes, originator: Eui64, use: int, counter: int, recipient: Eui64, aad: bytes) -> bytes:
    key = primitives.derive_key(z, other_info(originator, use, counter, recipient))
    return primitives.tag(key, originator.octets + bytes(4), aad)


def _mac_attempts(message: Message, keystore: Keystore, z: bytes) -> Iterator[tuple[str, bytes]]:
    header = message.header
    originator, recipient, counter, use = header.originator, header.recipient, header.counter, int(header.cra)
    block = message.signing_block
    aad = MAC_AAD_PREFIX + block
    for other_use, name in ((1, "command"), (2, "response"), (3, "alert"), (4, "payload encryption")):
        yield f"u octet {other_use:02x} ({name}) in the key derivation", _mac(z, originator, other_use, counter, recipient, aad)
    yield "additional data without the prefix 110000000000", _mac(z, originator, use, counter, recipient, block)
    wire = SECURITY_HEADER + block
    yield "additional data with the wire's prefix 1100000000", _mac(z, originator, use, counter, recipient, wire)
    unsigned = MAC_AAD_PREFIX + replace(message, signature=b"").signing_block
    yield "additional data without the signature", _mac(z, originator, use, counter, recipient, unsigned)
    stripped = MAC_AAD_PREFIX + b"\xdf" + message.signed_bytes
    yield "additional data that end with the payload", _mac(z, originator, use, counter, recipient, stripped)
    yield "originator and recipient exchanged in key derivation and IV", _mac(z, recipient, use, counter, originator, aad)
    yield from _other_parties(message, z, aad)
    for other in _counters(message):
        yield f"counter {other} in the key derivation, the header says {counter}", _mac(z, originator, use, other, recipient, aad)
    for pair, secret in _secrets(keystore, originator, recipient):
        if secret != z:
            yield f"the shared secret of {pair}", _mac(secret, originator, use, counter, recipient, aad)


def _other_parties(message: Message, z: bytes, aad: bytes) -> Iterator[tuple[str, bytes]]:
    header = message.header
    party = header.other.supplementary_party
    if party is not None:
        use, counter = int(header.cra), header.counter
        yield "the supplementary party as originator", _mac(z, party, use, counter, header.recipient, aad)
        yield "the supplementary party as recipient", _mac(z, header.originator, use, counter, party, aad)


def _counters(message: Message) -> Iterator[int]:
    header = message.header
    for counter in (header.other.supplementary_counter, header.other.supplementary_originator_counter, 0):
        if counter is not None and counter != header.counter:
            yield counter
    for step in range(1, COUNTERS_TRIED + 1):
        yield (header.counter + step) & 0xFFFFFFFFFFFFFFFF
        if header.counter >= step:
            yield header.counter - step


def _secrets(keystore: Keystore, originator: Eui64, recipient: Eui64) -> Iterator[tuple[str, bytes]]:
    """Every secret of one of the header's parties with any party of the keystore."""
    for entity in keystore.entities():
        for party in (recipient, originator):
            for cell in CellUsage:
                try:
                    yield f"{entity} and {party} ({cell.name.lower().replace('_', ' ')})", keystore.shared_secret(entity, party, cell)
                except KeystoreError:
                    continue


def why_signature_fails(message: Message, keystore: Keystore) -> str:
    """The other key or signed range under which the signature holds, in words; empty where none of those tried does."""
    signature = message.signature or b""
    signed = message.signed_bytes
    originator = message.header.originator
    ranges = (
        ("signed octets that begin with the DF tag", b"\xdf" + signed),
        ("signed octets that include the signature length", signed + b"\x40"),
        ("signed octets from the DF tag to the signature length", b"\xdf" + signed + b"\x40"),
        ("signed octets that leave out the transaction-id length", signed[1:]),
        ("the payload alone as signed octets", message.payload),
    )
    for what, octets in ranges:
        if _holds(keystore, originator, KeyUsage.DIGITAL_SIGNATURE, signature, octets):
            return what
    if _holds(keystore, originator, KeyUsage.DIGITAL_SIGNATURE, signature[32:] + signature[:32], signed):
        return "r and s exchanged"
    for entity in keystore.entities():
        for usage in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT):
            if _holds(keystore, entity, usage, signature, signed):
                return f"the {usage.name.lower().replace('_', ' ')} key of {entity}"
    return ""


def _holds(keystore: Keystore, entity: Eui64, usage: KeyUsage, signature: bytes, octets: bytes) -> bool:
    try:
        primitives.verify(keystore.public_key(entity, usage), signature, octets)
    except (KeystoreError, ProtectionError):
        return False
    return True
