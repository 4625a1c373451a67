"""No state of a node changes by a frame whose sender did not prove the network key."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import Address, MacKind, MacPdu, NwkCommand, NwkPdu
from hil.radio.stack.status import Status
from tests.radio.node_home import Home, frame
from tests.radio.radio_bench import METER

ELSEWHERE = 0x4242


class Outsider:
    """A radio without a key."""

    eui64 = Eui64.parse("02bad00000000002")
    listening = False

    def __init__(self, channel: int) -> None:
        self.channel: int | None = channel

    def hears(self, pan: int | None, destination: Address | None) -> bool:
        return False

    def pending_for(self, source: Address | None) -> bool:
        return False

    def receive(self, frame: MacPdu, link: Link) -> None:
        """Nothing is heard."""


def sent_by_an_outsider(home: Home, npdu: NwkPdu) -> None:
    tokens = home.hub.stack.nwk.tokens
    frame = MacPdu(MacKind.DATA, 77, tokens.pan, npdu.destination, tokens.pan, npdu.source, True, False, npdu.encode())
    home.air.transmit(Outsider(tokens.channel), frame)


def unsecured(payload: bytes, *, command: bool, short: int = ELSEWHERE) -> NwkPdu:
    return NwkPdu(0, short, 5, 9, command, secured=False, source_eui=METER, payload=payload)


@pytest.mark.parametrize("sleepy", [False, True])
@pytest.mark.parametrize(
    "npdu",
    [
        unsecured(b"\x40\x01\x04\x07\x09\x01\x01\x09", command=False),
        unsecured(bytes([NwkCommand.REJOIN_REQUEST, 0x8E]), command=True),
        unsecured(bytes([NwkCommand.REJOIN_REQUEST, 0x80]), command=True),
        unsecured(bytes([NwkCommand.LEAVE, 0]), command=True),
        unsecured(bytes([NwkCommand.ROUTE_RECORD, 0]), command=True),
        unsecured(b"", command=True),
    ],
    ids=["data", "rejoin as router", "rejoin as sleeper", "leave", "route record", "empty"],
)
async def test_a_frame_in_the_meters_name_from_another_address_blackholes_nobody(clock: Clock, sleepy: bool, npdu: NwkPdu) -> None:
    home = Home(clock)
    await home.join(sleepy=sleepy)
    nwk = home.hub.stack.nwk
    await home.meter.send(home.hub.stack.nwk.tokens.eui64, frame(b"reading"))
    before = (dict(nwk.shorts), nwk.tokens.children[METER], nwk.incoming_counter(METER))
    for _ in range(3):
        sent_by_an_outsider(home, npdu)
        await asyncio.sleep(0.5)
    assert (dict(nwk.shorts), nwk.tokens.children[METER]) == before[:2]
    assert (nwk.incoming_counter(METER) or 0) >= (before[2] or 0)
    assert await home.hub.send(METER, b"command") is Status.SUCCESS
    assert [got.payload for _, got in home.heard] == [b"command"]


async def test_no_route_is_laid_by_an_unproven_frame(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    nwk = home.hub.stack.nwk
    short = nwk.shorts[METER]
    tokens = nwk.tokens
    npdu = NwkPdu(0, short, 5, 9, False, secured=False, payload=b"\x40\x01")
    through_me = MacPdu(MacKind.DATA, 78, tokens.pan, 0, tokens.pan, ELSEWHERE, True, False, npdu.encode())
    home.air.transmit(Outsider(tokens.channel), through_me)
    await asyncio.sleep(0.5)
    assert nwk.first_hop(short) == short
    assert await home.hub.send(METER, b"command") is Status.SUCCESS
