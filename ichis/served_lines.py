"""The connector's lines as the modem lines of a served serial port (RFC 2217): a pseudo-terminal has none, a network port does.

DTR and RTS drive Host Present and AC Lost, CTS shows Device Present, as :data:`ichis.modem_lines.HOST_END` wires them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import serial.rfc2217

from firmware_emu.supervised import supervised
from ichis.connector import Level, signal
from ichis.modem_lines import HOST_END

Drive = Callable[[str, Level], Awaitable[None]]
Read = Callable[[str], Awaitable[Level]]
_POLL_S = 0.01
MOST_WANTED = 64
"""Levels that a client has asked for and the jig has not set yet; a client that asks for more is dropped. Own limit."""
MOST_UNREAD = 64 * 1024
"""Octets that a client has not read; one that leaves more is dropped. Own limit: a change of a line is a dozen."""


class _Port:
    """Serial port as pyserial's port manager expects one."""

    def __init__(self, changed: Callable[[str, bool], None]) -> None:
        self._changed = changed
        self.baudrate, self.bytesize, self.parity, self.stopbits = 115200, 8, "N", 1
        self.rtscts = self.xonxoff = self.break_condition = False
        self.cts = self.dsr = self.ri = self.cd = False
        self._outputs = {"dtr": False, "rts": False}

    def _set(self, modem: str, on: bool) -> None:
        self._outputs[modem] = on
        self._changed(modem, on)

    @property
    def dtr(self) -> bool:
        return self._outputs["dtr"]

    @dtr.setter
    def dtr(self, on: bool) -> None:
        self._set("dtr", on)

    @property
    def rts(self) -> bool:
        return self._outputs["rts"]

    @rts.setter
    def rts(self, on: bool) -> None:
        self._set("rts", on)

    def reset_input_buffer(self) -> None:
        """Nothing is buffered."""

    def reset_output_buffer(self) -> None:
        """Nothing is buffered."""


class _Connection:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def write(self, octets: bytes) -> None:
        """Take what the port manager sends."""
        if self._writer.transport.get_write_buffer_size() > MOST_UNREAD:
            self._writer.transport.abort()
            return
        self._writer.write(octets)


class ServedLines:
    """One client at a time drives and reads the lines through ``drive`` and ``read``."""

    def __init__(self, drive: Drive, read: Read) -> None:
        self._drive, self._read = drive, read
        self._wanted: asyncio.Queue[tuple[str, Level]] = asyncio.Queue(MOST_WANTED)
        self.attached = False
        """True while a client is served."""

    def _changed(self, modem: str, on: bool) -> None:
        for symbol, wire in HOST_END.items():
            if wire.modem == modem:
                other = Level.HIGH if wire.asserted is Level.LOW else Level.LOW
                self._wanted.put_nowait((symbol, wire.asserted if on else other))

    async def attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it goes. A second one is turned away."""
        if self.attached:
            writer.close()
            return
        self.attached = True
        port = _Port(self._changed)
        manager = serial.rfc2217.PortManager(port, _Connection(writer))  # type: ignore[arg-type]
        work = [supervised(self._carry(), "the lines of the jig"), supervised(self._show(port, manager), "the modem lines of the jig")]
        try:
            while octets := await reader.read(1024):
                for _ in manager.filter(octets):
                    pass  # octets for the wire: the pair has a terminal of its own
        except (ConnectionError, asyncio.QueueFull):
            pass  # the client is gone, which is how every client ends, or asks for more than a jig can do
        finally:
            self.attached = False
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            writer.close()

    async def _carry(self) -> None:
        while True:
            symbol, level = await self._wanted.get()
            await self._drive(symbol, level)

    async def _show(self, port: _Port, manager: serial.rfc2217.PortManager) -> None:
        wire = HOST_END["CH_PR"]
        while True:
            port.cts = await self._read(signal("CH_PR").symbol) is wire.asserted
            with contextlib.suppress(ConnectionError):
                manager.check_modem_lines()
            await asyncio.sleep(_POLL_S)
