from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_emu.crypto.binary_curve import SECT163K1, SECT283K1, KoblitzCurve, Point
from firmware_emu.errors import DecodeError

CURVES = st.sampled_from([SECT163K1, SECT283K1])
SCALARS = st.integers(0, SECT283K1.n + 5)
pytestmark = pytest.mark.usefixtures("both_ways")
BOTH = pytest.mark.parametrize("curve", [SECT163K1, SECT283K1], ids=lambda curve: curve.name)


def _carry_less(a: int, b: int, modulus: int) -> int:
    """Schoolbook product of polynomials, to check the fast one by."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = a << 1, b >> 1
    while product.bit_length() >= modulus.bit_length():
        product ^= modulus << product.bit_length() - modulus.bit_length()
    return product


def _slow_multiple(curve: KoblitzCurve, scalar: int, point: Point | None) -> Point | None:
    """Double and add, to check the fast multiplication by."""
    total = None
    while scalar:
        if scalar & 1:
            total = curve.add(total, point)
        point, scalar = curve.add(point, point), scalar >> 1
    return total


@given(CURVES, st.data())
def test_field_products_squares_and_inverses_are_right(curve: KoblitzCurve, draw: st.DataObject) -> None:
    gf = curve.gf
    a, b = (draw.draw(st.integers(1, (1 << gf.m) - 1)) for _ in range(2))
    assert gf.multiply(a, b) == gf.by_table(a, gf.table(b)) == _carry_less(a, b, gf.modulus)
    assert gf.square(a) == gf.multiply(a, a)
    assert gf.multiply(a, gf.inverse(a)) == 1


@BOTH
def test_the_base_point_is_on_the_curve_and_has_the_stated_order(curve: KoblitzCurve) -> None:
    assert curve.contains(curve.generator)
    assert _slow_multiple(curve, curve.n, curve.generator) is None
    assert curve.multiply(curve.n, curve.generator) is None
    assert curve.multiply(curve.n - 1, curve.generator) == curve.negate(curve.generator)


@settings(max_examples=25, deadline=None)
@given(CURVES, SCALARS)
def test_the_fast_multiplication_is_repeated_addition(curve: KoblitzCurve, scalar: int) -> None:
    assert curve.multiply(scalar, curve.generator) == _slow_multiple(curve, scalar, curve.generator)


@pytest.mark.parametrize("scalar", range(20))
@BOTH
def test_small_multiples_are_repeated_addition(curve: KoblitzCurve, scalar: int) -> None:
    assert curve.multiply(scalar, curve.generator) == _slow_multiple(curve, scalar, curve.generator)


@settings(max_examples=20, deadline=None)
@given(CURVES, SCALARS, SCALARS, SCALARS)
def test_points_form_a_commutative_group(curve: KoblitzCurve, i: int, j: int, k: int) -> None:
    p, q, r = (curve.multiply(scalar, curve.generator) for scalar in (i, j, k))
    assert curve.add(p, q) == curve.add(q, p)
    assert curve.add(curve.add(p, q), r) == curve.add(p, curve.add(q, r))
    assert curve.add(p, curve.negate(p)) is None
    assert curve.add(p, None) == p
    assert curve.add(p, q) == curve.multiply(i + j, curve.generator)


@settings(max_examples=20, deadline=None)
@given(CURVES, st.integers(1, SECT163K1.n - 1))
def test_a_point_survives_compression(curve: KoblitzCurve, scalar: int) -> None:
    point = curve.multiply(scalar, curve.generator)
    assert point is not None
    assert curve.contains(point)
    assert curve.decompress(curve.compress(point)) == point


def test_published_private_keys_give_their_public_keys(known: dict[str, Any]) -> None:
    pairs = [(1, known["suite1"]), (2, known["suite2"])]
    found = [
        (suite, party[f"{kind}_private"], party[f"{kind}_public"])
        for suite, answers in pairs
        for party in (answers["initiator"], answers["responder"])
        for kind in ("static", "ephemeral")
    ]
    found += [(item["suite"], item["static_private"], item["static_public"]) for item in known["certificates"]]
    assert len(found) == 19
    for suite, private, public in found:
        curve = SECT163K1 if suite == 1 else SECT283K1
        point = curve.multiply(int(private, 16), curve.generator)
        assert point is not None
        assert curve.compress(point).hex() == public


@BOTH
def test_octets_that_are_no_point_are_refused_with_offset_and_field(curve: KoblitzCurve) -> None:
    good = curve.compress(curve.generator)
    no_point = next(octets for x in range(2, 40) if not _decompresses(curve, octets := b"\x02" + x.to_bytes(curve.gf.length, "big")))
    for octets, offset, problem in (
        (good[:-1], 7, "expected"),
        (b"\x04" + good[1:], 7, "expected 02 or 03"),
        (b"\x02" + bytes(curve.gf.length), 8, "zero"),
        (b"\x02" + b"\xff" * curve.gf.length, 8, "bits"),
        (no_point, 8, "no point"),
    ):
        with pytest.raises(DecodeError, match=problem) as raised:
            curve.decompress(octets, 7, "QeU")
        assert (raised.value.offset, raised.value.field) == (offset, "QeU")


def _decompresses(curve: KoblitzCurve, octets: bytes) -> bool:
    try:
        return curve.contains(curve.decompress(octets))
    except DecodeError:
        return False


@settings(max_examples=50, deadline=None)
@given(CURVES, st.data())
def test_whatever_decompresses_lies_on_the_curve(curve: KoblitzCurve, draw: st.DataObject) -> None:
    octets = draw.draw(st.sampled_from([b"\x02", b"\x03"])) + draw.draw(st.integers(0, (1 << curve.gf.m) - 1)).to_bytes(
        curve.gf.length, "big"
    )
    try:
        point = curve.decompress(octets)
    except DecodeError:
        return
    assert curve.contains(point)
    assert curve.compress(point) == octets


@pytest.mark.needs("openssl")
@BOTH
def test_openssl_makes_the_same_public_keys_and_shared_secret(curve: KoblitzCurve, tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        key = tmp_path / f"{name}.pem"
        if subprocess.run(["openssl", "ecparam", "-name", curve.name, "-genkey", "-noout", "-out", key], capture_output=True).returncode:
            pytest.skip(f"this openssl was built without {curve.name}")
        text = subprocess.run(
            ["openssl", "ec", "-in", key, "-text", "-noout", "-conv_form", "compressed"], capture_output=True, text=True, check=True
        ).stdout
        private, public = (
            bytes.fromhex(re.sub(r"[\s:]", "", found[1])) for found in re.finditer(r"(?:priv|pub):\n((?:\s+[0-9a-f:]+\n)+)", text)
        )
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", tmp_path / f"{name}.pub"], capture_output=True, check=True)
        point = curve.multiply(int.from_bytes(private, "big"), curve.generator)
        assert point is not None
        assert point == curve.decompress(public)
        made.append((int.from_bytes(private, "big"), point))
    derive = ["openssl", "pkeyutl", "-derive", "-inkey", str(tmp_path / "a.pem"), "-peerkey", str(tmp_path / "b.pub")]
    shared = subprocess.run(derive, capture_output=True, check=True).stdout
    ours = curve.multiply(made[0][0], made[1][1])
    assert ours is not None
    assert ours.x.to_bytes(curve.gf.length, "big") == shared
