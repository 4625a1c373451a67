"""The connector's lines on the modem lines of a USB serial cable, through open-drain buffers; any pyserial URL.

DTR and RTS are outputs, CTS, DSR, RI and CD inputs. An open-drain buffer can pull a line low or let it go, so releasing a line is
driving it to the level that its pull-up gives.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import serial

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError, NotAvailable, in_words, one_of
from ichis.connector import Level, signal

_OUTPUTS, _INPUTS = ("dtr", "rts"), ("cts", "dsr", "ri", "cd")


@dataclass(frozen=True, slots=True)
class Wiring:
    """Which modem line carries which line of the connector. ``asserted``: the level on the connector when the modem line is set."""

    modem: str
    asserted: Level


HOST_END: Mapping[str, Wiring] = {
    "MT_PR": Wiring("dtr", Level.LOW),
    "AC LO": Wiring("rts", Level.HIGH),
    "CH_PR": Wiring("cts", Level.LOW),
}
"""The rig as meter or hot shoe, testing a hub."""

HUB_END: Mapping[str, Wiring] = {
    "CH_PR": Wiring("dtr", Level.LOW),
    "MT_PR": Wiring("cts", Level.LOW),
    "AC LO": Wiring("dsr", Level.HIGH),
}
"""The rig as hub, testing a meter's port."""

_WATCH_S = 0.002
_FOLLOWS_S = 1.0
"""A watch that begins so soon after another one of the same line goes on with it."""
_MINUTE_S = 60.0


class ModemLines:
    """Implements :class:`ichis.jig.Lines` for either end: what one drives the other reads."""

    def __init__(self, url: str, port: serial.SerialBase, clock: Clock, wiring: Mapping[str, Wiring] = HOST_END) -> None:
        """Made by :meth:`open`. Raises JigError for a wiring that a modem line cannot carry."""
        self.url, self._port, self._clock, self._wiring = url, port, clock, dict(wiring)
        self._last: dict[str, tuple[float, Level]] = {}
        """Of each line that is watched: when its last reading was asked for, and what it was."""
        self._apart: deque[tuple[float, float]] = deque()
        """Readings that lay further apart than they should: when, and by how much."""
        for symbol, wire in wiring.items():
            signal(symbol)
            if wire.modem not in (*_OUTPUTS, *_INPUTS):
                raise JigError(f"{symbol}: {wire.modem!r} is no modem line: expected {one_of(wire.modem, (*_OUTPUTS, *_INPUTS))}")

    @classmethod
    async def open(cls, url: str, clock: Clock, wiring: Mapping[str, Wiring] = HOST_END) -> ModemLines:
        """Raises NotAvailable where the cable is not there, JigError as the constructor."""
        with clock.hold(f"opening {url}"):
            try:
                port = await asyncio.get_running_loop().run_in_executor(None, lambda: serial.serial_for_url(url, timeout=0))
            except (serial.SerialException, ValueError, OSError) as wrong:
                raise NotAvailable(f"the modem lines of {url}", f"{in_words(wrong)}; is the cable in and readable by you?") from wrong
        return cls(url, port, clock, wiring)

    def _wire(self, symbol: str) -> Wiring:
        try:
            return self._wiring[signal(symbol).symbol]
        except KeyError:
            raise JigError(f"{symbol} is not wired to a modem line of {self.url}") from None

    async def drive(self, symbol: str, active: bool) -> None:
        """Raises JigError for a line that this end reads, or a cable that is gone."""
        await self._put(symbol, signal(symbol).level(active))

    async def release(self, symbol: str) -> None:
        """Let the line's pull-up have it."""
        await self._put(symbol, signal(symbol).reads_open)

    async def _put(self, symbol: str, level: Level) -> None:
        wire = self._wire(symbol)
        if wire.modem not in _OUTPUTS:
            raise JigError(f"{symbol} is read by this end on {wire.modem.upper()}, not driven")
        await self._run(symbol, lambda: setattr(self._port, wire.modem, level is wire.asserted))

    async def read(self, symbol: str) -> Level:
        """The level on the connector. Raises JigError when the cable is gone."""
        wire = self._wire(symbol)
        is_set = await self._run(symbol, lambda: getattr(self._port, wire.modem))
        other = Level.HIGH if wire.asserted is Level.LOW else Level.LOW
        return wire.asserted if is_set else other

    @property
    def resolution_s(self) -> float:
        """Half of the time between two readings, as wide as it was in the last minute: a busy machine reads less often. A network port
        shows what its server has told: how late that was, nobody here knows."""
        return max((apart for when, apart in self._apart if when > self._clock.now() - _MINUTE_S), default=_WATCH_S) / 2

    async def watch(self, symbol: str, seconds: float) -> list[tuple[float, Level]]:
        """By reading every 2 ms: shorter pulses are not seen. A change lies in the middle between two readings."""
        until, seen = self._clock.now() + seconds, list[tuple[float, Level]]()
        while not seen or self._clock.now() < until:
            asked = self._clock.now()
            level = await self.read(symbol)
            now = self._clock.now()
            before, last = self._last.get(symbol, (now, level))
            followed = bool(seen) or now - before < _FOLLOWS_S
            if followed and now - before > _WATCH_S:
                self._note(now, now - before)
            if not seen or level is not seen[-1][1]:
                seen.append(((before + now) / 2 if followed and level is not last else now, level))
            self._last[symbol] = asked, level
            await self._clock.sleep(_WATCH_S)
        return seen

    def _note(self, now: float, apart: float) -> None:
        """Keep those that a later, wider one does not make needless."""
        while self._apart and self._apart[-1][1] <= apart:
            self._apart.pop()
        while self._apart and self._apart[0][0] < now - _MINUTE_S:
            self._apart.popleft()
        self._apart.append((now, apart))

    async def _run(self, symbol: str, work: object) -> object:
        assert callable(work)
        with self._clock.hold(f"modem lines of {self.url}"):
            try:
                return await asyncio.get_running_loop().run_in_executor(None, work)
            except (serial.SerialException, OSError, ValueError) as wrong:
                raise JigError(f"{self.url}: {symbol}: the modem lines do not answer ({in_words(wrong)}): is the cable in?") from wrong

    def close(self) -> None:
        self._port.close()
