"""DCC service users: their keys, the correlate-and-sign step, the reading of what comes back, and their receiving services.

A user's private keys are here and nowhere on the DCC's side; decryption and parsing happen here too (sec2-rules PC-03,
PR-04: the DCC passes the Device's octets on unchanged).

A signed message is proven by the Device's certificate, by anybody. A MAC is between the Device and the recipient that the
header names: the DCC can check it for messages to the Access Control Broker, the user for those to itself (reference gbcs-messages 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.certificate_profile import CertificateProfile, check_profile
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.primitives import PrivateKey
from firmware_emu.crypto.roles import KeyUsage, RemotePartyRole
from firmware_emu.errors import CommsHubError, DecodeError, KeystoreError, ProtectionError
from firmware_emu.gbcs.envelope import Message, message_of
from firmware_emu.gbcs.protect import check_mac, check_signature, with_signature
from firmware_emu.gbcs.verify_why import why_mac_fails
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc.base.results import Delivery
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import Bus, DccStore
from hil.dcc.duis import ServiceRequest, sign_request, signed_pre_command, write_request
from hil.dcc.duis.request import CommandVariant
from hil.dcc.parties.smki import CertificatePublished
from hil.parse_correlate import AGREEMENT, Correlation, Entity, Known, Parsed, correlate, parse
from hil.parse_correlate import DecodeError as CannotRead


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
        self._proven: Message | None = None
        """Proven last: what is delivered is read next."""

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
        self,
        request: ServiceRequest,
        pre_command: bytes,
        command_variant: CommandVariant = CommandVariant.SIGNED_SEND,
        *,
        now: datetime | None = None,
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
        signed = with_signature(message_of(pre_command), key)
        return self.sign(signed_pre_command(request, signed.encode(), command_variant))

    def learn(self, certificate: x509.Certificate) -> None:
        """A Device certificate that the SMKI repository publishes: it takes the place of the one before. Raises ProtectionError for one
        that is no Device's."""
        check_profile(certificate.public_bytes(Encoding.DER), CertificateProfile.DEVICE)
        self._keystore.add_certificate(certificate)
        self._proven = None

    def prove(self, message: Message) -> None:
        """Check MAC or signature with the keys this user holds. Raises ProtectionError, KeystoreError."""
        if message is not self._proven:
            check_protection(message, self._keystore)
            self._proven = message

    def read(self, octets: bytes) -> Parsed:
        """Verify a Response or Device Alert with the keys this user holds, decrypt it and name its fields.

        Raises DecodeError, ProtectionError.
        """
        self.prove(message_of(octets))
        try:
            return parse(octets, HeldKeys(self._keystore))
        except CannotRead as trouble:
            raise DecodeError(trouble.offset, trouble.place, trouble.problem) from trouble

    def deliver(self, delivery: Delivery) -> bool:
        """The user's receiving service: takes what the DCC pushes (reference dcc-notes 2). False for a message that is another user's:
        it is reported and discarded, not read (summary of H4.2-H4.8)."""
        if delivery.octets is not None and not self._is_mine(message_of(delivery.octets)):
            self.in_error.append(replace(delivery, octets=None))
            return False
        self.inbox.append(delivery)
        return True

    def _is_mine(self, message: Message) -> bool:
        """Named as recipient or supplementary party; or addressed to the DCC, which passes it on to whom it concerns."""
        header = message.header
        named = {header.recipient, header.other.supplementary_party}
        return self.eui64 in named or self._keystore.role(header.recipient) not in _USER_ROLES


@dataclass(frozen=True, slots=True)
class EnteredUser:
    """One identifier, which stands for one role [116]; the published test party stands for several (a supplier of both fuels).

    ``suspended`` says why its rights are suspended, None if they are not."""

    eui: Eui64
    roles: tuple[UserRole, ...]
    suspended: str | None

    @property
    def role(self) -> UserRole:
        """Its role; of several the first."""
        return self.roles[0]


NO_ROLES: frozenset[UserRole] = frozenset()


@dataclass(frozen=True, slots=True)
class UserSuspended:
    """Told on the bus when a user's rights are suspended (M8 [125])."""

    eui: Eui64


