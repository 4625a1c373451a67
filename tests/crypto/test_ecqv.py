from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_emu.crypto import ecqv
from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64

SUBJECT = Eui64.parse("00db1234567890a0")

pytestmark = pytest.mark.usefixtures("both_ways")


def _published(known: dict[str, Any]) -> list[tuple[int, str, str]]:
    parties = [(number, known[f"suite{number}"][side]) for number in (1, 2) for side in ("initiator", "responder")]
    parties += [(item["suite"], item) for item in known["certificates"]]
    return [(suite, party["cert"], party["static_public"]) for suite, party in parties]


def test_published_certificates_give_their_public_keys(known: dict[str, Any]) -> None:
    found = _published(known)
    assert len(found) == 4 + 11
    for suite, certificate, public in found:
        authority = bytes.fromhex(known[f"suite{suite}"]["ca_public"])
        point = ecqv.extract_public_key(bytes.fromhex(certificate), authority, suite)
        assert ecqv.curve_of(suite).compress(point).hex() == public


def test_published_certificates_decode_and_encode_to_the_same_octets(known: dict[str, Any]) -> None:
    for suite, certificate, _ in _published(known):
        assert ecqv.ImplicitCertificate.decode(bytes.fromhex(certificate), suite).encode().hex() == certificate


def test_fields_of_a_published_suite_2_certificate(known: dict[str, Any]) -> None:
    decoded = ecqv.ImplicitCertificate.decode(bytes.fromhex(known["suite2"]["responder"]["cert"]), 2)
    assert decoded.subject == Eui64.parse("0a0b0c0d0e0f1011")
    assert decoded.issuer == Eui64.parse("1112131415161718")
    assert (decoded.valid_from, decoded.valid_for, decoded.key_usage) == (0x5292A35B, ecqv.NO_END, 0x88)


def test_certificates_without_the_key_agreement_bit_may_not_agree_keys(known: dict[str, Any]) -> None:
    allowed = {}
    for item in known["certificates"]:
        if item["suite"] == 2:
            decoded = ecqv.ImplicitCertificate.decode(bytes.fromhex(item["cert"]), 2)
            allowed[decoded.key_usage] = decoded.may_agree_keys
    assert allowed == {0x08: True, 0x00: False, 0x80: False}


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([1, 2]), st.binary(min_size=8, max_size=8))
def test_an_issued_private_key_fits_the_extracted_public_key(suite: int, subject: bytes) -> None:
    authority = ecqv.ImplicitAuthority.generate(Eui64(b"TESTAUTH"), suite)
    credentials = ecqv.issue(authority, Eui64(subject))
    curve = ecqv.curve_of(suite)
    decoded = ecqv.ImplicitCertificate.decode(credentials.certificate, suite)
    assert len(credentials.certificate) == ecqv.CERTIFICATE_LENGTH[suite]
    assert (decoded.subject, decoded.issuer) == (Eui64(subject), Eui64(b"TESTAUTH"))
    extracted = ecqv.extract_public_key(credentials.certificate, authority.public_key, suite)
    assert curve.multiply(credentials.private_key, curve.generator) == extracted


def test_a_changed_certificate_or_another_authority_gives_another_key() -> None:
    authority, other = (ecqv.ImplicitAuthority.generate(Eui64(b"TESTAUTH")) for _ in range(2))
    certificate = ecqv.issue(authority, SUBJECT).certificate
    right = ecqv.extract_public_key(certificate, authority.public_key, 2)
    changed = certificate[:35] + bytes([certificate[35] ^ 1]) + certificate[36:]
    assert ecqv.extract_public_key(changed, authority.public_key, 2) != right
    assert ecqv.extract_public_key(certificate, other.public_key, 2) != right


@pytest.mark.parametrize(("offset", "field"), [(0, "type"), (9, "curve"), (10, "hash")])
def test_a_suite_2_certificate_of_another_kind_is_refused(offset: int, field: str) -> None:
    octets = bytearray(ecqv.issue(ecqv.ImplicitAuthority.generate(Eui64(b"TESTAUTH")), SUBJECT).certificate)
    octets[offset] ^= 0x7F
    with pytest.raises(DecodeError) as raised:
        ecqv.ImplicitCertificate.decode(bytes(octets), 2)
    assert (raised.value.offset, raised.value.field) == (offset, field)


@pytest.mark.parametrize(
    ("octets", "suite", "problem"), [(bytes(47), 1, "expected 48"), (bytes(75), 2, "expected 74"), (bytes(48), 1, "0109")]
)
def test_octets_that_are_no_certificate_are_refused(octets: bytes, suite: int, problem: str) -> None:
    with pytest.raises(DecodeError, match=problem):
        ecqv.extract_public_key(octets, bytes(22), suite)


def test_a_suite_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DecodeError, match=r"expected 1 .* or 2"):
        ecqv.curve_of(3)


@given(st.binary(max_size=80), st.sampled_from([1, 2]))
def test_any_octets_decode_or_raise_a_decode_error(octets: bytes, suite: int) -> None:
    with suppress(DecodeError):
        assert ecqv.ImplicitCertificate.decode(octets, suite).encode() == octets


def test_no_private_key_is_shown() -> None:
    authority = ecqv.ImplicitAuthority.generate(Eui64(b"TESTAUTH"))
    credentials = ecqv.issue(authority, SUBJECT)
    for secret, shown in ((authority.private_key, repr(authority)), (credentials.private_key, repr(credentials))):
        assert str(secret) not in shown
        assert f"{secret:x}" not in shown


@pytest.mark.parametrize("suite", [1, 2])
def test_a_private_key_is_drawn_from_one_to_the_order_less_one(suite: int) -> None:
    """SEC 4: d is in [1, n - 1]; its public point is d times the generator."""
    curve = ecqv.curve_of(suite)

    class Drawn:
        """Entropy that gives the least or the greatest number that it is asked for."""

        def __init__(self, greatest: bool) -> None:
            self._greatest = greatest

        def below(self, limit: int) -> int:
            return limit - 1 if self._greatest else 0

    for greatest, expected in ((False, 1), (True, curve.n - 1)):
        private, public = ecqv.key_pair(suite, Drawn(greatest))  # type: ignore[arg-type]
        point = curve.multiply(expected, curve.generator)
        assert point is not None
        assert (private, public) == (expected, curve.compress(point))
