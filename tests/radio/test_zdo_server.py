"""A node's ZDO at work: requests that it answers, those that its host answers, and what it learns and does by them (ZigBee PRO r21 2.4)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import zigpy.zdo.types as theirs
from bellows.types import EmberZdoConfigurationFlags as Flags

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air import phy
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import ApsKind, ApsPdu
from hil.radio.stack import zdo, zdo_server
from hil.radio.stack.aps import IncomingApdu
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child
from tests.radio.radio_bench import DISPLAY, HUB, METER, Coordinator

NAMES = {int(one): one.name for one in theirs.ZDOCmd}
NEAR, SEQUENCE = 0x1111, b"\x4d"
OWN, OTHER = HUB.zigbee, METER.zigbee
BINDING = OWN + b"\x01\x02\x07\x03" + OTHER + b"\x01"
"""From endpoint 1, cluster 0x0702, to endpoint 1 of the other (zigpy's Bind_req)."""


class Server(Coordinator):
    """A coordinator whose answers are kept, each as (to, zigpy's name, octets after the sequence)."""

    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(Air(clock, 1))
        self.form()
        self.answers: list[tuple[int, str, bytes]] = []
        self.answered_at: list[float] = []
        monkeypatch.setattr(type(self.stack), "send_zdo", lambda _, to, cluster, payload, done=None: self._answer(to, cluster, payload))

    def _answer(self, to: int, cluster: int, payload: bytes) -> None:
        assert payload[:1] == SEQUENCE
        self.answers.append((to, NAMES[cluster], payload[1:]))
        self.answered_at.append(asyncio.get_running_loop().time())

    def hear(self, command: str, payload: bytes = b"", *, source: int = NEAR, broadcast: bool = False) -> list[tuple[int, str, bytes]]:
        """The answers to a request, or nothing."""
        pdu = ApsPdu(ApsKind.DATA, 1, cluster=int(theirs.ZDOCmd[command]), payload=SEQUENCE + payload)
        zdo_server.received(self.stack, IncomingApdu(source, METER, pdu, broadcast, Link()))
        answers, self.answers = self.answers, []
        return answers

    @property
    def told(self) -> list[str]:
        """Names of the frames that the host has seen since the last look."""
        received, self.received = self.received, []
        return [NAMES[one.pdu.cluster] for one in received]


@pytest.fixture
async def server(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(clock, monkeypatch)


NODE, ENDPOINTS, MATCH = b"\x00\x00", b"\x00\x00", b"\x00\x00\x09\x01\x01\x0a\x00\x00"
REQUESTS = {
    "Node_Desc_req": (NODE, None),
    "Power_Desc_req": (NODE, None),
    "NWK_addr_req": (OWN + b"\x00\x00", None),
    "IEEE_addr_req": (b"\x00\x00\x00\x00", None),
    "Simple_Desc_req": (b"\x00\x00\x01", Flags.APP_HANDLES_ZDO_ENDPOINT_REQUESTS),
    "Active_EP_req": (ENDPOINTS, Flags.APP_HANDLES_ZDO_ENDPOINT_REQUESTS),
    "Match_Desc_req": (MATCH, Flags.APP_HANDLES_ZDO_ENDPOINT_REQUESTS),
    "Bind_req": (BINDING, Flags.APP_HANDLES_ZDO_BINDING_REQUESTS),
    "Unbind_req": (BINDING, Flags.APP_HANDLES_ZDO_BINDING_REQUESTS),
    "Mgmt_Bind_req": (b"\x00", Flags.APP_HANDLES_ZDO_BINDING_REQUESTS),
    "Mgmt_Lqi_req": (b"\x00", None),
    "Mgmt_Rtg_req": (b"\x00", None),
    "Complex_Desc_req": (NODE, Flags.APP_HANDLES_UNSUPPORTED_ZDO_REQUESTS),
    "Mgmt_NWK_Update_req": (b"\x00\xf8\xff\x07\x02\x01", Flags.APP_HANDLES_UNSUPPORTED_ZDO_REQUESTS),
}
"""Each request, and the flag by which a host takes it over (EmberZNet answers no energy scan: reference ncp-real, ZDO)."""
TAKEN_OVER = [0, *(int(flag) for flag in Flags if int(flag) <= 0x08 and int(flag) > 0x01)]


@pytest.mark.parametrize("sees", [False, True])
@pytest.mark.parametrize("flags", TAKEN_OVER)
@pytest.mark.parametrize("command", REQUESTS)
async def test_a_request_is_answered_by_the_firmware_or_left_to_the_host_by_its_flags(
    server: Server, command: str, flags: int, sees: bool
) -> None:
    payload, flag = REQUESTS[command]
    server.stack.zdo_flags = flags | (int(Flags.APP_RECEIVES_SUPPORTED_ZDO_REQUESTS) if sees else 0)
    left = flag is not None and bool(flags & flag)
    answers = server.hear(command, payload)
    assert [(to, name) for to, name, _ in answers] == ([] if left else [(NEAR, command.replace("_req", "_rsp"))])
    assert server.told == ([command] if left or sees else [])


@pytest.mark.parametrize("sees", [False, True])
async def test_a_request_of_the_node_to_itself_is_answered_and_not_told(server: Server, sees: bool) -> None:
    server.stack.zdo_flags = int(sees)
    for command in ("Node_Desc_req", "Mgmt_NWK_Update_req"):
        assert len(server.hear(command, REQUESTS[command][0], source=0)) == 1
        assert server.told == []
    assert server.hear("Mgmt_Permit_Joining_req", b"\x3c\x00", source=0) == [(0, "Mgmt_Permit_Joining_rsp", b"\x00")]
    assert not server.stack.nwk.children.permitting, "the host opens its own network"


@pytest.mark.parametrize("command", ["Node_Desc_rsp", "Mgmt_Lqi_rsp", "Device_annce"])
async def test_an_answer_and_an_announcement_are_told_whatever_the_flags(server: Server, command: str) -> None:
    assert server.hear(command, NEAR.to_bytes(2, "little") + OTHER + b"\x8e") == []
    assert server.told == [command]


async def test_addresses_are_learned_from_announcements_and_from_answers_that_succeeded(server: Server) -> None:
    shorts = server.stack.nwk.shorts
    server.hear("Device_annce", b"\x11\x11" + OTHER + b"\x8e")
    assert shorts[METER] == 0x1111
    server.hear("NWK_addr_rsp", b"\x00" + OTHER + b"\x22\x22")
    assert shorts[METER] == 0x2222
    server.hear("IEEE_addr_rsp", b"\x00" + OTHER + b"\x33\x33")
    assert shorts[METER] == 0x3333
    server.hear("NWK_addr_rsp", b"\x81" + OTHER + b"\x44\x44")
    assert shorts[METER] == 0x3333
    server.hear("Node_Desc_rsp", b"\x00" + OTHER + b"\x55\x55")
    assert shorts[METER] == 0x3333


async def test_an_announcement_proves_who_came_back_in_that_name(server: Server) -> None:
    child = server.stack.tokens.children[METER] = Child(0x1111, 0x80, claimed=True)
    server.hear("Device_annce", b"\x11\x11" + OTHER + b"\x8e")
    assert not child.authenticated
    server.hear("Device_annce", b"\x11\x11" + OTHER + b"\x80")
    assert child.authenticated


@pytest.mark.parametrize("command", ["Device_annce", "NWK_addr_rsp", "Node_Desc_req", "Bind_req", "Mgmt_NWK_Update_req"])
async def test_a_frame_that_is_cut_off_is_counted_and_neither_answered_nor_told(server: Server, command: str) -> None:
    server.stack.zdo_flags = int(Flags.APP_RECEIVES_SUPPORTED_ZDO_REQUESTS)
    assert server.hear(command, b"\x00" if command == "NWK_addr_rsp" else b"") == []
    assert (server.told, server.stack.nwk.mac.counters["zdo_bad_frame"]) == ([], 1)


def binding(number: int) -> bytes:
    return OWN + b"\x01" + number.to_bytes(2, "little") + b"\x03" + OTHER + b"\x01"


@pytest.mark.parametrize(
    ("rules", "binds", "command", "row", "kept", "status", "left"),
    [
        (zdo.EMBER, False, "Bind_req", binding(1), 0, "NOT_AUTHORIZED", 0),
        (zdo.EMBER, False, "Unbind_req", binding(1), 2, "NOT_AUTHORIZED", 2),
        (zdo.EMBER, True, "Bind_req", binding(1), 0, "SUCCESS", 1),
        (zdo.EMBER, True, "Bind_req", binding(32), 31, "SUCCESS", 32),
        (zdo.EMBER, True, "Bind_req", binding(33), 32, "TABLE_FULL", 32),
        (zdo.Z_STACK, False, "Bind_req", binding(4), 3, "SUCCESS", 4),
        (zdo.Z_STACK, False, "Bind_req", binding(4), 4, "SUCCESS", 4),
        (zdo.Z_STACK, False, "Bind_req", binding(5), 4, "TABLE_FULL", 4),
        (zdo.Z_STACK, False, "Bind_req", OTHER + binding(1)[8:], 0, "NOT_SUPPORTED", 0),
        (zdo.Z_STACK, False, "Bind_req", OWN + b"\x02" + binding(1)[9:], 0, "INVALID_EP", 0),
        (zdo.Z_STACK, False, "Unbind_req", binding(1), 2, "SUCCESS", 1),
        (zdo.Z_STACK, False, "Unbind_req", binding(3), 2, "NO_ENTRY", 2),
        (zdo.Z_STACK, False, "Unbind_req", OTHER + binding(1)[8:], 2, "NOT_SUPPORTED", 2),
        (zdo.DEVICE, False, "Bind_req", binding(1), 0, "SUCCESS", 1),
    ],
)
@pytest.mark.parametrize("broadcast", [False, True])
async def test_a_binding_is_made_and_dropped_by_who_may_and_refused_with_the_reason(
    server: Server, rules: zdo.Rules, binds: bool, command: str, row: bytes, kept: int, status: str, left: int, broadcast: bool
) -> None:
    """Reference ncp-real 4 and ncp-real-zdo; 32 places of Ember: ncp-real-ezsp-config, 4 of Z-Stack: ncp-real-limits."""
    server.stack.rules, server.stack.binds = rules, binds
    server.stack.bindings[:] = [binding(number) for number in range(1, kept + 1)]
    answers = server.hear(command, row, broadcast=broadcast)
    told = bytes([theirs.Status[status]])
    assert answers == ([] if broadcast else [(NEAR, command.replace("_req", "_rsp"), told)])
    assert len(server.stack.bindings) == left
    if status == "SUCCESS":
        assert (row in server.stack.bindings) == (command == "Bind_req")


CHANNELS = (1 << 20 | 1 << 25).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("rules", "duration", "broadcast", "answer"),
    [
        (zdo.EMBER, 0, False, "84"),
        (zdo.EMBER, 5, False, "84"),
        (zdo.EMBER, 6, False, "84"),
        (zdo.EMBER, 5, True, None),
        (zdo.EMBER, 0xFF, False, None),
        (zdo.Z_STACK, 6, False, "80"),
        (zdo.Z_STACK, 0xFD, False, "80"),
        (zdo.Z_STACK, 0xFF, False, None),
        (zdo.Z_STACK, 6, True, None),
        (zdo.EMBER, 0xFE, False, "00" + CHANNELS.hex() + "0000000000"),
        (zdo.EMBER, 0xFE, True, None),
    ],
)
async def test_a_network_update_is_refused_where_it_is_no_scan_of_up_to_5(
    server: Server, rules: zdo.Rules, duration: int, broadcast: bool, answer: str | None
) -> None:
    """ZigBee PRO r21 2.4.3.3.9: 0 to 5 is a scan, 0xFE a change of channel, 0xFF of channels and manager."""
    server.stack.rules = rules
    answers = server.hear("Mgmt_NWK_Update_req", CHANNELS + bytes([duration, 1]), broadcast=broadcast)
    assert answers == ([] if answer is None else [(NEAR, "Mgmt_NWK_Update_rsp", bytes.fromhex(answer))])


@pytest.mark.parametrize(("duration", "left"), [(0, True), (5, True), (6, False), (0xFE, False)])
async def test_a_host_that_answers_what_its_firmware_does_not_gets_the_energy_scans_alone(
    server: Server, duration: int, left: bool
) -> None:
    server.stack.zdo_flags = int(Flags.APP_HANDLES_UNSUPPORTED_ZDO_REQUESTS)
    answers = server.hear("Mgmt_NWK_Update_req", CHANNELS + bytes([duration, 1]))
    assert (len(answers), server.told) == ((0, ["Mgmt_NWK_Update_req"]) if left else (1, []))


@pytest.mark.parametrize("duration", [0, 2, 5])
async def test_an_energy_scan_is_answered_when_it_is_over_with_an_octet_a_channel(server: Server, clock: Clock, duration: int) -> None:
    server.stack.rules = zdo.Z_STACK
    server.stack.air.set_energy(20, 0)
    server.stack.air.set_energy(25, -100)
    begun = asyncio.get_running_loop().time()
    assert server.hear("Mgmt_NWK_Update_req", CHANNELS + bytes([duration, 1])) == []
    await clock.sleep(3)
    assert server.answers == [(NEAR, "Mgmt_NWK_Update_rsp", b"\x00" + CHANNELS + bytes(4) + b"\x02\xff\x00")]
    # aBaseSuperframeDuration of 960 symbols of 16 us, (2 ** n + 1) times on each channel (IEEE 802.15.4-2006 7.1.11.1)
    assert server.answered_at == [pytest.approx(begun + 2 * 960 * 16e-6 * (2**duration + 1))]


@pytest.mark.parametrize(("source", "after_s"), [(0, 0.0), (NEAR, zdo_server.FOLLOW_S)])
async def test_a_node_goes_to_the_first_channel_named_at_its_own_word_at_once_and_at_anothers_behind_it(
    server: Server, clock: Clock, source: int, after_s: float
) -> None:
    server.hear("Mgmt_NWK_Update_req", CHANNELS + b"\xfe\x07", source=source, broadcast=True)
    if after_s:
        await clock.sleep(after_s - 0.01)
        assert server.stack.tokens.channel == 15
    await clock.sleep(0.02)
    assert (server.stack.tokens.channel, server.stack.tokens.update_id) == (20, 7)
    assert server.stack.nwk.mac.channel == 20
    await clock.sleep(1)
    assert server.statuses[-1] is Status.CHANNEL_CHANGED


@pytest.mark.parametrize("channel", [15, 10, phy.sub_ghz(28, 26) + 1])
async def test_a_change_to_no_channel_or_to_the_one_it_is_on_is_none(server: Server, clock: Clock, channel: int) -> None:
    server.hear("Mgmt_NWK_Update_req", bytes(4) + b"\xfe\x07", broadcast=True)
    server.stack.change_channel(channel, 7)
    await clock.sleep(1)
    assert (server.stack.tokens.channel, server.stack.tokens.update_id) == (15, 0)
    assert Status.CHANNEL_CHANGED not in server.statuses


@pytest.mark.parametrize(("device", "leaves"), [(bytes(8), True), (OWN, True), (OTHER, False)])
async def test_a_node_leaves_when_it_is_told_and_not_when_another_is(server: Server, clock: Clock, device: bytes, leaves: bool) -> None:
    assert server.hear("Mgmt_Leave_req", device + b"\x00") == [(NEAR, "Mgmt_Leave_rsp", b"\x00")]
    await clock.sleep(1)
    assert server.stack.running != leaves
    assert (Status.NETWORK_DOWN in server.statuses) == leaves


async def test_a_network_is_opened_for_the_seconds_that_another_node_says(server: Server, clock: Clock) -> None:
    assert server.hear("Mgmt_Permit_Joining_req", b"") == [(NEAR, "Mgmt_Permit_Joining_rsp", b"\x00")]
    assert not server.stack.nwk.children.permitting
    server.hear("Mgmt_Permit_Joining_req", b"\x3c", broadcast=True)
    found = []
    for seconds in (59.9, 0.2):
        await clock.sleep(seconds)
        found.append(server.stack.nwk.children.permitting)
    assert found == [True, False]


HEARD = Link(rssi=-60, lqi=99)


@pytest.mark.parametrize("rules", [zdo.EMBER, zdo.Z_STACK])
async def test_neighbours_are_told_with_kind_relation_and_depth(server: Server, rules: zdo.Rules) -> None:
    """The order of a firmware: reference ncp-real, ZDO. A coordinator is at depth 0; how deep another router is nobody here knows: 15."""
    stack, unproven = server.stack, Eui64(bytes(range(8)))
    stack.rules = rules
    stack.tokens.children[METER] = Child(0x1111, 0x8E, authenticated=True)
    stack.tokens.children[DISPLAY] = Child(0x2222, 0x80, authenticated=True)
    stack.tokens.children[unproven] = Child(0x3333, 0x80)
    away = Eui64(bytes(range(8, 16)))
    for short, device in ((0x1111, METER), (0x2222, DISPLAY), (0x4444, away)):
        stack.nwk.learn(short, device)
    for short in (0x1111, 0x4444, 0x5555, 0):
        stack.nwk.neighbours[short] = HEARD
    (answer,) = server.hear("Mgmt_Lqi_req", b"\x00")
    table, rest = theirs.Neighbors.deserialize(answer[2][1:])
    assert (rest, table.Entries) == (b"", 3)
    told: list[tuple[Any, ...]] = [
        (int(one.nwk), int(one.device_type), int(one.rx_on_when_idle), one.relationship.name, int(one.permit_joining), one.depth, one.lqi)
        for one in table.NeighborTableList
    ]
    children = [(0x1111, 1, 1, "Child", 2, 1, 99), (0x2222, 2, 0, "Child", 2, 1, 255)]
    others = [(0x4444, 1, 1, "Sibling", 2, 15, 99)]
    assert told == ([*children, *others] if rules is zdo.Z_STACK else [*others, *children])


async def test_a_router_tells_its_parent_and_the_coordinator(server: Server) -> None:
    stack = server.stack
    stack.tokens.node_type, stack.tokens.short, stack.tokens.parent_short, stack.tokens.depth = 2, 0x7777, 0x4444, 4
    stack.nwk.learn(0x4444, METER)
    stack.nwk.learn(0, DISPLAY)
    stack.tokens.children[HUB] = Child(0x6666, 0x88, authenticated=True)
    for short in (0, 0x4444, 0x6666, 0x7777):
        stack.nwk.neighbours[short] = HEARD
    described = stack.described()
    assert [replace(one, eui64=HUB) for one in described.neighbours] == [
        zdo.Neighbour(HUB, 0, 0, 1, zdo.SIBLING, 2, 0, 99),
        zdo.Neighbour(HUB, 0x4444, 1, 1, zdo.PARENT, 2, 15, 99),
        zdo.Neighbour(HUB, 0x6666, 2, 1, zdo.CHILD, 2, 5, 99),
    ]
    assert described.asleep == {}
