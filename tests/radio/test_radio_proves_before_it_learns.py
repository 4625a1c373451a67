"""No state of a node changes by a frame whose sender did not prove the network key."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import Address, MacCommand, MacKind, MacPdu, NwkCommand, NwkPdu
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


STRANGER = Eui64.parse("02bad00000000077")


def rejoin_of(number: int, short: int) -> NwkPdu:
    eui = Eui64(STRANGER.octets[:4] + number.to_bytes(4, "big"))
    return NwkPdu(0, short, 5, 9, True, secured=False, source_eui=eui, payload=bytes([NwkCommand.REJOIN_REQUEST, 0x80]))


async def test_strangers_that_ask_to_come_back_leave_nothing_behind(clock: Clock) -> None:
    home = Home(clock)
    await home.join(sleepy=True)
    nwk = home.hub.stack.nwk
    before = dict(nwk.addresses)
    for number in range(5):
        sent_by_an_outsider(home, rejoin_of(number, 0x5000 + number))
        await asyncio.sleep(0.1)
    assert nwk.addresses == before, "an address that is expected for ever is one less to give"
    assert list(nwk.tokens.children) == [METER]


async def test_a_stranger_that_asks_to_come_back_under_the_meters_address_takes_nothing_off_its_way(clock: Clock) -> None:
    home = Home(clock)
    await home.join(sleepy=True)
    nwk = home.hub.stack.nwk
    sending = asyncio.ensure_future(home.hub.send(METER, b"command"))
    await asyncio.sleep(0)
    nwk.children.rejoin(STRANGER, nwk.shorts[METER], 0x80, secured=False)
    assert await sending is Status.SUCCESS
    assert [got.payload for _, got in home.heard] == [b"command"]
    assert nwk.addresses[nwk.shorts[METER]] == METER


async def test_a_stranger_that_asks_to_come_back_under_the_meters_address_is_not_taken(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    nwk = home.meter.stack.nwk
    nwk.children.rejoin(STRANGER, nwk.tokens.short, 0x80, secured=False)
    assert not nwk.tokens.children


async def test_a_router_takes_no_more_strangers_than_it_has_room_for_and_forgets_them(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    nwk = home.meter.stack.nwk
    assert nwk.routes_for_others
    before = dict(nwk.addresses)
    for number in range(100):
        nwk.children.rejoin(Eui64(STRANGER.octets[:4] + number.to_bytes(4, "big")), 0x5000 + number, 0x80, secured=False)
    assert len(nwk.tokens.children) <= 32
    await asyncio.sleep(11)
    assert not nwk.tokens.children
    assert nwk.addresses == before


@pytest.mark.parametrize("sleepy", [False, True])
async def test_an_association_in_the_meters_name_while_others_may_join_takes_nothing_from_the_meter(clock: Clock, sleepy: bool) -> None:
    home = Home(clock)
    await home.join(sleepy=sleepy)
    nwk = home.hub.stack.nwk
    home.hub.stack.trust.forget_keys()
    home.hub.permit(STRANGER)
    before = (dict(nwk.shorts), nwk.tokens.children[METER], nwk.incoming_counter(METER))
    assert nwk.tokens.children[METER].authenticated
    tokens = nwk.tokens
    ask = MacPdu(MacKind.COMMAND, 78, tokens.pan, 0, 0xFFFF, METER, True, False, bytes([MacCommand.ASSOCIATION_REQUEST, 0x8E]))
    fetch = MacPdu(MacKind.COMMAND, 79, tokens.pan, 0, tokens.pan, METER, True, False, bytes([MacCommand.DATA_REQUEST]))
    for one in (ask, fetch):
        home.air.transmit(Outsider(tokens.channel), one)
        await asyncio.sleep(0.5)
    await asyncio.sleep(11)
    assert (dict(nwk.shorts), nwk.tokens.children.get(METER)) == before[:2]
    assert (nwk.incoming_counter(METER) or 0) >= (before[2] or 0)
    sending = asyncio.ensure_future(home.hub.send(METER, b"command", secured=False))
    await asyncio.sleep(0.1)
    if sleepy:
        await home.meter.poll()
    assert await sending is Status.SUCCESS


async def test_senders_without_number_do_not_fill_the_memory_of_the_mac(clock: Clock) -> None:
    home = Home(clock)
    await home.join()
    mac, tokens = home.hub.stack.nwk.mac, home.hub.stack.nwk.tokens
    for number in range(3000):
        source = Eui64(STRANGER.octets[:4] + number.to_bytes(4, "big"))
        mac._data(MacPdu(MacKind.DATA, 1, tokens.pan, 0, tokens.pan, source, True, False, b"\x00"), Link())
    assert len(mac._dup) <= 1024