@dataclass(frozen=True, slots=True)
class EnteredUsers:
    """The table of users."""

    store: DccStore

    def find(self, eui: Eui64) -> EnteredUser | None:
        """The user of that identifier, None for a stranger."""
        return self.store.once("users", str(eui), self._find)

    def _find(self, eui: str) -> EnteredUser | None:
        row = self.store.row("SELECT * FROM users WHERE eui = ?", (eui,))
        return None if row is None else EnteredUser(Eui64.parse(eui), _roles(row["role"]), row["suspended"])

    def role(self, eui: Eui64) -> UserRole | None:
        """The role of that identifier (of several the first), None for a stranger."""
        found = self.find(eui)
        return None if found is None else found.role

    def roles(self, eui: Eui64) -> frozenset[UserRole]:
        """Every role of that identifier, none for a stranger."""
        found = self.find(eui)
        return NO_ROLES if found is None else frozenset(found.roles)

    def all(self) -> tuple[EnteredUser, ...]:
        """Every user in the order of their identifiers."""
        rows = self.store.rows("SELECT * FROM users ORDER BY eui")
        return tuple(EnteredUser(Eui64.parse(row["eui"]), _roles(row["role"]), row["suspended"]) for row in rows)

    def enter(self, eui: Eui64, roles: Iterable[UserRole]) -> None:
        """Note a user; one that is known stays as it is."""
        self.store.execute("INSERT OR IGNORE INTO users (eui, role) VALUES (?, ?)", (str(eui), " ".join(role.value for role in roles)))

    def suspend(self, eui: Eui64, reason: str | None) -> None:
        """Suspend the user's rights, or end that with None."""
        self.store.execute("UPDATE users SET suspended = ? WHERE eui = ?", (reason, str(eui)))


def _roles(text: str) -> tuple[UserRole, ...]:
    return tuple(UserRole(role) for role in text.split())


@dataclass(frozen=True, slots=True)
class Delivered:
    """Told on the bus of everything that goes out to a user."""

    user: Eui64
    octets: int


class Receiver(Protocol):
    """A user's receiving service: a :class:`User` of this process, or one at an address of its own."""

    @property
    def eui64(self) -> Eui64:
        """The user."""
        ...

    def prove(self, message: Message) -> None:
        """Check what only the user's keys can check, where they are here. Raises ProtectionError, KeystoreError."""
        ...

    def deliver(self, delivery: Delivery) -> bool:
        """Take it; False for what is not meant for this user."""
        ...

    def learn(self, certificate: x509.Certificate) -> None:
        """A Device certificate that the SMKI repository publishes."""
        ...


@dataclass(slots=True)
class Receivers:
    """The users that are there."""

    bus: Bus
    trace: Trace
    _there: dict[Eui64, Receiver] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bus.on(CertificatePublished, self._learn)

    def __iter__(self) -> Iterator[Receiver]:
        return iter(tuple(self._there.values()))

    def add(self, user: Receiver) -> None:
        """The user's receiving service is there."""
        self._there[user.eui64] = user

    def remove(self, eui: Eui64) -> None:
        """It is away."""
        self._there.pop(eui, None)

    def get(self, eui: Eui64) -> Receiver | None:
        """The user's receiving service, if it is there."""
        return self._there.get(eui)

    def signer(self, eui: Eui64) -> User | None:
        """The user, if it is there with its keys and so can sign at once."""
        found = self._there.get(eui)
        return found if isinstance(found, User) else None

    def deliver(self, party: Eui64, delivery: Delivery) -> bool:
        """Push to a user; False if it is not there. What is not meant for that user it reports and discards."""
        user = self._there.get(party)
        if user is None:
            return False
        self.bus.tell(Delivered(party, len(delivery.octets or b"")))
        if not user.deliver(delivery):
            self.trace.emit("dcc", f"user {party}", "reported", target="dcc", code=delivery.code, reason="not meant for this user")
        return True

    def _learn(self, published: CertificatePublished) -> None:
        for user in self:
            user.learn(published.certificate)
