"""A UART's levels and how another one reads them: a start bit, the least bit first, parity, stop (as every UART; pins 7 and 8 idle low)."""

from __future__ import annotations

from itertools import product

import pytest

from ichis.uart import HubUart, LineProfile, Received, carried, levels_of, octets_of

BIT = 1 / 115200


def bits(octets: bytes, line: LineProfile) -> str:
    """The wire, a letter a bit: H and L."""
    out = ""
    for seconds, high in levels_of(octets, line):
        out += ("H" if high else "L") * round(seconds * line.baud)
    return out


@pytest.mark.parametrize(
    ("line", "octet", "wire"),
    [
        (LineProfile(inverted=False), 0x00, "H" + "L" + "LLLLLLLL" + "H"),
        (LineProfile(inverted=False), 0x01, "H" + "L" + "HLLLLLLL" + "H"),
        (LineProfile(inverted=False), 0x80, "H" + "L" + "LLLLLLLH" + "H"),
        (LineProfile(inverted=False), 0x35, "H" + "L" + "HLHLHHLL" + "H"),
        (LineProfile(), 0x35, "L" + "H" + "LHLHLLHH" + "L"),
        (LineProfile(inverted=False, bits=5), 0x15, "H" + "L" + "HLHLH" + "H"),
        (LineProfile(inverted=False, bits=7), 0x7F, "H" + "L" + "HHHHHHH" + "H"),
        (LineProfile(inverted=False, parity="even"), 0x35, "H" + "L" + "HLHLHHLL" + "L" + "H"),
        (LineProfile(inverted=False, parity="odd"), 0x35, "H" + "L" + "HLHLHHLL" + "H" + "H"),
        (LineProfile(inverted=False, parity="even"), 0x01, "H" + "L" + "HLLLLLLL" + "H" + "H"),
        (LineProfile(inverted=False, parity="odd"), 0x01, "H" + "L" + "HLLLLLLL" + "L" + "H"),
        (LineProfile(inverted=False, bits=7, parity="even"), 0xFF, "H" + "L" + "HHHHHHH" + "H" + "H"),
        (LineProfile(inverted=False, stop=2), 0x00, "H" + "L" + "LLLLLLLL" + "HH"),
    ],
)
def test_an_octet_on_the_wire_is_start_data_parity_and_stop(line: LineProfile, octet: int, wire: str) -> None:
    assert bits(bytes([octet]), line) == wire + wire[0] * 20, "idle before, and two characters after"
    assert octets_of(levels_of(bytes([octet]), line), line) == Received(bytes([octet & ((1 << line.bits) - 1)]), 0, 0)


def test_octets_follow_one_another_without_a_rest() -> None:
    line = LineProfile(inverted=False)
    assert bits(b"\x00\xff", line) == "H" + "LLLLLLLLLH" + "LHHHHHHHHH" + "H" * 20
    assert sum(seconds for seconds, _ in levels_of(b"\x00", LineProfile(baud=100, stop=1.5))) == pytest.approx(0.01 * (1 + 9 + 1.5 + 20))


@pytest.mark.parametrize(
    ("count", "parity", "stop", "inverted"), list(product((5, 6, 7, 8), ("none", "even", "odd"), (1, 1.5, 2), (True, False)))
)
def test_two_ends_of_the_same_settings_read_each_octet(count: int, parity: str, stop: float, inverted: bool) -> None:
    line = LineProfile(9600, count, parity, stop, inverted)
    octets = bytes(range(0, 1 << count, 7))
    assert octets_of(levels_of(octets, line), line) == Received(octets, 0, 0)
    assert line.idle_high is not inverted


def test_an_end_of_seven_bits_sends_and_hears_the_lower_seven() -> None:
    seven = LineProfile(bits=7)
    assert carried(b"\x7f\x41", seven, seven) == Received(b"\x7f\x41", 0, 0)
    assert carried(b"\xc1\x80", seven, seven) == Received(b"\x41\x00", 0, 0)
    assert carried(b"\xc1", LineProfile(), LineProfile()) == Received(b"\xc1", 0, 0)


