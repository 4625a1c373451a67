"""Instruments that speak SCPI, through pyvisa with pyvisa-py: serial (also a pseudo-terminal), USB, LAN.

Each exchange runs in a thread; bench time stands still meanwhile. What an instrument answers is never trusted: an answer that is
not a number, an error in its queue or no answer at all is a JigError that names the resource and the question.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyvisa
from pyvisa.resources import MessageBasedResource, SerialInstrument

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError, NotAvailable
from ichis.jig import OPEN_OHM

TIMEOUT_MS = 2000
_OVERRANGE = 9.0e37
"""SCPI says 9.91E37 for not a number and 9.9E37 for infinity."""


_OBSERVE_S = 0.002
"""Pause between two readings of a course of volts. The bench's own figure."""


class ScpiInstrument:
    """One instrument. Exchanges are one at a time and in order."""

    def __init__(self, resource: str, clock: Clock, *, baudrate: int = 9600, timeout_ms: int = TIMEOUT_MS) -> None:
        """``resource`` is a VISA name: ``ASRL/dev/ttyUSB0::INSTR``, ``TCPIP::host::5025::SOCKET``, ``USB0::...::INSTR``.

        Raises NotAvailable with what to do.
        """
        self.resource = resource
        self._clock = clock
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"scpi {resource}")
        try:
            self._manager = pyvisa.ResourceManager("@py")
            opened = self._manager.open_resource(resource, read_termination="\n", write_termination="\n", timeout=timeout_ms)
        except (pyvisa.Error, OSError, ValueError) as wrong:
            raise NotAvailable(f"the instrument {resource}", f"{wrong}; is it on, connected and named as VISA names it?") from wrong
        if not isinstance(opened, MessageBasedResource):
            raise NotAvailable(f"the instrument {resource}", "it does not take messages: expected a serial, USB or LAN instrument")
        self._instrument = opened
        if isinstance(opened, SerialInstrument):
            opened.baud_rate = baudrate

    async def ask(self, question: str) -> str:
        """The answer to a query. Raises JigError."""
        return await self._run(question, lambda: str(self._instrument.query(question)).strip())

    async def tell(self, command: str) -> None:
        """A command, waited for until it is carried out. Raises JigError, also for what the instrument's error queue says."""
        answer = await self._run(command, lambda: str(self._instrument.query(f"{command};*OPC?;:SYST:ERR?")).strip())
        done, _, problem = answer.partition(";")
        if done.strip() != "1":
            raise JigError(f"{self.resource}: {command}: answered {answer[:80]!r}, expected 1 and an error number")
        if not problem.strip().lstrip("+-").startswith("0"):
            raise JigError(f"{self.resource}: {command}: the instrument refused: {problem[:80]}")

    async def number(self, question: str, low: float, high: float, *, overrange: bool = False) -> float:
        """A number between ``low`` and ``high``, or SCPI's infinity where ``overrange`` is a result. Raises JigError."""
        answer = await self.ask(question)
        try:
            value = float(answer)
        except ValueError:
            raise JigError(f"{self.resource}: {question}: answered {answer[:80]!r}, expected a number") from None
        if not math.isfinite(value) or not (low <= value <= high or (overrange and _OVERRANGE <= value <= 1e38)):
            raise JigError(f"{self.resource}: {question}: answered {value:g}, which cannot be: expected {low:g} to {high:g}")
        return value

    async def _run(self, what: str, work: object) -> str:
        assert callable(work)
        with self._clock.hold(f"SCPI {self.resource}"):
            try:
                return str(await asyncio.get_running_loop().run_in_executor(self._worker, work))
            except (pyvisa.Error, OSError, UnicodeDecodeError, ValueError) as wrong:
                # pyserial's errors are OSErrors; pyvisa-py lets those of a pulled cable through as they are
                raise JigError(f"{self.resource}: {what}: no usable answer ({wrong}): is it on, and is its cable in?") from wrong

    def close(self) -> None:
        """Let go of the instrument."""
        self._worker.shutdown(wait=True)
        try:
            self._instrument.close()
            self._manager.close()
        except (pyvisa.Error, OSError):
            pass  # it is gone already: there is nothing left to let go of


