"""A node's stack by itself: what it answers to its host in each state, and what it keeps, forgets and tells (reference ezsp-ncp)."""

from __future__ import annotations

import logging
from operator import attrgetter
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import ApsKind, ApsPdu, DeliveryMode, Update
from hil.radio.stack.aps import IncomingApdu
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child
from tests.radio.radio_bench import DISPLAY, EXTENDED_PAN, HUB, LINK_KEY, METER, OTHER_KEY, Coordinator

KEY = b"n" * 16


@pytest.fixture
async def node(clock: Clock) -> Coordinator:
    return Coordinator(Air(clock, 1))


async def test_a_network_is_formed_as_it_was_asked_for_and_what_was_before_is_gone(node: Coordinator, clock: Clock) -> None:
    stack, tokens = node.stack, node.stack.tokens
    tokens.network_key, tokens.alternate_key, tokens.depth, tokens.short = KEY, OTHER_KEY, 3, 0x7777
    tokens.parent, tokens.parent_short, tokens.tc_eui64, tokens.node_type = METER, 0x1111, METER, 2
    tokens.children[METER] = Child(0x1111, 0x80)
    assert stack.form(EXTENDED_PAN, 0x1A62, 20, 5, 9) is Status.SUCCESS
    assert (tokens.extended_pan, tokens.pan, tokens.channel, tokens.power, tokens.update_id) == (EXTENDED_PAN, 0x1A62, 20, 5, 9)
    assert attrgetter("node_type", "short", "depth", "parent", "parent_short")(tokens) == (1, 0, 0, None, 0xFFFF)
    assert attrgetter("network_key", "alternate_key", "tc_eui64", "children")(tokens) == (KEY, None, HUB, {})
    assert node.statuses == [], "the host is told after its call has returned"
    await clock.sleep(0)
    assert (stack.running, node.statuses) == (True, [Status.NETWORK_UP])
    mac = stack.nwk.mac
    assert (mac.channel, mac.pan, mac.short, mac.rx_on) == (20, 0x1A62, 0, True)


async def test_what_a_host_leaves_open_is_drawn_and_fixed_by_the_seed(clock: Clock) -> None:
    drawn = []
    for seed in (1, 1, 2):
        node = Coordinator(Air(clock, seed))
        assert node.stack.form(Eui64(bytes(8)), 0xFFFF, 11, 8, 0) is Status.SUCCESS
        tokens = node.stack.tokens
        assert 1 <= tokens.pan < 0xFFF0
        assert tokens.network_key is not None
        assert (len(tokens.network_key), any(tokens.extended_pan.octets)) == (16, True)
        drawn.append((tokens.pan, tokens.network_key, tokens.extended_pan))
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("channel", "status"),
    [
        (10, Status.PHY_INVALID_CHANNEL),
        (11, Status.SUCCESS),
        (26, Status.SUCCESS),
        (27, Status.PHY_INVALID_CHANNEL),
        (0x80 | 26, Status.SUCCESS),
        (0x80 | 27, Status.PHY_INVALID_CHANNEL),
    ],
)
async def test_a_network_is_formed_on_channels_that_there_are(node: Coordinator, channel: int, status: Status) -> None:
    assert node.stack.form(EXTENDED_PAN, 0x1A62, channel, 8, 0) is status
    assert node.stack.running == (status is Status.SUCCESS)


@pytest.mark.parametrize(("running", "busy"), [(True, False), (False, True)])
async def test_a_node_that_is_on_a_network_or_on_its_way_begins_nothing_else(node: Coordinator, running: bool, busy: bool) -> None:
    stack = node.stack
    stack.tokens.node_type, stack.tokens.network_key, stack.tokens.tc_link_key = 2, KEY, LINK_KEY
    stack.running, stack.busy = running, busy
    assert stack.form(EXTENDED_PAN, 1, 15, 8, 0) is Status.INVALID_CALL
    assert stack.initialise() is Status.INVALID_CALL
    assert stack.join(2, (15,), None, None) is Status.INVALID_CALL
    if busy:
        assert stack.rejoin() is Status.INVALID_CALL
    assert stack.tokens.network_key == KEY


