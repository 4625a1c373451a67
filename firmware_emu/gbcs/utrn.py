"""Prepayment tokens: PTUT, UTRN and the Verhoeff-like check digit (reference gbcs-messages 8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from firmware_emu.crypto import primitives
from firmware_emu.errors import IdentifierError, ProtectionError
from firmware_emu.gbcs.protect import MAC_AAD_PREFIX, other_info
from firmware_emu.ids import CraFlag, Eui64

BASE = 7394156990786306048
"""Added to the 64-bit token. Tokens start with 73, 74, or 75 where the highest of the ten counter bits is set.

Public stack code stops at 74 (reference gbcs-spec-notes 14), which would leave nine counter bits; no example settles it.
"""
MAX_VALUE = 8191
_COUNTER_BITS = 10
_START_ROW = 4
_PERMUTATIONS = ("0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258")
_DIHEDRAL = (
    *("0123456789", "1234067895", "2340178956", "3401289567", "4012395678"),
    *("5987604321", "6598710432", "7659821043", "8765932104", "9876543210"),
)
_INVERSE = "1267583094"


class ValueClass(IntEnum):
    """Unit of a token's value."""

    PENCE = 0
    POUNDS = 1


@dataclass(frozen=True, slots=True)
class Token:
    """Content of a token: the low 10 bits of the upper half of its counter, its value in units of the class, and its truncated tag."""

    counter_bits: int
    value_class: int
    value: int
    tag: bytes

    @property
    def pence(self) -> int:
        """The value in pence."""
        return self.value * 100 if self.value_class == ValueClass.POUNDS else self.value


def check_digit(digits: str) -> str:
    """The twentieth digit for nineteen: a Verhoeff scheme with starting row 4 and a permuted inverse."""
    state, row = 0, _START_ROW
    for digit in digits:
        state = int(_DIHEDRAL[state][int(_PERMUTATIONS[row][int(digit)])])
        row = (row + 1) % 8
    return _INVERSE[state]


def _high_word(counter: int, value_class: int, value: int) -> bytes:
    if not 0 <= value <= MAX_VALUE or not 0 <= value_class <= 3:
        raise IdentifierError("a top-up value", f"{value} of class {value_class}", f"0 to {MAX_VALUE}, class 0 (pence) or 1 (pounds)")
    bits = (counter >> 32) & ((1 << _COUNTER_BITS) - 1)
    return (bits << 15 | value_class << 13 | value).to_bytes(4, "big")


def _low_word(z: bytes, supplier: Eui64, meter: Eui64, counter: int, high: bytes) -> bytes:
    key = primitives.derive_key(z, other_info(supplier, CraFlag.COMMAND, counter, meter))
    parties = supplier.octets + meter.octets + bytes((CraFlag.COMMAND,)) + counter.to_bytes(8, "big")
    return primitives.tag(key, supplier.octets + bytes(4), MAC_AAD_PREFIX + parties + high, 16)[-4:]


def make_utrn(z: bytes, *, supplier: Eui64, meter: Eui64, counter: int, value: int, value_class: ValueClass = ValueClass.POUNDS) -> str:
    """The 20 digits. ``z`` is the secret of the supplier's *prepayment* key agreement key and the meter's. Raises IdentifierError."""
    high = _high_word(counter, value_class, value)
    digits = str(BASE + int.from_bytes(high + _low_word(z, supplier, meter, counter, high), "big"))
    return digits + check_digit(digits)


def read_utrn(utrn: str) -> Token:
    """Take a UTRN apart. Raises IdentifierError: not 20 digits, wrong check digit, outside the range of tokens."""
    if len(utrn) != 20 or not (utrn.isascii() and utrn.isdigit()):
        raise IdentifierError("a UTRN", utrn, "20 digits")
    if check_digit(utrn[:19]) != utrn[19]:
        raise IdentifierError("a UTRN", utrn, f"check digit {check_digit(utrn[:19])}")
    number = int(utrn[:19]) - BASE
    if not 0 <= number < 1 << 57:
        raise IdentifierError("a UTRN", utrn, f"a token from {BASE} on, with the seven high bits clear")
    high = number >> 32
    return Token(high >> 15 & 0x3FF, high >> 13 & 3, high & MAX_VALUE, (number & 0xFFFFFFFF).to_bytes(4, "big"))


def check_utrn(utrn: str, z: bytes, *, supplier: Eui64, meter: Eui64, counter: int) -> Token:
    """Check a token against the full counter it was made with. Raises IdentifierError (form) or ProtectionError (not authentic)."""
    token = read_utrn(utrn)
    if token.counter_bits != counter >> 32 & 0x3FF:
        raise ProtectionError(f"the token carries counter bits {token.counter_bits}, expected {counter >> 32 & 0x3FF}")
    high = _high_word(counter, token.value_class, token.value)
    if _low_word(z, supplier, meter, counter, high) != token.tag:
        raise ProtectionError("the token's tag does not hold for this supplier, meter and counter")
    return token
