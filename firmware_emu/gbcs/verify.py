"""Checks the protection of a message against a keystore, and says what would have made a failing one hold. Sans-IO.

Which keys (reference gbcs-messages 2): the MAC of a command is between the access control broker and the device, whoever originated it;
that of a response or alert between the device and the recipient; between two devices, their own. A signature is the header originator's.
Encrypted content is between the device and the supplementary party, or the recipient where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage, RemotePartyRole
from firmware_emu.errors import DecodeError, KeystoreError, ProtectionError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.axdr import Structure
from firmware_emu.gbcs.dlms import AccessResponse, DataNotification, Protected, open_protected
from firmware_emu.gbcs.envelope import GroupingHeader, Message, Reader
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.use_cases import Payload, decode_payload
from firmware_emu.gbcs.verify_why import why_mac_fails, why_signature_fails
from firmware_emu.gbcs.zcl_layouts import ZclCommand, decode_zcl
from firmware_emu.ids import CraFlag, Eui64


class ProtectionState(Enum):
    """Outcome of one check."""

    VALID = "valid"
    INVALID = "invalid"
    UNCHECKED = "unchecked"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class ProtectionCheck:
    """A state and why; ``would_hold`` names the input that makes a failing MAC or signature hold, empty where none was found."""

    state: ProtectionState
    reason: str = ""
    would_hold: str = ""


_VALID = ProtectionCheck(ProtectionState.VALID)
_ABSENT = ProtectionCheck(ProtectionState.ABSENT)


@dataclass(frozen=True, slots=True)
class EncryptedPart:
    """One ciphertext of a message.

    ``field`` says where it stands, ``offset`` where its ``31 00000000`` starts, ``reader`` who may read it. ``plaintext`` is None where it
    could not be opened; ``problem`` then says why. ``values`` is the plaintext read by its layout, ``cluster`` that of a GBZ component. The
    plaintext is left out of ``repr``.
    """

    field: str
    offset: int
    octets: bytes
    reader: Eui64
    plaintext: bytes | None
    values: Structure | ZclCommand | None
    problem: str = ""
    cluster: int = 0

    def __repr__(self) -> str:
        state = "opened" if self.plaintext is not None else self.problem
        return f"EncryptedPart({self.field} at {self.offset}, for {self.reader}: {state})"


@dataclass(frozen=True, slots=True)
class MessageVerdict:
    """Result of checking every protected part of a message."""

    message: Message
    mac: ProtectionCheck
    signature: ProtectionCheck
    encrypted: tuple[EncryptedPart, ...]

    @property
    def ok(self) -> bool:
        """There is a MAC or a signature, every one there is holds, and no ciphertext is broken (one for another reader may stay closed)."""
        states = {self.mac.state, self.signature.state}
        broken = any(part.plaintext is None and part.problem.startswith(_BROKEN) for part in self.encrypted)
        return ProtectionState.VALID in states and states <= {ProtectionState.VALID, ProtectionState.ABSENT} and not broken


_BROKEN = "does not open"


def check(data: bytes, keystore: Keystore) -> MessageVerdict:
    """Read a message and check everything protected in it. Raises DecodeError."""
    return check_message(Message.decode(data), keystore)


def check_message(message: Message, keystore: Keystore) -> MessageVerdict:
    """The same for a message already read. Raises DecodeError for encrypted content that cannot be found its place."""
    mac = _ABSENT if message.mac is None else _check_mac(message, keystore)
    signature = _check_signature(message, keystore) if message.signature else _ABSENT
    sealed = protect.ENCRYPTED_HEADER in message.payload
    return MessageVerdict(message, mac, signature, open_encrypted(message, keystore) if sealed else ())


def mac_secret(header: GroupingHeader, keystore: Keystore) -> bytes:
    """The shared secret behind a message's MAC. Raises KeystoreError naming the key that is missing."""
    originator, recipient = header.originator, header.recipient
    role = keystore.role(originator) if header.cra is CraFlag.COMMAND else None
    if role is not None and role is not RemotePartyRole.ACCESS_CONTROL_BROKER:
        brokers = keystore.find(RemotePartyRole.ACCESS_CONTROL_BROKER)
        if not brokers:
            raise KeystoreError(keystore.source, "no access control broker, whose key agreement key a command's MAC needs")
        originator = brokers[0]
    return keystore.shared_secret(originator, recipient)


