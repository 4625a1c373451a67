from __future__ import annotations

import asyncio

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.gbcs import gbt
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.han.mailbox import MailboxClient
from firmware_emu.han.tunnel import TunnelClient, TunnelClosed, TunnelRefused, TunnelServer
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.ids import Eui64
from firmware_emu.zse.tunneling import Get, GetResponse, Put, TunnelStatus, decode_mailbox, encode_mailbox
from firmware_emu.zse.zcl import ZclStatus
from tests.han.memory_wire import HUB, METER, OTHER, Wire

TUNNEL = 0x0704


class Home:
    """The server on the meter, the client on the hub."""

    def __init__(self, wire: Wire, clock: Clock, capacity: int = 16) -> None:
        self.got: list[tuple[Eui64, bytes]] = []
        self.hub, self.meter = ZclPort(wire.port(HUB), clock), ZclPort(wire.port(METER), clock)
        self.hub.add_endpoint(SimpleDescriptor(3, 0x0508, clients=(TUNNEL,)))
        self.meter.add_endpoint(SimpleDescriptor(7, 0x0501, servers=(TUNNEL,)))
        self.listed = {HUB, OTHER}
        self.server = TunnelServer(
            self.meter,
            7,
            lambda partner: partner in self.listed,
            lambda partner, data: self.got.append((partner, data)),
            blocks=gbt,
            capacity=capacity,
        )


async def test_messages_pass_both_ways_and_are_confirmed(wire: Wire, clock: Clock) -> None:
    home = Home(wire, clock)
    back: list[bytes] = []
    client = TunnelClient(home.hub, METER, blocks=gbt, on_data=back.append)
    await client.open()
    await client.transfer(b"command" * 170)
    await home.server.transfer(HUB, b"response")
    assert home.got == [(HUB, b"command" * 170)]
    assert back == [b"response"]
    assert all(frame.secured for _, _, frame in wire.sent)


async def test_asking_again_returns_the_tunnel_there_is(wire: Wire, clock: Clock) -> None:
    home = Home(wire, clock)
    client = TunnelClient(home.hub, METER, blocks=gbt)
    assert await client.open() == await client.open()
    assert home.server.partners == (HUB,)


async def test_busy_and_full_servers_say_so(wire: Wire, clock: Clock) -> None:
    home = Home(wire, clock, capacity=1)
    client = TunnelClient(home.hub, METER, blocks=gbt)
    home.server.busy = True
    with pytest.raises(TunnelRefused) as caught:
        await client.open()
    assert caught.value.tunnel_status is TunnelStatus.BUSY
    home.server.busy = False
    await client.open()
    other = ZclPort(wire.port(OTHER), clock)
    other.add_endpoint(SimpleDescriptor(3, 0x0508, clients=(TUNNEL,)))
    with pytest.raises(TunnelRefused) as caught:
        await TunnelClient(other, METER, blocks=gbt).open()
    assert caught.value.tunnel_status is TunnelStatus.NO_MORE_TUNNEL_IDS


@pytest.mark.parametrize(
    ("request_payload", "status"),
    [("05ffff00dc05", 3), ("06341200dc05", 3), ("06ffff01dc05", 4), ("06ffff00dc05", 0)],
)
async def test_only_the_gb_protocol_without_flow_control_is_served(wire: Wire, clock: Clock, request_payload: str, status: int) -> None:
    home = Home(wire, clock)
    answer = await home.hub.request(METER, 7, TUNNEL, 0x00, bytes.fromhex(request_payload))
    assert answer.payload[2] == status
    assert answer.payload[3:] == bytes.fromhex("dc05")


async def test_a_device_that_is_not_listed_gets_no_tunnel(wire: Wire, clock: Clock) -> None:
    home = Home(wire, clock)
    home.listed.clear()
    with pytest.raises(RadioError, match="NOT_AUTHORIZED"):
        await TunnelClient(home.hub, METER, blocks=gbt).open()
    assert home.server.partners == ()


