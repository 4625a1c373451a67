"""A pyserial URL in, octets out: ``/dev/ttyUSB0``, ``loop://``, ``socket://host:port``, ``rfc2217://``, ``spy://``.

The only module of the project that imports ``serial``.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading

import serial

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError, NotAvailable, in_words
from ichis.uart import LineProfile

_BEAT_S = 0.05
MOST_UNREAD = 1 << 20
"""Octets that are kept of a line that nobody reads; what comes beyond them is lost, as in a UART (own limit)."""
_PARITY = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class SerialPort:
    """A serial line with a reader thread. Implements :class:`ichis.jig.DataLink`.

    Patience is counted in reads of 50 ms that found the line empty, each seen by the event loop before the next counts: a rig whose
    processor was busy looks at the line as often as one that was idle, and so does not miss what came meanwhile.
    """

    def __init__(self, url: str, clock: Clock, *, line: LineProfile, inverts: bool) -> None:
        """Open the line; must be called on the event loop. ``inverts``: the cable turns the levels of a common UART round.

        Raises NotAvailable with what to do, JigError where ``line`` has a polarity that the cable does not give.
        """
        self.url = url
        self.inverts = inverts
        self._expect_polarity(line)
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._buffer = bytearray()
        self._trouble: str | None = None
        self._empty_reads = 0
        self._waiting = self._telling = False
        try:
            self._serial = serial.serial_for_url(
                url,
                baudrate=round(line.baud),
                bytesize=line.bits,
                parity=_PARITY[line.parity],
                stopbits=line.stop,
                timeout=_BEAT_S,
                exclusive=None,
            )
        except (serial.SerialException, ValueError) as wrong:
            raise NotAvailable(f"the serial line {url}", f"{wrong}; is it plugged in, free and readable by you?") from wrong
        self._open = True
        self._thread = threading.Thread(target=self._reader, name=f"serial {url}", daemon=True)
        self._thread.start()

    def _reader(self) -> None:
        while self._open:
            try:
                octets = self._serial.read(max(1, self._serial.in_waiting))
            except (OSError, TypeError, serial.SerialException) as wrong:
                # TypeError: pyserial's own way of saying that the port was closed under its read.
                self._trouble = in_words(wrong)
                octets = b""
                self._open = False
            if octets or not self._open or (self._waiting and not self._telling):
                self._telling = True
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                    self._loop.call_soon_threadsafe(self._take, octets)

    def _take(self, octets: bytes) -> None:
        self._telling = False
        self._buffer += octets[: MOST_UNREAD - len(self._buffer)]
        self._empty_reads = 0 if octets else self._empty_reads + 1
        self._arrived.set()

    async def write(self, octets: bytes) -> None:
        """Write and drain. Raises JigError when the line is gone."""
        try:
            with self._clock.hold("octets on the serial pair"):
                await self._loop.run_in_executor(None, self._serial.write, octets)
        except (OSError, serial.SerialException) as wrong:
            raise JigError(f"{self.url}: cannot write: {in_words(wrong)}") from wrong

    async def read(self, count: int, timeout_s: float) -> bytes:
        """Up to ``count`` octets; fewer when the line was empty for ``timeout_s``. Raises JigError when the line is gone."""
        patience = 1 + math.ceil(timeout_s / _BEAT_S)  # the first may have begun before this was asked
        self._empty_reads, self._waiting = 0, True
        with self._clock.hold("octets on the serial pair"):
            while len(self._buffer) < count and self._empty_reads < patience and self._open:
                self._arrived.clear()
                await self._arrived.wait()
        self._waiting = False
        if self._trouble is not None and not self._buffer:
            raise JigError(f"{self.url}: the line is gone: {self._trouble}")
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def set_line(self, line: LineProfile) -> None:
        """Take other settings. Raises JigError for a polarity that the cable does not give, or settings the port refuses."""
        self._expect_polarity(line)
        try:
            self._serial.baudrate, self._serial.bytesize = round(line.baud), line.bits
            self._serial.parity, self._serial.stopbits = _PARITY[line.parity], line.stop
        except (OSError, ValueError, serial.SerialException) as wrong:
            raise JigError(f"{self.url}: the port does not take {line}: {in_words(wrong)}") from wrong

    def _expect_polarity(self, line: LineProfile) -> None:
        if line.inverted is not self.inverts:
            wanted, given = ("inverted", "not") if line.inverted else ("not inverted", "inverted")
            raise JigError(
                f"{self.url}: the line is {wanted} and the cable gives it {given}: fit another cable, or say "
                f"jig.data_inverts = {str(line.inverted).lower()} if this one is the right one"
            )

    def close(self) -> None:
        """Stop the reader and close the line."""
        self._open = False
        self._thread.join(timeout=1)
        self._serial.close()
