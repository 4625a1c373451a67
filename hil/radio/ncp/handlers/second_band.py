"""The other band of a dual-band coordinator: its radio on and off, its channel, and how long it has sent (EZSP multiPhy, duty cycle).

The host starts it anew after each reset. Power and bitmask are taken and change nothing.
"""

from __future__ import annotations

import struct

from hil.radio.air import phy
from hil.radio.ncp.ezsp import Handler, Ncp, Reply
from hil.radio.ncp.handlers.registry import register_in
from hil.radio.port.dongle_server import Fields
from hil.radio.stack.status import Status

HANDLERS: dict[str, Handler] = {}
handles = register_in(HANDLERS)

SECOND = 1
"""Index of the interface that is not the network's own."""
_PLACES, _NOBODY = 33, 0xFFFF
"""Places of the array, and the node of a place that is free (UG100, recalled). The first place is the dongle's own total."""
_UNIT = 10_000
"""A share in hundredths of a percent."""


@handles("multiPhyStart", "multiPhySetRadioChannel")
def start(ncp: Ncp, fields: Fields) -> Reply:
    mac = ncp.stack.nwk.mac
    if not ncp.personality.has("multi_phy"):
        return {"status": Status.LIBRARY_NOT_PRESENT}
    if fields.u("phy") != SECOND:
        return {"status": Status.BAD_ARGUMENT}
    if not ncp.stack.running:
        return {"status": Status.INVALID_CALL}
    try:
        channel = phy.sub_ghz(fields.u("page"), fields.u("channel"))
    except ValueError:
        return {"status": Status.PHY_INVALID_CHANNEL}
    mac.start_second(channel)
    return {"status": Status.SUCCESS}


@handles("multiPhyStop")
def stop(ncp: Ncp, fields: Fields) -> Reply:
    if ncp.stack.nwk.mac.second is None or fields.u("phy") != SECOND:
        return {"status": Status.INVALID_CALL}
    ncp.stack.nwk.mac.stop_second()
    return {"status": Status.SUCCESS}


@handles("getCurrentDutyCycle")
def duty_cycle(ncp: Ncp, fields: Fields) -> Reply:
    second = ncp.stack.nwk.mac.second
    if second is None:
        return {"status": Status.INVALID_CALL}
    spent = second.duty_cycle()
    places = [(0, _hundredths(sum(spent.values())))]
    for device, short in ncp.stack.nwk.shorts.items():
        share = spent.get(short, 0.0) + spent.get(device, 0.0)
        if short and share:
            places.append((short, _hundredths(share)))
    places = places[: min(_PLACES, fields.u("devices"))]
    places += [(_NOBODY, 0)] * (_PLACES - len(places))
    return {"status": Status.SUCCESS, "array": b"".join(struct.pack("<HH", *one) for one in places) + bytes(2)}


def _hundredths(share: float) -> int:
    return min(round(share * _UNIT), 0xFFFF)
