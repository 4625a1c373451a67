"""Which key proves a message from a Device, and whether it holds (reference gbcs-messages 2).

A signed message is proven by the Device's certificate, by anybody. A MAC is between the Device and the recipient that the
header names: the DCC can check it for messages to the Access Control Broker, the user for those to itself.
"""

from __future__ import annotations

from enum import StrEnum

from cryptography import x509

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import check_mac, check_signature
from firmware_emu.gbcs.verify_why import why_mac_fails
from firmware_emu.ids import Eui64


class Proof(StrEnum):
    """Parts of a message that were proven, and the proof."""

    SIGNATURE = "signature"
    MAC = "MAC"
    FOR_RECIPIENT = "left to the recipient"
    """A MAC that only the recipient named in the header can check."""


def check_protection(message: Message, keystore: Keystore) -> Proof:
    """Check what can be checked with ``keystore``. Raises ProtectionError where a check fails or nothing protects the
    message, KeystoreError where the Device's certificate is not held."""
    header = message.header
    if message.signature:
        check_signature(message, keystore.public_key(header.originator, KeyUsage.DIGITAL_SIGNATURE))
        if message.mac is None:
            return Proof.SIGNATURE
    if message.mac is None:
        raise ProtectionError(f"the message from {header.originator} carries neither signature nor MAC")
    if not keystore.has_private_key(header.recipient, KeyUsage.KEY_AGREEMENT):
        return Proof.SIGNATURE if message.signature else Proof.FOR_RECIPIENT
    z = keystore.shared_secret(header.recipient, header.originator)
    try:
        check_mac(message, z)
    except ProtectionError as error:
        why = why_mac_fails(message, keystore, z)
        raise ProtectionError(f"{error.reason}; it would hold with {why}" if why else error.reason) from error
    return Proof.MAC


def signing_certificate(keystore: Keystore, sender: Eui64) -> x509.Certificate:
    """The certificate of a user's requests: its XML signing one, else its digital signature one (choice). Raises KeystoreError."""
    try:
        return keystore.xml_signing_certificate(sender)
    except KeystoreError:
        return keystore.certificate(sender, KeyUsage.DIGITAL_SIGNATURE)
