"""Envelope of a GBCS message: MAC header, grouping header, payload, signature, MAC (reference gbcs-messages 1).

Below it the two things every layout is read with: octets taken from the front, and the 8-octet identifier of a Device or party.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from ..errors import DecodeError

_TEXT = re.compile(r"(?:[0-9A-Fa-f]{2}-?){7}[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """An EUI-64. Text form: 16 hexadecimal digits; ``hyphenated`` is the one that requests and MMC documents use."""

    octets: bytes

    @classmethod
    def parse(cls, text: str) -> Entity:
        """Read ``90-B3-D5-1F-30-01-00-00`` or ``90b3d51f30010000``. Raises ValueError."""
        if not _TEXT.fullmatch(text.strip()):
            raise ValueError(f"read {text[:40]!r}, expected 8 octets in hexadecimal, as 90-B3-D5-1F-30-01-00-00")
        return cls(bytes.fromhex(text.strip().replace("-", "")))

    @property
    def hyphenated(self) -> str:
        return self.octets.hex("-").upper()

    def __str__(self) -> str:
        return self.octets.hex()


class Octets:
    """A stretch of a message being read. ``base`` is the offset of its first octet in the whole message."""

    def __init__(self, data: bytes, base: int = 0) -> None:
        self.data = data
        self.base = base
        self.at = 0

    @property
    def offset(self) -> int:
        return self.base + self.at

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def fail(self, place: str, problem: str) -> NoReturn:
        """Raise DecodeError at the present offset."""
        raise DecodeError(self.offset, place, problem)

    def take(self, count: int, place: str) -> bytes:
        """The next ``count`` octets. Raises DecodeError where fewer are left."""
        at = self.at
        found = self.data[at : at + count]
        if len(found) != count:
            self.fail(place, f"{count} octets expected, {self.left} left")
        self.at = at + count
        return found

    def number(self, size: int, place: str) -> int:
        """A big-endian number without sign."""
        return int.from_bytes(self.take(size, place), "big")

    def expect(self, wanted: bytes, place: str) -> None:
        """Exactly these octets. Raises DecodeError."""
        found = self.data[self.at : self.at + len(wanted)]
        if found != wanted:
            self.fail(place, f"read {found.hex() or 'nothing'}, expected {wanted.hex()}")
        self.at += len(wanted)

    def length(self, place: str) -> int:
        """A length by the BER rule in its shortest form (GBCS messages use no other in envelope and DLMS). Raises DecodeError."""
        first = self.number(1, place)
        if first < 0x80:
            return first
        size = first - 0x80
        if size not in (1, 2, 3):
            self.fail(place, f"read {first:02x}, expected a length of at most three octets")
        found = self.number(size, place)
        if found < 0x80 or found < 1 << (8 * (size - 1)):
            self.fail(place, f"length {found} is not in its shortest form")
        return found

    def counted(self, place: str) -> bytes:
        """Octets behind their length."""
        return self.take(self.length(f"{place} length"), place)

    def end(self, place: str) -> None:
        """Nothing may be left. Raises DecodeError."""
        if self.left:
            self.fail(place, f"{self.left} octets more than expected")


COMMAND, RESPONSE, ALERT = 1, 2, 3
KINDS = {COMMAND: "command", RESPONSE: "response", ALERT: "alert"}
_GENERAL_CIPHERING, _GENERAL_SIGNING = b"\xdd", b"\xdf"
_SECURITY = bytes.fromhex("1100000000")
_MAC_SIZE, _SIGNATURE_SIZE = 12, 64
_MAC_DATA = bytes.fromhex("110000000000")


@dataclass(frozen=True, slots=True)
class Header:
    """The grouping header. ``date_time`` is empty or 12 octets; the supplementary fields are None where the message has none."""

    kind: int
    counter: int
    originator: Entity
    recipient: Entity
    date_time: bytes
    message_code: int
    party: Entity | None = None
    party_counter: int | None = None
    party_originator_counter: int | None = None
    party_certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message, read. ``block`` is the general-signing block as it stands; ``payload_offset`` counts in ``octets``.

    ``signature`` is None in a pre-command, empty in a message protected by its MAC alone."""

    octets: bytes
    header: Header
    payload: bytes
    payload_offset: int
    signature: bytes | None
    mac: bytes | None
    block: bytes

    @property
    def signed_octets(self) -> bytes:
        """Octets that a signature covers: the block without its tag, up to the end of the payload."""
        tail = 0 if self.signature is None else 1 + len(self.signature)
        return self.block[1 : len(self.block) - tail]

    @property
    def mac_data(self) -> bytes:
        """The additional data that the MAC covers."""
        return _MAC_DATA + self.block

    @property
    def pre_command(self) -> bytes:
        """The part that the originator signs, as a pre-command."""
        return _GENERAL_SIGNING + self.signed_octets


def read_message(octets: bytes) -> Message:
    """Read one message to its last octet. Raises DecodeError."""
    source = Octets(octets)
    mac: bytes | None = None
    end = len(octets)
    if octets[:1] == _GENERAL_CIPHERING:
        source.expect(_GENERAL_CIPHERING + bytes(6), "general-ciphering header")
        size = source.length("ciphered-service length")
        if size != source.left:
            source.fail("ciphered-service length", f"read {size}, {source.left} octets follow")
        source.expect(_SECURITY, "security control and invocation counter")
        end -= _MAC_SIZE
        mac = octets[end:]
    start = source.at
    block = octets[start:end]
    inner = Octets(block, start)
    header = _header(inner)
    size = inner.length("content length")
    payload_offset = inner.offset
    payload = inner.take(size, "content")
    signature: bytes | None = None
    if inner.left:
        size = inner.number(1, "signature length")
        if size not in (0, _SIGNATURE_SIZE):
            inner.fail("signature length", f"read {size}, expected 0 or 64")
        signature = inner.take(size, "signature")
        inner.end("general-signing block")
    elif mac is not None:
        inner.fail("signature length", "missing in a message with a MAC")
    return Message(octets, header, payload, payload_offset, signature, mac, block)


def _header(source: Octets) -> Header:
    source.expect(_GENERAL_SIGNING, "general-signing tag")
    source.expect(b"\x09", "transaction-id length")
    kind = source.number(1, "CRA flag")
    if kind not in KINDS:
        source.fail("CRA flag", f"read {kind:02x}, expected 01, 02 or 03")
    counter = source.number(8, "originator counter")
    source.expect(b"\x08", "originator length")
    originator = Entity(source.take(8, "originator"))
    source.expect(b"\x08", "recipient length")
    recipient = Entity(source.take(8, "recipient"))
    size = source.number(1, "date-time length")
    if size not in (0, 12):
        source.fail("date-time length", f"read {size}, expected 0 or 12")
    date_time = source.take(size, "header date-time")
    other = Octets(source.counted("other information"), source.offset)
    code = other.number(2, "message code")
    party: Entity | None = None
    numbers: list[int | None] = [None, None]
    certificate: bytes | None = None
    if other.left:
        party = Entity(other.take(8, "supplementary remote party id"))
    if other.left:
        numbers[0] = other.number(8, "supplementary remote party counter")
    if other.left == 8:
        numbers[1] = other.number(8, "supplementary originator counter")
    elif other.left:
        certificate = other.take(other.left, "supplementary certificate")
    return Header(kind, counter, originator, recipient, date_time, code, party, numbers[0], numbers[1], certificate)
