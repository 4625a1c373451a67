"""The engineer as a driver: what no instrument does is asked for on the console, and what is read there is typed in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import click

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError, NotAvailable
from ichis.connector import Level, signal
from ichis.jig import OPEN_OHM
from ichis.measuring.reading import Basis, Reading

Ask = Callable[[str], str]
_TRIES = 3


def on_console(question: str) -> str:
    """Ask on stderr, read a line from stdin. Raises JigError where nobody is there to answer."""
    try:
        answer: str = click.prompt(question, default="", show_default=False, err=True)
    except click.Abort as wrong:
        raise JigError(f"{question}: nobody answers at this console: run it at one, or name an instrument that does it") from wrong
    return answer


class Engineer:
    """Asks one question at a time. Raises JigError after three answers that cannot be used, or ``stop``."""

    def __init__(self, clock: Clock, ask: Ask = on_console) -> None:
        self.clock, self._ask = clock, ask

    async def do(self, what: str) -> None:
        """Ask for something to be done."""
        answer = await self.answer(f"{what}, then press enter (or type stop)")
        if answer:
            raise JigError(f"{what}: the engineer answered {answer!r}")

    async def reading(self, what: str, unit: str) -> Reading:
        """A figure read off an instrument; nobody states its uncertainty."""
        return Reading(await self.number(what, unit), 0.0, Basis.NONE)

    async def number(self, what: str, unit: str) -> float:
        """A figure."""
        for _ in range(_TRIES):
            answer = await self.answer(f"{what}, {unit}")
            if answer.lower() in ("open", "ol", "inf") and unit == "ohm":
                return OPEN_OHM
            try:
                return float(answer.replace(",", "."))
            except ValueError:
                continue
        raise JigError(f"{what}: no number in {_TRIES} answers: expected a figure in {unit}")

    async def choice(self, what: str, choices: Sequence[str]) -> str:
        """One of several words."""
        for _ in range(_TRIES):
            answer = (await self.answer(f"{what} ({'/'.join(choices)})")).lower()
            if answer in choices:
                return answer
        raise JigError(f"{what}: none of {_TRIES} answers was one of {', '.join(choices)}")

    async def answer(self, question: str) -> str:
        """Any answer. Raises JigError for ``stop``."""
        with self.clock.hold("the engineer"):
            answer = (await asyncio.get_running_loop().run_in_executor(None, self._ask, question)).strip()
        if answer.lower() == "stop":
            raise JigError(f"{question.split(',')[0]}: the engineer stopped the run")
        return answer


class ManualSupply:
    """Implements :class:`ichis.jig.Supply` with a hand on the knobs."""

    least_step_s = least_software_step_s = 5.0

    def __init__(self, engineer: Engineer) -> None:
        self._engineer = engineer
        self.acted = (engineer.clock.now(), engineer.clock.now())

    async def identity(self) -> str:
        return await self._engineer.answer("Maker, model and serial number of the supply") or "a supply worked by hand"

    async def set_voltage(self, volts: float) -> None:
        await self._engineer.do(f"Set the supply to {volts:.2f} V")

    async def set_current_limit(self, amperes: float) -> None:
        await self._engineer.do(f"Set the current limit to {amperes:.2f} A")

    async def output(self, on: bool) -> None:
        began = self._engineer.clock.now()
        await self._engineer.do(f"Switch the supply's output {'on' if on else 'off'}")
        self.acted = (began, self._engineer.clock.now())

    async def confirm(self) -> None:
        """The engineer said so."""

    async def measure_voltage(self) -> Reading:
        return await self._engineer.reading("Voltage that the supply shows", "V")

    async def measure_current(self) -> Reading:
        return await self._engineer.reading("Current that the supply shows", "A")

    async def measure_peak_current(self) -> Reading:
        return await self._engineer.reading("Highest current since the output was switched on", "A")

    async def play(self, points: Sequence[tuple[float, float]]) -> None:
        """No hand is quick enough."""
        raise NotAvailable(f"a course of {len(points)} voltages", "no hand gives it: this check needs a supply that is an instrument")


class ManualLines:
    """Implements :class:`ichis.jig.Lines` with switches and lamps."""

    resolution_s = 1.0

    def __init__(self, engineer: Engineer) -> None:
        self._engineer = engineer

    async def drive(self, symbol: str, active: bool) -> None:
        pin = signal(symbol)
        await self._engineer.do(f"Put {pin.name} (pin {pin.number}) to {pin.level(active).value}")

    async def release(self, symbol: str) -> None:
        pin = signal(symbol)
        await self._engineer.do(f"Open {pin.name} (pin {pin.number})")

    async def read(self, symbol: str) -> Level:
        pin = signal(symbol)
        return Level(await self._engineer.choice(f"Level of {pin.name} (pin {pin.number})", [level.value for level in Level]))

    async def watch(self, symbol: str, seconds: float) -> list[tuple[float, Level]]:
        """No eye is quick enough."""
        raise NotAvailable(f"{symbol} over {seconds:g} s", "no eye is quick enough: this check needs a jig that reads it")


class ManualProbes:
    """Implements :class:`ichis.jig.Probes` with a hand multimeter."""

    def __init__(self, engineer: Engineer) -> None:
        self._engineer = engineer

    async def identity(self) -> str:
        return await self._engineer.answer("Maker, model and serial number of the multimeter") or "a multimeter worked by hand"

    async def volts(self, pin: int, *, moving: bool = False) -> Reading:
        if moving:
            raise NotAvailable(f"volts of pin {pin} that change", "no hand meter is quick enough")
        return await self._engineer.reading(f"Volts from pin {pin} to pin 3", "V")

    async def ripple(self, pin: int) -> Reading:
        return await self._engineer.reading(f"Ripple on pin {pin}, peak to peak", "V")

    async def ohms(self, one: int, other: int) -> Reading:
        return await self._engineer.reading(f"Resistance from pin {one} to pin {other} (or open)", "ohm")


class ManualMains:
    """Implements :class:`ichis.jig.Mains` with a hand on the switch."""

    def __init__(self, engineer: Engineer) -> None:
        self._engineer = engineer

    async def switch(self, on: bool) -> None:
        await self._engineer.do(f"Switch the mains of the host {'on' if on else 'off'}")


class ManualMating:
    """Implements :class:`ichis.jig.Mating` with a hand on the hub."""

    def __init__(self, engineer: Engineer) -> None:
        self._engineer = engineer
        self._seated: bool | None = None
        self._wired: bool | None = None

    async def insert(self) -> None:
        if self._seated is not True:
            await self._engineer.do("Put the hub into the socket")
            self._seated = True

    async def withdraw(self) -> None:
        if self._seated is not False:
            await self._engineer.do("Take the hub out of the socket")
            self._seated = False

    async def wire_data(self, wired: bool) -> None:
        if self._wired is not wired:
            await self._engineer.do(f"{'Close' if wired else 'Open'} the serial pair (pins 7 and 8)")
            self._wired = wired