def reading_party(header: GroupingHeader) -> tuple[Eui64, int]:
    """The party that may read the encrypted content of a response or alert, and the counter of its key (reference gbcs-messages 2.4)."""
    other = header.other
    party = header.recipient if other.supplementary_party is None else other.supplementary_party
    counter = header.counter if other.supplementary_originator_counter is None else other.supplementary_originator_counter
    return party, counter


def _check_mac(message: Message, keystore: Keystore) -> ProtectionCheck:
    try:
        z = mac_secret(message.header, keystore)
    except KeystoreError as error:
        return ProtectionCheck(ProtectionState.UNCHECKED, str(error))
    try:
        protect.check_mac(message, z)
    except ProtectionError as error:
        return ProtectionCheck(ProtectionState.INVALID, error.reason, why_mac_fails(message, keystore, z))
    return _VALID


def _check_signature(message: Message, keystore: Keystore) -> ProtectionCheck:
    try:
        key = keystore.public_key(message.header.originator, KeyUsage.DIGITAL_SIGNATURE)
    except KeystoreError as error:
        return ProtectionCheck(ProtectionState.UNCHECKED, str(error))
    try:
        protect.check_signature(message, key)
    except ProtectionError as error:
        return ProtectionCheck(ProtectionState.INVALID, error.reason, why_signature_fails(message, keystore))
    return _VALID


# -- encrypted content


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """A ciphertext found in a payload: its octets, and the component it stands in where it is GBZ."""

    field: str
    octets: bytes
    component: Component | None


def find_encrypted(payload: Payload) -> tuple[Ciphertext, ...]:
    """Every ciphertext of a payload, in order."""
    if isinstance(payload, AccessResponse):
        pairs = ((f"data {index}", Protected.of(item.elements)) for index, item in enumerate(payload.data) if isinstance(item, Structure))
        return tuple(Ciphertext(field, found.octets, None) for field, found in pairs if found is not None)
    if isinstance(payload, DataNotification) and isinstance(payload.body, Structure):
        found = Protected.of(payload.body.elements[2:])
        return () if found is None else (Ciphertext("alert data", found.octets, None),)
    if isinstance(payload, Gbz):
        parts = enumerate(payload.components)
        return tuple(Ciphertext(f"component {index}", part.payload, part) for index, part in parts if part.encrypted)
    return ()


def open_encrypted(message: Message, keystore: Keystore) -> tuple[EncryptedPart, ...]:
    """Decrypt what is encrypted in a message. Raises DecodeError where the payload cannot be read."""
    payload = decode_payload(message)
    sealed = find_encrypted(payload) or _alert_component(message, payload)
    reader, counter = reading_party(message.header)
    place = 0
    parts: list[EncryptedPart] = []
    for item in sealed:
        place = message.payload.index(item.octets, place)
        parts.append(_open(message, keystore, item, message.payload_offset + place, reader, counter))
        place += len(item.octets)
    return tuple(parts)


def _alert_component(message: Message, payload: Payload) -> tuple[Ciphertext, ...]:
    """The component inside a GBZ alert (GCS53)."""
    rest = getattr(payload, "rest", b"")
    if not isinstance(rest, bytes) or protect.ENCRYPTED_HEADER not in rest:
        return ()
    try:
        component = Component.read(Reader(rest), last=True)
    except DecodeError:
        return ()
    return (Ciphertext("alert component", component.payload, component),) if component.encrypted else ()


def _open(message: Message, keystore: Keystore, item: Ciphertext, offset: int, reader: Eui64, counter: int) -> EncryptedPart:
    originator = message.header.originator
    cluster = 0 if item.component is None else item.component.cluster
    try:
        z = keystore.shared_secret(originator, reader)
        plaintext = protect.decrypt(item.octets, z, originator=originator, counter=counter, recipient=reader)
    except KeystoreError as error:
        return EncryptedPart(item.field, offset, item.octets, reader, None, None, str(error))
    except ProtectionError as error:
        return EncryptedPart(item.field, offset, item.octets, reader, None, None, f"{_BROKEN}: {error.reason}")
    inside = offset + len(protect.ENCRYPTED_HEADER)
    try:
        values = open_protected(plaintext, inside) if item.component is None else decode_zcl(item.component, plaintext, inside)
    except DecodeError as error:
        return EncryptedPart(item.field, offset, item.octets, reader, plaintext, None, str(error), cluster)
    return EncryptedPart(item.field, offset, item.octets, reader, plaintext, values, "", cluster)
