"""MACs, signatures and encrypted content of messages (reference gbcs-messages 2)."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from .keys import AGREEMENT, SIGNING, Keys, role_of
from .message.envelope import COMMAND, Entity, Header, Message
from .message.gbz import SEALED_HEADER, TAG_SIZE

VALID, INVALID, UNCHECKED, ABSENT = "valid", "invalid", "unchecked", "absent"
_ALGORITHM = bytes.fromhex("60857406080300")
_ENCRYPTION = 4
_SEALED_DATA = b"\x31"
_KEY_SIZE, _MAC_SIZE = 16, 12


def _key(secret: bytes, originator: Entity, use: int, counter: int, recipient: Entity) -> bytes:
    info = _ALGORITHM + originator.octets + b"\x09" + bytes((use,)) + counter.to_bytes(8, "big") + recipient.octets
    return ConcatKDFHash(SHA256(), _KEY_SIZE, info).derive(secret)


def _secrets(own: list[ec.EllipticCurvePrivateKey], certificates: list[x509.Certificate]) -> Iterator[bytes]:
    for certificate in certificates:
        public = certificate.public_key()
        for key in own:
            if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, type(key.curve)):
                yield key.exchange(ec.ECDH(), public)


def _between(one: Entity, other: Entity, keys: Keys) -> Iterator[bytes]:
    """Shared secrets of two entities, with the private key of whichever is held."""
    for mine, theirs in ((one, other), (other, one)):
        yield from _secrets(list(keys.agreement_keys(mine)), list(keys.certificates(theirs, AGREEMENT)))


def mac_state(message: Message, keys: Keys) -> str:
    """State of the MAC; ``unchecked`` where no key is held for it. The MAC of a command is the access control broker's, whichever
    party originated it; between two Devices it is theirs."""
    header = message.header
    if message.mac is None:
        return ABSENT
    secrets = list(_between(header.originator, header.recipient, keys))
    if header.kind == COMMAND and not _is_device(header.originator, keys):
        secrets += [secret for broker in keys.brokers() for secret in _between(broker, header.recipient, keys)]
    for secret in secrets:
        key = _key(secret, header.originator, header.kind, header.counter, header.recipient)
        if AESGCM(key).encrypt(_nonce(header), b"", message.mac_data)[:_MAC_SIZE] == message.mac:
            return VALID
    return INVALID if secrets else UNCHECKED


def _is_device(entity: Entity, keys: Keys) -> bool:
    return any(role_of(certificate) is None for usage in (AGREEMENT, SIGNING) for certificate in keys.certificates(entity, usage))


def signature_state(message: Message, keys: Keys) -> str:
    """State of the signature of the header's originator; ``unchecked`` without its certificate."""
    if not message.signature:
        return ABSENT
    half = len(message.signature) // 2
    r, s = int.from_bytes(message.signature[:half], "big"), int.from_bytes(message.signature[half:], "big")
    certificates = keys.certificates(message.header.originator, SIGNING)
    for certificate in certificates:
        public = certificate.public_key()
        try:
            if isinstance(public, ec.EllipticCurvePublicKey):
                public.verify(encode_dss_signature(r, s), message.signed_octets, ec.ECDSA(SHA256()))
                return VALID
        except InvalidSignature:
            continue
    return INVALID if certificates else UNCHECKED


def _nonce(header: Header) -> bytes:
    return header.originator.octets + bytes(4)


def reader_of(header: Header) -> Entity:
    """Party that may read encrypted content: the supplementary party, else the recipient."""
    return header.party or header.recipient


def open_sealed(sealed: bytes, header: Header, keys: Keys) -> tuple[bytes | None, str]:
    """The plaintext of ciphertext and tag, or None and why. ``sealed`` may begin with its security header."""
    sealed = sealed.removeprefix(SEALED_HEADER)
    reader = reader_of(header)
    counter = header.counter if header.party_originator_counter is None else header.party_originator_counter
    secrets = list(_between(header.originator, reader, keys))
    for secret in secrets:
        key = _key(secret, header.originator, _ENCRYPTION, counter, reader)
        body, tag = sealed[:-TAG_SIZE], sealed[-TAG_SIZE:]
        if len(tag) != TAG_SIZE:
            return None, f"{len(sealed)} octets, expected at least a tag of {TAG_SIZE}"
        opener = Cipher(AES(key), GCM(_nonce(header), tag, min_tag_length=TAG_SIZE)).decryptor()
        opener.authenticate_additional_data(_SEALED_DATA)
        try:
            return opener.update(body) + opener.finalize(), ""
        except InvalidTag:
            continue
    return None, f"the key between {header.originator} and {reader} does not open it" if secrets else f"no key of {reader} is held"
