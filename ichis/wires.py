"""The wires of pins 7 and 8, on a pseudo-terminal or in this process, with the UARTs of both ends as models.

A pseudo-terminal carries octets whatever its settings are. The hub's end reads the settings of the far end and passes each octet
through both UARTs (:mod:`ichis.uart`), so that a bit clock or parity that does not fit breaks octets as it does on a wire.
Polarity is not a setting of a terminal: the far end is taken to have the polarity of the profile.

In this process the pair is on bench time, for proofs that run a check thousands of times: an answer that does not come costs no real time,
and a busy machine loses none.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from ichis.uart import HubUart, LineProfile, carried

_TCGETS2 = 0x802C542A
_TERMIOS2 = struct.Struct("IIIIB19sII")
_BITS = {termios.CS5: 5, termios.CS6: 6, termios.CS7: 7, termios.CS8: 8}


def settings_of(descriptor: int, inverted: bool) -> LineProfile:
    """The line settings of a Linux terminal, any baud rate."""
    _, _, control, _, _, _, _, speed = _TERMIOS2.unpack(fcntl.ioctl(descriptor, _TCGETS2, bytes(_TERMIOS2.size)))
    parity = ("odd" if control & termios.PARODD else "even") if control & termios.PARENB else "none"
    stop = 2.0 if control & termios.CSTOPB else 1.0
    return LineProfile(float(speed), _BITS[control & termios.CSIZE], parity, stop, inverted)


class PtyWire:
    """The master end, with the UART of the hub behind it. Implements :class:`ichis.jig.DataLink`."""

    def __init__(self, master: int, clock: Clock, uart: HubUart, far_inverted: bool = True) -> None:
        self._master, self._clock = master, clock
        self._uart = uart
        self._far_inverted = far_inverted
        os.set_blocking(master, False)

    async def write(self, octets: bytes) -> None:
        received = carried(octets, self._uart.line, settings_of(self._master, self._far_inverted))
        os.write(self._master, received.octets)

    async def read(self, count: int, timeout_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[None] = loop.create_future()

        def ready() -> None:
            if not arrived.done():
                arrived.set_result(None)

        loop.add_reader(self._master, ready)
        try:
            async with asyncio.timeout(timeout_s):
                await arrived
            return self._uart.heard(os.read(self._master, count), settings_of(self._master, self._far_inverted))
        except TimeoutError:
            return b""
        except OSError as wrong:
            raise JigError(f"the serial pair: the far end is gone: {wrong.strerror}") from wrong
        finally:
            loop.remove_reader(self._master)

    async def set_line(self, line: LineProfile) -> None:
        self._uart.line = line

    def close(self) -> None:
        os.close(self._master)


class _Inbox:
    """Octets that have come to one end."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._more = asyncio.Event()

    def put(self, octets: bytes) -> None:
        self._octets += octets
        self._more.set()

    async def take(self, count: int, least: int, timeout_s: float) -> bytes:
        """Up to ``count`` octets, fewer than ``least`` where none came for ``timeout_s``."""
        try:
            while len(self._octets) < least:
                self._more.clear()
                async with asyncio.timeout(timeout_s):
                    await self._more.wait()
        except TimeoutError:
            pass
        taken = bytes(self._octets[:count])
        del self._octets[:count]
        return taken


class MemoryPort:
    """The rig's end of a pair in this process. Implements :class:`ichis.jig.DataLink`.

    It does not model a serial port of the machine, its driver and its buffers; :class:`PtyWire` has those.
    """

    def __init__(self, line: LineProfile, hub: HubUart) -> None:
        """Both ends come at once: ``hub`` is the other one."""
        self.line = line
        self.inbox = _Inbox()
        self.hub = MemoryHubEnd(self, hub)

    async def write(self, octets: bytes) -> None:
        self.hub.hear(octets, self.line)

    async def read(self, count: int, timeout_s: float) -> bytes:
        return await self.inbox.take(count, count, timeout_s)

    async def set_line(self, line: LineProfile) -> None:
        self.line = line

    def close(self) -> None:
        """Nothing to let go of."""


class MemoryHubEnd:
    """The hub's end of a pair in this process. Implements :class:`ichis.jig.DataLink`."""

    def __init__(self, far: MemoryPort, uart: HubUart) -> None:
        self._far, self._uart = far, uart
        self._inbox = _Inbox()

    def hear(self, octets: bytes, sender: LineProfile) -> None:
        """Octets come over the wire."""
        self._inbox.put(self._uart.heard(octets, sender))

    async def write(self, octets: bytes) -> None:
        self._far.inbox.put(carried(octets, self._uart.line, self._far.line).octets)

    async def read(self, count: int, timeout_s: float) -> bytes:
        return await self._inbox.take(count, 1, timeout_s)

    async def set_line(self, line: LineProfile) -> None:
        self._uart.line = line

    def close(self) -> None:
        """Nothing to let go of."""
