"""ZDO requests and answers of the stack, octet for octet as zigpy reads and writes them; and the limits that ZigBee PRO r21 2.4 gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import zigpy.types as t
import zigpy.zdo.types as theirs

from firmware_emu.errors import DecodeError
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.stack import zdo

HUB, METER, ASLEEP = Eui64(bytes(range(0x11, 0x19))), Eui64(bytes(range(0x21, 0x29))), Eui64(bytes(range(0x31, 0x39)))
PAN = Eui64(bytes(range(0x41, 0x49)))
ENDPOINTS = (
    SimpleDescriptor(1, 0x0508, (0x0000, 0x000A, 0x0702), (0x0704,)),
    SimpleDescriptor(7, 0x0502, (0x0703,), (0x0700, 0x0707), 0x0104),
)
ME = zdo.Described(HUB, 0x2345, 1, 0x10D7, ENDPOINTS, {ASLEEP: 0x6789})


def read(command: str, octets: bytes | None) -> dict[str, Any]:
    """The fields of a frame as zigpy has them; nothing is left over."""
    assert octets is not None
    names, kinds = theirs.CLUSTERS[theirs.ZDOCmd[command]]
    rest, values = octets[1:], {}
    for name, kind in zip(names, kinds, strict=True):
        values[name], rest = kind.deserialize(rest)
    assert not rest
    return values


def ask(command: str, *values: Any, me: zdo.Described = ME, broadcast: bool = False) -> bytes | None:
    """The answer to a request that zigpy has written."""
    cluster = theirs.ZDOCmd[command]
    _, kinds = theirs.CLUSTERS[cluster]
    octets = b"".join(kind(value).serialize() for kind, value in zip(kinds, values, strict=True))
    answer = zdo.answer(me, int(cluster), b"\x4d" + octets, broadcast=broadcast)
    assert answer is None or answer[0] == 0x4D
    return answer


def ieee(device: Eui64) -> t.EUI64:
    return t.EUI64(device.zigbee)


@pytest.mark.parametrize(
    ("node_type", "kind", "capability", "server_mask", "transfer"),
    [
        (1, theirs.LogicalType.Coordinator, 0x8F, 0x2C41, 128),
        (2, theirs.LogicalType.Router, 0x8E, 0x2C00, 1500),
        (3, theirs.LogicalType.EndDevice, 0x8C, 0x2C00, 1500),
        (4, theirs.LogicalType.EndDevice, 0x80, 0x2C00, 1500),
    ],
)
def test_a_node_descriptor_tells_kind_capabilities_and_sizes(
    node_type: int, kind: theirs.LogicalType, capability: int, server_mask: int, transfer: int
) -> None:
    told = read("Node_Desc_rsp", ask("Node_Desc_req", 0x2345, me=replace(ME, node_type=node_type)))
    assert (told["Status"], told["NWKAddrOfInterest"]) == (theirs.Status.SUCCESS, 0x2345)
    one = told["NodeDescriptor"]
    assert (one.logical_type, one.mac_capability_flags, one.manufacturer_code) == (kind, capability, 0x10D7)
    assert (one.maximum_buffer_size, one.maximum_incoming_transfer_size, one.maximum_outgoing_transfer_size) == (82, transfer, transfer)
    assert (one.server_mask, one.frequency_band) == (server_mask, 8), "8 is the band at 2.4 GHz"
    assert (one.is_mains_powered, one.is_receiver_on_when_idle) == (node_type != 4, node_type != 4)
    assert (one.is_full_function_device, one.is_alternate_pan_coordinator) == (node_type in (1, 2), node_type == 1)
    assert not one.complex_descriptor_available
    assert not one.user_descriptor_available
    assert zdo.capability(node_type) == capability


def test_a_power_descriptor_is_of_mains_that_are_full() -> None:
    one = read("Power_Desc_rsp", ask("Power_Desc_req", 0x2345))["PowerDescriptor"]
    assert (int(one.current_power_mode), int(one.available_power_sources)) == (0, 1), "receiver on when idle; constant mains"
    assert (int(one.current_power_source), int(one.current_power_source_level)) == (1, 12)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_simple_descriptor_tells_the_endpoint_that_was_asked_for(endpoint: SimpleDescriptor) -> None:
    told = read("Simple_Desc_rsp", ask("Simple_Desc_req", 0x2345, endpoint.endpoint))
    assert (told["Status"], told["NWKAddrOfInterest"]) == (theirs.Status.SUCCESS, 0x2345)
    one = told["SimpleDescriptor"]
    assert (one.endpoint, one.profile, one.device_type, one.device_version) == (endpoint.endpoint, endpoint.profile, endpoint.device_id, 0)
    assert (tuple(one.input_clusters), tuple(one.output_clusters)) == (endpoint.servers, endpoint.clients)


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [(0, "INVALID_EP"), (2, "NOT_ACTIVE"), (254, "NOT_ACTIVE"), (255, "INVALID_EP")],
)
def test_an_endpoint_is_1_to_254_and_one_that_is_not_there_is_not_active(endpoint: int, status: str) -> None:
    answer = ask("Simple_Desc_req", 0x2345, endpoint)
    assert answer == b"\x4d" + bytes([theirs.Status[status]]) + b"\x45\x23\x00"


def test_the_active_endpoints_are_listed() -> None:
    told = read("Active_EP_rsp", ask("Active_EP_req", 0x2345))
    assert (told["Status"], told["NWKAddrOfInterest"], list(told["ActiveEPList"])) == (theirs.Status.SUCCESS, 0x2345, [1, 7])


@pytest.mark.parametrize(
    ("profile", "servers", "clients", "found"),
    [
        (0x0109, [0x0702], [], [1]),
        (0x0109, [0x0001, 0x000A], [], [1]),
        (0x0109, [], [0x0704], [1]),
        (0x0109, [0x0704], [], []),
        (0x0109, [], [0x0702], []),
        (0x0109, [0x0703], [], []),
        (0x0104, [0x0703], [], [7]),
        (0x0104, [], [0x0001, 0x0707], [7]),
        (0xFFFF, [0x0702, 0x0703], [], [1, 7]),
        (0xFFFF, [], [], []),
    ],
)
def test_endpoints_match_by_profile_and_by_any_cluster_of_their_side(
    profile: int, servers: list[int], clients: list[int], found: list[int]
) -> None:
    told = read("Match_Desc_rsp", ask("Match_Desc_req", 0x2345, profile, servers, clients))
    assert (told["Status"], told["NWKAddrOfInterest"], list(told["MatchList"])) == (theirs.Status.SUCCESS, 0x2345, found)
    assert (ask("Match_Desc_req", 0xFFFD, profile, servers, clients, broadcast=True) is None) == (not found), "silence where none does"
    octets = ask("Match_Desc_req", 0x2345, profile, servers, clients)
    assert octets is not None
    assert zdo.read_matches(octets) == tuple(found)


@pytest.mark.parametrize(("target", "answered"), [(0xFFF7, False), (0xFFF8, True), (0xFFFF, True), (0x2344, False), (0x2346, False)])
def test_a_match_may_be_asked_of_all_and_nothing_else_may(target: int, answered: bool) -> None:
    assert (ask("Match_Desc_req", target, 0x0109, [0x0702], [], broadcast=True) is not None) == answered
    if not answered:
        refused = ask("Match_Desc_req", target, 0x0109, [0x0702], [])
        assert refused == b"\x4d" + bytes([theirs.Status.DEVICE_NOT_FOUND]) + target.to_bytes(2, "little")
    for command in ("Node_Desc_req", "Power_Desc_req", "Active_EP_req", "IEEE_addr_req"):
        more = (0, 0) if command == "IEEE_addr_req" else ()
        assert ask(command, target, *more) == b"\x4d\x81" + target.to_bytes(2, "little")
        assert ask(command, target, *more, broadcast=True) is None


def test_addresses_are_told_both_ways_for_itself_and_for_whom_it_keeps_messages() -> None:
    for device, short in ((HUB, 0x2345), (ASLEEP, 0x6789)):
        for broadcast in (False, True):
            told = read("NWK_addr_rsp", ask("NWK_addr_req", ieee(device), 0, 0, broadcast=broadcast))
            assert (told["Status"], told["IEEEAddr"], told["NWKAddr"]) == (theirs.Status.SUCCESS, ieee(device), short)
        octets = ask("IEEE_addr_req", short, 0, 0)
        told = read("IEEE_addr_rsp", octets)
        assert (told["Status"], told["IEEEAddr"], told["NWKAddr"]) == (theirs.Status.SUCCESS, ieee(device), short)
        assert octets is not None
        assert zdo.read_address(octets) == (device, short)
    unknown = ask("NWK_addr_req", ieee(METER), 0, 0)
    assert unknown == b"\x4d" + bytes([theirs.Status.DEVICE_NOT_FOUND]) + METER.zigbee + b"\xff\xff"
    assert zdo.read_address(unknown) is None
    assert ask("NWK_addr_req", ieee(METER), 0, 0, broadcast=True) is None
    assert ask("Node_Desc_req", 0x6789) == b"\x4d\x81\x89\x67", "other requests are not answered for a child"


@pytest.mark.parametrize("command", ["Mgmt_Leave_req", "Mgmt_Permit_Joining_req"])
def test_leaving_and_permitting_are_answered_to_one_who_asks_and_not_to_all(command: str) -> None:
    payload = b"\x4d" + bytes(10)
    assert zdo.answer(ME, theirs.ZDOCmd[command], payload, broadcast=False) == b"\x4d\x00"
    assert zdo.answer(ME, theirs.ZDOCmd[command], payload, broadcast=True) is None


@pytest.mark.parametrize("command", ["Complex_Desc_req", "User_Desc_req", "Discovery_Cache_req", "End_Device_Bind_req", "Parent_annce"])
def test_a_request_that_no_stack_here_knows_is_not_supported(command: str) -> None:
    assert zdo.answer(ME, theirs.ZDOCmd[command], b"\x4d\x45\x23", broadcast=False) == b"\x4d" + bytes([theirs.Status.NOT_SUPPORTED])
    assert zdo.answer(ME, theirs.ZDOCmd[command], b"\x4d\x45\x23", broadcast=True) is None


def neighbour(number: int) -> zdo.Neighbour:
    return zdo.Neighbour(Eui64(bytes(7) + bytes([number])), 0x5000 + number, 1, 1, 2, 0, number, 100 + number)


@pytest.mark.parametrize("start", range(6))
def test_a_table_of_neighbours_comes_in_threes_from_where_it_is_asked(start: int) -> None:
    me = replace(ME, extended_pan=PAN, neighbours=tuple(neighbour(one) for one in range(5)))
    told = read("Mgmt_Lqi_rsp", ask("Mgmt_Lqi_req", start, me=me))
    table = told["Neighbors"]
    assert (told["Status"], table.Entries, table.StartIndex) == (theirs.Status.SUCCESS, 5, start)
    assert [int(one.nwk) for one in table.NeighborTableList] == [0x5000 + one for one in range(5)][start : start + 3]
    assert ask("Mgmt_Lqi_req", start, me=me, broadcast=True) is None


@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize("rx_on", range(3))
@pytest.mark.parametrize("relation", range(5))
@pytest.mark.parametrize("permit", range(3))
def test_a_neighbour_has_its_bits_where_zigpy_has_them(kind: int, rx_on: int, relation: int, permit: int) -> None:
    octets = zdo.Neighbour(METER, 0x1234, kind, rx_on, relation, permit, 15, 0xAB).encode(PAN)
    one, rest = theirs.Neighbor.deserialize(octets)
    assert not rest
    assert (one.extended_pan_id, one.ieee, one.nwk, one.depth, one.lqi) == (t.EUI64(PAN.zigbee), ieee(METER), 0x1234, 15, 0xAB)
    assert (int(one.device_type), int(one.rx_on_when_idle), int(one.relationship), int(one.permit_joining)) == (
        kind,
        rx_on,
        relation,
        permit,
    )


@pytest.mark.parametrize("start", [0, 1, 10, 12])
def test_a_table_of_routes_comes_in_tens_and_each_is_active(start: int) -> None:
    me = replace(ME, routes=tuple((0x1000 + one, 0x2000 + one) for one in range(12)))
    told = read("Mgmt_Rtg_rsp", ask("Mgmt_Rtg_req", start, me=me))
    table = told["Routes"]
    assert (told["Status"], table.Entries, table.StartIndex) == (theirs.Status.SUCCESS, 12, start)
    shown = [(int(one.DstNWK), int(one.NextHop), one.RouteStatus.name) for one in table.RoutingTableList]
    assert shown == [(0x1000 + one, 0x2000 + one, "Active") for one in range(12)][start : start + 10]


def test_a_table_of_bindings_comes_in_threes_as_they_were_made() -> None:
    rows = []
    for number in range(4):
        target = theirs.MultiAddress(addrmode=3, ieee=ieee(METER), endpoint=number)
        rows.append(theirs.Binding(SrcAddress=ieee(HUB), SrcEndpoint=1, ClusterId=0x0702, DstAddress=target).serialize())
    group = theirs.MultiAddress(addrmode=1, nwk=0x1234)
    rows.append(theirs.Binding(SrcAddress=ieee(HUB), SrcEndpoint=1, ClusterId=0x0702, DstAddress=group).serialize())
    me = replace(ME, bindings=tuple(rows))
    for start in range(6):
        told = read("Mgmt_Bind_rsp", ask("Mgmt_Bind_req", start, me=me))
        assert (told["Status"], told["BindingTableEntries"], told["StartIndex"]) == (theirs.Status.SUCCESS, 5, start)
        assert [one.serialize() for one in told["BindingTableList"]] == rows[start : start + 3]
    for row in rows:
        assert zdo.read_binding(b"\x4d" + row + b"more") == (HUB, row)
        for length in range(len(row)):
            with pytest.raises(DecodeError):
                zdo.read_binding(b"\x4d" + row[:length])


def test_an_announcement_is_zigpys_own() -> None:
    octets = zdo.announce(0x4D, 0x1234, METER, 0x8E)
    told = read("Device_annce", octets)
    assert (octets[0], told["NWKAddr"], told["IEEEAddr"], told["Capability"]) == (0x4D, 0x1234, ieee(METER), 0x8E)
    assert zdo.read_announce(octets) == (0x1234, METER, 0x8E)


@pytest.mark.parametrize("server", [True, False])
def test_a_match_request_asks_for_one_cluster_of_one_side(server: bool) -> None:
    octets = zdo.match_request(0x4D, 0x1234, 0x0109, 0x0702, server=server)
    told = read("Match_Desc_req", octets)
    assert (octets[0], told["NWKAddrOfInterest"], told["ProfileID"]) == (0x4D, 0x1234, 0x0109)
    assert (list(told["InClusterList"]), list(told["OutClusterList"])) == (([0x0702], []) if server else ([], [0x0702]))


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        ("4d00f8ff0702", (0x07FFF800, 2, 0)),
        ("4d00f8ff070209", (0x07FFF800, 2, 9)),
        ("4d00000002fe050000", (0x02000000, 0xFE, 5)),
    ],
)
def test_an_update_request_has_channels_duration_and_last_an_id(octets: str, told: tuple[int, int, int]) -> None:
    assert zdo.read_update(bytes.fromhex(octets)) == told


@pytest.mark.parametrize(
    ("reader", "octets", "fields"),
    [
        (zdo.read_update, "4d00f8ff0702", [(4, "channels"), (1, "scan duration")]),
        (zdo.read_announce, "4d3412" + METER.zigbee.hex() + "8e", [(2, "short address"), (8, "EUI-64"), (1, "capability")]),
        (zdo.read_address, "4d00" + METER.zigbee.hex() + "3412", [(1, "status"), (8, "EUI-64"), (2, "short address")]),
        (zdo.read_matches, "4d003412020107", [(1, "status"), (2, "address of interest"), (1, "match count"), (2, "endpoints")]),
    ],
)
def test_an_answer_that_is_cut_off_names_its_field(reader: Callable[[bytes], object], octets: str, fields: list[tuple[int, str]]) -> None:
    whole, begin = bytes.fromhex(octets), 1
    reader(whole)
    for width, field in fields:
        for there in range(width):
            with pytest.raises(DecodeError) as refused:
                reader(whole[: begin + there])
            assert str(refused.value) == f"at offset {begin}, {field}: {there} octets left, expected {width}"
        begin += width
    assert begin == len(whole)


def test_a_match_that_failed_has_no_endpoints() -> None:
    assert zdo.read_matches(b"\x4d\x81\x34\x12\x01\x05") == ()


def test_a_firmware_answers_what_the_measurements_of_real_ones_say() -> None:
    """Reference ncp-real, ZDO: an Ember dongle answers no energy scan and no Bind, Z-Stack does both."""
    assert (zdo.EMBER.scans, zdo.EMBER.binds, zdo.EMBER.children_first) == (False, False, False)
    assert (zdo.Z_STACK.scans, zdo.Z_STACK.binds, zdo.Z_STACK.children_first) == (True, True, True)
    assert (zdo.DEVICE.scans, zdo.DEVICE.binds) == (False, True)
