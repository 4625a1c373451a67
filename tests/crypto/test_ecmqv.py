from __future__ import annotations

from typing import Any

import pytest

from firmware_emu.crypto import ecmqv, ecqv
from firmware_emu.crypto.ecqv import CbkeCredentials
from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.ids import Eui64

pytestmark = pytest.mark.usefixtures("both_ways")


def _z(known: dict[str, Any], suite: int, own: str, partner: str) -> bytes:
    answers = known[f"suite{suite}"]
    me, other = answers[own], answers[partner]
    return ecmqv.agree(
        suite,
        int(me["static_private"], 16),
        int(me["ephemeral_private"], 16),
        bytes.fromhex(me["ephemeral_public"]),
        ecqv.extract_public_key(bytes.fromhex(other["cert"]), bytes.fromhex(answers["ca_public"]), suite),
        bytes.fromhex(other["ephemeral_public"]),
    )


@pytest.mark.parametrize("suite", [1, 2])
def test_both_sides_agree_on_the_published_secret(known: dict[str, Any], suite: int) -> None:
    published = known[f"suite{suite}"]["Z_published"]
    assert _z(known, suite, "initiator", "responder").hex() == published
    assert _z(known, suite, "responder", "initiator").hex() == published


def test_suite_1_derives_and_confirms_the_published_values(known: dict[str, Any]) -> None:
    answers = known["suite1"]
    mac_key, _ = ecmqv.derive(bytes.fromhex(answers["Z_published"]))
    assert mac_key.hex() == answers["mac_key_published"]
    assert _macs(answers, mac_key)[1].hex() == answers["macv_published"]


@pytest.mark.parametrize("suite", [1, 2])
def test_both_suites_derive_and_confirm_the_computed_values(known: dict[str, Any], suite: int) -> None:
    answers = known[f"suite{suite}"]
    mac_key, key_data = ecmqv.derive(bytes.fromhex(answers["Z_published"]))
    assert (mac_key.hex(), key_data.hex()) == (answers["mac_key_computed"], answers["key_data_computed"])
    assert [mac.hex() for mac in _macs(answers, mac_key)] == [answers["macu_computed"], answers["macv_computed"]]


def _macs(answers: dict[str, Any], mac_key: bytes) -> tuple[bytes, bytes]:
    first, second = answers["initiator"], answers["responder"]
    octets = [bytes.fromhex(text) for text in (first["id"], second["id"], first["ephemeral_public"], second["ephemeral_public"])]
    return ecmqv.confirm_macs(mac_key, *octets)


def _one_side(own: CbkeCredentials, pair: tuple[int, bytes], partner: CbkeCredentials, partner_ephemeral: bytes) -> bytes:
    static = ecqv.extract_public_key(partner.certificate, own.ca_public_key, own.suite)
    return ecmqv.agree(own.suite, own.private_key, *pair, static, partner_ephemeral)


@pytest.mark.parametrize("suite", [1, 2])
def test_a_handshake_between_two_fresh_devices_agrees_and_one_with_a_forged_certificate_does_not(suite: int) -> None:
    authority, forger = (ecqv.ImplicitAuthority.generate(Eui64(b"TESTAUTH"), suite) for _ in range(2))
    ours, theirs = (ecqv.issue(authority, Eui64(bytes([number] * 8))) for number in (1, 2))
    forged = ecqv.issue(forger, Eui64(bytes([2] * 8)))
    mine, other = ecmqv.ephemeral(suite), ecmqv.ephemeral(suite)
    z = _one_side(ours, mine, theirs, other[1])
    assert z == _one_side(theirs, other, ours, mine[1])
    assert len(z) == (21 if suite == 1 else 36)
    assert _one_side(ours, mine, forged, other[1]) != _one_side(forged, other, ours, mine[1])


def test_an_ephemeral_key_that_is_no_point_is_refused() -> None:
    authority = ecqv.ImplicitAuthority.generate(Eui64(b"TESTAUTH"))
    ours, theirs = (ecqv.issue(authority, Eui64(bytes([number] * 8))) for number in (1, 2))
    with pytest.raises(DecodeError, match="ephemeral public key"):
        _one_side(ours, ecmqv.ephemeral(2), theirs, b"\x02" + bytes(36))


def test_keys_that_cancel_each_other_are_refused() -> None:
    # The static key is chosen as -Q/avf(Q), so that Q + avf(Q) * static is infinity.
    authority = ecqv.ImplicitAuthority.generate(Eui64(b"TESTAUTH"))
    ours = ecqv.issue(authority, Eui64(bytes([1] * 8)))
    curve = ecqv.curve_of(2)
    private, public = ecmqv.ephemeral(2)
    received = curve.decompress(public)
    half = received.x & (1 << 141) - 1 | 1 << 141
    static = curve.multiply(-private * pow(half, -1, curve.n), curve.generator)
    assert static is not None
    with pytest.raises(ProtectionError, match="infinity"):
        ecmqv.agree(2, ours.private_key, *ecmqv.ephemeral(2), static, public)