class ScpiSupply:
    """A supply. ``list_mode``: it plays voltage lists itself (exact dips); else each point is set at its bench time."""

    def __init__(self, instrument: ScpiInstrument, clock: Clock, *, list_mode: bool, peak_query: str) -> None:
        self._instrument, self._clock, self._list_mode, self._peak_query = instrument, clock, list_mode, peak_query

    async def identity(self) -> str:
        return await self._instrument.ask("*IDN?")

    async def set_voltage(self, volts: float) -> None:
        await self._instrument.tell(f":VOLT {volts:.4f}")

    async def set_current_limit(self, amperes: float) -> None:
        await self._instrument.tell(f":CURR {amperes:.4f}")

    async def output(self, on: bool) -> None:
        await self._instrument.tell(f":OUTP {'ON' if on else 'OFF'}")

    async def measure_voltage(self) -> float:
        return await self._instrument.number(":MEAS:VOLT?", -1, 1000)

    async def measure_current(self) -> float:
        return await self._instrument.number(":MEAS:CURR?", -100, 100)

    async def measure_peak_current(self) -> float:
        return await self._instrument.number(self._peak_query, -100, 100)

    async def play(self, points: Sequence[tuple[float, float]]) -> None:
        if not points:
            return
        if not self._list_mode:
            for volts, seconds in points:
                await self.set_voltage(volts)
                await self._clock.sleep(seconds)
            return
        tell = self._instrument.tell
        await tell(":LIST:VOLT " + ",".join(f"{volts:.4f}" for volts, _ in points))
        await tell(":LIST:DWEL " + ",".join(f"{seconds:.4f}" for _, seconds in points))
        await tell(":VOLT:MODE LIST")
        await tell(":INIT")
        await self._clock.sleep(sum(seconds for _, seconds in points))
        await self.set_voltage(points[-1][0])
        await tell(":VOLT:MODE FIX")

    def close(self) -> None:
        self._instrument.close()


class ScpiLoad:
    """An electronic load in constant current mode."""

    def __init__(self, instrument: ScpiInstrument, clock: Clock) -> None:
        self._instrument, self._clock = instrument, clock
        self.curve: list[tuple[float, float]] = []

    async def identity(self) -> str:
        return await self._instrument.ask("*IDN?")

    async def draw(self, amperes: float) -> None:
        await self._instrument.tell(f":CURR {amperes:.4f}")
        await self._instrument.tell(f":INP {'ON' if amperes else 'OFF'}")

    async def measure_voltage(self) -> float:
        return await self._instrument.number(":MEAS:VOLT?", -1, 1000)

    async def measure_current(self) -> float:
        return await self._instrument.number(":MEAS:CURR?", -100, 100)

    async def observe(self, seconds: float) -> list[tuple[float, float]]:
        """One reading after another: shorter events than an exchange with the instrument takes are not seen."""
        until, seen = self._clock.now() + seconds, [(self._clock.now(), await self.measure_voltage())]
        while self._clock.now() < until:
            await self._clock.sleep(_OBSERVE_S)
            seen.append((self._clock.now(), await self.measure_voltage()))
        self.curve += seen
        return seen


class ScpiRelay:
    """The host's mains through a relay, or an a.c. source, that obeys ``OUTPut``."""

    def __init__(self, instrument: ScpiInstrument) -> None:
        self._instrument = instrument

    async def switch(self, on: bool) -> None:
        await self._instrument.tell(f":OUTP {'ON' if on else 'OFF'}")


class ScpiProbes:
    """A multimeter behind a scanner whose channel ``n`` is contact ``n``; ohms between two contacts as ``MEAS:RES? (@a,b)``."""

    def __init__(self, instrument: ScpiInstrument) -> None:
        self._instrument = instrument

    async def identity(self) -> str:
        return await self._instrument.ask("*IDN?")

    async def volts(self, pin: int) -> float:
        return await self._instrument.number(f":MEAS:VOLT:DC? (@{pin})", -1000, 1000)

    async def ripple(self, pin: int) -> float:
        return await self._instrument.number(f":MEAS:VOLT:PTP? (@{pin})", 0, 1000)

    async def ohms(self, one: int, other: int) -> float:
        return min(OPEN_OHM, await self._instrument.number(f":MEAS:RES? (@{one},{other})", 0, 1e12, overrange=True))

    def close(self) -> None:
        self._instrument.close()
