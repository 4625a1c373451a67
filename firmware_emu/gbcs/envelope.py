"""The envelope of every GBCS message: MAC header, grouping header, payload, signature, MAC (reference gbcs-messages 1).

Two shapes exist. A: ``DD | general-ciphering header | DF general-signing block | MAC(12)``. B: the general-signing block alone.
A pre-command is shape B without the trailing signature-length octet.

A bounded cursor over octets, the only way the decoders of this package touch their input.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import NoReturn, Self

from firmware_emu.errors import DecodeError, IdentifierError, TooLong
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier

MAX_LENGTH = 0xFFFF


def length_octets(length: int) -> bytes:
    """A length in the minimal BER form used everywhere in the envelope and in A-XDR (reference gbcs-messages 1.2).

    Raises TooLong above 65,535, which ``82 nn nn`` cannot say.
    """
    if length < 0x80:
        return bytes((length,))
    if length < 0x100:
        return bytes((0x81, length))
    if length > MAX_LENGTH:
        raise TooLong("a length", length, MAX_LENGTH)
    return b"\x82" + length.to_bytes(2, "big")


class Reader:
    """A cursor over ``data[position:end]``. Errors count from the outermost message, in which ``data[0]`` stands at ``base``."""

    __slots__ = ("base", "data", "end", "position")

    def __init__(self, data: bytes, base: int = 0, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.base = base
        self.position = position
        self.end = len(data) if end is None else end

    @property
    def offset(self) -> int:
        """Offset of the next octet in the outermost message."""
        return self.base + self.position

    @property
    def remaining(self) -> int:
        return self.end - self.position

    def fail(self, field: str, problem: str, *, back: int = 0) -> NoReturn:
        """Raise DecodeError for ``field`` at the next octet, or ``back`` octets before it."""
        raise DecodeError(self.base + self.position - back, field, problem)

    def take(self, count: int, field: str) -> bytes:
        start = self.position
        stop = start + count
        if stop > self.end:
            self.fail(field, f"needs {count} octets, {self.end - start} are left")
        self.position = stop
        return self.data[start:stop]

    def rest(self) -> bytes:
        return self.take(self.remaining, "rest")

    def u8(self, field: str) -> int:
        position = self.position
        if position >= self.end:
            self.fail(field, "needs 1 octet, 0 are left")
        self.position = position + 1
        return self.data[position]

    def uint(self, count: int, field: str) -> int:
        """Big-endian unsigned of ``count`` octets."""
        return int.from_bytes(self.take(count, field), "big")

    def length(self, field: str) -> int:
        """A minimal BER length that the rest of the data can hold."""
        position = self.position
        if position < self.end:
            short = self.data[position]
            if short < 0x80 and short < self.end - position:
                self.position = position + 1
                return short
        count = self.count(field)
        if count > self.end - self.position:
            self.fail(field, f"length {count} exceeds the {self.end - self.position} octets left", back=len(length_octets(count)))
        return count

    def counted(self, field: str) -> bytes:
        """The octets behind their minimal BER length; ``field`` names the length."""
        start = self.position + 1
        if start < self.end:
            stop = start + self.data[start - 1]
            if stop <= self.end and stop - start < 0x80:
                self.position = stop
                return self.data[start:stop]
        return self.take(self.length(field), field)

    def count(self, field: str) -> int:
        """A number in minimal BER length form."""
        first = self.u8(field)
        if first < 0x80:
            return first
        if first == 0x81:
            value = self.u8(field)
            if value < 0x80:
                self.fail(field, f"length {value} is not in its shortest form", back=2)
            return value
        if first != 0x82:
            self.fail(field, f"length octet {first:02x}: expected below 80, 81 or 82", back=1)
        value = self.uint(2, field)
        if value < 0x100:
            self.fail(field, f"length {value} is not in its shortest form", back=3)
        return value

    def expect(self, wanted: bytes, field: str) -> None:
        found = self.take(len(wanted), field)
        if found != wanted:
            self.fail(field, f"read {found.hex()}, expected {wanted.hex()}", back=len(wanted))

    def sized(self, count: int, field: str) -> Reader:
        """A reader of the next ``count`` octets, which are consumed here."""
        if count > self.end - self.position:
            self.fail(field, f"needs {count} octets, {self.end - self.position} are left")
        inner = Reader(self.data, self.base, self.position, self.position + count)
        self.position += count
        return inner

    def finish(self, field: str) -> None:
        """Raise DecodeError unless everything has been read."""
        if self.position != self.end:
            self.fail(field, f"{self.end - self.position} octets are left over after the last field")


CIPHERING_HEADER = bytes.fromhex("dd000000000000")
"""Tag, five empty header strings, absent key information (reference gbcs-messages 1.1)."""
SECURITY_HEADER = bytes.fromhex("1100000000")
"""Security control 11 (authentication only, suite 1) and the invocation counter, always zero."""
MAC_LENGTH = 12
SIGNATURE_LENGTH = 64
DATE_TIME_LENGTH = 12

SECRET_IN_CLEAR = frozenset({0x0001})
"""Message codes whose payload holds a secret in clear: CCS01 and its install code (reference gbcs-messages 9)."""

_FIXED = Struct(">BBQB8sB8sB")
_CRA = {flag.value: flag for flag in CraFlag}


@dataclass(frozen=True, slots=True)
class OtherInformation:
    """Other information of the grouping header (reference gbcs-messages 1.4); its form is told by its length alone.

    Lengths: 2 message code; 10 with the supplementary party; 18 with its counter; 26 with the supplementary originator counter; more
    with the party's key agreement certificate (raw DER) in place of that counter.
    """

    message_code: int
    supplementary_party: Eui64 | None = None
    supplementary_counter: int | None = None
    supplementary_originator_counter: int | None = None
    supplementary_certificate: bytes | None = None

    def encode(self) -> bytes:
        """Raises IdentifierError for a combination that no length stands for."""
        octets = self.message_code.to_bytes(2, "big")
        if self.supplementary_party is None:
            if (self.supplementary_counter, self.supplementary_originator_counter, self.supplementary_certificate) != (None, None, None):
                raise IdentifierError("other information", self, "a supplementary party before its counters or certificate")
            return octets
        octets += self.supplementary_party.octets
        if self.supplementary_counter is None:
            if self.supplementary_originator_counter is not None or self.supplementary_certificate:
                raise IdentifierError("other information", self, "the party's counter before an originator counter or certificate")
            return octets
        octets += self.supplementary_counter.to_bytes(8, "big")
        if self.supplementary_certificate:
            if self.supplementary_originator_counter is not None or len(self.supplementary_certificate) <= 8:
                raise IdentifierError("other information", self, "an originator counter or a certificate, not both")
            return octets + self.supplementary_certificate
        if self.supplementary_originator_counter is not None:
            octets += self.supplementary_originator_counter.to_bytes(8, "big")
        return octets

    @classmethod
    def decode(cls, octets: bytes, offset: int = 0) -> Self:
        """Read the octets after the length. Raises DecodeError."""
        size = len(octets)
        if size == 2:
            return cls(octets[0] << 8 | octets[1])
        if size not in (10, 18) and size < 26:
            raise DecodeError(offset, "other information", f"length {size}: expected 2, 10, 18, 26 or more")
        code = octets[0] << 8 | octets[1]
        party = _eui(octets[2:10])
        if size == 10:
            return cls(code, party)
        counter = int.from_bytes(octets[10:18], "big")
        if size == 18:
            return cls(code, party, counter)
        if size == 26:
            return cls(code, party, counter, int.from_bytes(octets[18:], "big"))
        return cls(code, party, counter, None, octets[18:])


@dataclass(frozen=True, slots=True)
class GroupingHeader:
    """Parties and order of a message (reference gbcs-messages 1.2). ``date_time`` is empty or a 12-octet COSEM date-time."""

    cra: CraFlag
    counter: int
    originator: Eui64
    recipient: Eui64
    other: OtherInformation
    date_time: bytes = b""

    @property
    def identifier(self) -> MessageIdentifier:
        return MessageIdentifier(self.originator, self.recipient, self.cra, self.counter)

    @property
    def message_code(self) -> int:
        return self.other.message_code

    def encode(self) -> bytes:
        """The octets from the transaction-id length (09) to the end of the other information."""
        if len(self.date_time) not in (0, 12):
            raise IdentifierError("a header date-time", self.date_time.hex(), "0 or 12 octets")
        if not 0 <= self.counter < 1 << 64 or not 0 <= self.message_code <= 0xFFFF:
            raise IdentifierError("a grouping header", f"counter {self.counter}, code {self.message_code}", "64 bits and 16 bits")
        other = self.other.encode()
        return b"".join(
            (
                bytes((9, self.cra)),
                self.counter.to_bytes(8, "big"),
                b"\x08",
                self.originator.octets,
                b"\x08",
                self.recipient.octets,
                bytes((len(self.date_time),)),
                self.date_time,
                length_octets(len(other)),
                other,
            )
        )


@dataclass(frozen=True, slots=True)
class Message:
    """One GBCS message.

    ``signature`` is None for a pre-command (no signature-length octet), empty for an unsigned message, else 64 octets r || s.
    ``mac`` is None for shape B, else 12 octets.
    """

    header: GroupingHeader
    payload: bytes
    signature: bytes | None = b""
    mac: bytes | None = None
    _signed: bytes = field(default=b"", init=False, repr=False, compare=False)

    @property
    def carries_secret(self) -> bool:
        """True if a secret stands in it in clear (CCS01 commands: an install code), so that no trace may hold its octets."""
        return self.header.other.message_code in SECRET_IN_CLEAR

    @property
    def message_code(self) -> int:
        return self.header.other.message_code

    @property
    def signed_bytes(self) -> bytes:
        """Octets that a signature covers: from the 09 after DF to the last payload octet (reference gbcs-messages 2.1)."""
        if self._signed:
            return self._signed
        return b"".join((self.header.encode(), length_octets(len(self.payload)), self.payload))

    @property
    def signing_block(self) -> bytes:
        """DF to the last octet before the MAC: what shape B is and what the MAC covers."""
        signature = self.signature
        if signature is None:
            return b"\xdf" + self.signed_bytes
        if len(signature) not in (0, SIGNATURE_LENGTH):
            raise IdentifierError("a signature", f"<{len(signature)} octets>", "0 or 64 octets")
        return b"".join((b"\xdf", self.signed_bytes, bytes((len(signature),)), signature))

    @property
    def payload_offset(self) -> int:
        """Offset of the payload in the encoded message."""
        signed = len(self.signed_bytes)
        before = 1 + signed - len(self.payload)
        if self.mac is None:
            return before
        block = 1 + signed + 1 + len(self.signature or b"")
        return len(CIPHERING_HEADER) + len(length_octets(len(SECURITY_HEADER) + block + MAC_LENGTH)) + len(SECURITY_HEADER) + before

    def encode(self) -> bytes:
        """The message as it travels. Raises IdentifierError where the parts do not make a message."""
        block = self.signing_block
        if self.mac is None:
            return block
        if len(self.mac) != MAC_LENGTH or self.signature is None:
            raise IdentifierError("a MACed message", self.header.identifier, "a 12-octet MAC after a signature-length octet")
        size = length_octets(len(SECURITY_HEADER) + len(block) + MAC_LENGTH)
        return b"".join((CIPHERING_HEADER, size, SECURITY_HEADER, block, self.mac))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read one message to its last octet. Raises DecodeError."""
        size = len(data)
        if data[:1] != b"\xdd":
            return cls._decode_block(data, 0, size, None)
        if data[:7] != CIPHERING_HEADER:
            raise DecodeError(1, "general-ciphering header", f"read {data[1:7].hex()}, expected {CIPHERING_HEADER[1:].hex()}")
        length, start = _length(data, 7, size, "ciphered-service length")
        if length != size - start:
            raise DecodeError(7, "ciphered-service length", f"length {length}, but {size - start} octets follow")
        if data[start : start + 5] != SECURITY_HEADER:
            raise DecodeError(start, "security header", f"read {data[start : start + 5].hex()}, expected {SECURITY_HEADER.hex()}")
        return cls._decode_block(data, start + 5, size - MAC_LENGTH, data[-MAC_LENGTH:])

    @classmethod
    def _decode_block(cls, data: bytes, start: int, end: int, mac: bytes | None) -> Self:
        if end - start < 1 + _FIXED.size:
            raise DecodeError(start, "general-signing block", f"{max(end - start, 0)} octets, expected at least {1 + _FIXED.size}")
        if data[start] != 0xDF:
            expected = "df" if mac is not None else "dd or df"
            raise DecodeError(start, "tag", f"read {data[start]:02x}, expected {expected}")
        fixed = _FIXED.unpack_from(data, start + 1)
        id_length, cra, counter, originator_length, originator, recipient_length, recipient, date_time_length = fixed
        if id_length != 9:
            raise DecodeError(start + 1, "transaction-id length", f"read {id_length}, expected 9")
        flag = _CRA.get(cra)
        if flag is None:
            raise DecodeError(start + 2, "CRA flag", f"read {cra}, expected 1 command, 2 response or 3 alert")
        if originator_length != 8:
            raise DecodeError(start + 11, "originator length", f"read {originator_length}, expected 8")
        if recipient_length != 8:
            raise DecodeError(start + 20, "recipient length", f"read {recipient_length}, expected 8")
        if date_time_length not in (0, DATE_TIME_LENGTH):
            raise DecodeError(start + 29, "header date-time length", f"read {date_time_length}, expected 0 or 12")
        place = start + 1 + _FIXED.size + date_time_length
        if place > end:
            raise DecodeError(start + 30, "header date-time", f"needs 12 octets, {end - start - 30} are left")
        date_time = data[place - date_time_length : place]
        length, place = _length(data, place, end, "other-information length")
        other = _other(data[place : place + length], place)
        length, place = _length(data, place + length, end, "content length")
        signed_end = place + length
        payload = data[place:signed_end]
        signature: bytes | None = None
        if signed_end < end:
            length = data[signed_end]
            if length not in (0, SIGNATURE_LENGTH):
                raise DecodeError(signed_end, "signature length", f"read {length}, expected 0 or 64")
            if end - signed_end - 1 != length:
                raise DecodeError(signed_end, "signature", f"length {length}, but {end - signed_end - 1} octets follow")
            signature = data[signed_end + 1 : end]
        elif mac is not None:
            raise DecodeError(signed_end, "signature length", "missing before the MAC")
        header = GroupingHeader(flag, counter, _eui(originator), _eui(recipient), other, date_time)
        message = cls(header, payload, signature, mac)
        object.__setattr__(message, "_signed", data[start + 1 : signed_end])
        return message


@lru_cache(maxsize=64)
def message_of(octets: bytes) -> Message:
    """As :meth:`Message.decode`; the last few are kept by their octets, since every part that a message passes looks at it."""
    return Message.decode(octets)


def _length(data: bytes, position: int, end: int, field_name: str) -> tuple[int, int]:
    """A length that the octets up to ``end`` can hold, and where what it counts starts; short ones, most of all, without a Reader."""
    if position < end:
        length = data[position]
        if length < 0x80 and position + 1 + length <= end:
            return length, position + 1
    reader = Reader(data, 0, position, end)
    return reader.length(field_name), reader.position


@lru_cache(maxsize=4096)
def _eui(octets: bytes) -> Eui64:
    return Eui64(octets)


@lru_cache(maxsize=1024)
def _plain(octets: bytes) -> OtherInformation:
    return OtherInformation(octets[0] << 8 | octets[1])


def _other(octets: bytes, offset: int) -> OtherInformation:
    """Other information; the bare message code, by far the most frequent form, is shared."""
    return _plain(octets) if len(octets) == 2 else OtherInformation.decode(octets, offset)
