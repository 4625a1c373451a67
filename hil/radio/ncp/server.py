"""A virtual EZSP dongle on a pseudo-terminal or a TCP port, for unmodified hosts.

Not modelled: the speed of a serial line, XON/XOFF and hardware flow control, a USB device that disappears.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError, one_of
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.ncp.ash import FLAG, Ash, AshState, Code, Deliver, Event, Reset, Write
from hil.radio.ncp.ezsp import VERSIONS, Ncp
from hil.radio.ncp.handlers import HANDLERS
from hil.radio.personality import Personality, of_version
from hil.radio.port.dongle_server import DongleServer
from hil.radio.port.faults import BOOT_TEXT, NcpFaults
from hil.radio.stack.tokens import Tokens


class NcpServer(DongleServer):
    """A :class:`DongleServer` with EmberZNet NCP firmware."""

    ncp: Ncp
    with_ash = True

    def __init__(
        self,
        air: Air,
        eui64: Eui64,
        version: int = 13,
        tokens: Path | None = None,
        clock: Clock | None = None,
        faults: NcpFaults | None = None,
        personality: Personality | None = None,
    ) -> None:
        """``personality``: the firmware, in place of the family of ``version``.

        ``tokens``: file of what survives without power (made where it is missing); None keeps it in memory.

        Raises RadioError for a version that is not emulated or a token file that is not this dongle's.
        """
        if personality is None and version not in VERSIONS:
            raise RadioError(f"EZSP version {version} is not emulated: expected {one_of(version, VERSIONS)}")
        super().__init__(air, clock, faults)
        self.ash = Ash()
        stored = Tokens(eui64) if tokens is None else Tokens.load(tokens, eui64)
        self.ncp = Ncp(air, stored, personality or of_version(version), self._to_host, HANDLERS, self._crowd)
        self._timer: asyncio.TimerHandle | None = None
        self._hold: Callable[[], None] | None = None
        self._was_connected = False

    def power(self, on: bool) -> None:
        """As :meth:`DongleServer.power`; on again: the RSTACK of a power-on reset, to a host that was connected."""
        if on == self.on:
            return
        self.on = on
        if on:
            self._act(self.ash.power_up(announce=self._was_connected))
        else:
            self._was_connected = self.ash.state is not AshState.WAITING
            self.ash.power_up(announce=False)
            self._restart()
            self._settle()

    def reset(self, code: Code = Code.WATCHDOG) -> None:
        """The dongle resets by itself: RAM is lost, tokens stay, a host that was connected gets an RSTACK with ``code``."""
        if self.on:
            connected = self.ash.state is not AshState.WAITING
            self._restart()
            self._act(self.ash.power_up(announce=connected, code=code))

    def fail(self, code: Code = Code.ASSERT) -> None:
        """The dongle gives up the link: an ERROR frame with ``code``, and silence until the host resets it."""
        if self.on:
            self._act(self.ash.fail(code))

    # octets

    @staticmethod
    def _frame_length(octets: bytes) -> int:
        return octets.find(FLAG) + 1

    def _received(self, octets: bytes) -> None:
        self.ash.reset_code = int(self.faults.rstack) or int(Code.SOFTWARE)
        self._act(self.ash.receive(octets, self._now()))

    def _hung_up(self) -> None:
        """As :meth:`DongleServer._hung_up`; the next host begins with RST."""
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
                    self._work(self.ncp.receive, payload)
                case Reset():
                    self._restart()
                    self._wake_up()
        self._settle()

    def _wake_up(self) -> None:
        """Lay the faults of a dongle that has just started anew."""
        faults = self.faults
        if faults.garbage:
            self.say(BOOT_TEXT)
        loop = asyncio.get_running_loop()
        for seconds, ends in ((faults.resets_after_s, self.reset), (faults.fails_after_s, self.fail)):
            if seconds:
                loop.call_later(seconds, self._if_still, self._life, ends)

    def _if_still(self, life: int, ends: Callable[[], None]) -> None:
        if life == self._life:
            ends()

    def say_frame(self, frame: bytes) -> None:
        """One EZSP frame to the host as it is, in an ASH frame that is in order."""
        self._to_host(frame)

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
        deadline = self.ash.deadline
        if self._timer is not None:
            if self._timer.when() == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._line.spoiled = False
        self._act(self.ash.tick(self._now()))
