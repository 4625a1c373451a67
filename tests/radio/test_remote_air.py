"""Radios of one process on the air of another: what each end says, message by message (``protocol.md`` of the open air)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from firmware_emu.ids import Eui64
from hil.radio.air.air import ALL_CHANNELS, Air, Link
from hil.radio.air.frames import Address, MacKind, MacPdu
from hil.radio.open_air.messages import Messages, fcs, message
from hil.radio.open_air.remote_air import RemoteAir, visit
from hil.radio.open_air.server import OpenAir
from tests.patience import PATIENCE_S
from tests.radio.radio_bench import DISPLAY, HUB, METER

NEVER = b"\xff" * 8


class Radio:
    """A radio that hears what is for its address, and keeps it."""

    def __init__(self, eui64: Eui64 = METER, short: int = 0x1234, channel: int | None = 15) -> None:
        self.eui64, self.short, self.channel, self.listening = eui64, short, channel, True
        self.heard: list[tuple[bytes, Link]] = []
        self.pending = False

    def hears(self, pan: int | None, destination: Address | None) -> bool:
        return destination in (self.short, 0xFFFF)

    def pending_for(self, source: Address | None) -> bool:
        return self.pending

    def receive(self, frame: MacPdu, link: Link) -> None:
        self.heard.append((frame.payload, link))


class Peer:
    """The far end of one connection, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._messages, self._read = Messages(), list[tuple[bytes, bytes]]()

    async def said(self, count: int = 1) -> list[tuple[bytes, bytes]]:
        """The next messages."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self._read) < count:
                self._read += list(self._messages.feed(await self._reader.read(4096)))
        told, self._read = self._read[:count], self._read[count:]
        return told

    def tell(self, kind: bytes, body: bytes, at_us: int = 0) -> None:
        self.writer.write(message(kind, at_us.to_bytes(8, "little") + body))

    def hear(self, frame: MacPdu, channel: int = 15, rssi: int = -60, lqi: int = 99) -> None:
        octets = frame.encode()
        self.tell(b"F", bytes([channel, rssi & 0xFF, lqi]) + octets + fcs(octets))


@contextlib.asynccontextmanager
async def far_end() -> AsyncIterator[tuple[asyncio.Queue[Peer], int]]:
    """Connections as they come, and the port."""
    peers: asyncio.Queue[Peer] = asyncio.Queue()
    server = await asyncio.start_server(lambda reader, writer: peers.put_nowait(Peer(reader, writer)), "127.0.0.1", 0)
    try:
        yield peers, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        while not peers.empty():
            peers.get_nowait().writer.close()


def data(destination: int, payload: bytes = b"x", *, kind: MacKind = MacKind.DATA, ack: bool = True, sequence: int = 9) -> MacPdu:
    return MacPdu(kind, sequence, 0x1A62, destination, None, 5, ack, False, payload)


async def test_a_radio_joins_listens_and_goes_off_on_one_connection() -> None:
    async with far_end() as (peers, port):
        radio, lost = Radio(), list[bool]()
        air = RemoteAir(Clock(), "127.0.0.1", port)
        air.on_lost = lambda: lost.append(True)
        off = air.attach(radio)
        peer = await peers.get()
        assert await peer.said(2) == [(b"J", b"\x01" + METER.zigbee), (b"R", b"\xff")]
        off()
        air.attach(radio)
        assert await peer.said(2) == [(b"R", b"\x00"), (b"R", b"\xff")]
        peer.writer.close()
        async with asyncio.timeout(PATIENCE_S):
            while not lost:  # noqa: ASYNC110
                await asyncio.sleep(0)
        off()
        air.inject(radio, data(1).encode())
        assert lost == [True]


async def test_frames_go_out_one_after_the_other_and_end_by_acknowledgement_and_word() -> None:
    async with far_end() as (peers, port):
        radio, ended = Radio(), list[tuple[int, bool, bool]]()
        air = RemoteAir(Clock(), "127.0.0.1", port)
        captured: list[tuple[int, bytes]] = []
        air.capture(lambda one: captured.append((one.channel, one.octets)))
        off = air.attach(radio)
        peer = await peers.get()
        await peer.said(2)
        frames = [data(1, sequence=number).encode() for number in range(5)]

        def end(number: int) -> Callable[[bool, bool], None]:
            return lambda acked, pending: ended.append((number, acked, pending))

        for number, octets in enumerate(frames):
            air.inject(radio, octets, end(number), 20 if number == 4 else None)
        assert captured == [(20 if number == 4 else 15, octets) for number, octets in enumerate(frames)]
        wire = [(b"T", bytes([20 if number == 4 else 15]) + octets + fcs(octets)) for number, octets in enumerate(frames)]
        assert await peer.said() == wire[:1]
        # 9: an acknowledgement of another frame; 1: one with the frame pending bit
        for number, (ack, status) in enumerate(((9, 0), (0, 0), (1, 0), (0, 1), (None, 0))):
            if ack is not None:
                peer.hear(MacPdu(MacKind.ACK, 77 if ack == 9 else number, pending=ack == 1))
                assert await peer.said() == [(b"D", NEVER)]
            peer.tell(b"S", bytes([status]))
            following = wire[number + 1 : number + 2]
            assert await peer.said(len(following) + 1) == [*following, (b"D", NEVER)]
        assert ended == [(0, False, False), (1, True, False), (2, True, True), (3, False, False), (4, False, False)]
        peer.tell(b"S", b"\x00")
        assert await peer.said() == [(b"D", NEVER)], "nothing was on the air"
        assert len(ended) == 5
        off()


async def test_a_radio_acknowledges_by_itself_what_is_for_it_on_its_channel() -> None:
    async with far_end() as (peers, port):
        radio = Radio()
        air = RemoteAir(Clock(), "127.0.0.1", port)
        off = air.attach(radio)
        peer = await peers.get()
        await peer.said(2)

        async def heard(frame: MacPdu, channel: int = 15, rssi: int = -60) -> tuple[list[bytes], list[MacPdu]]:
            """Payloads that the radio has heard, and the acknowledgements that it has sent on channel 15."""
            radio.heard.clear()
            peer.hear(frame, channel, rssi)
            acks = []
            while (told := (await peer.said())[0])[0] == b"T":
                assert told[1][0] == 15
                assert told[1][-2:] == fcs(told[1][1:-2])
                acks.append(MacPdu.decode(told[1][1:-2]))
            assert told == (b"D", NEVER)
            return [payload for payload, _ in radio.heard], acks

        assert await heard(data(0x1234, b"a", sequence=7)) == ([b"a"], [MacPdu(MacKind.ACK, 7)])
        assert radio.heard[0][1] == Link(rssi=-60, lqi=99)
        assert await heard(data(0x1234, b"b", ack=False)) == ([b"b"], [])
        assert await heard(data(0xFFFF, b"c")) == ([b"c"], []), "a broadcast is never acknowledged"
        assert await heard(data(0x4321)) == ([], [])
        assert await heard(data(0x1234), channel=20) == ([], [])
        radio.listening = False
        assert await heard(data(0x1234)) == ([], [])
        radio.listening, radio.pending = True, True
        assert await heard(data(0x1234)) == ([b"x"], [MacPdu(MacKind.ACK, 9)]), "data are no poll"
        assert await heard(data(0x1234, b"\x04", kind=MacKind.COMMAND)) == ([b"\x04"], [MacPdu(MacKind.ACK, 9, pending=True)])
        radio.pending = False
        assert await heard(data(0x1234, b"\x04", kind=MacKind.COMMAND)) == ([b"\x04"], [MacPdu(MacKind.ACK, 9)])
        assert await heard(data(0x1234, b"loud"), rssi=20) == ([b"loud"], [MacPdu(MacKind.ACK, 9)])
        assert radio.heard[0][1].rssi == 20
        peer.tell(b"F", b"\x0f\x00\x00" + b"\xff\xff\xff" + b"\x00\x00")
        assert await peer.said() == [(b"D", NEVER)], "what is no frame is passed over"
        off()


async def test_where_nobody_listens_it_is_said_how_to_start_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(NotAvailable, match=f"the open air at 127.0.0.1:{port}.*start it with --air"):
            RemoteAir(Clock(), "127.0.0.1", port).attach(Radio())
        with pytest.raises(NotAvailable, match=f"the open air at 127.0.0.1:{port}.*start it with --air"):
            visit("127.0.0.1", port)


async def test_a_visit_takes_the_time_of_the_far_end_and_leads_its_own_clock_by_it() -> None:
    async with far_end() as (peers, port):
        asking = asyncio.create_task(asyncio.to_thread(visit, "127.0.0.1", port))
        peer = await peers.get()
        assert await peer.said() == [(b"J", b"\x01" + bytes(8))]
        peer.tell(b"W", b"\x01", 12_345_678_901)
        clock, air = await asking
        assert clock.warp
        assert clock.now() == pytest.approx(12345.678901)
        assert (air.host, air.port) == ("127.0.0.1", port)
        asking = asyncio.create_task(asyncio.to_thread(visit, "127.0.0.1", port))
        peer = await peers.get()
        await peer.said()
        peer.writer.close()
        with pytest.raises(NotAvailable, match="it hung up: is it an open air, of this version"):
            await asking


# the server's end


@contextlib.asynccontextmanager
async def house() -> AsyncIterator[tuple[OpenAir, int]]:
    clock = Clock()
    one = OpenAir(Air(clock, 1), clock)
    port = await one.serve("127.0.0.1", 0)
    try:
        yield one, port
    finally:
        await one.close()


async def guest(port: int, eui64: Eui64 = METER) -> Peer:
    peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
    peer.writer.write(message(b"J", b"\x01" + eui64.zigbee))
    ((kind, body),) = await peer.said()
    assert (kind, len(body), body[8:]) == (b"W", 9, b"\x01")
    peer.writer.write(message(b"D", NEVER))
    return peer


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([(b"R", b"\x0f")], "at offset 0, message: b'R' came first, expected J"),
        ([(b"J", b"\x02" + bytes(8))], "at offset 0, J: 020000000000000000: expected once the version 1 and an EUI-64"),
        ([(b"J", b"\x01" + bytes(7))], "at offset 0, J: 0100000000000000: expected once the version 1 and an EUI-64"),
        ([(b"J", b"\x01" + bytes(8))] * 2, "at offset 0, J: 010000000000000000: expected once the version 1 and an EUI-64"),
        ([(b"J", b"\x01" + bytes(8)), (b"R", b"")], "at offset 0, R: 0 octets, expected a channel"),
        ([(b"J", b"\x01" + bytes(8)), (b"R", b"\x0f\x00")], "at offset 0, R: 2 octets, expected a channel"),
        ([(b"J", b"\x01" + bytes(8)), (b"Q", b"")], "at offset 0, message: b'Q' is no kind, expected J, R, T or D"),
        ([(b"J", b"\x01" + bytes(8)), (b"D", bytes(7))], "at offset 0, D: 00000000000000: expected a time, once for each event"),
        (
            [(b"J", b"\x01" + bytes(8)), (b"D", NEVER), (b"D", NEVER)],
            "at offset 0, D: ffffffffffffffff: expected a time, once for each event",
        ),
        (
            [(b"J", b"\x01" + bytes(8)), (b"T", b"\x0f" + b"\x01\x00" + fcs(b"\x01\x00"))],
            "at offset 0, T: 0f0100" + fcs(b"\x01\x00").hex() + ": expected a channel and a PSDU with a good FCS",
        ),
        (
            [(b"J", b"\x01" + bytes(8)), (b"T", b"\x0f" + b"\x01\x00\x09\x00\x00")],
            "at offset 0, T: 0f0100090000: expected a channel and a PSDU with a good FCS",
        ),
    ],
)
async def test_a_node_that_says_what_it_may_not_is_dropped_with_the_reason(
    messages: list[tuple[bytes, bytes]], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with house() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for kind, body in messages:
            writer.write(message(kind, body))
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionResetError):
                while await reader.read(100):
                    pass
        writer.close()
    assert [record.getMessage().partition(": ")[2] for record in caplog.records if "drops" in record.getMessage()] == [said]


@pytest.mark.parametrize("length", [5, 127])
async def test_a_frame_of_5_to_127_octets_goes_out_and_is_told_as_over(length: int) -> None:
    async with house() as (one, port):
        seen: list[tuple[int, bytes]] = []
        one.air.capture(lambda frame: seen.append((frame.channel, frame.octets)))
        peer = await guest(port)
        octets = b"\x01\x00\x09" + bytes(length - 5)
        peer.writer.write(message(b"T", b"\x14" + octets + fcs(octets)))
        ((kind, body),) = await peer.said()
        assert (kind, body[8:]) == (b"S", b"\x00")
        assert seen == [(20, octets)]
        long = b"\x01\x00\x09" + bytes(123)
        peer.writer.write(message(b"T", b"\x14" + long + fcs(long)))
        with contextlib.suppress(ConnectionResetError):
            assert await peer._reader.read() == b""
        peer.writer.close()


async def test_a_node_hears_what_is_on_its_channel_and_its_acknowledgement_is_told_to_the_sender() -> None:
    async with house() as (one, port):
        sender = Radio(HUB, 5)
        one.air.attach(sender)
        peer = await guest(port)
        (visitor,) = one.visitors
        assert (visitor.channel, visitor.listening, visitor.eui64) == (None, False, METER)
        for octet, channel, listening in ((15, 15, True), (0, None, False), (255, ALL_CHANNELS, True), (15, 15, True)):
            peer.writer.write(message(b"R", bytes([octet])))
            async with asyncio.timeout(PATIENCE_S):
                while (visitor.channel, visitor.listening) != (channel, listening):  # noqa: ASYNC110
                    await asyncio.sleep(0)
        ended: asyncio.Queue[tuple[bool, bool]] = asyncio.Queue()
        for sequence, pending, acked in ((7, False, True), (8, True, True), (9, False, False)):
            frame = data(0x1234, sequence=sequence)
            one.air.set_link(HUB, METER, Link(rssi=-71, lqi=123))
            one.air.transmit(sender, frame, lambda acked, pending: ended.put_nowait((acked, pending)))
            ((kind, body),) = await peer.said()
            assert (kind, body[8:11]) == (b"F", bytes([15, 256 - 71, 123]))
            assert body[11:] == frame.encode() + fcs(frame.encode())
            if acked:
                ack = MacPdu(MacKind.ACK, sequence, pending=pending).encode()
                peer.writer.write(message(b"T", b"\x0f" + ack + fcs(ack)))
            peer.writer.write(message(b"D", NEVER))
            async with asyncio.timeout(PATIENCE_S):
                assert await ended.get() == (acked, pending)
        peer.writer.close()


async def test_a_node_is_told_the_acknowledgement_of_its_frame_before_its_end() -> None:
    async with house() as (one, port):
        hearer = Radio(DISPLAY, 0x4321)
        one.air.attach(hearer)
        peer = await guest(port)
        peer.writer.write(message(b"R", b"\x0f"))
        octets = data(0x4321, b"hello", sequence=7).encode()
        peer.writer.write(message(b"T", b"\x0f" + octets + fcs(octets)))
        (first, ack), (second, over) = await peer.said(2)
        assert (first, second, over[8:]) == (b"F", b"S", b"\x00")
        assert MacPdu.decode(ack[11:-2]) == MacPdu(MacKind.ACK, 7)
        assert [payload for payload, _ in hearer.heard] == [b"hello"]
        peer.writer.write(message(b"T", b"\x0f" + octets + fcs(octets)) * 2)
        with contextlib.suppress(ConnectionResetError):
            while await peer._reader.read(100):
                pass
        assert not one.visitors, "a second frame before the end of the first"
        peer.writer.close()


async def test_a_node_is_woken_when_it_asked_to_be() -> None:
    async with house() as (_one, port):
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
        peer.writer.write(message(b"J", b"\x01" + METER.zigbee))
        ((_, body),) = await peer.said()
        due = int.from_bytes(body[:8], "little") + 1000
        peer.writer.write(message(b"D", due.to_bytes(8, "little")))
        ((kind, body),) = await peer.said()
        assert (kind, len(body)) == (b"A", 8)
        assert int.from_bytes(body, "little") >= due
        peer.writer.write(message(b"D", due.to_bytes(8, "little")))
        with contextlib.suppress(ConnectionResetError):
            assert await peer._reader.read() == b""
        peer.writer.close()


async def test_who_waits_for_a_node_goes_on_when_it_has_joined() -> None:
    async with house() as (one, port):
        waiting: asyncio.Task[Any] = asyncio.create_task(one.visited(METER))
        other = await guest(port, DISPLAY)
        assert not waiting.done()
        peer = await guest(port)
        async with asyncio.timeout(PATIENCE_S):
            await waiting
            await one.visited(DISPLAY)
        for each in (other, peer):
            each.writer.close()
