"""The MAC of a node over an air that keeps what it is given: retries, indirect queue, polls, filters (IEEE 802.15.4-2006 7.4, 7.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air.air import INTERFERENCE_DB, NOISE_DBM, SENSITIVITY_DBM, STRONG_DBM, Air, Link, error_rate
from hil.radio.air.frames import Beacon, MacKind, MacPdu
from hil.radio.air.phy import GFSK
from hil.radio.air.rooms import strength
from hil.radio.stack.mac import DUTY_CYCLE_S, INDIRECT_S, POLL_WAIT_S, Mac, Poll
from tests.radio.radio_bench import DISPLAY, HUB, METER

PAN, CHILD = 0x1A62, 0x1111
LINK = Link(rssi=-50, lqi=200)
Outcome = Callable[[bool, bool], None]


class KeptAir(Air):
    """An air that keeps frames and their outcomes."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, 1)
        self.sent: list[tuple[MacPdu, Outcome | None]] = []
        self.attached = 0

    def attach(self, radio: Any) -> Callable[[], None]:
        self.attached += 1

        def detach() -> None:
            self.attached -= 1

        return detach

    def transmit(self, source: Any, frame: MacPdu, outcome: Outcome | None = None) -> None:
        self.sent.append((frame, outcome))


class KeptUser:
    """The layer above keeps what it is told, and answers as it is set."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.tells: Beacon | None = None
        self.gives: tuple[int, int] | None = None
        self.unknown: set[Any] = set()

    def mac_data(self, frame: MacPdu, link: Link) -> None:
        self.told.append(("data", frame.payload))

    def mac_poll(self, source: Any) -> None:
        self.told.append(("poll", source))

    def mac_unknown_child(self, source: Any) -> bool:
        return source in self.unknown

    def beacon(self) -> Beacon | None:
        return self.tells

    def associate(self, device: Eui64, capability: int) -> tuple[int, int] | None:
        self.told.append(("associate", device, capability))
        return self.gives

    def association_sent(self, device: Eui64, ok: bool) -> None:
        self.told.append(("association sent", device, ok))

    def associated(self, short: int, status: int) -> None:
        self.told.append(("associated", short, status))


class Node:
    def __init__(self, clock: Clock, *, rx_on: bool = True, short: int = 0) -> None:
        self.air, self.user = KeptAir(clock), KeptUser()
        self.mac = Mac(self.air, HUB, self.user)
        self.mac.pan, self.mac.short = PAN, short
        self.mac.start(15, rx_on=rx_on)
        self.ended: list[Any] = []

    def hear(self, payload: bytes, source: Any = CHILD, kind: MacKind = MacKind.COMMAND, destination: int = 0, sequence: int = 1) -> None:
        self.mac.receive(MacPdu(kind, sequence, PAN, destination, None, source, payload=payload), LINK)

    @property
    def told(self) -> list[tuple[Any, ...]]:
        told, self.user.told = self.user.told, []
        return told


async def test_a_frame_is_tried_once_and_three_times_more_two_milliseconds_apart(clock: Clock) -> None:
    """macMaxFrameRetries is 3."""
    node = Node(clock)
    node.mac.send(b"x", CHILD, node.ended.append)
    for tries in range(1, 5):
        assert len(node.air.sent) == tries
        frame, outcome = node.air.sent[-1]
        assert frame == node.air.sent[0][0], "the same sequence"
        assert (frame.destination, frame.source, frame.ack_request, frame.destination_pan) == (CHILD, 0, True, PAN)
        assert outcome is not None
        assert not node.ended
        outcome(False, False)
        await clock.sleep(0.0019)
        assert len(node.air.sent) == tries
        await clock.sleep(0.0002)
    assert (len(node.air.sent), node.ended) == (4, [False])
    assert node.mac.counters == {"tx_retry": 3, "tx_failed": 1}
    node.mac.send(b"y", CHILD, node.ended.append)
    node.mac.send(b"z", CHILD, node.ended.append)
    assert len(node.air.sent) == 5, "one after the other"
    first = node.air.sent[-1][0].sequence
    for _ in range(2):
        outcome = node.air.sent[-1][1]
        assert outcome is not None
        outcome(True, False)
    assert [frame.payload for frame, _ in node.air.sent[4:]] == [b"y", b"z"]
    assert node.air.sent[-1][0].sequence == (first + 1) % 256
    assert (node.ended, node.mac.counters["tx_unicast"]) == ([False, True, True], 2)


async def test_a_broadcast_asks_for_no_acknowledgement_and_is_counted_apart(clock: Clock) -> None:
    node = Node(clock)
    node.mac.send(b"x", 0xFFFF, node.ended.append)
    frame, outcome = node.air.sent[-1]
    assert not frame.ack_request
    assert outcome is not None
    outcome(False, False)
    assert (node.ended, node.mac.counters) == ([True], {"tx_broadcast": 1})
    node.mac.send_raw(MacPdu(MacKind.DATA, 77, PAN, CHILD, None, 0, True, payload=b"raw"))
    raw = node.air.sent[-1][0]
    assert (raw.payload, raw.sequence) == (b"raw", (frame.sequence + 1) % 256)


async def test_a_radio_that_goes_off_fails_what_it_had_and_takes_nothing(clock: Clock) -> None:
    node = Node(clock)
    node.mac.send(b"x", CHILD, node.ended.append)
    node.mac.send(b"y", CHILD, node.ended.append)
    node.mac.hold(b"z", CHILD, node.ended.append)
    outcome = node.air.sent[-1][1]
    node.mac.stop()
    assert (node.ended, node.air.attached, node.mac.listening, node.mac.channel) == ([False] * 3, 0, False, None)
    assert outcome is not None
    outcome(True, False)
    assert node.ended == [False] * 3, "what comes of an earlier life is no matter"
    node.mac.send(b"x", CHILD, node.ended.append)
    assert len(node.ended) == 3
    await asyncio.sleep(0)
    assert node.ended == [False] * 4
    node.hear(b"x", kind=MacKind.DATA)
    node.mac.poll(0, node.ended.append)
    assert node.ended[-1] is Poll.NO_ACK
    assert not node.told
    await clock.sleep(INDIRECT_S + 1)
    assert len(node.ended) == 5
    node.mac.start(20)
    node.mac.start(21, rx_on=False)
    assert (node.air.attached, node.mac.channel, node.mac.listening) == (1, 21, False)


async def test_a_frame_is_held_for_a_child_until_it_asks_or_for_its_time(clock: Clock) -> None:
    node = Node(clock)
    node.mac.hold(b"a", CHILD, node.ended.append)
    node.mac.hold(b"b", CHILD, node.ended.append)
    assert node.mac.pending_for(CHILD)
    assert not node.mac.pending_for(0x2222)
    assert not node.mac.pending_for(None)
    node.user.unknown.add(0x2222)
    assert node.mac.pending_for(0x2222)
    node.hear(b"\x04")
    assert node.told == [("poll", CHILD)]
    ((frame, outcome),) = node.air.sent
    assert (frame.payload, frame.pending, frame.destination, frame.source, frame.ack_request) == (b"a", True, CHILD, 0, True)
    node.hear(b"\x04")
    assert len(node.air.sent) == 1, "it is on the air"
    assert outcome is not None
    for _ in range(4):
        sent = node.air.sent[-1][1]
        assert sent is not None
        sent(False, False)
        await clock.sleep(0.003)
    assert (node.ended, len(node.air.sent)) == ([], 4), "it is held on"
    node.hear(b"\x04")
    again, outcome = node.air.sent[-1]
    assert again == frame, "a repetition has the same sequence number"
    assert outcome is not None
    outcome(True, False)
    assert node.ended == [True]
    node.hear(b"\x04")
    last, _ = node.air.sent[-1]
    assert (last.payload, last.pending) == (b"b", False)
    await clock.sleep(INDIRECT_S)
    assert node.ended == [True, False]
    assert not node.mac.pending_for(CHILD)
    node.mac.hold(b"c", CHILD, node.ended.append)
    await clock.sleep(INDIRECT_S - 0.01)
    assert len(node.ended) == 2
    node.mac.release(CHILD)
    assert node.ended == [True, False, False]
    await clock.sleep(1)
    assert len(node.ended) == 3


@pytest.mark.parametrize(("acked", "pending", "how"), [(True, False, Poll.NO_DATA), (True, True, Poll.MISSED), (False, False, Poll.NO_ACK)])
async def test_a_poll_ends_by_what_its_parent_says(clock: Clock, acked: bool, pending: bool, how: Poll) -> None:
    node = Node(clock, rx_on=False, short=0x7777)
    node.mac.poll(0, node.ended.append)
    for _ in range(1 if acked else 4):
        frame, outcome = node.air.sent[-1]
        assert (frame.kind, frame.payload, frame.source, frame.destination, frame.ack_request) == (
            MacKind.COMMAND,
            b"\x04",
            0x7777,
            0,
            True,
        )
        assert not node.ended
        assert outcome is not None
        outcome(acked, pending)
        await clock.sleep(0.003)
    if pending:
        assert node.mac.listening
        await clock.sleep(POLL_WAIT_S - 0.01)
        assert not node.ended
        await clock.sleep(0.01)
    assert (node.ended, node.mac.listening, len(node.air.sent)) == ([how], False, 1 if acked else 4)


@pytest.mark.parametrize(("destination", "how"), [(0x7777, Poll.DATA), (0xFFFF, Poll.MISSED)])
async def test_a_frame_for_the_node_ends_its_poll_and_a_broadcast_does_not(clock: Clock, destination: int, how: Poll) -> None:
    node = Node(clock, rx_on=False, short=0x7777)
    node.mac.poll(0, node.ended.append, long=True)
    node.mac.poll(0, node.ended.append)
    await asyncio.sleep(0)
    assert node.ended == [Poll.NO_DATA], "one at a time"
    frame, outcome = node.air.sent[-1]
    assert frame.source == HUB
    assert outcome is not None
    outcome(True, True)
    node.hear(b"x", kind=MacKind.DATA, destination=destination)
    assert node.told == [("data", b"x")]
    await clock.sleep(0.1)
    assert node.ended == [Poll.NO_DATA, how]


async def test_a_frame_that_comes_again_from_its_sender_is_handed_up_once(clock: Clock) -> None:
    node = Node(clock)
    for source, sequence, destination, new in (
        (1, 5, 0, True),
        (1, 5, 0, False),
        (2, 5, 0, True),
        (1, 6, 0, True),
        (1, 5, 0, True),
        (1, 5, 0xFFFF, True),
        (1, 5, 0xFFFF, True),
        (None, 5, 0, True),
        (None, 5, 0, True),
    ):
        node.hear(b"x", kind=MacKind.DATA, source=source, sequence=sequence, destination=destination)
        assert bool(node.told) is new, (source, sequence, destination)
    assert node.mac.counters == {"rx_unicast": 7, "rx_broadcast": 2}


@pytest.mark.parametrize(("short", "answers"), [(0, True), (0xFFF7, True), (0xFFF8, False), (0xFFFE, False)])
async def test_a_beacon_is_told_by_who_has_a_network_and_an_address(clock: Clock, short: int, answers: bool) -> None:
    node = Node(clock, short=short)
    node.hear(b"\x07", source=None)
    assert not node.air.sent
    node.user.tells = Beacon(PAN, short, True, METER, True)
    node.hear(b"\x07", source=None)
    assert len(node.air.sent) == answers
    if answers:
        frame = node.air.sent[0][0]
        assert (frame.kind, frame.source_pan, frame.source, frame.destination, frame.ack_request) == (
            MacKind.BEACON,
            PAN,
            short,
            None,
            False,
        )
        assert Beacon.decode(frame) == node.user.tells


async def test_an_association_is_answered_to_the_eui64_that_asked(clock: Clock) -> None:
    node = Node(clock)
    node.hear(b"\x01\x8e")
    assert not node.told, "a short address cannot ask"
    node.hear(b"\x01\x8e", source=METER)
    assert node.told == [("associate", METER, 0x8E)]
    assert not node.mac.pending_for(METER)
    node.user.gives = (0x1234, 0)
    node.hear(b"\x01\x8e", source=METER)
    node.hear(b"\x01\x8e", source=METER)
    assert node.told == [("associate", METER, 0x8E), ("association sent", METER, False), ("associate", METER, 0x8E)]
    node.hear(b"\x04", source=METER)
    frame, outcome = node.air.sent[-1]
    assert (frame.kind, frame.payload.hex(), frame.destination, frame.source) == (MacKind.COMMAND, "02341200", METER, HUB)
    assert outcome is not None
    outcome(True, False)
    assert node.told == [("poll", METER), ("association sent", METER, True)]
    node.hear(b"\x02\x34\x12\x01")
    assert node.told == [("associated", 0x1234, 1)]
    for wrong in (b"", b"\x02\x34", b"\x02\x34\x12"):
        node.hear(wrong)
    node.hear(b"\x01", source=METER)
    assert node.mac.counters["bad_command"] == 4
    node.mac.request_association(PAN, 5, 0x80, node.ended.append)
    frame, _ = node.air.sent[-1]
    assert (frame.payload.hex(), frame.destination, frame.source_pan, frame.source, frame.ack_request) == ("0180", 5, 0xFFFF, HUB, True)


async def test_beacons_are_heard_while_somebody_looks_for_them(clock: Clock) -> None:
    node = Node(clock, rx_on=False)
    told: list[Beacon] = []
    beacon = Beacon(PAN, 5, True, METER, True)
    frame = MacPdu(MacKind.BEACON, 1, None, None, PAN, 5, payload=beacon.payload())
    node.mac.receive(frame, LINK)
    node.mac.on_beacon = lambda one, link: told.append(one)
    node.mac.request_beacons(20)
    asked, _ = node.air.sent[-1]
    assert (asked.kind, asked.payload, asked.destination_pan, asked.destination, asked.source) == (
        MacKind.COMMAND,
        b"\x07",
        0xFFFF,
        0xFFFF,
        None,
    )
    assert (node.mac.channel, node.mac.listening, node.mac.counters) == (20, True, {"tx_broadcast": 1})
    node.mac.receive(frame, LINK)
    assert told == [beacon]
    node.mac.receive(MacPdu(MacKind.BEACON, 1, None, None, PAN, 5, payload=b"x"), LINK)
    assert node.mac.counters["bad_beacon"] == 1


@pytest.mark.parametrize(
    ("pan", "destination", "heard"),
    [
        (None, None, True),
        (PAN, 0x1234, True),
        (0xFFFF, 0x1234, True),
        (PAN + 1, 0x1234, False),
        (PAN, 0xFFFF, True),
        (0xFFFF, 0xFFFF, True),
        (PAN, 0x1235, False),
        (PAN, HUB, True),
        (PAN, METER, False),
        (PAN + 1, HUB, False),
    ],
)
async def test_a_radio_hears_what_is_for_it_on_its_network(clock: Clock, pan: int | None, destination: Any, heard: bool) -> None:
    assert Node(clock, short=0x1234).mac.hears(pan, destination) is heard


async def test_a_second_band_sends_to_who_was_heard_there_and_to_all(clock: Clock) -> None:
    node = Node(clock)
    node.mac.start_second(0x80)
    assert node.mac.second is not None
    node.mac.heard_beyond(MacPdu(MacKind.DATA, 1, PAN, 0, None, CHILD, payload=b"x"), LINK)
    assert node.mac.is_beyond(CHILD)
    began = clock.now()
    node.mac.send(b"y", CHILD)
    outcome = node.air.sent[-1][1]
    assert outcome is not None
    outcome(True, False)
    node.mac.send(b"z", 0x2222)
    outcome = node.air.sent[-1][1]
    assert outcome is not None
    outcome(True, False)
    node.mac.send(b"to all", 0xFFFF)
    outcome = node.air.sent[-1][1]
    assert outcome is not None
    outcome(False, False)
    assert [frame.payload for frame, _ in node.air.sent] == [b"y", b"z", b"to all", b"to all"]
    octets = {
        destination: len(MacPdu(MacKind.DATA, 1, PAN, destination, None, 0, payload=one).encode())
        for destination, one in ((CHILD, b"y"), (0xFFFF, b"to all"))
    }
    duty = node.mac.second.duty_cycle()
    assert duty == {destination: pytest.approx(GFSK.air_s(count) / 3600) for destination, count in octets.items()}
    assert DUTY_CYCLE_S == 3600, "ETSI EN 300 220 measures over an hour"
    await clock.sleep(began + 3599 - clock.now())
    assert node.mac.second.duty_cycle() == duty
    await clock.sleep(2)
    assert node.mac.second.duty_cycle() == {}
    node.hear(b"x", kind=MacKind.DATA, sequence=2)
    assert not node.mac.is_beyond(CHILD), "the band on which it was heard last counts"
    node.mac.stop_second()
    assert node.mac.second is None


# the air


@pytest.mark.parametrize(
    ("margin", "least", "most"),
    [(10, 0, 0), (9.9, 0.00001, 0.0001), (4.6, 0.0099, 0.0101), (0, 0.5, 0.5), (-9.9, 0.9999, 0.99999), (-10, 1, 1), (-50, 1, 1)],
)
def test_frames_are_lost_by_the_distance_to_the_sensitivity(margin: float, least: float, most: float) -> None:
    assert least <= error_rate(margin) <= most


@pytest.mark.parametrize(("rssi", "lqi"), [(-47, 255), (-40, 255), (-72, 128), (-97, 0), (-110, 0)])
def test_a_links_quality_goes_by_its_strength(rssi: int, lqi: int) -> None:
    link = Link.at(rssi, 0.25)
    assert (link.rssi, link.lqi, link.delay_s) == (rssi, lqi, 0.25)
    assert link.loss == error_rate(rssi + 97)
    assert (SENSITIVITY_DBM, STRONG_DBM) == (-97, -47)


async def test_what_else_is_on_a_channel_takes_frames_that_are_not_above_it(clock: Clock) -> None:
    air = Air(clock, 1)
    assert air.energy(15) == NOISE_DBM == -95
    link = Link(rssi=-60)
    for dbm, lost in ((-60, True), (-60 - INTERFERENCE_DB - 10, False), (-40, True)):
        air.set_energy(15, dbm)
        assert sum(air._lost(HUB, METER, link, 15) for _ in range(50)) >= 40 if lost else not air._lost(HUB, METER, link, 15)
        assert not air._lost(HUB, METER, link, 16)
    assert air._lost(HUB, METER, Link(loss=1.0), 16)


async def test_a_link_below_1_ghz_is_its_own_where_one_is_set_and_both_ways(clock: Clock) -> None:
    air = Air(clock, 1, Link(rssi=-1))
    above, below = Link(rssi=-2), Link(rssi=-3)
    air.set_link(HUB, METER, above, below)
    for pair in ((HUB, METER), (METER, HUB)):
        assert [air.link(*pair), air.link(*pair, 15), air.link(*pair, 0x80)] == [above, above, below]
    air.set_link(METER, HUB, above)
    assert air.link(HUB, METER, 0x80) == above
    assert air.link(HUB, DISPLAY) == Link(rssi=-1)


def test_two_rooms_have_the_strength_that_either_names_and_one_room_its_own() -> None:
    rooms = {"hall": {"loft": -80, "loo": -70}, "loo": {"loo": -55}}
    assert strength(rooms, "hall", "loft") == strength(rooms, "loft", "hall") == -80
    assert (strength(rooms, "hall", "hall"), strength(rooms, "loo", "loo")) == (-40, -55)
    assert strength(rooms, "loft", "loo") is None
