"""A virtual ZNP on a pseudo-terminal or a TCP port, for unmodified hosts.

Not modelled: the speed of a serial line, flow control, the boot loader, a USB device that disappears. MT frames have no
acknowledgement: what a faulty line damages is lost, as on a real one.
"""

from __future__ import annotations

import asyncio
from functools import partial, reduce
from operator import xor
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.personality import Personality, personality
from hil.radio.port.dongle_server import DongleServer
from hil.radio.port.faults import NcpFaults
from hil.radio.stack.tokens import Tokens
from hil.radio.znp.firmware import Znp
from hil.radio.znp.handlers import HANDLERS
from hil.radio.znp.mt import SOF, MtFrame, Parser

POWER_ON, EXTERNAL, WATCHDOG = 0, 1, 2
BOOT_S = 0.05
"""From a reset to its indication; a value of this bench."""


class ZnpServer(DongleServer):
    """A :class:`DongleServer` with a coordinator build of Z-Stack 3.30."""

    ncp: Znp

    def __init__(
        self,
        air: Air,
        eui64: Eui64,
        version: int = 0,
        tokens: Path | None = None,
        clock: Clock | None = None,
        faults: NcpFaults | None = None,
        firmware: Personality | None = None,
    ) -> None:
        """``firmware``: which build it plays. ``version`` is the EZSP version of other dongles and means nothing here.

        ``tokens``: as for the EZSP dongle. Raises RadioError for a token file that is not this dongle's.
        """
        super().__init__(air, clock, faults)
        stored = Tokens(eui64) if tokens is None else Tokens.load(tokens, eui64)
        self.ncp = Znp(air, stored, self._to_host, partial(self.reset, EXTERNAL), firmware or personality("znp"), HANDLERS, self._crowd)
        self._parser = Parser()

    def power(self, on: bool) -> None:
        if on == self.on:
            return
        self.on = on
        if on:
            self._booted(POWER_ON)
        else:
            self._parser.clear()
            self._restart()

    def reset(self, reason: int = WATCHDOG) -> None:
        """The dongle resets: RAM is lost, tokens stay, the host is told with SYS_RESET_IND when it is up again."""
        if self.on:
            self._parser.clear()
            self._restart()
            asyncio.get_running_loop().call_later(BOOT_S, self._up, reason, self._life)

    def _up(self, reason: int, life: int) -> None:
        if self.on and life == self._life:
            self._booted(reason)

    def _booted(self, reason: int) -> None:
        self.ncp.tell("SYS_RESET_IND", {**self.ncp.release(), "reason": reason})

    @staticmethod
    def _frame_length(octets: bytes) -> int:
        if octets[:1] != bytes([SOF]):
            return min(1, len(octets))
        length = 5 + octets[1] if len(octets) >= 5 else 0
        return length if len(octets) >= length else 0

    def _settle(self) -> None:
        """Nothing is acknowledged, so nothing is waited for."""

    def _received(self, octets: bytes) -> None:
        for frame in self._parser.feed(octets):
            self._work(self.ncp.receive, frame)

    def _hung_up(self) -> None:
        """As :meth:`DongleServer._hung_up`; the network stays up, as on a dongle with a supply."""
        self._parser.clear()

    def say_frame(self, frame: bytes) -> None:
        """As :meth:`DongleServer.say_frame`: subsystem and type, command and data of an MT frame."""
        if self.on:
            body = bytes([len(frame) - 2 & 0xFF]) + frame
            self._put(bytes([SOF]) + body + bytes([reduce(xor, body)]))

    def _to_host(self, frame: MtFrame) -> None:
        if self.on:
            self._put(frame.encode())
