"""Identifiers, parsed once and never carried as bare bytes: EUI-64, install code, MPxN, message identifier.

GBCS writes entity identifiers big-endian; ZigBee sends the same EUI-64 little-endian (reference zigbee-han 1).
Imports nothing but :mod:`firmware_emu.errors`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Self

from firmware_emu.errors import IdentifierError

_NO_DIGITS = frozenset({"Pd", "Zs", "Cc", "Cf"})
"""Unicode categories of what a label, a spreadsheet or a web page puts between digits: dashes, spaces, tabs, invisible marks."""
_IN_QR = {"A": re.compile(r"(?:Z:|[$%]A:)([^$%]*)"), "I": re.compile(r"[$%]I:([^$%]*)")}
"""Fields of the text of a Zigbee label's QR code: Z:EUI$I:CODE, or Z$A:EUI$I:CODE, with others around."""


def _digits(text: str, field: str) -> str:
    """Hexadecimal digits as they stand in ``text``, on a label or in the ``field`` of its QR code, without separators and 0x."""
    if not text.isascii() or not text.isalnum():
        found = _IN_QR[field].search(text)
        text = found[1] if found else text
        text = "".join(one for one in text if one not in ":\u2212" and unicodedata.category(one) not in _NO_DIGITS)
    return text[2:] if text[:2] in ("0x", "0X") else text


@dataclass(frozen=True, slots=True, order=True)
class Eui64:
    """An EUI-64 entity identifier; ``octets`` are the 8 octets in GBCS order (big-endian).

    ``Eui64.parse`` reads ``00db1234567890a0``, ``00-DB-12-34-56-78-90-A0``, ``00:db:...`` or a label's QR text. ``str()`` gives the key
    store's spelling (lower-case hex, no separators); ``duis`` gives the hyphenated upper-case spelling of DUIS.
    """

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 8:
            raise IdentifierError("an EUI-64", self.octets.hex(), "8 octets")

    @staticmethod
    @lru_cache(maxsize=4096)
    def parse(text: str) -> Eui64:
        """Read an EUI-64 from text. Raises IdentifierError."""
        digits = _digits(text, "A")
        if not re.fullmatch(r"[0-9a-fA-F]{16}", digits):
            raise IdentifierError("an EUI-64", text, "16 hexadecimal digits, as 00db1234567890a0 or 00-DB-12-34-56-78-90-A0")
        return Eui64(bytes.fromhex(digits))

    @classmethod
    def from_zigbee(cls, octets: bytes) -> Self:
        """From the 8 little-endian octets of a ZigBee frame."""
        return cls(octets[::-1])

    @property
    def zigbee(self) -> bytes:
        """The 8 octets in the order ZigBee sends them (little-endian)."""
        return self.octets[::-1]

    @property
    def duis(self) -> str:
        """``00-DB-12-34-56-78-90-A0``, the spelling of DUIS."""
        return self.octets.hex("-").upper()

    def __hash__(self) -> int:
        return hash(self.octets)  # in C: every message looks its parties up by their identity

    def __str__(self) -> str:
        return self.octets.hex()

    def __repr__(self) -> str:
        return f"Eui64({self})"


class CraFlag(IntEnum):
    """First octet of the grouping header's transaction id (GBCS messages 1.2)."""

    COMMAND = 1
    RESPONSE = 2
    ALERT = 3


_CRA_WORDS = {flag: flag.name.lower() for flag in CraFlag}


@dataclass(frozen=True, slots=True, order=True)
class MessageIdentifier:
    """Identifier of one message: originator, recipient, CRA flag, originator counter (GBCS 4.3, 25 octets)."""

    originator: Eui64
    recipient: Eui64
    cra: CraFlag
    counter: int

    def __bytes__(self) -> bytes:
        return self.originator.octets + self.recipient.octets + bytes([self.cra]) + self.counter.to_bytes(8, "big")

    def __str__(self) -> str:
        return f"{self.originator.octets.hex()}:{self.recipient.octets.hex()}:{_CRA_WORDS[self.cra]}:{self.counter}"


def install_code_crc(code: bytes) -> bytes:
    """CRC-16/X-25 of an install code, low octet first (reference zigbee-han 5)."""
    crc = 0xFFFF
    for octet in code:
        crc ^= octet
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return (crc ^ 0xFFFF).to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class InstallCode:
    """A 16-octet install code, without its CRC. ``parse`` reads hex of 16 octets, or of 18 with the CRC checked, and a label's QR text.

    The link key derived from it is :func:`firmware_emu.crypto.aes_mmo.install_code_link_key`. It is a secret: ``repr``
    does not show it.
    """

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 16:
            raise IdentifierError("an install code", f"<{len(self.octets)} octets>", "16 octets, or 18 with the CRC")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read hex, with or without separators and CRC. Raises IdentifierError (wrong length, wrong CRC)."""
        digits = _digits(text, "I")
        if not re.fullmatch(r"([0-9a-fA-F]{32}|[0-9a-fA-F]{36})", digits):
            raise IdentifierError("an install code", f"{text.strip()[:4]}...", "32 hexadecimal digits, or 36 with the CRC")
        octets = bytes.fromhex(digits)
        if len(octets) == 18 and octets[16:] != install_code_crc(octets[:16]):
            right = install_code_crc(octets[:16]).hex().upper()
            expected = f"CRC {right} after these 16 octets, read {digits[32:].upper()}: look at the label again"
            raise IdentifierError("an install code", f"{digits[:4]}...", expected)
        return cls(octets[:16])

    @property
    def with_crc(self) -> bytes:
        """The 18 octets whose AES-MMO hash is the link key."""
        return self.octets + install_code_crc(self.octets)

    def __repr__(self) -> str:
        return "InstallCode(<secret>)"


@dataclass(frozen=True, slots=True)
class Mpxn:
    """An MPAN core (13 digits) or an MPRN (6 to 10 digits). Kept as text: leading zeros count."""

    digits: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{13}|[0-9]{6,10}", self.digits):
            raise IdentifierError("an MPxN", self.digits, "13 digits (MPAN) or 6 to 10 digits (MPRN)")

    def __str__(self) -> str:
        return self.digits
