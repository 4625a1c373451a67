"""A node's way into a network: active scan, MAC association, the network key under its link key, announcement; and the rejoin."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import Beacon, NwkCommand
from hil.radio.air.phy import of_band
from hil.radio.stack.mac import Poll, resolve
from hil.radio.stack.stack_part import StackPart
from hil.radio.stack.status import Status
from hil.radio.stack.tables import link_cost
from hil.radio.stack.zdo import capability

SYMBOL_S = 16e-6
BASE_SUPERFRAME_SYMBOLS = 960
ASSOCIATION_S = 0.5
"""macResponseWaitTime, 32 base superframes (IEEE 802.15.4-2006)."""
KEY_S = 5.0
"""Waiting time of a joining node for the network key; a value of this bench, no clause."""
REJOIN_S = 3.0
POLL_S = 0.05
SCAN = 3
"""Scan duration exponent of a node that looks for a network."""


def scan_s(duration: int) -> float:
    """Seconds that a scan stays on one channel for the scan duration exponent."""
    return BASE_SUPERFRAME_SYMBOLS * ((1 << duration) + 1) * SYMBOL_S


@dataclass(frozen=True, slots=True)
class FoundNetwork:
    """A beacon and where it was heard."""

    channel: int
    beacon: Beacon
    link: Link


class JoinFailure(Exception):
    """Ends a join; never leaves the stack. ``status`` is what the host is told."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


async def scan(stack: StackPart, channels: tuple[int, ...], duration: int) -> list[FoundNetwork]:
    """Active scan; beacons in the order heard, one per PAN and source."""
    mac = stack.nwk.mac
    home, rx_on, was_on = mac.channel, mac.rx_on, mac.channel is not None
    found: dict[tuple[int, int, int], FoundNetwork] = {}
    try:
        for channel in channels:

            def heard(beacon: Beacon, link: Link, channel: int = channel) -> None:
                found.setdefault((channel, beacon.pan, beacon.source), FoundNetwork(channel, beacon, link))

            mac.on_beacon = heard
            mac.request_beacons(channel)
            await asyncio.sleep(scan_s(duration))
    finally:
        mac.on_beacon = None
        if was_on and home is not None:
            mac.start(home, rx_on=rx_on)
        else:
            mac.stop()
    return list(found.values())


async def join(stack: StackPart, node_type: int, channels: tuple[int, ...], extended_pan: Eui64 | None, pan: int | None) -> None:
    """Raises JoinFailure. On return the tokens hold the network and the stack may start on it."""
    tokens, mac = stack.tokens, stack.nwk.mac
    beacons = [
        one
        for one in await scan(stack, channels, SCAN)
        if (extended_pan is None or one.beacon.extended_pan == extended_pan)
        and (pan is None or one.beacon.pan == pan)
        and one.beacon.permit
        and (one.beacon.router_capacity if node_type == 2 else one.beacon.end_device_capacity)
    ]
    if not beacons:
        raise JoinFailure(Status.NO_BEACONS)
    best = max(beacons, key=_worth)
    rx_on = node_type in (2, 3)
    tokens.pan = mac.pan = best.beacon.pan
    tokens.short = mac.short = 0xFFFE
    mac.start(best.channel, rx_on=rx_on)
    tokens.short = await _associate(stack, best.beacon, capability(node_type))
    key, sequence, centre = await _network_key(stack, best.beacon.source, rx_on)
    tokens.node_type, tokens.channel, tokens.extended_pan = node_type, best.channel, best.beacon.extended_pan
    tokens.network_key, tokens.key_sequence, tokens.tc_eui64 = key, sequence, centre
    _under(stack, best, centre)


def _worth(found: FoundNetwork) -> tuple[int, int, int, int]:
    """The better parent has the greater worth: link cost first, then depth, then strength."""
    return -link_cost(found.link), -found.beacon.depth, found.link.lqi, found.link.rssi


def _under(stack: StackPart, parent: FoundNetwork, centre: Eui64) -> None:
    """Note the parent."""
    tokens = stack.tokens
    tokens.channel, tokens.pan, tokens.update_id = parent.channel, parent.beacon.pan, parent.beacon.update_id
    tokens.depth = parent.beacon.depth + 1
    tokens.parent_short = parent.beacon.source
    tokens.parent = centre if parent.beacon.source == 0 else None
    tokens.save()


