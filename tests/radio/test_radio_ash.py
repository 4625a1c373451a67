"""The ASH link against the host's own library, over clean, slow and damaged lines."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import bellows.ash
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.clock import Clock
from hil.radio.ncp import ash
from hil.radio.ncp.ash import Ash, AshState, Deliver, Reset, Write

RST = bytes.fromhex("c038bc7e")


def started() -> Ash:
    link = Ash()
    link.receive(RST, 0.0)
    return link


def written(events: list[ash.Event]) -> list[bytes]:
    return [event.octets for event in events if isinstance(event, Write)]


def host_data(number: int, acknowledge: int, payload: bytes, *, again: bool = False) -> bytes:
    return ash.frame(number << 4 | again << 3 | acknowledge, ash.randomise(payload))


def test_a_reset_is_acknowledged_with_version_two_and_the_software_code() -> None:
    events = Ash().receive(bytes([0x1A] * 32) + RST, 0.0)
    assert events[0] == Reset()
    assert written(events) == [bytes.fromhex("1ac1020b0a527e")]


def test_the_pseudo_random_sequence_begins_as_specified() -> None:
    assert ash.randomise(bytes(5)).hex() == "4221a8542a"


def test_frames_before_the_reset_are_ignored() -> None:
    assert Ash().receive(host_data(0, 0, b"\x00\x00\x00\x04"), 0.0) == []


def test_the_acknowledgement_comes_before_the_payload_is_worked_on() -> None:
    events = started().receive(host_data(0, 0, b"abcd"), 0.0)
    assert events == [Write(ash.frame(0x81)), Deliver(b"abcd")]


def test_a_damaged_frame_is_rejected_once_until_a_good_one_comes() -> None:
    link = started()
    bad = bytearray(host_data(0, 0, b"abcd"))
    bad[2] ^= 0x01
    assert written(link.receive(bytes(bad), 0.0)) == [ash.frame(0xA0)]
    assert link.receive(bytes(bad), 0.0) == []
    assert Deliver(b"abcd") in link.receive(host_data(0, 0, b"abcd"), 0.0)
    assert written(link.receive(bytes(bad), 0.0)) == [ash.frame(0xA1)]
    assert link.counters["framing"] == 3


def test_a_repeated_frame_is_acknowledged_and_not_delivered_twice() -> None:
    link = started()
    link.receive(host_data(0, 0, b"abcd"), 0.0)
    assert link.receive(host_data(0, 0, b"abcd", again=True), 0.0) == [Write(ash.frame(0x81))]


def test_a_frame_out_of_sequence_is_rejected() -> None:
    assert written(started().receive(host_data(3, 0, b"abcd"), 0.0)) == [ash.frame(0xA0)]


def test_what_is_not_acknowledged_is_sent_again_and_then_the_link_fails_until_reset() -> None:
    link = started()
    first = written(link.send(b"reply", 0.0))[0]
    now, repeats = 0.0, 0
    while link.state is AshState.CONNECTED:
        deadline = link.deadline
        assert deadline is not None
        now = deadline
        events = link.tick(now)
        if link.state is AshState.CONNECTED:
            assert written(events) == [ash.frame(0x08, ash.randomise(b"reply"))]
            assert first == ash.frame(0x00, ash.randomise(b"reply"))
            repeats += 1
    assert repeats == ash.ACK_TIMEOUTS
    assert written(events) == [ash.frame(0xC2, b"\x02\x51")]
    assert written(link.receive(host_data(0, 0, b"abcd"), now)) == [ash.frame(0xC2, b"\x02\x51")]
    assert Reset() in link.receive(RST, now)
    assert link.idle


def test_at_most_the_window_is_unacknowledged_and_acknowledgements_are_cumulative() -> None:
    link = started()
    sent = [frame for payload in range(8) for frame in written(link.send(bytes([payload] * 3), 0.0))]
    assert len(sent) == ash.WINDOW
    assert len(written(link.receive(ash.frame(0x80 | 3), 0.1))) == 3
    assert not link.idle
    link.receive(ash.frame(0x80), 0.2)
    assert link.idle


def test_a_host_that_is_not_ready_gets_nothing_new() -> None:
    link = started()
    link.receive(ash.frame(0x88), 0.0)
    assert link.send(b"reply", 0.0) == []
    assert len(written(link.receive(ash.frame(0x80), 0.0))) == 1


def test_an_endless_frame_is_dropped_and_the_next_one_is_read() -> None:
    link = started()
    assert link.receive(b"a" * 5000, 0.0) == []
    link.receive(b"\x7e", 0.0)
    assert Deliver(b"abcd") in link.receive(host_data(0, 0, b"abcd"), 0.0)


@given(st.lists(st.binary(max_size=40), max_size=8), st.randoms(use_true_random=False))
def test_any_octets_in_any_pieces_leave_the_link_able_to_reset(noise: list[bytes], draw: random.Random) -> None:
    link = Ash()
    for piece in noise:
        link.receive(piece, 0.0)
    assert Reset() in link.receive(b"\x7e" + bytes([0x1A]) + RST, 0.0)


@given(st.binary(min_size=1, max_size=200))
def test_the_hosts_library_reads_our_frames_and_we_read_its(payload: bytes) -> None:
    octets = ash.frame(0x25, ash.randomise(payload))
    theirs = bellows.ash.parse_frame(bellows.ash.AshProtocol._unstuff_bytes(octets[:-1]))
    assert (theirs.frm_num, theirs.ack_num, bytes(theirs.ezsp_frame)) == (2, 5, payload)
    assert bytes(bellows.ash.AshProtocol._stuff_bytes(theirs.to_bytes())) + b"\x7e" == octets


class Line:
    """A transport between the host's library and our end that loses or damages whole writes."""

    def __init__(self, link: Ash, loss: float, seed: int) -> None:
        self.link, self.loss, self.draw = link, loss, random.Random(seed)
        self.host: bellows.ash.AshProtocol | None = None
        self.delivered: list[bytes] = []
        self.timer: asyncio.TimerHandle | None = None

    def is_closing(self) -> bool:
        return False

    def write(self, octets: bytes) -> None:
        if RST in octets or self.draw.random() >= self.loss:
            self.link_events(self.link.receive(octets, asyncio.get_running_loop().time()))
        elif self.draw.random() < 0.5:
            damaged = bytearray(octets)
            damaged[self.draw.randrange(len(damaged))] ^= 1 << self.draw.randrange(8)
            self.link_events(self.link.receive(bytes(damaged), asyncio.get_running_loop().time()))

    def link_events(self, events: list[ash.Event]) -> None:
        loop = asyncio.get_running_loop()
        for event in events:
            if isinstance(event, Write):
                if self.draw.random() >= self.loss or 0xC1 in event.octets[:2]:
                    loop.call_soon(self.to_host, event.octets)
            elif isinstance(event, Deliver):
                self.delivered.append(event.payload)
                self.link_events(self.link.send(b"re:" + event.payload, loop.time()))
        if self.timer is not None:
            self.timer.cancel()
        if self.link.deadline is not None:
            self.timer = loop.call_at(self.link.deadline, lambda: self.link_events(self.link.tick(loop.time())))

    def to_host(self, octets: bytes) -> None:
        assert self.host is not None
        self.host.data_received(octets)


class Ezsp:
    """Receiver of the host's link."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def connection_made(self, transport: Any) -> None: ...
    def data_received(self, data: bytes) -> None:
        self.received.append(bytes(data))

    def reset_received(self, code: Any) -> None: ...
    def error_received(self, code: Any) -> None: ...


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.2])
async def test_every_command_and_reply_crosses_a_line_that_loses_and_damages(clock: Clock, loss: float) -> None:
    line, ezsp = Line(Ash(), loss, 5), Ezsp()
    host = line.host = bellows.ash.AshProtocol(ezsp)
    host.connection_made(line)
    host.send_reset()
    await asyncio.sleep(0.01)
    wanted = [bytes([number]) * 5 for number in range(40)]
    for payload in wanted:
        await host.send_data(payload)
    await asyncio.sleep(30)
    assert line.delivered == wanted
    assert ezsp.received == [b"re:" + payload for payload in wanted]
    assert line.link.idle
