"""The ZDO server of one node: it answers discovery and management requests by itself, as stack firmware does.

Layouts: ZigBee PRO r21 2.4; requests of clusters 0x0000.., answers with bit 15 set. Firmwares differ in what they answer:
:class:`Rules`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air.frames import AirReader

NWK_ADDR, IEEE_ADDR, NODE_DESC, POWER_DESC, SIMPLE_DESC, ACTIVE_EP, MATCH_DESC = range(7)
BIND, UNBIND, MGMT_LQI, MGMT_RTG, MGMT_BIND = 0x0021, 0x0022, 0x0031, 0x0032, 0x0033
DEVICE_ANNCE, MGMT_LEAVE, MGMT_PERMIT_JOINING, MGMT_NWK_UPDATE = 0x0013, 0x0034, 0x0036, 0x0038
ANSWER = 0x8000
ENDPOINT_REQUESTS = frozenset({SIMPLE_DESC, ACTIVE_EP, MATCH_DESC})
BINDING_REQUESTS = frozenset({BIND, UNBIND, MGMT_BIND})
TABLES = frozenset({MGMT_LQI, MGMT_RTG, MGMT_BIND})
SUPPORTED = (
    frozenset({NWK_ADDR, IEEE_ADDR, NODE_DESC, POWER_DESC, MGMT_LEAVE, MGMT_PERMIT_JOINING, MGMT_NWK_UPDATE, BIND, UNBIND})
    | ENDPOINT_REQUESTS
    | TABLES
)
ANSWERED_HERE = frozenset({IEEE_ADDR, NODE_DESC, POWER_DESC}) | ENDPOINT_REQUESTS
TABLE_FULL, NO_ENTRY, NOT_AUTHORIZED = 0x8C, 0x88, 0x8D
CHANGE_CHANNEL, CHANGE_MANAGER, LONGEST_SCAN = 0xFE, 0xFF, 5
SUCCESS, INVALID_REQUEST, DEVICE_NOT_FOUND, INVALID_EP, NOT_ACTIVE, NOT_SUPPORTED = 0x00, 0x80, 0x81, 0x82, 0x83, 0x84
WILDCARD_PROFILE = 0xFFFF
NO_PAN = Eui64(bytes(8))


CHILD, SIBLING, PARENT, NO_RELATION = 1, 2, 0, 3


@dataclass(frozen=True, slots=True)
class Rules:
    """Requests that a firmware answers itself. ``scans``: energy scans; ``binds``: Bind and Unbind over the air; ``room``: bindings it
    keeps."""

    scans: bool
    binds: bool
    room: int
    children_first: bool
    """The order of Mgmt_Lqi_rsp."""


EMBER = Rules(scans=False, binds=False, room=32, children_first=False)
"""EmberZNet, its binding policy at the default (reference ncp-real, ZDO)."""
Z_STACK = Rules(scans=True, binds=True, room=4, children_first=True)
DEVICE = Rules(scans=False, binds=True, room=10, children_first=False)
"""A Device: its room is a value of this bench."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One entry of a neighbour table. ``permit``: 0 no, 1 yes, 2 not known."""

    eui64: Eui64
    short: int
    kind: int
    """0 coordinator, 1 router, 2 end device."""
    rx_on: int
    relation: int
    permit: int
    depth: int
    lqi: int

    def encode(self, extended_pan: Eui64) -> bytes:
        flags = self.kind | self.rx_on << 2 | self.relation << 4
        return extended_pan.zigbee + self.eui64.zigbee + struct.pack("<HBBBB", self.short, flags, self.permit, self.depth, self.lqi)


@dataclass(frozen=True, slots=True)
class Described:
    """Description of the node itself for ZDO."""

    eui64: Eui64
    short: int
    node_type: int
    manufacturer: int
    endpoints: tuple[SimpleDescriptor, ...]
    asleep: Mapping[Eui64, int]
    """Sleepy children by short address: their parent answers address requests for them."""
    extended_pan: Eui64 = NO_PAN
    neighbours: tuple[Neighbour, ...] = ()
    routes: tuple[tuple[int, int], ...] = ()
    """Destination and next hop."""
    bindings: tuple[bytes, ...] = ()
    """As in a Bind_req, behind its sequence."""