async def test_a_node_off_every_network_says_so_in_the_word_of_each_call(node: Coordinator) -> None:
    stack = node.stack
    assert stack.initialise() is Status.NOT_JOINED
    assert stack.rejoin() is Status.INVALID_CALL
    assert stack.leave() is Status.INVALID_CALL
    assert stack.permit(60) is Status.INVALID_CALL
    assert stack.remove(METER, 0x1111) is Status.INVALID_CALL
    assert stack.join(2, (15,), None, None) is Status.SECURITY_STATE_NOT_SET
    stack.tokens.node_type, stack.tokens.network_key = 2, KEY
    assert stack.rejoin(secured=False) is Status.SECURITY_STATE_NOT_SET, "no trust centre is known"
    stack.tokens.tc_eui64 = METER
    assert stack.rejoin(secured=False) is Status.SECURITY_STATE_NOT_SET, "no link key is held with it"
    assert not stack.busy


@pytest.mark.parametrize(("node_type", "knows"), [(1, False), (2, True), (4, True)])
async def test_a_stored_network_comes_up_and_a_member_knows_its_trust_centre_at_0(
    node: Coordinator, clock: Clock, node_type: int, knows: bool
) -> None:
    stack, tokens = node.stack, node.stack.tokens
    tokens.node_type, tokens.network_key, tokens.channel, tokens.short, tokens.tc_eui64 = node_type, KEY, 25, 0x7777, METER
    assert stack.initialise() is Status.SUCCESS
    await clock.sleep(0)
    assert node.statuses == [Status.NETWORK_UP]
    assert stack.nwk.shorts.get(METER) == (0 if knows else None)
    assert (stack.nwk.mac.channel, stack.nwk.mac.rx_on) == (25, node_type != 4)


async def test_a_join_under_a_key_forgets_the_network_before_and_tells_how_it_failed(node: Coordinator, clock: Clock) -> None:
    stack, tokens = node.stack, node.stack.tokens
    tokens.tc_link_key, tokens.network_key, tokens.alternate_key, tokens.tc_eui64, tokens.node_type = LINK_KEY, KEY, KEY, METER, 2
    assert stack.join(2, (15,), None, None) is Status.SUCCESS
    assert stack.busy
    assert attrgetter("network_key", "alternate_key", "tc_eui64", "node_type")(tokens) == (None, None, None, 0)
    assert stack.link_keys(METER) == (), "it waits for no key yet"
    assert stack.network_key is stack.awaited_key
    assert stack.link_keys(METER) == (LINK_KEY,), "whoever brings the network key does so under this one"
    assert stack.link_keys(None) == ()
    await clock.sleep(1)
    assert node.statuses == [Status.NO_BEACONS]
    assert attrgetter("busy", "running", "awaited_key")(stack) == (False, False, None)


@pytest.mark.parametrize("seconds", [1, 60, 254])
async def test_a_network_is_open_for_its_seconds_and_the_host_is_told_of_each_change(node: Coordinator, clock: Clock, seconds: int) -> None:
    node.form()
    await clock.sleep(0)
    node.statuses.clear()
    for _ in range(2):
        assert node.stack.permit(seconds) is Status.SUCCESS
        await clock.sleep(seconds / 2)
    assert node.statuses == [Status.NETWORK_OPENED], "opened again it is open already"
    found = []
    for more in (seconds / 2 - 0.01, 0.02):
        await clock.sleep(more)
        found.append(node.stack.nwk.children.permitting)
    assert found == [True, False]
    assert node.statuses == [Status.NETWORK_OPENED, Status.NETWORK_CLOSED]


async def test_a_network_that_is_left_open_stays_so_until_it_is_closed(node: Coordinator, clock: Clock) -> None:
    """255 of permitJoining: until further notice."""
    node.form()
    await clock.sleep(0)
    node.statuses.clear()
    assert node.stack.permit(255) is Status.SUCCESS
    await clock.sleep(86_400)
    assert (node.stack.nwk.children.permitting, node.statuses) == (True, [Status.NETWORK_OPENED])
    for _ in range(2):
        assert node.stack.permit(0) is Status.SUCCESS
        await clock.sleep(1)
    assert (node.stack.nwk.children.permitting, node.statuses) == (False, [Status.NETWORK_OPENED, Status.NETWORK_CLOSED])


@pytest.mark.parametrize(
    ("node_type", "status"), [(1, Status.SUCCESS), (2, Status.SUCCESS), (3, Status.INVALID_CALL), (4, Status.INVALID_CALL)]
)
async def test_coordinators_and_routers_may_open_their_network(node: Coordinator, node_type: int, status: Status) -> None:
    node.form()
    node.stack.tokens.node_type = node_type
    assert node.stack.permit(60) is status


