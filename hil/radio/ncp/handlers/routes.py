"""Source routes, concentrator, neighbours and routes; and what hosts ask of hardware that is not here."""

from __future__ import annotations

import asyncio
import struct

from firmware_emu.ids import Eui64
from hil.radio.air import phy
from hil.radio.air.frames import DeliveryMode
from hil.radio.ncp.ezsp import ApsHead, Handler, Ncp, Reply
from hil.radio.ncp.handlers.messaging import BROADCAST, MULTICAST, send_head
from hil.radio.ncp.handlers.registry import register_in
from hil.radio.port.dongle_server import Fields
from hil.radio.stack import joining, zdo
from hil.radio.stack.status import Status
from hil.radio.stack.tables import link_cost

HANDLERS: dict[str, Handler] = {}
handles = register_in(HANDLERS)

SOURCE_ROUTES, BINDINGS, ROUTES = 0x1A, 0x04, 0x07
NO_BINDING = bytes(14)
NO_ROUTE = struct.pack("<HHBBBB", 0xFFFF, 0xFFFF, 3, 0, 0, 0)
NO_BOOTLOADER = 0xFFFF
LIBRARIES, PRESENT, ABSENT = frozenset({0x01, 0x02, 0x05, 0x0C, 0x0D}), 0x80, 0xFF
"""Zigbee PRO, security core, install codes, packet validation, source routes; the top bit says that a library is there."""
PSEUDO_RANDOM = 0


@handles("callback", "noCallbacks")
def callbacks(ncp: Ncp, fields: Fields) -> Reply:
    """A dongle on a serial line sends its callbacks by itself."""
    return {}


@handles("setSourceRoute")
def set_source_route(ncp: Ncp, fields: Fields) -> Reply:
    relays = tuple(one for (one,) in struct.iter_unpack("<H", fields.octets("relays")))
    if not ncp.stack.running:
        return {"status": Status.NETWORK_DOWN}
    ncp.stack.nwk.routes.source[fields.u("destination")] = relays
    return {"status": Status.SUCCESS}


@handles("getSourceRouteTableTotalSize")
def source_routes_total(ncp: Ncp, fields: Fields) -> Reply:
    return {"total": ncp.configuration[SOURCE_ROUTES]}


@handles("getSourceRouteTableFilledSize")
def source_routes_filled(ncp: Ncp, fields: Fields) -> Reply:
    return {"filled": len(ncp.stack.nwk.routes.source)}


@handles("getSourceRouteTableEntry")
def source_route(ncp: Ncp, fields: Fields) -> Reply:
    known = list(ncp.stack.nwk.routes.source)
    if fields.u("index") >= len(known):
        return {"status": Status.NOT_FOUND}
    relays = ncp.stack.nwk.routes.source[known[fields.u("index")]]
    closer = known.index(relays[0]) if relays and relays[0] in known else 0xFF
    return {"status": Status.SUCCESS, "destination": known[fields.u("index")], "closer": closer}


@handles("sendManyToOneRouteRequest")
def many_to_one(ncp: Ncp, fields: Fields) -> Reply:
    ncp.stack.nwk.routes.call_all()
    return {"status": Status.SUCCESS}


def _neighbours(ncp: Ncp) -> list[int]:
    """Routers that were heard directly: end devices are children, not neighbours."""
    nwk = ncp.stack.nwk
    return [short for short in nwk.neighbours if not nwk.has_end_device(short)]


@handles("neighborCount")
def neighbour_count(ncp: Ncp, fields: Fields) -> Reply:
    return {"count": len(_neighbours(ncp))}


@handles("getNeighbor")
def neighbour(ncp: Ncp, fields: Fields) -> Reply:
    known, nwk = _neighbours(ncp), ncp.stack.nwk
    if fields.u("index") >= len(known):
        return {"status": Status.FATAL}
    short = known[fields.u("index")]
    link = nwk.neighbours[short]
    cost = link_cost(link)
    device = nwk.addresses.get(short, Eui64(bytes(8)))
    return {"status": Status.SUCCESS, "neighbour": struct.pack("<HBBBB", short, link.lqi, cost, cost, 3) + device.zigbee}


@handles("getNeighborFrameCounter")
def neighbour_counter(ncp: Ncp, fields: Fields) -> Reply:
    counter = ncp.stack.nwk.incoming_counter(fields.eui("eui64"))
    return {"status": Status.NOT_FOUND} if counter is None else {"status": Status.SUCCESS, "counter": counter}


@handles("getRouteTableEntry")
def route(ncp: Ncp, fields: Fields) -> Reply:
    table = ncp.stack.nwk.routes.table
    index = fields.u("index")
    if index >= max(ncp.configuration[ROUTES], len(table)):
        return {"status": Status.FATAL}
    entry = struct.pack("<HHBBBB", *table[index], 0, 0, 0, 0) if index < len(table) else NO_ROUTE
    return {"status": Status.SUCCESS, "route": entry}


# bindings: kept, never used to send


@handles("clearBindingTable")
def clear_bindings(ncp: Ncp, fields: Fields) -> Reply:
    ncp.bindings.clear()
    return {"status": Status.SUCCESS}


@handles("setBinding")
def set_binding(ncp: Ncp, fields: Fields) -> Reply:
    if fields.u("index") >= ncp.configuration[BINDINGS]:
        return {"status": Status.INVALID_BINDING_INDEX}
    ncp.bindings[fields.u("index")] = fields.octets("binding")
    return {"status": Status.SUCCESS}


