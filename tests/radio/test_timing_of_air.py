"""One frame at a time on air with time in it: how long a radio backs off, what it takes for a busy channel, and which of two is read."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import Address, MacKind, MacPdu
from hil.radio.air.phy import sub_ghz
from hil.radio.air.timed_air import TimedAir
from tests.radio.radio_bench import DISPLAY, HUB, METER

OUT_OF_RANGE = Link(loss=1.0)
UNIT_S = 320e-6
"""aUnitBackoffPeriod, 20 symbols of 16 us (IEEE 802.15.4-2006 6.4.1)."""
OCTET_S, TURNAROUND_S = 32e-6, 192e-6


class Station:
    def __init__(self, air: TimedAir, eui64: Eui64, short: int, channel: int = 15) -> None:
        self.eui64, self.short, self.listening = eui64, short, True
        self.channel: int | None = channel
        self.heard: list[bytes] = []
        self.ended: list[tuple[bool, bool]] = []
        self.ended_at: list[float] = []
        self.pending = False
        self.air = air
        air.attach(self)

    def hears(self, pan: int | None, destination: Address | None) -> bool:
        return destination in (self.short, 0xFFFF)

    def pending_for(self, source: Address | None) -> bool:
        return self.pending

    def receive(self, frame: MacPdu, link: Link) -> None:
        self.heard.append(frame.payload)

    def send(self, to: int, payload: bytes = b"x", kind: MacKind = MacKind.DATA) -> MacPdu:
        def outcome(acked: bool, pending: bool) -> None:
            self.ended.append((acked, pending))
            self.ended_at.append(asyncio.get_running_loop().time())

        frame = MacPdu(kind, 9, 1, to, None, self.short, True, False, payload)
        self.air.transmit(self, frame, outcome)
        return frame


class Home:
    """A hub and two others; ``draws`` are the slots that radios draw, 0 where there are no more, and ``ranges`` of how many."""

    def __init__(self, clock: Clock, channel: int = 15) -> None:
        self.clock = clock
        self.air = TimedAir(clock, 1)
        self.hub, self.one, self.other = (
            Station(self.air, device, short, channel) for device, short in ((HUB, 0), (METER, 1), (DISPLAY, 2))
        )
        self.draws: list[int] = []
        self.ranges: list[int] = []
        self.air._backoffs = SimpleNamespace(randrange=self._draw)  # type: ignore[assignment]

    def _draw(self, below: int) -> int:
        self.ranges.append(below)
        return self.draws.pop(0) if self.draws else 0


def air_s(frame: MacPdu) -> float:
    """Preamble 4, delimiter, length and check sequence 2 beside the MPDU."""
    return (len(frame.encode()) + 8) * OCTET_S


ACK_S = (3 + 8) * OCTET_S


@pytest.mark.parametrize("slots", [0, 1, 7])
async def test_a_radio_waits_its_slots_sends_and_is_acknowledged_a_turnaround_later(clock: Clock, slots: int) -> None:
    home = Home(clock)
    home.draws = [slots]
    begun = asyncio.get_running_loop().time()
    frame = home.one.send(0)
    await clock.sleep(0.1)
    assert home.hub.heard == [b"x"]
    assert home.one.ended == [(True, False)]
    assert home.one.ended_at == [pytest.approx(begun + slots * UNIT_S + air_s(frame) + TURNAROUND_S + ACK_S)]
    assert home.ranges == [8], "2 to the power of macMinBE, 3"
    assert [home.air.air_s[one] for one in (home.one, home.hub)] == pytest.approx([air_s(frame), ACK_S])
    assert (home.air.collisions, home.air.no_access) == (0, 0)


async def test_a_radio_gives_up_when_it_found_the_channel_busy_five_times(clock: Clock) -> None:
    """macMinBE 3, macMaxBE 5, macMaxCSMABackoffs 4 (IEEE 802.15.4-2006 7.4.2)."""
    home = Home(clock)
    home.air.set_energy(15, -60)
    home.draws = [7, 15, 31, 31, 31]
    begun = asyncio.get_running_loop().time()
    home.one.send(0)
    await clock.sleep(0.1)
    assert home.ranges == [8, 16, 32, 32, 32]
    assert (home.air.no_access, home.one.ended, home.hub.heard) == (1, [(False, False)], [])
    assert home.one.ended_at == [pytest.approx(begun + (7 + 15 + 31 + 31 + 31) * UNIT_S)]
    assert home.air.air_s == {}


@pytest.mark.parametrize(("dbm", "busy"), [(-81, True), (-82, True), (-83, False)])
@pytest.mark.parametrize("noise", [False, True])
async def test_a_channel_is_busy_from_a_strength_on(clock: Clock, dbm: int, busy: bool, noise: bool) -> None:
    home = Home(clock)
    if noise:
        home.air.set_energy(15, dbm)
    else:
        home.air.set_link(METER, DISPLAY, Link(rssi=dbm))
        home.other.send(0, bytes(100))
        await clock.sleep(0.001)
    home.ranges.clear()
    home.one.send(0)
    await clock.sleep(0.0001)
    assert home.ranges == ([8, 16, 32, 32, 32] if busy else [8])


async def test_what_a_radio_cannot_hear_and_what_is_on_another_channel_is_not_busy(clock: Clock) -> None:
    home = Home(clock)
    home.air.set_link(METER, DISPLAY, OUT_OF_RANGE)
    home.other.send(0, bytes(100))
    home.one.send(0)
    await clock.sleep(0.0001)
    assert home.ranges == [8, 8]
    await clock.sleep(0.1)
    home.air.set_link(METER, DISPLAY, Link())
    home.other.channel = 20
    home.other.send(0, bytes(100))
    await clock.sleep(0.001)
    home.one.send(0)
    await clock.sleep(0.0001)
    assert home.ranges == [8, 8, 8, 8]


async def test_of_two_that_begin_in_one_instant_and_hear_each_other_the_second_waits(clock: Clock) -> None:
    home = Home(clock)
    home.draws = [3, 3, 7]
    home.one.send(0)
    home.other.send(0)
    await clock.sleep(0.1)
    assert home.ranges[:3] == [8, 8, 16]
    assert home.one.ended == home.other.ended == [(True, False)]


async def test_a_radio_does_not_send_into_its_own_acknowledgement(clock: Clock) -> None:
    home = Home(clock)
    frame = home.one.send(0)
    await clock.sleep(air_s(frame) + TURNAROUND_S / 2)
    home.ranges.clear()
    home.draws = [0, 4]
    home.hub.send(1)
    await clock.sleep(0.1)
    assert home.ranges == [8, 16], "the one that is due counts before it begins"
    assert home.one.ended == home.hub.ended == [(True, False)]


@pytest.mark.parametrize(
    ("own", "others", "read"),
    [(-50, -53, True), (-50, -52, False), (-50, -50, False), (-50, -40, False), (-50, -90, True), (-50, None, True)],
)
async def test_of_two_frames_that_overlap_the_one_that_is_3_db_stronger_is_read(
    clock: Clock, own: int, others: int | None, read: bool
) -> None:
    home = Home(clock)
    home.air.set_link(METER, DISPLAY, OUT_OF_RANGE)
    home.air.set_link(METER, HUB, Link(rssi=own))
    home.air.set_link(DISPLAY, HUB, OUT_OF_RANGE if others is None else Link(rssi=others))
    home.one.send(0, b"one" * 10)
    home.other.send(0, b"other")
    await clock.sleep(0.1)
    assert (b"one" * 10 in home.hub.heard) == read
    assert home.one.ended == [(read, False)]
    weaker = others is not None and others - 3 < own
    assert home.air.collisions == (not read) + weaker, "each reception that was lost"


@pytest.mark.parametrize(("after", "read"), [(-1e-5, False), (1e-5, True)])
async def test_frames_that_follow_each_other_do_not_overlap(clock: Clock, after: float, read: bool) -> None:
    home = Home(clock)
    home.air.set_link(METER, DISPLAY, OUT_OF_RANGE)
    frame = home.one.send(0xFFFF, b"first")
    await clock.sleep(air_s(frame) + after)
    home.other.send(0xFFFF, b"second")
    await clock.sleep(0.1)
    assert home.hub.heard == ([b"first", b"second"] if read else [])


async def test_a_radio_that_sends_hears_nothing_meanwhile(clock: Clock) -> None:
    home = Home(clock)
    home.other.listening = False
    home.air.set_link(METER, HUB, Link(rssi=-90))
    home.hub.send(0xFFFF, bytes(60))
    await clock.sleep(0.0001)
    home.air.set_link(METER, HUB, Link(rssi=-40))
    home.air._links[HUB, METER] = OUT_OF_RANGE
    home.one.send(0, b"unheard")
    await clock.sleep(0.0001)
    assert home.hub.heard == []
    await clock.sleep(0.1)
    assert b"unheard" not in home.hub.heard
    assert home.one.ended == [(False, False)]
    assert home.air.collisions == 1


@pytest.mark.parametrize(
    ("kind", "keeps", "pending"), [(MacKind.COMMAND, True, True), (MacKind.COMMAND, False, False), (MacKind.DATA, True, False)]
)
async def test_an_acknowledgement_tells_a_poll_what_is_kept_for_it(clock: Clock, kind: MacKind, keeps: bool, pending: bool) -> None:
    home = Home(clock)
    home.hub.pending = keeps
    home.one.send(0, kind=kind)
    await clock.sleep(0.1)
    assert home.one.ended == [(True, pending)]


async def test_an_acknowledgement_that_is_lost_is_none(clock: Clock) -> None:
    home = Home(clock)
    home.hub.pending = True
    home.air._links[HUB, METER] = OUT_OF_RANGE
    home.one.send(0, kind=MacKind.COMMAND)
    await clock.sleep(0.1)
    assert home.hub.heard == [b"x"]
    assert home.one.ended == [(False, False)]


async def test_a_radio_that_left_the_channel_while_it_waited_sends_nothing(clock: Clock) -> None:
    home = Home(clock)
    home.draws = [7]
    home.one.send(0)
    home.one.channel = 20
    await clock.sleep(0.1)
    assert (home.hub.heard, home.one.ended, home.air.air_s) == ([], [], {})


async def test_below_1_ghz_a_slot_is_a_millisecond_and_an_octet_80_microseconds(clock: Clock) -> None:
    home = Home(clock, sub_ghz(28, 3))
    home.draws = [3]
    begun = asyncio.get_running_loop().time()
    frame = home.one.send(0)
    await clock.sleep(0.1)
    octets = len(frame.encode()) + 14 + 3 + 14
    assert home.one.ended_at == [pytest.approx(begun + 3 * 1e-3 + octets * 80e-6 + 1e-3)]
