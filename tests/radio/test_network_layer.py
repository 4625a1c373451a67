"""The network layer of one node over a MAC that keeps what it is given: each limit, option and table of ZigBee PRO r21 3.3 to 3.6."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import ProtectionError
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import AirReader, MacKind, MacPdu, NwkPdu, Update
from hil.radio.stack import tables
from hil.radio.stack.nwk import Auxiliary, KeyId, Nwk, protect, unprotect
from hil.radio.stack.tables import link_cost, timeout_s
from hil.radio.stack.tokens import LAST_COUNTER, Child, Tokens
from tests.radio.radio_bench import DISPLAY, HUB, METER

KEY, OTHER = bytes(range(16)), bytes(range(16, 32))
PAN, NEAR, FAR, ME = 0x1A62, 0x1111, 0x2222, 0x0000
LINK = Link(rssi=-50, lqi=200)


@dataclass
class KeptMac:
    """A MAC that keeps frames."""

    channel: int | None = 15
    rx_on: bool = True
    eui64: Eui64 = HUB
    pan: int = PAN
    short: int = ME
    sent: list[tuple[bytes, int, Any]] = field(default_factory=list)
    held: list[tuple[bytes, int, Any]] = field(default_factory=list)
    released: list[Any] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)

    def send(self, octets: bytes, hop: int, done: Any) -> None:
        self.sent.append((octets, hop, done))

    def hold(self, octets: bytes, hop: int, done: Any) -> None:
        self.held.append((octets, hop, done))

    def count(self, name: str) -> None:
        self.counts.append(name)

    def release(self, one: Any) -> None:
        self.released.append(one)

    def start(self, channel: int, *, rx_on: bool) -> None:
        self.channel, self.rx_on = channel, rx_on

    def stop(self) -> None:
        self.channel = None


class KeptUser:
    """The layer above keeps what it is told, by name."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *facts: self.told.append((name, *facts))


class Layer:
    """One node: a coordinator, or a router (2) or end device (3, 4) under the node at ``NEAR``."""

    def __init__(self, clock: Clock, node_type: int = 1) -> None:
        self.tokens = Tokens(HUB, node_type=node_type, pan=PAN, channel=15, short=ME if node_type == 1 else 0x7777, network_key=KEY)
        if node_type != 1:
            self.tokens.parent, self.tokens.parent_short = METER, NEAR
        self.user = KeptUser()
        self.nwk = Nwk(Air(clock, 1), self.tokens, self.user)
        self.mac = KeptMac()
        self.nwk.mac = self.mac  # type: ignore[assignment]
        self.nwk.start()
        self.counter = 100

    def hear(
        self,
        payload: bytes,
        *,
        source: int = NEAR,
        destination: int | None = None,
        hop: int | None = None,
        device: Eui64 = METER,
        counter: int | None = None,
        key: bytes = KEY,
        key_sequence: int = 0,
        key_id: KeyId = KeyId.NETWORK,
        secured: bool = True,
        to_all: bool = False,
        radius: int = 5,
        sequence: int = 1,
        **facts: Any,
    ) -> None:
        """A frame of ``source``, as the neighbour ``hop`` sends it, under the network key of ``device``."""
        to = self.tokens.short if destination is None else destination
        npdu = NwkPdu(to, source, radius, sequence, secured=secured, **facts)
        self.counter += 1
        auxiliary = Auxiliary(key_id, self.counter if counter is None else counter, device, key_sequence)
        body = protect(key, npdu.header(), auxiliary, device, payload) if secured else payload
        via = source if hop is None else hop
        mac = MacPdu(MacKind.DATA, 1, PAN, 0xFFFF if to_all else self.tokens.short, None, via, payload=npdu.header() + body)
        self.nwk.mac_data(mac, LINK)

    def opened(self, octets: bytes) -> NwkPdu:
        """A frame that was given to the MAC, in the clear."""
        npdu = NwkPdu.decode(octets)
        if not npdu.secured:
            return npdu
        read = AirReader(npdu.payload)
        auxiliary = Auxiliary.read(read)
        assert (auxiliary.key_id, auxiliary.source) == (KeyId.NETWORK, HUB)
        return replace(npdu, payload=unprotect(KEY, npdu.header(), auxiliary, HUB, read.rest()))

    @property
    def sent(self) -> list[tuple[NwkPdu, int]]:
        """Frames that were sent since the last look, and the neighbour of each."""
        frames, self.mac.sent = self.mac.sent, []
        return [(self.opened(octets), hop) for octets, hop, _ in frames]

    @property
    def held(self) -> list[tuple[NwkPdu, int]]:
        frames, self.mac.held = self.mac.held, []
        return [(self.opened(octets), hop) for octets, hop, _ in frames]

    def told(self, name: str) -> list[tuple[Any, ...]]:
        found = [facts[1:] for facts in self.user.told if facts[0] == name]
        self.user.told = [facts for facts in self.user.told if facts[0] != name]
        return found

    @property
    def data(self) -> list[tuple[int, bytes]]:
        return [(frame.source, frame.payload) for frame, *_ in self.told("nwk_data")]


