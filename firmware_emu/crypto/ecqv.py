"""Implicit certificates (ECQV) of Certificate Based Key Establishment: layout, extraction of the public key, and an authority that issues.

Source: reference cbke 4 and 6. Suite 1 is sect163k1 with 48 octets, suite 2 sect283k1 with 74; GB HANs use suite 2.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

from firmware_emu.crypto.aes_mmo import aes_mmo
from firmware_emu.crypto.binary_curve import SECT163K1, SECT283K1, KoblitzCurve, Point
from firmware_emu.crypto.entropy import SYSTEM, Entropy
from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64

CERTIFICATE_LENGTH: Final = {1: 48, 2: 74}
KEY_AGREEMENT: Final = 0x08
DIGITAL_SIGNATURE: Final = 0x80
NO_END: Final = 0xFFFFFFFF
"""``valid_for`` of a suite 2 certificate that does not expire."""

_CURVES: Final = {1: SECT163K1, 2: SECT283K1}
_TYPE: Final = 0x00
_CURVE_ID: Final = 0x0D
_HASH_ID: Final = 0x08
_PROFILE: Final = 0x0109


def curve_of(suite: int) -> KoblitzCurve:
    """The curve of suite 1 or 2. Raises DecodeError for another suite."""
    curve = _CURVES.get(suite)
    if curve is None:
        raise DecodeError(0, "key establishment suite", f"{suite}: expected 1 (sect163k1) or 2 (sect283k1)")
    return curve


@dataclass(frozen=True, slots=True)
class CbkeCredentials:
    """Credentials of a Device for key establishment.

    ``certificate`` is the implicit certificate (48 octets in suite 1, 74 in suite 2), ``private_key`` the static private scalar,
    ``ca_public_key`` the issuing authority's compressed point, ``suite`` 1 or 2. ``repr`` hides the private key.
    """

    certificate: bytes
    private_key: int = field(repr=False)
    ca_public_key: bytes
    suite: int
    entropy: Entropy = field(default=SYSTEM, repr=False, compare=False)
    """Source of its ephemeral keys."""


@dataclass(frozen=True, slots=True)
class ImplicitCertificate:
    """A decoded implicit certificate. ``reconstruction`` is the compressed point the public key is made from.

    In suite 1 ``attributes`` holds the 10 octets of profile data, and serial, times and key usage are None; in suite 2 the other way
    round. ``valid_from`` is in seconds since 1970, ``valid_for`` in seconds, NO_END for ever.
    """

    suite: int
    subject: Eui64
    issuer: Eui64
    reconstruction: bytes
    attributes: bytes = b""
    serial: int | None = None
    valid_from: int | None = None
    valid_for: int | None = None
    key_usage: int | None = None

    @property
    def may_agree_keys(self) -> bool:
        """True if the key usage allows key establishment; suite 1 does not state one."""
        return self.key_usage is None or bool(self.key_usage & KEY_AGREEMENT)

    def encode(self) -> bytes:
        """The octets that are sent and hashed: 48 or 74."""
        if self.suite == 1:
            return self.reconstruction + self.subject.octets + self.issuer.octets + self.attributes
        assert self.serial is not None, "suite 2 states a serial number"
        assert self.valid_from is not None, "suite 2 states its times"
        assert self.valid_for is not None, "suite 2 states its times"
        assert self.key_usage is not None, "suite 2 states a key usage"
        return b"".join(
            (
                bytes([_TYPE]),
                self.serial.to_bytes(8, "big"),
                bytes([_CURVE_ID, _HASH_ID]),
                self.issuer.octets,
                self.valid_from.to_bytes(5, "big"),
                self.valid_for.to_bytes(4, "big"),
                self.subject.octets,
                bytes([self.key_usage]),
                self.reconstruction,
            )
        )

    @classmethod
    def decode(cls, octets: bytes, suite: int) -> ImplicitCertificate:
        """Read a certificate of ``suite``. Raises DecodeError: length, type, curve or hash are not those of the suite."""
        curve_of(suite)
        wanted = CERTIFICATE_LENGTH[suite]
        if len(octets) != wanted:
            raise DecodeError(0, "certificate", f"{len(octets)} octets: expected {wanted} in suite {suite}")
        if suite == 1:
            profile = int.from_bytes(octets[38:40], "big")
            if profile != _PROFILE:
                raise DecodeError(38, "profile", f"{profile:04x}: expected {_PROFILE:04x}, ZigBee Smart Energy")
            return cls(1, Eui64(octets[22:30]), Eui64(octets[30:38]), octets[:22], octets[38:])
        for offset, name, expected in ((0, "type", _TYPE), (9, "curve", _CURVE_ID), (10, "hash", _HASH_ID)):
            if octets[offset] != expected:
                raise DecodeError(offset, name, f"{octets[offset]:02x}: expected {expected:02x} in suite 2")
        return cls(
            suite=2,
            subject=Eui64(octets[28:36]),
            issuer=Eui64(octets[11:19]),
            reconstruction=octets[37:],
            serial=int.from_bytes(octets[1:9], "big"),
            valid_from=int.from_bytes(octets[19:24], "big"),
            valid_for=int.from_bytes(octets[24:28], "big"),
            key_usage=octets[36],
        )


def _hash_of(certificate: bytes) -> int:
    return int.from_bytes(aes_mmo(certificate), "big")


def extract_public_key(certificate: bytes, ca_public_key: bytes, suite: int) -> Point:
    """The subject's static public key: hash(certificate) * reconstruction point + authority's key (reference cbke 6).

    Says nothing of who made the certificate: only a later key confirmation shows that the subject holds the private key. Raises
    DecodeError: layout, or a point that is not on the curve, or a certificate whose key is infinity.
    """
    curve = curve_of(suite)
    decoded = ImplicitCertificate.decode(certificate, suite)
    point = curve.decompress(decoded.reconstruction, 0 if suite == 1 else 37, "public reconstruction point")
    key = curve.add(curve.multiply(_hash_of(certificate), point), curve.decompress(ca_public_key, 0, "authority's public key"))
    if key is None:
        raise DecodeError(0, "certificate", "its public key is the point at infinity: no one can hold the private key")
    return key


@dataclass(frozen=True, slots=True)
class ImplicitAuthority:
    """An authority that issues implicit certificates. ``public_key`` is its compressed point; ``repr`` hides the private key."""

    issuer: Eui64
    private_key: int = field(repr=False)
    public_key: bytes
    suite: int

    @classmethod
    def generate(cls, issuer: Eui64, suite: int = 2) -> ImplicitAuthority:
        """A new authority."""
        private, public = key_pair(suite)
        return cls(issuer, private, public, suite)


def key_pair(suite: int, entropy: Entropy = SYSTEM) -> tuple[int, bytes]:
    """A new private scalar and its compressed public point."""
    curve = curve_of(suite)
    private = 1 + entropy.below(curve.n - 1)
    public = curve.multiply(private, curve.generator)
    assert public is not None  # 0 < private < n
    return private, curve.compress(public)


def issue(
    authority: ImplicitAuthority,
    subject: Eui64,
    *,
    valid_from: int = 0,
    valid_for: int = NO_END,
    key_usage: int = KEY_AGREEMENT | DIGITAL_SIGNATURE,
    attributes: bytes = b"\x01\x09" + bytes(8),
) -> CbkeCredentials:
    """Issue credentials to ``subject``, doing both the Device's and the authority's part (reference cbke 4).

    ``valid_from``, ``valid_for`` (seconds) and ``key_usage`` stand in suite 2 certificates, ``attributes`` in those of suite 1.
    """
    curve = curve_of(authority.suite)
    while True:
        # The sum of the Device's request key and the authority's ephemeral key: the test authority may draw it at once.
        blinded, reconstruction = key_pair(authority.suite)
        if authority.suite == 1:
            made = ImplicitCertificate(1, subject, authority.issuer, reconstruction, attributes)
        else:
            serial = secrets.randbits(64)
            made = ImplicitCertificate(2, subject, authority.issuer, reconstruction, b"", serial, valid_from, valid_for, key_usage)
        certificate = made.encode()
        private = (_hash_of(certificate) * blinded + authority.private_key) % curve.n
        if private:
            return CbkeCredentials(certificate, private, authority.public_key, authority.suite)