async def test_a_tunnel_the_server_has_forgotten_closes_at_the_next_transfer_and_opens_again(wire: Wire, clock: Clock) -> None:
    home = Home(wire, clock)
    client = TunnelClient(home.hub, METER, blocks=gbt)
    await client.open()
    home.server.drop(HUB)
    with pytest.raises(TunnelClosed):
        await client.transfer(b"lost")
    await client.open()
    await client.transfer(b"found")
    assert home.got == [(HUB, b"found")]


async def test_an_idle_tunnel_is_closed_after_its_timeout_and_the_client_is_told(wire: Wire, clock: Clock) -> None:
    home = Home(wire, clock)
    closed: list[float] = []
    client = TunnelClient(home.hub, METER, blocks=gbt, on_closed=lambda: closed.append(clock.now()))
    await client.open()
    await clock.sleep(60_000)
    await client.transfer(b"still used")
    used = clock.now()
    await clock.sleep(70_000)
    assert closed == [pytest.approx(used + 0xFFFF)]
    assert not client.is_open
    assert home.server.partners == ()


async def test_data_over_the_limit_go_in_blocks_both_ways_and_arrive_whole(wire: Wire, clock: Clock) -> None:
    home = Home(wire, clock)
    got: list[bytes] = []
    client = TunnelClient(home.hub, METER, blocks=gbt, on_data=got.append)
    await client.open()
    messages = [bytes(number % 251 for number in range(length)) for length in (1500, 1501, 10_348)]
    await asyncio.gather(*(client.transfer(message) for message in messages))
    assert [data for _, data in home.got] == messages
    await asyncio.gather(*(home.server.transfer(HUB, message) for message in messages))
    assert got == messages
    await client.close()
    with pytest.raises(TunnelClosed):
        await client.transfer(b"")
    assert home.server.partners == ()


async def test_the_gas_meter_empties_its_mailbox_and_puts_its_answers(wire: Wire, clock: Clock) -> None:
    hub, gsme = ZclPort(wire.port(HUB), clock), ZclPort(wire.port(METER), clock)
    hub.add_endpoint(SimpleDescriptor(3, 0x0508, servers=(TUNNEL,)))
    gsme.add_endpoint(SimpleDescriptor(7, 0x0501, clients=(TUNNEL,)))
    held = [b"first", b"second", b"third"]
    put: list[bytes] = []
    answers: list[asyncio.Future[None]] = []

    async def answer(partner: Eui64, data: bytes) -> None:
        message = held.pop(0) if held else b""
        await server.transfer(partner, encode_mailbox(GetResponse(len(held), message)))

    def received(partner: Eui64, data: bytes) -> None:
        match decode_mailbox(data):
            case Get():
                answers.append(asyncio.ensure_future(answer(partner, data)))
            case Put(message):
                put.append(message)

    server = TunnelServer(hub, 3, lambda partner: True, received, blocks=gbt)
    tunnel = TunnelClient(gsme, HUB, blocks=gbt)
    mailbox = MailboxClient(tunnel)
    await tunnel.open()
    assert await mailbox.fetch() == [b"first", b"second", b"third"]
    assert await mailbox.fetch() == []
    await mailbox.put(b"answer")
    assert put == [b"answer"]


async def test_a_transfer_that_broke_off_between_its_blocks_is_sent_again_from_the_first(wire: Wire, clock: Clock) -> None:
    home = Home(wire, clock)
    client = TunnelClient(home.hub, METER, blocks=gbt)
    await client.open()
    message = bytes(range(250)) * 20
    first, *others = gbt.segment(message, 1491)
    tunnel = (client.tunnel_id or 0).to_bytes(2, "little")
    for block, taken in ((first, True), (others[1], False), (others[0], True)):
        answer = await home.hub.request(METER, 7, TUNNEL, 0x02, tunnel + block.encode(), source_endpoint=3)
        confirmation = answer.default_response
        assert confirmation is not None
        assert (confirmation.status == ZclStatus.SUCCESS) is taken
    await client.transfer(message)
    assert [data for _, data in home.got] == [message]
    await client.transfer(b"short")
    assert home.got[-1] == (HUB, b"short")