async def test_a_frame_is_heard_under_the_network_key_with_a_counter_above_the_last(clock: Clock) -> None:
    layer = Layer(clock)
    layer.hear(b"one", counter=5)
    assert layer.data == [(NEAR, b"one")]
    assert layer.nwk.incoming_counter(METER) == 5
    assert layer.nwk.incoming_counter(DISPLAY) is None
    for counter in (5, 4, 0):
        layer.hear(b"again", counter=counter)
        assert not layer.data
    assert layer.mac.counts == ["nwk_counter_failure"] * 3
    layer.hear(b"two", counter=6)
    assert layer.data == [(NEAR, b"two")]
    layer.nwk.forget_counter(METER)
    layer.hear(b"afresh", counter=0)
    assert layer.data == [(NEAR, b"afresh")]
    assert (layer.nwk.shorts[METER], layer.nwk.addresses[NEAR], layer.nwk.neighbours[NEAR]) == (NEAR, METER, LINK)


async def test_a_frame_under_another_key_its_own_name_or_none_is_not_heard(clock: Clock) -> None:
    layer = Layer(clock)
    layer.hear(b"x", key=OTHER)
    assert layer.mac.counts == ["nwk_decryption_failure"]
    layer.hear(b"x", key_id=KeyId.LINK)
    layer.hear(b"x", key_sequence=1)
    layer.hear(b"x", device=HUB)
    assert not layer.user.told
    assert layer.mac.counts == ["nwk_decryption_failure"]
    layer.nwk.mac_data(MacPdu(MacKind.DATA, 1, PAN, ME, None, NEAR, payload=b"\x08"), LINK)
    layer.nwk.mac_data(MacPdu(MacKind.DATA, 1, PAN, ME, None, NEAR, payload=b""), LINK)
    assert layer.mac.counts[1:] == ["nwk_bad_frame"] * 2
    layer.hear(b"in the clear", secured=False)
    ((frame, _, secured),) = layer.told("nwk_data")
    assert (frame.payload, secured) == (b"in the clear", False), "the layer above decides"
    assert METER not in layer.nwk.shorts, "nothing is learned from it"
    stub = MacPdu(MacKind.DATA, 1, PAN, ME, None, NEAR, payload=b"\x0b\x00\x03")
    layer.nwk.mac_data(stub, LINK)
    assert layer.told("inter_pan") == [(stub, LINK)]


@pytest.mark.parametrize(("alternate", "switched"), [(1, True), (0x7F, True), (0x80, False), (0xFF, False)])
async def test_a_frame_under_the_next_key_switches_to_it(clock: Clock, alternate: int, switched: bool) -> None:
    """A sequence up to 127 ahead is newer, as the field has eight bits."""
    layer = Layer(clock)
    layer.tokens.alternate_key, layer.tokens.alternate_sequence = OTHER, alternate
    layer.hear(b"x", key=OTHER, key_sequence=alternate)
    assert layer.data == [(NEAR, b"x")]
    assert bool(layer.told("key_switched")) == switched


async def test_a_frame_of_its_own_address_or_for_another_is_not_its_own(clock: Clock) -> None:
    layer = Layer(clock)
    layer.hear(b"x", source=ME, hop=NEAR)
    layer.hear(b"x", destination=FAR)
    assert not layer.data
    end = Layer(clock, 4)
    end.hear(b"x", destination=FAR)
    assert not end.sent, "an end device relays nothing"


@pytest.mark.parametrize(("radius", "relayed"), [(0, False), (1, False), (2, True), (30, True)])
async def test_a_frame_is_relayed_while_it_has_radius_left(clock: Clock, radius: int, relayed: bool) -> None:
    layer = Layer(clock, 2)
    layer.hear(b"x", destination=FAR, radius=radius)
    assert [(frame.radius, frame.payload, hop) for frame, hop in layer.sent] == [(radius - 1, b"x", FAR)] * relayed
    layer.hear(b"x", destination=FAR, radius=radius, secured=False)
    assert not layer.sent
    layer.hear(b"to all", destination=0xFFFD, to_all=True, radius=radius, sequence=9)
    assert [(frame.radius, frame.payload, hop) for frame, hop in layer.sent] == [(radius - 1, b"to all", 0xFFFF)] * relayed
    assert layer.data == [(NEAR, b"to all")]


@pytest.mark.parametrize(("destination", "broadcast"), [(0xFFF7, False), (0xFFF8, True), (0xFFFC, True), (0xFFFD, True), (0xFFFF, True)])
async def test_addresses_from_0xfff8_up_are_of_many(clock: Clock, destination: int, broadcast: bool) -> None:
    layer = Layer(clock, 2)
    layer.nwk.send(destination, b"x")
    assert [(frame.destination, hop) for frame, hop in layer.sent] == [(destination, 0xFFFF if broadcast else destination)]
    layer.hear(b"x", destination=destination, to_all=True)
    assert layer.data == [(NEAR, b"x")] * broadcast
    end = Layer(clock, 4)
    end.hear(b"x", destination=destination, to_all=True)
    assert end.data == [(NEAR, b"x")] * (broadcast and destination != 0xFFFC), "0xFFFC is for routers"
    assert not end.sent
    end.nwk.send(destination, b"x")
    assert [(frame.destination, hop) for frame, hop in end.sent] == [(destination, NEAR)], "by its parent"


