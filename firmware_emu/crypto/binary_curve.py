"""The Koblitz curves of key establishment: sect163k1 (suite 1) and sect283k1 (suite 2), in plain integers.

A field element is an integer whose bits are the coefficients of a polynomial. A point is a :class:`Point`, or None for infinity. Timing
depends on the secrets: this is for a bench, not for production keys. Domain parameters: reference cbke 3 (SEC 2).

The machine's libcrypto multiplies and reads points where it can (:mod:`firmware_emu.crypto.libcrypto`); otherwise this module does, and
both give the same. Multiplication here uses what a Koblitz curve offers: squaring both coordinates is a multiplication by tau, a root of
z^2 - mu z + 2, so a scalar written in powers of tau needs no doublings (Solinas; Guide to Elliptic Curve Cryptography, 3.4), and
Lopez-Dahab coordinates, which need no inversions (same book, 3.2.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from firmware_emu.crypto import libcrypto
from firmware_emu.errors import DecodeError


@dataclass(frozen=True, slots=True)
class Point:
    """A point other than infinity, affine."""

    x: int
    y: int


class BinaryField:
    """GF(2^m) modulo x^m + sum(x^t for t in ``taps``), ``taps`` including 0."""

    def __init__(self, m: int, taps: tuple[int, ...]) -> None:
        self.m = m
        self.taps = taps
        self.length = (m + 7) // 8
        """Octets of an element."""
        self._mask = (1 << m) - 1
        self.modulus = 1 << m | sum(1 << tap for tap in taps)

    def reduce(self, value: int) -> int:
        """Remainder of a polynomial of any degree."""
        while (high := value >> self.m) != 0:
            value &= self._mask
            for tap in self.taps:
                value ^= high << tap
        return value

    def multiply(self, a: int, b: int) -> int:
        """Product, four bits of ``a`` at a time."""
        b2, b4, b8 = b << 1, b << 2, b << 3
        b3, b5, b6 = b2 ^ b, b4 ^ b, b4 ^ b2
        b7 = b6 ^ b
        row = (0, b, b2, b3, b4, b5, b6, b7, b8, b8 ^ b, b8 ^ b2, b8 ^ b3, b8 ^ b4, b8 ^ b5, b8 ^ b6, b8 ^ b7)
        product = 0
        for octet in a.to_bytes(self.length, "big"):
            product = product << 8 ^ row[octet >> 4] << 4 ^ row[octet & 15]
        return self.reduce(product)

    def table(self, b: int) -> list[int]:
        """The 256 multiples of ``b`` by polynomials of degree below 8, for :meth:`by_table`: worth it from some ten products on."""
        row = [0] * 256
        row[1] = b
        for index in range(1, 128):
            row[2 * index] = row[index] << 1
            row[2 * index + 1] = row[index] << 1 ^ b
        return row

    def by_table(self, a: int, table: list[int]) -> int:
        """Product of ``a`` and the element ``table`` was made of."""
        product = 0
        for octet in a.to_bytes(self.length, "big"):
            product = product << 8 ^ table[octet]
        return self.reduce(product)

    def square(self, a: int) -> int:
        """Square: the bits of ``a`` spread apart, which is the same digits read in base 4."""
        return self.reduce(int(f"{a:b}", 4))

    def inverse(self, a: int) -> int:
        """Inverse of a non-zero element, by the extended Euclidean algorithm."""
        if a == 0:
            raise ZeroDivisionError("zero has no inverse")
        u, v, g1, g2 = a, self.modulus, 1, 0
        while u != 1:
            shift = u.bit_length() - v.bit_length()
            if shift < 0:
                u, v, g1, g2 = v, u, g2, g1
                shift = -shift
            u ^= v << shift
            g1 ^= g2 << shift
        return self.reduce(g1)

    def half_trace(self, c: int) -> int:
        """z with z^2 + z = c where there is one (m is odd)."""
        total = term = c
        for _ in range(self.m // 2):
            term = self.square(self.square(term))
            total ^= term
        return total


@dataclass(frozen=True, slots=True)
class KoblitzCurve:
    """y^2 + xy = x^3 + a x^2 + 1 over the field ``gf``, a base point of prime order ``n`` and cofactor ``h``."""

    name: str
    gf: BinaryField
    a: int
    generator: Point
    n: int
    h: int

    @property
    def point_length(self) -> int:
        """Octets of a compressed point."""
        return self.gf.length + 1

    @property
    def scalar_length(self) -> int:
        """Octets of a private key."""
        return (self.n.bit_length() + 7) // 8

    def contains(self, point: Point) -> bool:
        """True if the point lies on the curve."""
        gf = self.gf
        left = gf.multiply(point.y, point.y ^ point.x)
        return left == gf.multiply(gf.square(point.x), point.x ^ self.a) ^ 1

    def negate(self, point: Point | None) -> Point | None:
        """The inverse in the group."""
        return None if point is None else Point(point.x, point.x ^ point.y)

    def add(self, p: Point | None, q: Point | None) -> Point | None:
        """Sum of two points."""
        if p is None or q is None:
            return q if p is None else p
        group = libcrypto.group_of(self.name)
        return self.add_here(p, q) if group is None else self._point(group.add(self._octets(p), self._octets(q)))

    def add_here(self, p: Point, q: Point) -> Point | None:
        """The same without libcrypto."""
        gf = self.gf
        if p.x == q.x:
            if p.y != q.y or p.x == 0:
                return None
            slope = p.x ^ gf.multiply(p.y, gf.inverse(p.x))
            x = gf.square(slope) ^ slope ^ self.a
            return Point(x, gf.square(p.x) ^ gf.multiply(slope ^ 1, x))
        slope = gf.multiply(p.y ^ q.y, gf.inverse(p.x ^ q.x))
        x = gf.square(slope) ^ slope ^ p.x ^ q.x ^ self.a
        return Point(x, gf.multiply(slope, p.x ^ x) ^ x ^ p.y)

    def clear_cofactor(self, point: Point | None) -> Point | None:
        """h times ``point``: of order n, or infinity."""
        for _ in range(self.h.bit_length() - 1):
            point = self.add(point, point)
        return point

    def multiply(self, scalar: int, point: Point | None) -> Point | None:
        """``scalar`` times a point of order n. Of any other point, only the part of order n is multiplied by ``scalar``."""
        if point is None:
            return None
        group = libcrypto.group_of(self.name)
        if group is None:
            return self.multiply_here(scalar, point)
        return self._point(group.multiply(scalar % self.n, self._octets(point)))

    def multiply_here(self, scalar: int, point: Point) -> Point | None:
        """The same without libcrypto."""
        return self._evaluate(self._tau_digits(scalar % self.n), point)

    def _octets(self, point: Point) -> bytes:
        """A point as libcrypto takes it: 04, x, y."""
        length = self.gf.length
        return b"\x04" + point.x.to_bytes(length, "big") + point.y.to_bytes(length, "big")

    def _point(self, octets: bytes) -> Point | None:
        """A point that libcrypto gave: 04, x, y, or 00 for infinity."""
        length = self.gf.length
        if len(octets) == 1:
            return None
        return Point(int.from_bytes(octets[1 : 1 + length], "big"), int.from_bytes(octets[1 + length :], "big"))

    def _tau_digits(self, scalar: int) -> list[int]:
        """The scalar as signed digits -1, 0, 1 of powers of tau, lowest first, after taking away multiples of (tau^m - 1)/(tau - 1)."""
        mu = 1 if self.a == 1 else -1
        d0, d1 = _order_in_tau(self.gf.m, mu)
        # scalar / (d0 + d1 tau) = scalar * conjugate / norm; the conjugate of tau is mu - tau, and the norm is n.
        q0 = _rounded(scalar * (d0 + mu * d1), self.n)
        q1 = _rounded(-scalar * d1, self.n)
        r0 = scalar - (q0 * d0 - 2 * q1 * d1)
        r1 = -(q0 * d1 + q1 * d0 + mu * q1 * d1)
        digits = []
        while r0 or r1:
            digit = 2 - (r0 - 2 * r1) % 4 if r0 & 1 else 0
            digits.append(digit)
            half = (r0 - digit) >> 1
            r0, r1 = r1 + mu * half, -half
        return digits

    def _evaluate(self, digits: list[int], point: Point) -> Point | None:
        """Sum of digit * tau^i * point in Lopez-Dahab coordinates: x = X/Z, y = Y/Z^2, infinity is Z = 0."""
        gf, square, multiply, by_table, a = self.gf, self.gf.square, self.gf.multiply, self.gf.by_table, self.a
        sum_xy = point.x ^ point.y
        of_x, of_y, of_sum = gf.table(point.x), gf.table(point.y), gf.table(sum_xy)
        x = y = z = 0
        for digit in reversed(digits):
            if z:
                x, y, z = square(x), square(y), square(z)
            if digit == 0:
                continue
            # adding -P swaps y and x + y of the affine operand
            y2, of_y2, of_sum2 = (point.y, of_y, of_sum) if digit == 1 else (sum_xy, of_sum, of_y)
            if z == 0:
                x, y, z = point.x, y2, 1
                continue
            z_squared = square(z)
            b = x ^ by_table(z, of_x)
            big_a = y ^ by_table(z_squared, of_y2)
            if b == 0:
                doubled = self.add(Point(point.x, y2), Point(point.x, y2)) if big_a == 0 else None
                x, y, z = (0, 0, 0) if doubled is None else (doubled.x, doubled.y, 1)
                continue
            c = multiply(z, b)
            z = square(c)
            product = multiply(c, big_a)
            x = multiply(square(b), c ^ z_squared if a else c) ^ square(big_a) ^ product
            y = multiply(product ^ z, by_table(z, of_x) ^ x) ^ by_table(square(z), of_sum2)
        if z == 0:
            return None
        inverse = gf.inverse(z)
        return Point(multiply(x, inverse), multiply(y, square(inverse)))

    def compress(self, point: Point) -> bytes:
        """02 or 03 (the low bit is that of y/x), then x big-endian."""
        group = libcrypto.group_of(self.name)
        return self.compress_here(point) if group is None else group.compressed(self._octets(point))

    def compress_here(self, point: Point) -> bytes:
        """The same without libcrypto."""
        ratio = self.gf.multiply(point.y, self.gf.inverse(point.x)) if point.x else 0
        return bytes([2 | ratio & 1]) + point.x.to_bytes(self.gf.length, "big")

    def decompress(self, octets: bytes, offset: int = 0, field: str = "point") -> Point:
        """Read a compressed point; x = 0 (order 2) is refused. Raises DecodeError(offset, field, problem)."""
        gf = self.gf
        if len(octets) != self.point_length:
            raise DecodeError(offset, field, f"{len(octets)} octets: expected {self.point_length}, a compressed point of {self.name}")
        if octets[0] not in (2, 3):
            raise DecodeError(offset, field, f"starts with {octets[0]:02x}: expected 02 or 03, a compressed point")
        x = int.from_bytes(octets[1:], "big")
        if x == 0 or x >> gf.m:
            raise DecodeError(offset + 1, field, f"x is {'zero' if x == 0 else f'over {gf.m} bits'}: expected a point of {self.name}")
        group = libcrypto.group_of(self.name)
        try:
            point = self.decompress_here(octets) if group is None else self._point(group.uncompressed(octets))
        except ValueError:
            point = None
        if point is None:
            raise DecodeError(offset + 1, field, f"x belongs to no point of {self.name}")
        return point

    def decompress_here(self, octets: bytes) -> Point | None:
        """A compressed point whose x is an element other than 0, read without libcrypto; None where x belongs to no point."""
        gf, x = self.gf, int.from_bytes(octets[1:], "big")
        c = x ^ self.a ^ gf.square(gf.inverse(x))
        z = gf.half_trace(c)
        return Point(x, gf.multiply(x, z ^ (z ^ octets[0]) & 1)) if gf.square(z) ^ z == c else None


@cache
def _order_in_tau(m: int, mu: int) -> tuple[int, int]:
    """d0, d1 with d0 + d1 tau = (tau^m - 1) / (tau - 1), which takes every point of order n to infinity."""
    d0 = d1 = 0
    power0, power1 = 1, 0
    for _ in range(m):
        d0, d1 = d0 + power0, d1 + power1
        power0, power1 = -2 * power1, power0 + mu * power1
    return d0, d1


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


SECT163K1: Final = KoblitzCurve(
    name="sect163k1",
    gf=BinaryField(163, (7, 6, 3, 0)),
    a=1,
    generator=Point(0x02FE13C0537BBC11ACAA07D793DE4E6D5E5C94EEE8, 0x0289070FB05D38FF58321F2E800536D538CCDAA3D9),
    n=0x04000000000000000000020108A2E0CC0D99F8A5EF,
    h=2,
)

SECT283K1: Final = KoblitzCurve(
    name="sect283k1",
    gf=BinaryField(283, (12, 7, 5, 0)),
    a=0,
    generator=Point(
        0x0503213F78CA44883F1A3B8162F188E553CD265F23C1567A16876913B0C2AC2458492836,
        0x01CCDA380F1C9E318D90F95D07E5426FE87E45C0E8184698E45962364E34116177DD2259,
    ),
    n=0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE9AE2ED07577265DFF7F94451E061E163C61,
    h=4,
)