def capability(node_type: int) -> int:
    """MAC capability octet: allocate address 0x80, mains 0x04 and receiver on 0x08 unless sleepy, router 0x02."""
    return {1: 0x8F, 2: 0x8E, 3: 0x8C}.get(node_type, 0x80)


def node_descriptor(me: Described) -> bytes:
    """13 octets; buffer 82; a coordinator as bellows#468 shows it, a Device takes transfers up to 1,500 octets either way."""
    kind = {1: 0, 2: 1}.get(me.node_type, 2)
    server_mask, transfer = (0x2C41, 128) if me.node_type == 1 else (0x2C00, 1500)
    return struct.pack("<BBBHBHHHB", kind, 0x40, capability(me.node_type), me.manufacturer, 82, transfer, server_mask, transfer, 0)


def simple_descriptor(endpoint: SimpleDescriptor) -> bytes:
    head = struct.pack("<BHHB", endpoint.endpoint, endpoint.profile, endpoint.device_id, 0)
    return head + _clusters(endpoint.servers) + _clusters(endpoint.clients)


def _clusters(clusters: Iterable[int]) -> bytes:
    octets = b"".join(cluster.to_bytes(2, "little") for cluster in clusters)
    return bytes([len(octets) // 2]) + octets


def matches(endpoint: SimpleDescriptor, profile: int, servers: Iterable[int], clients: Iterable[int]) -> bool:
    """``servers`` asked for are among the endpoint's servers, or ``clients`` among its clients."""
    if profile not in (endpoint.profile, WILDCARD_PROFILE):
        return False
    return bool(set(servers) & set(endpoint.servers) or set(clients) & set(endpoint.clients))


def _read_clusters(read: AirReader) -> tuple[int, ...]:
    return tuple(read.uint(2, "cluster") for _ in range(read.uint(1, "cluster count")))


def announce(sequence: int, short: int, eui64: Eui64, capabilities: int) -> bytes:
    """Device_annce."""
    return bytes([sequence]) + short.to_bytes(2, "little") + eui64.zigbee + bytes([capabilities])


def match_request(sequence: int, target: int, profile: int, cluster: int, *, server: bool) -> bytes:
    """Match_Desc_req for one cluster."""
    lists = (_clusters([cluster]) + _clusters([])) if server else (_clusters([]) + _clusters([cluster]))
    return bytes([sequence]) + struct.pack("<HH", target, profile) + lists


def answer(me: Described, cluster: int, payload: bytes, *, broadcast: bool) -> bytes | None:
    """The response's payload (cluster | :data:`ANSWER`), or None where nothing is to be said. Raises DecodeError."""
    read = AirReader(payload)
    sequence = bytes([read.uint(1, "ZDO sequence")])
    short = me.short.to_bytes(2, "little")
    if cluster == NWK_ADDR:
        wanted = read.eui("EUI-64")
        if wanted in me.asleep:
            return sequence + b"\x00" + wanted.zigbee + me.asleep[wanted].to_bytes(2, "little")
        if wanted != me.eui64:
            return None if broadcast else sequence + bytes([DEVICE_NOT_FOUND]) + wanted.zigbee + b"\xff\xff"
        return sequence + b"\x00" + me.eui64.zigbee + short
    if cluster not in SUPPORTED:
        return None if broadcast else sequence + bytes([NOT_SUPPORTED])
    if cluster in (MGMT_LEAVE, MGMT_PERMIT_JOINING):
        return None if broadcast else sequence + b"\x00"
    if cluster in TABLES:
        return None if broadcast else sequence + _table(me, cluster, read.uint(1, "start index"))
    if cluster not in ANSWERED_HERE:
        return None
    target = read.uint(2, "address of interest")
    for child, known in me.asleep.items():
        if cluster == IEEE_ADDR and known == target:
            return sequence + b"\x00" + child.zigbee + target.to_bytes(2, "little")
    if target != me.short and not (cluster == MATCH_DESC and target >= 0xFFF8):
        return None if broadcast else sequence + bytes([DEVICE_NOT_FOUND]) + target.to_bytes(2, "little")
    if cluster == IEEE_ADDR:
        return sequence + b"\x00" + me.eui64.zigbee + short
    if cluster == NODE_DESC:
        return sequence + b"\x00" + short + node_descriptor(me)
    if cluster == POWER_DESC:
        return sequence + b"\x00" + short + b"\x10\xc1"
    if cluster == ACTIVE_EP:
        return sequence + b"\x00" + short + bytes([len(me.endpoints)]) + bytes(one.endpoint for one in me.endpoints)
    if cluster == SIMPLE_DESC:
        return sequence + _simple(me, read.uint(1, "endpoint"), short)
    profile = read.uint(2, "profile")
    servers, clients = _read_clusters(read), _read_clusters(read)
    found = bytes(one.endpoint for one in me.endpoints if matches(one, profile, servers, clients))
    if broadcast and not found:
        return None
    return sequence + b"\x00" + short + bytes([len(found)]) + found


def _table(me: Described, cluster: int, start: int) -> bytes:
    """Status, total, first, count and as many entries as fit into one frame."""
    if cluster == MGMT_LQI:
        rows, most = [one.encode(me.extended_pan) for one in me.neighbours], 3
    elif cluster == MGMT_RTG:
        rows, most = [struct.pack("<HBH", destination, 0, hop) for destination, hop in me.routes], 10
    else:
        rows, most = list(me.bindings), 3
    told = rows[start : start + most]
    return bytes([SUCCESS, len(rows), start, len(told)]) + b"".join(told)


def read_binding(payload: bytes) -> tuple[Eui64, bytes]:
    """Source EUI-64 and the whole binding of a Bind_req or Unbind_req. Raises DecodeError."""
    read = AirReader(payload, 1)
    source = read.eui("source EUI-64")
    read.uint(1, "source endpoint")
    read.uint(2, "cluster")
    mode = read.uint(1, "address mode")
    read.take(9 if mode == 3 else 2, "destination")
    return source, payload[1 : read.offset]


def read_update(payload: bytes) -> tuple[int, int, int]:
    """Channels as a mask, duration and network update id of a Mgmt_NWK_Update_req (0 where there is none). Raises DecodeError."""
    read = AirReader(payload, 1)
    channels, duration = read.uint(4, "channels"), read.uint(1, "scan duration")
    return channels, duration, payload[6] if len(payload) > 6 else 0


def _simple(me: Described, endpoint: int, short: bytes) -> bytes:
    if not 1 <= endpoint <= 254:
        return bytes([INVALID_EP]) + short + b"\x00"
    for one in me.endpoints:
        if one.endpoint == endpoint:
            described = simple_descriptor(one)
            return b"\x00" + short + bytes([len(described)]) + described
    return bytes([NOT_ACTIVE]) + short + b"\x00"


def read_announce(payload: bytes) -> tuple[int, Eui64, int]:
    """(short, EUI-64, capability) of a Device_annce. Raises DecodeError."""
    read = AirReader(payload, 1)
    return read.uint(2, "short address"), read.eui("EUI-64"), read.uint(1, "capability")


def read_address(payload: bytes) -> tuple[Eui64, int] | None:
    """(EUI-64, short) of a NWK_addr_rsp or IEEE_addr_rsp that succeeded. Raises DecodeError."""
    read = AirReader(payload, 1)
    if read.uint(1, "status"):
        return None
    return read.eui("EUI-64"), read.uint(2, "short address")


def read_matches(payload: bytes) -> tuple[int, ...]:
    """Endpoints of a Match_Desc_rsp; none for a status that is not success. Raises DecodeError."""
    read = AirReader(payload, 1)
    if read.uint(1, "status"):
        return ()
    read.uint(2, "address of interest")
    count = read.uint(1, "match count")
    return tuple(read.take(count, "endpoints"))