async def test_a_broadcast_is_taken_once_in_nine_seconds_of_the_last_32_of_its_source(clock: Clock) -> None:
    layer = Layer(clock)
    layer.hear(b"a", destination=0xFFFF, sequence=1)
    assert layer.data
    for later_s, new in ((0.0, False), (8.9, False), (8.9, False), (9.1, True)):
        await clock.sleep(later_s)
        layer.hear(b"a", destination=0xFFFF, sequence=1)
        assert bool(layer.data) == new, later_s
    layer.hear(b"a", destination=0xFFFF, sequence=1, source=FAR, hop=NEAR)
    assert layer.data, "another source counts by itself"
    for sequence in range(2, 33):
        layer.hear(b"b", destination=0xFFFF, sequence=sequence)
    layer.told("nwk_data")
    layer.hear(b"a", destination=0xFFFF, sequence=1)
    assert not layer.data, "31 others: it is known"
    for sequence in range(40, 72):
        layer.hear(b"b", destination=0xFFFF, sequence=sequence)
    layer.told("nwk_data")
    layer.hear(b"a", destination=0xFFFF, sequence=1)
    assert layer.data, "32 others: it is forgotten"
    layer.hear(b"clear", destination=0xFFFF, sequence=200, secured=False)
    assert not layer.data


async def test_routes_back_are_learned_from_what_was_relayed_and_not_from_broadcasts(clock: Clock) -> None:
    layer = Layer(clock)
    layer.hear(b"x", source=FAR, hop=NEAR)
    assert (layer.nwk.first_hop(FAR), layer.nwk.routes.table) == (NEAR, [(FAR, NEAR)])
    layer.hear(b"x", source=FAR, hop=FAR, device=DISPLAY)
    assert layer.nwk.first_hop(FAR) == FAR
    layer.hear(b"x", source=FAR, hop=NEAR, to_all=True)
    layer.hear(b"x", source=FAR, hop=NEAR, secured=False)
    assert layer.nwk.first_hop(FAR) == FAR
    layer.hear(b"x", source=FAR, hop=NEAR, source_eui=DISPLAY)
    assert layer.nwk.shorts[DISPLAY] == FAR
    end = Layer(clock, 4)
    assert end.nwk.first_hop(FAR) == NEAR


async def test_what_is_sent_has_a_radius_of_30_a_new_sequence_and_its_addresses(clock: Clock) -> None:
    layer = Layer(clock)
    for radius, shown in ((30, 30), (0, 30), (1, 1)):
        layer.nwk.send(
            NEAR, b"x", radius=radius, command=radius == 1, source_eui=radius == 1, destination_eui=METER if radius == 1 else None
        )
        ((frame, hop),) = layer.sent
        assert (frame.radius, hop, frame.command, frame.secured) == (shown, NEAR, radius == 1, True)
        assert (frame.source_eui, frame.destination_eui) == ((HUB, METER) if radius == 1 else (None, None))
    seen = []
    for _ in range(300):
        layer.nwk.send(NEAR, b"x")
        ((frame, _),) = layer.sent
        seen.append(frame.sequence)
    assert all(after == (before + 1) % 256 for before, after in itertools.pairwise(seen))
    layer.nwk.send(NEAR, b"clear", secured=False)
    assert [(frame.secured, frame.payload) for frame, _ in layer.sent] == [(False, b"clear")]


async def test_what_a_node_sends_to_itself_comes_back_behind_its_answer(clock: Clock) -> None:
    layer = Layer(clock)
    ended: list[bool] = []
    layer.nwk.send(ME, b"self", ended.append)
    assert not layer.sent
    await asyncio.sleep(0)
    assert layer.data == [(ME, b"self")]
    assert not ended
    await asyncio.sleep(0)
    assert ended == [True]
    layer.mac.channel = None
    layer.nwk.send(ME, b"self", ended.append)
    await asyncio.sleep(0)
    assert not layer.data


async def test_frames_go_along_a_source_route_and_each_relay_hands_on_to_the_next(clock: Clock) -> None:
    """ZigBee PRO r21 3.6.3.3.2: relays from the destination's side, the index counts down to 0 and then the destination is next."""
    layer = Layer(clock)
    layer.nwk.routes.source[FAR] = (0x3333, 0x4444, 0x5555)
    layer.nwk.send(FAR, b"x")
    ((frame, hop),) = layer.sent
    assert hop == 0x5555
    assert frame.relays is not None
    assert frame.relays.hex() == "0302333344445555"
    layer.nwk.send(FAR, b"x", neighbour=0x6666)
    ((frame, hop),) = layer.sent
    assert (frame.relays, hop) == (None, 0x6666)
    router = Layer(clock, 2)
    relays = bytes.fromhex("333344445555")
    for at, index, following in ((2, 1, 0x4444), (1, 0, 0x3333), (0, 0, FAR)):
        router.hear(b"x", destination=FAR, relays=bytes([3, at]) + relays)
        ((frame, hop),) = router.sent
        assert (hop, frame.relays) == (following, bytes([3, index]) + relays), at
    assert router.mac.counts == ["relayed"] * 3


