"""Time 0x000A: attributes only. The hub answers time status 0x09, master and superseding (reference gbcs-spec-notes 9)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, attributes

MASTER = 0x01
SYNCHRONISED = 0x02
MASTER_ZONE_DST = 0x04
SUPERSEDING = 0x08

TIME = Cluster(
    0x000A,
    "Time",
    secured=True,
    attributes=attributes(
        "0x0000 time utc",
        "0x0001 time_status bitmap8",
        "0x0002 time_zone int32",
        "0x0003 dst_start uint32",
        "0x0004 dst_end uint32",
        "0x0005 dst_shift int32",
        "0x0006 standard_time uint32",
        "0x0007 local_time uint32",
        "0x0008 last_set_time utc",
        "0x0009 valid_until_time utc",
        "0xFFFE attribute_reporting_status enum8",
    ),
)
