"""Forming, joining, leaving, permitting, scanning, children and polling."""

from __future__ import annotations

import asyncio

from firmware_emu.ids import Eui64
from hil.radio.air import phy
from hil.radio.ncp.ezsp import Handler, Ncp, NetworkParameters, Reply
from hil.radio.ncp.handlers.registry import register_in
from hil.radio.port.dongle_server import Fields
from hil.radio.stack import joining
from hil.radio.stack.mac import Poll
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child

HANDLERS: dict[str, Handler] = {}
handles = register_in(HANDLERS)

NO_NETWORK, JOINING, JOINED = 0, 1, 2
ENERGY_SCAN, ACTIVE_SCAN = 0, 1
USE_MAC_ASSOCIATION = 0
EVENT_UNITS_S = {1: 0.001, 2: 0.25, 3: 60.0}
_ENDED = {
    Poll.NO_ACK: Status.MAC_NO_ACK_RECEIVED,
    Poll.NO_DATA: Status.MAC_NO_DATA,
    Poll.MISSED: Status.MAC_NO_DATA,
    Poll.DATA: Status.SUCCESS,
}


def _parameters(ncp: Ncp) -> NetworkParameters:
    tokens = ncp.stack.tokens
    return NetworkParameters(tokens.extended_pan, tokens.pan, tokens.power, tokens.channel, 0, 0, tokens.update_id, 0x07FFF800)