@handles("getBinding")
def get_binding(ncp: Ncp, fields: Fields) -> Reply:
    if fields.u("index") >= ncp.configuration[BINDINGS]:
        return {"status": Status.INVALID_BINDING_INDEX}
    return {"status": Status.SUCCESS, "binding": ncp.bindings.get(fields.u("index"), NO_BINDING)}


@handles("deleteBinding")
def delete_binding(ncp: Ncp, fields: Fields) -> Reply:
    if fields.u("index") >= ncp.configuration[BINDINGS]:
        return {"status": Status.INVALID_BINDING_INDEX}
    ncp.bindings.pop(fields.u("index"), None)
    return {"status": Status.SUCCESS}


@handles("bindingIsActive")
def binding_active(ncp: Ncp, fields: Fields) -> Reply:
    """True if a message of the binding waits for its acknowledgement."""
    return {"active": 0}


# sending under another's name


@handles("proxyBroadcast")
def proxy_broadcast(ncp: Ncp, fields: Fields) -> Reply:
    """Sent as an own broadcast: an alias is for green power, which is not here."""
    head = ApsHead.decode(fields.octets("aps"))
    destination = fields.u("destination")
    return send_head(ncp, BROADCAST, destination, destination, head, fields, DeliveryMode.BROADCAST, fields.u("radius"))


@handles("sendMulticastWithAlias")
def multicast_with_alias(ncp: Ncp, fields: Fields) -> Reply:
    head = ApsHead.decode(fields.octets("aps"))
    return send_head(ncp, MULTICAST, 0xFFFD, head.group, head, fields, DeliveryMode.GROUP, fields.u("hops"))


# the radio


@handles("energyScanRequest")
def ask_for_energy_scan(ncp: Ncp, fields: Fields) -> Reply:
    """Mgmt_NWK_Update_req to another node, or to all."""
    if not ncp.stack.running:
        return {"status": Status.NETWORK_DOWN}
    payload = struct.pack("<BIB", ncp.stack.aps.next_sequence(), fields.u("channels"), fields.u("duration"))
    ncp.stack.send_zdo(fields.u("target"), zdo.MGMT_NWK_UPDATE, payload + bytes([fields.u("count") & 0xFF]))
    return {"status": Status.SUCCESS}


@handles("findUnusedPanId")
def find_unused_pan(ncp: Ncp, fields: Fields) -> Reply:
    channels = phy.in_mask(fields.u("mask"))
    if not channels or fields.u("duration") > 14:
        return {"status": Status.MAC_INVALID_CHANNEL_MASK}
    if ncp.scanning or ncp.stack.busy:
        return {"status": Status.MAC_SCANNING}
    ncp.start_scan(_unused_pan(ncp, channels, fields.u("duration")))
    return {"status": Status.SUCCESS}


async def _unused_pan(ncp: Ncp, channels: tuple[int, ...], duration: int) -> None:
    found = await joining.scan(ncp.stack, channels, duration)
    used = {one.beacon.pan for one in found}
    quiet = min(channels, key=lambda channel: (ncp.stack.air.energy(channel), channel))
    draw = ncp.stack.air.random(f"{ncp.stack.tokens.eui64} pan {ncp.stack.nwk.counter}")
    pan = next(one for one in iter(lambda: draw.randrange(1, 0xFFF0), 0) if one not in used)
    await asyncio.sleep(0)
    ncp.callback("unusedPanIdFoundHandler", {"pan": pan, "channel": quiet})


@handles("getRandomNumber")
def draw_number(ncp: Ncp, fields: Fields) -> Reply:
    ncp.drawn += 1
    value = ncp.stack.air.random(f"{ncp.stack.tokens.eui64} number {ncp.drawn}").randrange(1 << 16)
    return {"status": Status.SUCCESS, "value": value}


@handles("getTrueRandomEntropySource")
def entropy_source(ncp: Ncp, fields: Fields) -> Reply:
    """None: this dongle draws from the seed of its air."""
    return {"source": PSEUDO_RANDOM}


@handles("getPhyInterfaceCount")
def phy_count(ncp: Ncp, fields: Fields) -> Reply:
    return {"count": 2 if ncp.personality.has("multi_phy") else 1}


@handles("setMacPollFailureWaitTime")
def poll_failure_wait(ncp: Ncp, fields: Fields) -> Reply:
    """Polls are the host's or the stack's own; neither waits after a failure."""
    return {}


@handles("setRadioIeee802154CcaMode")
def cca_mode(ncp: Ncp, fields: Fields) -> Reply:
    """By energy is the one mode there is."""
    return {"status": Status.SUCCESS if fields.u("mode") == 0 else Status.BAD_ARGUMENT}


@handles("getLibraryStatus")
def library(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": PRESENT if fields.u("library") in LIBRARIES else ABSENT}


@handles(
    "getXncpInfo",
    "launchStandaloneBootloader",
)
def not_linked(ncp: Ncp, fields: Fields) -> Reply:
    """A boot loader and host extensions are not in this firmware."""
    return {"status": Status.LIBRARY_NOT_PRESENT}


@handles("getStandaloneBootloaderVersionPlatMicroPhy")
def bootloader(ncp: Ncp, fields: Fields) -> Reply:
    return {"version": NO_BOOTLOADER}


@handles("getToken")
def get_token(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": Status.SUCCESS, "value": ncp.stack.tokens.data.get(f"token:{fields.u('token')}", b"\xff" * 8)}


@handles("setToken")
def set_token(ncp: Ncp, fields: Fields) -> Reply:
    ncp.stack.tokens.data[f"token:{fields.u('token')}"] = fields.octets("value")[:8].ljust(8, b"\xff")
    ncp.stack.tokens.save()
    return {"status": Status.SUCCESS}
