"""Common parts of virtual dongles of every family: a port for one host, a plug, faults on the line between, fields of a request.

A raw pseudo-terminal for a virtual dongle, which knows of octets that the kernel has not handed over yet.

A host in the same process writes to the slave side; a kernel worker moves the octets to our side a moment later. A warp clock
that jumped in that moment would let the host's timers run out, so each write is noticed (inotify, in the same system call) and
the clock held until the octets are here. A host that closes the port is noticed in the same way: it will acknowledge nothing more.
A host on a thread of its own is not watched so closely: run it without one on a warp clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import logging
import os
import select
import struct
import sys
import termios
import time
import tty
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

from firmware_emu.clock import RADIO_HOLD, Clock
from firmware_emu.errors import RadioError
from firmware_emu.ids import Eui64
from firmware_emu.ownership import ServedPort
from hil.radio.air.air import Air
from hil.radio.port.faults import Crowd, FaultyLine, NcpFaults
from hil.radio.stack.stack import Stack

LOGGER = logging.getLogger(__name__)
_CHUNK = 4096
_IN_MODIFY = 0x00000002
_IN_CLOSE_WRITE = 0x00000008
_EVENT = struct.Struct("iIII")
_IN_NONBLOCK = os.O_NONBLOCK
_MOVES_S = 0.5
"""Real seconds after which the kernel is taken to have something else to do; the clock's hold then keeps the time."""
_REST_S = 0.0002
"""A rest in which the kernel's worker runs even where this process has more of the processor than it."""
MOST_UNREAD = 1 << 20
"""Octets that wait for a host that does not read, as many as minutes of a busy serial line. Beyond them they are lost on a serial port, and
a TCP host is dropped. Own limit."""
_ROOM = 4095
"""Octets that a terminal holds for its reader (Linux, N_TTY_BUF_SIZE less one); more stay where they are until some are read."""


class PtyPort:
    """One pseudo-terminal pair; the host opens :attr:`path`, any number of times."""

    def __init__(self, clock: Clock, receive: Callable[[bytes], None], hung_up: Callable[[], None]) -> None:
        """``hung_up`` is called when the host closes the port (on a warp clock only: elsewhere nothing waits for it)."""
        self._clock = clock
        self._receive = receive
        self._hung_up = hung_up
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = Path(os.ttyname(self._slave))
        self._unsent = bytearray()
        self._blocked = False
        self._hold: Callable[[], None] | None = None
        self._watch = _watch(self.path) if clock.warp else -1
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, self._look)
        if self._watch >= 0:
            loop.add_reader(self._watch, self._look)

    def write(self, octets: bytes) -> None:
        """Octets for the host. Those of a host that does not read are lost from a limit on, a whole frame at a time."""
        if len(self._unsent) > MOST_UNREAD:
            return
        self._unsent += octets
        self._flush()

    def _flush(self) -> None:
        before = _held(self._slave) if self._clock.warp else 0
        try:
            sent = os.write(self._master, self._unsent)
        except BlockingIOError:
            sent = 0
        if sent and self._clock.warp and not _until_held(self._slave, min(before + sent, _ROOM)):
            self._clock.stir()
        del self._unsent[:sent]
        if self._unsent and not self._blocked:
            asyncio.get_running_loop().add_writer(self._master, self._flush)
        elif self._blocked and not self._unsent:
            asyncio.get_running_loop().remove_writer(self._master)
        self._blocked = bool(self._unsent)

    def _look(self) -> None:
        """The host has written or closed, or its octets have come. What was written before now is told by the watch before now."""
        seen = self._events() if self._watch >= 0 else 0
        octets = b""
        with contextlib.suppress(BlockingIOError):
            octets = os.read(self._master, _CHUNK)
        if not octets and seen & _IN_MODIFY:
            _until_held(self._master, 1)
            with contextlib.suppress(BlockingIOError):
                octets = os.read(self._master, _CHUNK)
        if octets:
            self._release()
            self._receive(octets)
        elif seen & _IN_MODIFY and self._hold is None:
            self._hold = self._clock.take("octets of the host on the dongle's port")
        if seen & _IN_CLOSE_WRITE:
            self._release()
            self._hung_up()

    def _events(self) -> int:
        """Events on the slave side since the last look, as a mask."""
        seen = 0
        with contextlib.suppress(BlockingIOError):
            for _, mask, _, _ in _EVENT.iter_unpack(os.read(self._watch, _EVENT.size * 64)):
                seen |= mask
        return seen

    def _release(self) -> None:
        if self._hold is not None:
            self._hold()
            self._hold = None

    def close(self) -> None:
        """The pair goes away; a host that has it open sees it hang up."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        if self._watch >= 0:
            loop.remove_reader(self._watch)
            os.close(self._watch)
        self._release()
        os.close(self._master)
        os.close(self._slave)


def _held(descriptor: int) -> int:
    """Number of octets that can be read from a terminal now."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


def _until_held(descriptor: int, wanted: int) -> bool:
    """Give the kernel the moment it needs: what runs next on the loop must not hang on how soon it moves octets, or two runs differ.

    True once ``wanted`` octets can be read. Asking whether a terminal with nothing to read can be read makes the kernel finish what it is
    moving.
    """
    asked = select.poll()
    asked.register(descriptor, select.POLLIN)
    asked.poll(0)
    give_up = time.monotonic() + _MOVES_S
    while not (there := _held(descriptor) >= wanted) and time.monotonic() < give_up:
        select.select([], [], [], _REST_S)
    return there


