"""Limits of the SM WAN's octets: the last that is taken, the first that is refused, and where it is."""

from __future__ import annotations

import struct

import pytest

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.channel import Hello
from firmware_emu.wan.framing import LONGEST_BODY, FrameReader, encode

CHF, GPF = Eui64(bytes(range(8))), Eui64(bytes(range(8, 16)))
FIRST = encode(WanFrame(WanKind.ACKNOWLEDGE, 1))


def _raw(length: int, kind: int = 3, body: bytes = b"") -> bytes:
    return struct.pack(">IBQ", length, kind, 7) + body


def test_a_frame_has_its_length_its_kind_a_sequence_of_eight_octets_and_the_body() -> None:
    """This bench's own layout: u32 length of what follows, u8 kind, u64 sequence, body."""
    assert encode(WanFrame(WanKind.MESSAGE, 7, b"abc")) == _raw(12, 3, b"abc")
    assert FrameReader().feed(_raw(12, 3, b"abc")) == [WanFrame(WanKind.MESSAGE, 7, b"abc")]


@pytest.mark.parametrize("length", [0, 8, 9 + LONGEST_BODY + 1])
def test_a_length_that_cannot_hold_a_head_or_is_over_the_longest_is_told_where_it_stands(length: int) -> None:
    reader = FrameReader()
    reader.feed(FIRST)
    with pytest.raises(DecodeError) as refused:
        reader.feed(_raw(length))
    assert str(refused.value) == f"at offset {len(FIRST)}, length: {length}: expected 9 to {9 + (1 << 20)}"


@pytest.mark.parametrize("kind", [0, 8, 255])
def test_a_kind_that_there_is_not_is_told_where_it_stands(kind: int) -> None:
    reader = FrameReader()
    reader.feed(FIRST)
    with pytest.raises(DecodeError) as refused:
        reader.feed(_raw(9, kind))
    assert str(refused.value) == f"at offset {len(FIRST) + 4}, kind: {kind}: expected 1 to 7"


def test_the_longest_body_goes_through_and_one_octet_more_is_not_sent() -> None:
    octets = encode(WanFrame(WanKind.IMAGE, 1, bytes(LONGEST_BODY)))
    reader = FrameReader()
    assert reader.feed(octets[:-1]) == []
    (frame,) = reader.feed(octets[-1:])
    assert len(frame.body) == LONGEST_BODY == 1 << 20
    assert reader.offset == len(octets)
    with pytest.raises(ValueError, match=f"the body has {LONGEST_BODY + 1} octets: expected at most {LONGEST_BODY}"):
        encode(WanFrame(WanKind.IMAGE, 1, bytes(LONGEST_BODY + 1)))


def test_frames_are_cut_wherever_their_octets_come_apart() -> None:
    frames = [WanFrame(WanKind.MESSAGE, number, bytes([number]) * number) for number in range(4)]
    whole = b"".join(map(encode, frames))
    for cut in range(len(whole) + 1):
        reader = FrameReader()
        assert reader.feed(whole[:cut]) + reader.feed(whole[cut:]) == frames


def test_a_hello_is_two_names_and_how_often_the_hub_has_booted() -> None:
    body = CHF.octets + GPF.octets + (258).to_bytes(4, "big")
    assert Hello(CHF, GPF, 258).encode() == body
    assert Hello.decode(body) == Hello(CHF, GPF, 258)


@pytest.mark.parametrize("length", [0, 19, 21])
def test_a_hello_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(DecodeError) as refused:
        Hello.decode(bytes(length))
    assert str(refused.value) == f"at offset 0, HELLO: {length} octets: expected CHF and GPF EUI-64 and a u32 boot count, 20 octets"
