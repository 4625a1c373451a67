"""A keystore and a request as parse and correlate take them: that package knows nothing of the firmware's types."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.p256 import PrivateKey
from firmware_emu.crypto.roles import KeyUsage, RemotePartyRole
from firmware_emu.ids import Eui64
from hil.parse_correlate import AGREEMENT, Entity


class HeldKeys:
    """Content of a keystore, as :class:`hil.parse_correlate.Keys`."""

    def __init__(self, keystore: Keystore) -> None:
        self._keystore = keystore

    def certificates(self, entity: Entity, usage: str) -> Sequence[x509.Certificate]:
        eui, key_usage = Eui64(entity.octets), KeyUsage.KEY_AGREEMENT if usage == AGREEMENT else KeyUsage.DIGITAL_SIGNATURE
        return [self._keystore.certificate(eui, key_usage)] if self._keystore.has_certificate(eui, key_usage) else []

    def agreement_keys(self, entity: Entity) -> Sequence[PrivateKey]:
        eui = Eui64(entity.octets)
        held = self._keystore.has_private_key(eui, KeyUsage.KEY_AGREEMENT)
        return [self._keystore.private_key(eui, KeyUsage.KEY_AGREEMENT)] if held else []

    def brokers(self) -> Sequence[Entity]:
        return [Entity(eui.octets) for eui in self._keystore.find(RemotePartyRole.ACCESS_CONTROL_BROKER)]

    def agreement_certificates(self, entity: Entity) -> Sequence[bytes]:
        """Key agreement certificates known of a Device, DER."""
        return [certificate.public_bytes(Encoding.DER) for certificate in self.certificates(entity, AGREEMENT)]
