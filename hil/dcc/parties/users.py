"""A DCC service user: its own keys, the correlate-and-sign step, and the reading of what comes back.

A user's private keys are here and nowhere on the DCC's side; decryption and parsing happen here too (sec2-rules PC-03,
PR-04: the DCC passes the Device's octets on unchanged).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.certificate_profile import Profile, check_profile
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.p256 import PrivateKey
from firmware_emu.crypto.roles import KeyUsage, RemotePartyRole
from firmware_emu.errors import CommsHubError, DecodeError, KeystoreError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_signature
from firmware_emu.ids import Eui64
from hil.dcc.base.outcome import Delivery
from hil.dcc.base.services import UserRole
from hil.dcc.duis import ServiceRequest, sign_request, signed_pre_command, write_request
from hil.dcc.parties.own_eyes import HeldKeys
from hil.dcc.parties.protection import check_protection
from hil.parse_correlate import Correlation, Known, Parsed, correlate, parse
from hil.parse_correlate import DecodeError as CannotRead

_USER_ROLES = frozenset(
    {RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR, RemotePartyRole.LOAD_CONTROLLER, RemotePartyRole.OTHER}
)
CREATED_WITHIN = timedelta(minutes=10)
"""Largest distance of the creation time in a gas pre-command from the moment the user reads it. The bench's own figure."""


class NotCorrelated(CommsHubError):
    """The pre-command does not say what the request asked, so it was not signed. ``correlation`` names the differences."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__("the pre-command differs from the request: " + "; ".join(map(str, correlation.differences)))
        self.correlation = correlation


class User:
    """One user role of one party; a party in two roles is two users with two identifiers (sec2-rules ID-02)."""

    def __init__(self, eui64: Eui64, role: UserRole, keystore: Keystore) -> None:
        """``keystore`` may hold more: only this user's own private keys are kept."""
        self.eui64 = eui64
        self.role = role
        self._keystore = keystore.subset(*keystore.entities(), private=(eui64,))
        self.inbox: list[Delivery] = []
        self.in_error: list[Delivery] = []
        """Messages received in error: without the octets, which are discarded."""

    def __repr__(self) -> str:
        return f"User({self.eui64}, {self.role})"

    def sign(self, request: ServiceRequest) -> ServiceRequest:
        """The request with this user's XML signature. Raises KeystoreError without a signing key."""
        key, certificate = self._xml_pair()
        return sign_request(request, key, certificate)

    def _xml_pair(self) -> tuple[PrivateKey, x509.Certificate]:
        try:
            return self._keystore.xml_signing_key(self.eui64), self._keystore.xml_signing_certificate(self.eui64)
        except KeystoreError:
            # A keystore without XML signing pairs: the digital signature pair stands in, as the gateway knows (choice).
            usage = KeyUsage.DIGITAL_SIGNATURE
            return self._keystore.private_key(self.eui64, usage), self._keystore.certificate(self.eui64, usage)

    def answer(
        self, request: ServiceRequest, pre_command: bytes, command_variant: int = 5, *, now: datetime | None = None
    ) -> ServiceRequest:
        """Steps two and three of a critical request: correlate, sign, and return as a signed SignedPreCommand request.

        ``now`` is the user's own time; with it a gas command created at another is not signed. Raises NotCorrelated without having
        signed anything.
        """
        known = Known(created=now, created_within=CREATED_WITHIN, certificates_of=HeldKeys(self._keystore).agreement_certificates)
        correlation = correlate(write_request(request), pre_command, known=known)
        if not correlation.match:
            raise NotCorrelated(correlation)
        key = self._keystore.private_key(self.eui64, KeyUsage.DIGITAL_SIGNATURE)
        signed = with_signature(Message.decode(pre_command), key)
        return self.sign(signed_pre_command(request, signed.encode(), command_variant))

    def learn(self, certificate: x509.Certificate) -> None:
        """A Device certificate that the SMKI repository publishes: it takes the place of the one before. Raises ProtectionError for one
        that is no Device's."""
        check_profile(certificate.public_bytes(Encoding.DER), Profile.DEVICE)
        self._keystore.add_certificate(certificate)

    def prove(self, message: Message) -> None:
        """Check MAC or signature with the keys this user holds. Raises ProtectionError, KeystoreError."""
        check_protection(message, self._keystore)

    def read(self, octets: bytes) -> Parsed:
        """Verify a Response or Device Alert with the keys this user holds, decrypt it and name its fields.

        Raises DecodeError, ProtectionError.
        """
        self.prove(Message.decode(octets))
        try:
            return parse(octets, HeldKeys(self._keystore))
        except CannotRead as trouble:
            raise DecodeError(trouble.offset, trouble.place, trouble.problem) from trouble

    def deliver(self, delivery: Delivery) -> bool:
        """The user's receiving service: takes what the DCC pushes (reference dcc-notes 2). False for a message that is another user's:
        it is reported and discarded, not read (summary of H4.2-H4.8)."""
        if delivery.octets is not None and not self._is_mine(Message.decode(delivery.octets)):
            self.in_error.append(replace(delivery, octets=None))
            return False
        self.inbox.append(delivery)
        return True

    def _is_mine(self, message: Message) -> bool:
        """Named as recipient or supplementary party; or addressed to the DCC, which passes it on to whom it concerns."""
        header = message.header
        named = {header.recipient, header.other.supplementary_party}
        return self.eui64 in named or self._keystore.role(header.recipient) not in _USER_ROLES
