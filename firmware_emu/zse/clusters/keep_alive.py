"""Keep-Alive 0x0025: a Device reads both attributes, under the link key, to see whether its hub is alive (reference zigbee-han 9)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, attributes

BASE_MINUTES = 10
"""The values that the hub serves: the ZSE default (reference gbcs-spec-notes 10.5)."""
JITTER_S = 300

KEEP_ALIVE = Cluster(
    0x0025,
    "KeepAlive",
    secured=True,
    attributes=attributes(
        "0x0000 keep_alive_base uint8",
        "0x0001 keep_alive_jitter uint16",
        "0xFFFE attribute_reporting_status enum8",
    ),
)
