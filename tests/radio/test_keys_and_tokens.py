"""The trust centre's word on who gets which key, APS commands that bring keys octet by octet, and the memory of a node."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import load_key, transport_key
from firmware_emu.errors import RadioError
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.air.frames import AirReader, ApsCommand, ApsKind, ApsPdu, DeliveryMode, Update
from hil.radio.stack import trust
from hil.radio.stack.nwk import Auxiliary, KeyId, unprotect
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child, Tokens, ceiling
from hil.radio.stack.trust import TRANSIENT_KEY_S, WILDCARD, Decision, KeyStatus, Policy, received
from tests.radio.radio_bench import DISPLAY, HUB, LINK_KEY, METER, OTHER_KEY, Coordinator

SHORT, ROUTER = 0x1111, 0x3333
UNSEEN = Eui64(bytes(range(8)))


class Centre(Coordinator):
    """A coordinator whose frames are kept and not sent."""

    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(Air(clock, 1))
        self.form()
        self.sent: list[tuple[int, bytes, dict[str, Any]]] = []
        self.decisions: list[tuple[Any, ...]] = []
        monkeypatch.setattr(type(self.stack.nwk), "send", lambda _, to, octets, done=None, **more: self.sent.append((to, octets, more)))

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int, parent: int) -> None:
        self.decisions.append((short, device, update, decision, parent))

    def opened(self, octets: bytes, key: bytes) -> tuple[KeyId, bytes]:
        """Key identifier and payload of a sealed APS command."""
        read = AirReader(octets)
        pdu = ApsPdu.decode(octets)
        header = replace(pdu, payload=b"").encode()
        read.take(len(header), "header")
        auxiliary = Auxiliary.read(read)
        return auxiliary.key_id, unprotect(key, header, auxiliary, HUB, read.rest())

    @property
    def network_key(self) -> bytes:
        assert self.stack.tokens.network_key is not None
        return self.stack.tokens.network_key

    def take(
        self, payload: bytes, source: Eui64 | None = METER, key_id: KeyId | None = None, nwk_secured: bool = True
    ) -> tuple[bytes | None, int]:
        """The next network key and its sequence after that command."""
        received(self.stack, self.stack.trust, source, ApsPdu(ApsKind.COMMAND, 1, addressed=False, payload=payload), key_id, nwk_secured)
        return self.stack.tokens.alternate_key, self.stack.tokens.alternate_sequence

    def child(self, device: Eui64 = METER, **facts: Any) -> Child:
        self.stack.nwk.learn(SHORT, device)
        child = self.stack.tokens.children[device] = Child(SHORT, 0x80, **facts)
        return child


@pytest.fixture
async def centre(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Centre:
    return Centre(clock, monkeypatch)


@pytest.mark.parametrize(
    ("policy", "keys", "built_in", "key"),
    [
        (Policy.ALLOW_JOINS, {METER: LINK_KEY, WILDCARD: OTHER_KEY}, b"g" * 16, LINK_KEY),
        (Policy.ALLOW_JOINS, {WILDCARD: OTHER_KEY}, b"g" * 16, OTHER_KEY),
        (Policy.ALLOW_JOINS, {}, b"g" * 16, b"g" * 16),
        (Policy.ALLOW_JOINS, {}, None, None),
        (Policy.ALLOW_JOINS | Policy.JOINS_USE_INSTALL_CODE_KEY, {METER: LINK_KEY}, b"g" * 16, LINK_KEY),
        (Policy.ALLOW_JOINS | Policy.JOINS_USE_INSTALL_CODE_KEY, {WILDCARD: OTHER_KEY}, b"g" * 16, None),
        (Policy.JOINS_USE_INSTALL_CODE_KEY, {METER: LINK_KEY}, b"g" * 16, None),
        (Policy.ALLOW_UNSECURED_REJOINS, {METER: LINK_KEY}, b"g" * 16, None),
    ],
)
async def test_a_device_gets_the_network_key_under_the_key_that_the_policy_says_or_none(
    centre: Centre, policy: Policy, keys: dict[Eui64, bytes], built_in: bytes | None, key: bytes | None
) -> None:
    stack = centre.stack
    stack.trust.policy, stack.trust.global_key = policy, built_in
    for device, held in keys.items():
        stack.trust.permit_key(device, held)
    centre.child()
    stack.trust.joined(METER, SHORT, Update.UNSECURED_JOIN, 0)
    assert centre.decisions == [(SHORT, METER, 1, 2 if key is None else 0, 0)]
    assert (METER in stack.tokens.children) == (key is not None)
    if key is None:
        assert not centre.sent
        return
    ((to, octets, more),) = centre.sent
    assert (to, more) == (SHORT, {"secured": False})
    kind, payload = centre.opened(octets, transport_key(key))
    assert kind is KeyId.TRANSPORT
    assert payload == b"\x05\x01" + centre.network_key + b"\x00" + METER.zigbee + HUB.zigbee


async def test_a_permitted_key_holds_for_five_minutes(centre: Centre, clock: Clock) -> None:
    assert TRANSIENT_KEY_S == 300
    keeper = centre.stack.trust
    keeper.permit_key(METER, LINK_KEY)
    await clock.sleep(299.9)
    keeper.permit_key(DISPLAY, OTHER_KEY)
    assert keeper.keys() == {METER: LINK_KEY, DISPLAY: OTHER_KEY}
    await clock.sleep(0.2)
    assert (keeper.key_for(METER), keeper.key_for(DISPLAY)) == (None, OTHER_KEY)
    keeper.forget_keys()
    assert not keeper.keys()


@pytest.mark.parametrize(("policy", "key", "admitted"), [(3, LINK_KEY, True), (1, LINK_KEY, False), (3, None, False)])
async def test_who_comes_back_without_the_network_key_needs_its_link_key_and_the_policy(
    centre: Centre, policy: int, key: bytes | None, admitted: bool
) -> None:
    centre.stack.trust.policy = Policy(policy)
    if key is not None:
        centre.stack.import_link_key(0, METER, key)
    centre.child(authenticated=True)
    centre.stack.trust.joined(METER, SHORT, Update.UNSECURED_REJOIN, 0)
    assert centre.decisions == [(SHORT, METER, 3, 0 if admitted else 2, 0)]
    assert len(centre.sent) == admitted
    assert METER in centre.stack.tokens.children, "whoever asked in its name has not proven itself"


async def test_a_secured_rejoin_is_told_and_nothing_is_done(centre: Centre) -> None:
    centre.stack.trust.joined(METER, SHORT, Update.SECURED_REJOIN, ROUTER)
    assert centre.decisions == [(SHORT, METER, 0, Decision.NO_ACTION, ROUTER)]
    assert not centre.sent


async def test_a_device_behind_a_router_gets_its_key_in_a_tunnel(centre: Centre) -> None:
    stack = centre.stack
    stack.trust.permit_key(METER, LINK_KEY)
    stack.trust.joined(METER, SHORT, Update.UNSECURED_JOIN, ROUTER)
    assert centre.decisions == [(SHORT, METER, 1, 0, ROUTER)]
    ((to, octets, more),) = centre.sent
    assert (to, more) == (ROUTER, {})
    pdu = ApsPdu.decode(octets)
    assert (pdu.kind, pdu.delivery, pdu.secured) == (ApsKind.COMMAND, DeliveryMode.UNICAST, False)
    assert pdu.payload[:9] == b"\x0e" + METER.zigbee
    kind, payload = centre.opened(pdu.payload[9:], transport_key(LINK_KEY))
    assert (kind, payload[:2], payload[-16:]) == (KeyId.TRANSPORT, b"\x05\x01", METER.zigbee + HUB.zigbee)
    assert (stack.nwk.shorts[METER], stack.nwk.routes.hop(SHORT)) == (SHORT, ROUTER)


@pytest.mark.parametrize(("proven", "moved", "told"), [(False, False, True), (True, False, False), (False, True, False)])
async def test_who_never_uses_the_network_key_is_told_as_gone_after_ten_seconds(
    centre: Centre, clock: Clock, proven: bool, moved: bool, told: bool
) -> None:
    assert trust.AUTHENTICATION_S == 10
    centre.stack.trust.permit_key(METER, LINK_KEY)
    child = centre.child()
    centre.stack.trust.joined(METER, SHORT, Update.UNSECURED_JOIN, 0)
    await clock.sleep(9.9)
    assert len(centre.decisions) == 1
    child.authenticated = proven
    child.short = 0x2222 if moved else SHORT
    await clock.sleep(0.2)
    assert centre.decisions[1:] == [(SHORT, METER, Update.LEFT, Decision.NO_ACTION, 0)] * told
    assert (METER in centre.stack.tokens.children) is not told


@pytest.mark.parametrize("drawn", [True, False])
async def test_the_next_network_key_is_broadcast_and_then_switched_to(centre: Centre, drawn: bool) -> None:
    stack, tokens = centre.stack, centre.stack.tokens
    assert stack.trust.broadcast_switch() is Status.INVALID_CALL
    tokens.key_sequence = 255
    assert stack.trust.broadcast_next_key(None if drawn else b"k" * 16) is Status.SUCCESS
    assert tokens.alternate_sequence == 0
    assert tokens.alternate_key is not None
    assert (tokens.alternate_key == b"k" * 16) is not drawn
    assert stack.trust.broadcast_switch() is Status.SUCCESS
    payloads = []
    for to, octets, more in centre.sent:
        pdu = ApsPdu.decode(octets)
        assert (to, more, pdu.kind, pdu.delivery) == (0xFFFF, {}, ApsKind.COMMAND, DeliveryMode.BROADCAST)
        payloads.append(pdu.payload)
    assert payloads == [b"\x05\x01" + tokens.network_key + b"\x00" + bytes(8) + HUB.zigbee, b"\x09\x00"] if tokens.network_key else False
    assert (tokens.key_sequence, tokens.alternate_sequence) == (0, 255)


async def test_one_device_is_given_the_next_key_or_the_one_in_force_under_its_link_key(centre: Centre) -> None:
    stack = centre.stack
    assert stack.trust.send_next_key(METER, SHORT, b"k" * 16) is Status.NOT_FOUND
    assert stack.trust.send_current_key(METER, SHORT, 0) is Status.NOT_FOUND
    stack.import_link_key(0, METER, LINK_KEY)
    stack.tokens.key_sequence = 255
    assert stack.trust.send_next_key(METER, SHORT, b"k" * 16) is Status.SUCCESS
    assert (stack.tokens.alternate_key, stack.tokens.alternate_sequence) == (b"k" * 16, 0)
    assert stack.trust.send_current_key(METER, SHORT, 0) is Status.SUCCESS
    opened = [centre.opened(octets, transport_key(LINK_KEY))[1] for _, octets, _ in centre.sent]
    assert [payload[2:19] for payload in opened] == [b"k" * 16 + b"\x00", centre.network_key + b"\xff"]
    assert [(to, more) for to, _, more in centre.sent] == [(SHORT, {}), (SHORT, {"secured": False})]
    for node_type in (2, 3):
        stack.tokens.node_type = node_type
        assert stack.trust.send_next_key(METER, SHORT, b"k" * 16) is Status.INVALID_CALL
        assert stack.trust.send_current_key(METER, SHORT, 0) is Status.INVALID_CALL
        assert stack.trust.broadcast_next_key(None) is Status.INVALID_CALL
        assert stack.trust.broadcast_switch() is Status.INVALID_CALL


async def test_two_devices_get_one_link_key_each_under_its_own(centre: Centre) -> None:
    stack = centre.stack
    stack.trust.asked_for_key(METER, DISPLAY)
    stack.trust.application_keys = True
    stack.trust.asked_for_key(METER, DISPLAY)
    stack.nwk.learn(0x4444, DISPLAY)
    stack.trust.asked_for_key(METER, DISPLAY)
    stack.nwk.learn(SHORT, METER)
    stack.import_link_key(0, METER, LINK_KEY)
    stack.trust.asked_for_key(METER, DISPLAY)
    assert not centre.sent
    stack.import_link_key(1, DISPLAY, OTHER_KEY)
    for _ in range(2):
        stack.trust.asked_for_key(METER, DISPLAY)
    assert centre.keys_told == [
        (METER, KeyStatus.TC_REJECTED_APP_KEY_REQUEST),
        (DISPLAY, KeyStatus.TC_REQUESTER_EUI64_UNKNOWN),
        (METER, KeyStatus.TC_NO_LINK_KEY_FOR_REQUESTER),
        (METER, KeyStatus.TC_NO_LINK_KEY_FOR_REQUESTER),
        (METER, KeyStatus.TC_APP_KEY_SENT_TO_REQUESTER),
        (METER, KeyStatus.TC_APP_KEY_SENT_TO_REQUESTER),
    ]
    opened = [(to, *centre.opened(octets, load_key(LINK_KEY if to == SHORT else OTHER_KEY))) for to, octets, _ in centre.sent]
    assert [(to, kind, payload[:2].hex(), payload[18:]) for to, kind, payload in opened] == 2 * [
        (SHORT, KeyId.LOAD, "0503", DISPLAY.zigbee + b"\x01"),
        (0x4444, KeyId.LOAD, "0503", METER.zigbee + b"\x00"),
    ]
    keys = [payload[2:18] for _, _, payload in opened]
    assert keys[0] == keys[1] != keys[2] == keys[3], "each time another"


async def test_the_numbers_of_key_statuses_and_decisions_are_bellows_own() -> None:
    import bellows.types as t

    for status in KeyStatus:
        assert t.EmberKeyStatus(status).name == status.name
    assert [t.EmberJoinDecision(one).name for one in Decision] == ["USE_PRECONFIGURED_KEY", "DENY_JOIN", "NO_ACTION"]
    bits = t.EzspDecisionBitmask
    assert (Policy.ALLOW_JOINS, Policy.ALLOW_UNSECURED_REJOINS, Policy.JOINS_USE_INSTALL_CODE_KEY) == (
        bits.ALLOW_JOINS,
        bits.ALLOW_UNSECURED_REJOINS,
        bits.JOINS_USE_INSTALL_CODE_KEY,
    )


class Member(Centre):
    """An end device on the network of the trust centre ``METER``."""

    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(clock, monkeypatch)
        self.stack.tokens.node_type = 3
        self.stack.tokens.tc_eui64 = METER

    @property
    def refused(self) -> int:
        return self.stack.nwk.mac.counters.get("aps_link_key_not_authorized", 0)


@pytest.fixture
async def member(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Member:
    return Member(clock, monkeypatch)


def transported(key: bytes = b"k" * 16, sequence: int = 1, destination: Eui64 = HUB, centre: Eui64 = METER, kind: int = 1) -> bytes:
    return bytes([ApsCommand.TRANSPORT_KEY, kind]) + key + bytes([sequence]) + destination.zigbee + centre.zigbee


async def test_a_member_takes_the_next_key_from_its_trust_centre_for_itself_or_for_all(member: Member) -> None:
    everyone = Eui64(bytes(8))
    nothing = member.take(transported(kind=2))
    for octets, facts in (
        (transported(destination=DISPLAY), {"key_id": KeyId.TRANSPORT}),
        (transported(), {}),
        (transported(), {"key_id": KeyId.LOAD}),
        (transported(centre=DISPLAY), {"key_id": KeyId.TRANSPORT}),
        (transported(), {"key_id": KeyId.TRANSPORT, "source": DISPLAY}),
        (transported(), {"key_id": KeyId.TRANSPORT, "nwk_secured": False}),
        (transported(destination=everyone), {"nwk_secured": False}),
    ):
        before = member.refused
        assert member.take(octets, **facts) == nothing
        assert member.refused == before + 1, (octets, facts)
    assert member.take(transported(sequence=0), key_id=KeyId.TRANSPORT) == nothing, "the one in force"
    assert member.take(transported(), key_id=KeyId.TRANSPORT) == (b"k" * 16, 1)
    assert member.take(transported(b"m" * 16, 2, everyone)) == (b"m" * 16, 2)
    assert member.stack.tokens.key_sequence == 0


async def test_a_node_that_waits_for_its_key_takes_it_under_the_transport_key_alone(member: Member) -> None:
    waiting = member.stack.network_key
    member.take(transported(), nwk_secured=False)
    member.take(transported(destination=DISPLAY), key_id=KeyId.TRANSPORT, nwk_secured=False)
    assert not waiting.done()
    member.take(transported(b"n" * 16, 9, centre=DISPLAY), source=DISPLAY, key_id=KeyId.TRANSPORT, nwk_secured=False)
    assert await waiting == (b"n" * 16, 9, DISPLAY)


@pytest.mark.parametrize(
    ("octets", "facts", "switched"),
    [
        (b"\x09\x01", {}, True),
        (b"\x09\x02", {}, False),
        (b"\x09\x01", {"nwk_secured": False}, False),
        (b"\x09\x01", {"source": DISPLAY}, False),
        (b"\x09", {}, False),
    ],
)
async def test_a_switch_is_taken_from_the_trust_centre_for_the_key_that_is_there(
    member: Member, octets: bytes, facts: dict[str, Any], switched: bool
) -> None:
    member.take(b"\x09\x00")
    assert member.stack.tokens.key_sequence == 0
    member.take(transported(), key_id=KeyId.TRANSPORT)
    member.take(octets, **facts)
    assert member.stack.tokens.key_sequence == switched
    assert member.stack.nwk.mac.counters.get("aps_bad_frame", 0) == (len(octets) == 1)


async def test_a_link_key_with_another_is_taken_under_the_load_key_of_the_trust_centre(member: Member) -> None:
    octets = b"\x05\x03" + b"a" * 16 + DISPLAY.zigbee + b"\x01"
    for facts in ({"key_id": KeyId.TRANSPORT}, {}, {"key_id": KeyId.LOAD, "source": DISPLAY}, {"key_id": KeyId.LOAD, "source": None}):
        before = member.refused
        member.take(octets, **facts)
        assert member.refused == before + 1
    member.take(octets, key_id=KeyId.LOAD)
    assert member.stack.link_key(DISPLAY) == b"a" * 16
    assert member.keys_told == [(DISPLAY, KeyStatus.APP_LINK_KEY_ESTABLISHED)]


@pytest.mark.parametrize(
    ("octets", "facts", "asked"),
    [
        (b"\x08\x02" + DISPLAY.zigbee, {}, True),
        (b"\x08\x01" + DISPLAY.zigbee, {}, False),
        (b"\x08\x02" + DISPLAY.zigbee, {"source": None}, False),
        (b"\x08\x02" + DISPLAY.zigbee, {"key_id": KeyId.LOAD}, False),
        (b"\x08\x02" + DISPLAY.zigbee, {"nwk_secured": False}, False),
        (b"\x08\x02" + DISPLAY.zigbee[:7], {}, False),
    ],
)
async def test_a_link_key_is_asked_for_under_the_link_key_of_a_coordinator(
    member: Member, octets: bytes, facts: dict[str, Any], asked: bool
) -> None:
    member.take(octets, **({"key_id": KeyId.LINK} | facts))
    assert not member.keys_told, "no coordinator"
    member.stack.tokens.node_type = 1
    member.take(octets, **({"key_id": KeyId.LINK} | facts))
    assert member.keys_told == [(METER, KeyStatus.TC_REJECTED_APP_KEY_REQUEST)] * asked


# memory


def test_a_stored_counter_is_4096_ahead_and_never_above_its_four_octets() -> None:
    assert [ceiling(one) for one in (0, 1, 0xFFFFFFFF - 4097, 0xFFFFFFFF - 4096, 0xFFFFFFFF)] == [
        4096,
        4097,
        0xFFFFFFFE,
        0xFFFFFFFF,
        0xFFFFFFFF,
    ]


@pytest.mark.parametrize(
    ("capability", "node_type", "router"), [(0x8E, 2, True), (0x82, 2, True), (0x8C, 3, False), (0x88, 3, False), (0x80, 4, False)]
)
def test_a_childs_type_is_read_from_its_capability(capability: int, node_type: int, router: bool) -> None:
    """EmberNodeType: 2 router, 3 end device, 4 sleepy end device; capability bit 1 full function, bit 3 receiver on when idle."""
    child = Child(1, capability)
    assert (child.node_type, child.router, child.timeout, child.authenticated) == (node_type, router, 8, False)


def full(path: Path | None = None) -> Tokens:
    tokens = Tokens(HUB, path, 1, 0x1A62, METER, 15, 5, 0x1234, 7, DISPLAY, 0x4321, b"n" * 16, 3, b"a" * 16, 4, 2, b"t" * 16, METER, 0x84)
    tokens.nwk_counter, tokens.aps_counter = 11, 12
    tokens.link_keys = {0: (METER, b"l" * 16), 5: (DISPLAY, b"m" * 16)}
    tokens.children = {METER: Child(0x1111, 0x8E, 3, True, True)}
    tokens.data = {"mfg:0c": b"\x01\x02"}
    return tokens


def test_memory_is_read_back_as_it_was_and_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    full(file).save()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.new"))
    assert Tokens.load(file, HUB) == full(file)
    with pytest.raises(RadioError, match=f"belongs to the dongle {HUB}, expected {METER}: name another file"):
        Tokens.load(file, METER)
    assert Tokens.load(tmp_path / "fresh", METER) == Tokens(METER, tmp_path / "fresh")
    state = json.loads(file.read_text(encoding="utf-8"))
    del state["alternate_sequence"], state["depth"], state["factory"], state["alternate_key"]
    file.write_text(json.dumps(state), encoding="utf-8")
    old = Tokens.load(file, HUB)
    assert (old.alternate_sequence, old.depth, old.factory, old.alternate_key, old.key_sequence) == (0, 0, HUB, None, 3)
    for wrong in ("", "{", "[]", "{}", json.dumps(state | {"network_key": "zz"}), json.dumps({**state, "children": {"x": {}}})):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(RadioError, match="is not a token file of a virtual dongle"):
            Tokens.load(file, HUB)


def test_leaving_forgets_the_network_and_keeps_identity_counters_and_data() -> None:
    tokens = full()
    assert full().joined
    tokens.forget_network()
    fresh = Tokens(HUB)
    fresh.nwk_counter, fresh.aps_counter, fresh.data = 11, 12, {"mfg:0c": b"\x01\x02"}
    assert tokens == fresh
    assert not fresh.joined
    assert (fresh.pan, fresh.short, fresh.parent_short, fresh.power, fresh.channel) == (0xFFFF, 0xFFFE, 0xFFFF, 8, 0)
    for node_type, key in ((0, b"n" * 16), (1, None)):
        assert not Tokens(HUB, node_type=node_type, network_key=key).joined
    for secret in (b"n" * 16, b"t" * 16, b"l" * 16, b"a" * 16):
        assert repr(secret)[2:-1] not in repr(full()), "keys never show"


@pytest.mark.parametrize(
    ("now", "coming", "newer"), [(0, 1, True), (0, 127, True), (0, 128, False), (5, 5, False), (255, 0, True), (5, 4, False)]
)
def test_a_key_sequence_is_newer_by_up_to_127(now: int, coming: int, newer: bool) -> None:
    tokens = Tokens(HUB, key_sequence=now, alternate_sequence=coming)
    assert not tokens.new_key_sequence()
    tokens.alternate_key = b"a" * 16
    assert tokens.new_key_sequence() is newer
    tokens.network_key = b"n" * 16
    tokens.switch_key()
    assert (tokens.network_key, tokens.alternate_key, tokens.key_sequence, tokens.alternate_sequence) == (b"a" * 16, b"n" * 16, coming, now)


async def test_a_node_asks_its_trust_centre_for_a_link_key(member: Member) -> None:
    assert trust.request_key(member.stack, DISPLAY) is Status.NOT_FOUND
    member.stack.tokens.tc_eui64 = None
    assert trust.request_key(member.stack, DISPLAY) is Status.NOT_FOUND
    await asyncio.sleep(0)
    assert not member.sent


# commands that tell of Devices and pass keys on (ZigBee PRO r21 4.4.9)


@pytest.mark.parametrize(
    ("source", "target", "nwk_secured", "passes"),
    [
        (METER, DISPLAY, True, True),
        (HUB, DISPLAY, True, False),
        (None, DISPLAY, True, False),
        (METER, DISPLAY, False, False),
        (METER, HUB, True, False),
    ],
    ids=["whole", "not of the trust centre", "of nobody", "in the clear", "for no child"],
)
async def test_a_tunnel_is_opened_for_a_child_at_the_word_of_the_trust_centre(
    centre: Centre, source: Eui64 | None, target: Eui64, nwk_secured: bool, passes: bool
) -> None:
    centre.stack.tokens.node_type, centre.stack.tokens.tc_eui64 = 2, METER
    centre.stack.tokens.children[DISPLAY] = Child(0x2222, 0x80)
    centre.stack.nwk._incoming[DISPLAY] = 7
    centre.take(b"\x0e" + target.zigbee + b"sealed", source, nwk_secured=nwk_secured)
    assert centre.sent == ([(0x2222, b"sealed", {"secured": False})] if passes else [])
    assert centre.stack.nwk.incoming_counter(DISPLAY) == (None if passes else 6), "who is let in may count from anywhere"


@pytest.mark.parametrize(("status", "told"), [(0, (0, 3)), (1, (1, 2)), (2, (2, 3)), (3, (3, 2)), (4, None), (0xFF, None)])
async def test_a_routers_word_of_a_device_is_judged_by_its_status(centre: Centre, status: int, told: tuple[int, int] | None) -> None:
    """EmberDeviceUpdate and EmberJoinDecision: without a key a join is denied, and nothing is done for one that left or has the key."""
    centre.stack.nwk.learn(ROUTER, METER)
    centre.take(b"\x06" + DISPLAY.zigbee + b"\x22\x22" + bytes([status]))
    parent = 0 if status == 2 else ROUTER
    assert centre.decisions == ([] if told is None else [(0x2222, DISPLAY, *told, parent)])


@pytest.mark.parametrize(
    ("node_type", "known", "source", "nwk_secured"),
    [(2, True, METER, True), (1, False, METER, True), (1, True, None, True), (1, True, METER, False)],
    ids=["at a router", "of a stranger", "of nobody", "in the clear"],
)
async def test_a_word_of_a_device_counts_at_the_trust_centre_from_a_node_that_is_known(
    centre: Centre, node_type: int, known: bool, source: Eui64 | None, nwk_secured: bool
) -> None:
    centre.stack.tokens.node_type = node_type
    if known:
        centre.stack.nwk.learn(ROUTER, METER)
    centre.take(b"\x06" + DISPLAY.zigbee + b"\x22\x22\x01", source, nwk_secured=nwk_secured)
    assert centre.decisions == []


@pytest.mark.parametrize("octets", ["", "05", "0501", "06" + "00" * 10, "08", "0802", "09", "0e" + "00" * 7])
async def test_a_command_that_is_cut_off_is_counted(centre: Centre, octets: str) -> None:
    centre.take(bytes.fromhex(octets), key_id=KeyId.LINK)
    assert centre.stack.nwk.mac.counters["aps_bad_frame"] == 1
    assert (centre.sent, centre.decisions, centre.keys_told) == ([], [], [])
