"""Common parts of virtual dongles of every family: a port for one host, a plug, and faults on the line between."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.port.faults import FaultyLine, NcpFaults
from hil.radio.port.pty_port import PtyPort
from hil.radio.stack.stack import Stack

C = TypeVar("C")
GOING_S = 0.2
"""How long a host that connects while another is served may wait for that one to go; a value of this bench."""


class Firmware(Protocol):
    """Firmware that runs on the dongle."""

    stack: Stack

    @property
    def version(self) -> int | str:
        """Version that it states."""
        ...

    def reset(self) -> None:
        """RAM is lost, tokens stay."""
        ...


class DongleServer(ABC):
    """One virtual dongle. Serve it on one port; ``power(False)`` is its plug; ``faults`` is what is wrong with it now."""

    ncp: Firmware

    def __init__(self, air: Air, clock: Clock | None, faults: NcpFaults | None) -> None:
        self.clock = clock or air.clock
        self.on = True
        self._line = FaultyLine(faults or NcpFaults(), self._frame_length)
        self._sound = self._line.sound
        self._life = 0
        self._write: Callable[[bytes], None] | None = None
        self.tap: Callable[[str, bytes], None] | None = None
        """Hears all octets of the line: who sent them (``host`` or ``dongle``), and they."""
        self._port: PtyPort | None = None
        self._tcp_host: TcpHost | None = None
        self._next_host: TcpHost | None = None
        self._server: asyncio.Server | None = None

    @property
    def eui64(self) -> Eui64:
        return self.ncp.stack.tokens.eui64

    @property
    def faults(self) -> NcpFaults:
        """Faults of the dongle; set them at any time, the draws begin again with their seed."""
        return self._line.faults

    @faults.setter
    def faults(self, faults: NcpFaults) -> None:
        self._line = FaultyLine(faults, self._frame_length)
        self._sound = self._line.sound
        self._settle()

    @property
    def host(self) -> TcpHost | None:
        """The TCP host that is served."""
        return self._tcp_host

    async def serve_pty(self) -> Path:
        """Open a raw pseudo-terminal and serve it; returns the path for the host, which may close and open it again."""
        self._port = PtyPort(self.clock, self.octets, self._hung_up)
        self._write = self._port.write
        return self._port.path

    async def serve_tcp(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port. One host at a time, the first; the line is as plain as a serial one: a connection resets nothing.

        Raises RadioError where the port is taken.
        """
        try:
            self._server = await asyncio.get_running_loop().create_server(lambda: TcpHost(self), host, port)
        except OSError as problem:
            why = problem.strerror or problem
            raise RadioError(f"cannot listen on {host}:{port} ({why}): name another port, or 0 for a free one") from None
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    @abstractmethod
    def power(self, on: bool) -> None:
        """The plug. Off: silent, RAM lost, tokens kept."""

    @abstractmethod
    def reset(self) -> None:
        """The dongle resets by itself: RAM is lost, tokens stay, a host that was connected is told in the way of its family."""

    @abstractmethod
    def say_frame(self, frame: bytes) -> None:
        """One frame of the commands' language to the host as it is, in an outer frame that is in order."""

    @staticmethod
    @abstractmethod
    def _frame_length(octets: bytes) -> int:
        """Octets of the first whole frame of the host; 0 where none is whole yet."""

    @abstractmethod
    def _received(self, octets: bytes) -> None:
        """Octets that have arrived from the host."""

    @abstractmethod
    def _hung_up(self) -> None:
        """No host is there any more: nothing is on its way to it."""

    @abstractmethod
    def _settle(self) -> None:
        """After anything that happened: timers and the clock's hold."""

    def _restart(self) -> None:
        self._life += 1
        self.ncp.reset()

    async def close(self) -> None:
        """Off, and the port gone."""
        self.power(False)
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._tcp_host is not None:
            self._tcp_host.drop()
        if self._port is not None:
            self._port.close()
            self._port = None
        self._write = None

    # octets

    def say(self, octets: bytes) -> None:
        """Octets to the host as they are, whether they are a frame or not."""
        if self._write is not None:
            self._write(octets)
            if self.tap is not None:
                self.tap("dongle", octets)

    def octets(self, octets: bytes) -> None:
        """Octets from the host."""
        if self.tap is not None:
            self.tap("host", octets)
        if self.on and self._sound:
            self._received(octets)
        elif self.on and not self.faults.silent:
            for arrived in self._line.from_host(octets):
                self._received(arrived)
            self._settle()

    def connected(self, host: TcpHost) -> None:
        """A TCP host has connected; while another is served it is turned away, unless that one is just going."""
        if self._tcp_host is None:
            self._tcp_host, self._write = host, host.write
        else:
            self._next_host = host
            asyncio.get_running_loop().call_later(GOING_S, self._turn_away, host)

    def _turn_away(self, host: TcpHost) -> None:
        if self._next_host is host:
            self._next_host = None
            host.drop()

    def disconnected(self, host: TcpHost) -> None:
        if self._tcp_host is host:
            self._tcp_host = self._write = None
            self._hung_up()
            if self._next_host is not None:
                following, self._next_host = self._next_host, None
                self._tcp_host, self._write = following, following.write
                self.octets(following.early)

    def _put(self, octets: bytes) -> None:
        """One frame to the host, or what arrives of it."""
        if self._sound:
            self.say(octets)
        elif self._write is not None and not self.faults.silent and (arrives := self._line.to_host(octets)):
            self.say(arrives)

    def _work(self, receive: Callable[[C], None], command: C) -> None:
        """One command of the host, in the time that the processor takes."""
        if self._sound:
            receive(command)
        elif self.faults.mute:
            return
        elif self.faults.late_s:
            asyncio.get_running_loop().call_later(self.faults.late_s, self._late, receive, command, self._life)
        else:
            receive(command)

    def _late(self, receive: Callable[[C], None], command: C, life: int) -> None:
        if life == self._life:
            receive(command)


class TcpHost(asyncio.Protocol):
    """One TCP connection to a dongle."""

    def __init__(self, server: DongleServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self.early = b""
        """What it said before its turn."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connected(self)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def write(self, octets: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)

    def data_received(self, data: bytes) -> None:
        if self._server.host is self:
            self._server.octets(data)
        else:
            self.early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.disconnected(self)