def _watch(path: Path) -> int:
    """A descriptor that becomes readable when ``path`` is written to; -1 where the system has no inotify."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        descriptor: int = libc.inotify_init1(_IN_NONBLOCK)
    except AttributeError:
        return -1
    if descriptor >= 0 and libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_MODIFY | _IN_CLOSE_WRITE) < 0:
        os.close(descriptor)
        descriptor = -1
    if descriptor < 0:
        LOGGER.warning(
            "writes to %s cannot be watched (%s): a warp clock may run ahead of octets on a busy machine",
            path,
            os.strerror(ctypes.get_errno()),
        )
    return descriptor


C = TypeVar("C")
GOING_S = 0.2
"""Time that a host which connects while another is served may wait for that one to go; a value of this bench."""


class DongleFirmware(Protocol):
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

    ncp: DongleFirmware
    with_ash: ClassVar[bool] = False
    """True if its line is ASH, which has faults of its own."""

    def __init__(self, air: Air, clock: Clock | None, faults: NcpFaults | None) -> None:
        """Raises RadioError for a fault that such a dongle cannot have."""
        self.clock = clock or air.clock
        self.on = True
        self._line = self._faulty(faults or NcpFaults())
        self._crowd = Crowd(self._line.faults)
        self._sound = self._line.sound
        self._life = 0
        self._write: Callable[[bytes], None] | None = None
        self.tap: Callable[[str, bytes], None] | None = None
        """Hears all octets of the line: who sent them (``host`` or ``dongle``), and they."""
        self._port: PtyPort | None = None
        self._tcp_host: TcpHost | None = None
        self._next_host: TcpHost | None = None
        self._server: asyncio.Server | None = None
        self._served: ServedPort | None = None

    @property
    def eui64(self) -> Eui64:
        return self.ncp.stack.tokens.eui64

    @property
    def faults(self) -> NcpFaults:
        """Faults of the dongle; set them at any time, the draws begin again with their seed."""
        return self._line.faults

    @faults.setter
    def faults(self, faults: NcpFaults) -> None:
        self._line = self._faulty(faults)
        self._crowd.lay(faults)
        self._sound = self._line.sound
        self._settle()

    def _faulty(self, faults: NcpFaults) -> FaultyLine:
        if faults.of_ash and not self.with_ash:
            raise RadioError(f"fault {', '.join(faults.of_ash)} of a dongle without ASH: expected a dongle of the family ezsp")
        return FaultyLine(faults, self._frame_length)

    @property
    def host(self) -> TcpHost | None:
        """The TCP host that is served."""
        return self._tcp_host

    async def serve_pty(self) -> Path:
        """Open a raw pseudo-terminal and serve it; returns the path for the host, which may close and open it again.

        The pseudo-terminal that was served before goes away."""
        if self._port is not None:
            self._port.close()
        self._port = PtyPort(self.clock, self.octets, self._hung_up)
        self._write = self._port.write
        return self._port.path

    async def serve_tcp(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port. One host at a time, the first; the line is as plain as a serial one: a connection resets nothing.

        Raises NotAvailable where the port is taken.
        """
        self._served = ServedPort(host, port, "the dongle's port")
        self._server = await asyncio.get_running_loop().create_server(lambda: TcpHost(self), sock=self._served.socket)
        return self._served.port

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
        if self._served is not None:
            self._served.close()
            self._served = None
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
            if self._next_host is not None:  # one waits; the latest may be the one whose host has just begun anew
                self._next_host.drop()
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
            thought = self.clock.excuse(RADIO_HOLD)
            asyncio.get_running_loop().call_later(self.faults.late_s, self._late, receive, command, self._life, thought)
        else:
            receive(command)

    def _late(self, receive: Callable[[C], None], command: C, life: int, thought: Callable[[], None]) -> None:
        thought()
        if life == self._life:
            receive(command)


MOST_EARLY = 4096
"""Octets that a host may say before its turn: a reset and some frames of it. One that says more is dropped. Own limit."""


class TcpHost(asyncio.Protocol):
    """One TCP connection to a dongle."""

    def __init__(self, server: DongleServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self.early = b""
        """Octets that it said before its turn."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connected(self)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def write(self, octets: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            self.drop()
            return
        self._transport.write(octets)

    def data_received(self, data: bytes) -> None:
        if self._server.host is self:
            self._server.octets(data)
        elif len(self.early) + len(data) > MOST_EARLY:
            self.drop()
        else:
            self.early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.disconnected(self)


class Fields:
    """A reader that a handler asks for a field by name; the table of commands says of what type it is."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def u(self, name: str) -> int:
        """A number."""
        value = self._values[name]
        assert isinstance(value, int), f"{name} is not a number in its table"
        return value

    def octets(self, name: str) -> bytes:
        """Octets."""
        value = self._values[name]
        assert isinstance(value, bytes), f"{name} is not octets in its table"
        return value

    def eui(self, name: str) -> Eui64:
        """An EUI-64."""
        value = self._values[name]
        assert isinstance(value, Eui64), f"{name} is not an EUI-64 in its table"
        return value

    def numbers(self, name: str) -> tuple[int, ...]:
        """A list of numbers."""
        value = self._values[name]
        assert isinstance(value, tuple), f"{name} is not numbers in its table"
        return value
