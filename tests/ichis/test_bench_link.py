"""The bench link's frames, and the pair bit by bit."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.clock import Clock
from firmware_emu.errors import DecodeError, JigError
from ichis.bench_link import LABEL, LONGEST, BenchLink, FrameKind, JigFrame, JigFrameReader, NoAnswer, RigLate
from ichis.port import MOST_UNREAD, SerialPort
from ichis.uart import LineProfile, carried, levels_of, octets_of

FRAMES = st.builds(JigFrame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=64))
LINES = st.builds(
    LineProfile,
    st.sampled_from([1200.0, 9600.0, 115200.0]),
    st.just(8),
    st.sampled_from(["none", "even", "odd"]),
    st.sampled_from([1.0, 2.0]),
    st.booleans(),
)


@given(FRAMES)
def test_a_frame_reads_back_as_it_was_written(frame: JigFrame) -> None:
    assert JigFrame.decode(frame.encode()) == frame


@given(st.lists(FRAMES, max_size=5), st.binary(max_size=20), st.integers(1, 9))
def test_frames_are_found_in_pieces_and_after_noise(frames: list[JigFrame], noise: bytes, piece: int) -> None:
    noise = noise.replace(b"\xc5", b"")
    octets = noise + b"".join(frame.encode() for frame in frames)
    reader, found = JigFrameReader(), []
    for start in range(0, len(octets), piece):
        found += reader.feed(octets[start : start + piece])
    assert found == frames
    assert reader.counters.frames == len(frames)


@given(FRAMES, st.data())
def test_every_flipped_bit_is_found(frame: JigFrame, data: st.DataObject) -> None:
    octets = bytearray(frame.encode())
    place = data.draw(st.integers(0, 8 * len(octets) - 1))
    octets[place // 8] ^= 1 << place % 8
    with pytest.raises(DecodeError):
        JigFrame.decode(bytes(octets))


@given(st.binary(max_size=200))
def test_arbitrary_octets_never_break_the_reader(octets: bytes) -> None:
    JigFrameReader().feed(octets)
    with contextlib.suppress(DecodeError):
        JigFrame.decode(octets)


def test_a_payload_that_no_frame_holds_is_refused_and_the_label_says_what_this_is_not() -> None:
    with pytest.raises(DecodeError, match="length"):
        JigFrame(1, 1, bytes(LONGEST + 1)).encode()
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


class _ScriptedLine:
    """A line whose reads, empty ones too, come as the test says; any other setting of a serial line is taken."""

    in_waiting = 0

    def __init__(self) -> None:
        self._reads: queue.Queue[bytes] = queue.Queue()

    def read(self, _: int) -> bytes:
        octets = self._reads.get()
        self._reads.task_done()
        return octets

    def write(self, octets: bytes) -> int:
        return len(octets)

    def close(self) -> None:
        """Nothing is held."""

    def give(self, *reads: bytes) -> None:
        """Let the reader thread take all of these before this returns."""
        for octets in reads:
            self._reads.put(octets)
        self._reads.join()


async def test_an_answer_is_not_missed_by_a_rig_that_was_busy_for_longer_than_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    line = _ScriptedLine()
    monkeypatch.setattr("serial.serial_for_url", lambda *_, **__: line)
    port = SerialPort("/dev/scripted", Clock(warp=True), line=LineProfile(), inverts=True)
    try:
        asking = asyncio.create_task(port.read(6, 1.0))
        await asyncio.sleep(0)
        line.give(*[b""] * 200)  # the event loop stands still meanwhile, and so does a far end of the same process
        for _ in range(5):
            await asyncio.sleep(0)
        line.give(b"answer")
        assert await asking == b"answer"
        asking = asyncio.create_task(port.read(6, 1.0))
        while not asking.done():
            line.give(b"")
            await asyncio.sleep(0)
        assert await asking == b""
    finally:
        threading.Thread(target=line.give, args=(b"",)).start()
        port.close()


class _SilentPair:
    """A serial pair with nobody at the far end; a wait on it takes so many real seconds, whatever was asked."""

    def __init__(self, takes_s: float) -> None:
        self.now, self._takes_s = 0.0, takes_s

    async def write(self, octets: bytes) -> None:
        """It goes nowhere."""

    async def read(self, count: int, timeout_s: float) -> bytes:
        self.now += self._takes_s
        return b""

    async def set_line(self, line: LineProfile) -> None:
        """Any will do."""


@pytest.mark.parametrize(("takes_s", "told"), [(2.1, NoAnswer), (30.0, RigLate)])
async def test_a_frame_is_lost_only_where_the_rig_was_not_late_itself(takes_s: float, told: type[JigError]) -> None:
    pair = _SilentPair(takes_s)
    with pytest.raises(told):
        await BenchLink(pair, lambda: pair.now).ask(FrameKind.PING, b"?")
    assert not issubclass(RigLate, NoAnswer)  # a check counts a NoAnswer as lost; it is void by anything else


async def test_of_a_line_that_sends_for_ever_no_more_is_kept_than_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    line = _ScriptedLine()
    monkeypatch.setattr("serial.serial_for_url", lambda *_, **__: line)
    port = SerialPort("/dev/scripted", Clock(warp=True), line=LineProfile(), inverts=True)
    try:
        line.give(*[bytes(MOST_UNREAD)] * 3)
        assert await port.read(4, 1.0) == bytes(4)
        line.give(b"more")
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(port._buffer) == MOST_UNREAD
    finally:
        port._open = False
        line.give(b"")
        port.close()