async def test_the_counter_is_kept_4096_ahead_and_ends_at_its_last_value(clock: Clock) -> None:
    layer = Layer(clock)
    assert [layer.nwk.next_counter() for _ in range(3)] == [0, 1, 2]
    assert (layer.tokens.nwk_counter, layer.nwk.counter) == (4096, 3)
    for _ in range(4093):
        layer.nwk.next_counter()
    assert (layer.tokens.nwk_counter, layer.nwk.counter) == (4096, 4096)
    assert layer.nwk.next_counter() == 4096
    assert layer.tokens.nwk_counter == 8192
    layer.mac.channel = None
    assert layer.nwk.counter == 8192, "off: as it will begin"
    layer.mac.channel, layer.tokens.nwk_counter = 15, LAST_COUNTER - 1
    layer.nwk.start()
    assert layer.nwk.next_counter() == 0xFFFFFFFE
    assert layer.tokens.nwk_counter == 0xFFFFFFFF
    with pytest.raises(ProtectionError, match="at its end, 4294967295"):
        layer.nwk.next_counter()
    ended: list[bool] = []
    layer.nwk.send(NEAR, b"x", ended.append)
    await clock.sleep(1)
    assert (ended, layer.mac.sent) == ([False], [])
    assert set(layer.mac.counts) == {"nwk_counter_end"}, "the search for another way ends there too"


async def test_addresses_are_pairs_and_the_latest_word_counts(clock: Clock) -> None:
    nwk = Layer(clock).nwk
    nwk.learn(NEAR, METER)
    nwk.learn(FAR, METER)
    assert (nwk.shorts[METER], NEAR in nwk.addresses) == (FAR, False)
    nwk.learn(FAR, DISPLAY)
    assert (METER in nwk.shorts, nwk.addresses[FAR]) == (False, DISPLAY)
    for short, learned in ((0xFFF7, True), (0xFFF8, False), (0xFFFF, False)):
        nwk.learn(short, METER)
        assert (short in nwk.addresses) is learned
    nwk.expect(FAR, METER)
    assert nwk.addresses[FAR] == DISPLAY, "nothing is taken from what was proven"
    nwk.expect_no_more(FAR, DISPLAY)
    assert nwk.addresses[FAR] == DISPLAY
    nwk.expect(0x3333, METER)
    nwk.expect_no_more(0x3333, DISPLAY)
    assert nwk.addresses[0x3333] == METER
    nwk.expect_no_more(0x3333, METER)
    assert 0x3333 not in nwk.addresses
    drawn = {nwk.free_short() for _ in range(200)}
    assert len(drawn) > 190
    assert all(1 <= one < 0xFFF7 for one in drawn)


async def test_a_node_says_that_it_leaves_or_tells_another_to(clock: Clock) -> None:
    """ZigBee PRO r21 3.4.4.2: bit 5 rejoin, bit 6 request."""
    layer = Layer(clock)
    layer.nwk.leave()
    layer.nwk.leave(NEAR)
    layer.nwk.leave(NEAR, rejoin=True)
    assert [(frame.destination, frame.payload.hex(), frame.radius, frame.command, frame.source_eui) for frame, _ in layer.sent] == [
        (0xFFFD, "0400", 1, True, HUB),
        (NEAR, "0440", 1, True, HUB),
        (NEAR, "0460", 1, True, HUB),
    ]


async def test_a_request_to_leave_counts_from_the_parent_and_the_coordinator_alone(clock: Clock) -> None:
    layer = Layer(clock, 2)
    for source, options, told in (
        (NEAR, 0x40, [(False,)]),
        (NEAR, 0x60, [(True,)]),
        (0x0000, 0x40, [(False,)]),
        (FAR, 0x40, []),
        (1, 0x40, []),
    ):
        layer.hear(bytes([4, options]), source=source, hop=NEAR, command=True)
        assert layer.told("told_to_leave") == told
        assert not layer.told("device_left")
    layer.hear(bytes([4, 0x40]), secured=False, command=True)
    assert not layer.told("told_to_leave")


@pytest.mark.parametrize(("options", "kept"), [(0x00, False), (0x20, True)])
async def test_a_child_that_says_it_leaves_is_forgotten_unless_it_comes_back(clock: Clock, options: int, kept: bool) -> None:
    layer = Layer(clock)
    layer.tokens.children[METER] = Child(NEAR, 0x80, authenticated=True)
    layer.hear(bytes([4, options]), command=True)
    assert layer.told("device_left") == [(METER, NEAR)]
    assert (METER in layer.tokens.children) is kept


