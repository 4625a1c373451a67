"""Structures in the items of Z-Stack's memory, aligned as on a CC2652 (zigpy-znp ``types/structs.py``; reference ncp-real 10)."""

from __future__ import annotations

from construct import Bytes, Default, Int8ul, Int16ul, Int32ul, Padding, PrefixedArray, Struct

KEY = Struct("sequence" / Int8ul, "key" / Bytes(16))
"""nwkKeyDesc: a network key, in force or next."""

NIB = Struct(
    "sequence" / Default(Int8ul, 0),
    "passive_ack_timeout" / Int8ul,
    "max_broadcast_retries" / Int8ul,
    "max_children" / Default(Int8ul, 0),
    "max_depth" / Default(Int8ul, 0),
    "max_routers" / Default(Int8ul, 0),
    Padding(1),
    "broadcast_delivery_time" / Int8ul,
    "report_constant_cost" / Default(Int8ul, 0),
    "route_discovery_retries" / Default(Int8ul, 0),
    Padding(1),
    "secure_all_frames" / Default(Int8ul, 0),
    "security_level" / Default(Int8ul, 5),
    "symmetric_links" / Default(Int8ul, 0),
    "capabilities" / Default(Int8ul, 0),
    Padding(1),
    "transaction_persistence_time" / Default(Int16ul, 0),
    "protocol_version" / Default(Int8ul, 0),
    "route_discovery_time" / Int8ul,
    "route_expiry_time" / Int8ul,
    Padding(1),
    "short" / Int16ul,
    "channel" / Int8ul,
    Padding(1),
    "coordinator_short" / Default(Int16ul, 0),
    "coordinator" / Bytes(8),
    "pan" / Int16ul,
    "state" / Default(Int16ul, 8),  # NWK_ROUTER
    "channels" / Int32ul,
    "beacon_order" / Default(Int8ul, 0),
    "superframe_order" / Default(Int8ul, 0),
    "scan_duration" / Default(Int8ul, 0),
    "battery_life_extension" / Default(Int8ul, 0),
    "router_addresses" / Default(Int32ul, 0),
    "end_device_addresses" / Default(Int32ul, 0),
    "depth" / Default(Int8ul, 0),
    "extended_pan" / Bytes(8),
    "key_loaded" / Int8ul,
    "spare_keys" / Default(Bytes(2 * KEY.sizeof()), bytes(2 * KEY.sizeof())),
    Padding(2),
    "link_status_period" / Default(Int8ul, 0),
    "router_age_limit" / Default(Int8ul, 0),
    "multicast" / Default(Int8ul, 0),
    "concentrator" / Int8ul,
    "concentrator_discovery_time" / Int8ul,
    "concentrator_radius" / Int8ul,
    "all_fresh" / Default(Int8ul, 0),
    Padding(1),
    "manager" / Default(Int16ul, 0),
    "transmissions" / Default(Int16ul, 0),
    "update_id" / Int8ul,
    Padding(1),
)
"""nwkIB_t: the network. What this stack has no value for is 0."""

ADDRESS = Struct("use" / Int8ul, Padding(1), "short" / Int16ul, "device" / Bytes(8))
"""addrMgrEntry: a Device that is known. A free row is filled with FF."""

LINK_KEY = Struct("address" / Int16ul, "key" / Int16ul, "state" / Int8ul, Padding(1))
LINK_KEYS = PrefixedArray(Int16ul, LINK_KEY)
"""apsLinkKeyTable: rows of address manager and key data that belong together."""

KEY_DATA = Struct("key" / Bytes(16), "sent" / Int32ul, "received" / Int32ul)
"""apsKeyDataTable: a link key and its frame counters."""

TRUST_CENTRE_KEY = Struct(
    "sent" / Int32ul,
    "received" / Int32ul,
    "device" / Bytes(8),
    "attributes" / Int8ul,
    "kind" / Int8ul,
    "shift" / Int8ul,
    Padding(1),
)
"""tclkDevEntry: a Device whose link key is made of the seed, by how many octets it is turned."""

COUNTER = Struct("counter" / Int32ul, "extended_pan" / Bytes(8))
"""nwkSecMaterialDesc: the frame counter of a network."""