@handles("networkInit", "networkInitExtended")
def network_init(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": ncp.stack.initialise()}


@handles("networkState")
def network_state(ncp: Ncp, fields: Fields) -> Reply:
    return {"state": JOINED if ncp.stack.running else JOINING if ncp.stack.busy else NO_NETWORK}


@handles("getNetworkParameters")
def get_parameters(ncp: Ncp, fields: Fields) -> Reply:
    if not ncp.stack.running:
        return {"status": Status.NOT_JOINED}
    return {"status": Status.SUCCESS, "node_type": ncp.stack.tokens.node_type, "parameters": _parameters(ncp).encode()}


@handles("getLogicalChannel")
def get_channel(ncp: Ncp, fields: Fields) -> Reply:
    return {"channel": ncp.stack.tokens.channel}


@handles("setRadioChannel", "setLogicalAndRadioChannel")
def set_channel(ncp: Ncp, fields: Fields) -> Reply:
    if not phy.known(fields.u("channel")) or not ncp.stack.running:
        return {"status": Status.PHY_INVALID_CHANNEL}
    ncp.stack.tokens.channel = fields.u("channel")
    ncp.stack.tokens.save()
    ncp.stack.nwk.mac.start(ncp.stack.tokens.channel, rx_on=ncp.stack.nwk.mac.rx_on)
    return {"status": Status.SUCCESS}


@handles("formNetwork")
def form(ncp: Ncp, fields: Fields) -> Reply:
    wanted = NetworkParameters.decode(fields.octets("parameters"))
    return {"status": ncp.stack.form(wanted.extended_pan, wanted.pan, wanted.channel, wanted.power, wanted.update_id)}


@handles("joinNetwork")
def join(ncp: Ncp, fields: Fields) -> Reply:
    wanted = NetworkParameters.decode(fields.octets("parameters"))
    node_type = fields.u("node_type")
    if node_type not in (2, 3, 4) or wanted.method != USE_MAC_ASSOCIATION:
        return {"status": Status.BAD_ARGUMENT}
    channels = (wanted.channel,) if wanted.channel else phy.in_mask(wanted.channels)
    return {
        "status": ncp.stack.join(
            node_type,
            channels,
            wanted.extended_pan if any(wanted.extended_pan.octets) else None,
            None if wanted.pan == 0xFFFF else wanted.pan,
        )
    }


@handles("findAndRejoinNetwork")
def rejoin(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": ncp.stack.rejoin(secured=bool(fields.u("have_key")), channels=phy.in_mask(fields.u("mask")) or None)}


@handles("leaveNetwork")
def leave(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": ncp.stack.leave()}


@handles("permitJoining")
def permit(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": ncp.stack.permit(fields.u("duration"))}


@handles("removeDevice")
def remove(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": ncp.stack.remove(fields.eui("target"), fields.u("id"))}


@handles("startScan")
def start_scan(ncp: Ncp, fields: Fields) -> Reply:
    kind, duration = fields.u("type"), fields.u("duration")
    channels = phy.in_mask(fields.u("mask"))
    if kind not in (ENERGY_SCAN, ACTIVE_SCAN):
        return {"status": Status.MAC_INCORRECT_SCAN_TYPE}
    if not channels:
        return {"status": Status.MAC_INVALID_CHANNEL_MASK}
    if duration > 14:
        return {"status": Status.MAC_BAD_SCAN_DURATION}
    if ncp.scanning or ncp.stack.busy:
        return {"status": Status.MAC_SCANNING}
    ncp.start_scan(_energy(ncp, channels, duration) if kind == ENERGY_SCAN else _active(ncp, channels, duration))
    return {"status": Status.SUCCESS}


@handles("stopScan")
def stop_scan(ncp: Ncp, fields: Fields) -> Reply:
    ncp.stop_scan()
    return {"status": Status.SUCCESS}


async def _energy(ncp: Ncp, channels: tuple[int, ...], duration: int) -> None:
    for channel in channels:
        await asyncio.sleep(joining.scan_s(duration))
        ncp.callback("energyScanResultHandler", {"channel": channel, "rssi": ncp.stack.air.energy(channel)})
    ncp.callback("scanCompleteHandler", {"channel": 0, "status": Status.SUCCESS})


async def _active(ncp: Ncp, channels: tuple[int, ...], duration: int) -> None:
    for found in await joining.scan(ncp.stack, channels, duration):
        beacon = found.beacon
        ncp.callback(
            "networkFoundHandler",
            {
                "channel": found.channel,
                "pan": beacon.pan,
                "extended_pan": beacon.extended_pan,
                "allowing": beacon.permit,
                "profile": beacon.stack_profile,
                "update_id": beacon.update_id,
                "lqi": found.link.lqi,
                "rssi": found.link.rssi,
            },
        )
    ncp.callback("scanCompleteHandler", {"channel": 0, "status": Status.SUCCESS})


def _child(ncp: Ncp, index: int) -> tuple[Eui64, Child] | None:
    """The child table as hosts know it: end devices; routers that joined here are neighbours."""
    children = [(device, child) for device, child in ncp.stack.tokens.children.items() if not child.router]
    return children[index] if index < len(children) else None


@handles("getChildData")
def get_child(ncp: Ncp, fields: Fields) -> Reply:
    found = _child(ncp, fields.u("index"))
    if found is None:
        return {"status": Status.NOT_JOINED}
    device, child = found
    return {
        "status": Status.SUCCESS,
        "eui64": device,
        "type": child.node_type,
        "id": child.short,
        "phy": ncp.stack.nwk.mac.is_beyond(child.short),
        "power": 0x80,
        "timeout": child.timeout,
        "remaining": 0,
    }


@handles("setChildData")
def set_child(ncp: Ncp, fields: Fields) -> Reply:
    """A host restoring a backup writes its children back."""
    capability = {2: 0x8E, 3: 0x8C}.get(fields.u("type"), 0x80)
    ncp.stack.tokens.children[fields.eui("eui64")] = Child(fields.u("id"), capability, authenticated=True)
    ncp.stack.tokens.save()
    return {"status": Status.SUCCESS}


@handles("childId")
def child_id(ncp: Ncp, fields: Fields) -> Reply:
    found = _child(ncp, fields.u("index"))
    return {"id": 0xFFFF if found is None else found[1].short}


@handles("getParentChildParameters")
def parent_and_children(ncp: Ncp, fields: Fields) -> Reply:
    tokens = ncp.stack.tokens
    return {"children": len(tokens.children), "parent": tokens.parent or Eui64(b"\xff" * 8), "parent_id": tokens.parent_short}


@handles("pollForData")
def poll(ncp: Ncp, fields: Fields) -> Reply:
    if not ncp.stack.running or ncp.stack.nwk.mac.rx_on:
        return {"status": Status.INVALID_CALL}
    ncp.start_polling(_poll(ncp, fields.u("interval") * EVENT_UNITS_S.get(fields.u("units"), 0.0)))
    return {"status": Status.SUCCESS}


async def _poll(ncp: Ncp, interval_s: float) -> None:
    """Until the radio goes or the host polls otherwise; interval 0 asks until nothing is pending, once."""
    while ncp.stack.running:
        ended = await joining.poll(ncp.stack, ncp.stack.tokens.parent_short)
        ncp.callback("pollCompleteHandler", {"status": _ENDED[ended]})
        if ended is not Poll.DATA:
            if not interval_s:
                return
            await asyncio.sleep(interval_s)
