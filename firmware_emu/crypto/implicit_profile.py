"""The profile of implicit certificates for key establishment, rule by rule (reference smki-profiles 8, cbke 4).

They carry no signature: a forged one shows only when the confirmation of a key fails, so the rules of its fields matter.
"""

from __future__ import annotations

import contextlib
from typing import Final

from firmware_emu.crypto.certificate_profile import Finding, Severity
from firmware_emu.crypto.ecqv import CERTIFICATE_LENGTH, KEY_AGREEMENT, NO_END, curve_of
from firmware_emu.errors import DecodeError

ZSE: Final = "zse"
_CLAUSE: Final = "reference cbke 4"
_USES: Final = frozenset({0x08, 0x88})


def lint_implicit(octets: bytes) -> tuple[Finding, ...]:
    """Every finding on one certificate of suite 1 (48 octets) or 2 (74), in octets or hexadecimal. Never raises."""
    with contextlib.suppress(UnicodeDecodeError, ValueError):  # else they are octets as they are
        octets = bytes.fromhex(octets.decode("ascii"))
    suite = next((suite for suite, length in CERTIFICATE_LENGTH.items() if length == len(octets)), None)
    if suite is None:
        return (Finding("CB-01", Severity.FATAL, f"{len(octets)} octets, expected 48 in suite 1 or 74 in suite 2", _CLAUSE),)
    return tuple(_point(octets, suite) + (_suite_1(octets) if suite == 1 else _suite_2(octets)))


def _point(octets: bytes, suite: int) -> list[Finding]:
    point = octets[:22] if suite == 1 else octets[37:]
    try:
        if point[0] not in (2, 3):
            raise DecodeError(0, "public reconstruction point", f"begins with {point[0]:02x}, expected 02 or 03")
        curve_of(suite).decompress(point, 0, "public reconstruction point")
    except DecodeError as wrong:
        return [Finding("CB-06", Severity.ERROR, wrong.problem, "SEC 4; " + _CLAUSE)]
    return []


def _suite_1(octets: bytes) -> list[Finding]:
    found = [Finding("CB-11", Severity.WARN, "suite 1, where a GB HAN uses suite 2", _CLAUSE)]
    if octets[38:40] != b"\x01\x09":
        found.append(Finding("CB-10", Severity.WARN, f"profile {octets[38:40].hex()}, expected 0109", _CLAUSE))
    return found


def _suite_2(octets: bytes) -> list[Finding]:
    found = []
    if octets[0] != 0:
        found.append(Finding("CB-02", Severity.ERROR, f"type {octets[0]:02x}, expected 00", _CLAUSE))
    if octets[9:11] != b"\x0d\x08":
        found.append(Finding("CB-03", Severity.ERROR, f"curve and hash {octets[9:11].hex()}, expected 0d08", _CLAUSE))
    if octets[36] not in _USES:
        found.append(Finding("CB-08", Severity.ERROR, f"key usage {octets[36]:02x}, expected {KEY_AGREEMENT:02x} or 88", _CLAUSE))
    if int.from_bytes(octets[24:28], "big") != NO_END:
        found.append(Finding("CB-09", Severity.WARN, "an end, which no published certificate has", _CLAUSE))
    return found
