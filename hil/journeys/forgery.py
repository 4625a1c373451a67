"""Messages that a Device must refuse, made with the bench's own keys: a replay, a flipped MAC bit, a wrong supplier's signature.

They go round the gateway, straight to the head end, as an attacker on the DCC's side of the SM WAN would send them.
"""

from __future__ import annotations

from dataclasses import replace

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_mac, with_signature
from firmware_emu.ids import Eui64


def with_flipped_mac_bit(octets: bytes, counter: int, keystore: Keystore, broker: Eui64) -> bytes:
    """``octets``, a non-critical command, sent anew with ``counter`` and a MAC that is wrong in one bit."""
    message = Message.decode(octets)
    anew = replace(message, header=replace(message.header, counter=counter), mac=None)
    protected = with_mac(anew, keystore.shared_secret(broker, message.header.recipient)).encode()
    return protected[:-1] + bytes([protected[-1] ^ 0x01])


def signed_by_another(octets: bytes, counter: int, signer: Eui64, keystore: Keystore, broker: Eui64) -> bytes:
    """``octets``, a critical command, as ``signer`` would send it: its identity, its signature, a MAC that holds."""
    message = Message.decode(octets)
    header = replace(message.header, originator=signer, counter=counter)
    key = keystore.private_key(signer, KeyUsage.DIGITAL_SIGNATURE)
    signed = with_signature(replace(message, header=header, signature=None, mac=None), key)
    return with_mac(signed, keystore.shared_secret(broker, header.recipient)).encode()