async def _associate(stack: StackPart, beacon: Beacon, capabilities: int) -> int:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[int, int]] = loop.create_future()
    heard: asyncio.Future[bool] = loop.create_future()
    stack.association = answer
    stack.nwk.mac.request_association(beacon.pan, beacon.source, capabilities, resolve(heard))
    if not await heard:
        raise JoinFailure(Status.JOIN_FAILED)
    deadline = loop.time() + ASSOCIATION_S
    while not answer.done() and loop.time() < deadline:
        await asyncio.sleep(POLL_S)
        await poll(stack, beacon.source, long=True)
    stack.association = None
    if not answer.done():
        raise JoinFailure(Status.JOIN_FAILED)
    short, status = answer.result()
    if status:
        raise JoinFailure(Status.JOIN_FAILED)
    return short


async def _network_key(stack: StackPart, parent: int, rx_on: bool) -> tuple[bytes, int, Eui64]:
    loop = asyncio.get_running_loop()
    waiting = stack.network_key
    deadline = loop.time() + KEY_S
    while not rx_on and not waiting.done() and loop.time() < deadline:
        await poll(stack, parent)
        if not waiting.done():
            await asyncio.sleep(POLL_S)
    done, _ = await asyncio.wait({waiting}, timeout=max(0.0, deadline - loop.time()))
    if not done:
        raise JoinFailure(Status.NO_NETWORK_KEY_RECEIVED)
    return waiting.result()


async def rejoin(stack: StackPart) -> None:
    """Secured rejoin: to the stored parent, else to the best of those heard on the channel. Raises JoinFailure."""
    tokens = stack.tokens
    if await _ask_back(stack, tokens.parent_short, secured=True):
        return
    was = tokens.channel
    here = await _network(stack, (was,))
    for found in here or await _network(stack, of_band(tokens.channel)):
        stack.nwk.mac.start(found.channel, rx_on=stack.nwk.mac.rx_on)
        if (found.channel, found.beacon.source) != (was, tokens.parent_short) and await _ask_back(stack, found.beacon.source, secured=True):
            _under(stack, found, tokens.tc_eui64 or Eui64(bytes(8)))
            return
    raise JoinFailure(Status.MOVE_FAILED)


async def trust_centre_rejoin(stack: StackPart, channels: tuple[int, ...], candidates: tuple[bytes, ...]) -> None:
    """Rejoin without the network key; ``candidates``: the link key and its hash. Raises JoinFailure; on return start the stack anew."""
    tokens, mac = stack.tokens, stack.nwk.mac
    found = await _network(stack, channels)
    if not found:
        raise JoinFailure(Status.NO_BEACONS)
    rx_on = mac.rx_on
    for one in found:
        mac.pan = one.beacon.pan
        mac.start(one.channel, rx_on=rx_on)
        waiting = stack.network_key
        if not await _ask_back(stack, one.beacon.source, secured=False):
            continue
        key, sequence, centre = await _network_key(stack, one.beacon.source, rx_on)
        assert waiting.done(), "the key came through it"
        tokens.short = mac.short
        tokens.network_key, tokens.key_sequence, tokens.alternate_key = key, sequence, None
        if centre != tokens.tc_eui64:
            tokens.tc_eui64, tokens.tc_link_key = centre, candidates[-1]
            tokens.link_keys.clear()
        _under(stack, one, centre)
        stack.nwk.stop()
        stack.aps.stop()
        return
    raise JoinFailure(Status.MOVE_FAILED)


async def _network(stack: StackPart, channels: tuple[int, ...]) -> list[FoundNetwork]:
    """Networks that bear the stored extended PAN id, best first; whether they permit joining is no matter to those who come back."""
    heard = [one for one in await scan(stack, channels, SCAN) if one.beacon.extended_pan == stack.tokens.extended_pan]
    return sorted(heard, key=_worth, reverse=True)


async def _ask_back(stack: StackPart, parent: int, *, secured: bool) -> bool:
    """One Rejoin Request; whether the parent takes the node back."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[int, int]] = loop.create_future()
    stack.association = answer
    request = bytes([NwkCommand.REJOIN_REQUEST, capability(stack.tokens.node_type)])
    stack.nwk.send(parent, request, command=True, secured=secured, radius=1, source_eui=True, neighbour=parent)
    deadline = loop.time() + REJOIN_S
    while not answer.done() and loop.time() < deadline:
        await asyncio.sleep(POLL_S)
        if not stack.nwk.mac.rx_on:
            await poll(stack, parent)
    stack.association = None
    return answer.done() and not answer.result()[1]


async def poll(stack: StackPart, parent: int, *, long: bool = False) -> Poll:
    """One data request and how it ended."""
    ended: asyncio.Future[Poll] = asyncio.get_running_loop().create_future()
    stack.nwk.mac.poll(parent, resolve(ended), long=long)
    return await ended
