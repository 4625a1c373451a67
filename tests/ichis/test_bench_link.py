"""The bench link's frames, and the pair bit by bit."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError
from ichis.bench_link import LABEL, LONGEST, Frame, FrameReader
from ichis.uart import LineProfile, carried, levels_of, octets_of

FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=64))
LINES = st.builds(
    LineProfile,
    st.sampled_from([1200.0, 9600.0, 115200.0]),
    st.just(8),
    st.sampled_from(["none", "even", "odd"]),
    st.sampled_from([1.0, 2.0]),
    st.booleans(),
)


@given(FRAMES)
def test_a_frame_reads_back_as_it_was_written(frame: Frame) -> None:
    assert Frame.decode(frame.encode()) == frame


@given(st.lists(FRAMES, max_size=5), st.binary(max_size=20), st.integers(1, 9))
def test_frames_are_found_in_pieces_and_after_noise(frames: list[Frame], noise: bytes, piece: int) -> None:
    noise = noise.replace(b"\xc5", b"")
    octets = noise + b"".join(frame.encode() for frame in frames)
    reader, found = FrameReader(), []
    for start in range(0, len(octets), piece):
        found += reader.feed(octets[start : start + piece])
    assert found == frames
    assert reader.counters.frames == len(frames)


@given(FRAMES, st.data())
def test_every_flipped_bit_is_found(frame: Frame, data: st.DataObject) -> None:
    octets = bytearray(frame.encode())
    place = data.draw(st.integers(0, 8 * len(octets) - 1))
    octets[place // 8] ^= 1 << place % 8
    with pytest.raises(DecodeError):
        Frame.decode(bytes(octets))


@given(st.binary(max_size=200))
def test_arbitrary_octets_never_break_the_reader(octets: bytes) -> None:
    FrameReader().feed(octets)
    with contextlib.suppress(DecodeError):
        Frame.decode(octets)


def test_a_payload_that_no_frame_holds_is_refused_and_the_label_says_what_this_is_not() -> None:
    with pytest.raises(DecodeError, match="length"):
        Frame(1, 1, bytes(LONGEST + 1)).encode()
    assert "not ICHIS" in LABEL


@given(st.binary(max_size=40), LINES)
def test_equal_ends_carry_every_octet(octets: bytes, line: LineProfile) -> None:
    received = octets_of(levels_of(octets, line), line)
    assert received.octets == octets
    assert received.framing_errors == received.parity_errors == 0


@given(st.binary(min_size=1, max_size=40), st.floats(-2.5, 2.5))
def test_a_bit_clock_within_tolerance_carries_every_octet(octets: bytes, percent: float) -> None:
    line = LineProfile()
    assert carried(octets, LineProfile(line.baud * (1 + percent / 100)), line).octets == octets


@given(st.binary(min_size=4, max_size=40))
def test_a_wrong_polarity_or_clock_never_carries_text(octets: bytes) -> None:
    text = b"plain text " + octets
    line = LineProfile()
    assert carried(text, LineProfile(inverted=False), line).octets != text
    assert carried(text, LineProfile(line.baud * 1.12), line).octets != text


def test_a_parity_that_does_not_fit_is_counted() -> None:
    assert carried(b"UUUU", LineProfile(parity="even"), LineProfile(parity="odd")).parity_errors == 4
    with pytest.raises(ValueError, match="expected baud"):
        LineProfile(parity="mark")