async def test_a_beacon_tells_of_a_network_that_routes_and_its_room(clock: Clock) -> None:
    layer = Layer(clock)
    layer.tokens.update_id = 7
    told = layer.nwk.beacon()
    assert told is not None
    assert (told.pan, told.source, told.permit, told.coordinator, told.depth, told.update_id) == (PAN, ME, False, True, 0, 7)
    assert told.router_capacity
    assert told.end_device_capacity
    layer.nwk.children.permit_until = asyncio.get_running_loop().time() + 1
    told = layer.nwk.beacon()
    assert told is not None
    assert told.permit
    for number in range(31):
        layer.tokens.children[Eui64(bytes(7) + bytes([number]))] = Child(number + 1, 0x80)
    assert layer.nwk.children.capacity
    layer.tokens.children[DISPLAY] = Child(99, 0x80)
    told = layer.nwk.beacon()
    assert told is not None
    assert not told.router_capacity
    assert not told.end_device_capacity
    router = Layer(clock, 2)
    for depth, room in ((14, True), (15, False)):
        router.tokens.depth = depth
        assert router.nwk.children.capacity is room
    assert Layer(clock, 3).nwk.beacon() is None
    layer.tokens.network_key = None
    assert layer.nwk.beacon() is None


async def test_who_polls_as_no_child_is_told_to_come_back(clock: Clock) -> None:
    layer = Layer(clock)
    layer.nwk.mac_poll(NEAR)
    ((frame, hop),) = layer.held
    assert (frame.destination, frame.radius, frame.command, frame.payload.hex(), hop) == (NEAR, 1, True, "0460", NEAR)
    assert layer.told("polled") == [(NEAR,)]
    layer.nwk.mac_poll(METER)
    assert not layer.held
    assert not layer.told("polled")
    layer.nwk.learn(NEAR, METER)
    layer.tokens.children[METER] = Child(NEAR, 0x80)
    layer.nwk.mac_poll(NEAR)
    assert not layer.held
    assert not layer.tokens.children[METER].authenticated, "a poll proves no key"
    assert not layer.nwk.mac_unknown_child(NEAR)
    assert layer.nwk.mac_unknown_child(FAR)
    assert not layer.nwk.mac_unknown_child(METER)
    assert not Layer(clock, 3).nwk.mac_unknown_child(FAR)


async def test_a_sleepy_child_is_waited_for_and_one_that_has_proven_nothing_with_what_it_needs(clock: Clock) -> None:
    layer = Layer(clock)
    for capability, authenticated, secured, held in (
        (0x80, True, True, True),
        (0x80, True, False, True),
        (0x80, False, False, True),
        (0x80, False, True, False),
        (0x88, True, True, False),
    ):
        layer.nwk.learn(NEAR, METER)
        layer.tokens.children[METER] = Child(NEAR, capability, authenticated=authenticated)
        layer.nwk.send(NEAR, b"x", secured=secured)
        assert (len(layer.held), len(layer.sent)) == ((1, 0) if held else (0, 1)), (capability, authenticated, secured)
    for capability, authenticated, destination, copies in (
        (0x80, True, 0xFFFF, 1),
        (0x80, True, 0xFFFD, 0),
        (0x80, False, 0xFFFF, 0),
        (0x88, True, 0xFFFF, 0),
    ):
        layer.tokens.children[METER] = Child(NEAR, capability, authenticated=authenticated)
        layer.nwk.send(destination, b"x")
        assert (len(layer.held), len(layer.sent)) == (copies, 1)


async def test_an_end_device_of_a_node_is_no_router_and_has_proven_the_key(clock: Clock) -> None:
    layer = Layer(clock)
    layer.nwk.learn(NEAR, METER)
    for capability, authenticated, one in ((0x80, True, True), (0x88, True, True), (0x8E, True, False), (0x80, False, False)):
        layer.tokens.children[METER] = Child(NEAR, capability, authenticated=authenticated)
        assert layer.nwk.has_end_device(NEAR) is one
    assert not layer.nwk.has_end_device(FAR)


# children


async def test_a_device_associates_while_it_is_permitted_and_keeps_the_address_that_it_was_given(clock: Clock) -> None:
    layer = Layer(clock)
    children, loop = layer.nwk.children, asyncio.get_running_loop()
    assert children.associate(METER, 0x80) is None
    children.permit_until = loop.time() + 1
    answer = children.associate(METER, 0x80)
    assert answer is not None
    short, status = answer
    assert status == 0
    child = layer.tokens.children[METER]
    assert (child.short, child.capability, child.authenticated, child.claimed) == (short, 0x80, False, False)
    assert layer.mac.counts == ["join_indication"]
    assert children.associate(METER, 0x8E) == (short, 0)
    assert layer.tokens.children[METER].capability == 0x8E
    assert layer.mac.released == [short]
    layer.tokens.children[METER].authenticated = True
    assert children.associate(METER, 0x80) == (short, 0)
    assert layer.tokens.children[METER].capability == 0x8E, "whoever asks has proven nothing"
    await clock.sleep(1)
    assert children.associate(DISPLAY, 0x80) is None
    end = Layer(clock, 3)
    end.nwk.children.permit_until = loop.time() + 1
    assert end.nwk.children.associate(METER, 0x80) is None


