"""Key agreement (ECMQV), key derivation and confirmation of Certificate Based Key Establishment.

Source: reference cbke 5 and 6. U is the initiator (the joining Device in GB HANs), V the responder.
"""

from __future__ import annotations

from firmware_emu.crypto.aes_mmo import aes_mmo, keyed_hash
from firmware_emu.crypto.binary_curve import KoblitzCurve, Point
from firmware_emu.crypto.ecqv import curve_of, key_pair
from firmware_emu.crypto.entropy import SYSTEM, Entropy
from firmware_emu.errors import ProtectionError


def ephemeral(suite: int, entropy: Entropy = SYSTEM) -> tuple[int, bytes]:
    """A fresh ephemeral key: private scalar, compressed public point (22 octets in suite 1, 37 in suite 2)."""
    return key_pair(suite, entropy)


def agree(
    suite: int,
    static_private: int,
    ephemeral_private: int,
    ephemeral_public: bytes,
    partner_static: Point,
    partner_ephemeral: bytes,
) -> bytes:
    """Z, 21 octets in suite 1 and 36 in suite 2, the same on both sides.

    The own ephemeral pair is what :func:`ephemeral` gave, ``partner_static`` what ``ecqv.extract_public_key`` gave,
    ``partner_ephemeral`` the compressed point received. Raises DecodeError where that is no point, ProtectionError where the agreed
    point is infinity (keys that no honest partner sends: end the session).
    """
    curve = curve_of(suite)
    received = curve.decompress(partner_ephemeral, 0, "ephemeral public key")
    own_factor = _half(curve, int.from_bytes(ephemeral_public[1:], "big"))
    s = (ephemeral_private + own_factor * static_private) % curve.n
    joint = curve.add(received, curve.multiply(_half(curve, received.x), partner_static))
    # The cofactor first: it leaves a point of order n, the only kind `multiply` takes.
    shared = curve.multiply(s, curve.clear_cofactor(joint))
    if shared is None:
        raise ProtectionError("key establishment agreed on the point at infinity: the partner's keys are not usable")
    return shared.x.to_bytes(curve.gf.length, "big")


def _half(curve: KoblitzCurve, x: int) -> int:
    """avf(Q): the lower half of the x-coordinate with a one on top."""
    bits = (curve.n.bit_length() + 1) // 2
    return x & (1 << bits) - 1 | 1 << bits


def derive(z: bytes) -> tuple[bytes, bytes]:
    """The MAC key and the key data, 16 octets each; the key data become the new link key."""
    return aes_mmo(z + b"\x00\x00\x00\x01"), aes_mmo(z + b"\x00\x00\x00\x02")


def confirm_macs(
    mac_key: bytes, initiator: bytes, responder: bytes, initiator_ephemeral: bytes, responder_ephemeral: bytes
) -> tuple[bytes, bytes]:
    """MACU, sent by the initiator, and MACV, sent by the responder: 16 octets each.

    ``initiator`` and ``responder`` are their EUI-64, 8 octets big-endian as in the certificates. Compare with ``hmac.compare_digest``.
    """
    mac_u = keyed_hash(mac_key, b"\x02" + initiator + responder + initiator_ephemeral + responder_ephemeral)
    mac_v = keyed_hash(mac_key, b"\x03" + responder + initiator + responder_ephemeral + initiator_ephemeral)
    return mac_u, mac_v
