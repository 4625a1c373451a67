"""The rig's layers for ``explain``: the serial line, the radio, and service requests."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_emu.console.layers import Layer
from hil.console.explain_radio import explain_aps, explain_mac, explain_nwk, like_aps, like_mac, like_nwk
from hil.console.explain_serial import ash_to_fault, explain_ash, explain_ezsp, explain_mt, like_ash, like_ezsp, like_mt, mt_to_fault
from hil.console.explain_xml import explain_xml

LAYERS: Sequence[Layer] = (
    Layer("ash", "ASH frames of the serial line, with the EZSP inside", like_ash, explain_ash, ash_to_fault),
    Layer("ezsp", "an EZSP command, response or callback", like_ezsp, explain_ezsp),
    Layer("mt", "MT frames of a ZNP", like_mt, explain_mt, mt_to_fault),
    Layer("mac", "an 802.15.4 frame without its check sequence", like_mac, explain_mac),
    Layer("nwk", "a ZigBee network frame", like_nwk, explain_nwk),
    Layer("aps", "a ZigBee application support frame", like_aps, explain_aps),
    Layer("xml", "a DUIS service request, or any XML", lambda octets: 1.0 if octets.lstrip()[:1] == b"<" else 0.0, explain_xml),
)