async def test_who_never_fetched_its_answer_is_forgotten_and_who_did_is_told_of(clock: Clock) -> None:
    layer = Layer(clock)
    children = layer.nwk.children
    children.association_sent(METER, True)
    assert not layer.user.told
    child = layer.tokens.children[METER] = Child(NEAR, 0x80)
    children.association_sent(METER, True)
    assert layer.told("child_joined") == [(METER, child, Update.UNSECURED_JOIN)]
    children.association_sent(METER, False)
    assert METER not in layer.tokens.children
    assert layer.told("child_gone") == [(METER, child)]
    assert layer.mac.counts == ["child_removed"]
    child = layer.tokens.children[METER] = Child(NEAR, 0x80, authenticated=True)
    children.association_sent(METER, False)
    assert METER in layer.tokens.children, "it has proven the key before"


@pytest.mark.parametrize(("node_type", "authenticated", "stays"), [(2, False, False), (2, True, True), (1, False, True)])
async def test_a_router_gives_up_a_child_that_never_proves_the_key(clock: Clock, node_type: int, authenticated: bool, stays: bool) -> None:
    layer = Layer(clock, node_type)
    layer.tokens.children[METER] = Child(NEAR, 0x8E)
    layer.nwk.children.association_sent(METER, True)
    await clock.sleep(tables.AUTHENTICATION_S - 0.1)
    assert METER in layer.tokens.children
    layer.tokens.children[METER].authenticated = authenticated
    await clock.sleep(0.2)
    assert (METER in layer.tokens.children) is stays


def test_a_timeout_is_ten_seconds_or_a_power_of_two_of_minutes() -> None:
    """ZigBee PRO r21 3.4.11, table 3.43: 0 is 10 s, 1 is 2 min, 14 is 16,384 min."""
    assert [timeout_s(one) for one in (0, 1, 2, 8, 10, 14)] == [10, 120, 240, 256 * 60, 1024 * 60, 16384 * 60]


@pytest.mark.parametrize(("wanted", "status"), [(0, 0), (10, 0), (11, 1), (14, 1)])
async def test_a_child_asks_for_a_timeout_of_up_to_1024_minutes(clock: Clock, wanted: int, status: int) -> None:
    """GBCS 10.7.3; the answer has status and what the parent keeps alive by: 1, polls."""
    layer = Layer(clock)
    layer.tokens.children[METER] = Child(NEAR, 0x80, authenticated=True)
    layer.nwk.learn(NEAR, METER)
    layer.hear(bytes([0x0B, wanted, 0]), command=True)
    ((frame, hop),) = layer.held
    assert (frame.payload.hex(), frame.radius, hop) == (f"0c{status:02x}01", 1, NEAR)
    assert layer.tokens.children[METER].timeout == (wanted if status == 0 else 8)
    layer.hear(bytes([0x0B, wanted, 0]), source=FAR, device=DISPLAY, command=True)
    assert not layer.held, "of a child alone"


@pytest.mark.parametrize(("capability", "silent_s", "there"), [(0x80, 239, True), (0x80, 241, False), (0x8E, 10000, True)])
async def test_an_end_device_that_is_silent_for_its_timeout_is_forgotten_and_a_router_is_not(
    clock: Clock, capability: int, silent_s: float, there: bool
) -> None:
    layer = Layer(clock)
    child = layer.tokens.children[METER] = Child(NEAR, capability, timeout=2, authenticated=True)
    layer.nwk.children.watch(METER, child)
    await clock.sleep(100)
    layer.nwk.children.heard(METER)
    await clock.sleep(silent_s)
    assert (METER in layer.tokens.children) is there


@pytest.mark.parametrize("secured", [True, False])
async def test_a_device_rejoins_at_its_address_and_is_answered_in_kind(clock: Clock, secured: bool) -> None:
    layer = Layer(clock)
    layer.hear(bytes([6, 0x80]), command=True, source_eui=METER, secured=secured)
    child = layer.tokens.children[METER]
    assert (child.short, child.capability, child.authenticated, child.claimed) == (NEAR, 0x80, secured, False)
    ((frame, hop),) = layer.held
    assert (frame.payload.hex(), frame.secured, frame.radius, hop) == ("07111100", secured, 1, NEAR)
    assert (frame.destination_eui, frame.source_eui) == (METER, HUB)
    ((device, told, update),) = layer.told("child_joined")
    assert (device, told, update) == (METER, child, Update.SECURED_REJOIN if secured else Update.UNSECURED_REJOIN)
    await clock.sleep(tables.AUTHENTICATION_S + 1)
    assert (METER in layer.tokens.children) is secured, "without the key it has ten seconds to prove itself"


async def test_without_the_key_a_child_that_is_known_stays_where_it_is(clock: Clock) -> None:
    layer = Layer(clock)
    layer.nwk.learn(NEAR, METER)
    layer.tokens.children[METER] = Child(NEAR, 0x80, authenticated=True)
    layer.hear(bytes([6, 0x8E]), command=True, source=FAR, source_eui=METER, secured=False)
    child = layer.tokens.children[METER]
    assert (child.short, child.capability, child.authenticated) == (NEAR, 0x80, True)
    ((frame, _),) = layer.sent or layer.held
    assert frame.payload.hex() == "07111100", "it is told its address again"
    layer.hear(bytes([6, 0x8E]), command=True, source=FAR, source_eui=METER)
    child = layer.tokens.children[METER]
    assert (child.short, child.capability, child.authenticated) == (FAR, 0x8E, True)