async def test_without_power_endpoints_keys_and_timers_are_gone_and_the_network_is_kept(node: Coordinator, clock: Clock) -> None:
    node.form()
    node.permit(METER)
    await clock.sleep(0)
    node.statuses.clear()
    node.stack.power_off()
    assert (node.stack.running, node.stack.busy, node.stack.endpoints, node.stack.trust.keys()) == (False, False, {}, {})
    assert (node.stack.tokens.joined, node.stack.nwk.mac.channel) == (True, None)
    await clock.sleep(100)
    assert node.statuses == [], "nothing that was to come comes"


async def test_a_node_that_left_has_forgotten_its_network(node: Coordinator, clock: Clock) -> None:
    node.form()
    assert node.stack.leave() is Status.SUCCESS
    await clock.sleep(1)
    assert (node.stack.running, node.stack.tokens.joined, node.statuses[-1]) == (False, False, Status.NETWORK_DOWN)


async def test_the_key_with_a_partner_is_the_imported_one_else_the_permitted_one_else_the_trust_centres(node: Coordinator) -> None:
    stack, tokens = node.stack, node.stack.tokens
    node.form()
    assert (stack.link_key(METER), stack.link_keys(METER)) == (None, ())
    stack.trust.permit_key(METER, LINK_KEY)
    assert stack.link_key(METER) == LINK_KEY
    stack.import_link_key(3, METER, OTHER_KEY)
    assert (stack.link_key(METER), stack.link_keys(METER), stack.link_key(DISPLAY)) == (OTHER_KEY, (OTHER_KEY,), None)
    tokens.node_type, tokens.tc_eui64, tokens.tc_link_key = 2, DISPLAY, LINK_KEY
    assert (stack.link_key(METER), stack.link_key(DISPLAY), stack.link_key(HUB)) == (OTHER_KEY, LINK_KEY, None)


async def test_a_link_key_takes_its_partners_place_or_the_first_that_is_free(node: Coordinator) -> None:
    stack, table = node.stack, node.stack.tokens.link_keys
    table[0], table[2] = (HUB, KEY), (METER, KEY)
    stack.keep_link_key(METER, LINK_KEY)
    assert table == {0: (HUB, KEY), 2: (METER, LINK_KEY)}
    stack.keep_link_key(DISPLAY, OTHER_KEY)
    assert table == {0: (HUB, KEY), 1: (DISPLAY, OTHER_KEY), 2: (METER, LINK_KEY)}
    stack.keep_link_key(EXTENDED_PAN if EXTENDED_PAN != HUB else Eui64(bytes(range(8))), KEY)
    assert sorted(table) == [0, 1, 2, 3]
    stack.import_link_key(1, METER, OTHER_KEY)
    assert (table[1], 2 in table) == ((METER, OTHER_KEY), False)


def message(endpoint: int, delivery: DeliveryMode = DeliveryMode.UNICAST, profile: int = 0x0109) -> IncomingApdu:
    pdu = ApsPdu(ApsKind.DATA, 1, delivery, destination_endpoint=endpoint, cluster=0x0702, profile=profile, payload=b"x")
    return IncomingApdu(0x1111, METER, pdu, delivery is not DeliveryMode.UNICAST, Link())


@pytest.mark.parametrize(
    ("endpoint", "delivery", "profile", "taken"),
    [
        (1, DeliveryMode.UNICAST, 0x0109, True),
        (2, DeliveryMode.UNICAST, 0x0109, False),
        (0xFF, DeliveryMode.UNICAST, 0x0109, True),
        (0xFE, DeliveryMode.BROADCAST, 0x0109, False),
        (0xFF, DeliveryMode.BROADCAST, 0x0109, True),
        (0, DeliveryMode.GROUP, 0, True),
        (0, DeliveryMode.GROUP, 0x0109, True),
        (0, DeliveryMode.UNICAST, 0x0109, False),
        (1, DeliveryMode.UNICAST, 0, True),
    ],
)
@pytest.mark.parametrize("any_endpoint", [False, True])
async def test_a_message_is_for_an_endpoint_that_is_here_or_for_all(
    node: Coordinator, endpoint: int, delivery: DeliveryMode, profile: int, taken: bool, any_endpoint: bool
) -> None:
    node.stack.any_endpoint = any_endpoint
    assert node.stack.aps_data(message(endpoint, delivery, profile)) == (taken or any_endpoint)
    assert len(node.received) == (taken or any_endpoint)
    assert node.stack.nwk.mac.counters.get("aps_no_endpoint", 0) == (not taken and not any_endpoint)


