"""The way to an instrument: lines out, lines in. VISA names through pyvisa-py, raw sockets and pyserial URLs (also RFC 2217) directly."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import pyvisa
import serial
from pyvisa import constants
from pyvisa.resources import MessageBasedResource, SerialInstrument

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError, NotAvailable

T = TypeVar("T")
_SOCKET = re.compile(r"(?:TCPIP\d*::|socket://)(?P<host>[^:/]+)(?:::|:)(?P<port>\d+)(?:::SOCKET)?", re.IGNORECASE)
_LONGEST = 1 << 16
_PIECE_S = 0.05


class InstrumentLine(Protocol):
    """One instrument's line. Raises JigError where it is gone."""

    resource: str

    async def send(self, line: str) -> None: ...

    async def receive(self, timeout_s: float) -> str | None:
        """The next line without its end; None when none came in time."""
        ...

    async def reopen(self) -> None:
        """Clear the session and begin another: what was on its way is dropped as far as this end can."""
        ...

    def close(self) -> None: ...


class _Wire(Protocol):
    """The blocking side of a link; every method may raise OSError or a library's own error."""

    def open(self) -> None: ...
    def send(self, octets: bytes) -> None: ...
    def receive(self) -> bytes:
        """Octets that arrive within 50 ms; empty where none do. Raises OSError at the end of the line."""
        ...

    def close(self) -> None: ...


_TROUBLE = (pyvisa.Error, serial.SerialException, OSError, ValueError)


class _SocketWire:
    """A raw socket with TCP_NODELAY: merged writes reset weak firmware (reference ichis-more-dialects, instro 156)."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._socket: socket.socket

    def open(self) -> None:
        self._socket = socket.create_connection(self._place, timeout=2.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(_PIECE_S)

    def send(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def receive(self) -> bytes:
        try:
            octets = self._socket.recv(_LONGEST)
        except TimeoutError:
            return b""
        if not octets:
            raise OSError("the instrument closed the connection")
        return octets

    def close(self) -> None:
        self._socket.close()


class _SerialWire:
    """Any pyserial URL: a device, ``rfc2217://host:port``."""

    def __init__(self, url: str, baudrate: int) -> None:
        self._url, self._baudrate = url, baudrate
        self._port: serial.Serial

    def open(self) -> None:
        self._port = serial.serial_for_url(self._url, baudrate=self._baudrate, timeout=_PIECE_S, write_timeout=2.0)
        self._port.reset_input_buffer()

    def send(self, octets: bytes) -> None:
        self._port.write(octets)

    def receive(self) -> bytes:
        octets: bytes = self._port.read(max(1, self._port.in_waiting))
        return octets

    def close(self) -> None:
        self._port.close()


class _VisaWire:
    """A VISA name through pyvisa-py: serial (also a pseudo-terminal), USB, VXI-11."""

    def __init__(self, resource: str, baudrate: int) -> None:
        self._resource, self._baudrate = resource, baudrate
        self._opened: MessageBasedResource

    def open(self) -> None:
        opened = pyvisa.ResourceManager("@py").open_resource(self._resource)
        if not isinstance(opened, MessageBasedResource):
            raise ValueError("it does not take messages: expected a serial, USB or LAN instrument")
        self._opened = opened
        opened.timeout = 50
        opened.read_termination = None
        if isinstance(opened, SerialInstrument):
            opened.baud_rate = self._baudrate
            opened.end_input = constants.SerialTermination.none
            with contextlib.suppress(pyvisa.Error):  # not every back end can throw away what waits; what does come is read and dropped
                opened.flush(constants.BufferOperation.discard_receive_buffer)

    def send(self, octets: bytes) -> None:
        self._opened.write_raw(octets)

    def receive(self) -> bytes:
        try:
            if isinstance(self._opened, SerialInstrument):
                return bytes(self._opened.read_bytes(max(1, self._opened.bytes_in_buffer)))
            return bytes(self._opened.read_raw())
        except pyvisa.VisaIOError as wrong:
            if wrong.error_code == constants.StatusCode.error_timeout:
                return b""
            raise

    def close(self) -> None:
        self._opened.close()


class InstrumentLink:
    """A link to a real instrument, or to a served one. Each exchange runs in a thread; bench time that jumps stands still meanwhile."""

    def __init__(self, resource: str, clock: Clock, *, baudrate: int = 9600) -> None:
        """Raises NotAvailable with what to do."""
        self.resource, self._clock = resource, clock
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"instrument {resource}")
        self._buffer = bytearray()
        at = _SOCKET.fullmatch(resource)
        self._wire: _Wire
        if at is not None:
            self._wire = _SocketWire(at["host"], int(at["port"]))
        elif "://" in resource or resource.startswith("/dev/"):
            self._wire = _SerialWire(resource, baudrate)
        else:
            self._wire = _VisaWire(resource, baudrate)
        try:
            self._wire.open()
        except _TROUBLE as wrong:
            self._worker.shutdown(wait=False)
            raise NotAvailable(f"the instrument {resource}", f"{wrong}; is it on, connected and named as VISA names it?") from wrong

    async def send(self, line: str) -> None:
        await self._run(lambda: self._wire.send(line.encode("ascii", "replace") + b"\n"))

    async def receive(self, timeout_s: float) -> str | None:
        return await self._run(lambda: self._line(timeout_s))

    def _line(self, timeout_s: float) -> str | None:
        until = time.monotonic() + timeout_s
        while True:
            end = self._buffer.find(b"\n")
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                return line.decode("latin-1").strip("\r\0 ")
            if len(self._buffer) > _LONGEST:
                raise OSError(f"{len(self._buffer)} octets without an end of line")
            octets = self._wire.receive()
            self._buffer += octets
            if not octets and time.monotonic() >= until:  # looked at once more: the answer may have come while this machine was busy
                return None

    async def reopen(self) -> None:
        await self._run(self._again)

    def _again(self) -> None:
        with contextlib.suppress(*_TROUBLE):  # it is gone already
            self._wire.close()
        self._buffer.clear()
        self._wire.open()

    async def _run(self, work: Callable[[], T]) -> T:
        with self._clock.hold(f"instrument {self.resource}"):
            try:
                return await asyncio.get_running_loop().run_in_executor(self._worker, work)
            except _TROUBLE as wrong:
                # pyserial's errors are OSErrors; pyvisa-py lets those of a pulled cable through as they are
                raise JigError(f"{self.resource}: no usable answer ({wrong}): is it on, and is its cable in?") from wrong

    def close(self) -> None:
        """Let go of the instrument."""
        self._worker.shutdown(wait=True)
        with contextlib.suppress(*_TROUBLE):  # it is gone already: there is nothing left to let go of
            self._wire.close()