async def test_without_the_key_nobody_takes_anothers_address_and_nobody_joins_a_full_node(clock: Clock) -> None:
    layer = Layer(clock)
    layer.nwk.learn(NEAR, METER)
    layer.hear(bytes([6, 0x80]), command=True, source_eui=DISPLAY, secured=False)
    assert DISPLAY not in layer.tokens.children
    for number in range(32):
        layer.tokens.children[Eui64(bytes(7) + bytes([number]))] = Child(number + 1, 0x80)
    layer.hear(bytes([6, 0x80]), command=True, source=FAR, source_eui=DISPLAY, secured=False)
    assert DISPLAY not in layer.tokens.children
    layer.hear(bytes([6, 0x80]), command=True, source=FAR, device=DISPLAY, source_eui=DISPLAY)
    assert DISPLAY in layer.tokens.children, "with it it is one of the network in any case"


async def test_a_claim_in_the_name_of_a_device_known_otherwise_is_true_by_its_announcement(clock: Clock) -> None:
    layer = Layer(clock)
    layer.nwk.learn(NEAR, METER)
    layer.hear(bytes([6, 0x80]), command=True, source_eui=METER, secured=False)
    child = layer.tokens.children[METER]
    assert (child.claimed, child.authenticated) == (True, False)
    layer.hear(b"x")
    assert not child.authenticated, "its ordinary frames prove the key and not the claim"
    for short, capability in ((FAR, 0x80), (NEAR, 0x8E)):
        layer.nwk.children.announced(METER, short, capability)
        assert child.claimed
    layer.nwk.children.announced(METER, NEAR, 0x80)
    assert (child.claimed, child.authenticated) == (False, True)


# routes


@pytest.mark.parametrize(("lqi", "cost"), [(255, 1), (223, 1), (222, 2), (191, 2), (190, 3), (100, 5), (63, 6), (62, 7), (31, 7), (0, 7)])
def test_a_links_cost_goes_from_1_to_7_by_steps_of_32(lqi: int, cost: int) -> None:
    assert link_cost(Link(lqi=lqi)) == cost


async def test_a_route_is_asked_for_once_and_not_again_for_five_seconds_where_there_was_none(clock: Clock) -> None:
    layer = Layer(clock)
    routes, found = layer.nwk.routes, list[bool]()
    routes.discover(FAR, found.append)
    routes.discover(FAR, found.append)
    ((frame, hop),) = layer.sent
    number = frame.payload[2]
    assert (frame.destination, hop, frame.command, frame.source_eui) == (0xFFFC, 0xFFFF, True, HUB)
    assert frame.payload.hex() == f"0100{number:02x}222200"
    await clock.sleep(tables.DISCOVERY_S - 0.01)
    assert not found
    await clock.sleep(0.02)
    assert found == [False, False]
    await clock.sleep(tables.HOPELESS_S - 0.1)
    routes.discover(FAR, found.append)
    await asyncio.sleep(0)
    assert (found, layer.sent) == ([False] * 3, [])
    await clock.sleep(0.2)
    routes.discover(FAR, found.append)
    ((frame, _),) = layer.sent
    assert frame.payload[2] == (number + 1) % 256
    layer.hear(bytes([2, 0, frame.payload[2]]) + bytes(2) + FAR.to_bytes(2, "little") + b"\x00", command=True)
    assert found == [False] * 3 + [True]
    assert routes.hop(FAR) == NEAR
    await clock.sleep(10)
    assert len(found) == 4
    routes.forget(FAR)
    assert routes.hop(FAR) == FAR


def request(number: int, destination: int, cost: int = 0, options: int = 0) -> bytes:
    return bytes([1, options, number]) + destination.to_bytes(2, "little") + bytes([cost])


async def test_a_route_request_is_answered_for_itself_and_its_end_devices_and_else_handed_on(clock: Clock) -> None:
    layer = Layer(clock, 2)
    me = layer.tokens.short
    layer.nwk.learn(0x6666, DISPLAY)
    layer.tokens.children[DISPLAY] = Child(0x6666, 0x80, authenticated=True)
    for number, destination in ((1, me), (2, 0x6666)):
        layer.hear(request(number, destination), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True)
        ((frame, hop),) = layer.sent
        assert (frame.destination, hop) == (NEAR, NEAR)
        assert frame.payload == bytes([2, 0, number]) + FAR.to_bytes(2, "little") + destination.to_bytes(2, "little") + b"\x00"
        assert layer.nwk.routes.hop(FAR) == NEAR
    layer.hear(request(3, 0x5555, 4), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True, radius=2)
    ((frame, hop),) = layer.sent
    assert (frame.destination, hop, frame.radius) == (0xFFFC, 0xFFFF, 1)
    assert frame.payload == request(3, 0x5555, 4 + link_cost(LINK))
    layer.hear(request(4, 0x5555), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True, radius=1)
    assert not layer.sent
    layer.hear(request(5, 0x5555, 254), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True)
    ((frame, _),) = layer.sent
    assert frame.payload[-1] == 255, "a cost has one octet"
    for cost, better in ((254, False), (253, False), (100, True), (100, False), (101, False), (99, True)):
        layer.hear(request(5, 0x5555, cost), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True)
        assert bool(layer.sent) is better, cost
    end = Layer(clock, 4)
    end.hear(request(1, end.tokens.short), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True)
    assert not end.sent
    layer.hear(bytes([1, 0, 9]), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True)
    assert layer.mac.counts[-1] == "nwk_bad_frame"


