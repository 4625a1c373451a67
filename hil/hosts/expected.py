"""Refusals that a foreign host meets on a firmware as on the real one, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

STOCK = ("zbdongle-e-7.4",)
EMBER = ("zbdongle-e-7.4", "zbt-1-7.4", "pmg24-8.2.2", "zbt-2-9.1")
ZIGPY = ("bellows", "zigpy-cli", "ZHA")


@dataclass(frozen=True, slots=True)
class Expected:
    """One refusal: by whom it is met, on which firmware, at what, and what the host then says (a pattern)."""

    hosts: tuple[str, ...]
    firmwares: tuple[str, ...]
    verb: str
    said: str
    source: str


_TOKENS = "stock firmware has no token-interface component to write an EUI-64: ember-zli#15, silabs-firmware-builder pull 22"

_PROFILE = (
    "MT sends under the profile of the source endpoint, and zigpy-znp takes its endpoint 1, of home automation, for every profile "
    "(its _find_endpoint, prefer_endpoint_1): a Smart Energy meter does not answer"
)

_NO_SCAN = "Ember does no energy scan for a Mgmt_NWK_Update_req to itself; a host scans with startScan: zigpy-znp#102, bellows#471"

EXPECTED = (
    Expected(("zigbee-herdsman ember",), EMBER, "energy scan", "status 132", _NO_SCAN),
    Expected(("zigbee-herdsman ember",), STOCK, "EUI write", "", _TOKENS),
    Expected(("zigpy-znp", "ZHA"), ("cc2652-3.30",), "read metering", "TimeoutError", _PROFILE),
    Expected(ZIGPY, STOCK, "restore to another dongle", "does not support|upgrade your adapter firmware|DestructiveWrite", _TOKENS),
    Expected(ZIGPY, STOCK, "EUI write", "", _TOKENS),
    Expected(("universal-silabs-flasher",), STOCK, "EUI write", "", _TOKENS),
)