async def test_of_an_endpoint_that_is_missing_the_log_tells_once_until_the_reset(
    node: Coordinator, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for endpoint in (2, 2, 3):
            node.stack.aps_data(message(endpoint))
        node.stack.aps_data(message(4, DeliveryMode.BROADCAST))
        told = [record.getMessage() for record in caplog.records]
        assert [f"no endpoint {number}: " in one for number, one in zip((2, 3), told, strict=True)] == [True, True]
        assert "the first from 0x1111" in told[0]
        node.stack.power_off()
        node.stack.aps_data(message(2))
    assert len(caplog.records) == 3


@pytest.mark.parametrize(
    ("destination", "delivery", "waits", "ack"),
    [
        (0x1111, DeliveryMode.UNICAST, False, False),
        (0x1111, DeliveryMode.UNICAST, True, True),
        (0xFFF7, DeliveryMode.UNICAST, True, True),
        (0xFFF8, DeliveryMode.BROADCAST, True, False),
        (0xFFFD, DeliveryMode.BROADCAST, False, False),
    ],
)
async def test_a_zdo_frame_asks_for_an_acknowledgement_where_somebody_waits_for_it(
    node: Coordinator, monkeypatch: pytest.MonkeyPatch, destination: int, delivery: DeliveryMode, waits: bool, ack: bool
) -> None:
    sent: list[tuple[int, ApsPdu]] = []
    monkeypatch.setattr(type(node.stack.aps), "send", lambda _, to, pdu, done: sent.append((to, pdu)))
    node.stack.send_zdo(destination, 0x8031, b"\x4d\x00", (lambda _: None) if waits else None)
    ((to, pdu),) = sent
    assert (to, pdu.delivery, pdu.ack_request, pdu.cluster, pdu.payload) == (destination, delivery, ack, 0x8031, b"\x4d\x00")
    assert (pdu.profile, pdu.destination_endpoint, pdu.source_endpoint, pdu.secured) == (0, 0, 0, False)


@pytest.mark.parametrize(("node_type", "knows", "told"), [(1, False, "here"), (2, True, "at the trust centre"), (2, False, "nowhere")])
async def test_of_a_device_that_left_the_trust_centre_is_told(
    node: Coordinator, monkeypatch: pytest.MonkeyPatch, node_type: int, knows: bool, told: str
) -> None:
    """Update-Device, ZigBee PRO r21 4.4.3.2: status 2, the Device left."""
    sent: list[tuple[int, bytes]] = []
    monkeypatch.setattr(type(node.stack.nwk), "send", lambda _, to, octets, *more, **facts: sent.append((to, octets)))
    node.form()
    node.stack.tokens.node_type, node.stack.tokens.tc_eui64 = node_type, DISPLAY
    if knows:
        node.stack.tokens.children[METER] = Child(0x1111, 0x80)
    node.stack.device_left(METER, 0x1111)
    assert node.joins == ([(METER, Update.LEFT, 3)] if told == "here" else [])
    updates = [(to, ApsPdu.decode(octets).payload) for to, octets in sent]
    assert updates == ([(0, b"\x06" + METER.zigbee + b"\x11\x11\x02")] if told == "at the trust centre" else [])


@pytest.mark.parametrize(("short", "status", "kept"), [(0x2222, 0, 0x2222), (0xFFFF, 1, 0x7777)])
async def test_an_address_is_taken_from_the_first_answer_that_grants_one(node: Coordinator, short: int, status: int, kept: int) -> None:
    stack = node.stack
    stack.tokens.short = stack.nwk.mac.short = 0x7777
    stack.associated(0x3333, 0)
    assert stack.tokens.short == 0x7777, "it has asked for none"
    future: Any = stack.network_key
    stack.association = future
    stack.associated(short, status)
    stack.associated(0x3333, 0)
    assert (stack.tokens.short, stack.nwk.mac.short, future.result()) == (kept, kept, (short, status))


def test_a_firmware_knows_its_endpoints_by_number() -> None:
    node = Coordinator(Air(Clock(warp=True)), endpoints=(1, 7))
    described = node.stack.described()
    assert [one.endpoint for one in described.endpoints] == [1, 7]
    assert all(isinstance(one, SimpleDescriptor) for one in described.endpoints)
