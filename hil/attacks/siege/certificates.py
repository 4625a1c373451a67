"""Certificates, changed in their octets, and changed in their fields and signed again by their authority: sent to a Device in a Command
that replaces its supplier's.

A Device answers whatever it is sent, keeps no certificate that is none of an organisation's by another reader's word, and obeys the party
whose certificate it holds afterwards, that one alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.certificate_profile import CertificateProfile, lint, refusals
from firmware_emu.crypto.certificates import check_path, parse_certificate
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device.credentials import Cell, Credentials
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import AuthorisingRemotePartyControl, TrustAnchorCell, TrustAnchorReplacement, UpdateCredentialsCommand
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Record, Trace
from hil.attacks.siege.commands import CommandRecorder
from hil.attacks.siege.search import Mutation, octets_changed

REPLACE: Final = 0x0107
"""CS02b Update Security Credentials by the CoS Party (GBCS use-case table)."""
BY_COS: Final = 7
HARMLESS: Final = 0x0050
"""A critical Command of the supplier's that the recorder answers."""
_DS: Final = KeyUsage.DIGITAL_SIGNATURE
_CONSTRUCTED: Final = 0x20
_HEX: Final = (
    "",
    "0500",
    "0101ff",
    "030203b8",
    "06052b81040022",  # P-384
    "06092a864886f70d010101",  # RSA
    "06032b6570",  # Ed25519
    "06082a8648ce3d040303",  # ECDSA with SHA-384
    "0603551d13",
    "0603551d1e",
    "0603551d25",
    "30030101ff",
    "0409" + "00" + "ff" * 8,
    "0309" + "00" + "ff" * 8,
    "170d3939313233315a5a5a5a5a5a5a",
    "180f39393939313233313233353935395a",
    "0c0101",
    "1303c3a9ff",
    "a1020500",
    "3080" + "0000",
)
"""Fields of other profiles, of other types, and of none."""


@dataclass
class _Field:
    """One field of a certificate: its tag, and its content or the fields in it."""

    tag: int
    content: bytes = b""
    parts: list[_Field] = field(default_factory=list)

    @classmethod
    def read(cls, octets: bytes) -> list[_Field]:
        """The fields in octets that hold whole ones, with tags and lengths as a certificate has them."""
        found, at = list[_Field](), 0
        while at < len(octets):
            tag, length, at = octets[at], octets[at + 1], at + 2
            if length & 0x80:
                size = length & 0x7F
                length, at = int.from_bytes(octets[at : at + size], "big"), at + size
            content, at = octets[at : at + length], at + length
            found.append(cls(tag, parts=cls.read(content)) if tag & _CONSTRUCTED else cls(tag, content))
        return found

    def octets(self) -> bytes:
        """Written with lengths that fit."""
        content = b"".join(part.octets() for part in self.parts) if self.parts else self.content
        size = (len(content).bit_length() + 7) // 8
        length = bytes([len(content)]) if len(content) < 0x80 else bytes([0x80 | size]) + len(content).to_bytes(size, "big")
        return bytes([self.tag]) + length + content

    def below(self) -> list[tuple[_Field, int]]:
        """Each field below this one, as the field that it is in and its place there."""
        return [one for place, part in enumerate(self.parts) for one in ((self, place), *part.below())]


