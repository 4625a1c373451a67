"""A virtual dongle on a pseudo-terminal or a TCP port, for unmodified hosts.

Not modelled: the speed of a serial line, XON/XOFF and hardware flow control, a USB device that disappears.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.ids import Eui64
from hil.radio.air import Air
from hil.radio.ncp.ash import Ash, Code, Deliver, Event, Reset, State, Write
from hil.radio.ncp.commands import VERSIONS
from hil.radio.ncp.ezsp import Ncp
from hil.radio.ncp.faults import FaultyLine, NcpFaults
from hil.radio.ncp.pty_port import PtyPort
from hil.radio.ncp.tokens import Tokens


class NcpServer:
    """One virtual dongle. Serve it on one port; ``power(False)`` is its plug; ``faults`` is what is wrong with it now."""

    def __init__(
        self, air: Air, eui64: Eui64, version: int = 13, tokens: Path | None = None, clock: Clock | None = None,
        faults: NcpFaults | None = None,
    ) -> None:
        """``tokens``: file of what survives without power (made where it is missing); None keeps it in memory.

        Raises RadioError for a version that is not emulated or a token file that is not this dongle's.
        """
        if version not in VERSIONS:
            raise RadioError(f"EZSP version {version} is not emulated: expected one of {', '.join(map(str, VERSIONS))}")
        self.clock = clock or air.clock
        stored = Tokens(eui64) if tokens is None else Tokens.load(tokens, eui64)
        self.ash = Ash()
        self.ncp = Ncp(air, stored, version, self._to_host)
        self.on = True
        self._line = FaultyLine(faults or NcpFaults())
        self._life = 0
        self._write: Callable[[bytes], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._hold: Callable[[], None] | None = None
        self._port: PtyPort | None = None
        self._tcp_host: _TcpHost | None = None
        self._was_connected = False
        self._server: asyncio.Server | None = None

    @property
    def eui64(self) -> Eui64:
        return self.ncp.stack.tokens.eui64

    @property
    def faults(self) -> NcpFaults:
        """What is wrong with the dongle; set it at any time, the draws begin again with its seed."""
        return self._line.faults

    @faults.setter
    def faults(self, faults: NcpFaults) -> None:
        self._line = FaultyLine(faults)
        self._settle()

    @property
    def host(self) -> _TcpHost | None:
        """The TCP host that is served."""
        return self._tcp_host

    async def serve_pty(self) -> Path:
        """Open a raw pseudo-terminal and serve it; returns the path for the host, which may close and open it again."""
        self._port = PtyPort(self.clock, self.octets, self._hung_up)
        self._write = self._port.write
        return self._port.path

    async def serve_tcp(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port. One host at a time, the latest; each connection finds the dongle freshly reset.

        Raises RadioError where the port is taken.
        """
        try:
            self._server = await asyncio.get_running_loop().create_server(lambda: _TcpHost(self), host, port)
        except OSError as problem:
            why = problem.strerror or problem
            raise RadioError(f"cannot listen on {host}:{port} ({why}): name another port, or 0 for a free one") from None
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    def power(self, on: bool) -> None:
        """The plug. Off: silent, RAM lost, tokens kept. On again: the RSTACK of a power-on reset, to a host that was connected."""
        if on == self.on:
            return
        self.on = on
        if on:
            self._act(self.ash.power_up(announce=self._was_connected))
        else:
            self._was_connected = self.ash.state is not State.WAITING
            self.ash.power_up(announce=False)
            self._restart()
            self._settle()

    def reset(self, code: Code = Code.WATCHDOG) -> None:
        """The dongle resets by itself: RAM is lost, tokens stay, a host that was connected gets an RSTACK with ``code``."""
        if self.on:
            connected = self.ash.state is not State.WAITING
            self._restart()
            self._act(self.ash.power_up(announce=connected, code=code))

    def fail(self, code: Code = Code.ASSERT) -> None:
        """The dongle gives up the link: an ERROR frame with ``code``, and silence until the host resets it."""
        if self.on:
            self._act(self.ash.fail(code))

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

    def octets(self, octets: bytes) -> None:
        """Octets from the host."""
        if not self.on or self.faults.silent:
            return
        for arrived in self._line.from_host(octets):
            self._act(self.ash.receive(arrived, self._now()))
        self._settle()

    def connected(self, host: _TcpHost) -> None:
        """A TCP host has connected; an earlier one is dropped."""
        if self._tcp_host is not None:
            self._tcp_host.drop()
        self._tcp_host, self._write = host, host.write
        if self.on:
            self._act(self.ash.accept())

    def disconnected(self, host: _TcpHost) -> None:
        if self._tcp_host is host:
            self._tcp_host = self._write = None
            self._hung_up()

    def _hung_up(self) -> None:
        """No host is there any more: nothing is on its way to it, and the next one begins with RST."""
        self._line.spoiled = False
        self.ash.power_up(announce=False)
        self._settle()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _act(self, events: list[Event]) -> None:
        """Acknowledgements go out before a command is worked on, because they come first in ``events``."""
        for event in events:
            match event:
                case Write(octets):
                    self._put(octets)
                case Deliver(payload):
                    self._work(payload)
                case Reset():
                    self._restart()
        self._settle()

    def _put(self, octets: bytes) -> None:
        """One frame to the host, or what arrives of it."""
        if self._write is not None and not self.faults.silent and (arrives := self._line.to_host(octets)):
            self._write(arrives)

    def _work(self, payload: bytes) -> None:
        """One EZSP command, in the time that the processor takes."""
        if self.faults.mute:
            return
        if self.faults.late_s:
            asyncio.get_running_loop().call_later(self.faults.late_s, self._late, payload, self._life)
        else:
            self.ncp.receive(payload)

    def _late(self, payload: bytes, life: int) -> None:
        if life == self._life:
            self.ncp.receive(payload)

    def _to_host(self, frame: bytes) -> None:
        if self.on:
            self._act(self.ash.send(frame, self._now()))

    def _settle(self) -> None:
        """Hold the clock while octets are on their way to the host; time the acknowledgement.

        Of what a fault has eaten the clock must not wait: a timer of either end has to run out.
        """
        if self.ash.idle or self._line.spoiled or self.faults.silent:
            if self._hold is not None:
                self._hold()
                self._hold = None
        elif self._hold is None:
            self._hold = self.clock.take("octets on the dongle's port")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.ash.deadline
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._line.spoiled = False
        self._act(self.ash.tick(self._now()))


class _TcpHost(asyncio.Protocol):
    """One TCP connection to a dongle."""

    def __init__(self, server: NcpServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None

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

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.disconnected(self)