@pytest.mark.parametrize(
    ("sender", "receiver", "sent", "read"),
    [
        (LineProfile(parity="even"), LineProfile(parity="odd"), b"\x35\x01", Received(b"", 0, 2)),
        (LineProfile(parity="odd"), LineProfile(parity="even"), b"\x35\x01", Received(b"", 0, 2)),
        (LineProfile(), LineProfile(parity="even"), b"\x01", Received(b"\x01", 0, 0)),
        (LineProfile(), LineProfile(parity="even"), b"\x03", Received(b"", 0, 1)),
        (LineProfile(parity="even"), LineProfile(), b"\x01", Received(b"\x01", 0, 0)),
        (LineProfile(parity="even"), LineProfile(), b"\x03", Received(b"", 1, 0)),
        (LineProfile(), LineProfile(bits=7), b"\x81", Received(b"\x01", 0, 0)),
        (LineProfile(), LineProfile(bits=7), b"\x41", Received(b"", 1, 0)),
        (LineProfile(bits=7), LineProfile(), b"\x41", Received(b"\xc1", 0, 0)),
        (LineProfile(inverted=False), LineProfile(inverted=True), b"\x00", Received(b"\xff", 1, 0)),
        (LineProfile(baud=57600), LineProfile(baud=115200), b"\xff", Received(b"\xfe", 0, 0)),
        (LineProfile(baud=57600), LineProfile(baud=115200), b"\x00", Received(b"", 1, 0)),
    ],
)
def test_ends_of_different_settings_err_as_on_a_wire(sender: LineProfile, receiver: LineProfile, sent: bytes, read: Received) -> None:
    assert carried(sent, sender, receiver) == read


@pytest.mark.parametrize(
    ("off", "read"), [(0.95, True), (0.97, True), (1.0, True), (1.03, True), (1.045, True), (0.93, False), (1.07, False)]
)
def test_a_bit_clock_may_be_off_by_less_than_half_a_bit_in_the_last_one(off: float, read: bool) -> None:
    """The stop bit is sampled 9.5 bits after the start edge: half a bit is 5 % of that."""
    octets = b"\x55\xaa\x00\xff\x0f"
    assert (carried(octets, LineProfile(baud=115200 * off), LineProfile()) == Received(octets, 0, 0)) == read


def test_a_line_that_breaks_off_within_an_octet_tells_none() -> None:
    line = LineProfile(inverted=False)
    assert octets_of([(BIT, True), (3 * BIT, False)], line) == Received(b"", 0, 0)
    assert octets_of([], line) == Received(b"", 0, 0)
    assert octets_of([(BIT * 30, False), (BIT * 2, True), (BIT, False), (BIT * 9, True)], line) == Received(b"\xff", 1, 0), (
        "a break, then 0xFF"
    )


@pytest.mark.parametrize(
    "facts",
    [{"baud": 0}, {"baud": -1.0}, {"bits": 4}, {"bits": 9}, {"parity": "mark"}, {"stop": 0.5}, {"stop": 3}],
)
def test_a_line_profile_of_no_uart_is_refused(facts: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected baud above 0, 5 to 8 bits"):
        LineProfile(**facts)  # type: ignore[arg-type]


def test_a_hub_that_met_an_error_is_deaf_to_so_many_octets_and_never_hears_some() -> None:
    good, bad = LineProfile(), LineProfile(parity="even")
    hub = HubUart(good, frozenset(b"x"), 3)
    assert hub.heard(b"axbx", good) == b"ab"
    assert hub.heard(b"\x03", bad) == b""
    assert hub.heard(b"ab", good) == b""
    assert hub.heard(b"cdx", good) == b"d"
    assert hub.heard(b"e", good) == b"e"
    sharp = HubUart(good, frozenset(), 0)
    assert sharp.heard(b"\x03", bad) == b""
    assert sharp.heard(b"a", good) == b"a"
    framed_and_parity = HubUart(LineProfile(parity="odd"), frozenset(), 1)
    assert framed_and_parity.heard(b"\x35", LineProfile(parity="even")) == b""
    assert framed_and_parity.heard(b"ab", LineProfile(parity="odd")) == b"b"
