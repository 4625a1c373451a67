"""The TCP port of a served dongle: one host, one that waits for a moment, and none that costs more than its limit."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from firmware_emu.clock import Clock
from hil.radio.ncp.ash import MOST_QUEUED, Ash, frame
from hil.radio.port.dongle_server import MOST_EARLY, MOST_UNREAD, DongleServer, PtyPort, TcpHost


class Port:
    """As much of a dongle's server as a host meets."""

    host: TcpHost | None = None

    def connected(self, host: TcpHost) -> None: ...

    def disconnected(self, host: TcpHost) -> None: ...


class Wire(asyncio.Transport):
    """A connection of which the other end reads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.aborted = False

    def write(self, data: Any) -> None:
        self.waiting += len(data)

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def connected() -> tuple[TcpHost, Wire]:
    host, wire = TcpHost(cast(DongleServer, Port())), Wire()
    host.connection_made(wire)
    return host, wire


def test_a_host_that_says_too_much_before_its_turn_is_dropped() -> None:
    host, wire = connected()
    host.data_received(bytes(MOST_EARLY))
    assert not wire.aborted
    host.data_received(b"1")
    assert wire.aborted
    assert len(host.early) == MOST_EARLY


def test_a_host_that_never_reads_is_dropped_and_costs_no_more_than_its_limit() -> None:
    host, wire = connected()
    for _ in range(3 * MOST_UNREAD // 4096):
        host.write(bytes(4096))
    assert wire.aborted
    assert wire.waiting <= MOST_UNREAD + 4096


async def test_of_two_hosts_that_wait_the_latest_is_kept_and_the_other_is_dropped() -> None:
    server = cast(DongleServer, SimpleNamespace(_tcp_host=object(), _next_host=None, _turn_away=lambda host: None))
    (first, wire), (second, other) = connected(), connected()
    DongleServer.connected(server, first)
    DongleServer.connected(server, second)
    assert (wire.aborted, other.aborted) == (True, False)
    assert server._next_host is second


async def test_a_serial_port_that_nobody_reads_keeps_no_more_than_its_limit() -> None:
    port = PtyPort(Clock(), lambda octets: None, lambda: None)
    for _ in range(3 * MOST_UNREAD // 4096):
        port.write(bytes(4096))
    assert len(port._unsent) <= MOST_UNREAD + 4096
    port.close()


def test_a_host_that_is_never_ready_costs_no_more_frames_than_a_dongle_keeps() -> None:
    ash = Ash()
    ash.receive(frame(0xC0), 0.0)
    ash.receive(frame(0x88), 0.0)
    for _ in range(2 * MOST_QUEUED):
        assert ash.send(b"\0\0\0", 0.0) == []
    assert len(ash._queue) == MOST_QUEUED
    assert ash.counters["overflow"] == MOST_QUEUED