async def test_searches_of_65_others_are_known(clock: Clock) -> None:
    layer = Layer(clock, 2)
    for number in range(65):
        layer.hear(request(number, 0x5555), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True)
    assert len(layer.sent) == 65
    layer.hear(request(0, 0x5555), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True)
    assert not layer.sent
    layer.hear(request(65, 0x5555), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True)
    assert len(layer.sent) == 1
    layer.hear(request(0, 0x5555), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True)
    assert len(layer.sent) == 1, "the oldest is forgotten"


async def test_a_reply_goes_back_the_way_its_request_came_with_one_more_cost(clock: Clock) -> None:
    layer = Layer(clock, 2)
    layer.hear(request(7, 0x5555), source=FAR, hop=NEAR, destination=0xFFFC, to_all=True, command=True)
    assert layer.sent
    answer = bytes([2, 0, 7]) + FAR.to_bytes(2, "little") + (0x5555).to_bytes(2, "little")
    for cost, told in ((3, 4), (254, 255), (255, 255)):
        layer.hear(answer + bytes([cost]), source=0x4444, device=DISPLAY, command=True)
        ((frame, hop),) = layer.sent
        assert (frame.destination, hop, frame.payload) == (NEAR, NEAR, answer + bytes([told]))
    assert layer.nwk.routes.hop(0x5555) == 0x4444
    unknown = bytes([2, 0, 8]) + answer[3:]
    layer.hear(unknown + b"\x03", source=0x4444, device=DISPLAY, command=True)
    assert not layer.sent


async def test_a_concentrator_calls_all_and_is_told_the_way_before_the_next_frame(clock: Clock) -> None:
    hub = Layer(clock)
    hub.nwk.routes.call_all()
    ((frame, hop),) = hub.sent
    assert (frame.destination, hop, frame.payload[:2].hex(), frame.payload[3:].hex()) == (0xFFFC, 0xFFFF, "0108", "fcff00")
    router = Layer(clock, 2)
    router.hear(request(1, 0xFFFC, options=8), source=0, hop=NEAR, destination=0xFFFC, to_all=True, command=True, radius=2)
    ((frame, _),) = router.sent
    assert frame.payload == request(1, 0xFFFC, link_cost(LINK), 8)
    router.nwk.send(0, b"x")
    assert [(frame.command, frame.payload, hop) for frame, hop in router.sent] == [(True, b"\x05\x00", NEAR), (False, b"x", NEAR)]
    router.nwk.send(0, b"x")
    assert len(router.sent) == 1, "once"
    router.hear(b"\x05\x01\x33\x33", source=FAR, hop=NEAR, destination=0, command=True)
    ((frame, _),) = router.sent
    assert frame.payload.hex() == "050233337777", "it puts itself behind"
    hub.hear(b"\x05\x02\x33\x33\x44\x44", source=FAR, hop=NEAR, source_eui=DISPLAY, command=True)
    assert hub.told("route_recorded") == [(FAR, DISPLAY, (0x3333, 0x4444), LINK)]
    assert hub.nwk.routes.source[FAR] == (0x3333, 0x4444)


async def test_a_message_whose_neighbour_is_gone_goes_by_a_new_route_or_fails(clock: Clock) -> None:
    layer = Layer(clock)
    for command, secured, searches in ((False, True, True), (True, True, False), (False, False, False)):
        ended: list[bool] = []
        layer.nwk.send(FAR, b"x", ended.append, command=command, secured=secured)
        layer.mac.sent[-1][2](False)
        assert any(frame.payload[:1] == b"\x01" for frame, _ in layer.sent if frame.command) is searches
        if searches:
            await clock.sleep(1)
        assert ended == [False]
    await clock.sleep(10)
    ended = []
    layer.nwk.send(FAR, b"x", ended.append)
    layer.mac.sent[-1][2](False)
    frames = layer.sent
    number = frames[-1][0].payload[2]
    layer.hear(bytes([2, 0, number, 0, 0]) + FAR.to_bytes(2, "little") + b"\x00", command=True)
    octets, hop, done = layer.mac.sent[-1]
    assert (layer.opened(octets).payload, hop) == (b"x", NEAR)
    done(False)
    assert ended == [False], "it is looked for once"


async def test_a_rejoin_response_tells_address_and_status(clock: Clock) -> None:
    layer = Layer(clock, 4)
    for secured in (True, False):
        layer.hear(bytes([7, 0x34, 0x12, 0x05]), command=True, secured=secured)
        assert layer.told("associated") == [(0x1234, 5)]
    layer.hear(bytes([7, 0x34, 0x12]), command=True)
    assert layer.mac.counts == ["nwk_bad_frame"]
