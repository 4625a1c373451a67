"""Points of the curves of key establishment, multiplied and read by this machine's OpenSSL, where it has one that knows the curve.

Multiplies some twenty times as fast as :mod:`firmware_emu.crypto.binary_curve`, which does the same where there is none. The library is
found by the names of its versions and loaded at the first use. Points travel as X9.62 octets: 04, x, y, or 02 or 03 and x, or a single
00 for infinity.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Final

_NAMES: Final = ("libcrypto.so.3", "libcrypto.so.1.1")
"""Never a name without a version: some systems end a program that loads their own private library by it."""
_UNCOMPRESSED: Final = 4
_COMPRESSED: Final = 2
_POINTER: Final = ctypes.c_void_p
_OCTETS: Final = ctypes.c_char_p
_SIZE: Final = ctypes.c_size_t
_INT: Final = ctypes.c_int
_FUNCTIONS: Final = (
    ("OBJ_sn2nid", _INT, (_OCTETS,)),
    ("EC_GROUP_new_by_curve_name", _POINTER, (_INT,)),
    ("EC_POINT_new", _POINTER, (_POINTER,)),
    ("EC_POINT_free", None, (_POINTER,)),
    ("EC_POINT_oct2point", _INT, (_POINTER, _POINTER, _OCTETS, _SIZE, _POINTER)),
    ("EC_POINT_point2oct", _SIZE, (_POINTER, _POINTER, _INT, _OCTETS, _SIZE, _POINTER)),
    ("EC_POINT_add", _INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    ("EC_POINT_mul", _INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    ("BN_bin2bn", _POINTER, (_OCTETS, _INT, _POINTER)),
    ("BN_clear_free", None, (_POINTER,)),
    ("ERR_clear_error", None, ()),
)


@cache
def _library() -> ctypes.CDLL | None:
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
            for function, result, arguments in _FUNCTIONS:
                found = getattr(library, function)
                found.restype, found.argtypes = result, arguments
        except (OSError, AttributeError):
            continue
        return library
    return None


class Group:
    """A curve of the library. Usable from several threads: every call has points of its own."""

    def __init__(self, library: ctypes.CDLL, group: int) -> None:
        self._library = library
        self._group = group

    def multiply(self, scalar: int, point: bytes) -> bytes:
        """``scalar``, not negative, times a point. Raises ValueError: the octets are no point of the curve."""
        return self._times(scalar, point)

    def add(self, point: bytes, other: bytes) -> bytes:
        """Sum of two points. Raises ValueError: the octets are no points of the curve."""
        return self._times(None, point, other)

    def uncompressed(self, point: bytes) -> bytes:
        """The same point with y. Raises ValueError: the octets are no point of the curve."""
        return self._times(None, point)

    def compressed(self, point: bytes) -> bytes:
        """The same point without y. Raises ValueError: the octets are no point of the curve."""
        return self._times(None, point, form=_COMPRESSED)

    def _times(self, scalar: int | None, point: bytes, plus: bytes | None = None, form: int = _UNCOMPRESSED) -> bytes:
        library, group = self._library, self._group
        place, other = library.EC_POINT_new(group), None
        number = None
        try:
            self._read(place, point)
            if plus is not None:
                other = library.EC_POINT_new(group)
                self._read(other, plus)
                if not library.EC_POINT_add(group, place, place, other, None):
                    raise MemoryError("libcrypto could not add two points")
            if scalar is not None:
                factor = scalar.to_bytes((scalar.bit_length() + 7) // 8, "big")
                number = library.BN_bin2bn(factor, len(factor), None)
                if not library.EC_POINT_mul(group, place, None, place, number, None):
                    raise MemoryError("libcrypto could not multiply a point")
            octets = ctypes.create_string_buffer(2 * len(point))
            length = library.EC_POINT_point2oct(group, place, form, octets, len(octets), None)
            return octets.raw[:length]
        finally:
            library.EC_POINT_free(place)
            library.EC_POINT_free(other)
            library.BN_clear_free(number)

    def _read(self, place: int, point: bytes) -> None:
        if not self._library.EC_POINT_oct2point(self._group, place, point, len(point), None):
            self._library.ERR_clear_error()
            raise ValueError("not a point of the curve")


_SCHEDULE: Final = 512
"""Octets for a key schedule of AES, of which the library uses 244."""


def aes() -> Callable[[bytes, bytes], bytes] | None:
    """AES-128 of one block: key and block, 16 octets each, to 16 octets; None where this machine has no libcrypto with it.

    For what takes a fresh key for each block: to make a cipher for it takes three times as long."""
    library = _library()
    try:
        set_key, encrypt = library.AES_set_encrypt_key, library.AES_encrypt  # type: ignore[union-attr]
    except AttributeError:  # built without what OpenSSL 3 calls deprecated, or not there
        return None
    set_key.argtypes, encrypt.argtypes, encrypt.restype = (_OCTETS, _INT, _OCTETS), (_OCTETS, _OCTETS, _OCTETS), None

    def sealed(key: bytes, block: bytes) -> bytes:
        schedule, found = ctypes.create_string_buffer(_SCHEDULE), ctypes.create_string_buffer(len(block))
        set_key(key, 8 * len(key), schedule)
        encrypt(block, found, schedule)
        return found.raw

    return sealed


@cache
def group_of(curve: str) -> Group | None:
    """The curve of that name, for ever; None where this machine has no libcrypto, or one without it."""
    library = _library()
    if library is None:
        return None
    group = library.EC_GROUP_new_by_curve_name(library.OBJ_sn2nid(curve.encode()))
    if not group:
        library.ERR_clear_error()
        return None
    return Group(library, group)


def version() -> str:
    """The library's own words, such as ``OpenSSL 3.0.17 1 Jul 2025``; empty where there is none."""
    library = _library()
    if library is None:
        return ""
    library.OpenSSL_version.restype = _OCTETS
    words: bytes = library.OpenSSL_version(0)
    return words.decode()
