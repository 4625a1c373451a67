from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.framing import LONGEST_BODY, FrameReader, encode

FRAMES = st.builds(WanFrame, st.sampled_from(WanKind), st.integers(0, 2**64 - 1), st.binary(max_size=200))


@given(st.lists(FRAMES, max_size=6), st.integers(1, 40))
def test_frames_come_back_however_the_octets_are_cut(frames: list[WanFrame], piece: int) -> None:
    octets = b"".join(map(encode, frames))
    reader = FrameReader()
    read = [frame for start in range(0, len(octets), piece) for frame in reader.feed(octets[start : start + piece])]
    assert read == frames
    assert reader.offset == len(octets)


@given(st.binary(max_size=64))
def test_any_octets_give_frames_or_a_decode_error(octets: bytes) -> None:
    try:
        FrameReader().feed(octets)
    except DecodeError as error:
        assert error.field in ("length", "kind")  # noqa: PT017 (both outcomes are right)


def test_a_length_beyond_the_longest_body_is_refused_before_it_is_collected() -> None:
    with pytest.raises(DecodeError, match="length: 4294967295: expected 9 to 1048585"):
        FrameReader().feed(b"\xff\xff\xff\xff")


def test_an_unknown_kind_is_named_with_its_offset() -> None:
    good = encode(WanFrame(WanKind.MESSAGE, 1, b"abc"))
    with pytest.raises(DecodeError, match="at offset 20, kind: 9: expected 1 to 7"):
        FrameReader().feed(good + b"\x00\x00\x00\x09\x09" + bytes(8))


def test_a_body_that_is_too_long_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="1048577 octets"):
        encode(WanFrame(WanKind.IMAGE, 1, bytes(LONGEST_BODY + 1)))
