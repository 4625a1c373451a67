"""Refusals that a foreign host meets on a firmware as on the real one, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

STOCK = ("zbdongle-e-7.4",)
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

EXPECTED = (
    Expected(("zigpy-znp", "ZHA"), ("cc2652-3.30",), "read metering", "TimeoutError", _PROFILE),
    Expected(ZIGPY, STOCK, "restore to another dongle", "does not support|upgrade your adapter firmware|DestructiveWrite", _TOKENS),
    Expected(ZIGPY, STOCK, "EUI write", "", _TOKENS),
    Expected(("universal-silabs-flasher",), STOCK, "EUI write", "", _TOKENS),
)
