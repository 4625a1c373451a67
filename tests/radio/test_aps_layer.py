"""The APS layer of a node over a network that keeps what it is given: retries, duplicates, fragments, counters (ZigBee PRO r21 2.2)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import load_key, transport_key
from firmware_emu.errors import ProtectionError
from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import ApsKind, ApsPdu, DeliveryMode, FragmentHeader, NwkPdu
from hil.radio.stack.aps import Aps, IncomingApdu, Reassembly
from hil.radio.stack.nwk import Auxiliary, KeyId, protect
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import LAST_COUNTER, Child, Tokens
from tests.radio.radio_bench import DISPLAY, HUB, LINK_KEY, METER, OTHER_KEY

SHORT = 0x1111
LINK = Link(rssi=-50, lqi=200)
DATA = ApsPdu(
    ApsKind.DATA, 7, ack_request=True, destination_endpoint=2, cluster=0x0702, profile=0x0109, source_endpoint=3, payload=b"hello"
)


class KeptNetwork:
    """A network layer that keeps frames."""

    def __init__(self) -> None:
        self.tokens = Tokens(HUB, node_type=1, short=0)
        self.addresses: dict[int, Eui64] = {SHORT: METER}
        self.mac = self
        self.channel: int | None = 15
        self.counts: list[str] = []
        self.sent: list[tuple[int, bytes, Any, int]] = []
        self.learned: list[tuple[int, Eui64]] = []

    def count(self, name: str) -> None:
        self.counts.append(name)

    def learn(self, short: int, device: Eui64) -> None:
        self.learned.append((short, device))

    def send(self, destination: int, octets: bytes, done: Any = None, *, radius: int = 30) -> None:
        self.sent.append((destination, octets, done, radius))


class Node:
    """The layer with a user that takes all data, and holds link keys."""

    def __init__(self) -> None:
        self.nwk = KeptNetwork()
        self.keys: dict[Eui64, tuple[bytes, ...]] = {METER: (LINK_KEY,)}
        self.taken: list[IncomingApdu] = []
        self.commands: list[tuple[Any, ...]] = []
        self.takes = True
        self.aps = Aps(self.nwk, self, 254)  # type: ignore[arg-type]
        self.aps.start()
        self.ended: list[Status] = []

    def aps_data(self, message: IncomingApdu) -> bool:
        self.taken.append(message)
        return self.takes

    def aps_command(self, *facts: Any) -> None:
        self.commands.append(facts)

    def link_key(self, partner: Eui64) -> bytes | None:
        return self.keys.get(partner, (None,))[0]

    def link_keys(self, partner: Eui64 | None) -> tuple[bytes, ...]:
        return self.keys.get(partner, ()) if partner is not None else ()

    def send(self, pdu: ApsPdu = DATA, destination: int = SHORT) -> Status:
        return self.aps.send(destination, pdu, self.ended.append)

    def hear(self, pdu: ApsPdu, *, source: int = SHORT, destination: int = 0, nwk_secured: bool = True) -> None:
        self.aps.receive(NwkPdu(destination, source, 5, 1, payload=pdu.encode()), LINK, nwk_secured)

    def hear_sealed(
        self, pdu: ApsPdu, key: bytes, counter: int, key_id: KeyId = KeyId.LINK, source: Eui64 | None = METER, **facts: Any
    ) -> None:
        pdu = replace(pdu, secured=True)
        auxiliary = Auxiliary(key_id, counter, source)
        self.hear(replace(pdu, payload=protect(key, pdu.header(), auxiliary, source or METER, pdu.payload)), **facts)

    @property
    def frames(self) -> list[ApsPdu]:
        sent, self.nwk.sent = self.nwk.sent, []
        return [ApsPdu.decode(octets) for _, octets, _, _ in sent]

    @property
    def payloads(self) -> list[bytes]:
        taken, self.taken = self.taken, []
        return [one.pdu.payload for one in taken]


@pytest.fixture
def node(clock: Clock) -> Node:
    return Node()


def ack_of(pdu: ApsPdu, block: FragmentHeader | None = None) -> ApsPdu:
    return ApsPdu(ApsKind.ACK, pdu.counter, destination_endpoint=3, cluster=0x0702, profile=0x0109, source_endpoint=2, block=block)


async def test_a_message_is_sent_three_times_1_6_seconds_apart_and_then_fails(node: Node, clock: Clock) -> None:
    assert node.send() is Status.SUCCESS
    for tries in range(1, 4):
        assert len(node.nwk.sent) == tries
        node.nwk.sent[-1][2](True)
        assert node.aps.waiting
        await clock.sleep(1.59)
        assert (len(node.nwk.sent), node.ended) == (tries, [])
        await clock.sleep(0.02)
    assert node.ended == [Status.DELIVERY_FAILED]
    assert not node.aps.waiting
    assert node.nwk.counts == ["aps_tx_retry", "aps_tx_retry", "aps_tx_failed"]
    assert len({octets for _, octets, _, _ in node.nwk.sent}) == 1


async def test_an_acknowledgement_of_its_counter_and_sender_ends_a_message(node: Node, clock: Clock) -> None:
    node.send()
    node.nwk.sent[-1][2](True)
    node.hear(ack_of(replace(DATA, counter=8)))
    node.hear(ack_of(DATA), source=0x2222)
    node.hear(ack_of(DATA), nwk_secured=False)
    assert node.ended == []
    node.hear(ack_of(DATA))
    assert node.ended == [Status.SUCCESS]
    await clock.sleep(10)
    assert (len(node.nwk.sent), node.nwk.counts) == (1, ["aps_unsecured", "aps_tx_success"])


@pytest.mark.parametrize(
    ("capability", "extended", "ok", "wait_s"),
    [(None, False, False, 0.3), (None, True, True, 6.4), (0x8E, False, False, 0.3), (0x88, False, True, 1.6)],
)
async def test_the_wait_depends_on_the_first_hop_and_on_the_partner(
    node: Node, clock: Clock, capability: int | None, extended: bool, ok: bool, wait_s: float
) -> None:
    if capability is not None:
        node.nwk.tokens.children[METER] = Child(SHORT, capability)
    if extended:
        node.aps.extended.add(METER)
    node.send()
    node.nwk.sent[-1][2](ok)
    await clock.sleep(wait_s - 0.01)
    assert len(node.nwk.sent) == 1
    await clock.sleep(0.02)
    assert len(node.nwk.sent) == 2


async def test_a_message_that_a_sleepy_child_did_not_fetch_fails_at_once(node: Node) -> None:
    node.nwk.tokens.children[METER] = Child(SHORT, 0x80)
    node.send()
    node.nwk.sent[-1][2](False)
    assert node.ended == [Status.DELIVERY_FAILED]


async def test_without_an_acknowledgement_the_first_hop_decides(node: Node) -> None:
    for ok in (True, False):
        node.send(replace(DATA, ack_request=False))
        assert not node.aps.waiting
        node.nwk.sent[-1][2](ok)
    assert node.ended == [Status.SUCCESS, Status.DELIVERY_FAILED]


@pytest.mark.parametrize(
    ("secured", "block", "most"),
    [(False, None, 82), (True, None, 65), (False, FragmentHeader(True, 2), 80), (True, FragmentHeader(True, 2), 63)],
)
async def test_a_frame_takes_so_many_octets(node: Node, secured: bool, block: FragmentHeader | None, most: int) -> None:
    """82 octets with network security (reference zigbee-han 5); 17 fewer under a link key, 2 fewer in a fragment."""
    assert node.aps.capacity(secured, block is not None) == most
    assert node.send(replace(DATA, secured=secured, block=block, payload=bytes(most))) is Status.SUCCESS
    assert node.send(replace(DATA, secured=secured, block=block, payload=bytes(most + 1))) is Status.MESSAGE_TOO_LONG


async def test_a_message_under_a_link_key_needs_the_key_and_the_address(node: Node) -> None:
    sealed = replace(DATA, secured=True)
    assert node.send(sealed, 0x2222) is Status.APS_ENCRYPTION_ERROR
    node.keys.clear()
    assert node.send(sealed) is Status.APS_ENCRYPTION_ERROR
    assert node.send(sealed, 0) is Status.SUCCESS, "to itself"
    assert not node.frames[0].secured
    node.keys[METER] = (LINK_KEY,)
    assert node.send(sealed) is Status.SUCCESS
    (frame,) = node.frames
    assert frame.secured
    assert len(frame.payload) == 5 + 17


@pytest.mark.parametrize(("destination", "acknowledged"), [(0xFFF7, True), (0xFFF8, False), (0xFFFF, False), (0x0000, False)])
async def test_a_message_to_many_or_to_itself_is_never_acknowledged(node: Node, destination: int, acknowledged: bool) -> None:
    node.aps.send(destination, DATA, node.ended.append, radius=5)
    ((to, octets, done, radius),) = node.nwk.sent
    assert (to, ApsPdu.decode(octets).ack_request, radius) == (destination, acknowledged, 30 if acknowledged else 5)
    done(False)
    assert node.ended == ([] if acknowledged else [Status.DELIVERY_FAILED])


@pytest.mark.parametrize(
    ("destination", "cluster", "profile", "ok", "obeyed"),
    [
        (0xFFFF, 0x0038, 0, True, True),
        (0xFFF8, 0x0038, 0, True, True),
        (0x0000, 0x0038, 0, True, False),
        (0xFFFF, 0x0036, 0, True, False),
        (0xFFFF, 0x0038, 0x0109, True, False),
        (0xFFFF, 0x0038, 0, False, False),
    ],
)
async def test_a_node_obeys_its_own_word_to_all_about_the_network(
    node: Node, destination: int, cluster: int, profile: int, ok: bool, obeyed: bool
) -> None:
    node.aps.send(destination, replace(DATA, cluster=cluster, profile=profile), node.ended.append)
    node.nwk.sent[-1][2](ok)
    assert bool(node.taken) is obeyed
    if obeyed:
        (one,) = node.taken
        assert (one.source, one.eui64, one.broadcast, one.link.rssi) == (0, HUB, True, 0)
    node.aps.send(destination, replace(DATA, cluster=cluster, profile=profile), node.ended.append)
    done = node.nwk.sent[-1][2]
    node.taken.clear()
    node.aps.stop()
    done(ok)
    assert not node.taken, "of an earlier life"


async def test_a_long_message_goes_in_pieces_of_61_each_acknowledged(node: Node, clock: Clock) -> None:
    whole = replace(DATA, payload=bytes(range(150)))
    sending = asyncio.create_task(node.aps.send_whole(SHORT, whole))
    for number, (begin, end) in enumerate(((0, 61), (61, 122), (122, 150))):
        await asyncio.sleep(0)
        (frame,) = node.frames
        assert frame.block == FragmentHeader(number == 0, number or 3)
        assert frame.payload == whole.payload[begin:end]
        node.hear(ack_of(DATA, FragmentHeader(True, number, 1)))
        await asyncio.sleep(0)
    assert await sending is Status.SUCCESS
    short = asyncio.create_task(node.aps.send_whole(SHORT, replace(DATA, payload=bytes(82))))
    await asyncio.sleep(0)
    (frame,) = node.frames
    assert frame.block is None
    node.hear(ack_of(DATA))
    assert await short is Status.SUCCESS
    failing = asyncio.create_task(node.aps.send_whole(SHORT, whole))
    for _ in range(3):
        await asyncio.sleep(0)
        node.nwk.sent[-1][2](True)
        await clock.sleep(1.61)
    assert await failing is Status.DELIVERY_FAILED
    assert all(frame.block == FragmentHeader(True, 3) for frame in node.frames), "the rest is not sent"
    assert await node.aps.send_whole(SHORT, replace(DATA, payload=bytes(255 * 61 + 1))) is Status.MESSAGE_TOO_LONG


async def test_what_waited_when_the_radio_went_off_fails(node: Node, clock: Clock) -> None:
    node.send()
    done = node.nwk.sent[-1][2]
    done(True)
    node.aps.stop()
    assert node.ended == [Status.NETWORK_DOWN]
    done(True)
    await clock.sleep(5)
    assert (len(node.nwk.sent), node.ended) == (1, [Status.NETWORK_DOWN])


async def test_sequences_come_round_after_256(node: Node) -> None:
    assert [node.aps.next_sequence() for _ in range(3)] == [255, 0, 1]


# receiving


async def test_data_are_acknowledged_from_where_they_were_for(node: Node) -> None:
    node.hear(DATA)
    (ack,) = node.frames
    assert ack == ack_of(DATA)
    (one,) = node.taken
    assert (one.source, one.eui64, one.broadcast, one.link) == (SHORT, METER, False, LINK)
    for pdu, destination in (
        (replace(DATA, counter=8, ack_request=False), 0),
        (replace(DATA, counter=9), 0xFFF8),
        (replace(DATA, counter=10), 0xFFFF),
    ):
        node.hear(pdu, destination=destination)
        assert not node.frames
    assert [one.broadcast for one in node.taken] == [False, False, True, True]
    node.hear(replace(DATA, counter=11, delivery=DeliveryMode.BROADCAST))
    assert node.taken[-1].broadcast
    node.takes = False
    assert node.frames
    node.hear(replace(DATA, counter=12))
    assert not node.frames, "nobody took it"
    node.hear(replace(DATA, counter=13), nwk_secured=False)
    assert node.nwk.counts[-1] == "aps_unsecured"
    assert node.nwk.counts[:4] == ["aps_rx_unicast", "aps_rx_unicast", "aps_rx_broadcast", "aps_rx_broadcast"]
    node.aps.receive(NwkPdu(0, SHORT, 5, 1, payload=b"\x03"), LINK, True)
    assert node.nwk.counts[-1] == "aps_bad_frame"


@pytest.mark.parametrize(("later_s", "new"), [(0.0, False), (7.9, False), (8.1, True)])
async def test_a_repetition_is_acknowledged_again_and_not_told_for_eight_seconds(
    node: Node, clock: Clock, later_s: float, new: bool
) -> None:
    node.hear(DATA)
    assert (node.payloads, len(node.frames)) == ([b"hello"], 1)
    await clock.sleep(later_s)
    node.hear(DATA)
    assert (bool(node.payloads), len(node.frames)) == (new, 1)
    node.hear(DATA, source=0x2222)
    assert node.payloads == [b"hello"], "of another sender"


async def test_the_last_32_of_a_sender_are_known(node: Node) -> None:
    for counter in range(33):
        node.hear(replace(DATA, counter=counter, ack_request=False))
    assert len(node.payloads) == 33
    node.hear(replace(DATA, counter=1, ack_request=False))
    assert not node.payloads
    node.hear(replace(DATA, counter=0, ack_request=False))
    assert node.payloads == [b"hello"], "the oldest is forgotten"
    for _ in range(2):
        node.hear(replace(DATA, counter=77), source=0)
    assert len(node.payloads) == 2, "its own come as often as they are sent"


async def test_fragments_are_acknowledged_by_whoever_joins_them_with_their_block(node: Node) -> None:
    for block, number in ((FragmentHeader(True, 3), 0), (FragmentHeader(False, 2), 2)):
        pdu = replace(DATA, block=block)
        node.hear(pdu)
        assert not node.frames
        node.hear(pdu)
        assert len(node.payloads) == 2, "nobody has acknowledged it yet"
        node.aps.acknowledge(SHORT, pdu)
        (ack,) = node.frames
        assert ack == ack_of(DATA, FragmentHeader(True, number, 1))
        node.hear(pdu)
        assert not node.payloads
        assert node.frames == [ack]


async def test_a_sealed_message_is_opened_by_the_key_that_fits_with_a_counter_above_the_last(node: Node) -> None:
    node.keys[METER] = (OTHER_KEY, LINK_KEY)
    pdu = replace(DATA, ack_request=False)
    for number, (counter, heard) in enumerate(((5, True), (5, False), (4, False), (6, True))):
        node.hear_sealed(replace(pdu, counter=number), LINK_KEY, counter)
        assert bool(node.payloads) is heard
    assert node.nwk.counts.count("aps_frame_counter_failure") == 2
    assert node.aps.incoming_counter(METER) == 7
    assert node.aps.incoming_counter(DISPLAY) == 0
    assert node.nwk.learned == [(SHORT, METER)] * 2
    node.hear_sealed(replace(pdu, counter=20), OTHER_KEY, 0)
    assert node.payloads == [b"hello"], "each key counts by itself"
    node.aps.reset_counters(DISPLAY)
    node.hear_sealed(replace(pdu, counter=21), LINK_KEY, 0)
    assert not node.payloads
    node.aps.reset_counters(METER)
    node.hear_sealed(replace(pdu, counter=22), LINK_KEY, 0)
    assert node.payloads == [b"hello"]
    node.hear_sealed(replace(pdu, counter=23), b"x" * 16, 99)
    assert node.nwk.counts[-1] == "aps_decryption_failure"
    node.hear_sealed(replace(pdu, counter=24), LINK_KEY, 100, source=None)
    assert node.payloads == [b"hello"], "its name is known by its address"
    node.nwk.addresses.clear()
    node.hear_sealed(replace(pdu, counter=26), LINK_KEY, 102, source=None)
    assert node.nwk.counts[-1] == "aps_decryption_failure"


@pytest.mark.parametrize(("key_id", "derive"), [(KeyId.TRANSPORT, transport_key), (KeyId.LOAD, load_key), (KeyId.LINK, lambda key: key)])
async def test_a_command_is_opened_under_the_key_made_for_it(node: Node, key_id: KeyId, derive: Any) -> None:
    command = ApsPdu(ApsKind.COMMAND, 9, addressed=False, payload=b"\x05rest")
    node.hear_sealed(command, derive(LINK_KEY), 1, key_id, nwk_secured=False)
    ((source, pdu, told, secured),) = node.commands
    assert (source, pdu.payload, told, secured) == (METER, b"\x05rest", key_id, False)
    assert not node.nwk.learned, "it proves no address"
    node.hear(command)
    assert node.commands[1][2:] == (None, True)


async def test_a_counter_is_kept_ahead_and_ends(node: Node) -> None:
    seal = replace(DATA, payload=b"")
    for _ in range(2):
        node.aps.seal(seal, LINK_KEY, KeyId.LINK)
    assert (node.aps.counter, node.nwk.tokens.aps_counter) == (2, 4096)
    node.nwk.channel = None
    assert node.aps.counter == 4096
    node.nwk.tokens.aps_counter = LAST_COUNTER - 1
    node.aps.start()
    assert node.aps.sealed(seal, LINK_KEY, KeyId.LINK) is not None
    assert node.nwk.tokens.aps_counter == LAST_COUNTER
    assert node.aps.sealed(seal, LINK_KEY, KeyId.LINK) is None
    assert node.nwk.counts == ["aps_counter_end"]
    with pytest.raises(ProtectionError, match="at its end, 4294967295"):
        node.aps.seal(seal, LINK_KEY, KeyId.LINK)


def fragment(number: int, total: int, payload: bytes, source: int = SHORT, **facts: Any) -> IncomingApdu:
    block = FragmentHeader(number == 0, number or total)
    return IncomingApdu(source, METER, replace(DATA, block=block, payload=payload, **facts), False, LINK)


async def test_fragments_become_whole_in_any_order_within_ten_seconds(clock: Clock) -> None:
    joins = Reassembly()
    assert joins.add(fragment(2, 3, b"c")) is None
    assert joins.add(fragment(0, 3, b"a")) is None
    assert joins.add(fragment(1, 3, b"x", source=0x2222)) is None
    assert joins.add(fragment(1, 3, b"x", secured=True)) is None
    assert joins.add(fragment(1, 3, b"x", counter=8)) is None
    await clock.sleep(9.9)
    assert joins.add(fragment(1, 3, b"b", ack_request=False)) == b"abc"
    assert joins.add(fragment(1, 3, b"b")) is None, "it begins anew"
    joins.add(fragment(0, 2, b"a"))
    joins.clear()
    assert joins.add(fragment(1, 2, b"b")) is None
    await clock.sleep(10.1)
    assert joins.add(fragment(0, 2, b"a")) is None, "the other has been too long ago"
    assert joins.add(fragment(0, 1, b"alone", counter=99)) == b"alone"
