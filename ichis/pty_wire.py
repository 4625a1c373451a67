"""The wires of pins 7 and 8 on a pseudo-terminal: one end's UART is the terminal's settings, the other's is a model.

A pseudo-terminal carries octets whatever its settings are. This end reads the settings of the far end and passes each octet
through both UARTs (:mod:`ichis.uart`), so that a bit clock or parity that does not fit breaks octets as it does on a wire.
Polarity is not a setting of a terminal: the far end is taken to have the polarity of the profile.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from ichis.condition import Condition
from ichis.uart import LineProfile, carried

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

    def __init__(self, master: int, clock: Clock, line: LineProfile, condition: Condition, far_inverted: bool = True) -> None:
        self._master, self._clock, self._condition = master, clock, condition
        self.line = line
        self._far_inverted = far_inverted
        self._deaf = 0
        self.framing_errors = 0
        os.set_blocking(master, False)

    async def write(self, octets: bytes) -> None:
        received = carried(octets, self.line, settings_of(self._master, self._far_inverted))
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
            return self._through_uart(os.read(self._master, count))
        except TimeoutError:
            return b""
        except OSError as wrong:
            raise JigError(f"the serial pair: the far end is gone: {wrong.strerror}") from wrong
        finally:
            loop.remove_reader(self._master)

    def _through_uart(self, octets: bytes) -> bytes:
        received = carried(octets, settings_of(self._master, self._far_inverted), self.line)
        errors = received.framing_errors + received.parity_errors
        self.framing_errors += errors
        if errors:
            self._deaf = self._condition.deaf_octets_after_error
        heard = received.octets[self._deaf :]
        self._deaf = max(0, self._deaf - len(received.octets))
        return bytes(octet for octet in heard if octet not in self._condition.swallowed_octets)

    async def set_line(self, line: LineProfile) -> None:
        self.line = line

    def close(self) -> None:
        os.close(self._master)
