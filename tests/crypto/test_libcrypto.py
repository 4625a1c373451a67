from __future__ import annotations

import ctypes

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_emu.cli import chub
from firmware_emu.crypto import libcrypto
from firmware_emu.crypto.aes_mmo import aes_here
from firmware_emu.crypto.binary_curve import SECT163K1, SECT283K1, KoblitzCurve
from firmware_emu.errors import DecodeError

CURVES = st.sampled_from([SECT163K1, SECT283K1])
HERE = pytest.mark.skipif(libcrypto.group_of("sect283k1") is None, reason="no libcrypto with sect283k1 here: apt-get install libssl3")


@HERE
@settings(max_examples=100, deadline=None)
@given(CURVES, st.integers(0, SECT283K1.n + 5), st.integers(1, SECT163K1.n - 1))
def test_libcrypto_and_python_multiply_alike(curve: KoblitzCurve, scalar: int, of: int) -> None:
    point = curve.multiply_here(of, curve.generator)
    assert point is not None
    assert curve.multiply(scalar, point) == curve.multiply_here(scalar, point)


@HERE
@settings(max_examples=30, deadline=None)
@given(CURVES, st.integers(1, SECT163K1.n - 1), st.integers(1, SECT163K1.n - 1), st.booleans())
def test_libcrypto_and_python_add_alike_a_point_to_itself_and_to_its_inverse_as_well(
    curve: KoblitzCurve, one: int, other: int, same: bool
) -> None:
    p, q = curve.multiply(one, curve.generator), curve.multiply(one if same else other, curve.generator)
    assert p is not None
    assert q is not None
    inverse = curve.negate(p)
    assert inverse is not None
    assert curve.add(p, q) == curve.add_here(p, q)
    assert curve.add(p, inverse) is None is curve.add_here(p, inverse)


@HERE
@settings(max_examples=30, deadline=None)
@given(CURVES, st.integers(1, SECT163K1.n - 1))
def test_libcrypto_and_python_write_the_same_short_point(curve: KoblitzCurve, scalar: int) -> None:
    point = curve.multiply(scalar, curve.generator)
    assert point is not None
    assert curve.compress(point) == curve.compress_here(point)


@HERE
@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_libcrypto_and_the_library_of_the_project_seal_a_block_alike(key: bytes, block: bytes) -> None:
    seal = libcrypto.aes()
    assert seal is not None
    assert seal(key, block) == aes_here(key, block)


@HERE
@settings(max_examples=200, deadline=None)
@given(CURVES, st.sampled_from([2, 3]), st.data())
def test_libcrypto_and_python_read_the_same_points_and_refuse_the_same_octets(curve: KoblitzCurve, sign: int, draw: st.DataObject) -> None:
    octets = bytes([sign]) + draw.draw(st.integers(1, (1 << curve.gf.m) - 1)).to_bytes(curve.gf.length, "big")
    here = curve.decompress_here(octets)
    if here is None:
        with pytest.raises(DecodeError, match="no point"):
            curve.decompress(octets)
    else:
        assert curve.decompress(octets) == here


@HERE
@settings(max_examples=30, deadline=None)
@given(CURVES, st.integers(1, SECT163K1.n - 1), st.data())
def test_a_point_of_another_order_that_a_hostile_partner_sends_agrees_alike(curve: KoblitzCurve, scalar: int, draw: st.DataObject) -> None:
    octets = b"\x02" + draw.draw(st.integers(1, (1 << curve.gf.m) - 1)).to_bytes(curve.gf.length, "big")
    if (point := curve.decompress_here(octets)) is None:
        return
    cleared = curve.clear_cofactor(point)
    assert curve.multiply(scalar, cleared) == (None if cleared is None else curve.multiply_here(scalar, cleared))
    assert curve.clear_cofactor(curve.multiply(scalar, point)) == curve.clear_cofactor(curve.multiply_here(scalar, point))


def test_a_curve_that_the_library_does_not_know_is_none() -> None:
    assert libcrypto.group_of("sect283k9") is None


def test_a_machine_without_libcrypto_has_no_group_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ctypes.CDLL:
        raise OSError(f"{name}: cannot open shared object file")

    caches = (libcrypto._library, libcrypto.group_of)
    monkeypatch.setattr(libcrypto.ctypes, "CDLL", absent)
    for each in caches:
        each.cache_clear()
    try:
        assert libcrypto.group_of("sect283k1") is None
        assert libcrypto.version() == ""
        assert SECT283K1.multiply(3, SECT283K1.generator) == SECT283K1.multiply_here(3, SECT283K1.generator)
        told = CliRunner().invoke(chub, ["--version", "-v"])
        assert "key establishment on sect283k1: this package's own Python" in told.output
    finally:
        for each in caches:
            each.cache_clear()


@HERE
def test_the_version_tells_which_arithmetic_is_used() -> None:
    plain, verbose = (CliRunner().invoke(chub, words) for words in (["--version"], ["--version", "-v"]))
    assert plain.exit_code == verbose.exit_code == 0
    assert verbose.output.startswith(plain.output)
    assert plain.output.count("\n") == 1
    assert f"key establishment on sect283k1: libcrypto ({libcrypto.version()})" in verbose.output