class Certificates:
    """A certificate with a sound path: changed in its octets, or in its fields by its authority itself."""

    kinds = ("set", "flip", "drop", "put", "field gone", "field twice", "field's tag", "field's octet", "other field", "fields swapped")

    def __init__(self, keystore: Keystore, supplier: Eui64, meter: Eui64, parties: dict[RemotePartyRole, Eui64]) -> None:
        self._keystore = keystore
        self._supplier = supplier
        self._meter = meter
        self._parties = parties
        self._next = next(eui for eui in keystore.find(RemotePartyRole.SUPPLIER) if eui != supplier)
        self._octets = keystore.certificate(self._next, _DS).public_bytes(Encoding.DER)
        self._issuer = keystore.authority(RemotePartyRole.ISSUING_AUTHORITY)
        key = keystore.authority_key(self._issuer)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._issuer_key = key
        self._root = keystore.authority(RemotePartyRole.ROOT)

    def judge(self, changes: Sequence[Mutation]) -> str | None:
        octets = self._octets
        by_authority = [change for change in changes if "field" in change.kind]
        if by_authority:
            octets = self._signed_again(octets, by_authority)
        for change in changes:
            octets = octets_changed(octets, change)
        return self._read(octets, by_authority) or self._sent(octets)

    def _signed_again(self, octets: bytes, changes: Sequence[Mutation]) -> bytes:
        """The certificate with fields changed before the authority signed it."""
        certificate = _Field.read(octets)[0]
        body = certificate.parts[0]
        for change in changes:
            places = body.below()
            if not places:
                break
            inside, place = places[int(change.place * len(places))]
            part = inside.parts[place]
            match change.kind:
                case "field gone":
                    del inside.parts[place]
                case "field twice":
                    inside.parts.insert(place, part)
                case "field's tag":
                    inside.parts[place] = replace(part, tag=part.tag ^ 1 << (change.number & 7))
                case "field's octet" if part.content:
                    flipped = bytearray(part.content)
                    flipped[(change.number >> 8) % len(flipped)] ^= 1 << (change.number & 7)
                    inside.parts[place] = replace(part, content=bytes(flipped))
                case "other field":
                    inside.parts[place : place + 1] = _Field.read(bytes.fromhex(_HEX[change.number % len(_HEX)]))
                case "fields swapped":
                    other = change.number % len(inside.parts)
                    inside.parts[place], inside.parts[other] = inside.parts[other], part
        signature = self._issuer_key.sign(body.octets(), ec.ECDSA(SHA256()))
        certificate.parts[2] = _Field(0x03, b"\0" + signature)
        return certificate.octets()

    def _read(self, octets: bytes, by_authority: Sequence[Mutation]) -> str | None:
        """The reading alone: who has not the authority's key makes no certificate with a path."""
        if octets == self._octets or refusals(lint.__wrapped__(octets, CertificateProfile.ORGANISATION)):
            return None
        try:
            check_path(parse_certificate(octets), [self._issuer], None, anchors=(self._root,))
        except CommsHubError:
            return None
        return None if by_authority else f"a changed certificate has a sound path: {octets.hex()[:120]}"

    def _sent(self, octets: bytes) -> str | None:
        store, recorder, records = MemoryStore(), CommandRecorder(), list[Record]()
        credentials = Credentials.from_keystore(store, self._keystore, self._meter, DeviceType.ESME, self._parties)
        trace = Trace(lambda: 0.0)
        trace.subscribe(records.append)
        device = GbcsDevice(self._meter, DeviceType.ESME, credentials, store, lambda: 820_454_400.0, trace, STANDARD, recorder)
        cell = TrustAnchorCell(RemotePartyRole.SUPPLIER, _DS)
        cos = self._parties[RemotePartyRole.TRANSITIONAL_COS]
        by = AuthorisingRemotePartyControl(BY_COS, None, None, TrustAnchorCell(RemotePartyRole.TRANSITIONAL_COS, _DS), 5, None, None, None)
        wanted = UpdateCredentialsCommand(by, (TrustAnchorReplacement(octets, cell),), (self._issuer.public_bytes(Encoding.DER),), None)
        payload = Asn1Payload("UpdateCredentialsCommand", wanted).encode()
        answered = device.receive(self._command(REPLACE, payload, 5, cos, cos))
        if _is_read(payload):  # else a length in the certificate reaches beyond it, and the payload is none of the use case
            if not answered:
                return "the Command that brings it has no answer"
            if crashed := [str(record.detail) for record in records if record.event == "crashed"]:
                return f"the Device crashed: {crashed[0][:200]}"
        held = device.credentials.party(RemotePartyRole.SUPPLIER)
        if held not in (self._supplier, None) and (
            wrong := wrong_with(octets, (self._meter, self._parties[RemotePartyRole.ACCESS_CONTROL_BROKER]))
        ):
            return f"a certificate {wrong} is kept: {octets.hex()[:120]}"
        suppliers = (self._supplier, self._next)
        asked = dict(enumerate(product(suppliers, suppliers), 9))  # by counter: in whose name, and with whose key
        for counter, (sender, signer) in asked.items():
            device.receive(self._command(HARMLESS, b"\xd9", counter, sender, signer))
        anchor = device.credentials.anchor(Cell(RemotePartyRole.SUPPLIER, _DS))
        kept = {one for one in suppliers if anchor is not None and anchor.public_key() == self._keystore.private_key(one, _DS).public_key()}
        obeyed = {asked[message.header.counter] for message in recorder.executed}
        if obeyed == {(held, one) for one in kept if held in suppliers}:
            return None
        return f"it holds {held} with the key of {kept} and obeys (in whose name, with whose key) {sorted(obeyed)}"

    def _command(self, code: int, payload: bytes, counter: int, sender: Eui64, signer: Eui64) -> bytes:
        message = Message(GroupingHeader(CraFlag.COMMAND, counter, sender, self._meter, OtherInformation(code)), payload)
        signed = protect.with_signature(message, self._keystore.private_key(signer, _DS))
        broker = self._parties[RemotePartyRole.ACCESS_CONTROL_BROKER]
        return replace(signed, mac=protect.mac_of(signed, self._keystore.shared_secret(broker, self._meter))).encode()


def _is_read(payload: bytes) -> bool:
    with contextlib.suppress(DecodeError):
        Asn1Payload.decode(payload, REPLACE, CraFlag.COMMAND)
        return True
    return False


def wrong_with(octets: bytes, others: Sequence[Eui64]) -> str | None:
    """A sentence on what no organisation's signature certificate may be, in the words of the certificate library alone."""
    try:
        read = x509.load_der_x509_certificate(octets)
        key, known = read.public_key(), read.extensions
    except Exception as trouble:  # whatever it is, another reader cannot read what the Device keeps
        return f"that another reader cannot read ({trouble})"
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        return "with another key than P-256"
    for extension in known:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            return "of an authority"
        if isinstance(value, x509.KeyUsage) and (not value.digital_signature or value.key_agreement or value.key_cert_sign):
            return "of another use"
        if extension.critical and isinstance(value, x509.UnrecognizedExtension):
            return "with an unknown critical extension"
    if not any(isinstance(one.value, x509.KeyUsage) for one in known):
        return "without a use"
    names = [one.value for one in read.subject if one.oid == x509.NameOID.X500_UNIQUE_IDENTIFIER]
    if any(isinstance(one, bytes) and one[-8:] in {other.octets for other in others} for one in names):
        return "in the name of the Device or the broker"
    return None
