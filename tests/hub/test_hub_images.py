"""Pieces of an image for the hub, and the OTA file that they make: what is taken at its limit and what is not."""

from __future__ import annotations

import struct

import pytest

from firmware_emu.device.firmware import OtaImage
from firmware_emu.errors import DecodeError
from firmware_emu.hub.ota import ImagePiece
from firmware_emu.ids import Eui64

TARGET = Eui64(bytes(range(8)))
LONGEST = 10_240_000
"""Octets, DUIS 11.1."""


@pytest.mark.parametrize(("total", "offset", "octets"), [(1, 0, 1), (10, 4, 6), (LONGEST, LONGEST - 3, 3)])
def test_a_piece_comes_back_as_it_was_sent(total: int, offset: int, octets: int) -> None:
    piece = ImagePiece(TARGET, total, offset, bytes(octets))
    assert piece.encode() == TARGET.octets + struct.pack(">II", total, offset) + bytes(octets)
    assert ImagePiece.decode(piece.encode()) == piece


@pytest.mark.parametrize(
    ("total", "offset", "octets", "told"),
    [
        (0, 0, 1, "at offset 8, IMAGE total: 0 and 1 octets of 0, expected to fit in at most 10240000"),
        (10, 5, 6, "at offset 8, IMAGE total: 5 and 6 octets of 10, expected to fit in at most 10240000"),
        (LONGEST + 1, 0, 1, "at offset 8, IMAGE total: 0 and 1 octets of 10240001, expected to fit in at most 10240000"),
        (10, 5, 0, "at offset 0, IMAGE: 16 octets, expected target, total, offset and data"),
    ],
)
def test_a_piece_that_does_not_fit_is_refused(total: int, offset: int, octets: int, told: str) -> None:
    with pytest.raises(DecodeError) as refused:
        ImagePiece.decode(TARGET.octets + struct.pack(">II", total, offset) + bytes(octets))
    assert str(refused.value) == told


def _file(image: bytes, *, identifier: int = 0x0BEEF11E, size: int | None = None, marker: int = 0x40) -> bytes:
    """A file by ZCL 11.4: a header of 60 octets whose total is at 52, the image, GBCS's octet of force, 40, the signature."""
    total = 60 + len(image) + 66
    head = struct.pack("<IHHHHHIH32sIHH", identifier, 0x0100, 60, 4, 0x10D4, 1, 0x01020304, 2, b"name", size or total, 3, 5)
    return head + image + bytes([0, marker]) + bytes(range(64))


def test_a_file_gives_its_version_its_hardware_its_image_and_its_signature() -> None:
    for image in (b"", b"x", b"an image"):
        read = OtaImage.decode(_file(image))
        assert (read.version, read.hardware, read.image, read.signature) == (0x01020304, (3, 5), image, bytes(range(64)))


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (_file(b"")[:-1], "at offset 0, OTA file: 125 octets, expected at least 126"),
        (_file(b"abc", identifier=1), "at offset 0, OTA file identifier: read 00000001, expected 0beef11e"),
        (_file(b"abc", size=128), "at offset 52, total image size: read 128, the file has 129 octets"),
        (_file(b"abc", marker=0x41), "at offset 64, signature length: read 41, expected 40"),
    ],
)
def test_a_file_that_is_none_is_told_where(octets: bytes, told: str) -> None:
    with pytest.raises(DecodeError) as refused:
        OtaImage.decode(octets)
    assert str(refused.value) == told
